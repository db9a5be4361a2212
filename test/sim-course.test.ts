/** What a run says about itself: whoever is told what happened can repeat it, and leave out of it what he likes. */
import { expect, test } from "vitest";
import { makeEnvironment } from "../cli/sim-environment.ts";
import { drawPlan, type Plan } from "../sim/plan.ts";
import { type Course, NOT_UNTIL_THEN, type Occurrence } from "../sim/course.ts";
import { Run, type RunResult } from "../sim/run.ts";

const environment = await makeEnvironment("model", null);
const SEEDS = [3, 11, 29];
const SHORT = { chaosMs: 2500, serveMs: 500 };

function run(seed: number, course: Course = {}, changed: Partial<Plan> = SHORT): RunResult {
  return new Run({ ...drawPlan(seed), ...changed }, environment, course).execute();
}

test.each(SEEDS)("seed %i: what is not said to have happened has changed nothing", (seed) => {
  const happened = new Set<string>();
  const address = (stream: string, number: number): string => `${stream} #${number}`;
  const onOccurrence = ({ stream, number }: Occurrence): void => void happened.add(address(stream, number));
  const all = run(seed, { onOccurrence });
  expect(all.hash, "it is told, and nothing else").toBe(run(seed).hash);
  expect(happened.size).toBeGreaterThan(20);
  const again = run(seed, { leavesOut: (stream, number) => !happened.has(address(stream, number)) });
  expect(again.hash, "leaving out the rest is leaving out nothing").toBe(all.hash);
});

test("where everything is left out nothing happens, and the cluster serves", () => {
  const happened: Occurrence[] = [];
  const course: Course = { leavesOut: () => true, onOccurrence: (one) => happened.push(one) };
  const result = run(2, course, { ...SHORT, outOfSpace: "nowhere" });
  expect(happened).toEqual([]);
  expect(Object.values(result.tally.effects).every((count) => count === 0)).toBe(true);
  expect(result.failure).toBeNull();
});

test("a run of which nobody wants to know more ends then", () => {
  const result = run(3, { endsAt: 1_000_000 });
  expect(result.failure).toMatchObject(NOT_UNTIL_THEN);
  expect(result.simulatedSeconds).toBe(1);
});
