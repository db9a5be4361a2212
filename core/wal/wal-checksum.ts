/**
 * The checksum of SQLite's WAL (SQLite fileformat2 §4.2): a pair of u32 carried from one frame to the next.
 *
 *     for each pair of 32-bit words x0 x1 of the content:   s0 += x0 + s1;   s1 += x1 + s0
 *
 * Words are read in the byte order that the WAL's magic number names, whatever the machine's own. It is no CRC: it
 * finds torn and stale frames, not malice. Our own formats use CRC-32C.
 */
import { invariant } from "../invariant.ts";

export type ByteOrder = "big-endian" | "little-endian";

/** The two running sums, s0 and s1. */
export type WalChecksum = readonly [number, number];

/** Where a chain of checksums begins. */
export const EMPTY_CHECKSUM: WalChecksum = [0, 0];

const MACHINE_IS_LITTLE_ENDIAN = new Uint8Array(new Uint32Array([1]).buffer)[0] === 1;

/** The checksum after bytes[from, end), a multiple of eight bytes, on top of `previous`. */
export function walChecksum(
  order: ByteOrder,
  bytes: Uint8Array,
  from: number,
  end: number,
  previous: WalChecksum,
): WalChecksum {
  invariant(from >= 0 && end <= bytes.length && (end - from) % 8 === 0, "a WAL checksum covers whole pairs of words");
  const start = bytes.byteOffset + from;
  if (MACHINE_IS_LITTLE_ENDIAN && order === "little-endian" && start % 4 === 0) {
    return sumWords(new Uint32Array(bytes.buffer, start, (end - from) / 4), previous);
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const littleEndian = order === "little-endian";
  let [s0, s1] = previous;
  for (let at = from; at < end; at += 8) {
    s0 = (s0 + view.getUint32(at, littleEndian) + s1) | 0;
    s1 = (s1 + view.getUint32(at + 4, littleEndian) + s0) | 0;
  }
  return [s0 >>> 0, s1 >>> 0];
}

// Page after page goes through here, so it works on whole words.
function sumWords(words: Uint32Array, previous: WalChecksum): WalChecksum {
  let s0 = previous[0] | 0;
  let s1 = previous[1] | 0;
  for (let at = 0; at < words.length; at += 2) {
    s0 = (s0 + words[at]! + s1) | 0;
    s1 = (s1 + words[at + 1]! + s0) | 0;
  }
  return [s0 >>> 0, s1 >>> 0];
}

export function sameChecksum(a: WalChecksum, b: WalChecksum): boolean {
  return a[0] === b[0] && a[1] === b[1];
}
