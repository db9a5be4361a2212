/**
 * The boundary of storage/: what Replica asks of its log and hard state, and how recovery reports.
 *
 * `Storage` is a machine of its own: it turns Persists into disk operations by group commit (one write and one sync for
 * all that waits), reads entries back, and says which Persists are durable. It holds no payload longer than a write needs it.
 */
import type { Entry, HardState, Identity, LogIndex, Ticket } from "../types.ts";
import type { RecoveredLog } from "../raft/boundary.ts";
import type { DiskOperation, DiskResult } from "./disk.ts";

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
  /** How many bytes of a torn write were cut from the end of the log; 0: it was whole. */
  readonly tornBytes: number;
}

export type RecoveryResult =
  | { readonly ok: true; readonly recovered: Recovered }
  | { readonly ok: false; readonly fault: StorageFault };

/** Recovery yields one disk operation at a time and is handed its result. */
export type Recovery = Generator<DiskOperation, RecoveryResult, DiskResult>;

/** One Persist of raft/, as storage sees it. */
export interface PersistOrder {
  readonly ticket: Ticket;
  readonly hardState: HardState | null;
  readonly truncateTo: LogIndex | null;
  readonly entries: readonly Entry[];
}
