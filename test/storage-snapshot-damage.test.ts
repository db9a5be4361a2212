/** Damage to a snapshot, or to the log behind one: refused by name and place, never taken for good. */
import { expect, test } from "vitest";
import { crc32c } from "../core/checksum.ts";
import { ownerOf } from "../core/storage/block.ts";
import { LOG_HEADER_SIZE, decodeLogHeader, encodeLogHeader } from "../core/storage/log-file.ts";
import { type RecordKind, writeRecord } from "../core/storage/record.ts";
import { SNAPSHOT_HEADER_SIZE, SNAPSHOT_VERSION } from "../core/storage/snapshot-file.ts";
import type { EntryId, Incarnation } from "../core/types.ts";
import { MemoryDisk } from "./memory-disk.ts";
import {
  IDENTITY, OPTIONS, type StorageRun, bootstrapped, entry, hardState, id, order, restarted, snapshotOf,
} from "./storage-run.ts";

type Files = Record<"identity" | "term" | "log" | "snapshot", Uint8Array>;

const SNAPSHOT = snapshotOf(1, 3, 60, ["a", "b"]);

/** Entries 1/1 to 1/5, a snapshot of 1/3, the log behind `base`. */
function filesOf(base: number | null, options = OPTIONS, identity = IDENTITY): Files {
  const entries = [1, 2, 3, 4, 5].map((at) => entry(1, at, new Uint8Array(at * 10).fill(at)));
  const run = bootstrapped(options, identity);
  run.persist(order(1, { hardState: hardState(2, "a"), entries })).settle().store(SNAPSHOT).settle();
  if (base !== null) run.compact(1, base).settle();
  run.take((storage) => storage.close()).settle();
  const bytes = (file: string): Uint8Array => run.disk.bytesOf(file) ?? new Uint8Array(0);
  return { identity: bytes("identity"), term: bytes("term"), log: bytes("log"), snapshot: bytes("snapshot") };
}

function restartedFrom(files: Partial<Files>): StorageRun {
  const present = Object.entries(files).filter((file): file is [string, Uint8Array] => file[1] !== undefined);
  return restarted(MemoryDisk.of(Object.fromEntries(present)));
}

/** The log with another base in its header, which then is as good as written so. */
function behind(log: Uint8Array, base: EntryId): Uint8Array {
  const result = log.slice();
  result.set(encodeLogHeader(ownerOf(IDENTITY), base));
  return result.fill(0, LOG_HEADER_SIZE);
}

test("a flipped bit before the snapshot's bytes is refused at the start", () => {
  const files = filesOf(2);
  const bytesAt = files.snapshot.length - SNAPSHOT.size;
  for (let at = 0; at < bytesAt; at += at < 200 || at >= SNAPSHOT_HEADER_SIZE ? 1 : 53) {
    const snapshot = files.snapshot.slice();
    snapshot[at] = snapshot[at]! ^ (1 << (at % 8));
    const { fault } = restartedFrom({ ...files, snapshot });
    expect(fault, `byte ${at}`).toMatchObject({ type: "corrupt", file: "snapshot" });
  }
});

test("a flipped bit of the snapshot is found when it is restored", () => {
  const files = filesOf(2);
  for (let at = files.snapshot.length - SNAPSHOT.size; at < files.snapshot.length; at++) {
    const snapshot = files.snapshot.slice();
    snapshot[at] = snapshot[at]! ^ (1 << (at % 8));
    const run = restartedFrom({ ...files, snapshot });
    run.take((storage) => storage.readSnapshot({ type: "restore", entry: SNAPSHOT.entry }, 1)).settle();
    expect(run.fault, `byte ${at}`).toMatchObject({ type: "corrupt", file: "snapshot" });
    expect(run.last("SnapshotRead")).toBeUndefined();
  }
});

test("a snapshot that was cut short, or went on, is refused: a header alone is no snapshot (M85)", () => {
  const files = filesOf(2);
  const sizes = [0, 1, 4095, 4096, 4100, files.snapshot.length - SNAPSHOT.size, files.snapshot.length - 1];
  for (const size of sizes) {
    const fault = restartedFrom({ ...files, snapshot: files.snapshot.subarray(0, size) }).fault;
    expect(fault, `${size} bytes`).toMatchObject({ type: "corrupt", file: "snapshot", offset: 0 });
  }
  const longer = Uint8Array.of(...files.snapshot, 0);
  expect(restartedFrom({ ...files, snapshot: longer }).fault).toMatchObject({ type: "corrupt", file: "snapshot" });
});

