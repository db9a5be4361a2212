/** SQLite's WAL as bytes: headers, both kinds of checksum, and a chain of frames that ends at the first broken one. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { WalChain } from "../core/wal/wal-chain.ts";
import {
  decodeFrameHeader,
  decodeWalHeader,
  encodeFrameHeader,
  encodeWalHeader,
  FRAME_HEADER_SIZE,
} from "../core/wal/wal-format.ts";
import { EMPTY_CHECKSUM, walChecksum, type ByteOrder } from "../core/wal/wal-checksum.ts";

/** Three transactions on pages of 512 bytes, written by native SQLite 3.40.1. */
const NATIVE = new Uint8Array(readFileSync(new URL("testdata/wal/native.wal", import.meta.url)));

function hex(digits: string): Uint8Array {
  return new Uint8Array(Buffer.from(digits, "hex"));
}

test("the checksum adds words crosswise, in either byte order", () => {
  const bytes = hex("00000001000000020000000300000004");
  // s0 = 1, s1 = 2 + 1; then s0 = 1 + 3 + 3, s1 = 3 + 4 + 7.
  expect(walChecksum("big-endian", bytes, 0, 16, EMPTY_CHECKSUM)).toEqual([7, 14]);
  expect(walChecksum("little-endian", bytes, 0, 16, EMPTY_CHECKSUM)).toEqual([0x07000000, 0x0e000000]);
});

test("a checksum wraps at 32 bits, and goes on where the one before ended", () => {
  const bytes = hex("ffffffffffffffff0102030405060708");
  const half = walChecksum("big-endian", bytes, 0, 8, EMPTY_CHECKSUM);
  expect(half).toEqual([0xffffffff, 0xfffffffe]);
  expect(walChecksum("big-endian", bytes, 8, 16, half)).toEqual(
    walChecksum("big-endian", bytes, 0, 16, EMPTY_CHECKSUM),
  );
});

test("words read through an unaligned view have the same checksum", () => {
  const bytes = Uint8Array.from({ length: 65 }, (_, at) => at * 37);
  const aligned = bytes.slice(1);
  expect(walChecksum("little-endian", bytes, 1, 65, EMPTY_CHECKSUM)).toEqual(
    walChecksum("little-endian", aligned, 0, 64, EMPTY_CHECKSUM),
  );
});

test.each<ByteOrder>(["little-endian", "big-endian"])("a WAL header comes back as it was, %s", (order) => {
  const header = { order, pageSize: 65536, checkpointSequence: 7, salt: [0xdeadbeef, 1] as const };
  const bytes = encodeWalHeader(header);
  const decoded = decodeWalHeader(bytes);
  expect(decoded).toMatchObject({ ok: true, value: header });
});

test("a header written by SQLite is understood, and is the one that we write", () => {
  const decoded = decodeWalHeader(NATIVE);
  expect(decoded).toMatchObject({ ok: true, value: { order: "little-endian", pageSize: 512, checkpointSequence: 0 } });
  if (decoded.ok) expect(Buffer.compare(encodeWalHeader(decoded.value), NATIVE.subarray(0, 32))).toBe(0);
});

test("a chain accepts the frames that SQLite wrote", () => {
  const wal = decodeWalHeader(NATIVE);
  if (!wal.ok) throw new Error(wal.fault.rule);
  const chain = new WalChain(wal.value.order, wal.value.salt, wal.value.checksum);
  const frames: [number, number][] = [];
  for (let at = 32; at < NATIVE.length; at += 24 + 512) {
    const accepted = chain.accept(NATIVE, at, NATIVE.subarray(at + 24, at + 24 + 512));
    if (!accepted.ok) throw new Error(accepted.fault.rule);
    frames.push([accepted.header.pageNumber, accepted.header.databaseSizeAfterCommit]);
  }
  // CREATE TABLE writes pages 1 and 2, each INSERT page 2.
  expect(frames).toEqual([
    [1, 0],
    [2, 2],
    [2, 2],
    [2, 2],
  ]);
});

