/**
 * Messages that vouch for bytes, held back until these are durable: votes, and what is said about our own log.
 *
 * A message keeps the term and the destination that it was made with, waits for every write handed out up to and with
 * the step that made it, and leaves in the order in which it was made. When the term moves on it is dropped: its
 * promise is about an office that nobody holds any more, and silence is always allowed.
 */
import type { MemberId, Ticket } from "../types.ts";
import type { RaftEffect } from "./boundary.ts";
import type { Message } from "./message.ts";

interface Held {
  readonly to: MemberId;
  readonly message: Message;
  /** It may leave once this write is durable; null: made in the current step, whose write has no ticket yet. */
  after: Ticket | null;
}

export class Outbox {
  private held: Held[] = [];

  post(to: MemberId, message: Message): void {
    this.held.push({ to, message, after: null });
  }

  /** The term has moved on. */
  clear(): void {
    if (this.held.length > 0) this.held = [];
  }

  /** Ends a step: its messages wait for `begun`, the last write handed out. Those whose wait is over leave. */
  release(begun: Ticket, through: Ticket, effects: RaftEffect[]): void {
    let count = 0;
    for (const held of this.held) {
      held.after ??= begun;
      if (held.after > through) continue;
      effects.push({ type: "Send", to: held.to, message: held.message });
      count += 1;
    }
    if (count > 0) this.held.splice(0, count);
  }
}
