/** The simulated disk: the contract that it shares with the real one, and what each way of crashing may leave. */
import { expect, test } from "vitest";
import type { DiskAnswer, DiskOperation } from "../core/storage/disk.ts";
import type { Ticket } from "../core/types.ts";
import { Chance } from "../sim/chance.ts";
import { SimulatedDisk } from "../sim/disk.ts";
import { type PowerLoss, SECTOR_SIZE } from "../sim/power-loss.ts";
import { Scheduler } from "../sim/scheduler.ts";
import { Tally } from "../sim/tally.ts";
import { type DiskTwin, testDiskContract } from "./contract-disk.ts";

const KEEP: PowerLoss = { dropPercent: 0, tearPercent: 0, garblePercent: 0, unit: SECTOR_SIZE };
const DROP: PowerLoss = { dropPercent: 100, tearPercent: 0, garblePercent: 0, unit: SECTOR_SIZE };
const TEAR: PowerLoss = { dropPercent: 0, tearPercent: 100, garblePercent: 0, unit: SECTOR_SIZE };
const GARBLE: PowerLoss = { dropPercent: 0, tearPercent: 100, garblePercent: 100, unit: SECTOR_SIZE };

/** A disk with its own scheduler. */
class Bench {
  readonly tally = new Tally();
  readonly scheduler = new Scheduler<() => void>();
  readonly disk: SimulatedDisk;

  constructor(seed: number) {
    this.disk = new SimulatedDisk({ accessUs: 100, syncUs: 1000, isSteady: false }, new Chance(seed), this.tally);
  }

  /** Orders all, and runs until all are answered; returns the answers in the order in which they came. */
  perform(orders: readonly { readonly ticket: Ticket; readonly operation: DiskOperation }[]): DiskAnswer[] {
    const answers: DiskAnswer[] = [];
    for (const { ticket, operation } of orders) {
      const pending = this.disk.begin(this.scheduler.now, operation);
      this.scheduler.schedule(pending.doneAt, () => {
        const outcome = this.disk.perform(pending);
        if (outcome.ok) answers.push({ type: "DiskDone", ticket, result: outcome.result });
        else answers.push({ type: "DiskFailed", ticket, failure: outcome.failure });
      });
    }
    while (this.scheduler.size > 0) this.scheduler.take()();
    return answers;
  }

  /** One operation after the other. */
  does(...operations: DiskOperation[]): void {
    for (const operation of operations) this.perform([{ ticket: 1 as Ticket, operation }]);
  }

  /** Orders that nobody waits for. */
  begins(...operations: DiskOperation[]): void {
    for (const operation of operations) this.disk.begin(this.scheduler.now, operation);
  }

  content(file: string): number[] | null {
    const operation: DiskOperation = { type: "read", file, offset: 0, length: 1_000_000 };
    const [answer] = this.perform([{ ticket: 1 as Ticket, operation }]);
    return answer?.type === "DiskDone" && answer.result.type === "read" ? [...answer.result.bytes] : null;
  }
}

testDiskContract("simulated disk", async () => {
  const bench = new Bench(1);
  const twin: DiskTwin = {
    perform: async (orders) => bench.perform(orders),
    restart: async () => bench.disk.crash(DROP),
    close: async () => undefined,
  };
  return twin;
});

const create = (file: string): DiskOperation => ({ type: "open", file, create: true });
const sync = (file: string): DiskOperation => ({ type: "sync", file });
const syncDirectory: DiskOperation = { type: "syncDirectory" };
const write = (file: string, offset: number, ...bytes: number[]): DiskOperation => {
  return { type: "write", file, offset, bytes: Uint8Array.from(bytes) };
};

const run = (length: number, byte: number): number[] => Array.from({ length }, () => byte);

/** A file "log" with [1, 1, 1, 1], all of it durable. */
function durableLog(seed: number): Bench {
  const bench = new Bench(seed);
  bench.does(create("log"), write("log", 0, 1, 1, 1, 1), sync("log"), syncDirectory);
  return bench;
}

test("a loss of power takes writes that were not synced, and nothing else", () => {
  const bench = durableLog(1);
  bench.does(write("log", 1, 2, 2), write("log", 4, 3));
  expect(bench.content("log")).toEqual([1, 2, 2, 1, 3]);
  bench.disk.crash(DROP);
  expect(bench.content("log")).toEqual([1, 1, 1, 1]);
  expect(bench.tally.effects.lostWrite).toBe(2);
});

test("a write that is lost without a trace is injected, but had no effect", () => {
  const bench = durableLog(1);
  bench.does(write("log", 1, 1, 1));
  bench.disk.crash(DROP);
  expect([bench.tally.injected.lostWrite, bench.tally.effects.lostWrite]).toEqual([1, 0]);
});

test("a loss of power may keep what was not synced", () => {
  const bench = durableLog(1);
  bench.does(write("log", 1, 2, 2));
  bench.disk.crash(KEEP);
  expect(bench.content("log")).toEqual([1, 2, 2, 1]);
  expect(bench.disk.durable("log")).toEqual(Uint8Array.of(1, 2, 2, 1));
});

