/**
 * What members say to each other, under the paper's names (figure 2; §7; thesis §3.10, §6.4, §9.6). Sender and receiver
 * stand outside: the transport knows them. `term` is always the sender's current term. Each message vouches for
 * something (what must be durable at the sender before it leaves):
 *
 *   RequestPreVote       the candidate's log
 *   RequestPreVoteReply  term
 *   RequestVote          the sender's term, its vote for itself, its log
 *   RequestVoteReply     granted: term and vote. Not granted: term
 *   AppendEntries        the sender's term (an elected leader's term is durable by its own vote)
 *   AppendEntriesReply   accepted: the sender's log up to matchIndex. Otherwise: term
 *   InstallSnapshot      the sender's term
 *   InstallSnapshotReply installed: the snapshot. Otherwise: nothing
 *   TimeoutNow           the sender's term
 *   ReadIndex            hasLost: the sender has not got what it acknowledged. Otherwise: nothing
 *   Leaving              nothing
 *   ReadIndexReply       a quorum has confirmed the sender's term since it was asked
 */
import { sameEntry, type Entry, type EntryId, type LogIndex, type Term } from "../types.ts";
import type { Configuration } from "./configuration.ts";

/** "Would you vote for me in the next term?" Nothing is promised and nothing changes (thesis §9.6). */
export interface RequestPreVote {
  readonly type: "RequestPreVote";
  readonly term: Term;
  readonly lastLog: EntryId;
}

export interface RequestPreVoteReply {
  readonly type: "RequestPreVoteReply";
  readonly term: Term;
  readonly granted: boolean;
}

export interface RequestVote {
  readonly type: "RequestVote";
  readonly term: Term;
  /** The candidate's last entry (§5.4.1). */
  readonly lastLog: EntryId;
  /** The leader has asked for this election (TimeoutNow): who hears that leader votes all the same. */
  readonly isTransfer: boolean;
}

export interface RequestVoteReply {
  readonly type: "RequestVoteReply";
  readonly term: Term;
  readonly granted: boolean;
}

export interface AppendEntries {
  readonly type: "AppendEntries";
  readonly term: Term;
  /** The entry immediately before `entries`. */
  readonly prevLog: EntryId;
  /** Consecutive from prevLog.index + 1; empty: a heartbeat. */
  readonly entries: readonly Entry[];
  readonly leaderCommit: LogIndex;
  /** The leader's latest round in this term, echoed by the reply (rounds.ts). Never reused in a term. */
  readonly round: number;
}

export interface AppendEntriesReply {
  readonly type: "AppendEntriesReply";
  readonly term: Term;
  readonly round: number;
  /** The highest feature version that the sender understands (features.ts). */
  readonly version: number;
  /** Whether its disk has room for proposals: who has none does not lead. */
  readonly hasSpace: boolean;
  /** Whether it still lacks what its disk has lost: until it has that again it does not lead. */
  readonly hasLost: boolean;
  readonly result:
    | { readonly accepted: true; readonly matchIndex: LogIndex }
    /**
     * `rejected`: prevLog.index of the request. `hint`: the sender's last entry that may still agree, its index below
     * `rejected` (0/0 if that is 0). With its term the leader skips whole terms of its own, too.
     */
    | { readonly accepted: false; readonly rejected: LogIndex; readonly hint: EntryId };
}

/** What a snapshot is of. */
export interface SnapshotPoint {
  /** The last entry whose effect is in it. */
  readonly entry: EntryId;
  /** As of that entry. */
  readonly configuration: Configuration;
}

/** One way of writing a snapshot down: the stream of bytes that is sent to a member. */
export interface SnapshotId extends SnapshotPoint {
  /** In bytes. */
  readonly size: number;
  /** Of what the stream consists of: equal for equal streams, whoever sends them. */
  readonly checksum: number;
}

/** Whether it is the same stream of bytes: what has arrived of the one is a beginning of the other. */
export function isSameSnapshot(a: SnapshotId, b: SnapshotId): boolean {
  return sameEntry(a.entry, b.entry) && a.size === b.size && a.checksum === b.checksum;
}

/** A piece of a snapshot (§7). */
export interface InstallSnapshot {
  readonly type: "InstallSnapshot";
  readonly term: Term;
  readonly snapshot: SnapshotId;
  /** Where in the snapshot `bytes` begin. */
  readonly offset: number;
  readonly bytes: Uint8Array;
}

export interface InstallSnapshotReply {
  readonly type: "InstallSnapshotReply";
  readonly term: Term;
  readonly entry: EntryId;
  /** Of the stream that has been received: of another one of the same entry nothing is there. */
  readonly checksum: number;
  /** Where to go on: all before it is there. It may jump over what the member's disk has from elsewhere. */
  readonly received: number;
  /** Whether the snapshot, or a longer log that agrees with it, is durably in force. */
  readonly installed: boolean;
}

/** "Stand for election at once": the leader hands over (thesis §3.10). */
export interface TimeoutNow {
  readonly type: "TimeoutNow";
  readonly term: Term;
}

/** "As of which index may I read?" To the leader (thesis §6.4). */
export interface ReadIndex {
  readonly type: "ReadIndex";
  readonly term: Term;
  /** Never used before by this member, not in an earlier process life either. */
  readonly request: number;
  /**
   * "My disk has lost entries: take back whatever I have acknowledged to you in this term" (loss.ts). The answer then
   * says, too, that this has been done before that index was committed.
   */
  readonly hasLost: boolean;
}

export interface ReadIndexReply {
  readonly type: "ReadIndexReply";
  readonly term: Term;
  readonly request: number;
  /** null: it cannot say, ask again. */
  readonly index: LogIndex | null;
}

/** "I am about to stop: give my role to somebody else." To the leader. */
export interface Leaving {
  readonly type: "Leaving";
  readonly term: Term;
}

export type Message =
  | RequestPreVote
  | RequestPreVoteReply
  | RequestVote
  | RequestVoteReply
  | AppendEntries
  | AppendEntriesReply
  | InstallSnapshot
  | InstallSnapshotReply
  | TimeoutNow
  | ReadIndex
  | ReadIndexReply
  | Leaving;
