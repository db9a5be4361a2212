/**
 * One node's database: sessions, transaction queue, SQL engine and reads, between the clients and the replicated log.
 *
 *     request ──▶ session ──▶ executor ──▶ engine ──▶ Propose ──▶ (log) ──▶ Committed ──▶ engine ──▶ answer
 *     query ────▶ RequestRead ──▶ ReadConfirmed, applied so far ──▶ engine's reader ──▶ answer
 *
 * Queries are answered on every node (queries.ts). Requests are executed only while it leads, and only after it has
 * applied its own term's no-op: before that, entries of earlier leaders may be missing here. It runs ahead of
 * replication (the engine's speculative commits); outbox.ts decides when an answer may leave. On any loss of leadership
 * it first rolls back to the applied state.
 *
 * It is not concerned with durability, quorums or elections: that is Replica.
 */
import { failure, type Failure } from "../failure.ts";
import { invariant, unreachable } from "../invariant.ts";
import { NEVER, type Rarely } from "../rare-course.ts";
import { Random } from "../random.ts";
import type { RestoreStep } from "../storage/boundary.ts";
import {
  afterMs, sameEntry, type Entry, type EntryId, type Instant, type LogIndex, type ReadNumber,
} from "../types.ts";
import { decodeClientMessage, encodeNodeMessage } from "../wire/statement-codec.ts";
import type { ClientMessage, NodeMessage, RequestBody } from "../wire/statement.ts";
import { encodeResult, failed, type Answer, type Request } from "./answer.ts";
import type { ClientId, DatabaseEffect, DatabaseInput, DatabaseLimits, DatabaseOptions } from "./boundary.ts";
import {
  ENGINE_SEED_SIZE, type ApplyFault, type Engine, type SqlParameters, type StatementResult,
} from "./engine.ts";
import { Executor, type Outlet } from "./executor.ts";
import { Leadership } from "./leadership.ts";
import { Queries, type QueryOutlet } from "./queries.ts";
import { Sessions, type Session } from "./session.ts";

/** How often sessions and the open transaction are looked at for having expired. */
const SWEEP_MS = 500;

/** What the oracles and `status` may see. */
export interface DatabaseSnapshot {
  readonly appliedIndex: LogIndex;
  /** Whether there is a state: not while a snapshot is being restored. */
  readonly isWhole: boolean;
  /** It leads and has caught up: it executes. */
  readonly executing: boolean;
  readonly speculative: number;
  readonly sessions: number;
}

export class Database implements Outlet, QueryOutlet {
  readonly engine: Engine;
  private readonly limits: DatabaseLimits;
  private readonly leadership: Leadership;
  private readonly executor: Executor;
  private readonly sessions: Sessions;
  private readonly queries: Queries;
  private effects: DatabaseEffect[] = [];
  private readonly rarely: Rarely;
  private now = 0 as Instant;
  /** The last entry whose effect is in the engine's applied state. */
  lastApplied = 0 as LogIndex;
  /** The last entry of the snapshot whose state is coming in, piece by piece; null: the applied state is whole. */
  private restoring: EntryId | null = null;
  private lastRead = 0 as ReadNumber;
  private sweepAt: Instant | null = null;
  private closing = false;

  constructor(options: DatabaseOptions) {
    const random = Random.fromBytes(options.seed);
    this.limits = options.limits;
    this.rarely = options.rarely ?? NEVER;
    this.engine = options.engine.create(random.bytes(ENGINE_SEED_SIZE), options.limits);
    this.sessions = new Sessions(random.fork());
    this.leadership = new Leadership(options.id);
    this.executor = new Executor(this.engine, this.limits, this.leadership, this, random);
    this.queries = new Queries(this, this.limits, random.fork());
  }

  step(now: Instant, input: DatabaseInput): readonly DatabaseEffect[] {
    this.now = now;
    this.effects = [];
    this.take(input);
    this.executor.runQueue(now);
    this.armSweep();
    return this.effects;
  }

  get appliedIndex(): LogIndex {
    return this.lastApplied;
  }

  inspect(): DatabaseSnapshot {
    return {
      appliedIndex: this.appliedIndex,
      isWhole: this.restoring === null,
      executing: this.leadership.mayExecute,
      speculative: this.executor.speculative,
      sessions: this.sessions.size,
    };
  }

