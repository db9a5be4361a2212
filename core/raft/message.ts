/**
 * What nodes say to each other, under the paper's names (figure 2). Sender and receiver stand outside: the transport
 * knows them. Each message vouches for something (what must be durable at the sender before it leaves):
 *
 *   RequestVote         the sender's term and its vote for itself
 *   RequestVoteReply    granted: term and vote. Not granted: term
 *   AppendEntries       the sender's term (an elected leader's term is durable by its own vote)
 *   AppendEntriesReply  accepted: the sender's log up to matchIndex. Otherwise: term
 */
import type { Entry, EntryId, LogIndex, Term } from "../types.ts";

export interface RequestVote {
  readonly type: "RequestVote";
  readonly term: Term;
  /** The candidate's last entry (§5.4.1). */
  readonly lastLog: EntryId;
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
  /**
   * The leader's latest ReadIndex round in this term, echoed by the reply (§6.4 of the thesis). Never reused in a
   * term.
   */
  readonly round: number;
}

export interface AppendEntriesReply {
  readonly type: "AppendEntriesReply";
  readonly term: Term;
  readonly round: number;
  readonly result:
    | { readonly accepted: true; readonly matchIndex: LogIndex }
    /**
     * `rejected`: prevLog.index of the request. `hint`: the sender's last entry that may still agree, its index below
     * `rejected` (0/0 if that is 0). With its term the leader skips whole terms of its own, too.
     */
    | { readonly accepted: false; readonly rejected: LogIndex; readonly hint: EntryId };
}

export type Message = RequestVote | RequestVoteReply | AppendEntries | AppendEntriesReply;
