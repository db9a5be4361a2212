/** When the wall clock says that the monotonic one stood still: a table of both clocks' readings. */
import { expect, test } from "vitest";
import type { Instant } from "../core/types.ts";
import { ClockWatch } from "../io/clock.ts";

const STARTED_MS = 1_800_000_000_000;

/** [passed on the monotonic clock, passed on the wall clock, whether it stood still], each since the one before. */
test.each<[string, readonly (readonly [number, number, boolean])[]]>([
  ["both go on", [[100, 100, false], [1, 1, false], [60_000, 60_000, false]]],
  ["readings in whole milliseconds differ by one", [[0.4, 1, false], [1.6, 1, false], [0.2, 1, false]]],
  ["the machine slept for a minute, once", [[100, 60_100, true], [100, 100, false]]],
  ["it slept for 51 ms", [[100, 151, true]]],
  ["the wall clock is slewed by 500 ppm for a long time", [[60_000, 60_030, false], [60_000, 60_030, false]]],
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
