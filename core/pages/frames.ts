/**
 * The frames of one WAL, in memory: headers in one array of bytes, pages in buffers of their own. Frames are counted
 * from 0 here; SQLite's frame number is one more. The list owns the buffers of its pages until they are moved out.
 */
import { invariant } from "../invariant.ts";
import { FRAME_HEADER_SIZE, encodeFrameHeader } from "../wal/wal-format.ts";
import type { FrameHeader } from "../wal/wal-format.ts";
import type { PageBuffers } from "./page-buffers.ts";

export class Frames {
  /** One after another, FRAME_HEADER_SIZE bytes each. */
  headers: Uint8Array = new Uint8Array(FRAME_HEADER_SIZE * 64);
  private readonly buffers: PageBuffers;
  private readonly pages: Uint8Array[] = [];

  constructor(buffers: PageBuffers) {
    this.buffers = buffers;
  }

  /** How many frames there are, those of an unfinished transaction included. */
  get count(): number {
    return this.pages.length;
  }

  page(frame: number): Uint8Array {
    const page = this.pages[frame];
    invariant(page !== undefined, "a frame that is asked for exists");
    return page;
  }

  pageNumber(frame: number): number {
    const at = frame * FRAME_HEADER_SIZE;
    const { headers } = this;
    return ((headers[at]! << 24) | (headers[at + 1]! << 16) | (headers[at + 2]! << 8) | headers[at + 3]!) >>> 0;
  }

  /** Makes the frame if it is the next one; its page's content is anything until it is written. */
  ensure(frame: number): void {
    invariant(frame <= this.pages.length, "frames are written without gaps");
    if (frame < this.pages.length) return;
    const end = (frame + 1) * FRAME_HEADER_SIZE;
    if (end > this.headers.length) {
      const grown = new Uint8Array(this.headers.length * 2);
      grown.set(this.headers);
      this.headers = grown;
    }
    this.pages.push(this.buffers.take());
  }

  append(header: FrameHeader, bytes: Uint8Array): void {
    const frame = this.pages.length;
    this.ensure(frame);
    encodeFrameHeader(header, this.headers, frame * FRAME_HEADER_SIZE);
    this.page(frame).set(bytes);
  }

  truncate(count: number): void {
    while (this.pages.length > count) this.buffers.give(this.pages.pop()!);
  }

  /** Takes the first `count` frames out; their pages belong to the caller. The others move to the front. */
  shift(count: number): Uint8Array[] {
    this.headers.copyWithin(0, count * FRAME_HEADER_SIZE, this.pages.length * FRAME_HEADER_SIZE);
    return this.pages.splice(0, count);
  }
}
