/** `npm run sim`: runs seeds of the simulator, prints what they came to, and exits with what went wrong (report.ts). */
import { accessSync, constants, readFileSync } from "node:fs";
import { dirname } from "node:path";
import { aboutCrash, aboutResult } from "../sim/chronicle/about.ts";
import { Chronicler } from "../sim/chronicle/chronicler.ts";
import type { Witness } from "../sim/happening.ts";
import { drawPlan } from "../sim/plan.ts";
import { crashLine, EXIT, firstLine, lastLine, resultAsJson, Summary, tallyTable } from "../sim/report.ts";
import { traceInto } from "../sim/trace/lines.ts";
import { writeDiagram } from "./diagram-page.ts";
import { runSeeds } from "./sim-jobs.ts";
import { parseSimOptions, SIM_USAGE, type SimOptions } from "./sim-options.ts";
import { SeedRunner, type SeedOutcome } from "./sim-seed.ts";

const { version } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as {
  version: string;
};

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

function report({ report: path, database, json }: SimOptions, outcome: SeedOutcome, chronicler: Chronicler): void {
  if (path === null) return;
  const about = outcome.type === "crash"
    ? aboutCrash(outcome.crash, version, database)
    : aboutResult(outcome.result, version, database);
  writeDiagram(path, about, chronicler.chronicle());
  if (!json) console.log(`the diagram is in ${path}`);
}

async function runMany(options: SimOptions): Promise<number> {
  const start = process.hrtime.bigint();
  const elapsed = (): number => Number(process.hrtime.bigint() - start) / 1e9;
  const summary = new Summary();
  const showsProgress = process.stderr.isTTY && !options.json;
  let done = 0;
  await runSeeds(options, (outcome) => {
    done++;
    if (outcome.type === "crash") summary.addCrash(outcome.crash);
    else summary.add(outcome.result);
    if (options.json) return console.log(outcomeAsJson(outcome, options));
    if (showsProgress) process.stderr.write("\r\x1b[K");
    const { database } = options;
    if (outcome.type === "crash") console.log(crashLine(outcome.crash, database));
    else if (outcome.result.failure !== null) console.log(lastLine(outcome.result, outcome.wallSeconds, database));
    const { failed } = summary;
    const rate = (done / elapsed()).toFixed(1);
    if (showsProgress) process.stderr.write(`${done}/${options.runs} seeds, ${failed.length} failed, ${rate} seeds/s`);
  });
  if (showsProgress) process.stderr.write("\r\x1b[K");
  if (!options.json) console.log(summary.lines(elapsed(), options.database));
  return summary.exitCode();
}

function outcomeAsJson(outcome: SeedOutcome, options: SimOptions): string {
  if (outcome.type === "crash") return JSON.stringify({ outcome: "crash", ...outcome.crash });
  return resultAsJson(outcome.result, outcome.wallSeconds, version, options.database);
}

const args = process.argv.slice(2);
const options = parseSimOptions(args, Date.now());
/** Before anything runs: whether a file can be written there. */
const isInVain = typeof options !== "string" && options.report !== null && !mayWrite(options.report);
if (args.includes("--help")) {
  console.log(SIM_USAGE);
} else if (typeof options === "string") {
  console.error(`${options}\n\n${SIM_USAGE}`);
  process.exitCode = EXIT.usage;
} else if (isInVain) {
  console.error(`--report "${options.report}": no file can be written there`);
  process.exitCode = EXIT.usage;
} else {
  process.exitCode = options.runs > 1 ? await runMany(options) : await runOne(options);
}
