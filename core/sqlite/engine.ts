/**
 * The Engine of core/database/engine.ts over real SQLite: one runtime, two connections, one page store. It turns
 * what SQLite and the VFS report into answers, and sees to it that a statement that fails has no effect at all.
 *
 * The hard part is "no effect". SQLite keeps what a statement did before ON CONFLICT FAIL stopped it, and a
 * RETURNING statement whose rows are too many is cut off after its work is done. Outside a transaction, what was
 * committed by a statement that failed is discarded from the page store; inside, every statement that changes rows
 * runs in a savepoint.
 */
import { invariant } from "../invariant.ts";
import type {
  ApplyFault,
  Commit,
  Engine,
  EngineLimits,
  SqlParameters,
  StatementResult,
  View,
} from "../database/engine.ts";
import { Cuts } from "../pages/cuts.ts";
import type { PageCut, StoredPage } from "../pages/page-cut.ts";
import { PageImage } from "../pages/page-image.ts";
import { PageStore, type PageStoreOptions, type StoreView } from "../pages/page-store.ts";
import type { Connection, Executed, Failure, Prepared } from "./connection.ts";
import { BUSY, FULL, resultCodeName } from "./result-code.ts";
import type { Guard } from "./guard.ts";
import { Runtime } from "./runtime.ts";
import type { RuntimeOptions } from "./runtime.ts";
import { SqlJsMismatchError } from "./sql-js.ts";
import type { StatementKind } from "./sql-text.ts";

const SAVEPOINT = "SAVEPOINT quorumlite_statement";
const RELEASE = "RELEASE quorumlite_statement";
const ROLLBACK_TO = "ROLLBACK TO quorumlite_statement";

export interface SqliteEngineOptions extends Omit<RuntimeOptions, "seed" | "store"> {
  readonly pages: PageStoreOptions;
}

/** What there is while SQLite lives. */
interface Living {
  readonly runtime: Runtime;
  writer: Connection;
  readonly reader: Connection;
}

export class SqliteEngine implements Engine {
  private readonly options: SqliteEngineOptions;
  private readonly cuts = new Cuts();
  private store: PageStore;
  /** What has come of the state that is being restored; null: none is. */
  private restoring: PageImage | null = null;
  private readonly limits: EngineLimits;
  private readonly guard: Guard;
  /** null: dead, until it is revived, or closed. */
  private living: Living | null;
  /** Whether the writer stands in a transaction. */
  private transaction = false;
  /** Why the engine cannot go on after the present statement; null: it can. */
  private broken: string | null = null;
  private wallMs = 0;

  constructor(options: SqliteEngineOptions, seed: Uint8Array) {
    this.options = options;
    this.store = PageStore.ofEmptyDatabase(options.pages, this.cuts);
    this.limits = options.limits;
    this.guard = options.guard;
    this.living = this.start(seed);
  }

  run(view: View, sql: string, parameters: SqlParameters): StatementResult {
    return this.enter(view === "writer" ? "speculative" : "applied", (living) => {
      const connection = view === "writer" ? living.writer : living.reader;
      const prepared = connection.prepare(sql);
      if (!("handle" in prepared)) return this.failed(living, prepared);
      const refusal = kindRefusal(prepared.kind);
      if (refusal !== null) return refusal;
      return this.transaction && view === "writer"
        ? this.runInTransaction(living, prepared, parameters)
        : this.runAlone(living, connection, prepared, parameters);
    });
  }

  script(sql: string): StatementResult {
    if (this.transaction) return misuse("a script cannot be run inside a transaction");
    const before = this.store.speculative();
    return this.enter("speculative", (living) => {
      const { runtime, writer } = living;
      runtime.notices.inScript = true;
      const result = writer.script(
        sql,
        (kind) => scriptRefusal(kind),
        (kind) => {
          if (kind === "control") this.transaction = this.probeTransaction(writer);
        },
      );
      runtime.notices.inScript = false;
      const answer = result.type === "done" ? result : this.failed(living, result);
      this.transaction = this.probeTransaction(writer);
      const unfinished = this.transaction;
      if (unfinished) this.rollbackOn(writer);
      this.restoreSettings(living);
      const final = unfinished && answer.type === "done" ? misuse("the script ends inside a transaction") : answer;
      // Those two mean "surely not executed": nothing may stay. After an SQL error, what came before it does.
      if (final.type === "misuse" || final.type === "tooLarge") this.discardDownTo(living, before);
      return final;
    });
  }

  begin(): StatementResult {
    if (this.transaction) return misuse("the writer stands in a transaction already");
    return this.enter("speculative", (living) => {
      const result = living.writer.run("BEGIN IMMEDIATE");
      this.transaction = result.type === "done";
      return result.type === "done" ? result : this.failed(living, result);
    });
  }

