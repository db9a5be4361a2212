/**
 * Damage of every kind to files that were whole: refused by name and place, or cut where no acknowledged byte can be
 * meant. Nothing damaged is ever taken for good.
 */
import { expect, test } from "vitest";
import { IDENTITY_VERSION } from "../core/storage/identity-file.ts";
import { LOG_VERSION, LogFile } from "../core/storage/log-file.ts";
import { type RecordKind, recordSize, writeRecord } from "../core/storage/record.ts";
import { TERM_VERSION } from "../core/storage/term-file.ts";
import { type LogIndex, NO_ENTRY, type NodeId, type Term } from "../core/types.ts";
import { crc32c } from "../core/checksum.ts";
import { MemoryDisk } from "./memory-disk.ts";
import {
  IDENTITY, OPTIONS, type StorageRun, bootstrapped, entry, hardState, order, restarted,
} from "./storage-run.ts";
import { logOf } from "./storage-twin.ts";

/** Little room behind the records, as every restart looks through it. */
const SMALL = { ...OPTIONS, limits: { ...OPTIONS.limits, preallocateBytes: 512 } };

type Files = Record<"identity" | "term" | "log", Uint8Array>;

/** Two groups, 1/1 and then 1/2 and 1/3, and a clean end; `closed`: with the closing mark. */
function twoGroups(closed = true): StorageRun {
  const run = bootstrapped(SMALL);
  const payload = new TextEncoder().encode("what was acknowledged");
  run.persist(order(1, { hardState: hardState(1, "a"), entries: [entry(1, 1, payload)] })).settle();
  run.persist(order(2, { entries: [entry(1, 2), entry(1, 3, payload)] }));
  while (run.persisted.length < 2) run.perform();
  if (closed) run.take((storage) => storage.close()).settle();
  return run;
}

/** Offsets of the records that twoGroups writes: 1/1, a mark, 1/2, 1/3, the closing mark; then the end. */
const RECORDS = [4096, 4184, 4248, 4312, 4400, 4464] as const;
const CLOSING_MARK = 4400;

function filesOf(run: StorageRun): Files {
  const bytes = (file: string): Uint8Array => run.disk.bytesOf(file) ?? new Uint8Array(0);
  return { identity: bytes("identity"), term: bytes("term"), log: bytes("log") };
}

function flipped(bytes: Uint8Array, at: number, bit: number): Uint8Array {
  const result = bytes.slice();
  result[at] = result[at]! ^ (1 << bit);
  return result;
}

function zeroed(bytes: Uint8Array, from: number, end: number): Uint8Array {
  return bytes.slice().fill(0, from, end);
}

test("a flipped bit in the log is refused where it was acknowledged, and cut beyond", () => {
  const files = filesOf(twoGroups());
  const whole = logOf(restarted(MemoryDisk.of(files)));
  // Of the header, which is one checksum, a bit a byte will do; of the zeros at the end, a byte now and then.
  for (let at = 0; at < files.log.length; at += at < 4600 ? 1 : 97) {
    const isRecord = at >= 4096 && at < 4464;
    for (let bit = isRecord ? 0 : at % 8; bit < 8; bit += isRecord ? 1 : 8) {
      const run = restarted(MemoryDisk.of({ ...files, log: flipped(files.log, at, bit) }));
      if (at < CLOSING_MARK) {
        const offset = at < 4096 ? 0 : RECORDS.findLast((record) => record <= at);
        expect(run.fault, `bit ${bit} of byte ${at}`).toMatchObject({ type: "corrupt", file: "log", offset });
      } else {
        expect(run.fault, `bit ${bit} of byte ${at}`).toBeNull();
        expect(run.recovered.tornBytes, `bit ${bit} of byte ${at}`).toBeGreaterThan(0);
        expect(logOf(run)).toEqual(whole);
      }
    }
  }
});

test("a flipped bit in the identity is refused", () => {
  const files = filesOf(twoGroups());
  for (let at = 0; at < files.identity.length; at++) {
    for (let bit = 0; bit < 8; bit++) {
      const run = restarted(MemoryDisk.of({ ...files, identity: flipped(files.identity, at, bit) }));
      expect(run.fault).toMatchObject({ type: "corrupt", file: "identity" });
    }
  }
});

test("a flipped bit in the hard state is refused in the newest slot, and harmless in the older one", () => {
  const files = filesOf(twoGroups());
  for (let at = 0; at < 512; at++) {
    // The rest is one field of zeros: a bit a byte will do.
    for (let bit = at < 201 ? 0 : at % 8; bit < 8; bit += at < 201 ? 1 : 8) {
      const newest = restarted(MemoryDisk.of({ ...files, term: flipped(files.term, at, bit) }));
      expect(newest.fault).toMatchObject({ type: "corrupt", file: "term", offset: 0 });
      const older = restarted(MemoryDisk.of({ ...files, term: flipped(files.term, 4096 + at, bit) }));
      expect(older.recovered.hardState).toEqual(hardState(1, "a"));
    }
  }
});

