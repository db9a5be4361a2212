/** The options of `npm run sim`: read, and judged, before anything runs. */
import { parseArgs } from "node:util";
import type { DatabaseKind } from "../sim/environment.ts";

export const SIM_USAGE = `usage: npm run sim -- [options]

  --seed N      the first seed; drawn from the clock if it is not given
  --runs K      how many seeds, counting up from the first (1)
  --jobs J      how many of them at a time, each in a thread (1)
  --database D  "sqlite": real SQLite in every node; "model": a page model, faster (sqlite)
  --json        one line of JSON for each seed, nothing else
  --trace       print every event; for one seed
  --report F    write the run as a diagram: one HTML file, for a browser; for one seed
  --help        print this

exit codes: 0 passed, 1 wrong, 2 not live, 3 a throw of the code, 64 usage`;

export interface SimOptions {
  readonly seed: number;
  readonly runs: number;
  readonly jobs: number;
  readonly database: DatabaseKind;
  readonly json: boolean;
  readonly trace: boolean;
  /** The file to write a diagram to; null: none. */
  readonly report: string | null;
}

/** The options, or what is wrong with them in one line. */
export function parseSimOptions(args: readonly string[], now: number): SimOptions | string {
  let values;
  try {
    ({ values } = parseArgs({
      args: [...args],
      options: {
        seed: { type: "string" }, runs: { type: "string" }, jobs: { type: "string" },
        database: { type: "string" }, json: { type: "boolean" }, trace: { type: "boolean" }, report: { type: "string" },
      },
    }));
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
  const seed = parseWhole(values.seed, now % 1_000_000_000);
  const runs = parseWhole(values.runs, 1);
  const jobs = parseWhole(values.jobs, 1);
  if (seed === null) return `--seed "${values.seed}": a whole number from 0 is expected`;
  if (runs === null || runs === 0) return `--runs "${values.runs}": a whole number from 1 is expected`;
  const isJobs = jobs !== null && jobs >= 1 && jobs <= 256;
  if (!isJobs) return `--jobs "${values.jobs}": a whole number from 1 to 256 is expected`;
  const { database = "sqlite", json = false, trace = false, report = null } = values;
  if (database !== "sqlite" && database !== "model") return `--database "${database}": sqlite or model is expected`;
  if (trace && runs > 1) return "--trace prints one seed: it does not go together with --runs";
  if (report !== null && runs > 1) return "--report shows one seed: it does not go together with --runs";
  if (report === "") return '--report "": the name of a file is expected';
  return { seed, runs, jobs: Math.min(jobs, runs), database, json, trace, report };
}

function parseWhole(text: string | undefined, otherwise: number): number | null {
  if (text === undefined) return otherwise;
  const value = Number(text);
  return /^\d+$/.test(text) && Number.isSafeInteger(value) ? value : null;
}
