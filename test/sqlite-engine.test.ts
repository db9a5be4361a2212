/**
 * The engine over real SQLite, through the face that Database sees: two views, commits as payloads, and statements that
 * either have their effect or none.
 */
import { expect, test } from "vitest";
import {
  done,
  expectSameBytes,
  makeEngine,
  openUnmodified,
  replicate,
  rows,
  seedOf,
  value,
  write,
} from "./sqlite-fixture.ts";

test("a reader sees a commit only once it is applied, the writer at once", () => {
  const a = makeEngine();
  write(a, "CREATE TABLE t (a)");
  expect(a.run("reader", "SELECT * FROM t", [])).toMatchObject({ type: "sqlError", message: "no such table: t" });
  replicate(a);
  write(a, "INSERT INTO t VALUES (?)", [7]);
  expect(rows(a, "reader", "SELECT a FROM t")).toEqual([]);
  expect(rows(a, "writer", "SELECT a FROM t")).toEqual([[7]]);
  replicate(a);
  expect(rows(a, "reader", "SELECT a FROM t")).toEqual([[7]]);
});

test("a follower that applies the payloads has the same bytes, and can lead from there", () => {
  const [a, b] = [makeEngine(1), makeEngine(2)];
  done(a.script("CREATE TABLE t (a INTEGER PRIMARY KEY, b); CREATE INDEX i ON t (b)"));
  for (let at = 0; at < 50; at++) write(a, "INSERT INTO t (b) VALUES (hex(randomblob(?)))", [at * 20]);
  replicate(a, b);
  expect(b.checksum()).toBe(a.checksum());
  expectSameBytes(b.image(), a.image());
  write(b, "DELETE FROM t WHERE a > 10");
  replicate(b, a);
  expect(value(a, "SELECT count(*) FROM t")).toBe(10);
  expect(rows(b, "reader", "PRAGMA integrity_check")).toEqual([["ok"]]);
});

test("discarded commits are gone, and those before them stay", () => {
  const a = makeEngine();
  write(a, "CREATE TABLE t (a)");
  for (const number of [1, 2, 3]) write(a, "INSERT INTO t VALUES (?)", [number]);
  expect(a.takeCommits().length).toBe(4);
  a.discard(3);
  expect(rows(a, "writer", "SELECT a FROM t")).toEqual([[1], [2]]);
  a.advance();
  expect(rows(a, "reader", "SELECT count(*) FROM t")).toEqual([[0]]);
  a.discard(0);
  expect(rows(a, "writer", "SELECT count(*) FROM t")).toEqual([[0]]);
  expect(a.speculative()).toBe(0);
});

// SQLite recognises a schema by a counter, and two different histories count alike.
test("a discarded schema is forgotten, even when another one takes its number", () => {
  const [a, b] = [makeEngine(1), makeEngine(2)];
  write(a, "CREATE TABLE gone (x, y)");
  write(a, "INSERT INTO gone VALUES (1, 2)");
  a.discard(0);
  write(b, "CREATE TABLE other (z)");
  replicate(b, a);
  expect(a.run("writer", "SELECT * FROM gone", [])).toMatchObject({ type: "sqlError", message: "no such table: gone" });
  write(a, "INSERT INTO other VALUES (5)");
  expect(value(a, "SELECT z FROM other")).toBe(5);
});

test("a payload that does not fit is a fault, and changes nothing", () => {
  const [a, b, c] = [makeEngine(1), makeEngine(2), makeEngine(3)];
  write(a, "CREATE TABLE t (a)");
  write(a, "CREATE TABLE u (a)");
  const [first, second] = a.takeCommits().map(({ payload }) => payload);
  const before = b.checksum();
  expect(b.apply(second!)).toEqual({ rule: "every page beyond the database's old size is in the payload", offset: 8 });
  expect(b.apply(first!.subarray(0, 100))).toEqual({
    rule: "a payload is as long as its count of pages says",
    offset: 12,
  });
  expect(b.checksum()).toBe(before);
  expectSameBytes(b.image(), c.image());
});

