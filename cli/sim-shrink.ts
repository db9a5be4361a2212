/** Shrinks a failing seed: runs what the shrinker (sim/shrink/) proposes, until it is done or its budget is spent. */
import { Shrinker, type Shrunk } from "../sim/shrink/shrinker.ts";
import type { Trace } from "../sim/shrink/trace.ts";
import type { Verdict } from "../sim/shrink/verdict.ts";
import type { TraceRunner } from "./sim-trace.ts";

export interface ShrinkBudget {
  readonly maxRuns: number;
  readonly maxSeconds: number;
}

export const SHRINK_BUDGET: ShrinkBudget = { maxRuns: 2000, maxSeconds: 60 };

export interface Shrinking {
  /** What the whole run came to. */
  readonly first: Verdict;
  readonly shrunk: Shrunk;
  readonly runs: number;
  readonly seconds: number;
  /** Nothing that is left can be left out; false: the budget was spent before that was known. */
  readonly isMinimal: boolean;
}

/**
 * null: it does not fail.
 *
 * @param progress is told how it goes, in a line, after each run
 */
export async function shrink(
  runner: TraceRunner, trace: Trace, budget: ShrinkBudget, progress: (line: string) => void = () => undefined,
): Promise<Shrinking | null> {
  const start = process.hrtime.bigint();
  const elapsed = (): number => Number(process.hrtime.bigint() - start) / 1e9;
  const { verdict: first } = await runner.run(trace);
  if (first.outcome === "passed") return null;
  const shrinker = new Shrinker(trace, first);
  const search = shrinker.search();
  let runs = 1;
  let next = search.next();
  while (next.done !== true && runs < budget.maxRuns && elapsed() < budget.maxSeconds) {
    const { trace: smaller, without, endsAt, step } = next.value;
    const { verdict } = await runner.run(smaller, without, endsAt);
    runs++;
    next = search.next(verdict);
    const { at, occurrences } = shrinker.best.verdict;
    const size = `${occurrences.length} of ${first.occurrences.length} events, ${(at / 1e6).toFixed(1)} s simulated`;
    progress(`shrinking ${first.oracle}: ${size} after ${runs} runs in ${elapsed().toFixed(0)} s (${step})`);
  }
  return { first, shrunk: shrinker.best, runs, seconds: elapsed(), isMinimal: shrinker.isMinimal };
}

export function shrinkLine({ first, shrunk, runs, seconds, isMinimal }: Shrinking): string {
  const { verdict } = shrunk;
  return (
    `FAILED ${first.oracle} events=${verdict.occurrences.length} of=${first.occurrences.length} ` +
    `simulated=${(verdict.at / 1e6).toFixed(1)}s runs=${runs} wall=${seconds.toFixed(1)}s ` +
    `${isMinimal ? "minimal" : "unfinished"} hash=${verdict.hash}`
  );
}
