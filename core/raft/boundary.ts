/**
 * The boundary of raft/: inputs are news (past tense), effects are orders (imperative). raft/ never hears of a page, a
 * file or a socket.
 *
 * An effect handed out is already safe to perform: a message that vouches for bytes is held back until the ticket of
 * every earlier Persist has been answered by Persisted. The caller's duty: perform Persists in order, answer each once,
 * and only when it is durable.
 */
import type {
  Entry, EntryId, HardState, Instant, LogIndex, NodeId, ProposalNumber, ReadNumber, Term, Ticket,
} from "../types.ts";
import type { Message } from "./message.ts";

/** Who is to receive entries that have left memory. */
export type ReadPurpose = { readonly type: "apply" } | { readonly type: "replicate"; readonly to: NodeId };

export type RaftInput =
  | { readonly type: "MessageReceived"; readonly from: NodeId; readonly message: Message }
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
  | { readonly type: "ReadRequested"; readonly read: ReadNumber }
  /** Answers ReadEntries. */
  | { readonly type: "EntriesRead"; readonly purpose: ReadPurpose; readonly entries: readonly Entry[] }
  /** Everything up to `index` has been applied: its payloads may leave memory. */
  | { readonly type: "Applied"; readonly index: LogIndex };

export type RefusalReason =
  | "notLeader"
  /** The predecessor is not the last proposal accepted in this term. */
  | "outOfOrder"
  /** Too many bytes are waiting to be committed. */
  | "busy"
  | "tooLarge";

export type ProposalOutcome =
  /** Never appended: surely not executed. */
  | { readonly type: "refused"; readonly reason: RefusalReason }
  /** Its entry is committed (and is, or is about to be, applied by an Apply). */
  | { readonly type: "committed"; readonly entry: EntryId }
  /** Another entry is committed at its index: surely not executed. */
  | { readonly type: "lost"; readonly entry: EntryId };

export type RaftEffect =
  /** Make durable, in this order: hard state, truncation, entries. Answered by Persisted{ticket}. */
  | {
      readonly type: "Persist";
      readonly ticket: Ticket;
      /** null: unchanged. */
      readonly hardState: HardState | null;
      /** The last entry to keep before `entries` are appended; null: nothing is cut. */
      readonly truncateTo: LogIndex | null;
      readonly entries: readonly Entry[];
    }
  | { readonly type: "Send"; readonly to: NodeId; readonly message: Message }
  /** Replaces any timer set before. */
  | { readonly type: "SetTimer"; readonly at: Instant }
  /** The proposal stands in the log at `entry`: its outcome is open from now on. */
  | { readonly type: "Accept"; readonly proposal: ProposalNumber; readonly entry: EntryId }
  /** The last word on a proposal. Comes before the Apply of the same entry. */
  | { readonly type: "Resolve"; readonly proposal: ProposalNumber; readonly outcome: ProposalOutcome }
  /** Committed entries, each index once and in order within one process life. */
  | { readonly type: "Apply"; readonly entries: readonly Entry[] }
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
  /** The read was not confirmed: this node does not lead. */
  | { readonly type: "ReadRefused"; readonly read: ReadNumber }
  /** Who leads, as far as this node knows; leader null: unknown. Emitted when term, leader or own role changes. */
  | { readonly type: "LeadershipChanged"; readonly term: Term; readonly leader: NodeId | null };

export interface RaftTiming {
  readonly heartbeatMs: number;
  /** Election timeouts are drawn from [electionTimeoutMs, 2 * electionTimeoutMs). */
  readonly electionTimeoutMs: number;
}

export interface RaftLimits {
  /** AppendEntries carries at most so many payload bytes unless its one entry is larger. */
  readonly maxMessageBytes: number;
  readonly maxMessageEntries: number;
  /** Payload bytes appended but not committed; beyond it proposals are refused as busy. One is always admitted. */
  readonly maxUncommittedBytes: number;
  /** Payload bytes of applied and durable entries kept in memory; older ones come back through ReadEntries. */
  readonly maxCachedBytes: number;
  readonly maxPayloadBytes: number;
}

export const DEFAULT_TIMING: RaftTiming = { heartbeatMs: 100, electionTimeoutMs: 400 };

const MIB = 1024 * 1024;
export const DEFAULT_LIMITS: RaftLimits = {
  maxMessageBytes: MIB,
  maxMessageEntries: 4096,
  maxUncommittedBytes: 128 * MIB,
  maxCachedBytes: 64 * MIB,
  maxPayloadBytes: 64 * MIB,
};

/** What recovery found of the log: enough to run Raft without a payload in memory. */
export interface RecoveredLog {
  /** Where each run of equal terms begins, ascending; empty: the log is empty. */
  readonly terms: readonly EntryId[];
  readonly last: EntryId;
}

export interface RaftOptions {
  readonly id: NodeId;
  /** Sorted by code unit; contains id unless this node is a stranger to its cluster. */
  readonly voters: readonly NodeId[];
  readonly hardState: HardState;
  readonly log: RecoveredLog;
  readonly timing: RaftTiming;
  readonly limits: RaftLimits;
  /** 16 bytes for the election timeouts. */
  readonly seed: Uint8Array;
}
