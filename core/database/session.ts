/**
 * The sessions of this process: which requests were seen, and what they were answered.
 *
 * This is what makes a refusal final and a repetition harmless: a sequence number is executed at most once, by this
 * process, in the session's term. It lives in memory only, and needs no more: another process, or this one after a
 * restart, leads in other terms and knows none of these sessions.
 */
import type { Random } from "../random.ts";
import { afterMs, type Instant, type Term } from "../types.ts";
import type { SessionNumber, TransactionNumber } from "../wire/statement.ts";
import type { ClientId } from "./boundary.ts";
import { Recollection } from "./recollection.ts";

/** How many ended transactions a session remembers, to say why they ended. */
const MAX_ENDED = 32;
/** How far sessions are counted: with 32 random bits behind it, the number is one that formats can hold. */
const SESSION_COUNTS = 2097152;

export class Session extends Recollection {
  readonly term: Term;
  readonly number: SessionNumber;
  private readonly endedTransactions = new Map<TransactionNumber, string>();

  constructor(term: Term, number: SessionNumber, client: ClientId, now: Instant) {
    super(client, now);
    this.term = term;
    this.number = number;
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
