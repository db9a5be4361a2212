/**
 * What this member's disk has lost, and when it is as good as it was (rule 13 of the design; docs/raft.md, "Loss").
 *
 * A member that has acknowledged an entry has promised that nobody without it is elected. Having lost it, it can keep
 * that promise without the entry: it knows the highest one that it may have had, votes only for whoever is at least as
 * far, and does not stand itself. It does so until its durable log, as the leader of the current term has found it to
 * agree with its own, is as far again: by leader completeness whatever was committed with our word is in there.
 *
 * The one hard idea: the leader of the very term in which it was lost has counted our word, and has to take it back, or
 * it would count what is on no disk, and never send it again. So we tell it, by a question whose number was never used
 * before: it takes back all that we acknowledged up to then and says, with the answer, how far it has committed. What
 * we have lost beyond that has never been counted, and never will be. That bounds what is lost where the disk cannot
 * say (index 2^53-1: everything of that term and before it). A leader of a later term has never counted it, and need
 * not be told.
 */
import type { Random } from "../random.ts";
import { afterMs, type EntryId, type Instant, type LogIndex, type Term } from "../types.ts";
import { isAtLeastAsUpToDate } from "./election.ts";
import type { Log } from "./log.ts";
import type { ReadIndexReply } from "./message.ts";

/** 2^53-1, as numbers of reads are (forwarded-reads.ts); drawn at random, so that none comes again. */
const MAX_REQUEST = Number.MAX_SAFE_INTEGER;

export class Loss {
  /** The highest entry that we may have acknowledged and have not got; null: we lack nothing. */
  entry: EntryId | null;
  /** In which this process life began: what is lost was acknowledged in it, or before. */
  private readonly term: Term;
  /** The number of our question, the same for all times that it is asked; 0: there is nothing to ask. */
  private readonly request: number;
  private isTold = false;
  private askAt: Instant;
  /** How far the leader of which term has found our log to agree with its own; null: none has yet. */
  private verified: { readonly term: Term; readonly index: LogIndex } | null = null;

  constructor(lost: EntryId | null, term: Term, random: Random, now: Instant) {
    this.entry = lost;
    this.term = term;
    this.request = lost === null ? 0 : random.integer(1, MAX_REQUEST);
    this.askAt = now;
  }

  /** What a candidate's log has to be as far as: `last`, our own, and what is lost. */
  upTo(last: EntryId): EntryId {
    return this.entry === null || isAtLeastAsUpToDate(last, this.entry) ? last : this.entry;
  }

  /** The leader of this term holds our log up to `index`. */
  verify(term: Term, index: LogIndex): void {
    if (this.entry === null) return;
    const { verified } = this;
    if (verified === null || verified.term !== term || verified.index < index) this.verified = { term, index };
  }

  /** The number under which the leader of this term is to be told now; null: it is not. */
  tell(term: Term, now: Instant, patienceMs: number): number | null {
    if (this.entry === null || this.isTold || term !== this.term || now < this.askAt) return null;
    this.askAt = afterMs(now, patienceMs);
    return this.request;
  }

  /** The leader has taken back what we acknowledged: what it has not committed by then does not rest on our word. */
  answered({ term, request, index }: ReadIndexReply): void {
    if (this.entry === null || request !== this.request || term !== this.term || index === null) return;
    this.isTold = true;
    // Where the disk knows more it is kept to: that leader's log, which is where it came from, reaches as far.
    if (isEndless(this.entry) && this.entry.term === term) this.entry = { term, index };
  }

  /** Whether all is there again, just now: durable, and found to agree in the current term. */
  isMadeGood(log: Log, durable: EntryId, currentTerm: Term): boolean {
    const { entry, verified } = this;
    if (entry === null || verified === null || verified.term !== currentTerm) return false;
    const index = Math.min(verified.index, durable.index) as LogIndex;
    // Below the base nothing is durable: a snapshot is being installed.
    if (index < log.base.index || !isAtLeastAsUpToDate(log.idAt(index), entry)) return false;
    this.entry = null;
    return true;
  }
}

/** Whether the disk could not say how far its log had come. */
export function isEndless({ index }: EntryId): boolean {
  return index === Number.MAX_SAFE_INTEGER;
}
