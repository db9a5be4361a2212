/**
 * A database that is there: real SQLite over its page store, one row a page. It changes rows at random and hands out
 * what has changed as a cut, as Database does.
 */
import { loadSqlJs } from "../cli/sqljs.ts";
import { DEFAULT_DATABASE_LIMITS } from "../core/database/boundary.ts";
import { ENGINE_SEED_SIZE, type Engine, type SqlParameters } from "../core/database/engine.ts";
import type { PageCut } from "../core/pages/page-cut.ts";
import type { Random } from "../core/random.ts";
import { sqliteEngineFactory } from "../core/sqlite/factory.ts";
import { PAGE_SIZE, type ChangingPages } from "./page-source.ts";

/** More than half a page: no two fit into one. */
const ROW_BYTES = 3000;
const ROWS_A_TRANSACTION = 500;

export class EngineSource implements ChangingPages {
  readonly pageCount: number;
  private readonly engine: Engine;
  private readonly random: Random;

  constructor(bytes: number, random: Random) {
    this.pageCount = Math.ceil(bytes / PAGE_SIZE);
    this.random = random;
    this.engine = sqliteEngineFactory(loadSqlJs()).create(random.bytes(ENGINE_SEED_SIZE), DEFAULT_DATABASE_LIMITS);
    this.run("CREATE TABLE t (id INTEGER PRIMARY KEY, v BLOB)", []);
    const ids = Array.from({ length: this.pageCount }, (_, at) => at + 1);
    this.runAll("INSERT INTO t VALUES (?, randomblob(?))", ids.map((id) => [id, ROW_BYTES]));
  }

  changePages(count: number): void {
    const ids = new Set<number>();
    while (ids.size < Math.min(count, this.pageCount)) ids.add(this.random.integer(1, this.pageCount));
    this.runAll("UPDATE t SET v = randomblob(?) WHERE id = ?", [...ids].map((id) => [ROW_BYTES, id]));
  }

  cut(): PageCut {
    return this.engine.cut();
  }

  endCut(isStored: boolean): void {
    this.engine.endCut(isStored);
  }

  private runAll(sql: string, parameters: readonly SqlParameters[]): void {
    for (let from = 0; from < parameters.length; from += ROWS_A_TRANSACTION) {
      this.engine.begin();
      for (const row of parameters.slice(from, from + ROWS_A_TRANSACTION)) this.run(sql, row);
      this.engine.commit();
      // As if they had been replicated.
      for (const _ of this.engine.takeCommits()) this.engine.advance();
    }
  }

  private run(sql: string, parameters: SqlParameters): void {
    const result = this.engine.run("writer", sql, parameters);
    if (result.type !== "done") throw new Error(`${sql}: ${JSON.stringify(result)}`);
    if (!this.engine.inTransaction()) for (const _ of this.engine.takeCommits()) this.engine.advance();
  }
}