test("the same seed, clock and calls give the same bytes; another seed gives others", () => {
  const image = (seed: number): Uint8Array => {
    const engine = makeEngine(seed);
    engine.setWallClock(1_700_000_000_123);
    write(engine, "CREATE TABLE t (a, b, c)");
    for (let at = 0; at < 20; at++)
      write(engine, "INSERT INTO t VALUES (random(), hex(randomblob(8)), datetime('now'))");
    expect(value(engine, "SELECT max(c) FROM t")).toBe("2023-11-14 22:13:20");
    expect(value(engine, "SELECT strftime('%f', 'now') || ' ' || julianday('now')")).toBe("20.123 2460263.4259273494");
    replicate(engine);
    return engine.image();
  };
  expectSameBytes(image(1), image(1));
  expect(Buffer.compare(image(1), image(2))).not.toBe(0);
});

test("the image is an ordinary database for an unmodified sql.js", async () => {
  const a = makeEngine();
  done(a.script("CREATE TABLE t (a, b); INSERT INTO t VALUES (1, 'one'), (2, x'0202')"));
  const unreplicated = await openUnmodified(a.image());
  expect(unreplicated("SELECT count(*) FROM sqlite_schema")).toEqual([[0]]);
  replicate(a);
  const query = await openUnmodified(a.image());
  expect(query("SELECT * FROM t")).toEqual([
    [1, "one"],
    [2, new Uint8Array([2, 2])],
  ]);
  expect(query("PRAGMA integrity_check")).toEqual([["ok"]]);
  expect(query("PRAGMA journal_mode")).toEqual([["delete"]]);
});

test("a reader answers `writes` to a statement that writes, and nothing has happened", () => {
  const a = makeEngine();
  done(a.script("CREATE TABLE t (a UNIQUE); INSERT INTO t VALUES (1)"));
  replicate(a);
  const writing = [
    "INSERT INTO t VALUES (2)",
    "INSERT INTO t VALUES (1)",
    "UPDATE t SET a = 3 RETURNING a",
    "DELETE FROM t",
    "DROP TABLE t",
    "CREATE TABLE u (a)",
    "VACUUM",
    "REINDEX",
    "ANALYZE",
    "PRAGMA user_version = 5",
    "WITH x AS (SELECT 9) INSERT INTO t SELECT * FROM x",
  ];
  for (const sql of writing) expect([sql, a.run("reader", sql, [])]).toEqual([sql, { type: "writes" }]);
  expect(a.takeCommits()).toEqual([]);
  expect(rows(a, "reader", "SELECT a FROM t")).toEqual([[1]]);
  expect(rows(a, "reader", "EXPLAIN QUERY PLAN DELETE FROM t WHERE a = 1").length).toBe(1);
});

test("changes and lastInsertRowid are those of the statement itself", () => {
  const a = makeEngine();
  const counts = (sql: string): unknown => {
    const { changes, lastInsertRowid } = write(a, sql);
    return [changes, lastInsertRowid];
  };
  expect(counts("CREATE TABLE t (id INTEGER PRIMARY KEY, a UNIQUE)")).toEqual([0, 0]);
  expect(counts("INSERT INTO t (a) VALUES ('x'), ('y')")).toEqual([2, 2]);
  expect(counts("SELECT * FROM t")).toEqual([0, 0]);
  expect(counts("UPDATE t SET a = a || '!'")).toEqual([2, 0]);
  expect(counts("INSERT OR IGNORE INTO t (a) VALUES ('x!')")).toEqual([0, 0]);
  expect(counts("INSERT INTO t (a) VALUES ('x!') ON CONFLICT DO UPDATE SET a = 'z'")).toEqual([1, 0]);
  expect(counts("WITH n AS (SELECT 'w') INSERT INTO t (a) SELECT * FROM n RETURNING a")).toEqual([1, 3]);
  expect(counts("INSERT INTO t (id) VALUES (9007199254740993)")).toEqual([1, 9007199254740993n]);
  expect(counts("DELETE FROM t")).toEqual([4, 0]);
  expect(counts("WITH n AS (SELECT 1) SELECT * FROM n")).toEqual([0, 0]);
});

test("columns are as they are now, also for a statement that was prepared before", () => {
  const a = makeEngine();
  write(a, "CREATE TABLE t (a, b)");
  expect(done(a.run("writer", "SELECT * FROM t", [])).rows).toEqual({ columns: ["a", "b"], rows: [] });
  write(a, "ALTER TABLE t RENAME COLUMN b TO ü");
  expect(done(a.run("writer", "SELECT * FROM t", [])).rows.columns).toEqual(["a", "ü"]);
  write(a, "ALTER TABLE t ADD COLUMN c");
  expect(done(a.run("writer", "SELECT * FROM t", [])).rows.columns).toEqual(["a", "ü", "c"]);
});

