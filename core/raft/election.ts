/**
 * The rules of an election as functions of values (§5.2, §5.4.1): when to stand, whom to vote for, who has won.
 */
import type { Random } from "../random.ts";
import { MICROSECONDS_PER_MS, majority, type EntryId, type Instant, type MemberId, type Term } from "../types.ts";
import type { RaftTiming } from "./boundary.ts";
import type { RequestVote } from "./message.ts";

export interface Voter {
  readonly currentTerm: Term;
  /** The candidate that has our vote in currentTerm; null: none yet. */
  readonly votedFor: MemberId | null;
  /** The last entry of the whole log in memory, durable or not: all of it may yet be needed. */
  readonly lastLog: EntryId;
}

/** Figure 2, RequestVote. A voter does not ask whether it knows the candidate: only the candidate counts voters. */
export function grantsVote(voter: Voter, from: MemberId, request: RequestVote): boolean {
  if (request.term !== voter.currentTerm) return false;
  if (voter.votedFor !== null && voter.votedFor !== from) return false;
  return isAtLeastAsUpToDate(request.lastLog, voter.lastLog);
}

/** §5.4.1: the later last term wins; with equal last terms, the longer log wins. */
export function isAtLeastAsUpToDate(candidate: EntryId, own: EntryId): boolean {
  if (candidate.term !== own.term) return candidate.term > own.term;
  return candidate.index >= own.index;
}

/** Whether the votes of these nodes elect: a majority of the voters, each counted once. */
export function electsLeader(votes: ReadonlySet<MemberId>, voters: readonly MemberId[]): boolean {
  let count = 0;
  for (const voter of voters) if (votes.has(voter)) count += 1;
  return count >= majority(voters.length);
}

/** Drawn anew for each wait from [t, 2t), so that two candidates rarely collide twice (§5.2). */
export function electionDeadline(now: Instant, timing: RaftTiming, random: Random): Instant {
  const timeout = timing.electionTimeoutMs * MICROSECONDS_PER_MS;
  return (now + random.integer(timeout, 2 * timeout - 1)) as Instant;
}
