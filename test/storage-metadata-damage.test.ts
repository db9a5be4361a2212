/** Damage to what stands on disk twice: identity and hard state. And files of another version or owner. */
import { expect, test } from "vitest";
import { crc32c } from "../core/checksum.ts";
import { ownerOf } from "../core/storage/block.ts";
import { IDENTITY_VERSION } from "../core/storage/identity-file.ts";
import { SEGMENT_VERSION } from "../core/storage/segment-file.ts";
import { TERM_VERSION, decodeTermFile, encodeNewTermFile } from "../core/storage/term-file.ts";
import type { NodeId } from "../core/types.ts";
import { MemoryDisk } from "./memory-disk.ts";
import {
  IDENTITY, OF_THREE, OPTIONS, type StorageRun, bootstrapped, entry, hardState, order, restarted,
} from "./storage-run.ts";

type Files = Readonly<Record<string, Uint8Array>>;

function filesOf(run: StorageRun): Files {
  return Object.fromEntries(run.disk.names.map((name) => [name, run.disk.bytesOf(name)!]));
}

/** A member with a vote and two entries. Its newest slot is generation 2, at 0 and 4096; the log knows of it. */
function member(): StorageRun {
  const run = bootstrapped(OPTIONS, OF_THREE);
  run.persist(order(1, { hardState: hardState(1, "b"), entries: [entry(1, 1)] })).settle();
  return run.persist(order(2, { entries: [entry(1, 2)] })).settle();
}

const WHOLE = filesOf(member());

function flipped(file: string, ...places: readonly number[]): MemoryDisk {
  const bytes = WHOLE[file]!.slice();
  for (const at of places) bytes[at] = bytes[at]! ^ (1 << at % 8);
  return MemoryDisk.of({ ...WHOLE, [file]: bytes });
}

function expectMended(disk: MemoryDisk, damage: readonly unknown[], what: string): void {
  const run = restarted(disk);
  expect(run.recovered, what).toMatchObject({ identity: OF_THREE, hardState: hardState(1, "b"), lost: null, damage });
  const again = restarted(run.disk);
  expect(again.recovered, what).toMatchObject({ identity: OF_THREE, hardState: hardState(1, "b"), damage: [] });
}

test("a flipped bit, or a block that cannot be read, in either copy of the identity is mended", () => {
  for (const copy of [0, 8192]) {
    for (let at = copy; at < copy + 8192; at += at < copy + 340 ? 1 : 331) {
      expectMended(flipped("identity", at), [{ type: "corrupt", file: "identity", offset: copy }], `byte ${at}`);
    }
    for (const at of [copy, copy + 4096]) {
      const disk = MemoryDisk.of(WHOLE).makeUnreadable("identity", at);
      expectMended(disk, [{ type: "corrupt", file: "identity", offset: copy }], `block ${at}`);
    }
  }
});

test("an identity of which no copy is intact is refused", () => {
  expect(restarted(flipped("identity", 20, 8192 + 20)).fault).toMatchObject({ type: "corrupt", file: "identity" });
  const half = { ...WHOLE, identity: WHOLE["identity"]!.subarray(0, 8192) };
  expectMended(MemoryDisk.of(half), [{ file: "identity", offset: 8192 }], "half of it");
  for (const size of [0, 10, 100, 8191]) {
    const run = restarted(MemoryDisk.of({ ...WHOLE, identity: WHOLE["identity"]!.subarray(0, size) }));
    expect(run.fault).toMatchObject({ type: "corrupt", file: "identity" });
  }
});

test("a flipped bit, or a block that cannot be read, in either copy of the newest hard state is mended", () => {
  for (const copy of [0, 4096]) {
    for (let at = copy; at < copy + 512; at += at < copy + 260 ? 1 : 7) {
      expectMended(flipped("term", at), [{ type: "corrupt", file: "term", offset: copy }], `byte ${at}`);
    }
    const disk = MemoryDisk.of(WHOLE).makeUnreadable("term", copy);
    expectMended(disk, [{ type: "corrupt", file: "term", offset: copy }], `block ${copy}`);
  }
});

test("damage to one copy of the older hard state is harmless", () => {
  for (const copy of [8192, 12288]) {
    expectMended(flipped("term", copy + 30), [], `byte ${copy + 30}`);
    expectMended(MemoryDisk.of(WHOLE).makeUnreadable("term", copy), [], `block ${copy}`);
  }
});

test("both copies of the newest hard state damaged: a vote is lost that nobody else has, refused", () => {
  for (const disk of [
    flipped("term", 20, 4096 + 20),
    MemoryDisk.of(WHOLE).makeUnreadable("term", 0).makeUnreadable("term", 4096),
  ]) {
    expect(restarted(disk).fault).toMatchObject({ type: "corrupt", file: "term", offset: 0 });
  }
});

test("a hard state that cannot be read in both copies is refused, though it may be the older one", () => {
  const disk = MemoryDisk.of(WHOLE).makeUnreadable("term", 8192).makeUnreadable("term", 12288);
  expect(restarted(disk).fault).toMatchObject({ type: "corrupt", file: "term", offset: 8192 });
});

test("both slots damaged is corruption, and so are slots that do not alternate", () => {
  const all = [20, 4116, 8212, 12308];
  expect(restarted(flipped("term", ...all)).fault).toMatchObject({ type: "corrupt", file: "term", offset: 0 });
  const misplaced = WHOLE["term"]!.slice();
  misplaced.copyWithin(8192, 0, 8192);
  misplaced.fill(0, 0, 8192);
  const run = restarted(MemoryDisk.of({ ...WHOLE, term: misplaced }));
  expect(run.fault).toMatchObject({ type: "corrupt", file: "term" });
});

