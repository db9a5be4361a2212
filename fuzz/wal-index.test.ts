/**
 * The wal-index beside a list of page numbers: whatever was appended and cut off, a look-up by SQLite's own rule finds
 * the newest frame of a page, under every header. And the rolling checksum beside one computed from nothing.
 */
import { expect, test } from "vitest";
import { RollingChecksum } from "../core/pages/rolling-checksum.ts";
import type { SharedMemory } from "../core/pages/shared-memory.ts";
import { WalIndex } from "../core/pages/wal-index.ts";
import { Random } from "../core/random.ts";
import { FUZZ_SCALE, FUZZ_SEED } from "./chance.ts";

/** Memory that is full of old content, as freed memory is. */
function dirtyMemory(bytes: number): SharedMemory {
  const u8 = new Uint8Array(bytes).fill(0xa5);
  let end = 8;
  const allocate = (size: number): number => {
    end += size;
    if (end > bytes) throw new Error("the test has too little memory");
    return end - size;
  };
  return { u8, u16: new Uint16Array(u8.buffer), u32: new Uint32Array(u8.buffer), allocate };
}

/** SQLite's walFindFrame: the newest frame up to `maxFrame` that holds the page; 0: none does. */
function find(memory: SharedMemory, index: WalIndex, pageNumber: number, maxFrame: number): number {
  for (let region = maxFrame <= 4062 ? 0 : 1 + Math.floor((maxFrame - 4063) / 4096); region >= 0; region--) {
    const zero = region === 0 ? 0 : 4062 + (region - 1) * 4096;
    const address = index.region(region);
    const numbers = (address + (region === 0 ? 136 : 0)) / 4;
    let found = 0;
    for (let slot = (pageNumber * 383) % 8192; ; slot = (slot + 1) % 8192) {
      const within = memory.u16[(address + 16384) / 2 + slot]!;
      if (within === 0) break;
      if (zero + within <= maxFrame && memory.u32[numbers + within - 1] === pageNumber)
        found = Math.max(found, zero + within);
    }
    if (found > 0) return found;
  }
  return 0;
}

test("the newest frame of a page is found under every header", () => {
  const random = Random.fromNumber(FUZZ_SEED);
  const memory = dirtyMemory(32768 * 5);
  const index = new WalIndex(memory);
  let frames: number[] = [];
  for (let round = 0; round < 25 * FUZZ_SCALE; round++) {
    const appended = random.integer(1, random.oneIn(3) ? 4200 : 60);
    for (let at = 0; at < appended && frames.length < 12_000; at++) {
      frames.push(random.integer(1, random.oneIn(2) ? 50 : 100_000));
      index.append(frames.length, frames.at(-1)!);
    }
    for (let look = 0; look < 40; look++) {
      const maxFrame = random.integer(0, frames.length);
      const pageNumber = random.oneIn(4) ? random.integer(1, 100_000) : random.pick(frames);
      expect(find(memory, index, pageNumber, maxFrame)).toBe(frames.slice(0, maxFrame).lastIndexOf(pageNumber) + 1);
    }
    // Cut off some, all, or exactly to where a region ends.
    const keep = random.pick([frames.length, 0, random.integer(0, frames.length), Math.min(4062, frames.length)]);
    index.truncate(keep);
    frames = frames.slice(0, keep);
  }
});

test("the rolling checksum is the same whatever the way, and differs for different pages", () => {
  const random = Random.fromNumber(FUZZ_SEED);
  const rolling = new RollingChecksum();
  const pages = new Map<number, number>();
  const seen = new Map<number, string>();
  for (let round = 0; round < 500 * FUZZ_SCALE; round++) {
    if (random.oneIn(10)) {
      const pageCount = random.integer(0, 60);
      rolling.truncate(pageCount);
      for (const pageNumber of [...pages.keys()]) if (pageNumber > pageCount) pages.delete(pageNumber);
    } else {
      const pageNumber = random.integer(1, 60);
      const crc = random.oneIn(8) ? 0 : random.u32();
      rolling.set(pageNumber, crc);
      pages.set(pageNumber, crc);
    }
    const scratch = new RollingChecksum();
    for (const [pageNumber, crc] of [...pages].toSorted()) scratch.set(pageNumber, crc);
    const value = rolling.value(60);
    expect(value).toBe(scratch.value(60));
    expect(Number.isSafeInteger(value)).toBe(true);
    expect(rolling.value(61)).not.toBe(value);
    const content = JSON.stringify([...pages].toSorted(([a], [b]) => a - b));
    expect(seen.get(value) ?? content).toBe(content);
    seen.set(value, content);
  }
});
