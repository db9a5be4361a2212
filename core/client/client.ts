/**
 * The client: finds the leader, keeps a session with it, repeats what may be repeated, and tells what is unknown.
 *
 *     Called ──▶ waiting ──▶ (session with the leader) ──▶ sent ──▶ Return
 *                   ▲                                       │
 *                   └──── a BEGIN, or surely not executed ──┘
 *
 * Reads outside of transactions need no leader and go their own way (reads.ts). It opens no sockets: the driver carries
 * bytes, and may lose, repeat and delay them.
 */
import { failure, type Failure } from "../failure.ts";
import { invariant, unreachable } from "../invariant.ts";
import { NEVER, type Rarely } from "../rare-course.ts";
import { Random } from "../random.ts";
import { afterMs, type Instant, type Term } from "../types.ts";
import { decodeNodeMessage, encodeClientMessage } from "../wire/statement-codec.ts";
import type { ClientMessage, NodeMessage } from "../wire/statement.ts";
import type {
  CallNumber, CallResult, ClientEffect, ClientInput, ClientOptions, ClientTransaction, Endpoint, Operation,
  QueryOperation,
} from "./boundary.ts";
import { bodyOf, EMPTY_RESULT, lostResult, natureOf, operationFault, timeoutResult, transactionOf } from "./call.ts";
import { LeaderSearch } from "./leader-search.ts";
import { Link, type Call, type SessionOperation } from "./link.ts";
import { Reads, type ReadOutlet } from "./reads.ts";

/** How often deadlines are looked at while there are calls. */
const TICK_MS = 50;
/** A session unheard of for so long is replaced before it is used: half of the time after which nodes forget one. */
const STALE_MS = 15_000;

export class Client implements ReadOutlet {
  private readonly options: ClientOptions;
  private readonly leaders: LeaderSearch;
  private readonly reads: Reads;
  private readonly calls = new Map<CallNumber, Call>();
  /** Open transactions and the session each lives in. */
  private readonly transactions = new Map<ClientTransaction, Link>();
  private link: Link | null = null;
  private retired: Link[] = [];
  private timerAt: Instant | null = null;
  /** What every further call is told; null: it is open. */
  private closed: Failure | null = null;
  private readonly rarely: Rarely;
  private now = 0 as Instant;
  private effects: ClientEffect[] = [];

  constructor(options: ClientOptions) {
    this.options = options;
    this.rarely = options.rarely ?? NEVER;
    const random = Random.fromBytes(options.seed);
    this.leaders = new LeaderSearch(options.endpoints, options.attemptTimeoutMs, random);
    this.reads = new Reads(this, options, random.fork());
  }

  step(now: Instant, input: ClientInput): readonly ClientEffect[] {
    this.now = now;
    this.effects = [];
    switch (input.type) {
      case "Called":
        this.called(input.call, input.operation);
        break;
      case "Received":
        this.received(input.from, input.bytes);
        break;
      case "ConnectionLost":
        this.connectionLost(input.endpoint);
        break;
      case "TimerFired":
        this.tick();
        break;
      case "EndpointsChanged":
        this.leaders.ask(input.endpoints);
        this.reads.ask(this.now, input.endpoints);
        break;
      case "Closing":
        this.close(input.reason);
        break;
      default:
        unreachable(input);
    }
    this.armTimer();
    return this.effects;
  }

  // Calls.

  private called(number: CallNumber, operation: Operation): void {
    const deadline = afterMs(this.now, this.options.callTimeoutMs);
    const fault = this.closed ?? operationFault(operation);
    if (operation.type === "query") {
      if (fault !== null) this.finishRead(number, { ok: false, failure: fault });
      else this.reads.called(this.now, number, operation, deadline);
      return;
    }
    const call = newCall(number, operation, this.now, deadline);
    this.calls.set(number, call);
    if (fault !== null) this.finish(call, { ok: false, failure: fault });
    else this.place(call);
  }