test("what was left of an unfinished snapshot is removed, and nothing of it is believed (M85)", () => {
  const { snapshot, ...files } = filesOf(null);
  for (const leftover of ["snapshot.new", "snapshot.part", "log.new"]) {
    const run = restarted(MemoryDisk.of({ ...files, [leftover]: snapshot }));
    expect(run.recovered).toMatchObject({ snapshot: null, log: { base: id(0, 0), last: id(1, 5) } });
    expect(run.disk.bytesOf(leftover)).toBeUndefined();
  }
});

test("a log that begins behind an entry that no snapshot has is refused by name", () => {
  const { snapshot, ...files } = filesOf(2);
  expect(restartedFrom(files).fault).toEqual({
    type: "corrupt", file: "snapshot", offset: 0, detail: "missing, although the log begins behind entry 1/2",
  });
  for (const base of [id(1, 4), id(2, 3), id(2, 9)]) {
    expect(restartedFrom({ ...files, snapshot, log: behind(files.log, base) }).fault).toEqual({
      type: "corrupt", file: "log", offset: 0,
      detail: `begins behind entry ${base.term}/${base.index}, although the snapshot is of 1/3`,
    });
  }
  const future = restartedFrom({ ...files, snapshot, log: behind(files.log, id(3, 2)) });
  expect(future.fault).toMatchObject({ file: "log", detail: expect.stringContaining("at most the current term") });
  const odd = restartedFrom({ ...files, snapshot, log: behind(files.log, id(0, 2)) });
  expect(odd.fault).toMatchObject({ type: "corrupt", file: "log", offset: 104 });
});

test("a snapshot of a term that the hard state does not know is refused", () => {
  const older = bootstrapped().persist(order(1, { hardState: hardState(1, null) })).settle();
  const later = bootstrapped().receive(snapshotOf(2, 9));
  later.persist(order(1, { hardState: hardState(2, null), snapshot: snapshotOf(2, 9) })).settle();
  const mixed = MemoryDisk.of({
    identity: older.disk.bytesOf("identity")!, term: older.disk.bytesOf("term")!, log: older.disk.bytesOf("log")!,
    snapshot: later.disk.bytesOf("snapshot")!,
  });
  expect(restarted(mixed).fault).toMatchObject({ type: "corrupt", file: "snapshot" });
});

test("a snapshot of another disk or of another version is refused", () => {
  const files = filesOf(2);
  const incarnation = "ffffffffffffffff" as Incarnation;
  const other = filesOf(2, OPTIONS, { ...IDENTITY, incarnation });
  const foreign = restartedFrom({ ...files, snapshot: other.snapshot });
  expect(foreign.fault).toMatchObject({ type: "wrongIdentity", file: "snapshot" });

  const snapshot = files.snapshot.slice();
  snapshot[8] = SNAPSHOT_VERSION + 1;
  const block = snapshot.subarray(0, SNAPSHOT_HEADER_SIZE);
  new DataView(snapshot.buffer).setUint32(12, crc32c(block, 16, block.length, crc32c(block, 0, 12)), true);
  expect(restartedFrom({ ...files, snapshot }).fault).toEqual({
    type: "wrongVersion", file: "snapshot", found: SNAPSHOT_VERSION + 1, expected: SNAPSHOT_VERSION,
  });
});

test("a snapshot without an identity is corruption", () => {
  const { snapshot } = filesOf(2);
  expect(restartedFrom({ snapshot }).fault).toMatchObject({ type: "corrupt", file: "identity" });
});

test.each<[string, RecordKind, EntryId, string]>([
  ["a truncation below the base", "truncation", id(1, 1), "a truncation keeps an entry of the log, or its base"],
  ["an entry that does not follow", "noop", id(2, 7), "entry 7 follows entry 5"],
])("an intact record that contradicts the base is corruption: %s", (_name, kind, of, rule) => {
  const files = filesOf(2);
  const view = new DataView(files.log.buffer);
  const header = decodeLogHeader(files.log.subarray(0, LOG_HEADER_SIZE), ownerOf(IDENTITY));
  if (!header.ok) throw new Error("the log's header is intact");
  // Behind the three entries and the mark that a compaction leaves.
  const offset = LOG_HEADER_SIZE + 3 * 64 + 32 + 40 + 56 + 64;
  const record = new Uint8Array(64);
  const place = { offset, previous: view.getUint32(offset - 64, true), mark: { through: offset - 64, generation: 2 } };
  writeRecord(record, 0, header.value.seed, { kind, entry: of, payload: new Uint8Array(0) }, place);
  files.log.set(record, offset);
  const { fault } = restartedFrom(files);
  expect(fault).toEqual({ type: "corrupt", file: "log", offset, detail: `the rule "${rule}" is broken` });
});
