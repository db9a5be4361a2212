/** Ascending times of one kind of event in a history, and the one question that is asked of them. */

/** How many of them lie before `time`. */
export function countBefore(times: readonly number[], time: number): number {
  let low = 0;
  let high = times.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((times[middle] as number) < time) low = middle + 1;
    else high = middle;
  }
  return low;
}