test("a killed process leaves the cache, which a later loss of power may still take", () => {
  const bench = durableLog(1);
  bench.does(write("log", 1, 2, 2));
  bench.disk.crash(null);
  expect(bench.content("log")).toEqual([1, 2, 2, 1]);
  bench.disk.crash(DROP);
  expect(bench.content("log")).toEqual([1, 1, 1, 1]);
});

test("writes may be lost in any combination, but only the durable ones never", () => {
  const outcomes = new Set<string>();
  for (let seed = 1; seed <= 100; seed++) {
    const bench = durableLog(seed);
    bench.does(write("log", 0, 2), write("log", 1, 2), write("log", 3, 2));
    bench.disk.crash({ dropPercent: 50, tearPercent: 0, garblePercent: 0, unit: SECTOR_SIZE });
    outcomes.add(bench.content("log")!.join(""));
  }
  expect([...outcomes].sort()).toEqual(["1111", "1112", "1211", "1212", "2111", "2112", "2211", "2212"]);
});

test("a torn write is there by whole sectors of 512 bytes, counted from the file's beginning", () => {
  const outcomes = new Set<string>();
  for (let seed = 1; seed <= 60; seed++) {
    const bench = new Bench(seed);
    bench.does(create("log"), write("log", 0, ...run(2 * SECTOR_SIZE, 1)), sync("log"), syncDirectory);
    bench.does(write("log", SECTOR_SIZE - 2, ...run(4, 2)));
    bench.disk.crash(TEAR);
    outcomes.add(bench.content("log")!.slice(SECTOR_SIZE - 3, SECTOR_SIZE + 3).join(""));
    expect(bench.tally.injected.tornWrite).toBe(1);
  }
  expect([...outcomes].sort()).toEqual(["111111", "111221", "122111", "122221"]);
});

test("garbage stays within the torn write", () => {
  let garbled = 0;
  for (let seed = 1; seed <= 20; seed++) {
    const bench = new Bench(seed);
    bench.does(create("log"), write("log", 0, ...run(100, 1)), sync("log"), syncDirectory);
    bench.does(write("log", 10, ...run(50, 2)));
    bench.disk.crash(GARBLE);
    const content = bench.content("log")!;
    expect(content.filter((byte, at) => byte !== 1 && (at < 10 || at >= 60))).toEqual([]);
    garbled += bench.tally.effects.garbledSector;
  }
  expect(garbled).toBe(20);
});

test("operations under way at a crash are performed from the front of each file's queue, or not", () => {
  const outcomes = new Set<string>();
  for (let seed = 1; seed <= 200; seed++) {
    const bench = durableLog(seed);
    bench.begins(write("log", 0, 2), sync("log"), write("log", 1, 3));
    bench.disk.crash(DROP);
    outcomes.add(bench.content("log")!.join(""));
    bench.disk.crash(DROP);
  }
  // The second write never survives without the first: it would have been made after the first one's sync.
  expect([...outcomes].sort()).toEqual(["1111", "2111"]);
});

test("an operation of an earlier life is never performed later", () => {
  const bench = durableLog(1);
  const pending = bench.disk.begin(0, write("log", 0, 2));
  bench.disk.crash(DROP);
  expect(() => bench.disk.perform(pending)).toThrow("in the life that ordered it");
});

const DIRECTORY_CASES: readonly (readonly [string, DiskOperation[], string[], string[]])[] = [
  ["a created file", [create("new")], ["log"], ["log", "new"]],
  ["a removed file", [{ type: "unlink", file: "log" }], ["log"], []],
  ["a renamed file", [{ type: "rename", from: "log", to: "old" }], ["log"], ["old"]],
];

test.each(DIRECTORY_CASES)("%s is so durably only after syncDirectory", (_name, operations, undone, done) => {
  const bench = durableLog(1);
  bench.does(...operations);
  bench.disk.crash(DROP);
  expect(bench.disk.list()).toEqual(undone);
  expect(bench.tally.effects.undoneDirectoryChange).toBe(1);
  bench.does(...operations, syncDirectory);
  bench.disk.crash(DROP);
  expect(bench.disk.list()).toEqual(done);
});

test("a rename that is undone brings the replaced file back, as it durably was", () => {
  const bench = durableLog(1);
  bench.does(create("log.tmp"), write("log.tmp", 0, 7), sync("log.tmp"), syncDirectory);
  bench.does({ type: "rename", from: "log.tmp", to: "log" });
  expect(bench.content("log")).toEqual([7]);
  bench.disk.crash(DROP);
  expect([bench.content("log"), bench.content("log.tmp")]).toEqual([[1, 1, 1, 1], [7]]);
});

test("a slow disk ends nothing before the stall is over", () => {
  const bench = durableLog(1);
  const until = bench.scheduler.now + 1_000_000;
  bench.disk.stall(until);
  bench.does(write("log", 0, 2));
  expect(bench.scheduler.now).toBeGreaterThan(until);
  expect(bench.tally.effects.slowDisk).toBe(1);
});
