/**
 * The database as the application sees it: promises over the calls of a core Client. Shapes only: what may be
 * repeated, and what is known after a failure, is for the Client to say.
 */
import { AsyncLocalStorage } from "node:async_hooks";
import type { CallResult, ClientTransaction, Consistency, Operation } from "../core/client/boundary.ts";
import type { Rows, SqlParameters, SqlValue } from "../core/database/engine.ts";
import { failure } from "../core/failure.ts";
import type { ClientDriver } from "../io/client-driver.ts";
import { QuorumliteError } from "./errors.ts";

/** One row, by the names of its columns. Of columns with one name the last counts. */
export type Row = Record<string, SqlValue>;

/** What a statement changed. */
export interface RunResult {
  /** Rows inserted, updated or deleted by the statement; 0 for others. */
  readonly changes: number;
  /** The rowid of the last row inserted; a bigint beyond 2^53. */
  readonly lastInsertRowid: number | bigint;
}

/** How a read outside of transactions is to be answered. */
export interface ReadOptions {
  /**
   * "linearizable", unless told otherwise: it sees every write that was acknowledged before it began, to whomever. The
   * leader is asked, though any node answers. "session": it sees what this Database object has written and read
   * before, and maybe no more; once there is something, the node answers alone, while no leader is there, too.
   */
  readonly consistency?: Consistency;
}

type Succeeded = CallResult & { readonly ok: true };

/** Which transaction's callback runs here: its own database must not be waited for inside it. */
const running = new AsyncLocalStorage<Transaction>();

/**
 * The replicated database, from any node or from outside.
 *
 * Each call resolves when its effect is durable on a majority of the nodes, or its answer confirmed by one. It
 * rejects with a `QuorumliteError` whose `code` says what is known, at the latest after `callTimeoutMs`.
 *
 * @example
 * const db = node.database();
 * await db.exec("CREATE TABLE kv (k TEXT PRIMARY KEY, v)");
 * await db.run("INSERT INTO kv VALUES (?, ?)", ["k", 1]);
 * await db.get("SELECT v FROM kv WHERE k = :k", { k: "k" }); // { v: 1 }
 */
export class Database {
  private readonly driver: ClientDriver;
  private transactions = 0;

  /** Not called by applications: see `open` and `connect`. */
  constructor(driver: ClientDriver) {
    this.driver = driver;
  }

  /**
   * Runs one statement as a transaction of its own. Rows that it gives are dropped: use `all` for RETURNING.
   *
   * @param parameters by position (`?`), or by name without the prefix (`:k` is bound by `{ k }`)
   * @example
   * const { changes, lastInsertRowid } = await db.run("INSERT INTO kv VALUES (?, ?)", ["other", 2.5]);
   */
  async run(sql: string, parameters: SqlParameters = []): Promise<RunResult> {
    this.refuseWithin("run");
    return runResult(await this.call({ type: "execute", transaction: null, sql, parameters }));
  }

  /**
   * The first row of a statement, or undefined. Reads are linearizable unless told otherwise: they see every write
   * that was acknowledged before they began, on whichever node.
   *
   * @example
   * const row = await db.get("SELECT v FROM kv WHERE k = ?", ["k"]); // { v: 1 } or undefined
   */
  async get<R = Row>(sql: string, parameters: SqlParameters = [], options: ReadOptions = {}): Promise<R | undefined> {
    return (await this.all<R>(sql, parameters, options))[0];
  }

  /**
   * All rows of a statement. It may write, too (INSERT ... RETURNING).
   *
   * @example
   * const rows = await db.all("SELECT k, v FROM kv ORDER BY k"); // [{ k: "k", v: 1 }, ...]
   * const soon = await db.all("SELECT k FROM kv", [], { consistency: "session" });
   */
  async all<R = Row>(sql: string, parameters: SqlParameters = [], options: ReadOptions = {}): Promise<R[]> {
    const consistency = consistencyOf(options);
    return rowObjects<R>((await this.call({ type: "query", consistency, sql, parameters })).rows);
  }

  /**
   * Runs a script of several statements, one after the other, without parameters. Those before a failing one stay;
   * BEGIN and COMMIT may stand in it.
   *
   * @example
   * await db.exec("CREATE TABLE a (x); CREATE TABLE b (y);");
   */
  async exec(script: string): Promise<void> {
    this.refuseWithin("exec");
    await this.call({ type: "script", sql: script });
  }

