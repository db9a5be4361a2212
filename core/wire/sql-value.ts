/**
 * SQL values, parameters and rows as bytes of the statement protocol.
 *
 * A value is a tag and its content:
 *
 *   0  NULL     nothing
 *   1  number   f64
 *   2  bigint   i64, two's complement
 *   3  text     u32 length, UTF-8
 *   4  blob     u32 length, bytes
 *
 * Parameters: u8 0 and u16 count, values by position; or u8 1 and u16 count, pairs of name and value.
 * Rows: u16 columns, u32 rows, then the values row by row.
 */
import type { ByteReader, ByteWriter } from "../bytes.ts";
import type { SqlParameters, SqlValue } from "../database/engine.ts";
import { unreachable } from "../invariant.ts";
import { isWellFormed, utf8Size } from "../utf8.ts";
import { STATEMENT_LIMITS } from "./statement.ts";

const MIN_I64 = -(1n << 63n);
const MAX_I64 = (1n << 63n) - 1n;

/** Why a value from an application cannot be stored by SQLite; null: it can. `name`: how the message calls it. */
export function valueFault(value: unknown, name: string): string | null {
  switch (typeof value) {
    case "number":
      return Number.isNaN(value) ? `${name} is NaN, which SQLite cannot store: pass null, or a number` : null;
    case "bigint":
      if (value >= MIN_I64 && value <= MAX_I64) return null;
      return `${name} is ${value}, beyond SQLite's 64-bit integers: pass it as text`;
    case "string":
      if (!isWellFormed(value)) return `${name} contains half of a surrogate pair, which is no text: pass a blob`;
      if (value.includes("\0")) return `${name} contains a NUL character, where SQLite would end the text: pass a blob`;
      return utf8Size(value) <= STATEMENT_LIMITS.maxValueBytes ? null : `${name} is larger than 64 MiB`;
    case "object":
      if (value === null) return null;
      if (!(value instanceof Uint8Array)) break;
      return value.length <= STATEMENT_LIMITS.maxValueBytes ? null : `${name} is larger than 64 MiB`;
  }
  const storable = "null, number, bigint, string or Uint8Array";
  return `${name} is of type ${typeOf(value)}, which SQLite cannot store: pass ${storable}`;
}

/**
 * Why parameters from an application cannot be bound; null: they can. Says which one, counting from 1 as SQLite does.
 */
export function parametersFault(parameters: unknown): string | null {
  if (parameters === null || typeof parameters !== "object" || parameters instanceof Uint8Array) {
    return `parameters are of type ${typeOf(parameters)}: pass an array of values, or an object of names and values`;
  }
  const entries: [string, unknown][] = Array.isArray(parameters)
    ? parameters.map((value, at) => [`parameter ${at + 1}`, value])
    : Object.entries(parameters).map(([name, value]) => [`parameter "${name}"`, value]);
  if (entries.length > STATEMENT_LIMITS.maxParameters) {
    return `there are ${entries.length} parameters, SQLite takes at most ${STATEMENT_LIMITS.maxParameters}`;
  }
  let size = Array.isArray(parameters) ? 0 : utf8Size(Object.keys(parameters).join(""));
  for (const [name, value] of entries) {
    const fault = valueFault(value, name);
    if (fault !== null) return fault;
    if (typeof value === "string") size += utf8Size(value);
    else if (value instanceof Uint8Array) size += value.length;
  }
  // More than that no frame has room for, and no transaction.
  const { maxValueBytes } = STATEMENT_LIMITS;
  return size <= maxValueBytes ? null : `the parameters have ${size} bytes together, the limit is ${maxValueBytes}`;
}

function typeOf(value: unknown): string {
  if (value === null) return "null";
  return typeof value === "object" ? (value.constructor?.name ?? "object") : typeof value;
}

export function writeValue(writer: ByteWriter, value: SqlValue): void {
  switch (typeof value) {
    case "number":
      writer.u8(1).f64(value);
      return;
    case "bigint":
      writer.u8(2).i64(value);
      return;
    case "string":
      writer.u8(3).text(value);
      return;
    case "object":
      if (value === null) writer.u8(0);
      else writer.u8(4).blob(value);
      return;
    default:
      unreachable(value);
  }
}

export function readValue(reader: ByteReader): SqlValue {
  const offset = reader.offset;
  const tag = reader.u8();
  switch (tag) {
    case 0:
      return null;
    case 1:
      return reader.f64();
    case 2:
      return reader.i64();
    case 3:
      return reader.text(STATEMENT_LIMITS.maxValueBytes);
    case 4:
      return reader.blob(STATEMENT_LIMITS.maxValueBytes).slice();
    default:
      reader.demand(false, "a value's tag is 0 to 4", offset);
      return null;
  }
}

/** About how many bytes a value takes; for splitting rows into parts. */
export function valueSize(value: SqlValue): number {
  if (typeof value === "string") return 5 + value.length;
  return value instanceof Uint8Array ? 5 + value.length : 9;
}

export function writeParameters(writer: ByteWriter, parameters: SqlParameters): void {
  if (isPositional(parameters)) {
    writer.u8(0).u16(parameters.length);
    for (const value of parameters) writeValue(writer, value);
    return;
  }
  const entries = Object.entries(parameters);
  writer.u8(1).u16(entries.length);
  for (const [name, value] of entries) {
    writer.text(name);
    writeValue(writer, value);
  }
}

export function readParameters(reader: ByteReader): SqlParameters {
  const offset = reader.offset;
  const form = reader.u8();
  const count = reader.u16();
  reader.demand(form <= 1, "parameters are by position (0) or by name (1)", offset);
  reader.demand(count <= STATEMENT_LIMITS.maxParameters, "there are not too many parameters", offset + 1);
  if (form === 0) {
    const values: SqlValue[] = [];
    for (let at = 0; at < count && reader.fault === null; at++) values.push(readValue(reader));
    return values;
  }
  // fromEntries defines own properties: a parameter named "__proto__" is a parameter like any other.
  const entries: [string, SqlValue][] = [];
  for (let at = 0; at < count && reader.fault === null; at++) {
    entries.push([reader.text(STATEMENT_LIMITS.maxValueBytes), readValue(reader)]);
  }
  return Object.fromEntries(entries);
}

export function writeRows(writer: ByteWriter, rows: readonly (readonly SqlValue[])[]): void {
  writer.u16(rows[0]?.length ?? 0).u32(rows.length);
  for (const row of rows) for (const value of row) writeValue(writer, value);
}

export function readRows(reader: ByteReader): SqlValue[][] {
  const offset = reader.offset;
  const columns = reader.u16();
  const count = reader.u32();
  reader.demand(columns <= STATEMENT_LIMITS.maxColumns, "there are not too many columns", offset);
  // Each value takes a byte at least: this bounds what a forged count can make us allocate.
  reader.demand(count === 0 || columns > 0, "rows have columns", offset + 2);
  reader.demand(count * columns <= reader.remaining, "the rows lie within the message", offset + 2);
  const rows: SqlValue[][] = [];
  for (let at = 0; at < count && reader.fault === null; at++) {
    const row: SqlValue[] = [];
    for (let column = 0; column < columns; column++) row.push(readValue(reader));
    rows.push(row);
  }
  return rows;
}

function isPositional(parameters: SqlParameters): parameters is readonly SqlValue[] {
  return Array.isArray(parameters);
}
