/**
 * The sessions of this process: which requests were seen, and what they were answered.
 *
 * This is what makes a refusal final and a repetition harmless: a sequence number is executed at most once, by this
 * process, in the session's term. It lives in memory only, and needs no more: another process, or this one after a
 * restart, leads in other terms and knows none of these sessions.
 */
import { invariant } from "../invariant.ts";
import type { Random } from "../random.ts";
import { afterMs, type Instant, type Term } from "../types.ts";
import type { SequenceNumber, SessionNumber, TransactionNumber } from "../wire/statement.ts";
import type { ClientId } from "./boundary.ts";

/** How many ended transactions a session remembers, to say why they ended. */
const MAX_ENDED = 32;
/** How far sessions are counted: with 32 random bits behind it, the number is one that formats can hold. */
const SESSION_COUNTS = 2097152;

export class Session {
  readonly term: Term;
  readonly number: SessionNumber;
  /** The connection that the session was last heard on: answers go there. */
  client: ClientId;
  heardAt: Instant;
  /** Sequence numbers below this are settled and forgotten; what arrives under one is a late repetition. */
  private lowestUnanswered: SequenceNumber = 1;
  /** By sequence number: the encoded parts of the answer; null: it is being worked on. */
  private readonly answers = new Map<SequenceNumber, readonly Uint8Array[] | null>();
  private readonly endedTransactions = new Map<TransactionNumber, string>();

  constructor(term: Term, number: SessionNumber, client: ClientId, now: Instant) {
    this.term = term;
    this.number = number;
    this.client = client;
    this.heardAt = now;
  }

  /** The client was heard: its connection, and what it needs no more. */
  heard(client: ClientId, now: Instant): void {
    this.client = client;
    this.heardAt = now;
  }

  forgetBelow(lowestUnanswered: SequenceNumber): void {
    if (lowestUnanswered <= this.lowestUnanswered) return;
    this.lowestUnanswered = lowestUnanswered;
    for (const sequence of this.answers.keys()) if (sequence < lowestUnanswered) this.answers.delete(sequence);
  }

  /**
   * "new": never seen, and now being worked on. "settled": too old to be of interest to anyone. "full": `capacity`
   * requests are remembered, and this is none of them.
   */
  admit(sequence: SequenceNumber, capacity: number): "new" | "working" | "answered" | "settled" | "full" {
    if (this.isSettled(sequence)) return "settled";
    const answer = this.answers.get(sequence);
    if (answer !== undefined) return answer === null ? "working" : "answered";
    if (this.answers.size >= capacity) return "full";
    this.answers.set(sequence, null);
    return "new";
  }

  /** Whether the client waits for this answer no more. */
  isSettled(sequence: SequenceNumber): boolean {
    return sequence < this.lowestUnanswered;
  }

  /** How many requests are remembered. */
  get size(): number {
    return this.answers.size;
  }

  /** Remembers the answer, unless the client has lost interest. */
  settle(sequence: SequenceNumber, parts: readonly Uint8Array[]): void {
    if (!this.answers.has(sequence)) return;
    invariant(this.answers.get(sequence) === null, "a request is answered once");
    this.answers.set(sequence, parts);
  }

  answerPart(sequence: SequenceNumber, part: number): Uint8Array | null {
    return this.answers.get(sequence)?.[part] ?? null;
  }

  endTransaction(transaction: TransactionNumber, reason: string): void {
    this.endedTransactions.set(transaction, reason);
    if (this.endedTransactions.size <= MAX_ENDED) return;
    for (const oldest of this.endedTransactions.keys()) {
      this.endedTransactions.delete(oldest);
      return;
    }
  }

  whyEnded(transaction: TransactionNumber): string | null {
    return this.endedTransactions.get(transaction) ?? null;
  }
}

export class Sessions {
  private readonly byNumber = new Map<SessionNumber, Session>();
  private readonly random: Random;
  private opened = 0;

  constructor(random: Random) {
    this.random = random;
  }

  get size(): number {
    return this.byNumber.size;
  }

  open(term: Term, client: ClientId, now: Instant): Session {
    // Unique by its upper 21 bits, and by its lower 32 not to be guessed by another client. After two million sessions
    // the count begins anew: whoever had the first of them has long been silent, and would have to have its 32 bits.
    let number: SessionNumber;
    do {
      this.opened = (this.opened + 1) % SESSION_COUNTS;
      number = this.opened * 4294967296 + this.random.u32();
    } while (this.byNumber.has(number));
    const session = new Session(term, number, client, now);
    this.byNumber.set(session.number, session);
    return session;
  }

  /** null: not opened by this process in that term, or expired. */
  find(term: Term, number: SessionNumber): Session | null {
    const session = this.byNumber.get(number);
    return session !== undefined && session.term === term ? session : null;
  }

  close(session: Session): void {
    this.byNumber.delete(session.number);
  }

  /** The sessions not heard of for `expiryMs`. */
  silentSince(now: Instant, expiryMs: number): readonly Session[] {
    return [...this.byNumber.values()].filter((session) => afterMs(session.heardAt, expiryMs) <= now);
  }
}
