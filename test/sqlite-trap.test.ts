/**
 * SQLite dies in the middle: a real trap, by a call with an address outside its memory. Nothing is ever asked of that
 * instance again; another one stands on the same pages, and only what had committed before is there.
 */
import { expect, test } from "vitest";
import type { Engine } from "../core/database/engine.ts";
import { sqliteEngineFactory } from "../core/sqlite/factory.ts";
import { Guard } from "../core/sqlite/guard.ts";
import type { SqlJsModule } from "../core/sqlite/sql-js.ts";
import { done, LIMITS, makeEngine, replicate, rows, seedOf, SQL_JS, value, write } from "./sqlite-fixture.ts";

type Call = (...values: number[]) => number;

/** After so many more calls of sqlite3_step there is a trap; -1: never. */
const trap = { steps: -1 };

const module: SqlJsModule = {
  ...SQL_JS,
  instantiate: () => {
    const instance = SQL_JS.instantiate();
    const step = instance.exports["_sqlite3_step"] as Call;
    const trapping = (statement: number): number => {
      if (trap.steps > 0) trap.steps -= 1;
      return step(trap.steps === 0 ? 0x7ffffff0 : statement);
    };
    return { ...instance, exports: { ...instance.exports, _sqlite3_step: trapping } };
  },
};
const factory = sqliteEngineFactory(module);

function trapAt<T>(step: number, body: () => T): T {
  trap.steps = step;
  const result = body();
  expect(trap.steps).toBe(0);
  trap.steps = -1;
  return result;
}

function prepared(): Engine {
  const engine = factory.create(seedOf(1), LIMITS);
  done(engine.script("CREATE TABLE t (a INTEGER PRIMARY KEY, b); INSERT INTO t (b) VALUES ('applied')"));
  replicate(engine);
  write(engine, "INSERT INTO t (b) VALUES ('speculative')");
  return engine;
}

const DIED = { type: "died", message: expect.stringContaining("memory access out of bounds") };

test("a trap ends in `died`, and nothing works until the engine is revived", () => {
  const a = prepared();
  expect(trapAt(1, () => a.run("writer", "INSERT INTO t (b) VALUES ('lost')", []))).toEqual(DIED);
  const dead = { type: "died", message: "the engine died and has not been revived" };
  expect([a.run("reader", "SELECT 1", []), a.script("SELECT 1"), a.begin(), a.commit()]).toEqual([
    dead,
    dead,
    dead,
    dead,
  ]);
  a.rollback();
  expect([a.inTransaction(), a.speculative(), a.takeCommits().length]).toEqual([false, 1, 1]);
  expect(() => a.advance()).toThrow("a dead engine is revived before anything else");
});

test("a revived engine has all commits, speculative ones too, and goes on", () => {
  const [a, b] = [prepared(), makeEngine(2)];
  a.setWallClock(0);
  expect(trapAt(1, () => a.run("reader", "SELECT 1", []))).toEqual(DIED);
  a.revive(seedOf(9));
  expect(rows(a, "reader", "SELECT b FROM t")).toEqual([["applied"]]);
  expect(rows(a, "writer", "SELECT b FROM t")).toEqual([["applied"], ["speculative"]]);
  expect(value(a, "SELECT datetime('now')")).toBe("1970-01-01 00:00:00");
  write(a, "INSERT INTO t (b) VALUES ('revived')");
  expect(a.takeCommits().length).toBe(2);
  a.advance();
  a.advance();
  expect(rows(a, "reader", "SELECT count(*) FROM t")).toEqual([[3]]);
  expect(rows(a, "reader", "PRAGMA integrity_check")).toEqual([["ok"]]);
  write(b, "CREATE TABLE x (y)");
  replicate(b);
  expect(() => a.revive(seedOf(9))).toThrow("only a dead engine is revived");
});

test("the transaction that was open when the engine died is gone", () => {
  const a = prepared();
  done(a.begin());
  // More than SQLite's cache: some of it is in the WAL already.
  write(
    a,
    `WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 900)
     INSERT INTO t (b) SELECT zeroblob(3000) FROM n`,
  );
  expect(trapAt(1, () => a.run("writer", "SELECT 1", []))).toEqual(DIED);
  a.revive(seedOf(9));
  expect(a.inTransaction()).toBe(false);
  expect(rows(a, "writer", "SELECT b FROM t")).toEqual([["applied"], ["speculative"]]);
  replicate(a);
  expect(rows(a, "reader", "PRAGMA integrity_check")).toEqual([["ok"]]);
});

test("what a script committed before it died was answered to nobody, and is gone", () => {
  const a = prepared();
  const before = a.checksum();
  expect(
    trapAt(3, () =>
      a.script("INSERT INTO t (b) VALUES (1); INSERT INTO t (b) VALUES (2); INSERT INTO t (b) VALUES (3)"),
    ),
  ).toEqual(DIED);
  expect(a.speculative()).toBe(1);
  a.revive(seedOf(9));
  expect([a.checksum(), value(a, "SELECT count(*) FROM t")]).toEqual([before, 2]);
});

test("a trap at any step of a transaction leaves a database in order", () => {
  for (let step = 1; step <= 12; step++) {
    const a = prepared();
    trap.steps = step;
    const results = [
      a.begin(),
      a.run("writer", "INSERT INTO t (b) VALUES ('x')", []),
      a.run("writer", "UPDATE t SET b = 'y' RETURNING a", []),
      a.commit(),
    ];
    const trapped = trap.steps === 0;
    trap.steps = -1;
    expect([step, results.some(({ type }) => type === "died")]).toEqual([step, trapped]);
    if (trapped) a.revive(seedOf(step));
    expect(value(a, "SELECT group_concat(b) FROM t")).toBe(trapped ? "applied,speculative" : "y,y,y");
    replicate(a);
    expect(rows(a, "reader", "PRAGMA integrity_check")).toEqual([["ok"]]);
  }
});

// Not a trap, but a bug of ours inside a callback of SQLite's: SQLite ends the statement in good order, and the bug
// comes up behind it as what it is.
test("an exception in a VFS callback is an I/O error for SQLite, and itself for the caller", () => {
  const guard = new Guard(SQL_JS.isTrap);
  const callback = guard.callback(() => {
    throw new TypeError("a bug");
  }, 10);
  const heard: number[] = [];
  expect(() => guard.enter(() => heard.push(callback(), callback()))).toThrow("a bug");
  expect(heard).toEqual([10, 10]);
  expect(guard.enter(() => "the next statement")).toEqual({ type: "returned", value: "the next statement" });
});

test("an exhausted stack counts as a trap, also below a callback", () => {
  const guard = new Guard(SQL_JS.isTrap);
  const endless = (): number => endless() + 1;
  expect(guard.enter(endless)).toMatchObject({ type: "trapped" });
  const callback = guard.callback(endless, 10);
  expect(guard.enter(callback)).toMatchObject({ type: "trapped" });
});