  commit(): StatementResult {
    if (this.living !== null && !this.transaction) return misuse("the writer stands in no transaction");
    return this.enter("speculative", (living) => {
      const result = living.writer.run("COMMIT");
      this.transaction = result.type !== "done" && this.probeTransaction(living.writer);
      if (result.type === "done") return result;
      const answer = this.failed(living, result);
      if (this.transaction) this.rollbackOn(living.writer);
      return answer;
    });
  }

  rollback(): void {
    if (!this.transaction) return;
    this.enter("speculative", (living) => {
      this.rollbackOn(living.writer);
      return NOTHING_DONE;
    });
  }

  inTransaction(): boolean {
    return this.transaction;
  }

  takeCommits(): readonly Commit[] {
    return this.store.takeCommits().map((payload) => ({ payload }));
  }

  speculative(): number {
    return this.store.speculative();
  }

  advance(): void {
    this.alive();
    this.store.advance();
  }

  discard(keep: number): void {
    invariant(!this.transaction, "the writer is in no transaction when commits are discarded");
    if (keep === this.store.speculative()) return;
    const living = this.alive();
    this.enter("speculative", () => {
      this.discardDownTo(living, keep);
      return NOTHING_DONE;
    });
  }

  apply(payload: Uint8Array): ApplyFault | null {
    this.alive();
    invariant(!this.transaction, "the writer is in no transaction where a replicated one is applied");
    return this.store.apply(payload);
  }

  revive(seed: Uint8Array): void {
    invariant(this.living === null, "only a dead engine is revived");
    this.living = this.start(seed);
  }

  cut(): PageCut {
    invariant(this.restoring === null, "a whole state is cut");
    return this.store.cut();
  }

  endCut(isStored: boolean): void {
    this.store.endCut(isStored);
  }

  touch(numbers: readonly number[]): void {
    for (const number of numbers) this.cuts.mark(number);
  }

  beginRestore(pageSize: number, pageCount: number): ApplyFault | null {
    invariant(!this.transaction && this.speculative() === 0, "nothing is speculative where a state is replaced");
    const { pages } = this.options;
    if (pageSize !== pages.pageSize) return { rule: `the page size is ${pages.pageSize}` };
    if (pageCount === 0) return { rule: "a database has at least one page" };
    this.close();
    // An empty one stands in for what is gone: the memory of the old state is needed for the new one.
    this.store = PageStore.ofEmptyDatabase(pages, this.cuts);
    this.cuts.forget();
    this.restoring = new PageImage(pageSize, pageCount);
    return null;
  }

  restorePages(pages: readonly StoredPage[]): ApplyFault | null {
    invariant(this.restoring !== null, "pages come while a state is being restored");
    return this.restoring.placeAll(pages);
  }

  finishRestore(checksum: number, seed: Uint8Array): ApplyFault | null {
    invariant(this.restoring !== null, "what is finished was begun");
    const fault = this.restoring.fault(checksum);
    if (fault !== null) return fault;
    this.store = new PageStore(this.options.pages, this.restoring, this.cuts);
    this.restoring = null;
    this.living = this.start(seed);
    return null;
  }

  checksum(): number {
    return this.store.checksum();
  }

  image(): Uint8Array {
    return this.store.image();
  }

  setWallClock(ms: number): void {
    this.wallMs = ms;
    if (this.living !== null) this.living.runtime.vfs.wallMs = ms;
  }

  /** Nothing of the instance is used afterwards: its memory goes with it. */
  close(): void {
    if (this.living !== null) {
      this.store.detach();
      this.living.runtime.release();
    }
    this.living = null;
    this.transaction = false;
  }

  private start(seed: Uint8Array): Living {
    const { module } = this.options;
    const started = this.guard.enter(() => {
      const runtime = new Runtime({ ...this.options, store: this.store, seed });
      return { runtime, writer: runtime.connect("speculative"), reader: runtime.connect("applied") };
    });
    if (started.type === "trapped") {
      throw new SqlJsMismatchError(module.version, [`a fresh instance is cut off: ${started.message}`]);
    }
    const { runtime, writer, reader } = started.value;
    if (typeof writer === "string") throw new SqlJsMismatchError(module.version, [writer]);
    if (typeof reader === "string") throw new SqlJsMismatchError(module.version, [reader]);
    runtime.vfs.wallMs = this.wallMs;
    return { runtime, writer, reader };
  }

  private alive(): Living {
    invariant(this.living !== null, "a dead engine is revived before anything else");
    return this.living;
  }

