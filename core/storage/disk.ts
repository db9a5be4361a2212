/**
 * What the core asks of a disk: the vocabulary of io/ (real files) and of sim/ (files that lose, tear and keep writes).
 *
 * The contract, which both adapters are tested against:
 * - operations on one file take effect in the order given; operations on different files in any order;
 * - every operation is answered exactly once, by DiskDone or DiskFailed of its ticket, in any order across files;
 * - a write is not durable until a later `sync` of that file is answered. A crash keeps, drops or tears each write that
 *   is not (at 512-byte granularity), in any combination; one sector of a torn write may hold garbage;
 * - a file created, renamed or removed is so durably only after `syncDirectory`;
 * - names are plain file names in the one directory that the node owns: `[a-z0-9][a-z0-9.-]*`.
 */
import type { Ticket } from "../types.ts";

export type DiskOperation =
  /** Creates the file if it is missing and `create` is set. Result: size in bytes, or null where it is missing. */
  | { readonly type: "open"; readonly file: string; readonly create: boolean }
  /**
   * Writes all bytes at the offset, extending the file where needed. The core writes into `bytes` again, if ever, only
   * after a later sync of the file has been answered.
   */
  | { readonly type: "write"; readonly file: string; readonly offset: number; readonly bytes: Uint8Array }
  /** Reads up to `length` bytes: fewer only at the end of the file. `into`: room, which the result may lie in. */
  | {
    readonly type: "read"; readonly file: string; readonly offset: number; readonly length: number;
    readonly into?: Uint8Array | undefined;
  }
  /** All earlier writes to this file become durable (fdatasync). */
  | { readonly type: "sync"; readonly file: string }
  /** Extends the file with zeros to `size`, durably reserving the space. Never shrinks. May fail for want of space. */
  | { readonly type: "preallocate"; readonly file: string; readonly size: number }
  | { readonly type: "rename"; readonly from: string; readonly to: string }
  | { readonly type: "unlink"; readonly file: string }
  | { readonly type: "list" }
  | { readonly type: "syncDirectory" };

export type DiskResult =
  | { readonly type: "open"; readonly size: number | null }
  | { readonly type: "read"; readonly bytes: Uint8Array }
  | { readonly type: "list"; readonly files: readonly string[] }
  /** write, sync, preallocate, rename, unlink, syncDirectory. */
  | { readonly type: "done" };

/** What a procedure hears of an operation: its result, or a failure that is not the end (disk-failure.ts). */
export type DiskNews = DiskResult | { readonly type: "failed"; readonly failure: DiskFailure };

/** Why the world could not do it. `code` is the system's name for it ("EIO", "ENOSPC", "EACCES"). */
export interface DiskFailure {
  readonly code: string;
  readonly file: string | null;
  readonly message: string;
}

/** What a driver is handed, and what it answers. */
export interface DiskOrder {
  readonly ticket: Ticket;
  readonly operation: DiskOperation;
}

export type DiskAnswer =
  | { readonly type: "DiskDone"; readonly ticket: Ticket; readonly result: DiskResult }
  | { readonly type: "DiskFailed"; readonly ticket: Ticket; readonly failure: DiskFailure };
