/**
 * The -wal file as SQLite believes it to be, over the frames of a page store (layout: core/wal/wal-format.ts). SQLite
 * reads whole pages, and while it commits writes headers and pages one by one; of frames that belong to a commit
 * nothing is ever written again. It is here that a transaction over the limit is stopped: before SQLite commits it.
 */
import { invariant } from "../invariant.ts";
import { FRAME_HEADER_SIZE, WAL_HEADER_SIZE } from "../wal/wal-format.ts";
import type { PageStore } from "../pages/page-store.ts";
import type { EngineMemory } from "./memory.ts";
import type { Notices } from "./notices.ts";
import { FULL, OK } from "./result-code.ts";
import { VfsFile } from "./vfs-file.ts";

export class WalFile extends VfsFile {
  private readonly store: PageStore;
  private readonly notices: Notices;
  /** A transaction may write so many frames. */
  private readonly maxFrames: number;

  constructor(memory: EngineMemory, store: PageStore, notices: Notices, maxFrames: number) {
    super(memory);
    this.store = store;
    this.notices = notices;
    this.maxFrames = maxFrames;
  }

  size(): number {
    const { frames, pageSize } = this.store;
    return frames.count === 0 ? 0 : WAL_HEADER_SIZE + frames.count * (FRAME_HEADER_SIZE + pageSize);
  }

  read(address: number, size: number, offset: number): number {
    const end = address + size;
    while (address < end) {
      if (this.frameAt(offset) >= this.store.frames.count) return this.shortRead(address, end);
      const piece = this.pieceAt(offset);
      const part = piece.length <= end - address ? piece : piece.subarray(0, end - address);
      this.memory.u8.set(part, address);
      address += part.length;
      offset += part.length;
    }
    return OK;
  }

  write(address: number, size: number, offset: number): number {
    const { frames, committedFrames } = this.store;
    const end = address + size;
    while (address < end) {
      const frame = this.frameAt(offset);
      if (frame >= 0) {
        invariant(frame >= committedFrames, "SQLite writes no frame of a commit again");
        if (frame >= committedFrames + this.maxFrames) {
          this.notices.payloadExceeded = true;
          return FULL;
        }
        frames.ensure(frame);
      }
      const piece = this.pieceAt(offset);
      const part = Math.min(piece.length, end - address);
      piece.set(this.memory.u8.subarray(address, address + part));
      address += part;
      offset += part;
    }
    return OK;
  }

  /** SQLite cuts a WAL to no more than a limit that nobody may set. */
  override truncate(_size: number): number {
    return OK;
  }

  /** The frame that an offset falls into; -1: the WAL's header. */
  private frameAt(offset: number): number {
    return Math.floor((offset - WAL_HEADER_SIZE) / (FRAME_HEADER_SIZE + this.store.pageSize));
  }

  /** The bytes from an offset to the end of the header or page that it lies in. */
  private pieceAt(offset: number): Uint8Array {
    if (offset < WAL_HEADER_SIZE) return this.store.walHeader.subarray(offset);
    const { frames, pageSize } = this.store;
    const frame = this.frameAt(offset);
    const within = offset - WAL_HEADER_SIZE - frame * (FRAME_HEADER_SIZE + pageSize);
    if (within === FRAME_HEADER_SIZE) return frames.page(frame);
    if (within > FRAME_HEADER_SIZE) return frames.page(frame).subarray(within - FRAME_HEADER_SIZE);
    return frames.headers.subarray(frame * FRAME_HEADER_SIZE + within, (frame + 1) * FRAME_HEADER_SIZE);
  }
}
