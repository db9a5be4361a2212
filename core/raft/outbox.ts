/**
 * Messages that vouch for bytes, held back until these are durable: votes, and what is said about our own log.
 *
 * A message keeps the term and the destination that it was made with, waits for the writes that it vouches for, and
 * leaves in the order in which it was made among those that wait for the same. When the term moves on it is dropped:
 * its promise is about an office that nobody holds any more, and silence is always allowed.
 *
 * Most wait for every write handed out up to and with the step that made them. One that vouches for the term alone, as
 * the answer to a heartbeat does, waits for the hard state only: a slow disk must not make a leader look dead.
 */
import type { MemberId, Ticket } from "../types.ts";
import type { RaftEffect } from "./boundary.ts";
import type { Message } from "./message.ts";
import type { Writes } from "./writes.ts";

interface Held {
  readonly to: MemberId;
  readonly message: Message;
  readonly vouchesFor: "log" | "term";
  /** It may leave once this write is durable; null: made in the current step, whose write has no ticket yet. */
  after: Ticket | null;
}

export class Outbox {
  private held: Held[] = [];

  post(to: MemberId, message: Message, vouchesFor: "log" | "term"): void {
    if (this.held.length > 0 && vouchesFor === "term") this.forgetEarlier(to, message.type);
    this.held.push({ to, message, vouchesFor, after: null });
  }

  /** While a disk hangs each heartbeat would leave an answer here: the last one says all that the others would have. */
  private forgetEarlier(to: MemberId, type: Message["type"]): void {
    if (type !== "AppendEntriesReply") return;
    this.held = this.held.filter((held) => held.to !== to || held.vouchesFor !== "term" || held.message.type !== type);
  }

  /** The term has moved on. */
  clear(): void {
    if (this.held.length > 0) this.held = [];
  }

  /** Ends a step, the write of which has been handed out. Those whose wait is over leave. */
  release(writes: Writes, effects: RaftEffect[]): void {
    if (this.held.length === 0) return;
    const { begun, through, hardStateTicket } = writes;
    let kept = 0;
    for (const held of this.held) {
      held.after ??= held.vouchesFor === "log" ? begun : hardStateTicket;
      if (held.after <= through) effects.push({ type: "Send", to: held.to, message: held.message });
      else this.held[kept++] = held;
    }
    this.held.length = kept;
  }
}
