/**
 * SQLite's wal-index in shared memory (SQLite walformat §2): its header twice, the read marks, and for each frame its
 * page number in a hash table. SQLite writes it for the frames that it appends; this class for those that came by
 * replication.
 *
 * Region 0, 32 KiB:                                    Other regions, 32 KiB:
 *      0  the header, twice (wal-index-header.ts)           0  u32[4096] page numbers
 *     96  u32  frames already in the base image         16384  u16[8192] hash slots
 *    100  u32[5]  read marks
 *    120  u8[8]  lock bytes, unused here
 *    128  u32  frames that a checkpoint attempted
 *    136  u32[4062] page numbers of the frames 1 to 4062
 *  16384  u16[8192] hash slots
 *
 * A slot holds a frame's place within its region, from 1; a page's slot is (page number * 383) mod 8192 or the next
 * free one. Slots above a reader's own last frame are ignored by it: that is what lets two views share the tables.
 */
import { invariant } from "../invariant.ts";
import type { SharedMemory } from "./shared-memory.ts";
import { readWalIndexHeader, WAL_INDEX_HEADER_SIZE } from "./wal-index-header.ts";
import type { WalIndexHeader } from "./wal-index-header.ts";

export const REGION_SIZE = 32768;

const MAX_FRAME_AT = 16;
const BACKFILLED_AT = 96;
const READ_MARKS_AT = 100;
const BACKFILL_ATTEMPTED_AT = 128;
const READ_MARK_UNUSED = 0xffffffff;

const FIRST_PAGE_NUMBERS_AT = 136;
const SLOTS_AT = 16384;
const SLOTS = 8192;
const FRAMES_IN_REGION = 4096;
const FRAMES_IN_FIRST_REGION = 4062;
const HASH_FACTOR = 383;

export class WalIndex {
  private readonly memory: SharedMemory;
  private readonly regions: number[] = [];

  constructor(memory: SharedMemory) {
    this.memory = memory;
    this.region(0);
    this.clear();
  }

  /** How many regions exist. */
  get size(): number {
    return this.regions.length;
  }

  /** The address of a region, which is made, and filled with zeros, if it is not there yet. */
  region(number: number): number {
    while (this.regions.length <= number) {
      const address = this.memory.allocate(REGION_SIZE);
      this.memory.u8.fill(0, address, address + REGION_SIZE);
      this.regions.push(address);
    }
    return this.regions[number]!;
  }

  install(header: WalIndexHeader): void {
    const address = this.regions[0]!;
    this.memory.u8.set(header.bytes, address);
    this.memory.u8.set(header.bytes, address + WAL_INDEX_HEADER_SIZE);
  }

  maxFrame(): number {
    return this.memory.u32[(this.regions[0]! + MAX_FRAME_AT) >> 2]!;
  }

  /** A copy of the header as it stands. */
  header(): WalIndexHeader {
    const address = this.regions[0]!;
    return readWalIndexHeader(this.memory.u8.slice(address, address + WAL_INDEX_HEADER_SIZE));
  }

  /** Enters a frame, counted from 1; its predecessors are there. */
  append(frame: number, pageNumber: number): void {
    const place = placeOf(frame);
    const address = this.region(place.region);
    const { u8, u16, u32 } = this.memory;
    const numbersAt = address + (place.region === 0 ? FIRST_PAGE_NUMBERS_AT : 0);
    // As SQLite does: the first frame of a region finds whatever an earlier, longer WAL left there.
    if (place.within === 1) u8.fill(0, numbersAt, address + REGION_SIZE);
    const numberAt = (numbersAt >> 2) + place.within - 1;
    invariant(u32[numberAt] === 0, "a frame is appended behind the last one");
    const slots = (address + SLOTS_AT) >> 1;
    let slot = Math.imul(pageNumber, HASH_FACTOR) & (SLOTS - 1);
    while (u16[slots + slot] !== 0) slot = (slot + 1) & (SLOTS - 1);
    u32[numberAt] = pageNumber;
    u16[slots + slot] = place.within;
  }

  /** Forgets the frames above `maxFrame`. Whole regions above are wiped when they are next begun. */
  truncate(maxFrame: number): void {
    if (maxFrame === 0) return;
    const place = placeOf(maxFrame);
    const address = this.regions[place.region];
    if (address === undefined) return;
    const { u8, u16 } = this.memory;
    const slots = (address + SLOTS_AT) >> 1;
    for (let slot = 0; slot < SLOTS; slot++) if (u16[slots + slot]! > place.within) u16[slots + slot] = 0;
    const numbersAt = address + (place.region === 0 ? FIRST_PAGE_NUMBERS_AT : 0);
    u8.fill(0, numbersAt + 4 * place.within, address + SLOTS_AT);
  }

  /** The WAL begins anew: nothing of it is in the base image, and no read mark means anything. */
  clear(): void {
    const address = this.regions[0]!;
    const { u32 } = this.memory;
    u32[(address + BACKFILLED_AT) >> 2] = 0;
    u32[(address + BACKFILL_ATTEMPTED_AT) >> 2] = 0;
    const marks = (address + READ_MARKS_AT) >> 2;
    u32[marks] = 0;
    u32[marks + 1] = 0;
    u32.fill(READ_MARK_UNUSED, marks + 2, marks + 5);
  }
}

/** In which region a frame's number stands, and where in it, from 1. */
function placeOf(frame: number): { readonly region: number; readonly within: number } {
  if (frame <= FRAMES_IN_FIRST_REGION) return { region: 0, within: frame };
  const beyond = frame - FRAMES_IN_FIRST_REGION - 1;
  const region = 1 + Math.floor(beyond / FRAMES_IN_REGION);
  return { region, within: (beyond % FRAMES_IN_REGION) + 1 };
}
