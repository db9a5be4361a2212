/** What is known of a statement from its text alone; SQLite's names for its result codes. */
import { expect, test } from "vitest";
import { resultCodeName } from "../core/sqlite/result-code.ts";
import { nextToken, statementKind, type StatementKind } from "../core/sqlite/sql-text.ts";

test.each<[string, StatementKind]>([
  ["SELECT 1", "query"],
  ["values (1)", "query"],
  ["EXPLAIN DELETE FROM t", "query"],
  ["\ufeff\t/* a */ -- b\n ;; select 1", "query"],
  ["insert into t values (1)", "insert"],
  ["REPLACE INTO t VALUES (1)", "insert"],
  ["UPDATE t SET a = 1", "change"],
  ["DELETE FROM t", "change"],
  ["WITH x AS (SELECT 1) SELECT * FROM x", "query"],
  ["WITH x AS (DELETE) INSERT INTO t SELECT * FROM x", "insert"],
  ["WITH RECURSIVE x (a, b) AS NOT MATERIALIZED (VALUES (1, 2)), y AS (SELECT ')') DELETE FROM t", "change"],
  ["WITH replace AS (SELECT 1), \"delete\" AS (SELECT 2) UPDATE t SET a = 1", "change"],
  ["WITH x AS (SELECT 1)", "other"],
  ["BEGIN", "control"],
  ["end transaction", "control"],
  ["RELEASE s", "control"],
  ["ATTACH 'x' AS y", "attach"],
  ["DETACH y", "attach"],
  ["VACUUM", "other"],
  ["VACUUM main", "other"],
  ["VACUUM main INTO 'x'", "attach"],
  ["VACUUM; SELECT 1 INTO", "other"],
  ["CREATE TABLE t (a)", "other"],
  ["CREATE TEMP TABLE t (a)", "temporary"],
  ["create temporary trigger x after insert on t begin select 1; end", "temporary"],
  ["CREATE TABLE IF NOT EXISTS [temp].t (a)", "temporary"],
  ["CREATE VIEW `Temp`.v AS SELECT 1", "temporary"],
  ["CREATE TABLE temp (a)", "other"],
  ["CREATE TABLE main.temp (a)", "other"],
  ["CREATE VIEW v AS SELECT 1 FROM temp.x", "other"],
  ["PRAGMA user_version", "other"],
  ["", "other"],
  ["-- no statement", "other"],
  ["/* never closed", "other"],
])("the kind of %j is %s", (sql, kind) => {
  expect(statementKind(sql)).toBe(kind);
});

function tokens(sql: string): string[] {
  const found: string[] = [];
  for (let token = nextToken(sql, 0); token !== null; token = nextToken(sql, token.end)) found.push(token.text);
  return found;
}

test.each<[string, string[]]>([
  ["a.b+1", ["A", ".", "B", "+", "1"]],
  ["'it''s' \"a\"\"b\" `c` [d]e]", ["'it''s'", '"a""b"', "`c`", "[d]", "E", "]"]],
  ["x'00ff' 'never closed", ["X", "'00ff'", "'never closed"]],
  ["a--b\nc/*d*/e", ["A", "C", "E"]],
  ["größe $1", ["GRÖSSE", "$1"]],
])("%j has the tokens %j", (sql, expected) => {
  expect(tokens(sql)).toEqual(expected);
});

test.each([
  [0, "SQLITE_OK"],
  [1, "SQLITE_ERROR"],
  [19, "SQLITE_CONSTRAINT"],
  [19 | (8 << 8), "SQLITE_CONSTRAINT_UNIQUE"],
  [19 | (6 << 8), "SQLITE_CONSTRAINT_PRIMARYKEY"],
  [19 | (3 << 8), "SQLITE_CONSTRAINT_FOREIGNKEY"],
  [522, "SQLITE_IOERR_SHORT_READ"],
  [10 | (34 << 8), "SQLITE_IOERR_IN_PAGE"],
  [5 | (2 << 8), "SQLITE_BUSY_SNAPSHOT"],
  [4 | (2 << 8), "SQLITE_ABORT_ROLLBACK"],
  [4 | (1 << 8), "SQLITE_ABORT"],
  [19 | (99 << 8), "SQLITE_CONSTRAINT"],
  [77, "SQLITE_77"],
])("the result code %d is %s", (code, name) => {
  expect(resultCodeName(code)).toBe(name);
});
