/** The simulator's queue of events against a sorted array. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { Scheduler } from "../sim/scheduler.ts";
import { examples } from "./chance.ts";

interface Expected {
  readonly at: number;
  readonly name: number;
}

test("events come by time, those of one time in the order of scheduling, also while others are added", () => {
  const delay = fc.integer({ min: 0, max: 20 });
  const steps = fc.array(fc.oneof(fc.record({ delay }), fc.constant("take" as const)), { maxLength: 300 });
  const property = fc.property(steps, (script) => {
    const scheduler = new Scheduler<number>();
    const twin: Expected[] = [];
    let names = 0;
    const takeBoth = (): void => {
      const first = twin.reduce((best, event) => (event.at < best.at ? event : best));
      twin.splice(twin.indexOf(first), 1);
      expect(scheduler.nextTime).toBe(first.at);
      expect(scheduler.take()).toBe(first.name);
      expect(scheduler.now).toBe(first.at);
    };
    for (const step of script) {
      if (step !== "take") {
        const event = { at: scheduler.now + step.delay, name: names++ };
        scheduler.schedule(event.at, event.name);
        twin.push(event);
      } else if (twin.length > 0) {
        takeBoth();
      }
      expect(scheduler.size).toBe(twin.length);
    }
    while (twin.length > 0) takeBoth();
    expect(scheduler.nextTime).toBe(Infinity);
  });
  fc.assert(property, examples(300));
});

test("a time in the past, or between two microseconds, is no time for an event", () => {
  const scheduler = new Scheduler<number>();
  scheduler.schedule(5, 1);
  scheduler.take();
  expect(() => scheduler.schedule(4, 2)).toThrow("not in the past");
  expect(() => scheduler.schedule(5.5, 2)).toThrow("whole microsecond");
});
