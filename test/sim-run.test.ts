/** Runs of the simulator as a whole: one course for each seed, a verdict for each way of failing, and its report. */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { expect, test } from "vitest";
import { parseSimOptions } from "../cli/sim-options.ts";
import { makeEnvironment } from "../cli/sim-environment.ts";
import { SeedRunner, type SeedOutcome } from "../cli/sim-seed.ts";
import type { NodeEffect } from "../core/node/boundary.ts";
import type { Environment, NodeMachine } from "../sim/environment.ts";
import { drawPlan } from "../sim/plan.ts";
import { EXIT, firstLine, lastLine, Summary } from "../sim/report.ts";
import type { RunResult } from "../sim/run.ts";
import { traceInto } from "../sim/trace/lines.ts";
import { FAULT_KINDS, idleKinds, MARKS, Tally } from "../sim/tally.ts";

const PROGRAM = join(import.meta.dirname, "../dist/cli/sim.js");

function resultOf(outcome: SeedOutcome): RunResult {
  if (outcome.type === "crash") throw new Error(outcome.crash.stack);
  return outcome.result;
}

/** One of the page model's environment, with nodes of the test's own. */
async function withNodes(boot: () => NodeMachine): Promise<SeedRunner> {
  const environment: Environment = { ...(await makeEnvironment("model", null)), boot };
  return new SeedRunner(environment);
}

const inert: Omit<NodeMachine, "step"> = {
  inspect: () => ({ raft: null, database: null }),
  image: () => new Uint8Array(0),
  flip: () => false,
  end: () => {},
};

test("a seed has one course, in one process and in another", async () => {
  const runner = await SeedRunner.load("model", null);
  const [first, again, other] = [runner.run(45), runner.run(45), runner.run(94)].map(resultOf);
  expect(first!.failure).toBeNull();
  expect([again!.hash, again!.events]).toEqual([first!.hash, first!.events]);
  expect(other!.hash).not.toBe(first!.hash);
  // npm test builds before it tests.
  const { stdout } = spawnSync(process.execPath, [PROGRAM, "--seed", "45", "--database", "model", "--json"]);
  expect((JSON.parse(String(stdout)) as { hash: string }).hash).toBe(first!.hash);
});

test("a seed over real SQLite has one course, and passes", async () => {
  const runner = await SeedRunner.load("sqlite", null);
  const [first, again] = [runner.run(45), runner.run(45)].map(resultOf);
  expect(first!.failure).toBeNull();
  expect(again!.hash).toBe(first!.hash);
  expect(first!.tally.marks.transactionsCommitted).toBeGreaterThan(0);
});

test("a trace does not change the course, and tells of every step", async () => {
  const lines: string[] = [];
  const traced = resultOf((await SeedRunner.load("model", traceInto((line) => lines.push(line)))).run(9));
  expect(traced.hash).toBe(resultOf((await SeedRunner.load("model", null)).run(9)).hash);
  for (const word of ["Started", "DiskDone", "SetTimer", "loses power", "all faults stop"]) {
    expect(lines.some((line) => line.includes(word)), word).toBe(true);
  }
});

test("a node that halts fails the run as wrong", async () => {
  const halt: NodeEffect = { type: "Halt", reason: { type: "disk", code: "EIO", file: "log", detail: "no reason" } };
  const runner = await withNodes(() => ({ ...inert, step: () => [halt] }));
  const { failure } = resultOf(runner.run(1));
  expect(failure).toMatchObject({ type: "correctness", oracle: "halt" });
});

test("what a run comes to can go from one thread to another, whatever was drawn", async () => {
  const halt: NodeEffect = { type: "Halt", reason: { type: "disk", code: "EIO", file: "log", detail: "no reason" } };
  const runner = await withNodes(() => ({ ...inert, step: () => [halt] }));
  const strategies = new Set<string>();
  for (let seed = 1; seed <= 60; seed++) {
    const result = resultOf(runner.run(seed));
    strategies.add(result.plan.strategy.type);
    expect(structuredClone(result)).toEqual(result);
  }
  expect([...strategies].sort()).toEqual(["ambush", "killWinners", "priorities", "starveDisk", "uniform"]);
});

test("nodes that never do anything fail the run as not live", async () => {
  const runner = await withNodes(() => ({ ...inert, step: () => [] }));
  const result = resultOf(runner.run(1));
  expect(result.failure).toMatchObject({ type: "liveness", oracle: "serve" });
  const last = /^FAILED serve .*\nFAILED serve seed=1 .* repeat="npm run sim -- --seed 1/;
  expect(lastLine(result, 1, "model")).toMatch(last);
});

