/** The options of `npm run sim`: read, and judged, before anything runs. */
import { parseArgs } from "node:util";
import type { DatabaseKind } from "../sim/environment.ts";

export const SIM_USAGE = `usage: npm run sim -- [options]

  --seed N      the first seed; drawn from the clock if it is not given
  --runs K      how many seeds, counting up from the first (1)
  --minutes M   as many seeds as there is time for
  --shard I/N   of these seeds only each Nth, from the Ith on: one of N machines
  --jobs J      how many of them at a time, each in a thread (1)
  --database D  "sqlite": real SQLite in every node; "model": a page model, faster (sqlite)
  --json        one line of JSON for each seed, nothing else
  --trace       print every event; for one seed
  --report F    write the run as a diagram: one HTML file, for a browser; for one seed
  --shrink      make a seed that fails smaller, until no single event can be left out
  --replay T    run a trace again: its line in quotes, or a file of such lines, or a scenario
  --out DIR     where a shrunk seed's scenario, or with many seeds the list of failures, is written (sim-out)
  --lock W      "check": the seeds of seeds.lock have the hashes that stand there; "write": write them anew
  --help        print this

exit codes: 0 passed, 1 wrong, 2 not live, 3 a throw of the code, 64 usage`;

/** One of several machines that share the seeds. */
export interface Shard {
  readonly index: number;
  readonly count: number;
}

export interface SimOptions {
  readonly seed: number;
  readonly runs: number;
  /** null: as many seeds as `runs` says. */
  readonly minutes: number | null;
  readonly shard: Shard;
  readonly jobs: number;
  readonly database: DatabaseKind;
  readonly json: boolean;
  readonly trace: boolean;
  /** The file to write a diagram to; null: none. */
  readonly report: string | null;
  readonly shrink: boolean;
  /** null: nothing is replayed. */
  readonly replay: string | null;
  /** null: not said. */
  readonly out: string | null;
  readonly lock: "check" | "write" | null;
}

const TEXT = { type: "string" } as const;
const SWITCH = { type: "boolean" } as const;
const OPTIONS = {
  seed: TEXT, runs: TEXT, minutes: TEXT, shard: TEXT, jobs: TEXT, database: TEXT, replay: TEXT, out: TEXT, lock: TEXT,
  report: TEXT, json: SWITCH, trace: SWITCH, shrink: SWITCH,
} as const;
/** What means nothing beside the first one. */
const CONFLICTS: readonly (readonly [string, readonly string[]])[] = [
  ["trace", ["runs", "minutes", "shard", "json", "shrink", "lock"]],
  ["shrink", ["runs", "minutes", "shard", "jobs", "json", "replay", "lock"]],
  ["replay", ["seed", "runs", "minutes", "shard", "jobs", "database", "json", "lock"]],
  ["lock", ["seed", "runs", "minutes", "shard", "database", "json"]],
  ["minutes", ["runs"]],
  ["report", ["runs", "minutes", "shard", "shrink", "replay", "lock"]],
];

/** The options, or what is wrong with them in one line. */
export function parseSimOptions(args: readonly string[], now: number): SimOptions | string {
  let values;
  try {
    ({ values } = parseArgs({ args: [...args], options: OPTIONS }));
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
  const given = new Set(Object.keys(values));
  for (const [one, others] of CONFLICTS) {
    const other = given.has(one) ? others.find((name) => given.has(name)) : undefined;
    if (other !== undefined) return `--${one} does not go together with --${other}`;
  }
  const seed = parseWhole(values.seed, now % 1_000_000_000);
  const runs = parseWhole(values.runs, 1);
  const jobs = parseWhole(values.jobs, 1);
  const minutes = values.minutes === undefined ? null : Number(values.minutes);
  const shard = parseShard(values.shard ?? "1/1");
  if (seed === null) return `--seed "${values.seed}": a whole number from 0 is expected`;
  if (runs === null || runs === 0) return `--runs "${values.runs}": a whole number from 1 is expected`;
  const isJobs = jobs !== null && jobs >= 1 && jobs <= 256;
  if (!isJobs) return `--jobs "${values.jobs}": a whole number from 1 to 256 is expected`;
  if (minutes !== null && !(minutes > 0 && minutes <= 100_000)) {
    return `--minutes "${values.minutes}": a number above 0 is expected`;
  }
  if (shard === null) return `--shard "${values.shard}": as 2/5, the second of five, is expected`;
  const { database = "sqlite", lock = null, json = false, trace = false, shrink = false } = values;
  if (database !== "sqlite" && database !== "model") return `--database "${database}": sqlite or model is expected`;
  if (lock !== null && lock !== "check" && lock !== "write") return `--lock "${lock}": check or write is expected`;
  const { report = null, replay = null, out = null } = values;
  if (report === "") return '--report "": the name of a file is expected';
  const atOnce = minutes === null ? Math.min(jobs, runs) : jobs;
  return { seed, runs, minutes, shard, jobs: atOnce, database, json, trace, report, shrink, replay, out, lock };
}

function parseWhole(text: string | undefined, otherwise: number): number | null {
  if (text === undefined) return otherwise;
  const value = Number(text);
  return /^\d+$/.test(text) && Number.isSafeInteger(value) ? value : null;
}

function parseShard(text: string): Shard | null {
  const found = /^([1-9]\d{0,4})\/([1-9]\d{0,4})$/.exec(text);
  const [index, count] = [Number(found?.[1]), Number(found?.[2])];
  return found !== null && index <= count ? { index, count } : null;
}