test("a failed statement has no effect outside a transaction, whatever its conflict clause", () => {
  const a = makeEngine();
  done(a.script("CREATE TABLE t (a UNIQUE); INSERT INTO t VALUES (5)"));
  replicate(a);
  for (const clause of ["", "OR ABORT", "OR FAIL", "OR ROLLBACK"]) {
    expect(a.run("writer", `INSERT ${clause} INTO t VALUES (1), (2), (5)`, [])).toEqual({
      type: "sqlError",
      code: "SQLITE_CONSTRAINT_UNIQUE",
      message: "UNIQUE constraint failed: t.a",
    });
    expect(rows(a, "writer", "SELECT a FROM t")).toEqual([[5]]);
    expect(a.speculative()).toBe(0);
  }
});

test("a failed statement has no effect inside a transaction either, which goes on unless SQLite ended it", () => {
  const a = makeEngine();
  done(
    a.script(`CREATE TABLE t (a UNIQUE); INSERT INTO t VALUES (5);
    CREATE TRIGGER r BEFORE INSERT ON t WHEN new.a = 99 BEGIN SELECT RAISE(ROLLBACK, 'ninety-nine'); END;
    CREATE TRIGGER f AFTER INSERT ON t WHEN new.a = 98 BEGIN SELECT RAISE(FAIL, 'ninety-eight'); END`),
  );
  const inTransaction = (sql: string): unknown => {
    done(a.begin());
    write(a, "INSERT INTO t VALUES (1)");
    const result = a.run("writer", sql, []);
    const standing = a.inTransaction();
    const seen = rows(a, "writer", "SELECT a FROM t ORDER BY a").flat();
    a.rollback();
    expect(a.inTransaction()).toBe(false);
    return [result.type === "sqlError" ? result.code : result.type, standing, seen];
  };
  expect(inTransaction("INSERT INTO t VALUES (2), (5)")).toEqual(["SQLITE_CONSTRAINT_UNIQUE", true, [1, 5]]);
  expect(inTransaction("INSERT OR FAIL INTO t VALUES (2), (5)")).toEqual(["SQLITE_CONSTRAINT_UNIQUE", true, [1, 5]]);
  expect(inTransaction("INSERT INTO t VALUES (97), (98)")).toEqual(["SQLITE_CONSTRAINT_TRIGGER", true, [1, 5]]);
  expect(inTransaction("INSERT OR ROLLBACK INTO t VALUES (2), (5)")).toEqual(["SQLITE_CONSTRAINT_UNIQUE", false, [5]]);
  expect(inTransaction("INSERT INTO t VALUES (99)")).toEqual(["SQLITE_CONSTRAINT_TRIGGER", false, [5]]);
  expect(inTransaction("SELECT a FROM nowhere")).toEqual(["SQLITE_ERROR", true, [1, 5]]);
  expect(inTransaction("VACUUM")).toEqual(["SQLITE_ERROR", true, [1, 5]]);
});

test("a transaction commits as one, or leaves no trace", () => {
  const a = makeEngine();
  write(a, "CREATE TABLE t (a)");
  replicate(a);
  done(a.begin());
  expect(a.begin()).toMatchObject({ type: "misuse" });
  expect(a.script("SELECT 1")).toMatchObject({ type: "misuse" });
  write(a, "INSERT INTO t VALUES (1)");
  write(a, "INSERT INTO t VALUES (2)");
  expect(rows(a, "reader", "SELECT count(*) FROM t")).toEqual([[0]]);
  expect(value(a, "SELECT count(*) FROM t")).toBe(2);
  done(a.commit());
  expect(a.takeCommits().length).toBe(1);
  done(a.begin());
  write(a, "DELETE FROM t");
  a.rollback();
  a.rollback();
  expect(value(a, "SELECT count(*) FROM t")).toBe(2);
  expect(a.commit()).toMatchObject({ type: "misuse" });
  expect(a.speculative()).toBe(1);
});

test("a transaction that changes nothing is no commit", () => {
  const a = makeEngine();
  done(a.begin());
  expect(value(a, "SELECT 1")).toBe(1);
  done(a.commit());
  expect(a.takeCommits()).toEqual([]);
});

