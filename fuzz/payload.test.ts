/** Payloads of transactions: what is encoded comes back, and nothing else is ever accepted. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { decodePayload, encodePayload, type PageVersion } from "../core/wal/payload.ts";
import { examples } from "./chance.ts";

const PAGE_SIZE = 512;

const pages: fc.Arbitrary<PageVersion[]> = fc
  .uniqueArray(fc.integer({ min: 1, max: 0xfffffffe }), { maxLength: 4 })
  .chain((numbers) => {
    const sorted = numbers.toSorted((a, b) => a - b);
    const content = fc.uint8Array({ minLength: PAGE_SIZE, maxLength: PAGE_SIZE });
    return fc.tuple(...sorted.map((number) => content.map((bytes) => ({ number, bytes }))));
  });
const transactions = fc.record({ pages, beyond: fc.integer({ min: 1, max: 1000 }) }).map(({ pages: list, beyond }) => {
  return { list, pageCount: Math.min(0xffffffff, (list.at(-1)?.number ?? 0) + beyond) };
});

test("a payload comes back as it was", () => {
  fc.assert(
    fc.property(transactions, ({ list, pageCount }) => {
      const { payload, digests } = encodePayload(PAGE_SIZE, pageCount, list);
      // As it may lie in a larger message, at any offset.
      const moved = new Uint8Array(payload.length + 3);
      moved.set(payload, 3);
      const decoded = decodePayload(moved.subarray(3));
      if (!decoded.ok) throw new Error(decoded.fault.rule);
      expect(decoded.value.pageCount).toBe(pageCount);
      expect(decoded.value.pages.map(({ number, crc }) => ({ number, crc }))).toEqual(digests);
      decoded.value.pages.forEach(({ number, bytes }, at) => {
        expect(number).toBe(list[at]!.number);
        expect(Buffer.compare(bytes, list[at]!.bytes)).toBe(0);
      });
    }),
    examples(100),
  );
});

test("every truncation and every flipped bit of a payload is rejected", () => {
  fc.assert(
    fc.property(transactions, ({ list, pageCount }) => {
      const { payload } = encodePayload(PAGE_SIZE, pageCount, list.slice(0, 2));
      for (let size = 0; size < payload.length; size++) {
        if (decodePayload(payload.subarray(0, size)).ok) throw new Error(`accepted with ${size} bytes`);
      }
      for (let bit = 0; bit < payload.length * 8; bit++) {
        payload[bit >> 3]! ^= 1 << (bit & 7);
        if (decodePayload(payload).ok) throw new Error(`accepted with bit ${bit} flipped`);
        payload[bit >> 3]! ^= 1 << (bit & 7);
      }
      expect(decodePayload(payload).ok).toBe(true);
    }),
    examples(4),
  );
});

test("any bytes at all are answered by a value", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      expect(decodePayload(bytes).ok).toBe(false);
    }),
    examples(500),
  );
});
