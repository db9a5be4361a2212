/** `npm run sim`: runs seeds of the simulator, prints what they came to, and exits with what went wrong (report.ts). */
import { accessSync, constants, existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { aboutCrash, aboutResult } from "../sim/chronicle/about.ts";
import { Chronicler } from "../sim/chronicle/chronicler.ts";
import type { Witness } from "../sim/happening.ts";
import { drawPlan } from "../sim/plan.ts";
import {
  crashLine, EXIT, firstLine, lastLine, repeatCommand, resultAsJson, Summary, tallyTable,
} from "../sim/report.ts";
import { formatTrace, type Trace } from "../sim/shrink/trace.ts";
import { traceInto } from "../sim/trace/lines.ts";
import { writeDiagram } from "./diagram-page.ts";
import { makeEnvironment } from "./sim-environment.ts";
import { FailureList } from "./sim-failures.ts";
import { runSeeds } from "./sim-jobs.ts";
import { checkLock, parseLock, writeLock } from "./sim-lock.ts";
import { parseSimOptions, SIM_USAGE, type SimOptions } from "./sim-options.ts";
import { exitOf, readReplays, replay } from "./sim-replay.ts";
import { writeScenario } from "./sim-scenario.ts";
import { SeedRunner, type SeedOutcome } from "./sim-seed.ts";
import { shrink, SHRINK_BUDGET, shrinkLine } from "./sim-shrink.ts";
import { TraceRunner } from "./sim-trace.ts";

const { version } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as {
  version: string;
};

const LOCK = fileURLToPath(new URL("../../seeds.lock", import.meta.url));
const OUT = "sim-out";

async function runOne(options: SimOptions): Promise<number> {
  const { seed, database } = options;
  if (!options.json) console.log(firstLine({ plan: drawPlan(seed) }, version, database));
  const chronicler = options.report === null ? null : new Chronicler();
  const watching = [
    ...(options.trace ? [traceInto((line) => console.log(line))] : []),
    ...(chronicler === null ? [] : [chronicler.witness]),
  ];
  const outcome = (await SeedRunner.load(database, allOf(watching))).run(seed);
  if (chronicler !== null) report(options, outcome, chronicler);
  if (options.json) console.log(outcomeAsJson(outcome, options));
  else if (outcome.type === "crash") console.log(crashLine(outcome.crash, database));
  else {
    console.log(tallyTable(outcome.result.tally));
    if (outcome.result.failure !== null) console.log(`smaller: ${repeatCommand(seed, database)} --shrink`);
    console.log(lastLine(outcome.result, outcome.wallSeconds, database));
  }
  if (outcome.type === "crash") return EXIT.crash;
  return outcome.result.failure === null ? EXIT.passed : EXIT[outcome.result.failure.type];
}

function mayWrite(path: string): boolean {
  try {
    accessSync(dirname(path), constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

function allOf(witnesses: readonly Witness[]): Witness | null {
  if (witnesses.length < 2) return witnesses[0] ?? null;
  return (now, happening) => {
    for (const witness of witnesses) witness(now, happening);
  };
}

/** `repeat`: the command that runs it once more; null: the seed's. */
function report(
  { report: path, database, json }: SimOptions, outcome: SeedOutcome, chronicler: Chronicler,
  repeat: string | null = null,
): void {
  if (path === null) return;
  const about = outcome.type === "crash"
    ? aboutCrash(outcome.crash, version, database, repeat)
    : aboutResult(outcome.result, version, database, repeat);
  writeDiagram(path, about, chronicler.chronicle());
  if (!json) console.log(`the diagram is in ${path}`);
}

async function runMany(options: SimOptions): Promise<number> {
  const start = process.hrtime.bigint();
  const elapsed = (): number => Number(process.hrtime.bigint() - start) / 1e9;
  const summary = new Summary();
  const failures = new FailureList(options.database, version);
  const showsProgress = process.stderr.isTTY && !options.json;
  let done = 0;
  await runSeeds(options, (outcome) => {
    done++;
    failures.add(outcome);
    if (outcome.type === "crash") summary.addCrash(outcome.crash);
    else summary.add(outcome.result);
    if (options.json) return console.log(outcomeAsJson(outcome, options));
    if (showsProgress) process.stderr.write("\r\x1b[K");
    const { database } = options;
    if (outcome.type === "crash") console.log(crashLine(outcome.crash, database));
    else if (outcome.result.failure !== null) console.log(lastLine(outcome.result, outcome.wallSeconds, database));
    const { failed } = summary;
    const rate = (done / elapsed()).toFixed(1);
    const count = options.minutes === null ? `${done}/${options.runs}` : `${done}`;
    if (showsProgress) process.stderr.write(`${count} seeds, ${failed.length} failed, ${rate} seeds/s`);
  });
  if (showsProgress) process.stderr.write("\r\x1b[K");
  if (!options.json) console.log(summary.lines(elapsed(), options.database));
  if (failures.all.length > 0 && (options.out !== null || options.minutes !== null)) {
    const file = join(options.out ?? OUT, "failures.jsonl");
    failures.write(file);
    if (!options.json) console.log(`${failures.all.length} different failures, in ${file}`);
  }
  return summary.exitCode();
}

function outcomeAsJson(outcome: SeedOutcome, options: SimOptions): string {
  if (outcome.type === "crash") return JSON.stringify({ outcome: "crash", ...outcome.crash });
  return resultAsJson(outcome.result, outcome.wallSeconds, version, options.database);
}

async function shrinkOne(options: SimOptions, given: Trace): Promise<number> {
  const isShown = process.stderr.isTTY;
  const runner = new TraceRunner();
  const progress = (line: string): void => void process.stderr.write(`\r\x1b[K${line}`);
  const shrinking = await shrink(runner, given, SHRINK_BUDGET, isShown ? progress : undefined);
  if (isShown) process.stderr.write("\r\x1b[K");
  if (shrinking === null) {
    console.log(`PASSED there is nothing to shrink: ${formatTrace(given)}`);
    return EXIT.passed;
  }
  const { file, text } = writeScenario(options.out ?? OUT, version, given, shrinking);
  console.log(text);
  await drawShrunk(shrinking.shrunk.trace, file, options);
  console.log(`written to ${file}; replay: npm run sim -- --replay ${file}`);
  console.log(shrinkLine(shrinking));
  return exitOf(shrinking.shrunk.verdict);
}

/** Beside the scenario: the same as a diagram. */
async function drawShrunk(trace: Trace, file: string, options: SimOptions): Promise<void> {
  // A copy of the code in which a mutant is planted has no page to draw on.
  if (!existsSync(new URL("../diagram/page.html", import.meta.url))) return;
  const chronicler = new Chronicler();
  const runner = new TraceRunner((database) => makeEnvironment(database, chronicler.witness));
  const { outcome } = await runner.run(trace);
  const drawing = { ...options, database: trace.database, report: file.replace(/txt$/, "html") };
  report(drawing, outcome, chronicler, `npm run sim -- --replay ${file}`);
}

function refuse(what: string): number {
  console.error(`${what}\n\n${SIM_USAGE}`);
  return EXIT.usage;
}

async function lockSeeds(which: "check" | "write"): Promise<number> {
  const print = (line: string): void => console.log(line);
  if (which === "write") {
    await writeLock(LOCK, print);
    return EXIT.passed;
  }
  const locked = existsSync(LOCK) ? parseLock(readFileSync(LOCK, "utf8")) : "there is no such file";
  if (typeof locked === "string") return refuse(`seeds.lock: ${locked}`);
  const changed = await checkLock(locked, print);
  console.log(`${changed === 0 ? "PASSED" : "FAILED"} seeds=${locked.length} changed=${changed}`);
  return changed === 0 ? EXIT.passed : EXIT.correctness;
}

async function main(args: readonly string[]): Promise<number> {
  if (args.includes("--help")) {
    console.log(SIM_USAGE);
    return EXIT.passed;
  }
  const options = parseSimOptions(args, Date.now());
  if (typeof options === "string") return refuse(options);
  const isInVain = options.report !== null && !mayWrite(options.report);
  if (isInVain) return refuse(`--report "${options.report}": no file can be written there`);
  if (options.lock !== null) return lockSeeds(options.lock);
  if (options.replay !== null) {
    const replays = readReplays(options.replay);
    return typeof replays === "string" ? refuse(replays) : replay(replays, new TraceRunner(), console.log);
  }
  const { seed, database, runs, minutes } = options;
  if (options.shrink) return shrinkOne(options, { database, seed, changes: {}, kept: null });
  return runs > 1 || minutes !== null ? runMany(options) : runOne(options);
}

process.exitCode = await main(process.argv.slice(2));
