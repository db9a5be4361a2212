/**
 * Reading a file front to back through one bounded buffer, as a generator of disk operations. Going back is allowed and
 * costs a read.
 */
import { crc32c } from "../checksum.ts";
import type { DiskNews, DiskOperation } from "./disk.ts";
import { resultOf } from "./disk-result.ts";

/** Something that asks the disk while it computes a T. */
export type DiskProcedure<T> = Generator<DiskOperation, T, DiskNews>;

export class FileWindow {
  readonly file: string;
  /** Size of the file in bytes. */
  readonly size: number;
  /** How much is read at once, unless more is asked for. */
  readonly chunkBytes: number;
  private chunk: Uint8Array = new Uint8Array(0);
  private chunkAt = 0;

  constructor(file: string, size: number, chunkBytes: number) {
    this.file = file;
    this.size = size;
    this.chunkBytes = chunkBytes;
  }

  /** The bytes [offset, offset + length), fewer only at the end of the file. Valid until the next call. */
  *take(offset: number, length: number): DiskProcedure<Uint8Array> {
    if (offset >= this.size) return new Uint8Array(0);
    const end = Math.min(offset + length, this.size);
    if (offset < this.chunkAt || end > this.chunkAt + this.chunk.length) {
      const wanted = Math.min(Math.max(length, this.chunkBytes), this.size - offset);
      const result = yield { type: "read", file: this.file, offset, length: wanted };
      this.chunk = resultOf(result, "read").bytes;
      this.chunkAt = offset;
    }
    return this.chunk.subarray(offset - this.chunkAt, Math.max(end - this.chunkAt, 0));
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
}
