/**
 * Damage of every kind to the log: located, cut, and known as lost; or cut where no acknowledged byte can be meant.
 * Nothing damaged is ever taken for good, and nothing acknowledged is gone without a word.
 */
import { expect, test } from "vitest";
import type { StorageFault } from "../core/storage/boundary.ts";
import { type RecordKind, recordSize, writeRecord } from "../core/storage/record.ts";
import { SEGMENT_HEADER_SIZE, decodeSegmentHeader, encodeSegmentHeader } from "../core/storage/segment-file.ts";
import { lostWith } from "../core/storage/term-file.ts";
import type { EntryId, LogIndex, Term } from "../core/types.ts";
import { MemoryDisk } from "./memory-disk.ts";
import {
  IDENTITY, OF_THREE, OPTIONS, type StorageRun, bootstrapped, entry, hardState, id, order, restarted,
} from "./storage-run.ts";
import { storeSnapshot } from "./storage-snapshots.ts";
import { logOf } from "./storage-twin.ts";

/** Segments with room for 1024 bytes of records. */
const SMALL = { ...OPTIONS, limits: { ...OPTIONS.limits, segmentBytes: SEGMENT_HEADER_SIZE + 1024 } };

const payload = (size: number): Uint8Array => Uint8Array.from({ length: size }, (_, at) => at * 7 + 1);

/** Where the record of each entry stands in the log of `threeSegments`. */
const RECORDS: readonly { readonly file: string; readonly from: number; readonly end: number }[] = [
  { file: "log-0000000001", from: 8192, end: 8280 },
  { file: "log-0000000001", from: 8280, end: 8344 },
  { file: "log-0000000001", from: 8344, end: 8432 },
  { file: "log-0000000002", from: 8192, end: 9056 },
  { file: "log-0000000003", from: 8192, end: 8256 + 800 },
  { file: "log-0000000003", from: 8256 + 800, end: 8320 + 800 },
];
const LAST = id(1, RECORDS.length);

type Files = Readonly<Record<string, Uint8Array>>;

/** Three segments, entries 1/1 to 1/6, a clean end. A fourth file stands ready. */
function threeSegments(identity = OF_THREE): StorageRun {
  const run = bootstrapped(SMALL, identity);
  run.persist(order(1, { hardState: hardState(1, "a"), entries: [entry(1, 1, payload(24))] })).settle();
  run.persist(order(2, { entries: [entry(1, 2), entry(1, 3, payload(24))] })).settle();
  run.persist(order(3, { entries: [entry(1, 4, payload(800))] })).settle();
  run.persist(order(4, { entries: [entry(1, 5, payload(800))] })).settle();
  run.persist(order(5, { entries: [entry(1, 6)] })).settle();
  return run.close();
}

function filesOf(run: StorageRun): Files {
  return Object.fromEntries(run.disk.names.map((name) => [name, run.disk.bytesOf(name)!]));
}

const WHOLE = filesOf(threeSegments());
const WORDS = logOf(restarted(MemoryDisk.of(WHOLE), SMALL));

function flipped(bytes: Uint8Array, at: number, bit: number): Uint8Array {
  const result = bytes.slice();
  result[at] = result[at]! ^ (1 << bit);
  return result;
}

/** The damage is located, the log cut there, what it had is known as lost; and all that stays so. */
function expectCut(disk: MemoryDisk, record: number, fault: Partial<StorageFault>, what: string): void {
  const run = restarted(disk, SMALL);
  expect(run.fault, what).toBeNull();
  expect(run.recovered.damage, what).toMatchObject([{ type: "corrupt", ...fault }]);
  expect(logOf(run), what).toEqual(WORDS.slice(0, record));
  const { lost } = run.recovered;
  expect(lostWith(LAST, lost), what).toEqual(lost);
  // The next start finds a log that is whole, and the same loss.
  const again = restarted(run.disk, SMALL);
  expect(again.recovered, what).toMatchObject({ damage: [], lost, log: { last: run.recovered.log.last } });
  // And it goes on behind the hole.
  const next = entry(2, record + 1, payload(500));
  again.persist(order(1, { hardState: hardState(2, null), entries: [next] })).settle();
  expect(again.persisted, what).toEqual([1]);
  expect(restarted(again.disk, SMALL).recovered.log.last, what).toEqual(id(2, record + 1));
}

