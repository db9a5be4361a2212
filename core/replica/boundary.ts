/**
 * The boundary of Replica: one node's consensus machine with its log, hard state and identity. It makes proposals
 * durable on a quorum and hands committed entries out in order. It never hears of a page or of SQL.
 *
 * Life: Started -> recovery (disk reads) -> Recovered -> bootstrap, if the directory was empty -> Raft -> Halt.
 */
import type { EntryId, Identity, LogIndex, NodeId } from "../types.ts";
import type { RaftEffect, RaftInput, RaftLimits, RaftTiming } from "../raft/boundary.ts";
import type { RaftSnapshot } from "../raft/invariants.ts";
import type { StorageFault, StorageLimits } from "../storage/boundary.ts";
import type { DiskAnswer, DiskOrder } from "../storage/disk.ts";

export type ReplicaInput =
  /** The first input of a process life. */
  | { readonly type: "Started" }
  /**
   * A peer's message. `from` is what the transport believes; the bytes say for themselves which cluster they are of.
   */
  | { readonly type: "Received"; readonly from: NodeId; readonly bytes: Uint8Array }
  | { readonly type: "TimerFired" }
  | DiskAnswer
  /** What Database asks of consensus goes to Raft as it is. */
  | Extract<RaftInput, { readonly type: "Proposed" | "RolledBack" | "ReadRequested" | "Applied" }>
  /** Write the closing mark; answered by Closed. */
  | { readonly type: "Closing" };

export type ReplicaEffect =
  | ({ readonly type: "Disk" } & DiskOrder)
  | { readonly type: "Send"; readonly to: NodeId; readonly bytes: Uint8Array }
  /** Recovery is over and the directory is sound. */
  | { readonly type: "Recovered"; readonly identity: Identity; readonly last: EntryId; readonly tornBytes: number }
  /** And what Raft answers comes out as it is. */
  | Extract<RaftEffect, { readonly type: "Accept" | "Resolve" | "Apply" | "ReadReady" | "ReadRefused" }>
  | Extract<RaftEffect, { readonly type: "SetTimer" | "LeadershipChanged" }>
  /** Bytes from a peer that were dropped, and why. For operators: nothing is to be done. */
  | { readonly type: "Reject"; readonly from: NodeId; readonly reason: RejectReason; readonly detail: string }
  | { readonly type: "Closed" }
  /** Nothing more may be asked of this machine. Final for the process. */
  | { readonly type: "Halt"; readonly reason: HaltReason };

/** Why a peer's message was dropped. */
export type RejectReason =
  | "malformed"
  | "wrongVersion"
  | "wrongCluster"
  | "wrongIncarnation"
  | "stranger"
  | "notAddressedToUs";

export type HaltReason =
  /** Recovery found a directory that it must not use. */
  | { readonly type: "storage"; readonly fault: StorageFault }
  /** A write, sync or read failed while running. Never retried. */
  | { readonly type: "disk"; readonly code: string; readonly file: string | null; readonly detail: string }
  /** What was applied contradicts the entry: a bug or silent corruption. */
  | { readonly type: "divergence"; readonly index: LogIndex; readonly detail: string };

export interface ReplicaOptions {
  readonly id: NodeId;
  /** All founding voters, this one included, sorted by code unit. */
  readonly cluster: readonly NodeId[];
  readonly timing: RaftTiming;
  readonly limits: RaftLimits;
  readonly storage: StorageLimits;
  /** 16 bytes, others in each process life: election timeouts, incarnation, cluster id. */
  readonly seed: Uint8Array;
  /** Run the laws of core/raft/invariants.ts after every step, as tests and the simulator do. Off unless told. */
  readonly checkInvariants?: boolean;
}

/** What can be seen of a Replica from outside, for oracles and operators. Cheap to take. */
export interface ReplicaSnapshot {
  readonly phase: ReplicaPhase;
  /** null: not recovered, or not drawn yet. What it says is durable. */
  readonly identity: Identity | null;
  /** null: Raft is not running (yet, or any more). */
  readonly raft: RaftSnapshot | null;
}

export type ReplicaPhase =
  | "new"
  | "recovering"
  /** The directory is new: the identity of an empty node is being written. */
  | "claiming"
  /** Of no cluster: says so, and waits to be founded. */
  | "empty"
  /** The cluster is known, and being written. */
  | "founding"
  | "running"
  | "closing"
  | "closed"
  | "halted";