  /** Everything that runs SQL goes through here: the right view is in place, and a trap ends in "died". */
  private enter(view: StoreView, body: (living: Living) => StatementResult): StatementResult {
    const { living } = this;
    if (living === null) return { type: "died", message: "the engine died and has not been revived" };
    const before = this.store.speculative();
    this.store.install(view);
    living.runtime.notices.clear();
    this.broken = null;
    const result = this.guard.enter(() => body(living));
    if (result.type === "trapped") return this.die(before, `SQLite was cut off in the middle: ${result.message}`);
    if (this.broken !== null) return this.die(before, this.broken);
    if (!this.transaction) this.store.checkpointIfDue();
    return result.value;
  }

  private die(before: number, message: string): StatementResult {
    this.living = null;
    this.transaction = false;
    this.store.detach();
    // What the statement may have committed before it died was answered to nobody.
    this.store.discard(Math.min(before, this.store.speculative()));
    return { type: "died", message };
  }

  private runAlone(
    living: Living,
    connection: Connection,
    prepared: Prepared,
    parameters: SqlParameters,
  ): StatementResult {
    const before = this.store.speculative();
    const result = connection.execute(prepared, parameters);
    if (result.type === "done") return result;
    const answer = this.failed(living, result);
    if (this.store.speculative() > before) this.discardDownTo(living, before);
    return answer;
  }

  private runInTransaction(living: Living, prepared: Prepared, parameters: SqlParameters): StatementResult {
    const { writer } = living;
    const changesRows = prepared.kind === "insert" || prepared.kind === "change";
    const savepoint = changesRows ? writer.run(SAVEPOINT) : null;
    const result = savepoint === null || savepoint.type === "done" ? writer.execute(prepared, parameters) : savepoint;
    if (result.type === "done") {
      if (changesRows) this.expectDone(writer.run(RELEASE));
      return result;
    }
    const answer = this.failed(living, result);
    // SQLite may have ended the transaction itself: ON CONFLICT ROLLBACK, RAISE(ROLLBACK), SQLITE_FULL and others.
    this.transaction = this.probeTransaction(writer);
    if (this.transaction && savepoint?.type === "done") {
      this.expectDone(writer.run(ROLLBACK_TO));
      this.expectDone(writer.run(RELEASE));
    }
    return answer;
  }

  /** A failure as an answer: the VFS may know better than SQLite why. */
  private failed(living: Living, failure: Failure): StatementResult {
    if (failure.type !== "failed") return failure;
    const { notices } = living.runtime;
    const primary = failure.code & 0xff;
    if (notices.refusal !== null) return misuse(notices.refusal);
    if (notices.writeRefused && primary === BUSY) return { type: "writes" };
    if (notices.payloadExceeded && primary === FULL) {
      return { type: "tooLarge", message: `the transaction's pages exceed ${this.limits.maxPayloadBytes} bytes` };
    }
    return { type: "sqlError", code: resultCodeName(failure.code), message: failure.message };
  }

  /** Whether the connection stands in a transaction: only then is BEGIN an error. It takes no lock. */
  private probeTransaction(writer: Connection): boolean {
    if (writer.run("BEGIN").type !== "done") return true;
    this.expectDone(writer.run("ROLLBACK"));
    return false;
  }

  private rollbackOn(writer: Connection): void {
    this.expectDone(writer.run("ROLLBACK"));
    this.transaction = false;
  }

  private restoreSettings({ writer }: Living): void {
    this.expectDone(writer.run("PRAGMA foreign_keys = ON"));
  }

  private discardDownTo(living: Living, keep: number): void {
    const cookie = this.store.schemaCookie();
    if (keep < this.store.speculative()) this.store.discard(keep);
    this.store.install("speculative");
    if (this.store.schemaCookie() === cookie) return;
    // SQLite knows a schema by its cookie, and another one will get this same cookie: it must forget what it knows.
    living.writer.close();
    const writer = living.runtime.connect("speculative");
    if (typeof writer === "string") this.broken ??= writer;
    else living.writer = writer;
  }

  /** The engine's own statements fail for want of memory at most: what state SQLite is in then, nobody knows. */
  private expectDone(result: Executed | Failure): void {
    if (result.type !== "done") this.broken ??= `a statement of the engine's own failed: ${result.message}`;
  }
}

const NOTHING_DONE: StatementResult = { type: "done", rows: { columns: [], rows: [] }, changes: 0, lastInsertRowid: 0 };

function kindRefusal(kind: StatementKind): StatementResult | null {
  if (kind === "control") {
    return misuse("transactions are begun and ended by transaction(), or within a script, not by a single statement");
  }
  return scriptRefusal(kind);
}

function scriptRefusal(kind: StatementKind): { readonly type: "misuse"; readonly message: string } | null {
  if (kind === "attach") return misuse("ATTACH, DETACH and VACUUM INTO are not available: a node has one database");
  if (kind === "temporary") {
    return misuse(
      "temporary objects are not available: they would live on one node, in a connection that all clients share",
    );
  }
  return null;
}

function misuse(message: string): { readonly type: "misuse"; readonly message: string } {
  return { type: "misuse", message };
}
