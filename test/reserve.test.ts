/**
 * The promise of the reserve, on a disk that is really full: a checkpoint of whatever the log holds fits, and so do the
 * records without which nothing goes on. Nothing else may fail but for a while.
 */
import { expect, test } from "vitest";
import { RESERVE_FILE } from "../core/storage/log-space.ts";
import type { StorageOptions } from "../core/storage/boundary.ts";
import { MemoryDisk } from "./memory-disk.ts";
import { PlainDatabase } from "./plain-database.ts";
import {
  OPTIONS, StorageRun, bootstrapped, entry, hardState, id, order, restarted,
} from "./storage-run.ts";
import { pointAt, receiveSnapshot, streamAt } from "./storage-snapshots.ts";

const OPTIONS_WITH_SPARE: StorageOptions = { ...OPTIONS, limits: { ...OPTIONS.limits, reserveBytes: 65_536 } };
const PAGE_SIZE = 1024;
/** A payload of two pages: with its directory and header it is larger than they are. */
const PAYLOAD = new Uint8Array(2 * (PAGE_SIZE + 8) + 20);

function appendOne(run: StorageRun, index: number, payload: Uint8Array | null = PAYLOAD): void {
  const entries = [entry(1, index, payload)];
  run.persist(order(index, index === 1 ? { hardState: hardState(1, "a"), entries } : { entries })).settle();
}

/** Entries from this index on, each with a payload or none, until one is not durable at once; that one's index. */
function appendUntilRefused(run: StorageRun, from: number, payload: Uint8Array | null = PAYLOAD): number {
  for (let index = from; index < from + 1000; index++) {
    appendOne(run, index, payload);
    if (run.persisted.at(-1) !== index) return index;
  }
  throw new Error("space never ran out");
}

/** The room that a full disk leaves: none. */
function fill(run: StorageRun): void {
  run.disk.capacity = usedBytes(run);
}

function usedBytes({ disk }: StorageRun): number {
  return disk.names.reduce((used, name) => used + disk.bytesOf(name)!.length, 0);
}

function reserveBytes({ disk }: StorageRun): number {
  return disk.bytesOf(RESERVE_FILE)?.length ?? 0;
}

/** All that the payloads up to this index can have changed, none of it twice. */
function store(run: StorageRun, index: number): StorageRun {
  const cut = PlainDatabase.of(2 * index, PAGE_SIZE).cut(null);
  let steps = 0;
  return run.take((storage) => storage.checkpoint(pointAt(id(1, index)), cut)).settle(() => {
    if (++steps > 1000) throw new Error("a checkpoint comes to an end");
  });
}

test("however full the disk is, a checkpoint of all that the log holds is stored", () => {
  for (let before = 1; before <= 12; before++) {
    const run = bootstrapped(OPTIONS_WITH_SPARE);
    for (let index = 1; index <= before; index++) appendOne(run, index);
    fill(run);
    const refused = appendUntilRefused(run, before + 1);
    expect(run.last("SpaceChanged")).toEqual({ type: "SpaceChanged", hasSpace: false });
    expect(run.last("SnapshotWanted")?.through).toBeGreaterThan(0);
    store(run, refused - 1);
    expect(run.last("CutEnded"), `with ${before} entries before`).toEqual({ type: "CutEnded", isStored: true });
    expect(run.storage.state?.snapshot).toEqual(id(1, refused - 1));
    run.compact(1, refused - 1).settle().tick();
    expect(reserveBytes(run), "it is there for the next one").toBeGreaterThan(40_000);
    run.disk.capacity = Infinity;
    run.tick();
    expect(run.persisted.at(-1)).toBe(refused);
    expect(run.last("SpaceChanged")).toEqual({ type: "SpaceChanged", hasSpace: true });
    expect(restarted(run.disk.killed()).recovered.log.last).toEqual(id(1, refused));
  }
});

test("the reserve grows with the log, before that does", () => {
  const run = bootstrapped();
  let before = reserveBytes(run);
  for (let index = 1; index <= 12; index++) {
    appendOne(run, index);
    // What the log has, what fits behind it, and a segment more.
    expect(reserveBytes(run) - before).toBeGreaterThanOrEqual(0);
    expect(reserveBytes(run)).toBeGreaterThan(run.storage.state!.allocated + 4096);
    before = reserveBytes(run);
  }
  store(run, 12);
  appendOne(run, 13);
  expect(reserveBytes(run), "and is large enough for a while then").toBe(before);
});

test("a payload that the reserve does not cover waits, and what is none does not", () => {
  const run = bootstrapped(OPTIONS_WITH_SPARE);
  fill(run);
  const last = appendUntilRefused(run, 1) - 1;
  const again = restarted(run.disk.killed(), OPTIONS_WITH_SPARE);
  expect(again.recovered.log.last).toEqual(id(1, last));
  // As in the terms that may come: their records find room in small segments, made of what is kept for them.
  fill(again);
  expect(appendUntilRefused(again, last + 1, null) - last, "so many no-ops").toBeGreaterThan(50);
  store(again, last);
  expect(again.last("CutEnded"), "and the checkpoint still fits").toMatchObject({ isStored: true });
});

test("while the reserve is a checkpoint's, nobody else takes of it: a piece of a snapshot finds no space", () => {
  const run = bootstrapped();
  appendOne(run, 1);
  fill(run);
  const cut = PlainDatabase.of(2, PAGE_SIZE).cut(null);
  run.take((storage) => storage.checkpoint(pointAt(id(1, 1)), cut));
  while (reserveBytes(run) > 0) run.perform();
  const { snapshot, bytes } = streamAt(id(1, 99));
  run.take((storage) => storage.storeChunk(snapshot, 0, bytes)).settle();
  expect(run.last("ChunkStored")).toMatchObject({ end: null });
  expect(run.last("CutEnded")).toMatchObject({ isStored: true });
});

