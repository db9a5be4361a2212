/**
 * Whether the monotonic clock stood still: while a machine sleeps, or is frozen and told the time afterwards, the wall
 * clock goes on without it. A wall clock that is set forward looks the same; then a promise is given up in vain. One
 * that is not told, or is set back meanwhile, is not noticed: against that there is no remedy here.
 *
 * Short stops are not told from a wall clock that is being put right. But they add up: the clocks are compared with
 * what they showed some seconds ago, not just at the last input, so that a bound holds for all of them together.
 */
import { MICROSECONDS_PER_MS, type Instant } from "./types.ts";

/** More than a clock that is being put right (by 500 ppm) gains within WINDOW_MS. */
const STOPPED_MS = 20;
const WINDOW_MS = 10_000;

/**
 * For less than so long the clock may have stood still, in all, within a time shorter than the window: two windows may
 * have a part in it, and wall clocks are read in whole milliseconds. Whatever rests on time leaves out as much.
 */
export const MAX_UNNOTICED_MS = 2 * (STOPPED_MS + 1);

export class ClockWatch {
  /** What the clocks are compared with. */
  private now: Instant;
  private wallMs: number;

  constructor(now: Instant, wallMs: number) {
    this.now = now;
    this.wallMs = wallMs;
  }

  /** Since this was asked last. To be asked before anything that rests on time is decided. */
  hasStopped(now: Instant, wallMs: number): boolean {
    const passedMs = (now - this.now) / MICROSECONDS_PER_MS;
    const missedMs = wallMs - this.wallMs - passedMs;
    const isWithinBounds = missedMs >= 0 && missedMs <= STOPPED_MS && passedMs <= WINDOW_MS;
    // A wall clock that lags behind, or was set back, would hide what comes.
    if (!isWithinBounds) [this.now, this.wallMs] = [now, wallMs];
    return missedMs > STOPPED_MS;
  }
}
