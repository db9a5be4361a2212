/**
 * The boundary of raft/: inputs are news (past tense), effects are orders (imperative). raft/ never hears of a page, a
 * file or a socket.
 *
 * An effect handed out is already safe to perform: a message that vouches for bytes is held back until the ticket of
 * every earlier Persist has been answered by Persisted. The caller's duty: perform Persists in order, answer each once,
 * and only when it is durable.
 */
import type { Rarely } from "../rare-course.ts";
import type {
  Entry, EntryId, HardState, Instant, LogIndex, MemberId, ProposalNumber, ReadNumber, RequestNumber, Term, Ticket,
} from "../types.ts";
import type { Configuration, ConfigurationFault, ConfigurationOperation } from "./configuration.ts";
import type { Message, SnapshotId } from "./message.ts";
import type { RoleTargets } from "./roles.ts";

/** Who is to receive entries that have left memory. */
export type ReadPurpose = { readonly type: "apply" } | { readonly type: "replicate"; readonly to: MemberId };

export type RaftInput =
  | { readonly type: "MessageReceived"; readonly from: MemberId; readonly message: Message }
  /** The timer set last has fired. An early or stale one is harmless. */
  | { readonly type: "TimerFired" }
  /** The write named by the ticket is durable. Tickets are answered in the order in which they were given. */
  | { readonly type: "Persisted"; readonly ticket: Ticket }
  | {
      readonly type: "Proposed";
      readonly proposal: ProposalNumber;
      /** The term in which it was made; refused in any other. */
      readonly term: Term;
      /** The proposal that it builds on, 0 for the first of a term. Refused unless that was the last one accepted. */
      readonly predecessor: ProposalNumber;
      readonly payload: Uint8Array;
    }
  /** The proposer has undone everything above the last accepted proposal: it may propose again in this term. */
  | { readonly type: "RolledBack"; readonly term: Term; readonly last: ProposalNumber }
  /** On any member that has the log: one that does not lead asks the leader. */
  | { readonly type: "ReadRequested"; readonly read: ReadNumber }
  /** Answers ReadEntries. */
  | { readonly type: "EntriesRead"; readonly purpose: ReadPurpose; readonly entries: readonly Entry[] }
  /** Everything up to `index` has been applied, or restored: its payloads may leave memory. */
  | { readonly type: "Applied"; readonly index: LogIndex }
  /** Answered by ChangeResolved: all operations in one step, or none. */
  | {
      readonly type: "ChangeRequested";
      readonly request: RequestNumber;
      readonly operations: readonly ConfigurationOperation[];
    }
  /** Answered by TransferResolved. `target` null: the voter that suits best. */
  | { readonly type: "TransferRequested"; readonly request: RequestNumber; readonly target: MemberId | null }
  /** This process is about to stop: hand over leadership and the vote, as far as possible. Answered by Leave. */
  | { readonly type: "LeaveRequested" }
  /** Answers TakeSnapshot: this snapshot is durable in the place of any older one. */
  | { readonly type: "SnapshotStored"; readonly snapshot: SnapshotId }
  /** The stored snapshot has been written down in another way: the same entry, another size and checksum. */
  | { readonly type: "SnapshotRewritten"; readonly snapshot: SnapshotId }
  /** Answers TakeSnapshot, too: it did not come about (no space, or a newer one came). It may be tried again later. */
  | { readonly type: "SnapshotAbandoned" }
  /** Answers ReadSnapshot. `bytes` null: that snapshot is no longer there. */
  | {
      readonly type: "SnapshotRead";
      readonly to: MemberId;
      readonly snapshot: SnapshotId;
      readonly offset: number;
      readonly bytes: Uint8Array | null;
    }
  /**
   * Answers StoreChunk: it is written (it need not be durable). `end`: where to go on; farther than the chunk reached
   * where this disk has what follows already. null: it could not be kept, begin anew.
   */
  | { readonly type: "ChunkStored"; readonly snapshot: SnapshotId; readonly end: number | null }
  /**
   * Store the state as soon as everything up to `through` is applied (0: anything at all), though none is due, and
   * compact at least through it, whatever lags behind: it is unreadable on our disk, or there is no room for it.
   */
  | { readonly type: "SnapshotWanted"; readonly through: LogIndex }
  /** Whether this disk has room for proposals. At the start: it has. */
  | { readonly type: "SpaceChanged"; readonly hasSpace: boolean }
  /** The clock stood still for a time that nobody knows: no lease from before is worth anything. */
  | { readonly type: "ClockStopped" };

export type RefusalReason =
  | "notLeader"
  /** The predecessor is not the last proposal accepted in this term. */
  | "outOfOrder"
  /** Too many bytes are waiting to be committed, or for this node's own disk. */
  | "busy"
  /** This node's disk is full, or holds as much of the log as it may. */
  | "diskFull"
  | "tooLarge"
  /** Leadership is being handed over. */
  | "transferring";

