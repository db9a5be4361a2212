/**
 * The engine over real SQLite, through the face that Database sees: two views, commits as payloads, and statements that
 * either have their effect or none.
 */
import { expect, test } from "vitest";
import { loadSqlJs } from "../cli/sqljs.ts";
import type { Engine, SqlParameters, SqlValue, StatementResult, View } from "../core/database/engine.ts";
import { sqliteEngineFactory } from "../core/sqlite/factory.ts";

const factory = sqliteEngineFactory(loadSqlJs());
const MIB = 1024 * 1024;
const limits = { maxPayloadBytes: 4 * MIB, maxResultBytes: MIB };

function seed(byte: number): Uint8Array {
  return new Uint8Array(44).fill(byte);
}

function engine(byte = 1): Engine {
  return factory.create(seed(byte), limits);
}

function done(result: StatementResult): Extract<StatementResult, { type: "done" }> {
  if (result.type !== "done") throw new Error(`expected "done": ${JSON.stringify(result)}`);
  return result;
}

function rows(of: Engine, view: View, sql: string, parameters: SqlParameters = []): readonly (readonly SqlValue[])[] {
  return done(of.run(view, sql, parameters)).rows.rows;
}

/** Replicates everything that is speculative. */
function replicate(leader: Engine, ...followers: Engine[]): void {
  for (const { payload } of leader.takeCommits()) {
    leader.advance();
    for (const follower of followers) expect(follower.apply(payload.slice())).toBe(null);
  }
}

test("a reader sees a commit only once it is applied, the writer at once", () => {
  const a = engine();
  done(a.run("writer", "CREATE TABLE t (a)", []));
  expect(a.run("reader", "SELECT * FROM t", [])).toMatchObject({ type: "sqlError", message: "no such table: t" });
  replicate(a);
  done(a.run("writer", "INSERT INTO t VALUES (?)", [7]));
  expect(rows(a, "reader", "SELECT a FROM t")).toEqual([]);
  expect(rows(a, "writer", "SELECT a FROM t")).toEqual([[7]]);
  replicate(a);
  expect(rows(a, "reader", "SELECT a FROM t")).toEqual([[7]]);
});

test("a follower that applies the payloads has the same bytes", () => {
  const [a, b] = [engine(1), engine(2)];
  done(a.script("CREATE TABLE t (a INTEGER PRIMARY KEY, b); CREATE INDEX i ON t (b)"));
  for (let at = 0; at < 50; at++) done(a.run("writer", "INSERT INTO t (b) VALUES (hex(randomblob(?)))", [at * 20]));
  replicate(a, b);
  expect(b.checksum()).toBe(a.checksum());
  expect(Buffer.compare(b.image(), a.image())).toBe(0);
  expect(rows(b, "reader", "PRAGMA integrity_check")).toEqual([["ok"]]);
});

test("discarded commits are gone, and those before them stay", () => {
  const a = engine();
  done(a.run("writer", "CREATE TABLE t (a)", []));
  for (const value of [1, 2, 3]) done(a.run("writer", "INSERT INTO t VALUES (?)", [value]));
  expect(a.takeCommits().length).toBe(4);
  a.discard(3);
  expect(rows(a, "writer", "SELECT a FROM t")).toEqual([[1], [2]]);
  a.discard(0);
  expect(a.run("writer", "SELECT a FROM t", [])).toMatchObject({ type: "sqlError" });
  expect(a.speculative()).toBe(0);
});
