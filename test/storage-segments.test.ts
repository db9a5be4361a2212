/** The log in its segments: how it rolls, waits for space, loses its beginning or starts anew, and is read. */
import { expect, test } from "vitest";
import type { PersistOrder } from "../core/storage/boundary.ts";
import { SEGMENT_HEADER_SIZE } from "../core/storage/segment-file.ts";
import type { LogIndex } from "../core/types.ts";
import { MemoryDisk } from "./memory-disk.ts";
import {
  OF_THREE, OPTIONS, type StorageRun, bootstrapped, entry, hardState, id, order, restarted,
} from "./storage-run.ts";
import { receiveSnapshot, storeSnapshot } from "./storage-snapshots.ts";

const [FIRST, SECOND] = ["log-0000000001", "log-0000000002"];
const index = (value: number): LogIndex => value as LogIndex;

/** One entry more, of that index: of the usual size a segment has room for one. */
function appending(at: number, size = 3000): PersistOrder {
  const entries = [entry(1, at, new Uint8Array(size))];
  return order(at, at === 1 ? { hardState: hardState(1, "a"), entries } : { entries });
}

/** The operations waiting to be performed, a word each. */
function waiting(run: StorageRun): string[] {
  return run.orders.map(({ operation }) => `${operation.type} ${"file" in operation ? operation.file : ""}`);
}

test("a segment is ready before it is needed, and a roll into it is one write and one sync", () => {
  const run = bootstrapped();
  run.persist(appending(1)).settle();
  expect(run.segments).toEqual([FIRST, SECOND]);
  run.persist(appending(2));
  expect(waiting(run).slice(0, 2)).toEqual([`write ${SECOND}`, `sync ${SECOND}`]);
  expect(run.orders[0]!.operation).toMatchObject({ offset: 0 });
  run.settle();
  expect(run.segments, "and the next is prepared").toEqual([FIRST, SECOND, "log-0000000003"]);
  expect(run.storage.state).toMatchObject({ end: 2 * 3064, allocated: 3064 + 4096 });
  expect(restarted(run.disk).readAll().length).toBe(2);
});

test("an order larger than a segment waits for one that is large enough", () => {
  const run = bootstrapped();
  run.persist(order(1, { hardState: hardState(1, "a"), entries: [entry(1, 1, new Uint8Array(20_000))] }));
  run.settle();
  expect(run.persisted).toEqual([1]);
  expect(run.disk.bytesOf(SECOND)!.length).toBe(8192 + 64 + 20_000);
  expect(restarted(run.disk).recovered.log.last).toEqual({ term: 1, index: 1 });
});

test("without space orders wait, reads go on, and all is done when there is space again", () => {
  const run = bootstrapped();
  run.persist(appending(1)).settle();
  run.disk.capacity = 0;
  for (const ticket of [2, 3]) run.persist(appending(ticket)).settle();
  expect(run.persisted, "there was one segment ready").toEqual([1, 2]);
  expect(run.last("SpaceChanged")).toMatchObject({ hasSpace: false });
  expect(run.disk.names, "it is for a checkpoint").toContain("reserve");
  expect(run.readAll().length).toBe(2);
  run.tick().tick();
  expect(run.persisted).toEqual([1, 2]);
  run.disk.capacity = Infinity;
  run.tick();
  expect(run.persisted).toEqual([1, 2, 3]);
  expect(run.last("SpaceChanged")).toMatchObject({ hasSpace: true });
  expect(run.disk.names).toContain("reserve");
});

test("a reserve that recovery has used up is made again", () => {
  const { limits } = OPTIONS;
  // Two segments fit into it: the one that recovery needs, and the next, which then finds room.
  const options = { ...OPTIONS, limits: { ...limits, reserveBytes: 2 * limits.segmentBytes } };
  const run = bootstrapped(options, OF_THREE).persist(appending(1)).settle().tick().close();
  const files = Object.fromEntries(run.disk.names.map((name) => [name, run.disk.bytesOf(name)!]));
  expect(Object.keys(files)).toContain("reserve");
  const { [SECOND]: _, ...others } = files;
  files[FIRST]![SEGMENT_HEADER_SIZE] = files[FIRST]![SEGMENT_HEADER_SIZE]! ^ 1;
  const disk = MemoryDisk.of(others);
  disk.capacity = Object.values(others).reduce((size, file) => size + file.length, 0);
  const again = restarted(disk, options);
  expect(again.recovered.lost, "the log goes on behind the damage").not.toBeNull();
  const left = disk.bytesOf("reserve")?.length ?? 0;
  expect(left).toBeLessThan(files["reserve"]!.length);
  disk.capacity = Infinity;
  again.tick();
  expect(disk.bytesOf("reserve")!.length).toBeGreaterThan(left);
});

test("closing without space drops what cannot be had space for, and says so by no answer", () => {
  const run = bootstrapped();
  run.persist(appending(1)).settle();
  run.disk.capacity = 0;
  for (const ticket of [2, 3]) run.persist(appending(ticket)).settle();
  run.close();
  expect(run.news.at(-1)?.type).toBe("Closed");
  expect(run.persisted).toEqual([1, 2]);
  run.disk.capacity = Infinity;
  expect(restarted(run.disk).recovered.log.last).toEqual({ term: 1, index: 2 });
});