test("every truncated identity is refused, and so is one with a byte too many", () => {
  const files = filesOf(twoGroups());
  for (let size = 0; size < files.identity.length; size++) {
    const run = restarted(MemoryDisk.of({ ...files, identity: files.identity.subarray(0, size) }));
    expect(run.fault).toMatchObject({ type: "corrupt", file: "identity" });
  }
  const longer = restarted(MemoryDisk.of({ ...files, identity: Uint8Array.of(...files.identity, 0) }));
  expect(longer.fault).toMatchObject({ type: "corrupt", file: "identity" });
  const huge = restarted(MemoryDisk.of({ ...files, identity: new Uint8Array(100_000) }));
  expect(huge.fault).toMatchObject({ type: "corrupt", file: "identity", offset: 0 });
});

test("a damaged record in the middle names its file and offset, and the record that vouches for it", () => {
  const files = filesOf(twoGroups());
  const run = restarted(MemoryDisk.of({ ...files, log: zeroed(files.log, 4100, 4110) }));
  expect(run.fault).toEqual({
    type: "corrupt", file: "log", offset: 4096,
    detail:
      'the rule "a header\'s checksum matches" is broken, ' +
      "although the record at 4400 vouches for everything below 4400",
  });
  expect(run.orders).toEqual([]);
});

test("a whole group that vanished is refused, if anything after it remains", () => {
  const files = filesOf(twoGroups());
  const run = restarted(MemoryDisk.of({ ...files, log: zeroed(files.log, 4248, 4400) }));
  expect(run.fault).toMatchObject({ type: "corrupt", file: "log", offset: 4248 });
});

test("the mark of a group with a torn payload still vouches", () => {
  const files = filesOf(twoGroups(false));
  // Of the second group only the first header is intact; it knows that the first group was durable.
  const log = zeroed(zeroed(files.log, 4312, 4464), 4096, 4100);
  expect(restarted(MemoryDisk.of({ ...files, log })).fault).toMatchObject({ type: "corrupt", offset: 4096 });
});

test("a log cut short is a torn tail if no record vouches for what is missing", () => {
  const files = filesOf(twoGroups());
  for (const size of [4380, 4401, 4447]) {
    const run = restarted(MemoryDisk.of({ ...files, log: files.log.subarray(0, size) }));
    expect(run.fault).toBeNull();
    expect(logOf(run).length).toBe(size === 4380 ? 2 : 3);
    run.persist(order(1, { entries: [entry(1, logOf(run).length + 1)] })).settle();
    expect(run.persisted).toEqual([1]);
  }
});

test("both slots of the hard state damaged is corruption, and so are slots that do not alternate", () => {
  const files = filesOf(twoGroups());
  const both = flipped(flipped(files.term, 20, 0), 4096 + 20, 0);
  expect(restarted(MemoryDisk.of({ ...files, term: both })).fault).toMatchObject({ type: "corrupt", file: "term" });
  const copied = files.term.slice();
  copied.set(files.term.subarray(0, 512), 4096);
  const misplaced = restarted(MemoryDisk.of({ ...files, term: copied.fill(0, 0, 512) }));
  expect(misplaced.fault).toMatchObject({ type: "corrupt", file: "term" });
});

test("a missing file is corruption where another promises it", () => {
  const files = filesOf(twoGroups());
  for (const missing of ["identity", "term", "log"] as const) {
    const { [missing]: _, ...others } = files;
    expect(restarted(MemoryDisk.of(others)).fault).toMatchObject({ type: "corrupt", file: missing, offset: 0 });
  }
});

test("a directory of another node is refused by name", () => {
  const files = filesOf(twoGroups());
  const another = restarted(MemoryDisk.of(files), { ...OPTIONS, node: "b" as NodeId });
  expect(another.fault).toEqual({ type: "wrongIdentity", file: "identity", found: "node a", expected: "node b" });
});

test("a log or a hard state of another life of the disk is refused", () => {
  const files = filesOf(twoGroups());
  const incarnation = "ffffffffffffffff" as typeof IDENTITY.incarnation;
  const other = bootstrapped(OPTIONS, {
    ...IDENTITY, incarnation, cluster: { ...IDENTITY.cluster!, founders: [{ node: IDENTITY.node, incarnation }] },
  });
  for (const file of ["term", "log"] as const) {
    const run = restarted(MemoryDisk.of({ ...files, [file]: filesOf(other)[file] }));
    expect(run.fault).toMatchObject({ type: "wrongIdentity", file });
  }
});

