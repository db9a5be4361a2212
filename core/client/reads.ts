/**
 * Reads outside of transactions: queries, which any node may answer, and more than once.
 *
 *     called ──▶ sent to the node that the client is at ──▶ answer, part by part ──▶ Return
 *                   ▲            │ silence, a refusal, a broken connection
 *                   └────────────┘ on to the next node; once all have refused, after a rest
 *
 * The client stays with a node as long as that answers; the first of its list is where it begins. It keeps the highest
 * index that any answer has named: its *token*. A read of consistency "session" names the token as of its call, so that
 * it sees what this client has done and seen before, wherever it is answered. Before a first answer there is no token,
 * and the read is linearizable: a session begins in the present, not with whatever an idle node may have.
 */
import { failure, type Failure } from "../failure.ts";
import { unreachable } from "../invariant.ts";
import type { Random } from "../random.ts";
import { afterMs, MICROSECONDS_PER_MS, type Instant, type LogIndex } from "../types.ts";
import type { SqlValue } from "../database/engine.ts";
import type { ClientMessage, NodeMessage, Outcome, QueryNumber, ReadLevel } from "../wire/statement.ts";
import type { CallNumber, CallResult, ClientOptions, Endpoint, QueryOperation } from "./boundary.ts";

/** The rest after a round of refusals is drawn from [min, 2 * min), so that many clients do not ask in step. */
const MIN_REST_MS = 100;

/** The way out, which Client is. */
export interface ReadOutlet {
  send(to: Endpoint, message: ClientMessage): void;
  finishRead(call: CallNumber, result: CallResult): void;
  /** It writes after all, and was not executed: the leader has to do it. */
  executeAsWrite(call: CallNumber, operation: QueryOperation, deadline: Instant): void;
}

/** An answer of which parts are missing. */
interface Partial {
  readonly from: Endpoint;
  readonly execution: number;
  readonly outcome: Outcome | null;
  readonly rows: (readonly SqlValue[])[];
  /** The part that is asked for. */
  next: number;
  /** Whether it was asked for again already. */
  repeated: boolean;
}

interface Query {
  readonly call: CallNumber;
  readonly operation: QueryOperation;
  readonly level: ReadLevel;
  readonly deadline: Instant;
  /** A refusal under it is for good: after one the query gets another. */
  number: QueryNumber;
  /** The node that was asked last, or whose answer is being fetched. */
  at: Endpoint;
  sentAt: Instant;
  /** null: it is under way. */
  restsUntil: Instant | null;
  refusals: number;
  /** null: nothing of the answer is there. */
  partial: Partial | null;
}

export class Reads {
  private readonly outlet: ReadOutlet;
  private readonly options: ClientOptions;
  private readonly random: Random;
  private endpoints: readonly Endpoint[];
  /** By number, ascending. */
  private readonly queries = new Map<QueryNumber, Query>();
  private lastNumber: QueryNumber;
  /** Of the endpoints: where the client is. */
  private place = 0;
  /** 0: no answer has come yet. */
  private token = 0 as LogIndex;
  /** Why the last query was refused. */
  private lastRefusal: Failure | null = null;
  private now = 0 as Instant;

  constructor(outlet: ReadOutlet, options: ClientOptions, random: Random) {
    this.outlet = outlet;
    this.options = options;
    this.endpoints = options.endpoints;
    this.random = random;
    // Answers to an earlier life of this client, still on their way, do not fit.
    this.lastNumber = random.u32();
  }

  get size(): number {
    return this.queries.size;
  }

  /** An answer to this client named the index. */
  saw(index: LogIndex): void {
    if (index > this.token) this.token = index;
  }

  /** From now on these are asked: the one where the client is, if it is among them. */
  ask(now: Instant, endpoints: readonly Endpoint[]): void {
    this.now = now;
    const place = endpoints.indexOf(this.here);
    this.endpoints = endpoints;
    this.place = Math.max(place, 0);
    for (const query of this.all()) {
      if (query.restsUntil !== null || endpoints.includes(query.at)) continue;
      if (query.partial !== null) this.renumber(query);
      this.send(query);
    }
  }

  called(now: Instant, call: CallNumber, operation: QueryOperation, deadline: Instant): void {
    this.now = now;
    const level = levelOf(operation, this.token);
    const query: Query = {
      call, operation, level, deadline,
      number: 0, at: this.here, sentAt: now, restsUntil: null, refusals: 0, partial: null,
    };
    this.renumber(query);
    this.send(query);
  }

  answered(now: Instant, from: Endpoint, message: NodeMessage & { type: "QueryAnswer" }): void {
    this.now = now;
    const query = this.queries.get(message.query);
    if (query === undefined) return;
    if (message.part === 0 && query.partial === null) {
      const { execution, outcome } = message;
      query.partial = { from, execution, outcome, rows: [], next: 0, repeated: false };
      query.at = from;
    }
    const { partial } = query;
    // Late, repeated, or of another execution: of another moment, that is.
    if (partial === null || from !== partial.from || message.execution !== partial.execution) return;
    if (message.part !== partial.next) return;
    this.saw(message.index);
    for (const row of message.rows) partial.rows.push(row);
    partial.next += 1;
    partial.repeated = false;
    if (partial.next < message.parts) this.fetch(query, partial);
    else this.conclude(query, partial);
  }

