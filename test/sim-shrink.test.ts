/** Shrinking as a whole: what is left of a failing seed fails the same way, and nothing of it can be left out. */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { expect, test } from "vitest";
import { shrink, type Shrinking } from "../cli/sim-shrink.ts";
import { TraceRunner } from "../cli/sim-trace.ts";
import { countKept, keepOnly } from "../sim/shrink/kept.ts";
import { formatTrace, parseTrace, type Trace } from "../sim/shrink/trace.ts";
import { isSameFailure } from "../sim/shrink/verdict.ts";
import { plant } from "./planted.ts";

const PROGRAM = join(import.meta.dirname, "../dist/cli/sim.js");
const BUDGET = { maxRuns: 400, maxSeconds: 100 };

function everything(seed: number): Trace {
  return { database: "model", seed, changes: {}, kept: null };
}

async function shrinkPlanted(bug: string, seed: number, budget = BUDGET): Promise<[TraceRunner, Shrinking]> {
  const runner = new TraceRunner(plant(bug));
  const shrinking = await shrink(runner, everything(seed), budget);
  if (shrinking === null) throw new Error(`seed ${seed} passes with ${bug}`);
  return [runner, shrinking];
}

/** A bug, a seed that shows it, and how much may be left: which oracle sees it first is the seed's own affair. */
const BUGS: readonly (readonly [string, number, number])[] = [
  ["syncs-nothing", 3, 2],
  ["minds-who-goes", 17, 12],
];

test.each(BUGS)("%s, seed %i, is shrunk to at most %i events that all matter", async (...bug) => {
  const [name, seed, most] = bug;
  const [runner, { first, shrunk, isMinimal }] = await shrinkPlanted(name, seed);
  expect(isMinimal).toBe(true);
  const { trace, verdict } = shrunk;
  expect(isSameFailure(first, verdict)).toBe(true);
  expect(countKept(trace.kept!)).toBeLessThanOrEqual(most);
  expect(verdict.occurrences).toHaveLength(countKept(trace.kept!));
  // Through its text, as somebody else gets it.
  const read = parseTrace(formatTrace(trace)) as Trace;
  expect((await runner.run(read)).verdict).toEqual(verdict);
  for (const one of verdict.occurrences) {
    const rest = keepOnly(verdict.occurrences.filter((other) => other !== one));
    const without = await runner.run({ ...trace, kept: rest });
    expect(isSameFailure(first, without.verdict), `without ${one.words}`).toBe(false);
  }
  expect((await new TraceRunner().run(trace)).verdict.outcome, "without the bug").toBe("passed");
});

test("where everything is left out the bug does not show", async () => {
  const { verdict } = await new TraceRunner(plant("minds-who-goes")).run({ ...everything(17), kept: new Map() });
  expect(verdict).toMatchObject({ outcome: "passed", occurrences: [] });
});

test("a budget that is spent leaves what fails the same way, and says that it may not be all", async () => {
  const [runner, { first, shrunk, runs, isMinimal }] = await shrinkPlanted("minds-who-goes", 17, {
    maxRuns: 6, maxSeconds: 100,
  });
  expect([runs, isMinimal]).toEqual([6, false]);
  expect(isSameFailure(first, shrunk.verdict)).toBe(true);
  expect((await runner.run(shrunk.trace)).verdict).toEqual(shrunk.verdict);
});

test("what passes is not shrunk", async () => {
  expect(await shrink(new TraceRunner(), everything(29), BUDGET)).toBeNull();
});

test("a trace means the same in another process", async () => {
  const runner = new TraceRunner();
  const { verdict } = await runner.run(everything(29));
  const half = verdict.occurrences.filter((_, at) => at % 2 === 0);
  const trace = { ...everything(29), changes: { chaosMs: 3000, jitter: 0 }, kept: keepOnly(half) };
  const { hash } = (await runner.run(trace)).verdict;
  // npm test builds before it tests.
  const args = [PROGRAM, "--replay", formatTrace(trace)];
  const { stdout, status } = spawnSync(process.execPath, args, { encoding: "utf8" });
  expect(stdout).toContain(`hash=${hash}`);
  expect(status).toBe(0);
});