test.each([
  {
    name: "too short",
    change: (bytes: Uint8Array) => bytes.subarray(0, 31),
    rule: "a WAL begins with a header of 32 bytes",
  },
  { name: "another magic", change: patched(0, "377f0684"), rule: "a WAL begins with its magic number" },
  { name: "another version", change: patched(4, "002de219"), rule: "the WAL's format version is 3007000" },
  { name: "an odd page size", change: patched(8, "00001001"), rule: "a page size is a power of two from 512 to 65536" },
  {
    name: "a small page size",
    change: patched(8, "00000100"),
    rule: "a page size is a power of two from 512 to 65536",
  },
  {
    name: "another salt",
    change: patched(16, "00000000"),
    rule: "the WAL header's checksum covers its first 24 bytes",
  },
])("a WAL header is refused: $name", ({ change, rule }) => {
  const bytes = encodeWalHeader({ order: "little-endian", pageSize: 4096, checkpointSequence: 0, salt: [1, 2] });
  expect(decodeWalHeader(change(bytes))).toMatchObject({ ok: false, fault: { rule } });
});

function patched(at: number, digits: string): (bytes: Uint8Array) => Uint8Array {
  return (bytes) => {
    bytes.set(hex(digits), at);
    return bytes;
  };
}

test("a frame header comes back as it was", () => {
  const header = {
    pageNumber: 0xfffffffe,
    databaseSizeAfterCommit: 3,
    salt: [1, 2],
    checksum: [3, 0xffffffff],
  } as const;
  const bytes = new Uint8Array(40);
  encodeFrameHeader(header, bytes, 8);
  expect(decodeFrameHeader(bytes, 8)).toEqual(header);
  expect(Buffer.from(bytes).toString("hex")).toBe(
    "0".repeat(16) + "fffffffe00000003000000010000000200000003ffffffff" + "0".repeat(16),
  );
});

/** A frame as SQLite would write it behind `before`. */
function frame(
  pageNumber: number,
  salt: readonly [number, number],
  before: readonly [number, number],
): [Uint8Array, Uint8Array] {
  const header = new Uint8Array(FRAME_HEADER_SIZE);
  const page = new Uint8Array(512).fill(pageNumber);
  encodeFrameHeader({ pageNumber, databaseSizeAfterCommit: 0, salt, checksum: [0, 0] }, header, 0);
  const checksum = walChecksum("big-endian", page, 0, 512, walChecksum("big-endian", header, 0, 8, before));
  encodeFrameHeader({ pageNumber, databaseSizeAfterCommit: 0, salt, checksum }, header, 0);
  return [header, page];
}

test("a chain accepts frames in their order only", () => {
  const chain = new WalChain("big-endian", [5, 6], [1, 2]);
  const first = frame(1, [5, 6], [1, 2]);
  const second = frame(2, [5, 6], decodeFrameHeader(first[0], 0).checksum);
  const rule = "a frame's checksum continues that of the frame before";
  expect(chain.accept(second[0], 0, second[1])).toMatchObject({ ok: false, fault: { rule } });
  expect(chain.accept(first[0], 0, first[1])).toMatchObject({ ok: true, header: { pageNumber: 1 } });
  expect(chain.accept(first[0], 0, first[1])).toMatchObject({ ok: false, fault: { rule } });
  expect(chain.accept(second[0], 0, second[1])).toMatchObject({ ok: true, header: { pageNumber: 2 } });
});

test.each([
  { name: "another WAL's salt", made: frame(1, [5, 7], [1, 2]), rule: "a frame's salts are those of its WAL" },
  { name: "page number 0", made: frame(0, [5, 6], [1, 2]), rule: "a frame's page number is not 0" },
  {
    name: "another beginning",
    made: frame(1, [5, 6], [1, 3]),
    rule: "a frame's checksum continues that of the frame before",
  },
])("a chain refuses a frame: $name", ({ made, rule }) => {
  const chain = new WalChain("big-endian", [5, 6], [1, 2]);
  expect(chain.accept(made[0], 0, made[1])).toMatchObject({ ok: false, fault: { rule } });
  expect(chain.checksum).toEqual([1, 2]);
});