test("compaction drops segments whose entries the snapshot has, and their files are used again", () => {
  const run = bootstrapped();
  for (let index = 1; index <= 9; index++) {
    run.persist(appending(index)).settle();
  }
  storeSnapshot(run, id(1, 8));
  run.settle().compact(1, 8).settle();
  expect(run.storage.state).toMatchObject({ base: id(1, 8), last: id(1, 9) });
  // Six files stand ready; what is more is gone.
  const names = Array.from({ length: 7 }, (_, at) => `log-00000000${String(9 + at).padStart(2, "0")}`);
  expect(run.segments).toEqual(names);
  expect(restarted(run.disk).recovered.log).toMatchObject({ base: id(1, 8), last: id(1, 9) });
  run.persist(appending(10)).settle();
  expect(restarted(run.disk).readAll().map((one) => one.index)).toEqual([9, 10]);
});

test("the hard state survives when the log loses all that it had (M30)", () => {
  const run = bootstrapped();
  run.persist(order(1, { hardState: hardState(7, "c"), entries: [entry(1, 1)] })).settle();
  const snapshot = receiveSnapshot(run, id(7, 20));
  run.persist(order(2, { snapshot })).settle();
  const again = restarted(run.disk.killed());
  expect(again.recovered).toMatchObject({ hardState: hardState(7, "c"), log: { base: id(7, 20), last: id(7, 20) } });
  // And the log knows which state that is: an older one is not taken for it.
  const term = run.disk.bytesOf("term")!;
  const forgotten = term.slice().fill(0, 0, 8192);
  const files = Object.fromEntries(run.disk.names.map((name) => [name, run.disk.bytesOf(name)!]));
  const second = restarted(MemoryDisk.of({ ...files, term: forgotten }));
  expect(second.fault).toMatchObject({ type: "corrupt", file: "term" });
});

test("a log that starts anew begins right behind its snapshot (M82)", () => {
  const run = bootstrapped();
  run.persist(order(1, { hardState: hardState(3, "a"), entries: [entry(1, 1), entry(1, 2)] })).settle();
  const snapshot = receiveSnapshot(run, id(3, 10));
  run.persist(order(2, { snapshot, entries: [entry(3, 11), entry(3, 12)] })).settle();
  for (const one of [run, restarted(run.disk)]) {
    expect(one.storage.state).toMatchObject({ base: id(3, 10), last: id(3, 12), durableIndex: 12 });
    expect(one.readAll().map(({ index }) => index)).toEqual([11, 12]);
  }
});

test("a truncation stays one, whatever is dropped behind or written after it (M81, M84)", () => {
  const run = bootstrapped();
  const big = (term: number, at: number) => entry(term, at, new Uint8Array(1200));
  const entries = [1, 2, 3, 4, 5].map((at) => big(1, at));
  run.persist(order(1, { hardState: hardState(1, "a"), entries: entries.slice(0, 3) })).settle();
  run.persist(order(2, { entries: entries.slice(3) })).settle();
  expect(run.segments.length).toBe(3);
  // The second segment begins behind entry 3, and the truncation in it goes farther back than that.
  run.persist(order(3, { hardState: hardState(2, null), truncateTo: 1, entries: [] })).settle();
  expect(restarted(run.disk).recovered.log.last).toEqual(id(1, 1));
  const replaced = [2, 3, 4, 5].map((at) => entry(2, at, new Uint8Array(100)));
  run.persist(order(4, { entries: replaced })).settle();
  storeSnapshot(run, id(2, 4));
  run.settle().compact(2, 4).settle();
  expect(run.storage.state, "the first segment is gone").toMatchObject({ base: id(1, 1), last: id(2, 5) });
  const again = restarted(run.disk);
  expect(again.recovered.log).toMatchObject({ base: id(1, 1), last: id(2, 5) });
  expect(again.readAll()).toEqual(replaced);
});

test("a segment ends when all of it is durable: nothing is begun in the next before (M88)", () => {
  const run = bootstrapped();
  for (const ticket of [1, 2, 3]) run.persist(appending(ticket));
  run.take((storage) => storage.close()).take((storage) => storage.close());
  const unsynced = new Set<string>();
  while (run.orders.length > 0) {
    const { operation } = run.perform();
    if (operation.type === "write") unsynced.add(operation.file);
    if (operation.type === "sync") unsynced.delete(operation.file);
    expect(unsynced.size).toBeLessThanOrEqual(1);
  }
  expect(run.persisted).toEqual([1, 2, 3]);
  expect(run.news.filter(({ type }) => type === "Closed").length).toBe(1);
});

test("one read is of one segment", () => {
  const run = bootstrapped();
  for (let at = 1; at <= 3; at++) {
    run.persist(appending(at, 1500)).settle();
  }
  run.take((storage) => storage.requestRead({ type: "apply" }, index(1), index(4), 100_000)).settle();
  expect(run.last("EntriesRead")!.entries.map((one) => one.index)).toEqual([1, 2]);
  run.take((storage) => storage.requestRead({ type: "apply" }, index(3), index(4), 100_000)).settle();
  expect(run.last("EntriesRead")!.entries.map((one) => one.index)).toEqual([3]);
});

test("a read that was asked for is answered though its segment is dropped meanwhile", () => {
  const run = bootstrapped();
  for (let at = 1; at <= 3; at++) {
    run.persist(appending(at)).settle();
  }
  storeSnapshot(run, id(1, 2));
  run.settle();
  run.take((storage) => storage.requestRead({ type: "apply" }, index(1), index(2), 100_000));
  run.compact(1, 2).settle();
  expect(run.storage.state!.base).toEqual(id(1, 2));
  expect(run.last("EntriesRead")!.entries).toEqual([entry(1, 1, new Uint8Array(3000))]);
});