test("another version of each file is refused by its number", () => {
  const files = filesOf(twoGroups());
  const blocks = { identity: files.identity.length, term: 512, log: 4096 };
  const expected = { identity: IDENTITY_VERSION, term: TERM_VERSION, log: LOG_VERSION };
  for (const file of ["identity", "term", "log"] as const) {
    const bytes = files[file].slice();
    const found = expected[file] - 1;
    bytes[8] = found;
    const block = new DataView(bytes.buffer, 0, blocks[file]);
    block.setUint32(12, crc32c(bytes, 16, blocks[file], crc32c(bytes, 0, 12)), true);
    const run = restarted(MemoryDisk.of({ ...files, [file]: bytes }));
    expect(run.fault).toEqual({ type: "wrongVersion", file, found, expected: expected[file] });
  }
});

// Records that are intact and yet cannot follow: written with the writer of records alone, past the log's own laws.

interface Forged {
  readonly kind: RecordKind;
  readonly term: number;
  readonly index: number;
  readonly through?: number;
  readonly generation?: number;
}

/** The log of twoGroups (last entry 1/3), with one more intact record at its end. */
function withRecord(forged: Forged): MemoryDisk {
  const files = filesOf(twoGroups());
  const view = new DataView(files.log.buffer);
  const offset = RECORDS[5];
  const mark = { through: forged.through ?? CLOSING_MARK, generation: forged.generation ?? 2 };
  const id = { term: forged.term as Term, index: forged.index as LogIndex };
  const body = { kind: forged.kind, entry: id, payload: new Uint8Array(0) };
  const record = new Uint8Array(recordSize(0));
  const previous = view.getUint32(CLOSING_MARK, true);
  writeRecord(record, 0, view.getUint32(12, true), body, { offset, previous, mark });
  files.log.set(record, offset);
  return MemoryDisk.of(files);
}

test("the forger's records are taken where they break no rule", () => {
  const run = restarted(withRecord({ kind: "noop", term: 1, index: 4 }));
  expect(run.recovered.log.last).toEqual({ term: 1, index: 4 });
});

test.each<[string, Forged, string]>([
  ["a gap", { kind: "noop", term: 1, index: 5 }, "log"],
  ["an entry for the second time", { kind: "noop", term: 1, index: 3 }, "log"],
  ["an entry without a term", { kind: "noop", term: 0, index: 4 }, "log"],
  ["a term above the current one", { kind: "noop", term: 2, index: 4 }, "log"],
  ["a truncation that keeps more than there is", { kind: "truncation", term: 1, index: 4 }, "log"],
  ["a truncation that keeps another entry", { kind: "truncation", term: 7, index: 2 }, "log"],
  ["a mark that knows another last entry", { kind: "mark", term: 1, index: 2 }, "log"],
  ["a mark that falls", { kind: "noop", term: 1, index: 4, through: 4096 }, "log"],
  ["a hard state that falls", { kind: "noop", term: 1, index: 4, generation: 1 }, "log"],
  ["a hard state that was never written", { kind: "noop", term: 1, index: 4, generation: 3 }, "term"],
])("an intact record that contradicts the log is corruption: %s", (_name, forged, file) => {
  const fault = restarted(withRecord(forged)).fault;
  expect(fault).toMatchObject({ type: "corrupt", file, ...(file === "log" ? { offset: RECORDS[5] } : {}) });
});

test("a falling term is corruption", () => {
  const run = bootstrapped();
  run.persist(order(1, { hardState: hardState(5, null), entries: [entry(5, 1)] })).settle();
  run.take((storage) => storage.close()).settle();
  const files = filesOf(run);
  const log = new LogFile({ seed: new DataView(files.log.buffer).getUint32(12, true), base: NO_ENTRY });
  expect(log.contradiction({
    kind: "noop", offset: log.end, checksum: 0, previous: log.checksum, payloadSize: 0, payloadChecksum: 0,
    mark: log.marked, entry: { term: 1 as Term, index: 1 as LogIndex },
  })).toBeNull();
  const record = new Uint8Array(64);
  const view = new DataView(files.log.buffer);
  writeRecord(record, 0, log.seed, {
    kind: "noop", entry: { term: 4 as Term, index: 2 as LogIndex }, payload: new Uint8Array(0),
  }, { offset: 4224, previous: view.getUint32(4160, true), mark: { through: 4160, generation: 2 } });
  files.log.set(record, 4224);
  expect(restarted(MemoryDisk.of(files)).fault).toMatchObject({ type: "corrupt", file: "log", offset: 4224 });
});

test("a payload that looks like a record is none, at its place or any other", () => {
  const run = bootstrapped();
  const donor = filesOf(twoGroups()).log.subarray(4096, 4464);
  run.persist(order(1, { hardState: hardState(1, "a"), entries: [entry(1, 1, donor.slice())] }));
  while (run.persisted.length < 1) run.perform();
  const files = filesOf(run);
  // Its own record is torn: the scan walks right through the embedded copies.
  const again = restarted(MemoryDisk.of({ ...files, log: zeroed(files.log, 4096, 4160) }));
  expect(again.fault).toBeNull();
  expect(again.recovered.log.last.index).toBe(0);
  expect(again.recovered.tornBytes).toBeGreaterThan(300);
});
