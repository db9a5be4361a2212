/** UTF-8 against the platform's own, which core/ may not use: the same bytes, the same text, the same refusals. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { decodeUtf8, encodeUtf8, utf8Size } from "../core/utf8.ts";
import { examples } from "./chance.ts";

function platformDecode(bytes: Uint8Array): string | null {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return null;
  }
}

/** Repeated, it crosses the decoder's own steps, with every kind of character at every place. */
const text = fc.tuple(fc.string({ unit: "binary", maxLength: 200 }), fc.constantFrom(1, 2, 60))
  .map(([piece, times]) => piece.repeat(times));

test("text is written as the platform writes it, and comes back with lone surrogates replaced", () => {
  fc.assert(fc.property(text, (one) => {
    const expected = new TextEncoder().encode(one);
    expect(Buffer.compare(encodeUtf8(one), expected)).toBe(0);
    expect(utf8Size(one)).toBe(expected.length);
    expect(decodeUtf8(expected)).toBe(platformDecode(expected));
  }), examples(300));
});

test("bytes are read, or refused, as the platform does it", () => {
  const borders = [0, 0x7f, 0x80, 0xbf, 0xc0, 0xc2, 0xe0, 0xed, 0xa0, 0xef, 0xf0, 0x90, 0xf4, 0x8f, 0xf5];
  const tricky = fc.constantFrom(...borders);
  fc.assert(fc.property(fc.array(tricky, { maxLength: 6 }), fc.nat(3), (bytes, padding) => {
    const all = Uint8Array.from([...Array<number>(padding).fill(0x61), ...bytes]);
    expect(decodeUtf8(all)).toBe(platformDecode(all));
  }), examples(3000));
});
