/**
 * One session with one node, from the client's side, and the calls that wait for an answer in it.
 *
 * A link is *current* while the client believes that its node leads; afterwards it is *retired*: nothing new is sent in
 * it, but its node is still asked about the writes that it may have executed, as only that node can tell.
 */
import { invariant } from "../invariant.ts";
import type { Instant, Term } from "../types.ts";
import { encodeClientMessage } from "../wire/statement-codec.ts";
import type { SqlValue } from "../database/engine.ts";
import type { Outcome, RequestBody, SequenceNumber, SessionNumber } from "../wire/statement.ts";
import type { CallNumber, Endpoint, Operation, QueryOperation } from "./boundary.ts";

/** What only the leader can do. */
export type SessionOperation = Exclude<Operation, QueryOperation>;

/** One call of the application, but a read outside of transactions (reads.ts). */
export interface Call {
  readonly number: CallNumber;
  readonly operation: SessionOperation;
  readonly deadline: Instant;
  /** The request under way; null: to be sent when there is a session. */
  sent: { readonly link: Link; readonly sequence: SequenceNumber; readonly body: RequestBody } | null;
  /** When it was last sent or repeated. */
  sentAt: Instant;
  /** The part of the answer that is asked for; 0: the answer itself. */
  part: number;
  outcome: Outcome | null;
  rows: (readonly SqlValue[])[];
}

export class Link {
  readonly endpoint: Endpoint;
  readonly term: Term;
  readonly session: SessionNumber;
  /** When an answer of this session was last received. */
  heardAt: Instant;
  /** The connection broke since; the session may still be there. */
  lost = false;
  /** null: current. */
  retiredAt: Instant | null = null;
  /** In ascending order of sequence numbers, as they are given out in that order. */
  readonly pending = new Map<SequenceNumber, Call>();
  private nextSequence: SequenceNumber = 1;

  constructor(endpoint: Endpoint, term: Term, session: SessionNumber, now: Instant) {
    this.endpoint = endpoint;
    this.term = term;
    this.session = session;
    this.heardAt = now;
  }

  /** A new request of this session, as bytes. */
  request(call: Call, body: RequestBody): Uint8Array {
    const sequence = this.nextSequence++;
    this.pending.set(sequence, call);
    call.sent = { link: this, sequence, body };
    call.part = 0;
    return this.repeat(call);
  }

  /** The call's request again, or that for the part of the answer that is missing. */
  repeat(call: Call): Uint8Array {
    const { sent } = call;
    invariant(sent !== null && sent.link === this, "what is repeated was sent in this session");
    const { term, session } = this;
    const { sequence, body } = sent;
    if (call.part > 0) return encodeClientMessage({ type: "FetchPart", term, session, sequence, part: call.part });
    const { lowestUnanswered } = this;
    return encodeClientMessage({ type: "Request", term, session, sequence, lowestUnanswered, body });
  }

  /** Ends the link's interest in a call, answered or given up. */
  drop(call: Call): void {
    if (call.sent !== null) this.pending.delete(call.sent.sequence);
    call.sent = null;
    call.part = 0;
  }

  private get lowestUnanswered(): SequenceNumber {
    for (const sequence of this.pending.keys()) return sequence;
    return this.nextSequence;
  }
}