function expectWhole(disk: MemoryDisk, damage: readonly unknown[], what: string): void {
  const run = restarted(disk, SMALL);
  expect(run.fault, what).toBeNull();
  expect(run.recovered, what).toMatchObject({ damage, lost: null, log: { last: LAST } });
  expect(logOf(run), what).toEqual(WORDS);
  expect(restarted(run.disk, SMALL).recovered, what).toMatchObject({ damage: [], lost: null, log: { last: LAST } });
}

test.each(RECORDS.map((_, at) => at))("a flipped bit in the record of entry %i + 1 is found, whichever it is", (at) => {
  const { file, from, end } = RECORDS[at]!;
  // Of the payloads a byte now and then will do.
  for (let byte = from; byte < end; byte += byte < from + 64 ? 1 : 61) {
    const disk = MemoryDisk.of({ ...WHOLE, [file]: flipped(WHOLE[file]!, byte, byte % 8) });
    expectCut(disk, at, { file, offset: from }, `bit ${byte % 8} of byte ${byte} of ${file}`);
  }
});

test("a flipped bit in either copy of a header is mended from the other", () => {
  for (const file of ["log-0000000001", "log-0000000002", "log-0000000003"]) {
    for (let byte = 0; byte < 8192; byte += byte % 4096 < 160 ? 3 : 449) {
      const disk = MemoryDisk.of({ ...WHOLE, [file]: flipped(WHOLE[file]!, byte, byte % 8) });
      const offset = byte < 4096 ? 0 : 4096;
      expectWhole(disk, [{ type: "corrupt", file, offset }], `byte ${byte} of ${file}`);
    }
  }
});

test("a header of which both copies are damaged follows from the log before it", () => {
  for (const file of ["log-0000000001", "log-0000000002", "log-0000000003"]) {
    const disk = MemoryDisk.of({ ...WHOLE, [file]: flipped(flipped(WHOLE[file]!, 30, 1), 4096 + 30, 1) });
    expectWhole(disk, [{ file, offset: 0 }, { file, offset: 4096 }], file);
  }
});

test("a flipped bit where nothing was written means nothing", () => {
  for (const [file, at] of [["log-0000000001", 8500], ["log-0000000003", 9200], ["log-0000000004", 8300]] as const) {
    expectWhole(MemoryDisk.of({ ...WHOLE, [file]: flipped(WHOLE[file]!, at, 2) }), [], `byte ${at} of ${file}`);
  }
});

test("a block of records that cannot be read is found; one of a header is mended", () => {
  for (const [file, record] of [["log-0000000001", 0], ["log-0000000002", 3], ["log-0000000003", 4]] as const) {
    expectCut(MemoryDisk.of(WHOLE).makeUnreadable(file, 8192), record, { file, offset: 8192 }, file);
    for (const offset of [0, 4096]) {
      expectWhole(MemoryDisk.of(WHOLE).makeUnreadable(file, offset), [{ file, offset }], `${offset} of ${file}`);
    }
  }
});

test("a block that cannot be read is never taken for torn, not even where nothing vouches for it", () => {
  const run = bootstrapped(OPTIONS, OF_THREE);
  run.persist(order(1, { hardState: hardState(1, "a"), entries: [entry(1, 1, payload(24))] })).settle();
  const again = restarted(run.disk.makeUnreadable("log-0000000001", 8192));
  expect(again.recovered).toMatchObject({
    damage: [{ type: "corrupt", file: "log-0000000001", offset: 8192 }],
    lost: { term: 1, index: Number.MAX_SAFE_INTEGER }, log: { last: { index: 0 } },
  });
});