test("a commit that fails rolls the transaction back", () => {
  const a = makeEngine();
  done(
    a.script("CREATE TABLE p (id INTEGER PRIMARY KEY); CREATE TABLE c (p REFERENCES p DEFERRABLE INITIALLY DEFERRED)"),
  );
  done(a.begin());
  write(a, "INSERT INTO c VALUES (1)");
  expect(a.commit()).toMatchObject({ type: "sqlError", code: "SQLITE_CONSTRAINT_FOREIGNKEY" });
  expect(a.inTransaction()).toBe(false);
  expect(value(a, "SELECT count(*) FROM c")).toBe(0);
});

test("commits are advanced while the writer stands in a transaction", () => {
  const a = makeEngine();
  done(a.script("CREATE TABLE t (a); INSERT INTO t VALUES (1)"));
  const taken = a.takeCommits().length;
  done(a.begin());
  write(a, "INSERT INTO t VALUES (2)");
  for (let at = 0; at < taken; at++) a.advance();
  expect(rows(a, "reader", "SELECT a FROM t")).toEqual([[1]]);
  write(a, "INSERT INTO t VALUES (3)");
  done(a.commit());
  replicate(a);
  expect(rows(a, "reader", "SELECT a FROM t")).toEqual([[1], [2], [3]]);
});

test.each([
  "BEGIN",
  "COMMIT",
  "END",
  "ROLLBACK",
  "SAVEPOINT s",
  "RELEASE s",
  "; /* x */ begin immediate",
  "-- y\nrollback",
])("transaction control is refused as a statement: %s", (sql) => {
  const a = makeEngine();
  expect(a.run("writer", sql, [])).toMatchObject({ type: "misuse" });
  expect(a.run("reader", sql, [])).toMatchObject({ type: "misuse" });
  expect(a.inTransaction()).toBe(false);
});

test("one statement at a time: only white space and comments may follow it", () => {
  const a = makeEngine();
  expect(value(a, " /* before */ SELECT 1; -- after\n /* and after */ ")).toBe(1);
  expect(a.run("writer", "SELECT 1; SELECT 2", [])).toMatchObject({
    type: "misuse",
    message: expect.stringContaining("SELECT"),
  });
  expect(a.run("writer", "SELECT 1;;", [])).toMatchObject({ type: "misuse" });
  for (const nothing of ["", "  ", "-- only this", ";"]) {
    expect(a.run("writer", nothing, [])).toEqual({ type: "misuse", message: "the text contains no statement" });
  }
  expect(a.run("writer", "SELECT 'a\0b'", [])).toMatchObject({ type: "misuse" });
  expect(a.run("writer", "SELECT '\ud800'", [])).toMatchObject({ type: "misuse" });
  expect(a.run("writer", "SELEC 1", [])).toEqual({
    type: "sqlError",
    code: "SQLITE_ERROR",
    message: 'near "SELEC": syntax error',
  });
});

test("a script keeps what stands before a failing statement", () => {
  const a = makeEngine();
  const result = a.script(
    "CREATE TABLE t (a UNIQUE); INSERT INTO t VALUES ('ä;'); INSERT INTO t VALUES ('ä;'); DROP TABLE t",
  );
  expect(result).toMatchObject({ type: "sqlError", code: "SQLITE_CONSTRAINT_UNIQUE" });
  expect(rows(a, "writer", "SELECT a FROM t")).toEqual([["ä;"]]);
  expect(a.takeCommits().length).toBe(2);
});

test("a script that fails inside a transaction of its own loses that one only", () => {
  const a = makeEngine();
  const result = a.script(
    "CREATE TABLE t (a); BEGIN; INSERT INTO t VALUES (1); INSERT INTO nowhere VALUES (1); COMMIT",
  );
  expect(result).toMatchObject({ type: "sqlError", message: "no such table: nowhere" });
  expect([a.inTransaction(), a.takeCommits().length, value(a, "SELECT count(*) FROM t")]).toEqual([false, 1, 0]);
});

