/** When the wall clock says that the monotonic one stood still: a table of both clocks' readings. */
import { expect, test } from "vitest";
import type { Instant } from "../core/types.ts";
import { ClockWatch, MAX_UNNOTICED_MS } from "../core/clock-watch.ts";
import { leaseEnd } from "../core/raft/lease.ts";
import { DEFAULT_TIMING } from "../core/raft/boundary.ts";
import { Random } from "../core/random.ts";

const STARTED_MS = 1_800_000_000_000;

/** [passed on the monotonic clock, passed on the wall clock, whether it stood still], each since the one before. */
test.each<[string, readonly (readonly [number, number, boolean])[]]>([
  ["both go on", [[100, 100, false], [1, 1, false], [60_000, 60_000, false]]],
  ["readings in whole milliseconds differ by one", [[0.4, 1, false], [1.6, 1, false], [0.2, 1, false]]],
  ["the machine slept for a minute, once", [[100, 60_100, true], [100, 100, false]]],
  ["it slept for 21 ms", [[100, 121, true]]],
  ["it stood still again and again, each time for less", [[100, 115, false], [1, 11, true], [100, 110, false]]],
  ["the wall clock is slewed by 500 ppm", [[9000, 9004, false], [9000, 9005, false], [9000, 9005, false]]],
  ["it is set back, and sleeps afterwards", [[100, -3_600_000, false], [100, 100, false], [100, 5100, true]]],
  ["it is set forward: taken for a sleep, in vain", [[100, 3_600_100, true]]],
  ["nothing happens for a day", [[86_400_000, 86_400_000, false]]],
])("%s", (_name, readings) => {
  let [now, wallMs] = [123_456, STARTED_MS];
  const watch = new ClockWatch(now as Instant, wallMs);
  for (const [passedMs, wallPassedMs, expected] of readings) {
    now += passedMs * 1000;
    wallMs += wallPassedMs;
    expect(watch.hasStopped(now as Instant, wallMs)).toBe(expected);
  }
});

test("what nobody notices in a short time is less than what a lease leaves out", () => {
  for (let seed = 1; seed <= 200; seed++) {
    const random = Random.fromNumber(seed);
    let [now, world] = [0, 0];
    const wallMs = (): number => STARTED_MS + Math.floor(world / 1000);
    const watch = new ClockWatch(now as Instant, wallMs());
    /** Since the clock was seen to stop: when, and for how long it has stood still at each time. */
    let stops: { readonly at: number; readonly us: number }[] = [];
    for (let step = 0; step < 400; step++) {
      const run = random.integer(0, random.pick([1000, 50_000, 4_000_000]));
      const stopped = random.oneIn(3) ? random.integer(0, random.pick([2000, 12_000, 30_000])) : 0;
      now += run;
      world += run + stopped;
      stops.push({ at: world, us: stopped });
      if (watch.hasStopped(now as Instant, wallMs())) stops = [];
      const recent = stops.filter(({ at }) => at > world - DEFAULT_TIMING.electionTimeoutMs * 1000);
      const unnoticed = recent.reduce((sum, { us }) => sum + us, 0);
      expect(unnoticed, `seed ${seed}, step ${step}`).toBeLessThan(MAX_UNNOTICED_MS * 1000);
    }
  }
  const { electionTimeoutMs } = DEFAULT_TIMING;
  expect(leaseEnd(0 as Instant, DEFAULT_TIMING, 0)).toBe((electionTimeoutMs - MAX_UNNOTICED_MS) * 1000);
});
