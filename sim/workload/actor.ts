/**
 * One caller of an application: what a task may do, with everything recorded in the history on the way. A task is a
 * generator: it yields the calls that it makes (or a pause) and is handed their results. It never waits.
 */
import type { CallResult, ClientTransaction, Consistency, Operation } from "../../core/client/boundary.ts";
import type { SqlParameters } from "../../core/database/engine.ts";
import type { Chance, Dice, Stream } from "../chance.ts";
import type { WorkloadCounts } from "./boundary.ts";
import type { Attempt, AttemptOutcome, History, ListRow, Seen, Write } from "./history.ts";
import type { WorkloadOptions } from "./options.ts";
import { STATEMENTS, type StatementName } from "./statements.ts";

export interface Pause {
  readonly type: "pause";
  readonly ms: number;
}

/** A pause is answered by an empty result. */
export type Task<Result = void> = Generator<Operation | Pause, Result, CallResult>;

/** Longer than some servers let a transaction stand idle; short enough that the others get their turn. */
const MAX_LINGER_MS = 1500;

/** What all applications of a run share. */
export interface Shared {
  readonly chance: Chance;
  readonly history: History;
  readonly options: WorkloadOptions;
  readonly counts: WorkloadCounts;
  /** Whether single tasks may be left out. What is asked once faults have stopped is a measure, and stays. */
  mayLeaveOut: boolean;
  /** Items that are surely there, newest last. */
  readonly knownItems: number[];
  /** The number last given to an item, a list value or a transfer: they are never used twice. */
  lastUnique: number;
}

export class Actor {
  readonly application: string;
  readonly shared: Shared;
  /** Of the task that is under way, or comes next. */
  random: Dice;
  private readonly tasks: Stream;
  private readonly takeTransaction: () => ClientTransaction;
  /** The attempts and reads under way, for the application's death. */
  private readonly attempts = new Set<Attempt>();
  private readonly reads = new Set<number>();

  constructor(application: string, place: number, shared: Shared, takeTransaction: () => ClientTransaction) {
    this.application = application;
    this.shared = shared;
    this.tasks = shared.chance.stream(`${application} actor-${place}`);
    this.random = this.tasks.next();
    this.takeTransaction = takeTransaction;
  }

  /** Another task begins to be thought of. */
  turn(): void {
    this.random = this.tasks.next();
  }

  unique(): number {
    return ++this.shared.lastUnique;
  }

  /** The process died: what it had asked to commit is open for ever, what it had not is surely not there. */
  died(): void {
    for (const attempt of this.attempts) this.end(attempt, attempt.commitAsked ? "unknown" : "notExecuted");
    for (const read of this.reads) this.shared.history.endRead(read, this.application, null);
  }

  /** One call that is a transaction of its own. */
  *alone(operation: Operation, writes: readonly Write[], expected: readonly string[] = []): Task<CallResult> {
    const attempt = this.begin();
    attempt.commitAsked = true;
    for (const write of writes) this.shared.history.wrote(attempt, write);
    const result = yield operation;
    this.judge(result, expected);
    if (operation.type !== "script") notePosition(attempt, writes[0], result);
    this.end(attempt, result.ok ? "committed" : result.failure.code === "OutcomeUnknown" ? "unknown" : "notExecuted");
    return result;
  }

  /** BEGIN, the body, and what the body decides. "linger": the server waits long for the ROLLBACK, maybe too long. */
  *interactive(body: (open: OpenTransaction) => Task<"commit" | "rollback" | "linger">): Task {
    const transaction = this.takeTransaction();
    const attempt = this.begin();
    const begun = yield { type: "begin", transaction };
    this.judge(begun, []);
    if (!begun.ok) return this.end(attempt, "notExecuted");
    const decision = yield* body(new OpenTransaction(this, attempt, transaction));
    if (decision === "commit") {
      attempt.commitAsked = true;
      const result = yield { type: "commit", transaction };
      this.judge(result, []);
      const unknown = !result.ok && result.failure.code === "OutcomeUnknown";
      return this.end(attempt, result.ok ? "committed" : unknown ? "unknown" : "notExecuted");
    }
    if (decision === "linger") yield { type: "pause", ms: this.random.integer(0, MAX_LINGER_MS) };
    this.judge(yield { type: "rollback", transaction }, []);
    // Without a COMMIT nothing can be there, whatever the answer to ROLLBACK was.
    this.end(attempt, "notExecuted");
  }

  /** A read on its own. */
  *read(name: StatementName, parameters: readonly number[]): Task<CallResult> {
    const { counts, options } = this.shared;
    const consistency = this.random.chance(options.sessionReadPercent) ? "session" : "linearizable";
    counts.readsAsked++;
    const result = yield* this.observe(name, parameters, query(name, parameters, consistency), []);
    if (result.ok && consistency === "session") counts.sessionReads++;
    else if (result.ok) counts.reads++;
    return result;
  }