test("a script that ends inside a transaction has had no effect at all", () => {
  const a = makeEngine();
  for (const open of ["BEGIN", "SAVEPOINT s"]) {
    const result = a.script(`CREATE TABLE t (a); ${open}; INSERT INTO t VALUES (1)`);
    expect(result).toEqual({ type: "misuse", message: "the script ends inside a transaction" });
    expect([a.inTransaction(), a.speculative(), value(a, "SELECT count(*) FROM sqlite_schema")]).toEqual([false, 0, 0]);
  }
  done(a.script("SAVEPOINT s; CREATE TABLE t (a); ROLLBACK TO s; RELEASE s; BEGIN; CREATE TABLE u (a); END"));
  expect(rows(a, "writer", "SELECT name FROM sqlite_schema")).toEqual([["u"]]);
});

test("a script adds up its changes", () => {
  const a = makeEngine();
  expect(
    a.script("; CREATE TABLE t (a);; INSERT INTO t VALUES (1), (2); DELETE FROM t WHERE a = 1; SELECT * FROM t;"),
  ).toMatchObject({
    type: "done",
    changes: 3,
    rows: { columns: [], rows: [] },
  });
  expect(a.script("")).toMatchObject({ type: "done", changes: 0 });
  expect(a.script("SELECT '\0'")).toMatchObject({ type: "misuse" });
});

test("switching foreign keys off ends with the script", () => {
  const a = makeEngine();
  done(
    a.script(`CREATE TABLE p (id INTEGER PRIMARY KEY); CREATE TABLE c (p REFERENCES p);
    PRAGMA foreign_keys = OFF; INSERT INTO c VALUES (7); BEGIN; INSERT INTO c VALUES (8); COMMIT`),
  );
  expect(value(a, "PRAGMA foreign_keys")).toBe(1);
  expect(a.run("writer", "INSERT INTO c VALUES (9)", [])).toMatchObject({ code: "SQLITE_CONSTRAINT_FOREIGNKEY" });
  expect(a.script("PRAGMA foreign_keys = OFF; SELECT nowhere")).toMatchObject({ type: "sqlError" });
  expect(value(a, "PRAGMA foreign_keys")).toBe(1);
});

test("a WAL begins anew under speculative commits, and everything stays", () => {
  const [a, b] = [makeEngine(1), makeEngine(2)];
  write(a, "CREATE TABLE t (a INTEGER PRIMARY KEY, b)");
  for (let at = 0; at < 1500; at++) {
    write(a, "INSERT INTO t (b) VALUES (?)", ["x".repeat(at % 500)]);
    if (a.speculative() < 20) continue;
    for (const { payload } of a.takeCommits()) expect(b.apply(payload)).toBe(null);
    for (let left = a.speculative() - 7; left > 0; left--) a.advance();
  }
  for (const { payload } of a.takeCommits()) expect(b.apply(payload)).toBe(null);
  while (a.speculative() > 0) a.advance();
  expectSameBytes(a.image(), b.image());
  expect(rows(a, "reader", "PRAGMA integrity_check")).toEqual([["ok"]]);
  expect(rows(b, "reader", "SELECT count(*), sum(length(b)) FROM t")).toEqual(
    rows(a, "writer", "SELECT count(*), sum(length(b)) FROM t"),
  );
});

test("more statements than are kept prepared", () => {
  const a = makeEngine();
  for (let round = 0; round < 2; round++) {
    for (let number = 0; number < 200; number++) expect(value(a, `SELECT ${number} + ?`, [1])).toBe(number + 1);
  }
});

test("values that make the wasm memory grow, under the feet of everything that looks into it", () => {
  const [a, b] = [makeEngine(1, { maxPayloadBytes: 1 << 26, maxResultBytes: 1 << 26 }), makeEngine(2)];
  write(a, "CREATE TABLE t (v)");
  for (const mebibytes of [1, 9, 24]) {
    const blob = new Uint8Array(mebibytes << 20).fill(mebibytes);
    write(a, "INSERT INTO t VALUES (?)", [blob]);
    const found = value(a, "SELECT v FROM t ORDER BY rowid DESC LIMIT 1");
    expect(found instanceof Uint8Array && Buffer.compare(found, blob)).toBe(0);
  }
  replicate(a, b);
  expect(b.checksum()).toBe(a.checksum());
  expect(rows(b, "reader", "SELECT length(v) FROM t")).toEqual([[1 << 20], [9 << 20], [24 << 20]]);
});

test("a closed engine answers that it is gone", () => {
  const a = makeEngine();
  a.close();
  expect(a.run("writer", "SELECT 1", [])).toMatchObject({ type: "died" });
  a.revive(seedOf(4));
  expect(value(a, "SELECT 1")).toBe(1);
});
