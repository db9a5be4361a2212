/** Values on their way into SQLite and back, and those that are refused because SQLite could not give them back. */
import { expect, test } from "vitest";
import type { SqlParameters, SqlValue } from "../core/database/engine.ts";
import { done, makeEngine, value, write } from "./sqlite-fixture.ts";

const engine = makeEngine(1, { maxResultBytes: 8 * 1024 * 1024 });
write(engine, "CREATE TABLE t (v)");

const MAX = 9007199254740991;

test.each<[SqlValue, string, SqlValue]>([
  [null, "null", null],
  [0, "integer", 0],
  [-0, "integer", 0],
  [2147483647, "integer", 2147483647],
  [-2147483648, "integer", -2147483648],
  [2147483648, "integer", 2147483648],
  [-2147483649, "integer", -2147483649],
  [4294967296, "integer", 4294967296],
  [MAX, "integer", MAX],
  [-MAX, "integer", -MAX],
  [9007199254740992, "real", 9007199254740992],
  [1.5, "real", 1.5],
  [5e-324, "real", 5e-324],
  [-1.7976931348623157e308, "real", -1.7976931348623157e308],
  [Infinity, "real", Infinity],
  [-Infinity, "real", -Infinity],
  [7n, "integer", 7],
  [-1n, "integer", -1],
  [BigInt(MAX), "integer", MAX],
  [9007199254740992n, "integer", 9007199254740992n],
  [9007199254740993n, "integer", 9007199254740993n],
  [-9007199254740993n, "integer", -9007199254740993n],
  [9223372036854775807n, "integer", 9223372036854775807n],
  [-9223372036854775808n, "integer", -9223372036854775808n],
  ["", "text", ""],
  ["plain", "text", "plain"],
  ["a line of more than twenty-four characters", "text", "a line of more than twenty-four characters"],
  ["äöü € 𝄞 \u0001 \ufeff", "text", "äöü € 𝄞 \u0001 \ufeff"],
  ["é".repeat(100_000), "text", "é".repeat(100_000)],
  ["x".repeat(100_000), "text", "x".repeat(100_000)],
  [new Uint8Array(0), "blob", new Uint8Array(0)],
  [new Uint8Array([0, 255, 128]), "blob", new Uint8Array([0, 255, 128])],
  [new Uint8Array(300_000).fill(9), "blob", new Uint8Array(300_000).fill(9)],
])("%s is stored and comes back", (given, type, expected) => {
  write(engine, "DELETE FROM t");
  write(engine, "INSERT INTO t VALUES (?)", [given]);
  expect(value(engine, "SELECT typeof(v) FROM t")).toBe(type);
  const found = value(engine, "SELECT v FROM t");
  if (found instanceof Uint8Array && expected instanceof Uint8Array) expect(Buffer.compare(found, expected)).toBe(0);
  else expect(Object.is(found, expected)).toBe(true);
  expect(value(engine, "SELECT count(*) FROM t WHERE v IS ?", [given])).toBe(1);
});

test("text that is no UTF-8 comes out with replacement characters", () => {
  expect(value(engine, "SELECT CAST(x'41ff42c3a9e282' AS TEXT)")).toBe("A\ufffdBé\ufffd\ufffd");
  expect(value(engine, "SELECT 'a' || char(0) || 'b'")).toBe("a\0b");
});

const OTHERS = "a value is null, a number, a bigint, a string or a Uint8Array, not";

test.each<[unknown, string]>([
  [undefined, `${OTHERS} undefined`],
  [true, `${OTHERS} a boolean`],
  [Symbol("s"), `${OTHERS} a symbol`],
  [() => 1, `${OTHERS} a function`],
  [{}, `${OTHERS} an object`],
  [[1], `${OTHERS} an object`],
  [new Date(0), `${OTHERS} an object`],
  [new ArrayBuffer(4), `${OTHERS} an object`],
  [Number.NaN, "SQLite has no NaN, it would become NULL"],
  [9223372036854775808n, "9223372036854775808 does not fit into 64 bits"],
  [-9223372036854775809n, "-9223372036854775809 does not fit into 64 bits"],
  ["a\0b", "it contains a NUL character, at which SQLite's functions would end it"],
  ["\ud800", "it contains a lone surrogate, which has no UTF-8"],
  ["\udc00\ud800", "it contains a lone surrogate, which has no UTF-8"],
])("%s is refused, by the parameter's place or name", (given, fault) => {
  const bind = (parameters: unknown, sql: string): unknown => engine.run("writer", sql, parameters as SqlParameters);
  expect(bind([1, given], "SELECT ?, ?")).toEqual({ type: "misuse", message: `parameter 2: ${fault}` });
  expect(bind({ a: 1, b: given }, "SELECT :a, :b")).toEqual({ type: "misuse", message: `parameter "b": ${fault}` });
});

test("parameters by name are found under each prefix", () => {
  const sql = "SELECT :a || @a || $a || :b AS r";
  expect(value(engine, sql, { a: "x", b: "y" })).toBe("xxxy");
  expect(engine.run("writer", sql, { a: "x" })).toEqual({
    type: "misuse",
    message: "the statement has 4 parameters, but only 3 of them are named",
  });
  expect(engine.run("writer", sql, { a: "x", b: "y", c: 1 })).toEqual({
    type: "misuse",
    message: 'the statement has no parameter named "c"',
  });
  expect(engine.run("writer", sql, { "\0": 1 })).toMatchObject({ type: "misuse" });
});

test.each<[string, SqlValue[], string]>([
  ["SELECT 1", [1], "the statement has 0 parameters, but 1 values are given"],
  ["SELECT ?, ?", [1], "the statement has 2 parameters, but 1 values are given"],
  ["SELECT ?7", [1], "the statement has 7 parameters, but 1 values are given"],
  ["SELECT ?32766", [], "the statement has 32766 parameters, but 0 values are given"],
])("%s with %j is misuse", (sql, parameters, message) => {
  expect(engine.run("writer", sql, parameters)).toEqual({ type: "misuse", message });
});

test("parameters that are neither an array nor an object are misuse", () => {
  for (const parameters of [null, undefined, 5, "x"]) {
    expect(engine.run("writer", "SELECT 1", parameters as unknown as SqlParameters)).toEqual({
      type: "misuse",
      message: "parameters are an array or an object",
    });
  }
  expect(engine.run("writer", 5 as unknown as string, [])).toMatchObject({ type: "misuse" });
});

test("many parameters, and each in its place", () => {
  const parameters = Array.from({ length: 1000 }, (_, at) =>
    at % 3 === 0 ? at : at % 3 === 1 ? `t${at}` : 2 ** 40 + at,
  );
  const { rows } = done(engine.run("writer", `SELECT ${parameters.map(() => "?").join(", ")}`, parameters));
  expect(rows.rows[0]).toEqual(parameters);
});
