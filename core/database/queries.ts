/**
 * Queries: reads outside of sessions and transactions. Every node answers them from its applied state, once that is new
 * enough for the query's level.
 *
 *     Query ──▶ linearizable: RequestRead ──▶ ReadConfirmed{index} ──▶ applied so far ──▶ engine's reader ──▶ answer
 *        └────▶ session: the client's token is the index ───────────────────┘
 *
 * Of the leader no more is wanted than an index, so the work of reading is shared by all nodes. A query may be executed
 * again: what is remembered of its connection spares work, and holds the parts of a large answer; no promise rests
 * on it.
 */
import { failure, type Failure } from "../failure.ts";
import { unreachable } from "../invariant.ts";
import type { Random } from "../random.ts";
import { afterMs, type Instant, type LogIndex, type ReadNumber } from "../types.ts";
import type { ClientMessage, NodeMessage } from "../wire/statement.ts";
import { encodeResult, failedResult, resultOf, type Result } from "./answer.ts";
import type { ClientId, DatabaseLimits } from "./boundary.ts";
import type { SqlParameters, StatementResult } from "./engine.ts";
import { Recollection } from "./recollection.ts";

/** How far executions are counted: with 32 random bits before it, the number is one that formats can hold. */
const EXECUTION_COUNTS = 2097152;

type Query = ClientMessage & { readonly type: "Query" };

/** What Queries asks of Database. */
export interface QueryOutlet {
  readonly appliedIndex: LogIndex;
  /** Whether there is a state to read from, with the effect of all entries up to `index`. */
  hasApplied(index: LogIndex): boolean;
  respond(client: ClientId, message: NodeMessage): void;
  respondBytes(client: ClientId, bytes: Uint8Array): void;
  /** Begins a ReadIndex round. */
  requestRead(): ReadNumber;
  /** One statement on the applied state. */
  read(sql: string, parameters: SqlParameters): StatementResult;
}

interface Waiting {
  readonly connection: Recollection;
  readonly query: Query;
  /** Its client waits no longer. */
  readonly giveUpAt: Instant;
}

export class Queries {
  private readonly outlet: QueryOutlet;
  private readonly limits: DatabaseLimits;
  private readonly connections = new Map<ClientId, Recollection>();
  /** Those whose ReadIndex round is under way. */
  private readonly rounds = new Map<ReadNumber, Waiting>();
  /** Those whose index has not been applied yet, or not restored, in the order in which it became known. */
  private readonly unapplied = new Map<Waiting, LogIndex>();
  private readonly lifeNumber: number;
  private executions = 0;
  private closed = false;

  constructor(outlet: QueryOutlet, limits: DatabaseLimits, random: Random) {
    this.outlet = outlet;
    this.limits = limits;
    this.lifeNumber = random.u32();
  }

  /** How many connections are remembered. */
  get size(): number {
    return this.connections.size;
  }

  asked(client: ClientId, query: Query, now: Instant): void {
    const connection = this.connectionOf(client, now);
    if (connection === null) {
      const message = `${this.limits.maxSessions} connections ask already: try later, or ask another node`;
      this.tell(client, query, failedResult(failure("Busy", message)));
      return;
    }
    connection.forgetBelow(query.lowestUnanswered);
    switch (connection.admit(query.query, 2 * this.limits.maxSessionRequests)) {
      case "settled":
      case "working":
      case "full":
        return;
      case "answered":
        return this.respondPart(connection, query.query, 0);
      case "new":
        return this.begin({ connection, query, giveUpAt: afterMs(now, query.timeoutMs) });
    }
  }

  fetched(client: ClientId, { query, part }: ClientMessage & { readonly type: "FetchRows" }, now: Instant): void {
    const connection = this.connections.get(client);
    if (connection === undefined) return this.outlet.respond(client, { type: "QueryUnknown", query });
    connection.heard(client, now);
    this.respondPart(connection, query, part);
  }

  confirmed(read: ReadNumber, index: LogIndex): void {
    const waiting = this.rounds.get(read);
    if (waiting === undefined) return;
    this.rounds.delete(read);
    this.awaitIndex(waiting, index);
  }

