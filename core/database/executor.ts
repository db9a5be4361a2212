/**
 * What writes: the queue for the writer, its execution, and the proposals that come of it.
 *
 * It runs ahead of replication: the engine's speculative commits are exactly the outbox's proposals in flight.
 * Everything that undoes frames goes through here, so that the open transaction is always rolled back before them.
 */
import { failure, type Failure } from "../failure.ts";
import { invariant, unreachable } from "../invariant.ts";
import type { Random } from "../random.ts";
import {
  afterMs, type Entry, type EntryId, type Instant, type LogIndex, type ProposalNumber, type ReadNumber,
} from "../types.ts";
import type { ProposalOutcome, RefusalReason } from "../raft/boundary.ts";
import { answerTo, succeeded, type Answer, type Request } from "./answer.ts";
import type { ClientId, DatabaseEffect, DatabaseLimits } from "./boundary.ts";
import { ENGINE_SEED_SIZE, type ApplyFault, type Engine, type StatementResult } from "./engine.ts";
import type { Leadership } from "./leadership.ts";
import { Outbox, type Verdict } from "./outbox.ts";
import type { Session } from "./session.ts";
import { WriterQueue } from "./writer-queue.ts";

const PARTLY = "some of the script's transactions may be committed, the others are not";
const UNKNOWN =
  "leadership was lost, and a snapshot came in the place of the entry that would tell: read before you repeat it";
const DISK_FULL =
  "the leader's disk is full, or its log holds as much as it may: free some space there, or hand leadership to a node "
  + "that has some; reads go on, and writes do as soon as there is space";

/** The way out, which Database is. */
export interface Outlet {
  emit(effect: DatabaseEffect): void;
  send(answer: Answer): void;
  refuse(request: Request, refusal: Failure): void;
  /** The engine's applied state has the effect of all entries up to `index`: answers that leave tell of it. */
  applied(index: LogIndex): void;
  /** Begins a ReadIndex round, after everything executed so far. */
  requestRead(): ReadNumber;
}

export class Executor {
  private readonly engine: Engine;
  private readonly limits: DatabaseLimits;
  private readonly leadership: Leadership;
  private readonly outlet: Outlet;
  private readonly random: Random;
  private readonly queue = new WriterQueue();
  private readonly outbox = new Outbox();

  constructor(engine: Engine, limits: DatabaseLimits, leadership: Leadership, outlet: Outlet, random: Random) {
    this.engine = engine;
    this.limits = limits;
    this.leadership = leadership;
    this.outlet = outlet;
    this.random = random;
  }

  get speculative(): number {
    return this.outbox.speculative;
  }

  /** Takes a request: it waits for the writer, or is executed in its open transaction. */
  take(request: Request, now: Instant): void {
    const { session, body } = request;
    switch (body.type) {
      case "script":
      case "begin":
        return this.enqueue(request);
      case "write":
        if (body.transaction === 0) return this.enqueue(request);
        return this.inTransaction(request, body.transaction, now, () =>
          this.engine.run("writer", body.sql, body.parameters),
        );
      case "commit":
        return this.inTransaction(request, body.transaction, now, () => this.engine.commit());
      case "rollback":
        if (this.queue.holds(session, body.transaction)) this.abortTransaction("it was rolled back");
        // It may still stand in the queue: an impatient client rolls back what it never got.
        for (const begin of this.queue.remove((waiting) => begins(waiting, session, body.transaction))) {
          this.outlet.refuse(begin, failure("TransactionAborted", "it was rolled back"));
        }
        return this.outlet.send(succeeded(request));
      default:
        unreachable(body);
    }
  }

  /** Executes what waits for the writer, as far as the writer is free. */
  runQueue(now: Instant): void {
    while (this.leadership.mayExecute) {
      const request = this.queue.next();
      if (request === null) return;
      // Its client has given up: a write would be for nobody, and a BEGIN would hold the writer for nobody.
      if (request.session.isSettled(request.sequence)) continue;
      const { body } = request;
      if (body.type === "begin") this.begin(request, body.transaction, now);
      else if (body.type === "script") this.finish(request, this.engine.script(body.sql));
      else if (body.type === "write") this.finish(request, this.engine.run("writer", body.sql, body.parameters));
      else invariant(false, "only scripts, writes and BEGIN wait for the writer");
    }
  }