  finishRead(call: CallNumber, result: CallResult): void {
    this.emit({ type: "Return", call, result });
  }

  executeAsWrite(number: CallNumber, { sql, parameters }: QueryOperation, deadline: Instant): void {
    const call = newCall(number, { type: "execute", transaction: null, sql, parameters }, this.now, deadline);
    this.calls.set(number, call);
    this.place(call);
  }

  /** Sends the call in the session that it belongs to; without one it waits. */
  private place(call: Call): void {
    invariant(call.sent === null, "a call is under way in one session");
    const { operation } = call;
    const transaction = transactionOf(operation);
    if (transaction !== null && operation.type !== "begin") {
      const link = this.transactions.get(transaction);
      if (operation.type === "commit" || operation.type === "rollback") this.transactions.delete(transaction);
      if (link !== undefined) return this.sendIn(link, call);
      const over = failure("TransactionAborted", "the transaction is over: begin another");
      return this.finish(call, operation.type === "rollback" ? EMPTY_RESULT : { ok: false, failure: over });
    }
    const link = this.usableLink();
    if (link === null) return this.search();
    if (transaction !== null) this.transactions.set(transaction, link);
    this.sendIn(link, call);
  }

  private sendIn(link: Link, call: Call): void {
    call.sentAt = this.now;
    call.rows = [];
    this.emit({ type: "Send", to: link.endpoint, bytes: link.request(call, bodyOf(call)) });
    if (this.rarely("repeatsAtOnce")) this.repeat(call);
  }

  private repeat(call: Call): void {
    invariant(call.sent !== null, "what is repeated was sent");
    call.sentAt = this.now;
    this.emit({ type: "Send", to: call.sent.link.endpoint, bytes: call.sent.link.repeat(call) });
  }

  private finish(call: Call, known: CallResult): void {
    call.sent?.link.drop(call);
    this.calls.delete(call.number);
    const { operation } = call;
    // Nothing of it stays without a COMMIT, whatever became of this request.
    const result = operation.type === "rollback" ? EMPTY_RESULT : known;
    // A transaction that did not begin, or that is surely over, is no more.
    const over = !result.ok && (operation.type === "begin" || result.failure.code === "TransactionAborted");
    const transaction = transactionOf(operation);
    if (over && transaction !== null) this.transactions.delete(transaction);
    this.emit({ type: "Return", call: call.number, result });
  }

  /** Its session can no longer be asked: the call ends with the truth, or is sent again. */
  private lose(call: Call, reason: string): void {
    const result = lostResult(call, reason);
    if (result !== null) return this.finish(call, result);
    call.sent?.link.drop(call);
    this.place(call);
  }

  // Sessions.

  private usableLink(): Link | null {
    const { link } = this;
    if (link === null) return null;
    const inUse = link.pending.size > 0 || [...this.transactions.values()].includes(link);
    if (inUse || (this.now < afterMs(link.heardAt, STALE_MS) && !this.rarely("searchesAnew"))) return link;
    this.send(link.endpoint, { type: "CloseSession", term: link.term, session: link.session });
    this.link = null;
    return null;
  }

  private search(): void {
    for (const { to, message } of this.leaders.search(this.now)) this.send(to, message);
  }

  private located(from: Endpoint, message: NodeMessage & { type: "Located" }): void {
    if (!this.leaders.isLeader(message)) return;
    const { link } = this;
    if (link !== null && message.term <= link.term) {
      // Our leader still leads: what we asked may have been lost on the way.
      if (link.lost && message.term === link.term && from === link.endpoint) {
        link.lost = false;
        for (const call of link.pending.values()) this.repeat(call);
      }
      return;
    }
    for (const letter of this.leaders.open(this.now, from, message.term)) this.send(letter.to, letter.message);
  }

