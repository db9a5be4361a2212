/** Which values an application may pass, and how the others are refused. */
import { expect, test } from "vitest";
import { parametersFault, valueFault } from "../core/wire/sql-value.ts";

const storable: readonly unknown[] = [
  null, 0, -0, 1.5, Number.POSITIVE_INFINITY, 2 ** 60, 0n, 2n ** 63n - 1n, "", "ü€😀", new Uint8Array(3),
];
test.each(storable)("SQLite can store %s", (value) => {
  expect(valueFault(value, "it")).toBeNull();
});

const unstorable: readonly (readonly [unknown, string])[] = [
  [Number.NaN, "it is NaN"],
  [undefined, "it is of type undefined"],
  [true, "it is of type boolean"],
  [() => 1, "it is of type function"],
  [Symbol("s"), "it is of type symbol"],
  [{}, "it is of type Object"],
  [Object.create(null), "it is of type object"],
  [new Date(0), "it is of type Date"],
  [[1], "it is of type Array"],
  [new Uint16Array(1), "it is of type Uint16Array"],
  [2n ** 63n, "it is 9223372036854775808, beyond SQLite's 64-bit integers"],
  [-(2n ** 63n) - 1n, "beyond SQLite's 64-bit integers"],
  ["a\0b", "it contains a NUL character"],
  ["\ud800", "it contains half of a surrogate pair"],
];
test.each(unstorable)("%s is refused with its name and the reason", (value, reason) => {
  expect(valueFault(value, "it")).toContain(reason);
});

test("a parameter's fault names it as SQLite counts it, from 1", () => {
  expect(parametersFault([1, undefined])).toContain("parameter 2 is of type undefined");
  expect(parametersFault({ key: Number.NaN })).toContain('parameter "key" is NaN');
});

test("parameters are an array or an object", () => {
  for (const wrong of [null, 1, "a", undefined, new Uint8Array(1)]) {
    expect(parametersFault(wrong)).toContain("pass an array of values, or an object");
  }
  expect(parametersFault([])).toBeNull();
  expect(parametersFault({})).toBeNull();
});

test("there may be as many parameters as SQLite takes, and no more", () => {
  expect(parametersFault(Array.from({ length: 32766 }, () => 1))).toBeNull();
  expect(parametersFault(Array.from({ length: 32767 }, () => 1))).toContain("32767 parameters");
});

test("what is passed to one statement fits into one message, whatever its parts", () => {
  const half = 33 * 1024 * 1024;
  for (const large of [new Uint8Array(half), "x".repeat(half), "€".repeat(half / 3)]) {
    expect(parametersFault([large, "x".repeat(31 * 1024 * 1024)])).toBeNull();
    expect(parametersFault([large, large])).toContain("together, the limit is 67108864");
    expect(parametersFault({ a: large, b: large })).toContain("together, the limit is 67108864");
  }
  expect(parametersFault({ ["n".repeat(2 * half)]: 1 })).toContain("together, the limit is 67108864");
});
