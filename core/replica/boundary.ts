/**
 * The boundary of Replica: one node's consensus machine with its log, snapshot, hard state and identity. It makes
 * proposals durable on a quorum and hands committed entries out in order. It never hears of a page or of SQL.
 *
 * Out here a node is its name. In there it is one life of one disk (MemberId), and only Replica knows both: nobody
 * else has to notice that a node came back with another disk, except who admits it.
 *
 * Life: Started -> recovery (disk reads) -> Recovered -> bootstrap, if the directory was empty -> Raft -> Closing ->
 * leadership and vote handed over -> Closed; or Halt at any time.
 */
import type { Rarely } from "../rare-course.ts";
import type { EntryId, Identity, Incarnation, LogIndex, NodeId, RequestNumber, Term } from "../types.ts";
import type {
  ChangeOutcome, ChangeRefusal, RaftEffect, RaftInput, RaftLimits, RaftTiming, TransferOutcome,
} from "../raft/boundary.ts";
import type { Configuration, MemberRole } from "../raft/configuration.ts";
import type { RaftState } from "../raft/invariants.ts";
import type { RoleTargets } from "../raft/roles.ts";
import type { PageCut } from "../pages/page-cut.ts";
import type { RestoreStep, StorageEffect, StorageFault, StorageLimits } from "../storage/boundary.ts";
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
  | Extract<RaftInput, { readonly type: "Proposed" | "RolledBack" | "ReadRequested" }>
  /** Everything up to `index` has been applied, or restored. `checksum`: of the whole state as of then. */
  | { readonly type: "Applied"; readonly index: LogIndex; readonly checksum: number }
  /** Answers TakeSnapshot: what has changed, with everything applied up to `index`, and nothing above. */
  | { readonly type: "SnapshotTaken"; readonly index: LogIndex; readonly cut: PageCut }
  /** What was restored is no state, though each of its pages is what was stored. Nothing of it is applied. */
  | { readonly type: "RestoreRefused"; readonly index: LogIndex; readonly detail: string }
  /** All operations in one step, or none; in the order given. Answered by ChangeResolved. */
  | {
      readonly type: "ChangeRequested";
      readonly request: RequestNumber;
      readonly operations: readonly MemberOperation[];
    }
  /** Answered by TransferResolved. `target` null: the voter that suits best. */
  | { readonly type: "TransferRequested"; readonly request: RequestNumber; readonly target: NodeId | null }
  /** The clock stood still for a time that nobody knows: the process slept, or the machine did. */
  | Extract<RaftInput, { readonly type: "ClockStopped" }>
  /** Hand over what can be handed over, then write the closing mark; answered by Closed. */
  | { readonly type: "Closing" };

export type MemberOperation =
  | { readonly type: "put"; readonly member: MemberRequest }
  | { readonly type: "remove"; readonly node: NodeId };

/**
 * A member as it is wanted: one that there is, changed, or a new one. To replace the disk of a node, remove the node
 * and put it, in one request: then it is a new one.
 */
export interface MemberRequest {
  readonly node: NodeId;
  /** Which disk of it. null: the one that is a member; of a new node the one that has said last that it is empty. */
  readonly incarnation: Incarnation | null;
  readonly role: MemberRole;
  /** null, here and below: as it is; of a new node, what it says of itself. */
  readonly address: string | null;
  readonly failureDomain: string | null;
  readonly priority: number | null;
}

export type ReplicaEffect =
  | ({ readonly type: "Disk" } & DiskOrder)
  | { readonly type: "Send"; readonly to: NodeId; readonly bytes: Uint8Array }
  /** Recovery is over and the directory is sound. */
  | {
      readonly type: "Recovered";
      readonly identity: Identity;
      readonly last: EntryId;
      readonly tornBytes: number;
      /** See core/storage/boundary.ts. */
      readonly lost: EntryId | null;
      readonly damage: readonly StorageFault[];
    }
  /** And what Raft answers comes out as it is. */
  | Extract<RaftEffect, { readonly type: "Accept" | "Resolve" | "Apply" | "ReadReady" | "ReadRefused" }>
  /** Store the applied state: answered by SnapshotTaken. One at a time; stands in one order with Apply and Restore. */
  | Extract<RaftEffect, { readonly type: "SetTimer" | "TakeSnapshot" }>
  /**
   * The state becomes that of a snapshot, piece by piece: RestoreStarted, PagesRestored as often as it takes,
   * RestoreFinished. In one order with Apply; the last is answered by Applied{index}, and nothing is applied between.
   * It may begin anew with another RestoreStarted.
   */
  | RestoreStep
  /** The cut has been written, or never will be: its pages are not looked at any more. */
  | Extract<StorageEffect, { readonly type: "CutEnded" | "PagesDamaged" | "DamageFound" | "SpaceChanged" }>
  /** Who leads, as far as this node knows; leader null: unknown. */
  | { readonly type: "LeadershipChanged"; readonly term: Term; readonly leader: NodeId | null }
  /**
   * Another configuration is in force, or the one in force is committed now; and at the start of Raft. Drivers find
   * addresses in it. isCommitted: it stays, as it is known to be committed.
   */
  | { readonly type: "ConfigurationChanged"; readonly configuration: Configuration; readonly isCommitted: boolean }
  | { readonly type: "ChangeResolved"; readonly request: RequestNumber; readonly outcome: MemberChangeOutcome }
  | { readonly type: "TransferResolved"; readonly request: RequestNumber; readonly outcome: TransferOutcome }
  /** Bytes from a peer that were dropped, and why. For operators: nothing is to be done. */
  | { readonly type: "Reject"; readonly from: NodeId; readonly reason: RejectReason; readonly detail: string }
  | { readonly type: "Closed" }
  /** Nothing more may be asked of this machine. Final for the process. */
  | { readonly type: "Halt"; readonly reason: HaltReason };

