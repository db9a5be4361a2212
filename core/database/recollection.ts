/**
 * What one client has asked, and what it was answered, as far as it may still ask again: this is what makes a
 * repetition harmless. It lives in memory, and knows neither sessions nor SQL.
 */
import { invariant } from "../invariant.ts";
import type { Instant } from "../types.ts";
import type { SequenceNumber } from "../wire/statement.ts";
import type { ClientId } from "./boundary.ts";

export class Recollection {
  /** The connection that the client was last heard on: answers go there. */
  client: ClientId;
  heardAt: Instant;
  /** Sequence numbers below this are settled and forgotten; what arrives under one is a late repetition. */
  private lowestUnanswered: SequenceNumber = 1;
  /** By sequence number: the encoded parts of the answer; null: it is being worked on. */
  private readonly answers = new Map<SequenceNumber, readonly Uint8Array[] | null>();

  constructor(client: ClientId, now: Instant) {
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
}
