/**
 * The scenarios of test/testdata/sim: shrunk runs that once failed. Each is run again and must tell the same. One that
 * a planted bug made (`# planted: name`, planted.ts) still fails with it, and passes without. REWRITE=1 writes anew
 * what they tell: read the difference like code. Where chance is drawn otherwise than it was, and a planted bug does
 * not show any more, that shrinks it anew.
 */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { readReplays } from "../cli/sim-replay.ts";
import { shrink, SHRINK_BUDGET, type Shrinking } from "../cli/sim-shrink.ts";
import { TraceRunner } from "../cli/sim-trace.ts";
import { formatScenario, parseScenario, type Scenario, tell } from "../sim/shrink/scenario.ts";
import { formatTrace } from "../sim/shrink/trace.ts";
import { plant } from "./planted.ts";

const FOLDER = join(import.meta.dirname, "testdata/sim");
const CORPUS = join(import.meta.dirname, "../fuzz/corpus/sim.txt");
const files = readdirSync(FOLDER).filter((file) => file.endsWith(".txt"));

test("there are scenarios", () => {
  expect(files.length).toBeGreaterThan(0);
});

test.each(files)("%s tells the same again", async (file) => {
  const path = join(FOLDER, file);
  const scenario = parseScenario(readFileSync(path, "utf8")) as Scenario;
  expect(scenario, "it can be read").toHaveProperty("trace");
  const { comments, line, trace, told } = scenario;
  const planted = comments.map((comment) => /^planted: (.*)$/.exec(comment)?.[1]).find((name) => name !== undefined);
  const runner = planted === undefined ? new TraceRunner() : new TraceRunner(plant(planted));
  const { verdict } = await runner.run(trace);
  if (process.env["REWRITE"] === "1") {
    if (planted === undefined || verdict.outcome !== "passed") {
      return writeFileSync(path, formatScenario(comments, line, verdict));
    }
    const { shrunk } = await shrinkAnew(runner, trace.seed);
    return writeFileSync(path, formatScenario(comments, formatTrace(shrunk.trace), shrunk.verdict));
  }
  expect(tell(verdict)).toBe(told);
  if (planted === undefined) return;
  expect(verdict.outcome, "with the bug").not.toBe("passed");
  expect((await new TraceRunner().run(trace)).verdict.outcome, "without the bug").toBe("passed");
});

async function shrinkAnew(runner: TraceRunner, from: number): Promise<Shrinking> {
  for (let seed = from; seed < from + 50; seed++) {
    const shrinking = await shrink(runner, { database: "model", seed, changes: {}, kept: null }, SHRINK_BUDGET);
    if (shrinking?.isMinimal === true) return shrinking;
  }
  throw new Error(`no seed from ${from} to ${from + 49} shows the bug`);
}

test("every line of the corpus passes", async () => {
  const replays = readReplays(CORPUS);
  if (typeof replays === "string") throw new Error(replays);
  const runner = new TraceRunner();
  for (const { line, trace } of replays) expect((await runner.run(trace)).verdict.outcome, line).toBe("passed");
});
