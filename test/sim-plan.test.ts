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

test("limits of storage are drawn from tiny to large, and a log may always be longer than a few segments", () => {
  const limits = PLANS.map(({ storage }) => storage);
  expect(new Set(limits.map(({ segmentBytes }) => segmentBytes)).size).toBeGreaterThan(3);
  expect(new Set(limits.map(({ reserveBytes }) => reserveBytes)).size).toBeGreaterThan(2);
  expect(Math.min(...limits.map(({ segmentBytes }) => segmentBytes))).toBe(8192);
  for (const { maxLogBytes, segmentBytes } of limits) expect(maxLogBytes).toBeGreaterThanOrEqual(8 * segmentBytes);
});

test("what no plan does is printed in the promise, word by word", () => {
  const promise = readFileSync(join(import.meta.dirname, "../docs/guarantees.md"), "utf8");
  for (const rule of NEVER) expect(promise).toContain(`- ${rule}\n`);
});