test("a hard state that is cut short is mended or refused", () => {
  for (const size of [4096, 4100, 8192, 12288]) {
    const run = restarted(MemoryDisk.of({ ...WHOLE, term: WHOLE["term"]!.subarray(0, size) }));
    if (run.fault === null) expect(run.recovered.hardState, `${size} bytes`).toEqual(hardState(1, "b"));
    else expect(run.fault, `${size} bytes`).toMatchObject({ type: "corrupt", file: "term" });
  }
  const nothing = restarted(MemoryDisk.of({ ...WHOLE, term: new Uint8Array(0) }));
  expect(nothing.fault).toMatchObject({ type: "corrupt", file: "term" });
});

test("a hard state that was cut off is no torn write: the vote in it is not forgotten", () => {
  const run = bootstrapped(OPTIONS, OF_THREE);
  run.persist(order(1, { hardState: hardState(1, "b") })).settle();
  // Generation 3, at 8192 and 12288. No record of the log knows of it.
  run.persist(order(2, { hardState: hardState(2, "c") })).settle();
  const files = filesOf(run);
  const cutTo = (size: number): StorageRun => {
    return restarted(MemoryDisk.of({ ...files, term: files["term"]!.subarray(0, size) }));
  };
  for (const size of [4608, 8191, 8192, 8703]) {
    expect(cutTo(size).fault, `${size} bytes`).toMatchObject({ type: "corrupt", file: "term", offset: 8192 });
  }
  for (const size of [8704, 12288, 12799]) {
    const mended = cutTo(size);
    expect(mended.recovered.hardState, `${size} bytes`).toEqual(hardState(2, "c"));
    expect(restarted(mended.disk).recovered).toMatchObject({ hardState: hardState(2, "c"), damage: [] });
  }
});

test("a missing file is corruption where another promises it", () => {
  for (const missing of ["identity", "term"] as const) {
    const { [missing]: _, ...others } = WHOLE;
    expect(restarted(MemoryDisk.of(others)).fault).toMatchObject({ type: "corrupt", file: missing, offset: 0 });
  }
});

test("a directory of another node is refused by name", () => {
  const another = restarted(MemoryDisk.of(WHOLE), { ...OPTIONS, node: "b" as NodeId });
  expect(another.fault).toEqual({ type: "wrongIdentity", file: "identity", found: "node a", expected: "node b" });
});

test("a log or a hard state of another life of the disk is refused", () => {
  const incarnation = "ffffffffffffffff" as typeof IDENTITY.incarnation;
  const other = bootstrapped(OPTIONS, {
    ...IDENTITY, incarnation, cluster: { ...IDENTITY.cluster!, founders: [{ node: IDENTITY.node, incarnation }] },
  });
  for (const file of ["term", "log-0000000001"] as const) {
    const run = restarted(MemoryDisk.of({ ...WHOLE, [file]: filesOf(other)[file]! }));
    expect(run.fault).toMatchObject({ type: "wrongIdentity", file });
  }
});

/** The block that begins at `at` says that it is of another version, and is intact. */
function withVersion(bytes: Uint8Array, at: number, size: number, version: number): Uint8Array {
  const result = bytes.slice();
  result[at + 8] = version;
  const checksum = crc32c(result, at + 16, at + size, crc32c(result, at, at + 12));
  new DataView(result.buffer).setUint32(at + 12, checksum, true);
  return result;
}

test.each([
  ["identity", IDENTITY_VERSION, 8192], ["term", TERM_VERSION, 512], ["log-0000000001", SEGMENT_VERSION, 4096],
] as const)("another version of %s is refused by its number", (file, expected, size) => {
  for (const found of [expected - 1, expected + 1]) {
    const run = restarted(MemoryDisk.of({ ...WHOLE, [file]: withVersion(WHOLE[file]!, 0, size, found) }));
    expect(run.fault).toEqual({ type: "wrongVersion", file, found, expected });
  }
});

test("the files of the versions before are refused by their number", () => {
  // An identity was one block of its own size, a log one file.
  const identity = withVersion(WHOLE["identity"]!.slice(0, 112 + 3 * 72), 0, 112 + 3 * 72, 1);
  const type = "wrongVersion";
  expect(restarted(MemoryDisk.of({ identity })).fault).toMatchObject({ type, file: "identity", found: 1 });
  const log = withVersion(WHOLE["log-0000000001"]!, 0, 4096, 2);
  const { "log-0000000001": _, ...others } = WHOLE;
  expect(restarted(MemoryDisk.of({ ...others, log })).fault).toMatchObject({ type, file: "log", found: 2 });
});

test("of a slot never used one copy may be unreadable: the other says that there was nothing (seed 400059)", () => {
  const owner = ownerOf(OF_THREE);
  const bytes = encodeNewTermFile(owner);
  const copies = [0, 4096, 8192, 12288];
  const without = (...lost: readonly number[]) => decodeTermFile(bytes, owner, (offset) => !lost.includes(offset));
  for (const lost of copies) expect(without(lost), `${lost} is lost`).toMatchObject({ ok: true });
  expect(without(0, 4096), "whatever was there").toMatchObject({ ok: false, fault: { type: "corrupt", file: "term" } });
  expect(without(8192, 12288), "the first slot").toMatchObject({ ok: false });
});
