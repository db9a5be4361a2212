/**
 * One file of a simulated disk: what programs read (the page cache) beside what a loss of power would leave (the
 * platter).
 *
 * The hard idea: a write goes to the cache at once, and to the platter at the next sync. What lies between is a list,
 * so that a loss of power can keep, drop or tear each of its writes, in any combination. Bytes that were synced and
 * not written since are never touched: that much a disk promises.
 */
import type { Random } from "../core/random.ts";
import type { Tally } from "./tally.ts";

export const SECTOR_SIZE = 512;

interface Write {
  readonly offset: number;
  readonly bytes: Uint8Array;
}

/** What becomes of writes that were not synced, in percent; the rest is kept. */
export interface PowerLoss {
  readonly dropPercent: number;
  readonly tearPercent: number;
  /** Of the torn writes: how many leave one sector of their own as garbage. */
  readonly garblePercent: number;
}

/** Bytes with a size of their own: what lies behind the buffer's end and before the size is zero. */
class Image {
  size = 0;
  private buffer = new Uint8Array(0);

  write(offset: number, bytes: Uint8Array, from: number, end: number): void {
    const last = offset + end;
    if (last > this.buffer.length) this.reserve(last);
    // Whole writes need no view of a part.
    this.buffer.set(from === 0 && end === bytes.length ? bytes : bytes.subarray(from, end), offset + from);
    if (last > this.size) this.size = last;
  }

  read(offset: number, length: number): Uint8Array {
    const end = Math.min(offset + length, this.size);
    const result = new Uint8Array(Math.max(0, end - offset));
    const stored = Math.min(end, this.buffer.length);
    if (stored > offset) result.set(this.buffer.subarray(offset, stored));
    return result;
  }

  /** Not copied. Zeros at the end may be missing. */
  stored(): Uint8Array {
    return this.buffer.subarray(0, this.size);
  }

  holds(offset: number, bytes: Uint8Array): boolean {
    if (offset + bytes.length > this.size) return false;
    for (let at = 0; at < bytes.length; at++) {
      if ((this.buffer[offset + at] ?? 0) !== bytes[at]) return false;
    }
    return true;
  }

  copyFrom(other: Image): void {
    this.buffer = other.buffer.slice();
    this.size = other.size;
  }

  private reserve(size: number): void {
    const grown = new Uint8Array(Math.max(size, 2 * this.buffer.length, 4096));
    grown.set(this.buffer);
    this.buffer = grown;
  }
}

export class SimulatedFile {
  private readonly cache = new Image();
  private readonly platter = new Image();
  private unsynced: Write[] = [];

  get size(): number {
    return this.cache.size;
  }

  get hasUnsynced(): boolean {
    return this.unsynced.length > 0;
  }

  write(offset: number, bytes: Uint8Array): void {
    this.cache.write(offset, bytes, 0, bytes.length);
    this.unsynced.push({ offset, bytes });
  }

  read(offset: number, length: number): Uint8Array {
    return this.cache.read(offset, length);
  }

  /** What any loss of power would leave. Not copied; zeros at the end may be missing. */
  durable(): Uint8Array {
    return this.platter.stored();
  }

  sync(): void {
    for (const write of this.unsynced) this.platter.write(write.offset, write.bytes, 0, write.bytes.length);
    this.unsynced = [];
  }

  preallocate(size: number): void {
    this.cache.size = Math.max(this.cache.size, size);
    this.platter.size = Math.max(this.platter.size, size);
  }

  losePower(loss: PowerLoss, random: Random, tally: Tally): void {
    const written = this.unsynced;
    this.unsynced = [];
    for (const write of written) {
      const fate = random.integer(0, 99);
      if (fate < loss.dropPercent) {
        tally.inject("lostWrite");
        if (!this.platter.holds(write.offset, write.bytes)) tally.effect("lostWrite");
      } else if (fate < loss.dropPercent + loss.tearPercent) {
        this.tear(write, loss, random, tally);
      } else {
        this.platter.write(write.offset, write.bytes, 0, write.bytes.length);
      }
    }
    this.cache.copyFrom(this.platter);
  }

  /** Each sector that the write touches is there or not. */
  private tear(write: Write, loss: PowerLoss, random: Random, tally: Tally): void {
    tally.inject("tornWrite");
    const garbled = random.chance(loss.garblePercent) ? random.integer(0, sectorCount(write) - 1) : -1;
    for (let from = 0, sector = 0; from < write.bytes.length; sector++) {
      const end = Math.min(write.bytes.length, from + SECTOR_SIZE - ((write.offset + from) % SECTOR_SIZE));
      if (sector === garbled) {
        tally.inject("garbledSector");
        tally.effect("garbledSector");
        this.platter.write(write.offset + from, random.bytes(end - from), 0, end - from);
      } else if (random.oneIn(2)) {
        this.platter.write(write.offset, write.bytes, from, end);
      }
      from = end;
    }
    if (!this.platter.holds(write.offset, write.bytes)) tally.effect("tornWrite");
  }
}

function sectorCount(write: Write): number {
  const first = Math.floor(write.offset / SECTOR_SIZE);
  return Math.floor((write.offset + Math.max(write.bytes.length, 1) - 1) / SECTOR_SIZE) - first + 1;
}
