/**
 * The real clock: monotonic time and one timer. Sample it after an input was taken from its source, never before: an
 * instant from before a long pause would let an expired promise look alive.
 */
import type { Instant } from "../core/types.ts";
import { MICROSECONDS_PER_MS } from "../core/types.ts";

/** setTimeout takes no more. */
const MAX_TIMEOUT_MS = 2147483647;

/** Microseconds since this process began. Never falls, whatever is done to the wall clock. */
export function monotonicNow(): Instant {
  return Math.floor(performance.now() * MICROSECONDS_PER_MS) as Instant;
}

/** Milliseconds since 1970: what datetime('now') shows. Decides nothing. */
export function wallClockMs(): number {
  return Date.now();
}

/** One timer: setting it replaces what was set before. It never fires early. */
export class Timer {
  private readonly fired: () => void;
  private at: Instant = 0 as Instant;
  private handle: NodeJS.Timeout | null = null;

  constructor(fired: () => void) {
    this.fired = fired;
  }

  set(at: Instant): void {
    // A later deadline keeps the timer that runs: it looks again when it fires. Heartbeats would set one each
    // otherwise.
    const sooner = this.handle === null || at < this.at;
    this.at = at;
    if (sooner) this.arm();
  }

  clear(): void {
    if (this.handle !== null) clearTimeout(this.handle);
    this.handle = null;
  }

  private arm(): void {
    this.clear();
    const waitMs = Math.ceil((this.at - monotonicNow()) / MICROSECONDS_PER_MS);
    this.handle = setTimeout(() => {
      this.handle = null;
      // Node counts in milliseconds from a cached time and may be a little early.
      if (monotonicNow() < this.at) this.arm();
      else this.fired();
    }, Math.min(Math.max(waitMs, 0), MAX_TIMEOUT_MS));
  }
}
