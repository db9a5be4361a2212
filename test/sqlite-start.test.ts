/**
 * The engine judges the sql.js that it is handed, and names what is not as it should be. Each case alters one thing
 * in an instance of the real one.
 */
import { expect, test } from "vitest";
import { EngineMemory } from "../core/sqlite/memory.ts";
import { sqliteEngineFactory } from "../core/sqlite/factory.ts";
import { SqlJsMismatchError, type SqlJsInstance, type SqlJsModule } from "../core/sqlite/sql-js.ts";
import { done, LIMITS, seedOf, SQL_JS, value, write } from "./sqlite-fixture.ts";

type Call = (...values: number[]) => number;

function altered(alter: (instance: SqlJsInstance) => SqlJsInstance): SqlJsModule {
  return { ...SQL_JS, instantiate: () => alter(SQL_JS.instantiate()) };
}

function withExports(change: (exports: Readonly<Record<string, unknown>>) => Record<string, unknown>): SqlJsModule {
  return altered((instance) => ({ ...instance, exports: { ...instance.exports, ...change(instance.exports) } }));
}

/** Writes a word into the sqlite3_vfs of a fresh instance, before the engine looks at it. */
function withVfsWord(offset: number, word: number | ((memory: EngineMemory) => number)): SqlJsModule {
  return altered((instance) => {
    const memory = new EngineMemory(instance.memories[0]!, instance.exports["_malloc"] as Call);
    const out = memory.allocate(16);
    memory.u8.set(Buffer.from(":memory:\0"), out + 4);
    (instance.exports["_sqlite3_open"] as Call)(out + 4, out);
    const connection = memory.word(out);
    memory.setWord(memory.word(connection) + offset, typeof word === "number" ? word : word(memory));
    (instance.exports["_sqlite3_close_v2"] as Call)(connection);
    return instance;
  });
}

function cString(memory: EngineMemory, text: string): number {
  const address = memory.allocate(text.length + 1);
  memory.u8.set(Buffer.from(`${text}\0`), address);
  return address;
}

test.each<[string, SqlJsModule, string]>([
  [
    "no memory",
    altered((instance) => ({ ...instance, memories: [] })),
    "the wasm instance exports 0 memories instead of 1",
  ],
  [
    "two tables",
    altered((instance) => ({ ...instance, tables: [...instance.tables, ...instance.tables] })),
    "the wasm instance exports 2 tables instead of 1",
  ],
  ["a missing function", withExports(() => ({ _sqlite3_step: undefined })), "the function _sqlite3_step is missing"],
  ["iVersion", withVfsWord(0, 2), "the VFS's iVersion is 2 instead of 3"],
  ["szOsFile too small", withVfsWord(4, 4), "the VFS's szOsFile is 4 instead of 8 to 1024"],
  ["szOsFile too large", withVfsWord(4, 4096), "the VFS's szOsFile is 4096 instead of 8 to 1024"],
  ["mxPathname", withVfsWord(8, 1024), "the VFS's mxPathname is 1024 instead of 512"],
  ["zName", withVfsWord(16, (memory) => cString(memory, "unix-none")), "the VFS's zName is unix-none instead of unix"],
  ["no zName", withVfsWord(16, 0), "the VFS's zName is at the address 0 instead of unix"],
  ["an empty xOpen", withVfsWord(24, 0), "the VFS's xOpen is no function of the table (found 0)"],
  [
    "xSleep beyond the table",
    withVfsWord(60, 1_000_000),
    "the VFS's xSleep is no function of the table (found 1000000)",
  ],
  [
    "xDlOpen beyond the table",
    withVfsWord(40, 1_000_000),
    "the VFS's xDlOpen is no function of the table (found 1000000)",
  ],
  ["opening fails", withExports(() => ({ _sqlite3_open: () => 14 })), "opening :memory: ends in SQLITE_CANTOPEN"],
  [
    "another struct",
    withExports(zeroedConnection),
    "a connection does not begin with the address of its VFS (found 0)",
  ],
  [
    "settings fail",
    withExports(() => ({ _sqlite3_exec: () => 1 })),
    "the settings of a connection end in SQLITE_ERROR",
  ],
  [
    "it traps",
    withExports((exports) => ({ _sqlite3_open: () => (exports["_sqlite3_step"] as Call)(0x7ffffff0) })),
    "a fresh instance is cut off: RuntimeError: memory access out of bounds",
  ],
])("an altered sql.js is refused: %s", (_name, module, difference) => {
  const error = refusal(module);
  expect(error?.differences).toEqual([difference]);
  expect(error?.message).toBe(`sql.js ${SQL_JS.version} is not usable: ${difference}`);
});

/** sqlite3_open hands out memory in which everything is zero. */
function zeroedConnection(exports: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const address = (exports["_malloc"] as Call)(64);
  const write = exports["writeArrayToMemory"] as (bytes: Uint8Array, at: number) => void;
  const open = (_name: number, out: number): number => {
    write(new Uint8Array(64), address);
    write(new Uint8Array(new Uint32Array([address]).buffer), out);
    return 0;
  };
  return { _sqlite3_open: open };
}

function refusal(module: SqlJsModule): SqlJsMismatchError | null {
  try {
    sqliteEngineFactory(module).create(seedOf(1), LIMITS);
  } catch (error) {
    if (error instanceof SqlJsMismatchError) return error;
    throw error;
  }
  return null;
}

test("everything that differs is named at once", () => {
  const error = refusal(withExports(() => ({ _sqlite3_step: 1, _sqlite3_reset: null })));
  expect(error?.differences).toEqual([
    "the function _sqlite3_step is missing",
    "the function _sqlite3_reset is missing",
  ]);
});

test("a VFS that SQLite does not use is found by the probe transaction", () => {
  // Whatever is opened is a database in SQLite's own memory.
  const module = withExports((exports) => {
    const write = exports["writeArrayToMemory"] as (bytes: Uint8Array, at: number) => void;
    const name = (exports["_malloc"] as Call)(16);
    write(Buffer.from(":memory:\0"), name);
    return { _sqlite3_open: (_name: number, out: number) => (exports["_sqlite3_open"] as Call)(name, out) };
  });
  expect(refusal(module)?.differences).toEqual(["a probe transaction: each commit is captured"]);
});

test("without hidden fields the engine does what it can, and says what it cannot", () => {
  // Nothing that calibration tries has an effect that it can see.
  const module = withExports(() => ({ _sqlite3_column_text: () => 0 }));
  const engine = sqliteEngineFactory(module).create(seedOf(1), LIMITS);
  write(engine, "CREATE TABLE t (id INTEGER PRIMARY KEY, v UNIQUE)");
  expect(write(engine, "INSERT INTO t (v) VALUES (?)", [7]).lastInsertRowid).toBe(1);
  expect(engine.run("writer", "INSERT INTO t (v) VALUES (?)", [2 ** 40])).toEqual({
    type: "misuse",
    message:
      "parameter 1: 1099511627776 is an integer beyond 32 bits, " +
      "and integer binding was not found in this build of sql.js",
  });
  expect(value(engine, "SELECT v FROM t")).toBe(7);
});

test("engines do not share anything", () => {
  const factory = sqliteEngineFactory(SQL_JS);
  const [a, b] = [factory.create(seedOf(1), LIMITS), factory.create(seedOf(1), LIMITS)];
  write(a, "CREATE TABLE t (v)");
  done(b.script("CREATE TABLE u (v)"));
  expect([value(a, "SELECT name FROM sqlite_schema"), value(b, "SELECT name FROM sqlite_schema")]).toEqual(["t", "u"]);
});