test("a checkpoint larger than the reserve is given up, and the reserve is not", () => {
  const run = bootstrapped();
  appendOne(run, 1);
  fill(run);
  const cut = PlainDatabase.of(100, PAGE_SIZE).cut(null);
  run.take((storage) => storage.checkpoint(pointAt(id(1, 1)), cut)).settle();
  expect(run.news.slice(-2)).toEqual([{ type: "CutEnded", isStored: false }, { type: "SnapshotAbandoned" }]);
  expect(reserveBytes(run)).toBeGreaterThan(0);
});

test("a reserve that a start has used up, for a log that begins anew, is not taken for one that is there", () => {
  const run = bootstrapped();
  appendOne(run, 1);
  const snapshot = receiveSnapshot(run, id(1, 20));
  run.settle().persist(order(2, { snapshot }));
  // The snapshot is in force, and the log does not have its entry: as a crash may leave it, without another segment.
  while (run.perform().operation.type !== "rename" || !run.disk.names.includes("manifest"));
  const files = run.disk.names.filter((file) => file !== run.segments.at(-1));
  const disk = MemoryDisk.of(Object.fromEntries(files.map((file) => [file, run.disk.bytesOf(file)!])));
  const again = new StorageRun(disk);
  fill(again);
  again.start().tick();
  expect(again.fault).toBeNull();
  expect(again.storage.state?.base).toEqual(id(1, 20));
  disk.capacity = Infinity;
  again.tick();
  expect(again.fault).toBeNull();
  expect(reserveBytes(again)).toBeGreaterThan(0);
});

test("files that stand ready make room for the reserve", () => {
  const run = bootstrapped();
  for (let index = 1; index <= 8; index++) appendOne(run, index);
  store(run, 8);
  run.compact(1, 8).settle();
  expect(run.segments.length).toBe(7);
  fill(run);
  const refused = appendUntilRefused(run, 9);
  // The log has one for each entry, from the eighth on.
  expect(run.segments.length - (refused - 8)).toBeLessThanOrEqual(1);
  expect(run.last("SpaceChanged")).toMatchObject({ hasSpace: false });
});

test("a merge that finds no room is put off longer each time, and done when there is space", () => {
  const run = bootstrapped();
  for (const index of [1, 2]) {
    appendOne(run, index);
    const cut = PlainDatabase.of(2, PAGE_SIZE).cut(null);
    run.take((storage) => storage.checkpoint(pointAt(id(1, index)), cut));
    while (run.last("SnapshotStored")?.snapshot.entry.index !== index) run.perform();
  }
  run.disk.capacity = 0;
  run.settle();
  const triedAt: number[] = [];
  for (let tick = 1; tick <= 40; tick++) {
    run.take((storage) => storage.tick());
    const files = run.orders.flatMap(({ operation }) => (operation.type === "open" ? [operation.file] : []));
    if (files.some((file) => file.startsWith("manifest-"))) triedAt.push(tick);
    run.settle();
  }
  expect(triedAt).toEqual([1, 3, 7, 15, 31]);
  expect(pageFiles(run)).toBe(2);
  run.disk.capacity = Infinity;
  for (let tick = 1; tick <= 32; tick++) run.tick();
  expect(pageFiles(run)).toBe(1);
});

function pageFiles({ disk }: StorageRun): number {
  return disk.names.filter((name) => name.startsWith("pages-")).length;
}

test("what waits comes between the segments that a compaction drops", () => {
  const run = bootstrapped();
  for (let index = 1; index <= 8; index++) appendOne(run, index);
  store(run, 7);
  run.compact(1, 7);
  run.persist(order(9, { entries: [entry(1, 9, PAYLOAD)] }));
  const before = run.segments[0];
  while (run.persisted.at(-1) !== 9) run.perform();
  expect(run.storage.state?.base.index, "one has gone").toBeGreaterThan(0);
  expect(run.storage.state?.base.index, "and not all").toBeLessThan(6);
  run.settle();
  expect(run.storage.state?.base.index).toBeGreaterThanOrEqual(6);
  expect(run.segments[0]).not.toBe(before);
});

test("a segment in which no entry stands is dropped with the one before", () => {
  const run = bootstrapped({ ...OPTIONS, rarely: (course) => course === "rollsEarly" });
  for (let index = 1; index <= 3; index++) appendOne(run, index);
  // A truncation that keeps all, in a segment of its own.
  run.persist(order(4, { truncateTo: id(1, 3).index })).settle();
  run.persist(order(5, { entries: [entry(1, 4, PAYLOAD)] })).settle();
  const before = run.segments.indexOf("log-0000000006");
  expect(before, "a segment for each, the first of all empty").toBeGreaterThan(3);
  store(run, 3);
  run.compact(1, 3).settle();
  expect(run.segments[0]).toBe("log-0000000006");
  expect(run.storage.state?.base).toEqual(id(1, 3));
});

test("while a dropped segment is about to be ready, none is prepared beside it", () => {
  const run = bootstrapped();
  for (let index = 1; index <= 4; index++) appendOne(run, index);
  store(run, 4);
  run.compact(1, 4);
  let made = 0;
  while (run.orders.length > 0) {
    const isRenaming = run.orders.some(({ operation }) => operation.type === "rename");
    const { operation } = run.perform();
    if (isRenaming && operation.type === "open" && operation.file === "log.new") made++;
  }
  expect(made).toBe(0);
});
