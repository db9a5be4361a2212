/** Somebody who does one thing after the other: how long each took, which is how long he paused for it. */
import { quantile } from "./quantile.ts";

export interface Pauses {
  readonly p999Ms: number;
  readonly longestMs: number;
}

/** The milliseconds that each took, as long as the work goes on. */
export async function pausesWhile(once: () => Promise<void>, work: () => Promise<unknown>): Promise<number[]> {
  let isOver = false;
  const pauses: number[] = [];
  const repeat = async (): Promise<void> => {
    for (let from = performance.now(); !isOver; ) {
      await once();
      const now = performance.now();
      pauses.push(now - from);
      from = now;
    }
  };
  const repeating = repeat();
  await work();
  isOver = true;
  await repeating;
  return pauses;
}

export function pausesFor(once: () => Promise<void>, seconds: number): Promise<number[]> {
  return pausesWhile(once, () => new Promise((resolve) => setTimeout(resolve, seconds * 1000)));
}

export function summaryOf(pauses: readonly number[]): Pauses {
  const sorted = [...pauses].sort((a, b) => a - b);
  return { p999Ms: quantile(sorted, 0.999), longestMs: sorted.at(-1) ?? Number.NaN };
}
