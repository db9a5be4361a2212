/** Simulated clocks and timers: what a drifting machine sees, and when its timer fires. */
import { expect, test } from "vitest";
import type { Instant } from "../core/types.ts";
import { Clock } from "../sim/clock.ts";
import { Timer } from "../sim/timer.ts";

const DRIFTS = [-500, -1, 0, 1, 500];

test.each(DRIFTS)("a clock with a drift of %i ppm shows an instant first at the time that it names", (drift) => {
  const clock = new Clock(123_456_789, drift, 0);
  for (const elapsed of [0, 1, 999, 1000, 2001, 1_000_000, 29_999_999]) {
    const instant = (123_456_789 + elapsed) as Instant;
    const time = clock.worldTimeOf(instant);
    expect(clock.read(time)).toBeGreaterThanOrEqual(instant);
    if (time > 0) expect(clock.read(time - 1)).toBeLessThan(instant);
  }
});

test("a clock never goes back, and gains or loses what its drift says", () => {
  for (const drift of DRIFTS) {
    const clock = new Clock(0, drift, 1000);
    const times = Array.from({ length: 5000 }, (_, time) => time);
    expect(times.filter((time) => clock.read(time + 1) < clock.read(time))).toEqual([]);
    expect(clock.read(10_000_000)).toBe(10_000_000 + 10 * drift);
    expect(clock.wallMs(10_000_000)).toBe(1000 + Math.floor((10_000_000 + 10 * drift) / 1000));
    expect(clock.drifts(10_000_000)).toBe(drift !== 0);
  }
});

test("an instant before the clock's beginning is due at once", () => {
  expect(new Clock(1000, 0, 0).worldTimeOf(5 as Instant)).toBe(0);
});

test("a timer that is put off fires once, at the last time that was set", () => {
  const timer = new Timer();
  expect(timer.set(10)).toBe(10);
  expect(timer.set(30)).toBeNull();
  expect(timer.fires(10)).toBe(false);
  expect(timer.rearm()).toBe(30);
  expect(timer.fires(30)).toBe(true);
  expect(timer.rearm()).toBeNull();
});

test("a timer that is brought forward fires then, and its old event does nothing", () => {
  const timer = new Timer();
  timer.set(30);
  expect(timer.set(10)).toBe(10);
  expect(timer.fires(10)).toBe(true);
  expect(timer.fires(30)).toBe(false);
  expect(timer.rearm()).toBeNull();
});

test("a timer that was cleared does not fire", () => {
  const timer = new Timer();
  timer.set(10);
  timer.clear();
  expect(timer.fires(10)).toBe(false);
});
