/**
 * What a loss of power makes of one write that was not synced: it is kept, dropped, or torn at the units of the medium,
 * one of which may be left as garbage.
 */
import type { Random } from "../core/random.ts";
import type { Image } from "./image.ts";
import type { Tally } from "./tally.ts";

export const SECTOR_SIZE = 512;
/** Of a disk with large sectors, and of the system's cache. */
export const BLOCK_SIZE = 4096;

/** What becomes of writes that were not synced, in percent; the rest is kept. */
export interface PowerLoss {
  readonly dropPercent: number;
  readonly tearPercent: number;
  /** Of the torn writes: how many leave one unit of their own as garbage. */
  readonly garblePercent: number;
  /** At which boundaries writes tear: 512 or 4096 bytes. */
  readonly unit: number;
}

export interface Write {
  readonly offset: number;
  readonly bytes: Uint8Array;
}

/** Puts the write, or what is left of it, on the platter. `put` is told of each piece. Whether it is kept as it was. */
export function settleWrite(
  write: Write, loss: PowerLoss, random: Random, tally: Tally, platter: Image,
  put: (bytes: Uint8Array, from: number, end: number) => void,
): boolean {
  const fate = random.integer(0, 99);
  if (fate < loss.dropPercent) {
    tally.inject("lostWrite");
    if (!platter.holds(write.offset, write.bytes)) tally.effect("lostWrite");
  } else if (fate < loss.dropPercent + loss.tearPercent) {
    tally.inject("tornWrite");
    tearWrite(write, loss, random, tally, put);
    if (!platter.holds(write.offset, write.bytes)) tally.effect("tornWrite");
  } else {
    put(write.bytes, 0, write.bytes.length);
    return true;
  }
  return false;
}

/** Each unit that the write touches is there or not. */
function tearWrite(
  { offset, bytes }: Write, { garblePercent, unit }: PowerLoss, random: Random, tally: Tally,
  put: (bytes: Uint8Array, from: number, end: number) => void,
): void {
  const units = unitsOf(offset, bytes.length, unit);
  const garbled = random.chance(garblePercent) ? random.integer(0, units - 1) : -1;
  for (let from = 0, at = 0; from < bytes.length; at++) {
    const end = Math.min(bytes.length, from + unit - ((offset + from) % unit));
    if (at === garbled) {
      tally.inject("garbledSector");
      tally.effect("garbledSector");
      const garbage = bytes.slice();
      garbage.set(random.bytes(end - from), from);
      put(garbage, from, end);
    } else if (random.oneIn(2)) {
      put(bytes, from, end);
    }
    from = end;
  }
}

function unitsOf(offset: number, length: number, unit: number): number {
  return Math.floor((offset + Math.max(length, 1) - 1) / unit) - Math.floor(offset / unit) + 1;
}