  private take(input: DatabaseInput): void {
    switch (input.type) {
      case "ClientReceived":
        this.engine.setWallClock(input.wallMs);
        return this.clientReceived(input.from, input.bytes);
      case "ClientGone":
        this.queries.clientGone(input.from);
        return this.executor.clientGone(input.from);
      case "TimerFired":
        return this.sweep();
      case "Accepted":
        return this.executor.accepted(input.proposal, input.entry);
      case "Resolved":
        return this.executor.resolved(input.proposal, input.outcome);
      case "Committed":
        return this.committed(input.entries);
      case "ReadConfirmed":
        this.executor.confirmed(input.read);
        return this.queries.confirmed(input.read, input.index);
      case "ReadRefused":
        return this.queries.unconfirmed(input.read);
      case "LeadershipChanged":
        if (this.leadership.changed(input.term, input.leader) === "lost") this.executor.leadershipLost();
        return;
      case "TakeSnapshot":
        invariant(this.restoring === null, "a whole state is cut");
        return this.emit({ type: "SnapshotTaken", index: this.lastApplied, cut: this.engine.cut() });
      case "CutEnded":
        return this.engine.endCut(input.isStored);
      case "PagesDamaged":
        return this.engine.touch(input.numbers);
      case "RestoreStarted":
      case "PagesRestored":
      case "RestoreFinished":
        return this.restore(input);
      case "Closing":
        this.closing = true;
        this.queries.close();
        return this.executor.close();
      default:
        unreachable(input);
    }
  }

  // Clients and sessions.

  private clientReceived(client: ClientId, bytes: Uint8Array): void {
    const decoded = decodeClientMessage(bytes);
    if (!decoded.ok) {
      const { rule, offset } = decoded.fault;
      const detail = `not a message of the statement protocol: the rule "${rule}" is broken at byte ${offset}`;
      return this.emit({ type: "Disconnect", client, detail });
    }
    const message = decoded.value;
    switch (message.type) {
      case "Locate": {
        const { term, leader, leads } = this.leadership;
        const { nonce } = message;
        return this.respond(client, { type: "Located", nonce, term, leader, leads: leads && !this.closing });
      }
      case "OpenSession":
        return this.openSession(client, message.nonce);
      case "Request":
        return this.requested(client, message);
      case "FetchPart":
        return this.fetched(client, message);
      case "CloseSession": {
        const session = this.sessions.find(message.term, message.session);
        if (session !== null) this.closeSession(session, "its session was closed");
        return;
      }
      case "Query":
        return this.queries.asked(client, message, this.now);
      case "FetchRows":
        return this.queries.fetched(client, message, this.now);
      default:
        unreachable(message);
    }
  }

  private openSession(client: ClientId, nonce: number): void {
    const refusal = this.sessionRefusal();
    if (refusal !== null) return this.respond(client, { type: "SessionRefused", nonce, failure: refusal });
    const session = this.sessions.open(this.leadership.term, client, this.now);
    this.respond(client, { type: "SessionOpened", nonce, term: session.term, session: session.number });
  }

  private sessionRefusal(): Failure | null {
    if (this.closing) return failure("Closed", "this node is closing: use another");
    if (!this.leadership.leads) return this.leadership.refusal();
    if (this.sessions.size < this.limits.maxSessions) return null;
    return failure("Busy", `there are ${this.limits.maxSessions} sessions already: close some, or try later`);
  }

  private requested(client: ClientId, message: ClientMessage & { type: "Request" }): void {
    const { term, sequence, body } = message;
    const session = this.sessions.find(term, message.session);
    if (session === null) {
      return this.respond(client, { type: "SessionUnknown", term, session: message.session, sequence });
    }
    session.heard(client, this.now);
    session.forgetBelow(message.lowestUnanswered);
    // A refusal is remembered, too. Who asks on regardless is not heard before it has read some of its answers.
    switch (session.admit(sequence, 2 * this.limits.maxSessionRequests)) {
      case "settled":
      case "working":
      case "full":
        return;
      case "answered": {
        const bytes = session.answerPart(sequence, 0);
        if (bytes !== null) this.respondBytes(client, bytes);
        return;
      }
      case "new":
        this.dispatch({ session, sequence, body });
    }
  }

  private dispatch(request: Request): void {
    const { session, body } = request;
    if (this.closing) return this.refuse(request, failure("Closed", "this node is closing"));
    // The session outlives its term so that this refusal can be given, once and for good.
    if (!this.leadership.leads || this.leadership.term !== session.term) {
      return this.refuse(request, this.leadership.refusal());
    }
    // A transaction goes on to its end: it holds the writer.
    if (session.size > this.limits.maxSessionRequests && !isInside(body)) {
      const message = `the session has ${this.limits.maxSessionRequests} unanswered requests already`;
      return this.refuse(request, failure("Busy", message));
    }
    if (!isInside(body) && this.rarely("refusesBusy")) {
      return this.refuse(request, failure("Busy", "this node is busy: try again"));
    }
    this.executor.take(request, this.now);
  }

  private fetched(client: ClientId, message: ClientMessage & { type: "FetchPart" }): void {
    const { term, sequence, part } = message;
    const session = this.sessions.find(term, message.session);
    session?.heard(client, this.now);
    const bytes = session?.answerPart(sequence, part) ?? null;
    if (bytes !== null) this.respondBytes(client, bytes);
    else this.respond(client, { type: "SessionUnknown", term, session: message.session, sequence });
  }

