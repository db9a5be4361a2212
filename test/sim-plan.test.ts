/** What the swarm draws: every switch is on in some seeds and off in others, and the promise is written down. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { drawPlan, type FaultIntervals, NEVER, type Plan } from "../sim/plan.ts";

const PLANS: readonly Plan[] = Array.from({ length: 200 }, (_, seed) => drawPlan(seed + 1));

test("every class of faults is on in some seeds and off in others", () => {
  for (const name of Object.keys(PLANS[0]!.faults) as (keyof FaultIntervals)[]) {
    const drawn = PLANS.map(({ faults }) => faults[name]);
    expect([name, drawn.some((interval) => interval > 0), drawn.includes(0)]).toEqual([name, true, true]);
  }
});

test("limits of storage are drawn from tiny to large, a log of two segments and a small reserve among them", () => {
  const limits = PLANS.map(({ storage }) => storage);
  expect(new Set(limits.map(({ segmentBytes }) => segmentBytes)).size).toBeGreaterThan(3);
  expect(new Set(limits.map(({ reserveBytes }) => reserveBytes)).size).toBeGreaterThan(2);
  expect(Math.min(...limits.map(({ segmentBytes }) => segmentBytes))).toBe(8192);
  expect(limits.some(({ maxLogBytes, segmentBytes }) => maxLogBytes === 2 * segmentBytes)).toBe(true);
  expect(Math.min(...limits.map(({ reserveBytes }) => reserveBytes))).toBe(32 * 1024);
});

test("what no plan does is printed in the promise, word by word", () => {
  const promise = readFileSync(join(import.meta.dirname, "../docs/guarantees.md"), "utf8");
  for (const rule of NEVER) expect(promise).toContain(`- ${rule}\n`);
});
