/**
 * The rules of an election as functions of values (§5.2, §5.4.1; thesis §6.2, §9.6): when to stand, whom to vote for,
 * when not even to listen. Who has won is a matter of counting: quorum.ts.
 */
import type { Random } from "../random.ts";
import { afterMs, MICROSECONDS_PER_MS, type EntryId, type Instant, type MemberId, type Term } from "../types.ts";
import type { RaftTiming } from "./boundary.ts";
import { memberOf, type Configuration } from "./configuration.ts";
import type { RequestPreVote, RequestVote } from "./message.ts";

export interface Voter {
  readonly currentTerm: Term;
  /** The candidate that has our vote in currentTerm; null: none yet. */
  readonly votedFor: MemberId | null;
  /**
   * The last entry of the whole log in memory, durable or not: all of it may yet be needed. What the disk has lost
   * counts as if it were there (loss.ts).
   */
  readonly lastLog: EntryId;
}

/**
 * Figure 2, RequestVote. A voter does not ask whether it knows the candidate, or whether it votes itself: only the
 * candidate counts voters, and its configuration may be newer than ours.
 */
export function grantsVote(voter: Voter, from: MemberId, request: RequestVote): boolean {
  if (request.term !== voter.currentTerm) return false;
  if (voter.votedFor !== null && voter.votedFor !== from) return false;
  return isAtLeastAsUpToDate(request.lastLog, voter.lastLog);
}

/**
 * Thesis §9.6: whether we would vote for it in the term after its own. Promises nothing, so our vote does not matter.
 */
export function wouldGrantVote(voter: Voter, request: RequestPreVote): boolean {
  return request.term >= voter.currentTerm && isAtLeastAsUpToDate(request.lastLog, voter.lastLog);
}

/** §5.4.1: the later last term wins; with equal last terms, the longer log wins. */
export function isAtLeastAsUpToDate(candidate: EntryId, own: EntryId): boolean {
  if (candidate.term !== own.term) return candidate.term > own.term;
  return candidate.index >= own.index;
}

/**
 * Drawn anew for each wait from [t, 2t), so that two candidates rarely collide twice (§5.2). One that others are
 * preferred to waits for another t: so it stands when these have had their chance.
 */
export function electionDeadline(now: Instant, timing: RaftTiming, random: Random, isPreferred = true): Instant {
  const timeout = timing.electionTimeoutMs * MICROSECONDS_PER_MS;
  const wait = random.integer(timeout, 2 * timeout - 1);
  return (now + wait + (isPreferred ? 0 : timeout)) as Instant;
}

/** Whether no voter has a higher priority than this member. */
export function isPreferred(configuration: Configuration, id: MemberId): boolean {
  const own = memberOf(configuration, id)?.priority ?? 0;
  return configuration.members.every(({ role, priority }) => role !== "voter" || priority <= own);
}

/**
 * Thesis §6.2: whoever has heard a leader within the shortest election timeout does not listen to candidates, so that
 * one who was cut off, or removed, disrupts nobody; and a lease (lease.ts) holds for so long.
 *
 * @param heardAt when a leader was heard last; null: none has been
 */
export function isSticky(heardAt: Instant | null, now: Instant, timing: RaftTiming): boolean {
  return heardAt !== null && now < afterMs(heardAt, timing.electionTimeoutMs);
}
