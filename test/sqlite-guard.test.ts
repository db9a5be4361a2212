/** What clients must not do to a connection that they share, and what happens at the limits. */
import { expect, test } from "vitest";
import { done, makeEngine, replicate, rows, value, write } from "./sqlite-fixture.ts";

const ABOUT_REPLICATION = "belong to replication";
const ABOUT_SHARING = "which all clients of the node share";

test.each([
  ["PRAGMA journal_mode = DELETE", ABOUT_REPLICATION],
  ["PRAGMA journal_mode = off", ABOUT_REPLICATION],
  ["PRAGMA main.journal_mode(memory)", ABOUT_REPLICATION],
  ["PRAGMA locking_mode = EXCLUSIVE", ABOUT_REPLICATION],
  ['PRAGMA "main".Locking_Mode = exclusive', ABOUT_REPLICATION],
  ["PRAGMA wal_checkpoint", ABOUT_REPLICATION],
  ["PRAGMA wal_checkpoint(TRUNCATE)", ABOUT_REPLICATION],
  ["PRAGMA wal_autocheckpoint = 1", ABOUT_REPLICATION],
  ["PRAGMA page_size = 512", ABOUT_REPLICATION],
  ["PRAGMA auto_vacuum = FULL", ABOUT_REPLICATION],
  ["PRAGMA encoding = 'UTF-16'", ABOUT_REPLICATION],
  ["PRAGMA writable_schema = ON", ABOUT_REPLICATION],
  ["PRAGMA schema_version = 1", ABOUT_REPLICATION],
  ["PRAGMA query_only = ON", ABOUT_SHARING],
  ["PRAGMA synchronous = FULL", ABOUT_SHARING],
  ["PRAGMA cache_size = 1", ABOUT_SHARING],
  ["PRAGMA hard_heap_limit = 1", ABOUT_SHARING],
  ["PRAGMA recursive_triggers = ON", ABOUT_SHARING],
  ["PRAGMA foreign_keys = OFF", "within a script"],
  ["SELECT * FROM pragma_wal_checkpoint", null],
  ["ATTACH ':memory:' AS other", "a node has one database"],
  ["ATTACH 'other.db' AS other", "a node has one database"],
  ["DETACH main", "a node has one database"],
  ["VACUUM INTO 'other.db'", "a node has one database"],
  ["VACUUM main INTO ':memory:'", "a node has one database"],
  ["CREATE TEMP TABLE x (a)", "a connection that all clients share"],
  ["CREATE TEMPORARY VIEW x AS SELECT 1", "a connection that all clients share"],
  ["CREATE TABLE temp.x (a)", "a connection that all clients share"],
  ['CREATE TABLE IF NOT EXISTS "TEMP".x (a)', "a connection that all clients share"],
  ["SELECT load_extension('x')", null],
])("%s is refused by both views", (sql, because) => {
  const a = makeEngine();
  for (const view of ["writer", "reader"] as const) {
    const result = a.run(view, sql, []);
    if (because === null) expect(result).toMatchObject({ type: "sqlError" });
    else expect(result).toEqual({ type: "misuse", message: expect.stringContaining(because) });
  }
  // Nothing of a script stays that contains it.
  if (because !== null && because !== "within a script") {
    expect(a.script(`CREATE TABLE gone (a); ${sql}`)).toMatchObject({ type: "misuse" });
  }
  expect([a.inTransaction(), a.speculative()]).toEqual([false, 0]);
  // And the engine is as it was.
  write(a, "CREATE TABLE t (a)");
  replicate(a);
  expect(value(a, "PRAGMA journal_mode")).toBe("wal");
  expect(value(a, "PRAGMA locking_mode")).toBe("normal");
  expect(rows(a, "reader", "SELECT * FROM t")).toEqual([]);
});

test.each([
  ["PRAGMA journal_mode = WAL", "wal"],
  ["PRAGMA journal_mode", "wal"],
  ["PRAGMA wal_autocheckpoint", 0],
  ["PRAGMA foreign_keys", 1],
  ["PRAGMA encoding", "UTF-8"],
  ["PRAGMA page_size", 4096],
  ["PRAGMA integrity_check", "ok"],
  ["PRAGMA quick_check(1)", "ok"],
  ["SELECT name FROM pragma_table_info('t')", "a"],
])("%s is answered", (sql, expected) => {
  const a = makeEngine();
  write(a, "CREATE TABLE t (a)");
  expect(value(a, sql)).toBe(expected);
});

test("the PRAGMAs that change the database itself are replicated", () => {
  const [a, b] = [makeEngine(1), makeEngine(2)];
  write(a, "PRAGMA user_version = 7");
  write(a, "PRAGMA application_id = 8");
  write(a, "PRAGMA foreign_keys = ON");
  replicate(a, b);
  expect(rows(b, "reader", "SELECT * FROM pragma_user_version, pragma_application_id")).toEqual([[7, 8]]);
});