  private sessionOpened(from: Endpoint, message: NodeMessage & { type: "SessionOpened" }): void {
    if (!this.leaders.opened(message)) return;
    const before = this.link;
    this.link = new Link(from, message.term, message.session, this.now);
    if (before !== null) this.retire(before);
    for (const call of this.calls.values()) if (call.sent === null) this.place(call);
  }

  /** Another node leads now. What may be repeated moves on; writes stay to hear the truth, for a while. */
  private retire(link: Link): void {
    if (this.link === link) this.link = null;
    link.retiredAt = this.now;
    this.retired.push(link);
    for (const [transaction, home] of this.transactions) if (home === link) this.transactions.delete(transaction);
    for (const call of link.pending.values()) {
      if (natureOf(call) !== "write") this.lose(call, "leadership changed");
    }
  }

  private connectionLost(endpoint: Endpoint): void {
    this.leaders.connectionLost(endpoint);
    this.reads.connectionLost(this.now, endpoint);
    for (const link of this.retired) if (link.endpoint === endpoint) link.lost = true;
    if (this.link?.endpoint === endpoint) {
      this.link.lost = true;
      if (this.link.pending.size > 0) this.search();
    }
  }

  // Answers.

  private received(from: Endpoint, bytes: Uint8Array): void {
    const decoded = decodeNodeMessage(bytes);
    // Harm on the way, or a stranger: as good as lost.
    if (!decoded.ok) return;
    const message = decoded.value;
    switch (message.type) {
      case "Located":
        return this.located(from, message);
      case "SessionOpened":
        return this.sessionOpened(from, message);
      case "SessionRefused":
        return this.leaders.refused(message);
      case "Answer":
        return this.answered(from, message);
      case "SessionUnknown":
        return this.sessionUnknown(from, message);
      case "QueryAnswer":
        return this.reads.answered(this.now, from, message);
      case "QueryUnknown":
        return this.reads.unknown(this.now, from, message.query);
      default:
        unreachable(message);
    }
  }

  private answered(from: Endpoint, message: NodeMessage & { type: "Answer" }): void {
    const link = this.linkOf(from, message);
    const call = link?.pending.get(message.sequence);
    if (link === null || call === undefined || message.part !== call.part) return;
    link.heardAt = this.now;
    link.lost = false;
    this.reads.saw(message.index);
    if (message.part === 0) call.outcome = message.outcome;
    for (const row of message.rows) call.rows.push(row);
    if (message.part + 1 < message.parts) {
      call.part = message.part + 1;
      return this.repeat(call);
    }
    this.conclude(link, call);
  }

  private conclude(link: Link, call: Call): void {
    const { outcome, rows } = call;
    if (outcome === null) return this.lose(call, "the answer made no sense");
    switch (outcome.type) {
      case "done": {
        const { columns, changes, lastInsertRowid } = outcome;
        return this.finish(call, { ok: true, rows: { columns, rows }, changes, lastInsertRowid });
      }
      case "writes":
        return this.lose(call, "the answer made no sense");
      case "failed":
        if (!this.mayTryElsewhere(call, outcome.failure)) {
          return this.finish(call, { ok: false, failure: outcome.failure });
        }
        link.drop(call);
        if (this.link === link) this.retire(link);
        // It was surely not executed: the next leader gets it, if there is one by now.
        return this.place(call);
      default:
        unreachable(outcome);
    }
  }

  /** Surely not executed, and another node may do it. */
  private mayTryElsewhere(call: Call, { code }: Failure): boolean {
    const gone = code === "NotLeader" || code === "Closed";
    if (call.operation.type === "begin") return gone || code === "TransactionAborted";
    return gone && transactionOf(call.operation) === null;
  }

  private sessionUnknown(from: Endpoint, message: NodeMessage & { type: "SessionUnknown" }): void {
    const link = this.linkOf(from, message);
    const call = link?.pending.get(message.sequence);
    if (link === null || call === undefined) return;
    if (this.link === link) this.retire(link);
    for (const lost of link.pending.values()) this.lose(lost, "its session is no more");
  }