export type ProposalOutcome =
  /** Never appended: surely not executed. */
  | { readonly type: "refused"; readonly reason: RefusalReason }
  /** Its entry is committed (and is, or is about to be, applied by an Apply). */
  | { readonly type: "committed"; readonly entry: EntryId }
  /** Another entry is committed at its index: surely not executed. */
  | { readonly type: "lost"; readonly entry: EntryId }
  /** A snapshot took the place of its index: it may be in there or not. */
  | { readonly type: "unknown" };

export type ChangeRefusal =
  | ConfigurationFault
  | "notLeader"
  /** Nothing of this term is committed yet: ask again soon. */
  | "notReady"
  /** Another change is under way: one at a time. */
  | "pending"
  /** Somebody who is to vote lags behind, or has not been heard of. Make it a standby first. */
  | "notCaughtUp"
  /** A node would get another disk while the one that it has is being heard: first remove that, or stop it. */
  | "stillAlive"
  /** A new member does not understand the feature version in force. */
  | "version";

export type ChangeOutcome =
  | { readonly type: "refused"; readonly reason: ChangeRefusal }
  /** It is in force, and no longer joint. */
  | { readonly type: "committed"; readonly index: LogIndex }
  /** Leadership was lost before it was known to be committed: it may yet be. */
  | { readonly type: "unknown" };

export type TransferOutcome =
  /** This member leads no more. */
  | { readonly type: "done" }
  /**
   * `noTarget`: nobody else may lead: nobody is there who has space and has lost nothing. `notVoter`: the target is a
   * stranger or does not vote.
   */
  | { readonly type: "refused"; readonly reason: "notLeader" | "noTarget" | "notVoter" | "pending" }
  /** It did not come about in time: this member leads on and takes proposals again. */
  | { readonly type: "aborted" };

export type RaftEffect =
  /** Make durable, in this order: hard state, snapshot, truncation, entries. Answered by Persisted{ticket}. */
  | {
      readonly type: "Persist";
      readonly ticket: Ticket;
      /** null: unchanged. */
      readonly hardState: HardState | null;
      /**
       * The snapshot of which all chunks have been stored: it takes the place of any older one and of the log, of which
       * remains what follows its entry, if the log holds that very entry. null: none.
       */
      readonly snapshot: SnapshotId | null;
      /** The last entry to keep before `entries` are appended; null: nothing is cut. */
      readonly truncateTo: LogIndex | null;
      readonly entries: readonly Entry[];
    }
  | { readonly type: "Send"; readonly to: MemberId; readonly message: Message }
  /** Replaces any timer set before. */
  | { readonly type: "SetTimer"; readonly at: Instant }
  /** The proposal stands in the log at `entry`: its outcome is open from now on. */
  | { readonly type: "Accept"; readonly proposal: ProposalNumber; readonly entry: EntryId }
  /** The last word on a proposal. Comes before the Apply of the same entry. */
  | { readonly type: "Resolve"; readonly proposal: ProposalNumber; readonly outcome: ProposalOutcome }
  /** Committed entries, each index once and in order within one process life. */
  | { readonly type: "Apply"; readonly entries: readonly Entry[] }
  /**
   * The state becomes that of the stored snapshot; in one order with Apply. Nothing is applied before it is answered by
   * Applied with the snapshot's index.
   */
  | { readonly type: "Restore"; readonly snapshot: SnapshotId }
  /** Read entries [from, end) back from disk, at least one, at most about maxBytes. Answered by EntriesRead. */
  | {
      readonly type: "ReadEntries";
      readonly purpose: ReadPurpose;
      readonly from: LogIndex;
      readonly end: LogIndex;
      readonly maxBytes: number;
    }
  /** The state as of `index`, once applied, may answer the read linearizably. */
  | { readonly type: "ReadReady"; readonly read: ReadNumber; readonly index: LogIndex }
  /** The read was not confirmed: nobody leads here, the leader was not heard, or this node gets no entries. */
  | { readonly type: "ReadRefused"; readonly read: ReadNumber }
  /** Who leads, as far as this node knows; leader null: unknown. Emitted when term, leader or own role changes. */
  | { readonly type: "LeadershipChanged"; readonly term: Term; readonly leader: MemberId | null }
  /** Emitted when another configuration is in force, be it by an entry, its loss, or a snapshot; and at the start. */
  | { readonly type: "ConfigurationChanged"; readonly configuration: Configuration }
  | { readonly type: "ChangeResolved"; readonly request: RequestNumber; readonly outcome: ChangeOutcome }
  | { readonly type: "TransferResolved"; readonly request: RequestNumber; readonly outcome: TransferOutcome }
  /** Nothing more is to be handed over: the process may stop. */
  | { readonly type: "Leave" }
  /**
   * Store the applied state as of now; what it is of says `Raft.snapshotAt`. Answered by SnapshotStored or by
   * SnapshotAbandoned; one at a time.
   */
  | { readonly type: "TakeSnapshot" }
  /** Keep this snapshot readable, whatever takes its place, until it is released: once, and each is. */
  | { readonly type: "PinSnapshot"; readonly snapshot: SnapshotId }
  | { readonly type: "ReleaseSnapshot"; readonly snapshot: SnapshotId }
  /** What the disk had lost is there again: from now on this member may vote and stand as any other. Not answered. */
  | { readonly type: "ForgetLoss" }
  /** Entries up to this one may leave the disk: the stored snapshot has them. Not answered. */
  | { readonly type: "Compact"; readonly through: EntryId }
  /** Store a piece of a snapshot that is being received; one of another entry discards what there was. */
  | { readonly type: "StoreChunk"; readonly snapshot: SnapshotId; readonly offset: number; readonly bytes: Uint8Array }
  /** Read a piece of a snapshot. Answered by SnapshotRead. */
  | {
      readonly type: "ReadSnapshot";
      readonly to: MemberId;
      readonly snapshot: SnapshotId;
      readonly offset: number;
      readonly maxBytes: number;
    }
  /** A message that no correct member sends was dropped. For operators: nothing is to be done. */
  | { readonly type: "Reject"; readonly from: MemberId; readonly rule: string };