test("a block behind the end that cannot be read is said, and not used again", () => {
  const large = { ...OPTIONS, limits: { ...OPTIONS.limits, segmentBytes: SEGMENT_HEADER_SIZE + 8192 } };
  const run = bootstrapped(large, OF_THREE);
  run.persist(order(1, { hardState: hardState(1, "a"), entries: [entry(1, 1, payload(24))] })).settle();
  const again = restarted(run.disk.makeUnreadable("log-0000000001", 12288), large);
  expect(again.recovered).toMatchObject({
    damage: [{ type: "corrupt", file: "log-0000000001", offset: 12288 }], lost: null, log: { last: id(1, 1) },
  });
  again.persist(order(1, { entries: [entry(1, 2)] }));
  expect(again.orders[0]!.operation).toMatchObject({ file: "log-0000000002" });
  again.settle();
  expect(restarted(again.disk, large).recovered).toMatchObject({ damage: [], log: { last: id(1, 2) } });
});

test("a segment cut short is found, wherever it was cut", () => {
  for (const { file, from, end } of RECORDS) {
    const record = RECORDS.findIndex((one) => one.file === file && one.from === from);
    for (const size of [from, from + 10, from + 64, end - 1]) {
      const disk = MemoryDisk.of({ ...WHOLE, [file]: WHOLE[file]!.subarray(0, size) });
      if (size < end) expectCut(disk, record, { file }, `${file} of ${size} bytes`);
    }
  }
  // No more than unused room is missing.
  const cut = MemoryDisk.of({ ...WHOLE, "log-0000000003": WHOLE["log-0000000003"]!.subarray(0, 9200) });
  expectWhole(cut, [{ file: "log-0000000003", offset: 9200 }], "unused room");
});

test("a segment that is missing is missed", () => {
  for (const [file, record] of [["log-0000000001", 0], ["log-0000000002", 3], ["log-0000000003", 4]] as const) {
    const { [file]: _, ...others } = WHOLE;
    const run = restarted(MemoryDisk.of(others), SMALL);
    expect(logOf(run), file).toEqual(WORDS.slice(0, record));
    expect(run.recovered.damage.length, file).toBe(1);
    expect(lostWith(LAST, run.recovered.lost), file).toEqual(run.recovered.lost);
    expect(restarted(run.disk, SMALL).recovered, file).toMatchObject({ damage: [], lost: run.recovered.lost });
  }
  const files = Object.entries(WHOLE).filter(([file]) => !file.startsWith("log-"));
  const none = restarted(MemoryDisk.of(Object.fromEntries(files)), SMALL);
  expect(none.recovered).toMatchObject({
    damage: [{ file: "log-0000000001", offset: 0 }], lost: { term: 1, index: Number.MAX_SAFE_INTEGER },
  });
});

test("whoever may be the only voter refuses to start, and touches nothing", () => {
  const files = filesOf(threeSegments(IDENTITY));
  const disk = MemoryDisk.of({ ...files, "log-0000000002": flipped(files["log-0000000002"]!, 8300, 1) });
  const before = disk.digest();
  const run = restarted(disk, SMALL);
  expect(run.fault).toMatchObject({ type: "corrupt", file: "log-0000000002", offset: 8192 });
  expect(disk.digest()).toBe(before);
});

test("who has become the only voter refuses, too, where the snapshot that says so is damaged in its pages", () => {
  const run = bootstrapped(SMALL, OF_THREE);
  run.persist(order(1, { hardState: hardState(1, "a"), entries: [entry(1, 1), entry(1, 2)] })).settle();
  storeSnapshot(run, id(1, 2), ["a"]);
  const files = filesOf(run.settle().close());
  const pages = Object.keys(files).find((name) => name.startsWith("pages-"))!;
  const damaged = MemoryDisk.of({ ...files, [pages]: flipped(files[pages]!, 20, 0) });
  const again = restarted(damaged, SMALL);
  expect(again.fault).toMatchObject({ type: "corrupt", file: pages });
  expect(damaged.bytesOf(pages), "nothing is touched").toEqual(flipped(files[pages]!, 20, 0));
  // Founded alone, and one of three by now: the others have what it has lost.
  const grown = bootstrapped(SMALL, IDENTITY);
  grown.persist(order(1, { hardState: hardState(1, "a"), entries: [entry(1, 1), entry(1, 2)] })).settle();
  storeSnapshot(grown, id(1, 2), ["a", "b", "c"]);
  grown.take((storage) => storage.noteOtherVoters());
  const others = filesOf(grown.settle().close());
  const refilled = restarted(MemoryDisk.of({ ...others, [pages]: flipped(others[pages]!, 20, 0) }), SMALL);
  expect(refilled.recovered).toMatchObject({ lost: id(1, 2), snapshot: null });
});

