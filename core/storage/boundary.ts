/**
 * The boundary of storage/: what Replica asks of its log and hard state, and how recovery reports.
 *
 * `Storage` is a machine of its own: it turns Persists into disk operations by group commit (one write and one sync for
 * all that waits), reads entries back, and says which Persists are durable. It holds no payload longer than a write
 * needs it.
 */
import type { Rarely } from "../rare-course.ts";
import type { Entry, EntryId, HardState, Identity, LogIndex, MemberId, NodeId, Ticket } from "../types.ts";
import type { ReadPurpose, RecoveredLog } from "../raft/boundary.ts";
import type { StoredPage } from "../pages/page-cut.ts";
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
  /** The highest entry that this disk may have acknowledged and no longer has; null: nothing is lost (rule 13). */
  readonly lost: EntryId | null;
  /** How many bytes of a torn write were cut from the end of the log; 0: it was whole. */
  readonly tornBytes: number;
  /** What was found damaged. It has been mended from a second copy, or is `lost`. */
  readonly damage: readonly StorageFault[];
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
  /** Whether a rare course is taken (core/rare-course.ts); never, unless told. */
  readonly rarely?: Rarely | undefined;
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
  /** Answers `checkpoint`: it is durable, in the place of any older one. */
  | { readonly type: "SnapshotStored"; readonly snapshot: SnapshotId }
  /** Files of the stored snapshot have been merged: the same entry, another stream. */
  | { readonly type: "SnapshotRewritten"; readonly snapshot: SnapshotId }
  /** Answers `checkpoint`, too: there was no space for it, or a newer snapshot has been installed meanwhile. */
  | { readonly type: "SnapshotAbandoned" }
  /** Comes with either of the two: the cut's pages are not read any more. Not stored: the next cut has to have them. */
  | { readonly type: "CutEnded"; readonly isStored: boolean }
  /**
   * Answers `storeChunk`: written, not necessarily durable. `end`: where the stream goes on, beyond what this disk has
   * already; null: there was no space, what had been stored of it is gone.
   */
  | { readonly type: "ChunkStored"; readonly snapshot: SnapshotId; readonly end: number | null }
  /** Answers `readSnapshot`, in the order of the requests. `bytes` null: that snapshot is no longer there. */
  | {
      readonly type: "SnapshotRead";
      readonly to: MemberId;
      readonly snapshot: SnapshotId;
      readonly offset: number;
      readonly bytes: Uint8Array | null;
    }
  /** What `restore` leads to, in this order; each page once. Nothing comes if a newer snapshot is being restored. */
  | RestoreStep
  /** Whether there is room for payloads: on the disk, and within what the log may keep. At the start there is. */
  | { readonly type: "SpaceChanged"; readonly hasSpace: boolean }
  /** Scrubbing has found damage. `remedy`: what is being done about it, in words for operators. */
  | { readonly type: "DamageFound"; readonly fault: StorageFault; readonly remedy: string }
  /** Pages of the stored snapshot are damaged, and those in memory are not: they belong into the next cut. */
  | { readonly type: "PagesDamaged"; readonly numbers: readonly number[] }
  /**
   * The state should be stored though that is not due, so that the log loses at least what lies at or below `through`:
   * entries there are damaged. 0: as much as it may; there is no space, or pages are damaged.
   */
  | { readonly type: "SnapshotWanted"; readonly through: LogIndex }
  /** A page that was about to be written is not what its checksum says. Nothing of it is on the disk. */
  | { readonly type: "MemoryDamaged"; readonly detail: string }
  /**
   * In the course of a restore the stored snapshot has been found damaged: it is of no use any more. Nothing more comes
   * of that restore.
   */
  | { readonly type: "SnapshotDamaged"; readonly fault: StorageFault }
  /** Answers `quarantine`: the mark is durable. The next start discards log and snapshot. */
  | { readonly type: "Quarantined" }
  /** Answers `close`: every order is durable, no disk operation is under way. The last effect. */
  | { readonly type: "Closed" }
  /** An operation failed or a file is unsound. The last effect: nothing is retried, nothing more is done. */
  | { readonly type: "Failed"; readonly fault: StorageFault };

export type RestoreStep =
  | { readonly type: "RestoreStarted"; readonly entry: EntryId; readonly pageSize: number; readonly pageCount: number }
  /** Their bytes are given up. */
  | { readonly type: "PagesRestored"; readonly pages: readonly StoredPage[] }
  /** `checksum`: of the whole database, as the snapshot names it. */
  | { readonly type: "RestoreFinished"; readonly entry: EntryId; readonly checksum: number };

export interface StorageLimits {
  /** Of a segment of the log, as it is preallocated; one whose first record is larger is larger. */
  readonly segmentBytes: number;
  /** One write of the group commit carries at most about so many bytes; so does one of a snapshot's files. */
  readonly maxWriteBytes: number;
  /** The log keeps at most about so many bytes, or two segments; beyond it SpaceChanged says that there is no room. */
  readonly maxLogBytes: number;
  /**
   * So much more is kept free, in the file `reserve`, than the next checkpoint needs by what the log holds: for what
   * files and filesystems take besides, and, to a half, for segments in which no-ops and configurations find room.
   */
  readonly reserveBytes: number;
  /** Each `tick` scrubs about so many bytes. */
  readonly scrubBytes: number;
  /** How often Replica calls `tick`. */
  readonly tickMs: number;
}

const KIB = 1024;
const MIB = 1024 * KIB;

export const DEFAULT_STORAGE_LIMITS: StorageLimits = {
  segmentBytes: 4 * MIB,
  maxWriteBytes: MIB,
  maxLogBytes: 512 * MIB,
  reserveBytes: MIB,
  scrubBytes: MIB,
  tickMs: 1000,
};
