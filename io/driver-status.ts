/** What can be seen of a driver from outside: how it began, what happens to it, and how it stands. */
import type { NodeEffect } from "../core/node/boundary.ts";
import type { Configuration } from "../core/raft/configuration.ts";
import type { HaltReason, RejectReason, Stranger } from "../core/replica/boundary.ts";
import type { StorageFault } from "../core/storage/boundary.ts";
import type { EntryId, Identity, LogIndex, NodeId, Term } from "../core/types.ts";
import type { Address } from "./address.ts";
import type { PeerLinkStatus } from "./peer-link.ts";

/** What operators may want to know. Nothing depends on it. */
export type DriverEvent =
  | Extract<NodeEffect, { readonly type: "Recovered" }>
  | { readonly type: "Listening"; readonly address: Address }
  | { readonly type: "LeadershipChanged"; readonly term: Term; readonly leader: NodeId | null }
  /** Another configuration is in force here, or is now known to be committed. */
  | { readonly type: "ConfigurationChanged"; readonly configuration: Configuration; readonly isCommitted: boolean }
  | { readonly type: "PeerConnected"; readonly peer: NodeId }
  | { readonly type: "PeerLost"; readonly peer: NodeId; readonly detail: string }
  /** The peer will not hear us, and says why. Repeated for as long as it lasts. */
  | { readonly type: "PeerRefusedUs"; readonly peer: NodeId; readonly detail: string }
  /** We did not hear, or no longer hear, a caller. */
  | { readonly type: "CallerRefused"; readonly caller: string; readonly detail: string }
  | { readonly type: "MessageRejected"; readonly from: NodeId; readonly reason: RejectReason; readonly detail: string }
  /** Scrubbing has found damage on the disk, and says what is being done about it. */
  | { readonly type: "DamageFound"; readonly fault: StorageFault; readonly remedy: string }
  /** Whether there is room for writes: on the disk, and within what the log may keep. */
  | { readonly type: "SpaceChanged"; readonly hasSpace: boolean }
  | { readonly type: "Halted"; readonly reason: HaltReason }
  | { readonly type: "Closed" };

export type StartResult =
  | { readonly ok: true; readonly address: Address | null }
  | { readonly ok: false; readonly reason: HaltReason };

export interface DriverStatus {
  readonly identity: Identity | null;
  readonly term: Term;
  readonly leader: NodeId | null;
  /** The log's last entry, the last committed and the last applied one; 0: none, or not of a cluster yet. */
  readonly lastIndex: LogIndex;
  readonly commitIndex: LogIndex;
  readonly appliedIndex: LogIndex;
  /** In force; null: this node is of no cluster yet. */
  readonly configuration: Configuration | null;
  readonly storage: StorageStatus;
  /** Empty nodes that have asked this one for admission. */
  readonly strangers: readonly Stranger[];
  /** Whom this node calls. */
  readonly peers: ReadonlyMap<NodeId, PeerLinkStatus>;
}

/** What can be said of the disk of a node. */
export interface StorageStatus {
  /**
   * The highest entry that the disk may have lost: until the others have sent what is missing, this node does not lead,
   * and votes for nobody who has less. null: nothing is lost.
   */
  readonly lost: EntryId | null;
  /** Whether there is room for writes. Where there is none they are refused, and reads go on. */
  readonly hasSpace: boolean;
  /** Up to which entry the database stands in files of its own, beside the log; 0: in none. */
  readonly snapshotIndex: LogIndex;
}