test("damage to the last group and all behind it is found by what the hard state's file vouches for", () => {
  const file = "log-0000000003";
  const overwritten = WHOLE[file]!.slice().fill(0xab, 8256 + 800);
  const run = restarted(MemoryDisk.of({ ...WHOLE, [file]: overwritten }), SMALL);
  expect(logOf(run)).toEqual(WORDS.slice(0, 5));
  // Nothing tells how far the log went on.
  expect(run.recovered.lost).toEqual({ term: 1, index: Number.MAX_SAFE_INTEGER });
  expect(run.recovered.damage).toMatchObject([{ file, offset: 8256 + 800 }]);
});

test("the last group, for which nothing vouches yet, is the one that looks torn", () => {
  const run = bootstrapped(SMALL, OF_THREE);
  run.persist(order(1, { hardState: hardState(1, "a"), entries: [entry(1, 1, payload(24))] })).settle();
  run.persist(order(2, { entries: [entry(1, 2, payload(24))] })).settle();
  const files = filesOf(run);
  const damaged = { ...files, "log-0000000001": flipped(files["log-0000000001"]!, 8280 + 70, 1) };
  const again = restarted(MemoryDisk.of(damaged), SMALL);
  expect(again.recovered).toMatchObject({ damage: [], lost: null, tornBytes: 64, log: { last: id(1, 1) } });
});

test("damage to what the snapshot has costs nothing, if a later segment can be read", () => {
  const run = threeSegments();
  const member = restarted(run.disk, SMALL);
  storeSnapshot(member, id(1, 4), ["a", "b", "c"]);
  const files = filesOf(member.settle());
  const damaged = { ...files, "log-0000000001": flipped(files["log-0000000001"]!, 8300, 1) };
  const again = restarted(MemoryDisk.of(damaged), SMALL);
  expect(again.recovered).toMatchObject({
    damage: [{ file: "log-0000000001", offset: 8280 }], lost: null, log: { base: id(1, 3), last: LAST },
  });
  expect(again.segments).not.toContain("log-0000000001");
  expect(restarted(again.disk, SMALL).recovered).toMatchObject({ damage: [], log: { base: id(1, 3), last: LAST } });
});

test("damage to what the snapshot has, with nothing to read behind it: the log starts anew", () => {
  const member = restarted(threeSegments().disk, SMALL);
  storeSnapshot(member, id(1, 5), ["a", "b", "c"]);
  const files = filesOf(member.settle());
  const damaged = flipped(files["log-0000000003"]!, 8300, 1);
  const again = restarted(MemoryDisk.of({ ...files, "log-0000000003": damaged }), SMALL);
  expect(again.recovered).toMatchObject({
    damage: [{ file: "log-0000000003", offset: 8192 }], lost: LAST, log: { base: id(1, 5), last: id(1, 5) },
  });
  const once = restarted(again.disk, SMALL);
  expect(once.recovered).toMatchObject({ damage: [], lost: LAST, log: { base: id(1, 5), last: id(1, 5) } });
  once.persist(order(1, { hardState: hardState(2, null), entries: [entry(2, 6, payload(700))] })).settle();
  expect(restarted(once.disk, SMALL).recovered.log.last).toEqual(id(2, 6));
});

// Records that are intact and yet cannot follow: written with the writer of records alone, past the log's own laws.

interface Forged {
  readonly kind: RecordKind;
  readonly term: number;
  readonly index: number;
  readonly through?: number;
  readonly generation?: number;
}

