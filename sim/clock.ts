/**
 * A machine's clock as its programs see it: it starts anywhere and runs a little too fast or too slow. The world's own
 * time is the scheduler's; no machine ever sees it.
 */
import { invariant } from "../core/invariant.ts";
import type { Instant } from "../core/types.ts";

const PARTS = 1_000_000;

export class Clock {
  /** What the monotonic clock showed when the world began, in microseconds. */
  private readonly offset: number;
  /** How many microseconds it gains in a second of the world; negative: it loses. */
  private readonly driftPpm: number;
  /** What the wall clock showed when the world began, in milliseconds since 1970. */
  private wallOffsetMs: number;

  /** How long the monotonic clock has stood still in all, in the world's time. */
  private stoodUs = 0;

  constructor(offset: number, driftPpm: number, wallOffsetMs: number) {
    invariant(Number.isSafeInteger(offset) && offset >= 0, "a clock starts at a whole microsecond");
    this.offset = offset;
    this.driftPpm = driftPpm;
    this.wallOffsetMs = wallOffsetMs;
  }

  /** What the monotonic clock shows at a time of the world. */
  read(worldTime: number): Instant {
    const run = worldTime - this.stoodUs;
    return (this.offset + run + Math.floor((run * this.driftPpm) / PARTS)) as Instant;
  }

  /** The monotonic clock stands still for so long, as when a virtual machine is frozen. The wall clock is set after. */
  stand(us: number): void {
    this.stoodUs += us;
  }

  /** Somebody sets the wall clock, forward or back. The monotonic one never is. */
  setWall(byMs: number): void {
    this.wallOffsetMs += byMs;
  }

  /** The first time of the world at which the monotonic clock shows `instant` or more. */
  worldTimeOf(instant: Instant): number {
    const elapsed = instant - this.offset;
    if (elapsed <= 0) return 0;
    // The division may be off by one on either side: the loops settle it.
    let time = this.stoodUs + Math.floor((elapsed * PARTS) / (PARTS + this.driftPpm));
    while (this.read(time) < instant) time++;
    while (time > 0 && this.read(time - 1) >= instant) time--;
    return time;
  }

  /** Whether it shows another time by now than a true clock would that started with it. */
  drifts(worldTime: number): boolean {
    return Math.floor((worldTime * this.driftPpm) / PARTS) !== 0;
  }

  wallMs(worldTime: number): number {
    return this.wallOffsetMs + Math.floor((this.read(worldTime) - this.offset + this.stoodUs) / 1000);
  }
}