  private linkOf(from: Endpoint, { term, session }: { readonly term: Term; readonly session: number }): Link | null {
    const links = this.link === null ? this.retired : [this.link, ...this.retired];
    return links.find((link) => link.endpoint === from && link.term === term && link.session === session) ?? null;
  }

  // Time.

  private tick(): void {
    if (this.timerAt === null || this.now < this.timerAt) return;
    this.timerAt = null;
    this.reads.tick(this.now);
    let stuck = false;
    for (const call of this.calls.values()) {
      // A call may be gone by now: what became of another one ended it.
      if (!this.calls.has(call.number)) continue;
      if (call.deadline <= this.now) this.timedOut(call);
      else if (call.sent === null) stuck = true;
      else if (afterMs(call.sentAt, this.options.attemptTimeoutMs) <= this.now) {
        stuck = true;
        this.repeat(call);
      }
    }
    // Where nobody leads whom we can reach, one question is not enough: there will be a leader soon.
    const isLeaderless = this.link === null || this.link.lost;
    if (stuck || (isLeaderless && this.calls.size > 0)) this.search();
    for (const link of this.retired) if (this.isHopeless(link)) this.giveUp(link);
    this.retired = this.retired.filter((link) => link.pending.size > 0);
  }

  private timedOut(call: Call): void {
    const { lastRefusal } = this.leaders;
    const refusal = lastRefusal === null ? "" : ` (${lastRefusal.message})`;
    const hint = this.link === null ? ` from a leader${refusal}` : "";
    const result = timeoutResult(call, this.options.callTimeoutMs, hint);
    const { operation, sent } = call;
    const transaction = transactionOf(operation);
    this.finish(call, result);
    // The node may still hold the writer for it.
    if (sent === null || transaction === null || operation.type === "commit") return;
    this.transactions.delete(transaction);
    this.release(sent.link, transaction);
  }

  /** Tells the node, without waiting for an answer, that a transaction is over. */
  private release(link: Link, transaction: ClientTransaction): void {
    const operation: SessionOperation = { type: "rollback", transaction };
    const call = newCall(0, operation, this.now, this.now);
    this.emit({ type: "Send", to: link.endpoint, bytes: link.request(call, bodyOf(call)) });
    link.drop(call);
  }

  /** Its node cannot be asked any more, and another one leads. */
  private isHopeless(link: Link): boolean {
    invariant(link.retiredAt !== null, "only retired links are given up");
    return (link.lost && this.link !== null) || afterMs(link.retiredAt, 2 * this.options.attemptTimeoutMs) <= this.now;
  }

  private giveUp(link: Link): void {
    const reason = "leadership changed, and the node that it was sent to is silent";
    for (const call of link.pending.values()) this.lose(call, reason);
  }

  private close(reason: string): void {
    const closed = (this.closed ??= failure("Closed", `${reason}: this was not executed`));
    this.reads.close(closed);
    for (const call of [...this.calls.values()]) {
      const lost = call.sent === null ? null : lostResult(call, reason);
      this.finish(call, lost ?? { ok: false, failure: closed });
    }
    const { link } = this;
    this.link = null;
    if (link !== null) this.send(link.endpoint, { type: "CloseSession", term: link.term, session: link.session });
  }

  private armTimer(): void {
    if (this.timerAt !== null || this.calls.size + this.reads.size === 0) return;
    this.timerAt = afterMs(this.now, TICK_MS);
    this.emit({ type: "SetTimer", at: this.timerAt });
  }

  send(to: Endpoint, message: ClientMessage): void {
    this.emit({ type: "Send", to, bytes: encodeClientMessage(message) });
  }

  private emit(effect: ClientEffect): void {
    this.effects.push(effect);
  }
}

function newCall(number: CallNumber, operation: SessionOperation, now: Instant, deadline: Instant): Call {
  return { number, operation, deadline, sent: null, sentAt: now, part: 0, outcome: null, rows: [] };
}