/** One segment with 1/1 and 1/2, closed, and one more intact record at its end. */
function withRecord(forged: Forged): { readonly disk: MemoryDisk; readonly offset: number } {
  const run = bootstrapped(SMALL, OF_THREE);
  run.persist(order(1, { hardState: hardState(1, "a"), entries: [entry(1, 1)] })).settle();
  run.persist(order(2, { entries: [entry(1, 2)] })).settle();
  const files = filesOf(run.close());
  const bytes = files["log-0000000001"]!.slice();
  const header = decodeSegmentHeader(bytes, "log-0000000001", 0);
  if (!header.ok) throw new Error("the header is intact");
  const previous = new DataView(bytes.buffer).getUint32(SEGMENT_HEADER_SIZE + 64, true);
  const entryId: EntryId = { term: forged.term as Term, index: forged.index as LogIndex };
  const mark = { through: forged.through ?? 128, generation: forged.generation ?? 2 };
  const record = new Uint8Array(recordSize(0));
  const body = { kind: forged.kind, entry: entryId, payload: new Uint8Array(0) };
  writeRecord(record, 0, header.value.seed, body, { position: 128, previous, mark });
  bytes.set(record, SEGMENT_HEADER_SIZE + 128);
  return { disk: MemoryDisk.of({ ...files, "log-0000000001": bytes }), offset: SEGMENT_HEADER_SIZE + 128 };
}

test("the forger's records are taken where they break no rule", () => {
  expect(restarted(withRecord({ kind: "noop", term: 1, index: 3 }).disk, SMALL).recovered).toMatchObject({
    damage: [], log: { last: id(1, 3) },
  });
});

test.each<[string, Forged]>([
  ["a gap", { kind: "noop", term: 1, index: 4 }],
  ["an entry for the second time", { kind: "noop", term: 1, index: 2 }],
  ["an entry without a term", { kind: "noop", term: 0, index: 3 }],
  ["a term above the current one", { kind: "noop", term: 2, index: 3 }],
  ["a truncation that keeps more than there is", { kind: "truncation", term: 1, index: 3 }],
  ["a truncation that keeps another entry", { kind: "truncation", term: 7, index: 1 }],
  ["a mark that knows another last entry", { kind: "mark", term: 1, index: 1 }],
  ["a mark that falls", { kind: "noop", term: 1, index: 3, through: 0 }],
  ["a hard state that falls", { kind: "noop", term: 1, index: 3, generation: 1 }],
])("an intact record that contradicts the log is damage: %s", (_name, forged) => {
  const { disk, offset } = withRecord(forged);
  const run = restarted(disk, SMALL);
  expect(run.recovered.damage).toMatchObject([{ type: "corrupt", file: "log-0000000001", offset }]);
  expect(run.recovered.log.last).toEqual(id(1, 2));
});

test("a record that knows of a hard state that is not there: a vote may be lost, refused", () => {
  const { disk } = withRecord({ kind: "noop", term: 1, index: 3, generation: 9 });
  expect(restarted(disk, SMALL).fault).toMatchObject({ type: "corrupt", file: "term" });
});

test("a segment that does not go on where the one before it ends is damage", () => {
  const file = "log-0000000002";
  const header = decodeSegmentHeader(WHOLE[file]!, file, 0);
  if (!header.ok) throw new Error("the header is intact");
  for (const change of [{ previous: 7 }, { base: id(1, 2) }, { start: header.value.start + 8 }]) {
    const bytes = WHOLE[file]!.slice();
    bytes.set(encodeSegmentHeader(header.value.owner, { ...header.value, ...change }));
    const run = restarted(MemoryDisk.of({ ...WHOLE, [file]: bytes }), SMALL);
    expect(run.recovered.damage.length).toBeGreaterThan(0);
    expect(logOf(run)).toEqual(WORDS.slice(0, 3));
    expect(lostWith(LAST, run.recovered.lost)).toEqual(run.recovered.lost);
  }
});

test("a payload that looks like a record is none, at its place or any other", () => {
  const run = bootstrapped(SMALL, OF_THREE);
  const donor = WHOLE["log-0000000001"]!.slice(8192, 8432);
  run.persist(order(1, { hardState: hardState(1, "a"), entries: [entry(1, 1, donor)] })).settle();
  const files = filesOf(run);
  const torn = files["log-0000000001"]!.slice().fill(0, 8192, 8256);
  // Its own record is torn: the scan walks right through the embedded copies.
  const again = restarted(MemoryDisk.of({ ...files, "log-0000000001": torn }), SMALL);
  expect(again.recovered).toMatchObject({ damage: [], tornBytes: 0, log: { last: { index: 0 } } });
});
