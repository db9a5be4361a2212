/**
 * Who may use the one writer: the open interactive transaction, or the oldest request that waits. First come, first
 * served; a transaction keeps the writer from BEGIN to its end, and is ended for it when it stands idle.
 */
import { invariant } from "../invariant.ts";
import type { Instant } from "../types.ts";
import type { TransactionNumber } from "../wire/statement.ts";
import type { Request } from "./answer.ts";
import type { Session } from "./session.ts";

export interface OpenTransaction {
  readonly session: Session;
  readonly number: TransactionNumber;
  /** When its last statement was executed. */
  usedAt: Instant;
}

export class WriterQueue {
  /** The transaction that holds the writer; null: the writer is free. */
  open: OpenTransaction | null = null;
  private waiting: Request[] = [];

  get length(): number {
    return this.waiting.length;
  }

  push(request: Request): void {
    this.waiting.push(request);
  }

  /** The next request to execute; null: none waits, or a transaction holds the writer. */
  next(): Request | null {
    return this.open === null ? (this.waiting.shift() ?? null) : null;
  }

  begin(session: Session, number: TransactionNumber, now: Instant): void {
    invariant(this.open === null, "one transaction holds the writer");
    this.open = { session, number, usedAt: now };
  }

  holds(session: Session, number: TransactionNumber): boolean {
    return this.open !== null && this.open.session === session && this.open.number === number;
  }

  /** Takes out the requests that match. */
  remove(matches: (request: Request) => boolean): readonly Request[] {
    const removed = this.waiting.filter(matches);
    if (removed.length > 0) this.waiting = this.waiting.filter((request) => !matches(request));
    return removed;
  }
}
