/**
 * The page model: an Engine that knows the workload's statements and nothing else, for speed. What is real in it is
 * what replication rests on: pages, transactions over them, speculative commits, payloads of the product's own format,
 * rolling checksums. What is not there is SQL. fuzz/ compares it with real SQLite, statement by statement.
 */
import { Random, SEED_SIZE } from "../../core/random.ts";
import { invariant } from "../../core/invariant.ts";
import type {
  ApplyFault, Commit, Engine, EngineFactory, EngineLimits, SqlParameters, StatementResult, View,
} from "../../core/database/engine.ts";
import type { PageCut, StoredPage } from "../../core/pages/page-cut.ts";
import { ACCOUNT_COUNT, SETUP_SCRIPT } from "../workload/statements.ts";
import { PageSpace } from "./page-space.ts";
import { execute, recognise, recogniseLiteral, type Recognised } from "./statements.ts";
import { createSchema, schemaExists } from "./tables.ts";

const NO_ROWS = { columns: [], rows: [] };
const DONE = { type: "done", rows: NO_ROWS, changes: 0, lastInsertRowid: 0 } as const;
/** About what a value of a row weighs. */
const VALUE_SIZE = 8;

export const modelEngineFactory: EngineFactory = {
  create: (seed, limits) => new ModelEngine(seed, limits),
};

export class ModelEngine implements Engine {
  private readonly limits: EngineLimits;
  private readonly space = new PageSpace();
  private random: Random;
  private commits: Commit[] = [];

  constructor(seed: Uint8Array, limits: EngineLimits) {
    this.limits = limits;
    this.random = Random.fromBytes(seed.subarray(0, SEED_SIZE));
  }

  run(view: View, sql: string, parameters: SqlParameters): StatementResult {
    const recognised = recognise(sql);
    if (recognised === null) return misuse(`the page model does not know this statement: ${sql}`);
    const integers = integersOf(parameters);
    if (integers === null) return misuse("the page model binds integers by position");
    if (view === "reader") return this.read(recognised, integers);
    return this.inItsTransaction(() => this.runOnWriter(recognised, integers));
  }

  script(sql: string): StatementResult {
    invariant(!this.space.inTransaction, "a script runs outside transactions");
    if (sql === SETUP_SCRIPT) return this.inItsTransaction(() => this.setUp());
    const statements = sql.split(";").map((statement) => statement.trim()).filter((statement) => statement !== "");
    let result: StatementResult = DONE;
    let changes = 0;
    for (const statement of statements) {
      result = this.scriptStatement(statement);
      if (result.type !== "done") break;
      changes += result.changes;
    }
    if (!this.space.inTransaction) return result.type === "done" ? { ...result, rows: NO_ROWS, changes } : result;
    this.space.rollback();
    return result.type === "done" ? misuse("a script ends the transactions that it begins") : result;
  }

  begin(): StatementResult {
    this.space.begin();
    return DONE;
  }

  commit(): StatementResult {
    if (this.space.transactionSize > this.limits.maxPayloadBytes) {
      this.space.rollback();
      return { type: "tooLarge", message: `a transaction has at most ${this.limits.maxPayloadBytes} bytes` };
    }
    const payload = this.space.commit();
    if (payload !== null) this.commits.push({ payload });
    return DONE;
  }

  rollback(): void {
    this.space.rollback();
  }

  inTransaction(): boolean {
    return this.space.inTransaction;
  }

  takeCommits(): readonly Commit[] {
    const commits = this.commits;
    this.commits = [];
    return commits;
  }

  speculative(): number {
    return this.space.speculativeCount;
  }

  advance(): void {
    this.space.advance();
  }

  discard(keep: number): void {
    this.space.discard(keep);
  }

  apply(payload: Uint8Array): ApplyFault | null {
    const rule = this.space.apply(payload);
    return rule === null ? null : { rule };
  }

  /** The model never dies by itself. */
  revive(seed: Uint8Array): void {
    this.space.rollback();
    this.random = Random.fromBytes(seed.subarray(0, SEED_SIZE));
  }

  cut(): PageCut {
    return this.space.cut();
  }

  endCut(isStored: boolean): void {
    this.space.endCut(isStored);
  }

  touch(numbers: readonly number[]): void {
    this.space.mark(numbers);
  }

  beginRestore(pageSize: number, pageCount: number): ApplyFault | null {
    return this.space.beginRestore(pageSize, pageCount);
  }

  restorePages(pages: readonly StoredPage[]): ApplyFault | null {
    return this.space.restorePages(pages);
  }

  finishRestore(checksum: number, seed: Uint8Array): ApplyFault | null {
    this.random = Random.fromBytes(seed.subarray(0, SEED_SIZE));
    return this.space.finishRestore(checksum);
  }

  checksum(): number {
    return this.space.checksum();
  }

  image(): Uint8Array {
    return this.space.image();
  }

  /** No statement of the workload asks for the time. */
  setWallClock(): void {}

  close(): void {}

  private read(recognised: Recognised, parameters: readonly number[]): StatementResult {
    if (recognised.writes && schemaExists(this.space.reader)) return { type: "writes" };
    return this.finish(execute(recognised, parameters, this.space.reader, this.random));
  }

  private runOnWriter(recognised: Recognised, parameters: readonly number[]): StatementResult {
    return this.finish(execute(recognised, parameters, this.space.writer, this.random));
  }

  /** In the open transaction, or in one of its own. */
  private inItsTransaction(statement: () => StatementResult): StatementResult {
    if (this.space.inTransaction) return statement();
    this.space.begin();
    const result = statement();
    if (result.type !== "done") {
      this.space.rollback();
      return result;
    }
    const committed = this.commit();
    return committed.type === "done" ? result : committed;
  }

  private scriptStatement(statement: string): StatementResult {
    if (statement === "BEGIN") return this.begin();
    if (statement === "COMMIT") return this.commit();
    const found = recogniseLiteral(statement);
    if (found === null) return misuse(`the page model does not know this statement: ${statement}`);
    return this.inItsTransaction(() => this.runOnWriter(found.recognised, found.parameters));
  }

  private setUp(): StatementResult {
    if (schemaExists(this.space.writer)) return DONE;
    createSchema(this.space.writer);
    return { ...DONE, changes: ACCOUNT_COUNT };
  }

  private finish(executed: ReturnType<typeof execute>): StatementResult {
    if (!executed.ok) return { type: "sqlError", code: executed.code, message: executed.message };
    const { columns, rows, changes, lastInsertRowid } = executed;
    if (rows.length * columns.length * VALUE_SIZE > this.limits.maxResultBytes) {
      return { type: "tooLarge", message: `a result has at most ${this.limits.maxResultBytes} bytes` };
    }
    return { type: "done", rows: { columns, rows }, changes, lastInsertRowid };
  }
}

function misuse(message: string): StatementResult {
  return { type: "misuse", message };
}

/** null: not what the workload binds. */
function integersOf(parameters: SqlParameters): readonly number[] | null {
  if (!Array.isArray(parameters)) return null;
  return parameters.every((value) => Number.isSafeInteger(value)) ? (parameters as readonly number[]) : null;
}
