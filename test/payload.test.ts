/** The payload of a transaction, byte by byte. */
import { expect, test } from "vitest";
import { crc32c } from "../core/checksum.ts";
import { decodePayload, encodePayload, payloadSize, saysJust } from "../core/wal/payload.ts";

const PAGES = [
  { number: 1, bytes: new Uint8Array(512).fill(0x11) },
  { number: 7, bytes: new Uint8Array(512).fill(0x77) },
];

test("a payload's bytes are those of the table in payload.ts", () => {
  const { payload, digests } = encodePayload(512, 9, PAGES);
  const header = ["01000000", "00020000", "09000000", "02000000", "bdf03e69"].join("");
  const directory = ["01000000", "a91a9c3b", "07000000", "df29de00"].join("");
  expect(Buffer.from(payload.subarray(0, 36)).toString("hex")).toBe(header + directory);
  expect(Buffer.compare(payload.subarray(36), Buffer.concat(PAGES.map(({ bytes }) => bytes)))).toBe(0);
  expect(digests).toEqual(PAGES.map(({ number, bytes }) => ({ number, crc: crc32c(bytes) })));
  expect(payload.length).toBe(payloadSize(512, 2));
});

/** Bytes that somebody else made: the checksums are right, the content is what the test wants. */
function forged(
  words: readonly number[],
  directory: readonly (readonly [number, number])[],
  pages: readonly Uint8Array[],
): Uint8Array {
  const size = 20 + 8 * directory.length;
  const bytes = Buffer.concat([Buffer.alloc(size), ...pages]);
  words.forEach((word, at) => bytes.writeUInt32LE(word, 4 * at));
  directory.forEach(([number, crc], at) => {
    bytes.writeUInt32LE(number, 20 + 8 * at);
    bytes.writeUInt32LE(crc, 24 + 8 * at);
  });
  bytes.writeUInt32LE(crc32c(Buffer.concat([bytes.subarray(0, 16), bytes.subarray(20, size)])), 16);
  return new Uint8Array(bytes);
}

const page = new Uint8Array(512);
const crc = crc32c(page);

test.each([
  { name: "empty", bytes: new Uint8Array(0), rule: "a payload begins with a header of 20 bytes" },
  { name: "version 2", bytes: forged([2, 512, 1, 0], [], []), rule: "the payload's version is 1, not 2" },
  {
    name: "pages of 0 bytes",
    bytes: forged([1, 0, 1, 0], [], []),
    rule: "a page size is a power of two from 512 to 65536",
  },
  { name: "no database left", bytes: forged([1, 512, 0, 0], [], []), rule: "a database has at least one page" },
  {
    name: "a count of 2^32-1",
    bytes: forged([1, 512, 1, 0xffffffff], [], []),
    rule: "a payload is as long as its count of pages says",
  },
  {
    name: "one byte more",
    bytes: forged([1, 512, 1, 0], [], [new Uint8Array(1)]),
    rule: "a payload is as long as its count of pages says",
  },
  { name: "page 0", bytes: forged([1, 512, 1, 1], [[0, crc]], [page]), rule: "page numbers ascend from 1" },
  {
    name: "a page twice",
    bytes: forged(
      [1, 512, 3, 2],
      [
        [2, crc],
        [2, crc],
      ],
      [page, page],
    ),
    rule: "page numbers ascend from 1",
  },
  {
    name: "a page beyond",
    bytes: forged([1, 512, 1, 1], [[2, crc]], [page]),
    rule: "no page lies beyond the database's size",
  },
  {
    name: "another page",
    bytes: forged([1, 512, 1, 1], [[1, crc + 1]], [page]),
    rule: "the checksum of a page is right",
  },
])("a payload is refused: $name", ({ bytes, rule }) => {
  expect(decodePayload(bytes)).toMatchObject({ ok: false, fault: { rule } });
});

test("a payload without pages is one", () => {
  expect(decodePayload(forged([1, 512, 5, 0], [], []))).toEqual({
    ok: true,
    value: { pageSize: 512, pageCount: 5, pages: [] },
  });
});

test("what a leader has encoded is held against what the transaction did", () => {
  const { payload, digests } = encodePayload(512, 9, PAGES);
  expect(saysJust(payload, 512, 9, digests)).toBe(true);
  expect(saysJust(payload.subarray(1), 512, 9, digests)).toBe(false);
  expect(saysJust(payload, 1024, 9, digests)).toBe(false);
  expect(saysJust(payload, 512, 8, digests)).toBe(false);
  expect(saysJust(payload, 512, 9, digests.slice(1))).toBe(false);
  expect(saysJust(payload, 512, 9, digests.toReversed())).toBe(false);
  expect(saysJust(payload, 512, 9, digests.map((digest) => ({ ...digest, crc: 0 })))).toBe(false);
});