test("what a node throws is a crash, told with the step in which it was thrown", async () => {
  const runner = await withNodes(() => ({
    ...inert,
    step: () => {
      throw new Error("out of order");
    },
  }));
  const during: unknown = expect.stringContaining("Started");
  expect(runner.run(1)).toMatchObject({ type: "crash", crash: { seed: 1, during } });
});

test("the first line names everything that was drawn, and what no plan does", () => {
  const line = firstLine({ plan: drawPlan(7) }, "0.1.0", "sqlite");
  for (const part of ["seed=7", "nodes=", "network.lossPerMille=", "raft.maxMessageEntries=", 'never="lose a name']) {
    expect(line).toContain(part);
  }
  expect(line).not.toContain("\n");
});

function summaryOf(runs: number, tally: Tally): Summary {
  const summary = new Summary();
  const result = { plan: drawPlan(1), failure: null, tally, events: 1, simulatedSeconds: 1, hash: "" };
  for (let run = 0; run < runs; run++) summary.add(result);
  return summary;
}

test("over 200 seeds a fault without effect, or a mark never reached, fails them all by name", () => {
  const tally = new Tally();
  for (const kind of FAULT_KINDS) tally.effect(kind);
  for (const mark of MARKS) tally.mark(mark);
  expect(summaryOf(200, tally).exitCode()).toBe(EXIT.passed);
  tally.effects.tornWrite = 0;
  tally.marks.votesSplit = 0;
  expect(idleKinds(tally)).toEqual(["tornWrite", "votesSplit"]);
  expect(summaryOf(199, tally).exitCode()).toBe(EXIT.passed);
  expect(summaryOf(200, tally).exitCode()).toBe(EXIT.correctness);
  expect(summaryOf(200, tally).lines(1, "sqlite")).toContain("without effect in 200 seeds: tornWrite votesSplit");
});

test("of many failures the worst decides the exit code", () => {
  const summary = summaryOf(1, new Tally());
  const failure = { type: "liveness", oracle: "serve", message: "", nodes: [], index: null } as const;
  const result = { plan: drawPlan(2), failure, tally: new Tally(), events: 1, simulatedSeconds: 1, hash: "" };
  summary.add(result);
  expect(summary.exitCode()).toBe(EXIT.liveness);
  summary.add({ ...result, failure: { ...failure, type: "correctness" } });
  expect(summary.exitCode()).toBe(EXIT.correctness);
  summary.addCrash({ seed: 3, during: "", stack: "" });
  expect(summary.exitCode()).toBe(EXIT.crash);
});

const WRONG: readonly (readonly [string[], string])[] = [
  [["--seed", "x"], '--seed "x"'],
  [["--seed=-1"], '--seed "-1"'],
  [["--runs", "0"], '--runs "0"'],
  [["--jobs", "1000"], '--jobs "1000"'],
  [["--database", "paper"], '--database "paper"'],
  [["--runs", "2", "--trace"], "--trace does not go together with --runs"],
  [["--runs", "2", "--report", "run.html"], "--report does not go together with --runs"],
  [["--report", ""], '--report ""'],
  [["--shrink", "--json"], "--shrink does not go together with --json"],
  [["--replay", "x", "--seed", "1"], "--replay does not go together with --seed"],
  [["--minutes", "1", "--runs", "2"], "--minutes does not go together with --runs"],
  [["--lock", "check", "--database", "model"], "--lock does not go together with --database"],
  [["--minutes", "soon"], '--minutes "soon"'],
  [["--minutes", "0"], '--minutes "0"'],
  [["--shard", "3/2"], '--shard "3/2"'],
  [["--shard", "2"], '--shard "2"'],
  [["--lock", "break"], '--lock "break"'],
  [["extra"], "extra"],
  [["--fast"], "--fast"],
];

test.each(WRONG)("the options %j are refused with a reason", (args, reason) => {
  expect(parseSimOptions(args, 0)).toContain(reason);
});

test("options have defaults, and no more jobs than seeds", () => {
  expect(parseSimOptions([], 17)).toEqual({
    seed: 17, runs: 1, minutes: null, shard: { index: 1, count: 1 }, jobs: 1, database: "sqlite", json: false,
    trace: false, report: null, shrink: false, replay: null, out: null, lock: null,
  });
  expect(parseSimOptions(["--seed", "4", "--runs", "2", "--jobs", "8"], 0)).toMatchObject({ seed: 4, jobs: 2 });
});