export type MemberChangeOutcome =
  | Exclude<ChangeOutcome, { readonly type: "refused" }>
  /** notHeard: the node is new, and this one has not heard from it that its disk is empty. */
  | { readonly type: "refused"; readonly reason: ChangeRefusal | "notHeard" };

/** Why a peer's message was dropped. */
export type RejectReason =
  | "malformed"
  | "wrongVersion"
  | "wrongCluster"
  /** It is of a disk that another has replaced, or this node's disk is not the one that was founded. */
  | "wrongIncarnation"
  /** It says that it is empty, and is no member: it has to be admitted by a change of the configuration. */
  | "notAdmitted"
  /** It bears this node's own name; or nobody is founded yet, and it is none of those to be. */
  | "stranger"
  | "notAddressedToUs"
  /** No correct member sends it; `detail` is the rule that it breaks. */
  | "implausible";

export type HaltReason =
  /** Recovery found a directory that it must not use. */
  | { readonly type: "storage"; readonly fault: StorageFault }
  /** A write, sync or read failed while running. Never retried. */
  | { readonly type: "disk"; readonly code: string; readonly file: string | null; readonly detail: string }
  /** What was applied contradicts the entry: a bug or silent corruption. */
  | { readonly type: "divergence"; readonly index: LogIndex; readonly detail: string }
  /** A page in memory is not what its checksum says. The disk has nothing of it: the next start is as good as any. */
  | { readonly type: "memory"; readonly detail: string }
  /**
   * A majority has another state at this index: ours is wrong. The directory is marked so, durably: the next start
   * discards what it holds and fetches it anew.
   */
  | { readonly type: "quarantined"; readonly index: LogIndex; readonly detail: string };

export interface ReplicaOptions {
  readonly id: NodeId;
  /**
   * Sorted by code unit, and only looked at while the directory is empty. With this node: all founding voters. Without
   * it: the nodes to ask for admission to the cluster that they are.
   */
  readonly cluster: readonly NodeId[];
  /** Where others reach this node, for the member that it becomes by being admitted. Empty unless told. */
  readonly address?: string;
  readonly timing: RaftTiming;
  readonly limits: RaftLimits;
  readonly storage: StorageLimits;
  /** 16 bytes, others in each process life: election timeouts, incarnation, cluster id. */
  readonly seed: Uint8Array;
  /** The feature version that this node understands; that of the code (core/raft/features.ts) unless told. */
  readonly version?: number;
  /** See RaftOptions. Both off unless told. */
  readonly leaseDriftPpm?: number | null;
  readonly roles?: RoleTargets | null;
  /** How many entries lie between two states of which members compare the checksums; 256 unless told. */
  readonly digestEvery?: number;
  /** Run the laws of core/raft/invariants.ts after every step, as tests and the simulator do. Off unless told. */
  readonly checkInvariants?: boolean;
  /** Whether a rare course is taken (core/rare-course.ts); never, unless told. */
  readonly rarely?: Rarely | undefined;
}

/** What can be seen of a Replica from outside, for oracles and operators. Cheap to take. */
export interface ReplicaSnapshot {
  readonly phase: ReplicaPhase;
  /** null: not recovered, or not drawn yet. What it says is durable. */
  readonly identity: Identity | null;
  /** null: Raft is not running (yet, or any more). */
  readonly raft: RaftState | null;
  /** Empty nodes that have asked for admission, sorted by node. */
  readonly strangers: readonly Stranger[];
}

/** An empty node that is no member. */
export interface Stranger {
  readonly node: NodeId;
  readonly incarnation: Incarnation;
  /** What it says of itself. */
  readonly address: string;
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
  /** Told to close: Raft runs on until it has handed over leadership and vote. */
  | "leaving"
  | "closing"
  | "closed"
  | "halted";