test("VACUUM shrinks the database on every node", () => {
  const [a, b] = [makeEngine(1), makeEngine(2)];
  done(
    a.script(`CREATE TABLE t (a); WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 500)
    INSERT INTO t SELECT randomblob(3000) FROM n; DELETE FROM t WHERE rowid > 10; VACUUM`),
  );
  replicate(a, b);
  expect(a.image().length).toBeLessThan(20 * 4096);
  expect(b.checksum()).toBe(a.checksum());
  expect(rows(b, "reader", "PRAGMA integrity_check")).toEqual([["ok"]]);
});

const FILL = "INSERT INTO t SELECT randomblob(3000) FROM n";
const NUMBERS = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 2000)";

test("a transaction that exceeds the payload's limit is stopped before it commits", () => {
  const a = makeEngine(1, { maxPayloadBytes: 1024 * 1024 });
  done(a.script("CREATE TABLE t (a); INSERT INTO t VALUES (1)"));
  const tooLarge = { type: "tooLarge", message: "the transaction's pages exceed 1048576 bytes" };
  expect(a.run("writer", `${NUMBERS} ${FILL}`, [])).toEqual(tooLarge);
  // Of a script too nothing stays: "too large" means that it was not executed.
  expect(a.script(`INSERT INTO t VALUES (1); ${NUMBERS} ${FILL}`)).toEqual(tooLarge);
  // The pages wait in SQLite's cache until the commit.
  done(a.begin());
  for (let at = 0; at < 300; at++) write(a, "INSERT INTO t VALUES (randomblob(3000))");
  expect(a.commit()).toEqual(tooLarge);
  expect([a.inTransaction(), a.speculative(), value(a, "SELECT count(*) FROM t")]).toEqual([false, 2, 1]);
  // They do not fit into the cache, so that it is a statement that fails.
  done(a.begin());
  expect(a.run("writer", `${NUMBERS} ${FILL}`, [])).toEqual(tooLarge);
  a.rollback();
  write(a, "INSERT INTO t VALUES (2)");
  expect(value(a, "SELECT count(*) FROM t")).toBe(2);
  for (const { payload } of a.takeCommits()) expect(payload.length).toBeLessThan(1024 * 1024);
});

test("the largest transaction that fits is admitted", () => {
  const a = makeEngine(1, { maxPayloadBytes: 20 + 10 * (8 + 4096) });
  const wide = (pages: number): unknown => a.run("writer", `INSERT INTO t VALUES (zeroblob(${pages * 4092}))`, []);
  write(a, "CREATE TABLE t (a)");
  expect(wide(20)).toMatchObject({ type: "tooLarge" });
  expect(wide(6)).toMatchObject({ type: "done" });
  expect(value(a, "SELECT count(*) FROM t")).toBe(1);
});

test("a result that exceeds its limit leaves nothing behind", () => {
  const a = makeEngine(1, { maxResultBytes: 10_000 });
  write(a, "CREATE TABLE t (a)");
  const tooLarge = { type: "tooLarge", message: "the statement's rows exceed 10000 bytes" };
  expect(a.run("reader", "SELECT zeroblob(10000)", [])).toEqual(tooLarge);
  const name = "n".repeat(6000);
  expect(a.run("reader", `SELECT 1 AS ${name}`, [])).toMatchObject({ type: "done" });
  expect(a.run("reader", `SELECT 1 AS ${name}, 2 AS ${name}`, [])).toEqual(tooLarge);
  expect(a.run("reader", `SELECT zeroblob(6000) AS ${name}`, [])).toEqual(tooLarge);
  expect(a.run("reader", `SELECT zeroblob(6000) AS ${name}`, [])).toEqual(tooLarge);
  expect(a.run("reader", `${NUMBERS} SELECT x FROM n`, [])).toEqual(tooLarge);
  expect(a.run("writer", `${NUMBERS} INSERT INTO t SELECT x FROM n RETURNING a`, [])).toEqual(tooLarge);
  expect([value(a, "SELECT count(*) FROM t"), a.speculative()]).toEqual([0, 1]);
  done(a.begin());
  write(a, "INSERT INTO t VALUES (1)");
  expect(a.run("writer", "UPDATE t SET a = zeroblob(20000) RETURNING a", [])).toEqual(tooLarge);
  expect(a.run("writer", "SELECT zeroblob(10000)", [])).toEqual(tooLarge);
  done(a.commit());
  expect(rows(a, "writer", "SELECT a FROM t")).toEqual([[1]]);
  expect(rows(a, "reader", "SELECT hex(zeroblob(4000))")).toEqual([["00".repeat(4000)]]);
});