  /** Nobody leads, or the leader is out of reach. That is no reason to ask the leader instead: others may hear it. */
  unconfirmed(read: ReadNumber): void {
    const waiting = this.rounds.get(read);
    if (waiting === undefined) return;
    this.rounds.delete(read);
    this.refuse(waiting, failure("Busy", "no leader is known here that could be asked: try later, or another node"));
  }

  /** The applied state has moved on, or is whole again. */
  applied(): void {
    for (const [waiting, index] of this.unapplied) {
      if (!this.outlet.hasApplied(index)) continue;
      this.unapplied.delete(waiting);
      this.execute(waiting);
    }
  }

  clientGone(client: ClientId): void {
    const connection = this.connections.get(client);
    this.connections.delete(client);
    this.drop((waiting) => waiting.connection === connection);
  }

  /** Forgets the queries that nobody waits for, and connections that were not heard of for long. */
  sweep(now: Instant): void {
    this.drop(({ giveUpAt }) => giveUpAt <= now);
    for (const [client, { heardAt }] of this.connections) {
      if (afterMs(heardAt, this.limits.sessionExpiryMs) <= now) this.clientGone(client);
    }
  }

  close(): void {
    this.closed = true;
    const waiting = [...this.rounds.values(), ...this.unapplied.keys()];
    this.drop(() => true);
    for (const one of waiting) this.refuse(one, CLOSED);
  }

  private begin(waiting: Waiting): void {
    if (this.closed) return this.refuse(waiting, CLOSED);
    const { connection, query } = waiting;
    const { maxSessionRequests } = this.limits;
    if (connection.size > maxSessionRequests) {
      const message = `the connection has ${maxSessionRequests} unanswered queries already`;
      return this.refuse(waiting, failure("Busy", message));
    }
    switch (query.level.type) {
      case "linearizable":
        this.rounds.set(this.outlet.requestRead(), waiting);
        return;
      case "session":
        return this.awaitIndex(waiting, query.level.index);
      default:
        unreachable(query.level);
    }
  }

  private awaitIndex(waiting: Waiting, index: LogIndex): void {
    if (this.outlet.hasApplied(index)) this.execute(waiting);
    else this.unapplied.set(waiting, index);
  }

  private execute(waiting: Waiting): void {
    const { connection, query } = waiting;
    if (connection.isSettled(query.query)) return;
    this.answer(waiting, resultOf(this.outlet.read(query.sql, query.parameters)));
  }

  private refuse(waiting: Waiting, refusal: Failure): void {
    this.answer(waiting, failedResult(refusal));
  }

  private answer({ connection, query }: Waiting, result: Result): void {
    connection.settle(query.query, this.tell(connection.client, query, result));
  }

  /** Sends part 0. @returns all parts */
  private tell(client: ClientId, { query }: Query, result: Result): readonly Uint8Array[] {
    this.executions = (this.executions + 1) % EXECUTION_COUNTS;
    const execution = this.lifeNumber * EXECUTION_COUNTS + this.executions;
    const parts = encodeResult(result, this.outlet.appliedIndex, (part) => {
      return { type: "QueryAnswer", query, execution, ...part };
    });
    const [first] = parts;
    if (first !== undefined) this.outlet.respondBytes(client, first);
    return parts;
  }

  private respondPart(connection: Recollection, query: number, part: number): void {
    const bytes = connection.answerPart(query, part);
    if (bytes !== null) this.outlet.respondBytes(connection.client, bytes);
    else this.outlet.respond(connection.client, { type: "QueryUnknown", query });
  }

  /** null: there are too many. */
  private connectionOf(client: ClientId, now: Instant): Recollection | null {
    const known = this.connections.get(client);
    if (known !== undefined) {
      known.heard(client, now);
      return known;
    }
    if (this.connections.size >= this.limits.maxSessions) return null;
    const connection = new Recollection(client, now);
    this.connections.set(client, connection);
    return connection;
  }

  private drop(matches: (waiting: Waiting) => boolean): void {
    for (const [read, waiting] of this.rounds) if (matches(waiting)) this.rounds.delete(read);
    for (const waiting of this.unapplied.keys()) if (matches(waiting)) this.unapplied.delete(waiting);
  }
}

const CLOSED = failure("Closed", "this node is closing: ask another");