  private enqueue(request: Request): void {
    const { maxQueuedWrites } = this.limits;
    const isGivenUp = ({ session, sequence }: Request): boolean => session.isSettled(sequence);
    if (this.queue.length === maxQueuedWrites) this.queue.remove(isGivenUp);
    if (this.queue.length < maxQueuedWrites) return this.queue.push(request);
    const message = `${maxQueuedWrites} requests wait for the writer already: try later`;
    this.outlet.refuse(request, failure("Busy", message));
  }

  private begin(request: Request, transaction: number, now: Instant): void {
    const result = this.engine.begin();
    if (result.type !== "done") return this.finish(request, result);
    this.queue.begin(request.session, transaction, now);
    // It says nothing about the state that the transaction will see, so it need not wait for a round.
    this.outlet.send(succeeded(request));
  }

  private inTransaction(request: Request, transaction: number, now: Instant, execute: () => StatementResult): void {
    if (!this.queue.holds(request.session, transaction)) {
      const reason = request.session.whyEnded(transaction) ?? "it is not open";
      return this.outlet.refuse(request, failure("TransactionAborted", `the transaction is over: ${reason}`));
    }
    if (this.queue.open !== null) this.queue.open.usedAt = now;
    this.finish(request, execute());
  }

  /** A statement was executed: proposes what it committed, and lets its answer wait for what it rests on. */
  private finish(request: Request, result: StatementResult): void {
    const commits = this.engine.takeCommits();
    const answer = answerTo(request, result);
    if (result.type === "died") {
      this.revive(commits.length);
      return this.hold(answer);
    }
    if (this.queue.open !== null && !this.engine.inTransaction()) {
      this.transactionEnded(result.type === "done" ? "it was committed" : "SQLite rolled it back");
    }
    if (commits.length === 0) return this.hold(answer);
    let first: ProposalNumber | null = null;
    for (const [at, commit] of commits.entries()) {
      const { proposal, predecessor } = this.leadership.nextProposal();
      first ??= proposal;
      this.outbox.proposed(proposal, first, at === commits.length - 1 ? answer : null);
      const { term } = this.leadership;
      this.outlet.emit({ type: "Propose", proposal, term, predecessor, payload: commit.payload });
    }
  }

  private hold(answer: Answer): void {
    this.outbox.hold(answer, this.leadership.lastProposal, this.outlet.requestRead());
  }

  /**
   * The engine died: nothing that it committed in its last statement (`untrusted` transactions) is proposed, and
   * nothing of its open transaction is left.
   */
  revive(untrusted: number): void {
    this.transactionEnded("the SQL engine stopped");
    this.engine.revive(this.random.bytes(ENGINE_SEED_SIZE));
    if (untrusted > 0) this.engine.discard(this.engine.speculative() - untrusted);
    invariant(this.engine.speculative() === this.outbox.speculative, "what is speculative was proposed");
  }

  // What the log says.

  accepted(proposal: ProposalNumber, entry: EntryId): void {
    this.leadership.accepted(proposal);
    this.outbox.accepted(proposal, entry);
  }

  /** Makes a committed entry part of the applied state; a fault means that it contradicts our pages. */
  apply(entry: Entry): ApplyFault | null {
    const { live, verdicts } = this.outbox.applied(entry);
    if (live) this.engine.advance();
    else if (entry.kind === "payload") {
      invariant(this.outbox.speculative === 0, "nothing is speculative where entries of others are applied");
      const fault = this.engine.apply(entry.payload);
      if (fault !== null) return fault;
    }
    this.leadership.applied(entry);
    this.outlet.applied(entry.index);
    this.settle(verdicts, this.notLeader());
    return null;
  }

  /** From now on, and until it is finished, there is no state to run anything on. */
  beginRestore(pageSize: number, pageCount: number): ApplyFault | null {
    invariant(this.queue.open === null && this.outbox.speculative === 0, "nothing is open or speculative at a restore");
    return this.engine.beginRestore(pageSize, pageCount);
  }

  /** The snapshot's state is in the place of ours, in a fresh engine. */
  finishRestore(index: LogIndex, checksum: number): ApplyFault | null {
    const fault = this.engine.finishRestore(checksum, this.random.bytes(ENGINE_SEED_SIZE));
    if (fault !== null) return fault;
    this.outlet.applied(index);
    this.settle(this.outbox.restored(index), this.notLeader());
    return null;
  }

