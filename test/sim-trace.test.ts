/** Traces and scenarios as text: what can be read, what is refused and why, and how failures are compared. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { spawnSync } from "node:child_process";
import { expect, test } from "vitest";
import { parseLock } from "../cli/sim-lock.ts";
import { readReplays } from "../cli/sim-replay.ts";
import { seedsOf } from "../cli/sim-jobs.ts";
import { drawPlan } from "../sim/plan.ts";
import { classOf, formatKept, joinOccurrences, keepOnly, parseKept } from "../sim/shrink/kept.ts";
import { changePlan, smallerPlans } from "../sim/shrink/plan-change.ts";
import { formatScenario, parseScenario, tell } from "../sim/shrink/scenario.ts";
import { formatTrace, parseTrace, type Trace } from "../sim/shrink/trace.ts";
import { isSameFailure, shapeOf, type Verdict } from "../sim/shrink/verdict.ts";

const LINE = "v1 database=model seed=17 nodes=3 jitter=0 events=4 keep=nemesis/pause:2;network/a>client-1:7-9";

test.each([LINE, "v1 database=sqlite seed=0 keep=all", "v1 database=model seed=9007199254740991 events=0 keep=none"])(
  "%s is read and written as it was", (line) => {
    expect(formatTrace(parseTrace(line) as Trace)).toBe(line);
  },
);

const WRONG: readonly (readonly [string, string])[] = [
  ["", "begins with its version"],
  ["seed=1", "begins with its version"],
  [LINE.replace("v1", "v2"), "is of version v2; this program reads v1"],
  [LINE.replace("database=model", "database=paper"), "database=model or database=sqlite"],
  [LINE.replace("seed=17", "seed=x"), "seed=, a whole number"],
  [LINE.replace("seed=17", "seed=99999999999999999"), "seed=, a whole number"],
  [LINE.replace("seed=17 ", ""), "seed=, a whole number"],
  [`${LINE} seed=18`, "is there twice"],
  [LINE.replace("jitter=0", "jitter"), "is no field=value"],
  [LINE.replace("nodes=3", "nodes=8"), "nodes is a whole number from 1 to 7"],
  [LINE.replace("nodes=3", "nodes=many"), "nodes is a whole number from 1 to 7"],
  [LINE.replace("nodes=3", "knots=3"), '"knots" is no field that a trace may change'],
  [LINE.slice(0, -2), "events=4 is expected to be 2"],
  [LINE.slice(0, LINE.indexOf(" keep")), "keep= is missing"],
  [LINE.replace("7-9", "9-7"), "is no list of addresses"],
  [LINE.replace("7-9", "0-9"), "is no list of addresses"],
  [LINE.replace("7-9", "1-999999999"), "is no list of addresses"],
  [LINE.replace("events=4 ", ""), "the line may be cut off"],
  ["v1 database=model seed=1 events=1 keep=all", "not with keep=all"],
];

test.each(WRONG)("the trace %j is refused: %s", (line, reason) => {
  expect(parseTrace(line)).toContain(reason);
});

test("what is wrong with a file of traces is said with its line", () => {
  const folder = mkdtempSync(join(tmpdir(), "quorumlite-traces-"));
  const write = (name: string, text: string): string => {
    writeFileSync(join(folder, name), text);
    return join(folder, name);
  };
  expect(readReplays(write("corpus.txt", `# found once\n\n${LINE}\n${LINE}x\n`))).toContain("corpus.txt:4: ");
  expect(readReplays(write("empty.txt", "# nothing\n"))).toContain("there is no trace in it");
  expect(readReplays(write("two.txt", `${LINE}\n${LINE}\n----\n`))).toContain("one line of a trace");
  expect(readReplays(write("good.txt", `# a\n${LINE}\n`))).toEqual([{ line: LINE, trace: parseTrace(LINE) }]);
  expect(readReplays(join(folder, "missing.txt"))).toContain("there is no such file");
  rmSync(folder, { recursive: true });
});

test("the program exits with 64 over a trace that it cannot read", () => {
  // npm test builds before it tests.
  const program = join(import.meta.dirname, "../dist/cli/sim.js");
  const { status, stderr } = spawnSync(process.execPath, [program, "--replay", "v7 seed=1"], { encoding: "utf8" });
  expect(status).toBe(64);
  expect(stderr).toContain("is of version v7; this program reads v1");
});

test("sets of addresses are short as text, and are what they were when read", () => {
  const numbers = [1, 2, 3, 7, 9, 10];
  const kept = keepOnly(numbers.map((number) => ({ stream: "c disk crash", number })));
  expect(formatKept(kept)).toBe("c/disk/crash:1-3,7,9-10");
  expect(parseKept(formatKept(kept))).toEqual(kept);
  expect(formatKept(keepOnly([]))).toBe("none");
});

test.each([
  ["network a>client-2", "network"], ["c disk crash", "disk crash"], ["nemesis pause", "nemesis pause"],
  ["workload client-1.2 actor-0", "workload actor-0"], ["nemesis b down", "nemesis down"], ["a clock", "clock"],
])("the stream %s is of the class %s", (stream, name) => {
  expect(classOf(stream)).toBe(name);
});

const occurrence = { at: 1_204_000, stream: "nemesis crashOfOne", number: 2, words: "b loses power" };
const FAILED: Verdict = {
  outcome: "correctness", oracle: "halt", message: "b halted: 7", at: 2_310_400, hash: "", occurrences: [occurrence],
};

test("a scenario tells what occurs and what that comes to, and is read as it was written", () => {
  const text = formatScenario(["It was found.", ""], LINE, FAILED);
  expect(text.split("\n")).toEqual([
    "# It was found.", "#", LINE, "----",
    `    1.204s  b loses power${" ".repeat(47)}  nemesis crashOfOne #2`, "    2.310s  FAILED halt: b halted: 7", "",
  ]);
  expect(parseScenario(text)).toEqual({
    comments: ["It was found.", ""], line: LINE, trace: parseTrace(LINE), told: tell(FAILED),
  });
});

test("of one address everything is told in one line", () => {
  const joined = joinOccurrences([occurrence, { ...occurrence, number: 3 }, { ...occurrence, words: "and c" }]);
  expect(joined.map(({ words }) => words)).toEqual(["b loses power; and c", "b loses power"]);
});

test("failures are the same by their oracle; throws by their message, but for numbers and names", () => {
  expect(isSameFailure(FAILED, { ...FAILED, message: "c halted: 8" })).toBe(true);
  expect(isSameFailure(FAILED, { ...FAILED, oracle: "loss" })).toBe(false);
  expect(isSameFailure({ ...FAILED, outcome: "passed" }, { ...FAILED, outcome: "passed" })).toBe(false);
  const crash = { ...FAILED, outcome: "crash", oracle: "invariant", message: "InvariantError: 3 is below 4" } as const;
  expect(isSameFailure(crash, { ...crash, message: "InvariantError: 12 is below 40" })).toBe(true);
  expect(isSameFailure(crash, { ...crash, message: "InvariantError: time goes on" })).toBe(false);
  const shape = shapeOf("c of client-3 has fedcba9876543210");
  expect(shapeOf("a, b c of client-1.2 has 0123456789abcdef\nmore")).toBe(shape);
});

test("every smaller plan is smaller in one field, and a trace may have it", () => {
  for (const seed of [1, 2, 3, 4, 5, 6, 7]) {
    const plan = drawPlan(seed);
    for (const changes of smallerPlans(plan, "all")) {
      const trace: Trace = { database: "model", seed, changes, kept: null };
      expect(parseTrace(formatTrace(trace))).toEqual(trace);
      expect(changePlan(plan, changes)).not.toEqual(plan);
    }
  }
});

test("shards share seeds, and time ends them", () => {
  const seeds = (index: number, minutes: number | null = null): number[] => {
    let now = 0;
    return [...seedsOf({ seed: 10, runs: 7, minutes, shard: { index, count: 3 } }, () => (now += 10_000))];
  };
  expect([seeds(1), seeds(2), seeds(3)]).toEqual([[10, 13, 16], [11, 14], [12, 15]]);
  expect(seeds(2, 1)).toEqual([11, 14, 17, 20, 23]);
});

test.each([["", "there is no seed"], ["model 1", "line 1"], ["# a\nmodel x 0123456789abcdef", "line 2"]])(
  "the lock %j is refused: %s", (text, reason) => {
    expect(parseLock(text)).toContain(reason);
  },
);
