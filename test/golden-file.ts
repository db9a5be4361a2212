/**
 * Formats as they are, byte by byte, in test/golden/: a change of a format replaces them (REWRITE=1) and raises its
 * version. And the laws of whatever decodes bytes that were encoded by us.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { expect } from "vitest";

/** 32 bytes a line with their offset; lines of zeros are left out; last the size. */
function dump(bytes: Uint8Array): string {
  const lines: string[] = [];
  for (let at = 0; at < bytes.length; at += 32) {
    const line = Buffer.from(bytes.subarray(at, at + 32)).toString("hex");
    if (/[^0]/.test(line)) lines.push(`${String(at).padStart(6)}  ${line.replace(/.{16}(?=.)/g, "$& ")}`);
  }
  return [...lines, `${bytes.length} bytes`, ""].join("\n");
}

export function expectGolden(name: string, bytes: Uint8Array): void {
  const file = new URL(`golden/${name}.hex`, import.meta.url);
  if (process.env["REWRITE"] === "1") writeFileSync(file, dump(bytes));
  expect(dump(bytes)).toBe(readFileSync(file, "utf8"));
}

/** Where bits are flipped one after the other: everywhere that something stands, and here and there in the zeros. */
export function* flippedBits(bytes: Uint8Array): Generator<{ readonly bytes: Uint8Array; readonly at: number }> {
  for (let at = 0; at < bytes.length; at++) {
    if (bytes[at] === 0 && at % 509 !== 0) continue;
    for (let bit = 0; bit < 8; bit++) {
      const flipped = bytes.slice();
      flipped[at]! ^= 1 << bit;
      yield { bytes: flipped, at };
    }
  }
}

/** All shorter beginnings, by steps where nothing but zeros would be cut. */
export function* truncations(bytes: Uint8Array): Generator<Uint8Array> {
  for (let size = 0; size < bytes.length; size++) {
    if (bytes[size] !== 0 || bytes[size - 1] !== 0 || size % 509 === 0) yield bytes.subarray(0, size);
  }
}
