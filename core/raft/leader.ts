/**
 * One leader's term: what it knows of its followers, and the AppendEntries that follow from it. Made when the election
 * is won, thrown away when the term ends; nothing in it is ever carried over. Commits nothing: it only says how far
 * each voter is.
 *
 * All AppendEntries are made here, in one place (`send`). They need not wait for our own disk: they vouch for the term
 * alone, and that is durable by our own vote. So the followers' writes overlap our own.
 */
import { afterMs, NO_ENTRY, type Entry, type Instant, type LogIndex, type MemberId, type Term } from "../types.ts";
import type { RaftEffect, RaftLimits, RaftOptions } from "./boundary.ts";
import { limitBatch, type Log } from "./log.ts";
import type { AppendEntriesReply } from "./message.ts";
import { hasRoom, newProgress, replied, sent, type Progress } from "./progress.ts";
import type { ReadBack, ReadOrder } from "./read-back.ts";
import { Reads } from "./reads.ts";

export class Leader {
  readonly reads = new Reads();
  heartbeatDeadline: Instant;
  private readonly term: Term;
  private readonly log: Log;
  private readonly limits: RaftLimits;
  /** All voters but ourselves, sorted by id. */
  private readonly followers: Progress[];

  /** @param log ends before anything of this term. */
  constructor(options: RaftOptions, term: Term, log: Log, now: Instant) {
    this.term = term;
    this.log = log;
    this.limits = options.limits;
    this.heartbeatDeadline = afterMs(now, options.timing.heartbeatMs);
    const nextIndex = (log.last.index + 1) as LogIndex;
    this.followers = options.voters.filter((node) => node !== options.id).map((node) => newProgress(node, nextIndex));
  }

  /** How far each voter durably is; ours is `own`. */
  matchIndexes(own: LogIndex): readonly LogIndex[] {
    return [own, ...this.followers.map((progress) => progress.matchIndex)];
  }

  matchIndexByNode(): readonly (readonly [MemberId, LogIndex])[] {
    return this.followers.map((progress) => [progress.node, progress.matchIndex] as const);
  }

  get hasFollowers(): boolean {
    return this.followers.length > 0;
  }

  /** A reply of this term. From a stranger, or about what was never sent, it is dropped. */
  replied(from: MemberId, reply: AppendEntriesReply): void {
    const at = this.followers.findIndex((progress) => progress.node === from);
    const progress = this.followers[at];
    if (progress === undefined || reply.round > this.reads.round) return;
    if (reply.result.accepted && reply.result.matchIndex > this.log.last.index) return;
    this.followers[at] = replied(progress, reply, this.log);
  }

  /** Answers the reads that a quorum has confirmed, and begins the round that the next ones wait for. */
  serveReads(commitIndex: LogIndex, effects: RaftEffect[]): void {
    this.reads.confirm(this.followers, effects);
    // Before an entry of this term is committed, commitIndex may lag behind what an earlier leader acknowledged.
    if (this.log.termAt(commitIndex) !== this.term || !this.reads.begin(commitIndex)) return;
    this.heartbeat(commitIndex, effects);
    // In a cluster of one the round is over as it begins.
    this.reads.confirm(this.followers, effects);
  }

  /** An empty message to each: keeps them from standing, carries the round, and finds out what was lost. */
  heartbeat(commitIndex: LogIndex, effects: RaftEffect[]): void {
    for (const progress of this.followers) this.send(progress, [], commitIndex, effects);
  }

  /** Sends each follower what it lacks and has room for, and the commit index once nothing else would bring it. */
  replicate(commitIndex: LogIndex, readBack: ReadBack, effects: RaftEffect[]): void {
    for (const progress of this.followers) {
      while (progress.nextIndex <= this.log.last.index && hasRoom(progress)) {
        if (progress.nextIndex < this.log.firstCached) {
          this.orderRead(progress, readBack, effects);
          break;
        }
        const end = (this.log.last.index + 1) as LogIndex;
        this.send(progress, this.log.batch(progress.nextIndex, end, this.limits), commitIndex, effects);
      }
      const upToDate = progress.matchIndex === this.log.last.index;
      if (upToDate && progress.commitSent < commitIndex) this.send(progress, [], commitIndex, effects);
    }
  }

  /** Entries that were read back in this term: to be sent if the follower still stands where it stood. */
  entriesRead(to: MemberId, entries: readonly Entry[], commitIndex: LogIndex, effects: RaftEffect[]): void {
    const progress = this.followers.find(({ node }) => node === to);
    if (progress === undefined || progress.nextIndex !== entries[0]?.index || !hasRoom(progress)) return;
    this.send(progress, limitBatch(entries, this.limits), commitIndex, effects);
  }

  private orderRead(progress: Progress, readBack: ReadBack, effects: RaftEffect[]): void {
    const from = progress.nextIndex;
    const end = Math.min(this.log.firstCached, from + this.limits.maxMessageEntries) as LogIndex;
    const order: ReadOrder = { from, end, term: this.term };
    readBack.order({ type: "replicate", to: progress.node }, order, this.limits.maxMessageBytes, effects);
  }

  private send(progress: Progress, entries: readonly Entry[], leaderCommit: LogIndex, effects: RaftEffect[]): void {
    const { term, reads: { round } } = this;
    const prevLog = progress.nextIndex === 1 ? NO_ENTRY : this.log.idAt((progress.nextIndex - 1) as LogIndex);
    effects.push({
      type: "Send",
      to: progress.node,
      message: { type: "AppendEntries", term, prevLog, entries, leaderCommit, round },
    });
    const last = entries[entries.length - 1] ?? prevLog;
    // A follower commits nothing beyond what the message has verified.
    progress.commitSent = Math.min(leaderCommit, last.index) as LogIndex;
    if (last !== prevLog) sent(progress, last.index);
  }
}
