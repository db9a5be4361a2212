/** The options of `npm run mutants`: read, and judged, before anything runs. */
import { parseArgs } from "node:util";

export const MUTANTS_USAGE = `usage: npm run mutants -- [options]

  --runs K     at most so many seeds for each mutant (200)
  --seed N     the first seed (1)
  --jobs J     how many mutants at a time (1)
  --only TEXT  only mutants whose name contains it; or one of several, each with an --only of its own
  --bug NAME   only mutants that bring this bug back ("M63"), or one of several
  --unfound    only mutants that no hunt has found yet, and no controls
  --resume     goes on where the last hunt in the same sources has ended
  --help       print this

Results go to docs/mutants.json and docs/mutants.md, a mutant at a time.

exit codes: 0 all found and no control, 1 not so, 64 usage`;

export interface MutantOptions {
  readonly runs: number;
  readonly seed: number;
  readonly jobs: number;
  /** Empty: whichever. */
  readonly only: readonly string[];
  readonly bugs: readonly string[];
  readonly unfound: boolean;
  readonly resume: boolean;
}

/** The options, or what is wrong with them in one line. */
export function parseMutantOptions(args: readonly string[]): MutantOptions | string {
  const text = { type: "string" } as const;
  const texts = { type: "string", multiple: true } as const;
  const flag = { type: "boolean" } as const;
  let values;
  try {
    ({ values } = parseArgs({
      args: [...args],
      options: { runs: text, seed: text, jobs: text, only: texts, bug: texts, unfound: flag, resume: flag },
    }));
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
  const { only = [], bug: bugs = [], unfound = false, resume = false } = values;
  const runs = parseWhole(values.runs ?? "200");
  const seed = parseWhole(values.seed ?? "1");
  const jobs = parseWhole(values.jobs ?? "1");
  if (runs === null || runs === 0) return `--runs "${values.runs}": a whole number from 1 is expected`;
  if (seed === null) return `--seed "${values.seed}": a whole number from 0 is expected`;
  const isJobs = jobs !== null && jobs >= 1 && jobs <= 256;
  if (!isJobs) return `--jobs "${values.jobs}": a whole number from 1 to 256 is expected`;
  return { runs, seed, jobs, only, bugs, unfound, resume };
}

function parseWhole(text: string): number | null {
  const value = Number(text);
  return /^\d+$/.test(text) && Number.isSafeInteger(value) ? value : null;
}
