/** Instances of sql.js that are used again: nothing of their former lives is left, and a seed has one course. */
import { expect, test } from "vitest";
import { makeEnvironment } from "../cli/sim-environment.ts";
import { loadSqlJs } from "../cli/sqljs.ts";
import { pooled } from "../cli/sqljs-pool.ts";
import { DEFAULT_DATABASE_LIMITS } from "../core/database/boundary.ts";
import { ENGINE_SEED_SIZE } from "../core/database/engine.ts";
import { sqliteEngineFactory } from "../core/sqlite/factory.ts";
import type { SqlJsInstance, SqlJsModule } from "../core/sqlite/sql-js.ts";
import { drawPlan } from "../sim/plan.ts";
import { Run } from "../sim/run.ts";

const SQL_JS = loadSqlJs();
const SEED = new Uint8Array(ENGINE_SEED_SIZE).fill(7);

/** The memory of an instance as it is handed out. */
function memoryOf(instance: SqlJsInstance): Uint8Array {
  return new Uint8Array(instance.memories[0]!.buffer);
}

test("an instance that was used is handed out again, with the memory and the table of a fresh one", () => {
  const handedOut: SqlJsInstance[] = [];
  const pool = pooled(SQL_JS);
  const watched: SqlJsModule = {
    ...pool,
    instantiate: () => {
      const instance = pool.instantiate();
      expect(Buffer.compare(memoryOf(instance), memoryOf(fresh))).toBe(0);
      expect(instance.tables[0]!.length).toBe(fresh.tables[0]!.length);
      handedOut.push(instance);
      return instance;
    },
  };
  const fresh = SQL_JS.instantiate();
  const factory = sqliteEngineFactory(watched);
  const results = [1, 2, 3].map(() => {
    const engine = factory.create(SEED, DEFAULT_DATABASE_LIMITS);
    engine.run("writer", "CREATE TABLE t (a, b DEFAULT (hex(randomblob(8))))", []);
    engine.run("writer", "INSERT INTO t (a) WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n LIMIT 500)"
      + " SELECT zeroblob(x) FROM n", []);
    const answer = engine.run("writer", "SELECT count(*), sum(length(a)), max(b) FROM t", []);
    const tableLength = handedOut.at(-1)!.tables[0]!.length;
    engine.close();
    return { answer, tableLength, instance: handedOut.at(-1) };
  });
  expect(results[1]).toEqual(results[0]);
  expect(results[2]!.instance).toBe(results[0]!.instance);
  expect(results[0]!.answer).toMatchObject({ type: "done" });
});

test("an instance whose memory has grown is not handed out again", () => {
  const factory = sqliteEngineFactory(pooled(SQL_JS));
  const engine = factory.create(SEED, DEFAULT_DATABASE_LIMITS);
  expect(engine.run("reader", "SELECT length(hex(zeroblob(30000000)))", [])).toMatchObject({ type: "done" });
  engine.close();
  const next = factory.create(SEED, DEFAULT_DATABASE_LIMITS);
  expect(next.run("reader", "SELECT 1", [])).toMatchObject({ type: "done", rows: { rows: [[1]] } });
});

test("a seed has one course, whether instances are used again or not", async () => {
  const environment = await makeEnvironment("sqlite", null);
  const fresh = { ...environment, engine: sqliteEngineFactory(SQL_JS) };
  const plan = { ...drawPlan(45), chaosMs: 4000, serveMs: 500 };
  const hashes = [environment, environment, fresh].map((one) => new Run(plan, one).execute().hash);
  expect(new Set(hashes).size).toBe(1);
});
