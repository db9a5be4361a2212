/**
 * Linearizable reads of a member that does not lead: it asks the leader as of which index it may read, and reads its
 * own state once that has been applied. One question is under way at a time, for all reads that were waiting when it
 * was asked; those that arrive meanwhile wait for the next. Who gets no entries does not ask (raft.ts).
 *
 * The one hard idea is the number of a question: it must never have been used by this member before, not in an earlier
 * process life either, or an old answer would be taken for one to a new question. So the numbers of each life begin at
 * a random place. Silence is a refusal: whoever asked may ask again.
 */
import type { Random } from "../random.ts";
import { afterMs, type Instant, type LogIndex, type MemberId, type ReadNumber } from "../types.ts";
import type { RaftEffect, RaftTiming } from "./boundary.ts";
import type { ReadIndexReply } from "./message.ts";

/** 2^52: as many questions can follow. */
const MAX_FIRST_REQUEST = 4_503_599_627_370_496;
/** So many election timeouts of silence are a refusal. The leader has to ask a quorum first. */
const PATIENCE_TIMEOUTS = 4;

interface Question {
  readonly request: number;
  readonly reads: readonly ReadNumber[];
  readonly leader: MemberId;
  readonly deadline: Instant;
}

export class ForwardedReads {
  private waiting: ReadNumber[] = [];
  private asked: Question | null = null;
  private lastRequest: number;
  /** For so long an answer is waited for. */
  readonly patienceMs: number;

  constructor(random: Random, { electionTimeoutMs }: RaftTiming) {
    this.lastRequest = random.integer(1, MAX_FIRST_REQUEST);
    this.patienceMs = PATIENCE_TIMEOUTS * electionTimeoutMs;
  }

  /** When silence becomes a refusal; null: nothing was asked. */
  get deadline(): Instant | null {
    return this.asked?.deadline ?? null;
  }

  request(read: ReadNumber): void {
    this.waiting.push(read);
  }

  /** Asks what is to be asked, of whoever leads; refuses what nobody can answer. The request to send; null: none. */
  ask(leader: MemberId | null, now: Instant, effects: RaftEffect[]): number | null {
    if (this.asked !== null && (this.asked.leader !== leader || now >= this.asked.deadline)) {
      refuse(this.asked.reads, effects);
      this.asked = null;
    }
    if (this.waiting.length === 0 || this.asked !== null) return null;
    if (leader === null) {
      refuse(this.waiting, effects);
      this.waiting = [];
      return null;
    }
    this.lastRequest += 1;
    const deadline = afterMs(now, this.patienceMs);
    this.asked = { request: this.lastRequest, reads: this.waiting, leader, deadline };
    this.waiting = [];
    return this.lastRequest;
  }

  answered({ request, index }: ReadIndexReply, effects: RaftEffect[]): void {
    if (this.asked?.request !== request) return;
    const { reads } = this.asked;
    this.asked = null;
    for (const read of reads) effects.push(answerTo(read, index));
  }

  /** This member leads: those that wait are its own affair now, whether another was asked or not. */
  takeAll(): readonly ReadNumber[] {
    const reads = [...(this.asked?.reads ?? []), ...this.waiting];
    this.asked = null;
    this.waiting = [];
    return reads;
  }
}

function refuse(reads: readonly ReadNumber[], effects: RaftEffect[]): void {
  for (const read of reads) effects.push(answerTo(read, null));
}

function answerTo(read: ReadNumber, index: LogIndex | null): RaftEffect {
  return index === null ? { type: "ReadRefused", read } : { type: "ReadReady", read, index };
}