  /** One SELECT, on its own or in a transaction; `own`: what that transaction has appended before. */
  *observe(
    name: StatementName, parameters: readonly number[], operation: Operation, own: readonly number[],
    attempt: Attempt | null = null,
  ): Task<CallResult> {
    const read = this.shared.history.beginRead();
    this.reads.add(read);
    const result = yield operation;
    this.judge(result, []);
    this.reads.delete(read);
    const seen = result.ok ? seenBy(name, parameters, result, [...own]) : null;
    const consistency = operation.type === "query" ? operation.consistency : "linearizable";
    this.shared.history.endRead(read, this.application, seen, consistency, attempt);
    return result;
  }

  *pause(): Task {
    const max = this.shared.options.maxPauseMs;
    if (max > 0) yield { type: "pause", ms: this.random.integer(0, max) };
  }

  /** Counts a failure, and reports those that nothing in this workload explains. */
  judge(result: CallResult, expected: readonly string[]): void {
    if (result.ok) return;
    const { code, sqlCode, message } = result.failure;
    const { failures } = this.shared.counts;
    failures[code] = (failures[code] ?? 0) + 1;
    const explained = code === "SqlError" ? expected.includes(sqlCode ?? "") : code !== "Misuse" && code !== "TooLarge";
    if (!explained) this.shared.history.surprise(this.application, `${code} ${sqlCode ?? ""}: ${message}`);
  }

  private begin(): Attempt {
    const attempt = this.shared.history.begin(this.application);
    this.attempts.add(attempt);
    return attempt;
  }

  private end(attempt: Attempt, outcome: AttemptOutcome): void {
    this.attempts.delete(attempt);
    this.shared.history.end(attempt, outcome);
    const { counts, knownItems } = this.shared;
    if (outcome === "unknown") counts.unknown++;
    else if (outcome === "notExecuted") counts.failed++;
    else if (attempt.writes.length > 0) counts.committed++;
    if (outcome !== "committed") return;
    for (const write of attempt.writes) if (write.type === "item") knownItems.push(write.id);
  }
}

/** An interactive transaction between BEGIN and its end. */
export class OpenTransaction {
  private readonly actor: Actor;
  private readonly attempt: Attempt;
  private readonly transaction: ClientTransaction;
  private readonly own: number[] = [];

  constructor(actor: Actor, attempt: Attempt, transaction: ClientTransaction) {
    this.actor = actor;
    this.attempt = attempt;
    this.transaction = transaction;
  }

  /** Whether the statement was done. `write` null: it only prepares another, as an UPDATE of a balance does. */
  *write(
    name: StatementName, parameters: readonly number[], write: Write | null, expected: readonly string[] = [],
  ): Task<boolean> {
    const { history } = this.actor.shared;
    if (write !== null) history.wrote(this.attempt, write);
    const result = yield execute(name, parameters, this.transaction);
    this.actor.judge(result, expected);
    if (result.ok) {
      if (write?.type === "append") this.own.push(write.value);
      notePosition(this.attempt, write ?? undefined, result);
      return true;
    }
    if (result.failure.code === "SqlError" && write !== null) history.refused(this.attempt, write);
    return false;
  }

  *read(name: StatementName, parameters: readonly number[]): Task<CallResult> {
    const operation = execute(name, parameters, this.transaction);
    return yield* this.actor.observe(name, parameters, operation, this.own, this.attempt);
  }
}

export function execute(
  name: StatementName, parameters: SqlParameters, transaction: ClientTransaction | null,
): Operation {
  return { type: "execute", transaction, sql: STATEMENTS[name], parameters };
}

/** A statement outside of transactions that is tried as a read. */
export function query(name: StatementName, parameters: SqlParameters, consistency: Consistency): Operation {
  return { type: "query", consistency, sql: STATEMENTS[name], parameters };
}

function notePosition(attempt: Attempt, write: Write | undefined, result: CallResult): void {
  if (write?.type !== "append" || !result.ok) return;
  const returned = result.rows.rows[0]?.[0];
  attempt.positions.set(write.value, Number(returned ?? result.lastInsertRowid));
}

function seenBy(
  name: StatementName, parameters: readonly number[], result: CallResult & { ok: true }, own: readonly number[],
): Seen | null {
  const rows = result.rows.rows;
  const parameter = parameters[0] ?? 0;
  switch (name) {
    case "readList":
      return { type: "list", key: parameter, rows: rows.map((row) => listRow(row[0], parameter, row[1])), own };
    case "readLists":
      return { type: "list", key: null, rows: rows.map((row) => listRow(row[0], row[1], row[2])), own };
    case "readItem":
      return { type: "item", id: parameter, found: rows.length > 0 };
    case "readAccounts":
      return { type: "accounts", balances: rows.map((row) => Number(row[1])) };
    default:
      return null;
  }
}

function listRow(position: unknown, key: unknown, value: unknown): ListRow {
  return { position: Number(position), key: Number(key), value: Number(value) };
}