export interface RaftTiming {
  readonly heartbeatMs: number;
  /** Election timeouts are drawn from [electionTimeoutMs, 2 * electionTimeoutMs). */
  readonly electionTimeoutMs: number;
}

export interface RaftLimits {
  /** AppendEntries carries at most so many payload bytes unless its one entry is larger. */
  readonly maxMessageBytes: number;
  readonly maxMessageEntries: number;
  /** Messages with entries, and payload bytes in them, under way to one follower; one message always may be. */
  readonly maxInFlightMessages: number;
  readonly maxInFlightBytes: number;
  /**
   * Payload bytes appended but not committed, and likewise those that the leader's own disk does not hold yet; beyond
   * it proposals are refused as busy. One is always admitted.
   */
  readonly maxUncommittedBytes: number;
  /**
   * Payload bytes of durable entries that are kept in memory once they are applied, or while nothing can be applied;
   * the older ones come back through ReadEntries.
   */
  readonly maxCachedBytes: number;
  readonly maxPayloadBytes: number;
  /**
   * A snapshot is taken after so many payload bytes, or after so many entries, have been applied since the last: that
   * is what a restart applies again. What a snapshot costs depends on what has changed.
   */
  readonly snapshotBytes: number;
  readonly snapshotEntries: number;
  /** So many entries that the snapshot has, and about so many payload bytes, are kept for members that lag behind. */
  readonly maxTrailingEntries: number;
  readonly maxTrailingBytes: number;
  /** How much of a snapshot one message carries, and to how many members one is sent at a time. */
  readonly snapshotChunkBytes: number;
  readonly maxSnapshotTransfers: number;
}

export const DEFAULT_TIMING: RaftTiming = { heartbeatMs: 100, electionTimeoutMs: 400 };

const MIB = 1024 * 1024;
export const DEFAULT_LIMITS: RaftLimits = {
  maxMessageBytes: MIB,
  maxMessageEntries: 4096,
  maxInFlightMessages: 256,
  maxInFlightBytes: 16 * MIB,
  maxUncommittedBytes: 128 * MIB,
  maxCachedBytes: 64 * MIB,
  maxPayloadBytes: 64 * MIB,
  snapshotBytes: 16 * MIB,
  snapshotEntries: 65_536,
  maxTrailingEntries: 8_192,
  maxTrailingBytes: 16 * MIB,
  snapshotChunkBytes: MIB,
  maxSnapshotTransfers: 2,
};

/** A configuration entry of the log. */
export interface ConfigurationRecord {
  readonly index: LogIndex;
  readonly configuration: Configuration;
}

/** What recovery found of the log: enough to run Raft without a payload in memory. */
export interface RecoveredLog {
  /** The last entry that has been compacted away; 0/0: none. */
  readonly base: EntryId;
  /** Where each run of equal terms begins, ascending; none at or below the base. Empty: nothing follows the base. */
  readonly terms: readonly EntryId[];
  readonly last: EntryId;
  /** The configuration entries above the base, ascending. */
  readonly configurations: readonly ConfigurationRecord[];
}

export interface RaftOptions {
  readonly id: MemberId;
  /** In force where no snapshot and no entry says otherwise: the founders'. */
  readonly founding: Configuration;
  readonly hardState: HardState;
  readonly log: RecoveredLog;
  /** At or above the log's base; null: none has been taken, and the base is 0/0. */
  readonly snapshot: SnapshotId | null;
  /**
   * The disk has lost entries: the highest one that this member may have acknowledged and no longer has. Until it has
   * a log at least so far from a leader it does not stand, and votes only for whoever has one. null: nothing is lost.
   */
  readonly lost: EntryId | null;
  readonly timing: RaftTiming;
  readonly limits: RaftLimits;
  /** The highest feature version that this member understands (features.ts). */
  readonly version: number;
  /**
   * Leases let a leader read without asking anybody, as long as no two clocks of the cluster drift apart by more than
   * this. null: off, as is the default.
   */
  readonly leaseDriftPpm: number | null;
  /** What the leader makes of the members' roles by itself; null: nothing. */
  readonly roles: RoleTargets | null;
  /** 16 bytes for the election timeouts. */
  readonly seed: Uint8Array;
  /** Whether a rare course is taken (core/rare-course.ts); never, unless told. */
  readonly rarely?: Rarely | undefined;
}
