/**
 * Frames: messages of any protocol of ours over a stream of bytes, such as a TCP connection. Little-endian.
 *
 *    0   4  magic: the characters "qlf1", which also name the version
 *    4   4  size of the body in bytes
 *    8   4  CRC-32C of the body
 *   12   4  CRC-32C of the twelve bytes before it
 *   16      the body
 *
 * The header has a checksum of its own, because a size is acted on before the body is there: a flipped bit in it would
 * otherwise have the reader wait for bytes that nobody is going to send.
 */
import { crc32c } from "../checksum.ts";
import { invariant } from "../invariant.ts";

export const FRAME_HEADER_SIZE = 16;

/** A body's buffer starts with at most so much, and grows as bytes arrive: an announced size alone costs no memory. */
const FIRST_BODY_CAPACITY = 64 * 1024;

const MAGIC = 0x31666c71;

/** Why a stream is not, or no longer, one of frames. There is no way on from it: what follows cannot be delimited. */
export interface FrameFault {
  readonly type: "badMagic" | "badHeader" | "oversized" | "badChecksum";
  /** The number of bytes of the stream before the frame. */
  readonly offset: number;
  readonly detail: string;
}

/** The header to send before `body`, for drivers that write the two without joining them. */
export function frameHeader(body: Uint8Array): Uint8Array {
  const header = new Uint8Array(FRAME_HEADER_SIZE);
  const view = new DataView(header.buffer);
  view.setUint32(0, MAGIC, true);
  view.setUint32(4, body.length, true);
  view.setUint32(8, crc32c(body), true);
  view.setUint32(12, crc32c(header, 0, 12), true);
  return header;
}

export function encodeFrame(body: Uint8Array): Uint8Array {
  const frame = new Uint8Array(FRAME_HEADER_SIZE + body.length);
  frame.set(frameHeader(body));
  frame.set(body, FRAME_HEADER_SIZE);
  return frame;
}

/**
 * Takes a stream in chunks of any size and gives its frames' bodies, until the first fault, which is final.
 * Each body has a buffer of its own: a small one does not keep the large chunk alive that it came in.
 */
export class FrameReader {
  /** null: so far the stream is one of frames. */
  fault: FrameFault | null = null;
  private readonly maxBodyBytes: number;
  private readonly header = new Uint8Array(FRAME_HEADER_SIZE);
  private readonly headerView = new DataView(this.header.buffer);
  private headerSize = 0;
  /** Grows up to the announced size; null: the header is not complete. */
  private body: Uint8Array | null = null;
  private bodySize = 0;
  /** The number of bytes before the frame being read. */
  private frameOffset = 0;

  constructor(maxBodyBytes: number) {
    this.maxBodyBytes = maxBodyBytes;
  }

  /** Whether the stream may end here without having been cut within a frame. */
  get isBetweenFrames(): boolean {
    return this.headerSize === 0;
  }

  /** The bodies that `chunk` completes. The chunk is not kept. */
  push(chunk: Uint8Array): Uint8Array[] {
    const bodies: Uint8Array[] = [];
    let at = 0;
    while (this.fault === null) {
      if (this.body === null) {
        at += this.takeHeader(chunk, at);
        if (this.fault !== null || this.headerSize < FRAME_HEADER_SIZE) break;
        this.beginBody();
      } else {
        at += this.takeBody(this.body, chunk, at);
        if (this.bodySize < this.announcedSize()) break;
        this.endBody(bodies);
      }
    }
    return bodies;
  }

  private takeHeader(chunk: Uint8Array, at: number): number {
    const count = Math.min(FRAME_HEADER_SIZE - this.headerSize, chunk.length - at);
    this.header.set(chunk.subarray(at, at + count), this.headerSize);
    this.headerSize += count;
    // A stranger may fall silent after fewer bytes than a header has: tell at the fourth.
    if (this.headerSize >= 4 && this.headerView.getUint32(0, true) !== MAGIC) {
      this.fail("badMagic", "the stream is not one of quorumlite's frames");
    }
    return count;
  }

  private beginBody(): void {
    const size = this.announcedSize();
    if (crc32c(this.header, 0, 12) !== this.headerView.getUint32(12, true)) {
      this.fail("badHeader", "a frame's header does not have its checksum");
    } else if (size > this.maxBodyBytes) {
      this.fail("oversized", `a frame of ${size} bytes was announced, at most ${this.maxBodyBytes} are accepted`);
    } else {
      this.body = new Uint8Array(Math.min(size, FIRST_BODY_CAPACITY));
      this.bodySize = 0;
    }
  }

  private takeBody(body: Uint8Array, chunk: Uint8Array, at: number): number {
    const count = Math.min(this.announcedSize() - this.bodySize, chunk.length - at);
    let target = body;
    if (this.bodySize + count > body.length) {
      const capacity = Math.max(this.bodySize + count, body.length * 2);
      target = new Uint8Array(Math.min(capacity, this.announcedSize()));
      target.set(body.subarray(0, this.bodySize));
      this.body = target;
    }
    target.set(chunk.subarray(at, at + count), this.bodySize);
    this.bodySize += count;
    return count;
  }

  private endBody(bodies: Uint8Array[]): void {
    const body = this.body;
    invariant(body !== null && body.length === this.announcedSize(), "a complete body fills its buffer");
    if (crc32c(body) !== this.headerView.getUint32(8, true)) {
      this.fail("badChecksum", "a frame's body does not have its checksum");
      return;
    }
    bodies.push(body);
    this.frameOffset += FRAME_HEADER_SIZE + body.length;
    this.headerSize = 0;
    this.body = null;
  }

  private announcedSize(): number {
    return this.headerView.getUint32(4, true);
  }

  private fail(type: FrameFault["type"], detail: string): void {
    this.fault = { type, offset: this.frameOffset, detail };
    this.body = null;
  }
}
