/**
 * The boundary of storage/: what Replica asks of its log and hard state, and how recovery reports.
 *
 * `Storage` is a machine of its own: it turns Persists into disk operations by group commit (one write and one sync for
 * all that waits), reads entries back, and says which Persists are durable. It holds no payload longer than a write
 * needs it.
 */
import type { Entry, EntryId, HardState, Identity, LogIndex, MemberId, NodeId, Ticket } from "../types.ts";
import type { ReadPurpose, RecoveredLog } from "../raft/boundary.ts";
import type { SnapshotId } from "../raft/message.ts";
import type { DiskOrder } from "./disk.ts";

/** Why a data directory cannot be used. Each names the file, and the offset where one is known. */
export type StorageFault =
  | { readonly type: "corrupt"; readonly file: string; readonly offset: number; readonly detail: string }
  | { readonly type: "wrongVersion"; readonly file: string; readonly found: number; readonly expected: number }
  /** The directory belongs to another node or another cluster than the one that was asked for. */
  | { readonly type: "wrongIdentity"; readonly file: string; readonly found: string; readonly expected: string }
  | { readonly type: "diskFailed"; readonly file: string | null; readonly code: string; readonly detail: string };

export interface Recovered {
  /** null: the directory is empty, this node has no identity yet. */
  readonly identity: Identity | null;
  readonly hardState: HardState;
  readonly log: RecoveredLog;
  /** At or above the log's base; null: the base is 0/0. */
  readonly snapshot: SnapshotId | null;
  /** How many bytes of a torn write were cut from the end of the log; 0: it was whole. */
  readonly tornBytes: number;
}

/** One Persist of raft/, as storage sees it. */
export interface PersistOrder {
  readonly ticket: Ticket;
  readonly hardState: HardState | null;
  /**
   * All its chunks have been stored: it replaces the snapshot, and the log unless that holds its entry. Durable after
   * the hard state and before the truncation and the entries of the same order.
   */
  readonly snapshot: SnapshotId | null;
  readonly truncateTo: LogIndex | null;
  readonly entries: readonly Entry[];
}

export interface StorageOptions {
  /** Whose directory it has to be. */
  readonly node: NodeId;
  readonly limits: StorageLimits;
}

export type StorageEffect =
  /**
   * To be performed and answered through `Storage.answered`. Storage assigns the tickets, from 1 on. In one list these
   * come before all news, so that whoever acts upon news by a new order at once keeps the operations in their order.
   */
  | ({ readonly type: "Disk" } & DiskOrder)
  /** Answers `start`: the directory is sound, and all that is reported of it is durable. */
  | { readonly type: "Recovered"; readonly recovered: Recovered }
  /** Answers `writeIdentity`: it is durable. */
  | { readonly type: "IdentityWritten"; readonly identity: Identity }
  /**
   * Answers `persist`: the order of this ticket is durable, and so is every earlier one. In the order of the tickets.
   */
  | { readonly type: "Persisted"; readonly ticket: Ticket }
  /** Answers `requestRead`: at least one entry, consecutive from the index asked for. */
  | { readonly type: "EntriesRead"; readonly purpose: ReadPurpose; readonly entries: readonly Entry[] }
  /** Answers `storeSnapshot`: it is durable, in the place of any older one; or a newer one has been installed. */
  | { readonly type: "SnapshotStored"; readonly snapshot: SnapshotId }
  /** Answers `storeChunk`: written, not necessarily durable. */
  | { readonly type: "ChunkStored"; readonly entry: EntryId; readonly end: number }
  /** Answers `readSnapshot`, in the order of the requests. `bytes` null: that snapshot is no longer there. */
  | { readonly type: "SnapshotRead"; readonly reader: SnapshotReader; readonly bytes: Uint8Array | null }
  /** Answers `close`: every order is durable, no disk operation is under way. The last effect. */
  | { readonly type: "Closed" }
  /** An operation failed or a file is unsound. The last effect: nothing is retried, nothing more is done. */
  | { readonly type: "Failed"; readonly fault: StorageFault };

/** Who wants a piece of the stored snapshot, and which. */
export type SnapshotReader =
  /** A member that lags behind. */
  | { readonly type: "member"; readonly to: MemberId; readonly entry: EntryId; readonly offset: number }
  /** This node's own state: all of it. */
  | { readonly type: "restore"; readonly entry: EntryId };

export interface StorageLimits {
  /** The log file grows by zero-filled steps of so many bytes, so that a commit's sync writes no metadata. */
  readonly preallocateBytes: number;
  /** One write of the group commit carries at most about so many bytes. */
  readonly maxWriteBytes: number;
}

export const DEFAULT_STORAGE_LIMITS: StorageLimits = {
  // A step is written as zeros and synced, and the commit behind it waits for so long: it must be short.
  preallocateBytes: 1024 * 1024,
  maxWriteBytes: 4 * 1024 * 1024,
};
