/**
 * What goes to the disk and what is under way to a follower, against twins: whatever a step does to the log, its
 * Persist makes the same of the disk; and a window has room as a plain list of messages would have.
 */
import fc from "fast-check";
import { expect, test } from "vitest";
import { DEFAULT_LIMITS } from "../core/raft/boundary.ts";
import { Log } from "../core/raft/log.ts";
import { Window } from "../core/raft/window.ts";
import { Writes } from "../core/raft/writes.ts";
import { NO_ENTRY, type Entry, type HardState, type LogIndex, type Term } from "../core/types.ts";
import { entry, recoveredLog } from "../test/raft-notation.ts";
import { examples } from "./chance.ts";

type Change =
  | { readonly type: "append" }
  | { readonly type: "truncate"; readonly back: number }
  | { readonly type: "save" }
  | { readonly type: "step" }
  | { readonly type: "done" };

const change: fc.Arbitrary<Change> = fc.oneof(
  { weight: 6, arbitrary: fc.constant<Change>({ type: "append" }) },
  { weight: 3, arbitrary: fc.record({ type: fc.constant("truncate" as const), back: fc.nat(4) }) },
  { weight: 1, arbitrary: fc.constant<Change>({ type: "save" }) },
  { weight: 4, arbitrary: fc.constant<Change>({ type: "step" }) },
  { weight: 3, arbitrary: fc.constant<Change>({ type: "done" }) },
);

test("the Persists of any steps, done in order, make of the disk what memory is", () => {
  fc.assert(fc.property(fc.array(change, { maxLength: 60 }), (changes) => {
    const log = new Log(recoveredLog([]));
    const writes = new Writes(log);
    /** Every entry is another one, even at the same place. */
    let memory: readonly Entry[] = [];
    let disk: readonly Entry[] = [];
    let written = 0;
    let saved: HardState | null = null;
    let onDisk: HardState | null = null;
    const pending: ReturnType<Writes["take"]>[] = [];
    for (const step of [...changes, { type: "step" } as const]) {
      if (step.type === "append") {
        const next = entry({ term: (written += 1), index: memory.length + 1 });
        memory = [...memory, next];
        writes.append(next);
      } else if (step.type === "truncate") {
        const keep = Math.max(0, memory.length - step.back);
        memory = memory.slice(0, keep);
        writes.truncate(keep as LogIndex);
      } else if (step.type === "save") {
        saved = { currentTerm: (written += 1) as Term, votedFor: null };
        writes.saveHardState(saved);
      } else if (step.type === "step") {
        const write = writes.take();
        if (write?.type !== "Persist") continue;
        const { truncateTo, entries, hardState } = write;
        expect(truncateTo ?? disk.length).toBeLessThanOrEqual(disk.length);
        disk = [...disk.slice(0, truncateTo ?? disk.length), ...entries];
        onDisk = hardState ?? onDisk;
        expect([disk, onDisk]).toEqual([memory, saved]);
        pending.push(write);
      } else {
        const write = pending.shift();
        if (write?.type === "Persist") writes.done(write.ticket);
      }
      expect(writes.durable.index).toBeLessThanOrEqual(memory.length);
      expect(log.holds(writes.durable)).toBe(true);
    }
    for (const write of pending) if (write?.type === "Persist") writes.done(write.ticket);
    expect(writes.durable).toEqual(log.last.index === 0 ? NO_ENTRY : log.last);
  }), examples(500));
});

test("a window has room as a plain list of messages has", () => {
  const step = fc.oneof(
    fc.record({ type: fc.constant("add" as const), count: fc.integer({ min: 1, max: 3 }), bytes: fc.nat(20) }),
    fc.record({ type: fc.constant("acknowledge" as const), index: fc.nat(40) }),
  );
  const bounds = fc.record({ maxInFlightMessages: fc.integer({ min: 1, max: 4 }), maxInFlightBytes: fc.nat(40) });
  fc.assert(fc.property(bounds, fc.array(step, { maxLength: 30 }), (bound, steps) => {
    const window = new Window();
    let list: { readonly last: number; readonly bytes: number }[] = [];
    let last = 0;
    for (const each of steps) {
      if (each.type === "add") {
        last += each.count;
        list.push({ last, bytes: each.bytes });
        window.add(last as LogIndex, each.bytes);
      } else {
        list = list.filter((message) => message.last > each.index);
        window.acknowledge(each.index as LogIndex);
      }
      const bytes = list.reduce((sum, message) => sum + message.bytes, 0);
      const isBelow = list.length < bound.maxInFlightMessages && bytes < bound.maxInFlightBytes;
      expect(window.count).toBe(list.length);
      expect(window.hasRoom({ ...DEFAULT_LIMITS, ...bound })).toBe(list.length === 0 || isBelow);
    }
  }), examples(500));
});