  confirmed(read: ReadNumber): void {
    this.settle(this.outbox.confirmed(read), this.notLeader());
  }

  resolved(proposal: ProposalNumber, outcome: ProposalOutcome): void {
    // The answer to what is committed leaves when it is applied.
    if (outcome.type === "committed") return this.outbox.committed(proposal);
    if (outcome.type === "unknown") return this.settle(this.outbox.unknown(proposal), this.notLeader());
    const { keep, verdicts } = this.outbox.refused(proposal);
    if (keep < this.engine.speculative()) {
      this.abortTransaction("a transaction that it was built on was refused");
      this.engine.discard(keep);
      this.outlet.emit({ type: "RollBack", term: this.leadership.term, last: this.leadership.rolledBack() });
    }
    this.settle(verdicts, outcome.type === "refused" ? this.refusal(outcome.reason) : this.notLeader());
  }

  leadershipLost(): void {
    this.abortTransaction("leadership was lost");
    const verdicts = this.outbox.abandon();
    this.engine.discard(0);
    for (const request of this.queue.remove(() => true)) this.outlet.refuse(request, this.notLeader());
    this.settle(verdicts, this.notLeader());
  }

  // Ends of transactions and clients.

  close(): void {
    this.abortTransaction("the node is closing");
    for (const request of this.queue.remove(() => true)) {
      this.outlet.refuse(request, failure("Closed", "this node is closing"));
    }
  }

  /** Its autocommit statements are still executed, and their answers kept: it may come back and ask for them. */
  clientGone(client: ClientId): void {
    const begins = this.queue.remove(({ body, session }) => body.type === "begin" && session.client === client);
    for (const request of begins) {
      this.outlet.refuse(request, failure("TransactionAborted", "the connection was closed"));
    }
    if (this.queue.open?.session.client === client) this.abortTransaction("the client's connection was closed");
  }

  sessionClosed(session: Session, reason: string): void {
    if (this.queue.open?.session === session) this.abortTransaction(reason);
    this.queue.remove((request) => request.session === session);
  }

  endIdleTransaction(now: Instant): void {
    const { open } = this.queue;
    const { transactionIdleMs } = this.limits;
    if (open === null || afterMs(open.usedAt, transactionIdleMs) > now) return;
    this.abortTransaction(`it stood idle for ${transactionIdleMs} ms`);
  }

  private abortTransaction(reason: string): void {
    if (this.queue.open === null) return;
    this.engine.rollback();
    this.transactionEnded(reason);
  }

  private transactionEnded(reason: string): void {
    const { open } = this.queue;
    if (open === null) return;
    open.session.endTransaction(open.number, reason);
    this.queue.open = null;
  }

  /** Lets out what was held back; `refusal` is what is said of that which was surely not executed. */
  private settle(verdicts: readonly Verdict[], refusal: Failure): void {
    for (const { answer, fate } of verdicts) {
      switch (fate) {
        case "released":
          this.outlet.send(answer);
          break;
        case "never":
          this.outlet.refuse(answer.request, refusal);
          break;
        case "partly":
          this.outlet.refuse(answer.request, failure("OutcomeUnknown", PARTLY));
          break;
        case "unknown":
          this.outlet.refuse(answer.request, failure("OutcomeUnknown", UNKNOWN));
          break;
        default:
          unreachable(fate);
      }
    }
  }

  private notLeader(): Failure {
    return this.leadership.refusal();
  }

  private refusal(reason: RefusalReason): Failure {
    switch (reason) {
      case "busy":
        return failure("Busy", "too many bytes wait to be replicated: try later");
      case "diskFull":
        return failure("DiskFull", DISK_FULL);
      case "transferring":
        // Surely not executed, and the next leader may do it: so a client looks for that one.
        return failure("NotLeader", "leadership is being handed to another node: try again in a moment");
      case "tooLarge":
        return failure("TooLarge", "the transaction is larger than the log admits: split it");
      case "notLeader":
      case "outOfOrder":
        return this.notLeader();
      default:
        return unreachable(reason);
    }
  }
}

function begins({ body, session }: Request, of: Session, transaction: number): boolean {
  return body.type === "begin" && session === of && body.transaction === transaction;
}