  /** What its node had kept of the answer is gone. */
  unknown(now: Instant, from: Endpoint, number: QueryNumber): void {
    this.now = now;
    const query = this.queries.get(number);
    if (query === undefined || query.partial?.from !== from) return;
    this.renumber(query);
    this.send(query);
  }

  connectionLost(now: Instant, endpoint: Endpoint): void {
    this.now = now;
    for (const query of this.all()) if (query.restsUntil === null && query.at === endpoint) this.refused(query);
  }

  tick(now: Instant): void {
    this.now = now;
    for (const query of this.all()) {
      const { deadline, restsUntil, sentAt } = query;
      if (deadline <= now) this.timedOut(query);
      else if (restsUntil !== null) {
        if (restsUntil <= now) this.send(query);
      } else if (afterMs(sentAt, this.options.attemptTimeoutMs) <= now) this.silent(query);
    }
  }

  close(closed: Failure): void {
    for (const query of this.all()) this.finish(query, { ok: false, failure: closed });
  }

  private conclude(query: Query, { outcome, rows }: Partial): void {
    if (outcome === null) return this.refused(query);
    switch (outcome.type) {
      case "done": {
        const { columns, changes, lastInsertRowid } = outcome;
        return this.finish(query, { ok: true, rows: { columns, rows }, changes, lastInsertRowid });
      }
      case "writes":
        this.queries.delete(query.number);
        return this.outlet.executeAsWrite(query.call, query.operation, query.deadline);
      case "failed": {
        if (!mayTryElsewhere(outcome.failure)) return this.finish(query, { ok: false, failure: outcome.failure });
        this.lastRefusal = outcome.failure;
        return this.refused(query);
      }
      default:
        unreachable(outcome);
    }
  }

  /** Its node does not answer it: the next one may, unless all have been asked a moment ago. */
  private refused(query: Query): void {
    this.renumber(query);
    this.leave(query.at);
    query.refusals += 1;
    if (query.refusals % this.endpoints.length > 0) return this.send(query);
    query.restsUntil = afterMs(this.now, this.random.integer(MIN_REST_MS, 2 * MIN_REST_MS - 1));
  }

  private silent(query: Query): void {
    const { partial } = query;
    if (partial !== null && !partial.repeated) {
      partial.repeated = true;
      return this.fetch(query, partial);
    }
    // Without a part the number stays: an answer that is only late is still good.
    if (partial !== null) this.renumber(query);
    this.leave(query.at);
    this.send(query);
  }

  private timedOut(query: Query): void {
    const why = this.lastRefusal === null ? "" : ` (${this.lastRefusal.message})`;
    const message = `no answer within ${this.options.callTimeoutMs} ms${why}: it was not executed`;
    this.finish(query, { ok: false, failure: failure("Timeout", message) });
  }

  private finish(query: Query, result: CallResult): void {
    this.queries.delete(query.number);
    if (result.ok) this.lastRefusal = null;
    this.outlet.finishRead(query.call, result);
  }

  private send(query: Query): void {
    const { number, level, deadline, operation } = query;
    const { sql, parameters } = operation;
    query.at = this.here;
    query.sentAt = this.now;
    query.restsUntil = null;
    const timeoutMs = Math.ceil((deadline - this.now) / MICROSECONDS_PER_MS);
    const { lowestUnanswered } = this;
    this.outlet.send(query.at, { type: "Query", query: number, lowestUnanswered, timeoutMs, level, sql, parameters });
  }

  private fetch(query: Query, { from, next }: Partial): void {
    query.sentAt = this.now;
    this.outlet.send(from, { type: "FetchRows", query: query.number, part: next });
  }

  /** Nothing that was sent for it so far counts any more. */
  private renumber(query: Query): void {
    this.queries.delete(query.number);
    query.number = ++this.lastNumber;
    query.partial = null;
    this.queries.set(query.number, query);
  }

  /** Of several queries at one node the first that finds it of no use moves the client on. */
  private leave(endpoint: Endpoint): void {
    if (this.here === endpoint) this.place = (this.place + 1) % this.endpoints.length;
  }

  private get here(): Endpoint {
    return this.endpoints[this.place] as Endpoint;
  }

  private get lowestUnanswered(): QueryNumber {
    for (const number of this.queries.keys()) return number;
    return this.lastNumber + 1;
  }

  /** As of now: what becomes of one may remove others, or give them other places. */
  private all(): readonly Query[] {
    return [...this.queries.values()];
  }
}

function levelOf({ consistency }: QueryOperation, token: LogIndex): ReadLevel {
  return consistency === "session" && token > 0 ? { type: "session", index: token } : { type: "linearizable" };
}

/** Not executed, for a reason that another node, or this one in a moment, need not have. */
function mayTryElsewhere({ code }: Failure): boolean {
  return code === "Busy" || code === "NotLeader" || code === "Closed";
}