  private closeSession(session: Session, reason: string): void {
    this.executor.sessionClosed(session, reason);
    this.sessions.close(session);
  }

  private sweep(): void {
    if (this.sweepAt === null || this.now < this.sweepAt) return;
    this.sweepAt = null;
    this.executor.endIdleTransaction(this.now);
    for (const session of this.sessions.silentSince(this.now, this.limits.sessionExpiryMs)) {
      this.closeSession(session, "its session expired");
    }
    this.queries.sweep(this.now);
  }

  private armSweep(): void {
    if (this.sweepAt !== null || this.sessions.size + this.queries.size === 0) return;
    this.sweepAt = afterMs(this.now, SWEEP_MS);
    this.emit({ type: "SetTimer", at: this.sweepAt });
  }

  // Reads and the log.

  requestRead(): ReadNumber {
    this.lastRead = (this.lastRead + 1) as ReadNumber;
    this.emit({ type: "RequestRead", read: this.lastRead });
    return this.lastRead;
  }

  read(sql: string, parameters: SqlParameters): StatementResult {
    const result = this.engine.run("reader", sql, parameters);
    if (result.type === "died") this.executor.revive(0);
    return result;
  }

  private committed(entries: readonly Entry[]): void {
    invariant(this.restoring === null, "nothing is applied to a state that is not whole");
    for (const entry of entries) {
      invariant(entry.index === this.lastApplied + 1, "entries are applied in order");
      const fault = this.executor.apply(entry);
      if (fault !== null) return this.emit({ type: "Halt", index: entry.index, detail: fault.rule });
    }
    this.reportApplied();
  }

  applied(index: LogIndex): void {
    this.lastApplied = index;
  }

  hasApplied(index: LogIndex): boolean {
    return this.restoring === null && index <= this.lastApplied;
  }

  private reportApplied(): void {
    this.emit({ type: "ReportApplied", index: this.lastApplied, checksum: this.engine.checksum() });
    this.queries.applied();
  }

  /** Queries that wait go on: what they see is as new as they need, and no statement is open between two steps. */
  private restore(step: RestoreStep): void {
    if (step.type === "RestoreStarted") {
      // It may lead by now, but then it has not caught up: its own no-op is applied on top of this.
      invariant(!this.leadership.mayExecute, "a state that is written on is not replaced");
      invariant(step.entry.index >= this.lastApplied, "the applied index never falls");
      this.restoring = step.entry;
    }
    const entry = this.restoring;
    invariant(entry !== null, "what is restored was begun");
    const fault = this.restoreStep(step, entry);
    if (fault === null) return;
    this.emit({ type: "RestoreRefused", index: entry.index, detail: `the snapshot breaks the rule "${fault.rule}"` });
  }

  private restoreStep(step: RestoreStep, entry: EntryId): ApplyFault | null {
    switch (step.type) {
      case "RestoreStarted":
        return this.executor.beginRestore(step.pageSize, step.pageCount);
      case "PagesRestored":
        return this.engine.restorePages(step.pages);
      case "RestoreFinished": {
        invariant(sameEntry(step.entry, entry), "the snapshot that is finished is the one that was begun");
        const fault = this.executor.finishRestore(entry.index, step.checksum);
        if (fault !== null) return fault;
        this.restoring = null;
        this.reportApplied();
        return null;
      }
      default:
        return unreachable(step);
    }
  }

  // The way out.

  emit(effect: DatabaseEffect): void {
    this.effects.push(effect);
  }

  send(answer: Answer): void {
    const { session, sequence } = answer.request;
    const parts = encodeResult(answer, this.lastApplied, (part) => {
      return { type: "Answer", term: session.term, session: session.number, sequence, ...part };
    });
    session.settle(sequence, parts);
    const [first] = parts;
    if (first !== undefined) this.respondBytes(session.client, first);
  }

  /** A refusal inside a transaction means that the transaction is over. */
  refuse(request: Request, refusal: Failure): void {
    const over = isInside(request.body) && endsTransaction(request.body, refusal);
    this.send(failed(request, over ? failure("TransactionAborted", refusal.message) : refusal));
  }

  respond(client: ClientId, message: NodeMessage): void {
    this.respondBytes(client, encodeNodeMessage(message));
  }

  respondBytes(to: ClientId, bytes: Uint8Array): void {
    this.emit({ type: "Respond", to, bytes });
  }
}

/** Whether the request belongs to a transaction that has begun. */
function isInside(body: RequestBody): boolean {
  return body.type === "commit" || body.type === "rollback" || (body.type === "write" && body.transaction !== 0);
}

/** Whether the refusal is of no other interest than that. Of a COMMIT it is: that there is no space is worth saying. */
function endsTransaction(body: RequestBody, { code }: Failure): boolean {
  return code === "NotLeader" || code === "Busy" || (code === "DiskFull" && body.type !== "commit");
}