  /**
   * Runs `body` in one transaction: committed when it returns, rolled back when it throws. No other transaction
   * writes in between, so keep it short; one that stands idle for 5 seconds is rolled back ("TransactionAborted").
   *
   * @returns what `body` returned, once the commit is durable on a majority
   * @example
   * await db.transaction(async (tx) => {
   *   const row = await tx.get("SELECT v FROM kv WHERE k = ?", ["k"]);
   *   await tx.run("UPDATE kv SET v = ? WHERE k = ?", [Number(row?.v) + 1, "k"]);
   * });
   */
  async transaction<T>(body: (transaction: Transaction) => Promise<T> | T): Promise<T> {
    this.refuseWithin("transaction");
    const number: ClientTransaction = ++this.transactions;
    await this.call({ type: "begin", transaction: number });
    const transaction = new Transaction(this, (operation) => this.call(operation), number);
    let result: T;
    try {
      result = await running.run(transaction, () => body(transaction));
    } catch (error) {
      await transaction.finish("rollback");
      throw error;
    }
    await transaction.finish("commit");
    return result;
  }

  /** Waiting for the writer inside of a transaction that holds it would never end. */
  private refuseWithin(method: string): void {
    const within = running.getStore();
    if (within === undefined || within.isOver || within.database !== this) return;
    const advice = method === "run" ? "use the transaction's own run()" : "transactions do not nest";
    const message = `${method}() of the database was called inside of a transaction, which it would wait for`;
    throw new QuorumliteError(failure("Misuse", `${message}: ${advice}`));
  }

  private async call(operation: Operation): Promise<Succeeded> {
    const result = await this.driver.call(operation);
    if (!result.ok) throw new QuorumliteError(result.failure);
    return result;
  }
}

/** An open transaction, as given to the callback of `Database.transaction`. It ends with the callback. */
export class Transaction {
  /** @internal */
  readonly database: Database;
  private readonly call: (operation: Operation) => Promise<Succeeded>;
  private readonly number: ClientTransaction;
  private over = false;
  /** Statements run one after the other, whether or not they are waited for. */
  private last: Promise<unknown> = Promise.resolve();

  /** @internal */
  constructor(database: Database, call: (operation: Operation) => Promise<Succeeded>, number: ClientTransaction) {
    this.database = database;
    this.call = call;
    this.number = number;
  }

  /** @internal */
  get isOver(): boolean {
    return this.over;
  }

  /** Runs one statement in the transaction. After a failed one (`SqlError`) the transaction is still open. */
  async run(sql: string, parameters: SqlParameters = []): Promise<RunResult> {
    return runResult(await this.execute(sql, parameters));
  }

  /** The first row of a statement, or undefined. It sees what the transaction has written. */
  async get<R = Row>(sql: string, parameters: SqlParameters = []): Promise<R | undefined> {
    return (await this.all<R>(sql, parameters))[0];
  }

  /** All rows of a statement. It sees what the transaction has written. */
  async all<R = Row>(sql: string, parameters: SqlParameters = []): Promise<R[]> {
    return rowObjects<R>((await this.execute(sql, parameters)).rows);
  }

  /** @internal */
  async finish(type: "commit" | "rollback"): Promise<void> {
    this.over = true;
    await this.last;
    await this.call({ type, transaction: this.number });
  }

  private execute(sql: string, parameters: SqlParameters): Promise<Succeeded> {
    if (this.over) {
      const message = "the transaction is over: it ended with the callback that it was given to";
      return Promise.reject(new QuorumliteError(failure("Misuse", `${message}; await every call in it`)));
    }
    const operation: Operation = { type: "execute", transaction: this.number, sql, parameters };
    const result = this.last.then(() => this.call(operation));
    this.last = result.catch(() => {});
    return result;
  }
}

function runResult({ changes, lastInsertRowid }: Succeeded): RunResult {
  return { changes, lastInsertRowid };
}

function rowObjects<R>({ columns, rows }: Rows): R[] {
  return rows.map((row) => Object.fromEntries(columns.map((column, at) => [column, row[at]])) as R);
}

function consistencyOf({ consistency = "linearizable" }: ReadOptions): Consistency {
  if (consistency === "linearizable" || consistency === "session") return consistency;
  const message = `consistency is ${JSON.stringify(consistency)}: pass "linearizable" or "session"`;
  throw new QuorumliteError(failure("Misuse", message));
}
