/**
 * Reading a file front to back through one bounded buffer, as a generator of disk operations. Going back is allowed and
 * costs a read.
 *
 * What cannot be read is no failure here: it reads as zeros, and the window knows where that is, to a block of 4096
 * bytes. Whoever takes bytes asks it, or finds a checksum broken.
 */
import { crc32c } from "../checksum.ts";
import type { DiskNews, DiskOperation } from "./disk.ts";
import { bytesOf } from "./disk-result.ts";

/** Something that asks the disk while it computes a T. */
export type DiskProcedure<T> = Generator<DiskOperation, T, DiskNews>;

/** What a disk cannot read is one of these at least. */
export const BLOCK_SIZE = 4096;

export class FileWindow {
  readonly file: string;
  /** Size of the file in bytes. */
  readonly size: number;
  /** How much is read at once, unless more is asked for. */
  readonly chunkBytes: number;
  /** Numbers of the blocks that could not be read, of what has been taken so far. */
  readonly unreadable = new Set<number>();
  private chunk: Uint8Array = new Uint8Array(0);
  private chunkAt = 0;
  private readonly isThere: () => boolean;

  /** @param isThere asked before each read: where the file may go meanwhile; nothing is taken of one that has gone */
  constructor(file: string, size: number, chunkBytes: number, isThere: () => boolean = () => true) {
    this.file = file;
    this.isThere = isThere;
    this.size = size;
    this.chunkBytes = chunkBytes;
  }

  /** The bytes [offset, offset + length), fewer only at the end of the file. Valid until the next call. */
  *take(offset: number, length: number): DiskProcedure<Uint8Array> {
    if (offset >= this.size) return new Uint8Array(0);
    const end = Math.min(offset + length, this.size);
    if (offset < this.chunkAt || end > this.chunkAt + this.chunk.length) {
      const wanted = Math.min(Math.max(length, this.chunkBytes), this.size - offset);
      this.chunk = yield* this.read(offset, wanted);
      this.chunkAt = offset;
    }
    return this.chunk.subarray(offset - this.chunkAt, Math.max(end - this.chunkAt, 0));
  }

  /** Where the first bytes of [from, end), all of which have been taken, cannot be read; null: they can. */
  unreadableIn(from: number, end: number): number | null {
    if (this.unreadable.size === 0) return null;
    for (let block = Math.floor(from / BLOCK_SIZE); block * BLOCK_SIZE < end; block++) {
      if (this.unreadable.has(block)) return Math.max(from, block * BLOCK_SIZE);
    }
    return null;
  }

  /** CRC-32C of the bytes [from, end), which lie within the file. */
  *checksum(from: number, end: number): DiskProcedure<number> {
    let checksum = 0;
    for (let at = from; at < end; ) {
      const bytes = yield* this.take(at, Math.min(end - at, this.chunkBytes));
      checksum = crc32c(bytes, 0, bytes.length, checksum);
      // A file shorter than it said it was: the checksum will not match.
      if (bytes.length === 0) break;
      at += bytes.length;
    }
    return checksum;
  }

  private *read(offset: number, length: number): DiskProcedure<Uint8Array> {
    if (!this.isThere()) return new Uint8Array(0);
    const whole = bytesOf(yield { type: "read", file: this.file, offset, length });
    if (whole !== null) return whole;
    const bytes = new Uint8Array(length);
    for (let at = offset; at < offset + length && this.isThere();) {
      const block = Math.floor(at / BLOCK_SIZE);
      const end = Math.min((block + 1) * BLOCK_SIZE, offset + length);
      const piece = bytesOf(yield { type: "read", file: this.file, offset: at, length: end - at });
      if (piece === null) this.unreadable.add(block);
      else bytes.set(piece, at - offset);
      at = end;
    }
    return bytes;
  }
}
