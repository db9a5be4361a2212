/**
 * One connection to the database: prepares statements, keeps the recent ones, runs them and reads their rows. It knows
 * SQLite's codes, not their meaning for replication: that is the engine's.
 */
import { utf8Size, writeUtf8 } from "../utf8.ts";
import type { Rows, SqlParameters, SqlValue } from "../database/engine.ts";
import { Binder } from "./binding.ts";
import type { Capabilities } from "./capabilities.ts";
import type { EngineMemory } from "./memory.ts";
import { DONE, NOMEM, OK, ROW } from "./result-code.ts";
import type { SqliteFunctions } from "./sql-js.ts";
import { nextToken, statementKind } from "./sql-text.ts";
import type { StatementKind } from "./sql-text.ts";
import { decodeText, textFault } from "./text.ts";

/** SQLite's types of a column's value. */
const INTEGER = 1;
const FLOAT = 2;
const TEXT = 3;
const BLOB = 4;

/** Statements kept prepared. */
const CACHED_STATEMENTS = 128;
/** What a value costs of a result's limit, besides its bytes. */
const VALUE_BYTES = 8;

export interface Prepared {
  readonly handle: number;
  readonly kind: StatementKind;
  readonly parameterCount: number;
  /** As of its last execution. */
  columns: readonly string[];
  /** Their size as UTF-8. */
  columnBytes: number;
}

export type Failure =
  | { readonly type: "failed"; readonly code: number; readonly message: string }
  | { readonly type: "misuse"; readonly message: string }
  | { readonly type: "tooLarge"; readonly message: string };

export interface Executed {
  readonly type: "done";
  readonly rows: Rows;
  readonly changes: number;
  readonly lastInsertRowid: number | bigint;
}

const NO_ROWS: Rows = { columns: [], rows: [] };

export class Connection {
  readonly handle: number;
  private readonly sqlite: SqliteFunctions;
  private readonly memory: EngineMemory;
  private readonly capabilities: Capabilities;
  private readonly binder: Binder;
  private readonly maxResultBytes: number;
  /** By text, least recently used first. */
  private readonly cache = new Map<string, Prepared>();
  /** Two words for results by address. */
  private readonly out: number;

  constructor(
    handle: number,
    sqlite: SqliteFunctions,
    memory: EngineMemory,
    capabilities: Capabilities,
    maxResultBytes: number,
  ) {
    this.handle = handle;
    this.sqlite = sqlite;
    this.memory = memory;
    this.capabilities = capabilities;
    this.maxResultBytes = maxResultBytes;
    this.binder = new Binder(sqlite, memory, capabilities);
    this.out = memory.allocate(8);
    if (capabilities.codeMaskAt !== null) memory.setWord(handle + capabilities.codeMaskAt, 0xffffffff);
  }

  /** A statement that is alone in its text. */
  prepare(sql: string): Prepared | Failure {
    const cached = this.cache.get(sql);
    if (cached !== undefined) {
      this.cache.delete(sql);
      this.cache.set(sql, cached);
      return cached;
    }
    const fault = sqlFault(sql);
    if (fault !== null) return fault;
    const text = this.copy(sql);
    if (text === 0) return { type: "failed", code: NOMEM, message: "out of memory" };
    const compiled = this.compile(text);
    this.sqlite.free(text);
    if (!("handle" in compiled)) return compiled;
    const rest = nextToken(sql, compiled.length);
    if (rest !== null) {
      this.sqlite.finalize(compiled.handle);
      return {
        type: "misuse",
        message: `one statement at a time: "${rest.text.slice(0, 32)}" stands behind the first one`,
      };
    }
    if (compiled.handle === 0) return { type: "misuse", message: "the text contains no statement" };
    const prepared: Prepared = {
      handle: compiled.handle,
      kind: statementKind(sql),
      parameterCount: this.binder.countParameters(compiled.handle),
      columns: [],
      columnBytes: 0,
    };
    this.cache.set(sql, prepared);
    if (this.cache.size > CACHED_STATEMENTS) this.evict();
    return prepared;
  }

  /** Runs a prepared statement to its end. */
  execute(prepared: Prepared, parameters: SqlParameters): Executed | Failure {
    const fault = this.binder.bind(prepared, parameters);
    if (fault !== null) return fault.type === "misuse" ? fault : this.failure(fault.code);
    const { lastRowidAt } = this.capabilities;
    const inserts = prepared.kind === "insert";
    if (inserts && lastRowidAt !== null) this.memory.setInteger(this.handle + lastRowidAt, 0);
    const result = this.stepToEnd(prepared);
    this.sqlite.reset(prepared.handle);
    if ("type" in result) return result;
    const changes = inserts || prepared.kind === "change" ? this.sqlite.changes(this.handle) : 0;
    return {
      type: "done",
      rows: result,
      changes,
      lastInsertRowid: inserts && changes > 0 ? this.lastInsertRowid() : 0,
    };
  }

  /** Runs a statement of the engine's own. */
  run(sql: string): Executed | Failure {
    const prepared = this.prepare(sql);
    return "handle" in prepared ? this.execute(prepared, []) : prepared;
  }

  /**
   * Runs each statement of a script and discards its rows. `before` is asked before each, and may refuse it; `after` is
   * told what became of it. Ends at the first failure.
   */
  script(
    sql: string,
    before: (kind: StatementKind) => Failure | null,
    after: (kind: StatementKind) => void,
  ): Executed | Failure {
    const fault = sqlFault(sql);
    if (fault !== null) return fault;
    const text = this.copy(sql);
    if (text === 0) return { type: "failed", code: NOMEM, message: "out of memory" };
    let last: Executed = { type: "done", rows: NO_ROWS, changes: 0, lastInsertRowid: 0 };
    let failure: Failure | null = null;
    // The same place twice: in the script, and in its bytes.
    let at = 0;
    let address = text;
    while (failure === null && nextToken(sql, at) !== null) {
      const kind = statementKind(sql, at);
      failure = before(kind);
      const compiled = failure ?? this.compile(address);
      if (!("handle" in compiled)) {
        failure = compiled;
        break;
      }
      at += compiled.length;
      address = compiled.tail;
      if (compiled.handle === 0) continue;
      const parameterCount = this.binder.countParameters(compiled.handle);
      const { handle } = compiled;
      const result = this.execute({ handle, kind, parameterCount, columns: [], columnBytes: 0 }, []);
      this.sqlite.finalize(compiled.handle);
      after(kind);
      if (result.type !== "done") failure = result;
      else last = { ...result, rows: NO_ROWS, changes: last.changes + result.changes };
    }
    this.sqlite.free(text);
    return failure ?? last;
  }

  close(): void {
    for (const { handle } of this.cache.values()) this.sqlite.finalize(handle);
    this.cache.clear();
    this.binder.close();
    this.sqlite.free(this.out);
    this.sqlite.close(this.handle);
  }

  failure(code: number): Failure {
    return { type: "failed", code, message: this.memory.cString(this.sqlite.errorMessage(this.handle)) };
  }

  /** Prepares the statement at `text`; it had so many characters, and `tail` is where the next one begins. */
  private compile(text: number): { handle: number; length: number; tail: number } | Failure {
    const code = this.sqlite.prepare(this.handle, text, -1, this.out, this.out + 4);
    if (code !== OK) return this.failure(code);
    const tail = this.memory.word(this.out + 4);
    return { handle: this.memory.word(this.out), length: decodeText(this.memory.u8, text, tail).length, tail };
  }

  private evict(): void {
    const [oldest] = this.cache;
    this.sqlite.finalize(oldest![1].handle);
    this.cache.delete(oldest![0]);
  }

  private stepToEnd(prepared: Prepared): Rows | Failure {
    const { handle } = prepared;
    let code = this.sqlite.step(handle);
    if (code !== ROW && code !== DONE) return this.failure(code);
    // The first step may have prepared the statement anew, after a change of the schema.
    const columnCount = this.sqlite.columnCount(handle);
    if (columnCount === 0) return NO_ROWS;
    const columns = this.columnNames(prepared, columnCount);
    if (columns === null) return tooLarge(this.maxResultBytes);
    const rows: SqlValue[][] = [];
    let room = this.maxResultBytes - prepared.columnBytes;
    for (; code === ROW; code = this.sqlite.step(handle)) {
      const row: SqlValue[] = [];
      for (let column = 0; column < columnCount; column++) {
        const type = this.sqlite.columnType(handle, column);
        room -= VALUE_BYTES + (type === TEXT || type === BLOB ? this.sqlite.columnBytes(handle, column) : 0);
        if (room < 0) return tooLarge(this.maxResultBytes);
        row.push(this.columnValue(handle, column, type));
      }
      rows.push(row);
    }
    return code === DONE ? { columns, rows } : this.failure(code);
  }

  private columnValue(statement: number, column: number, type: number): SqlValue {
    const { sqlite } = this;
    switch (type) {
      case INTEGER: {
        const value = sqlite.columnDouble(statement, column);
        // Beyond 2^53 a double has lost digits; SQLite's text of it has not.
        return Number.isSafeInteger(value) ? value : BigInt(this.columnText(statement, column));
      }
      case FLOAT:
        return sqlite.columnDouble(statement, column);
      case TEXT:
        return this.columnText(statement, column);
      case BLOB: {
        const address = sqlite.columnBlob(statement, column);
        return this.memory.u8.slice(address, address + sqlite.columnBytes(statement, column));
      }
      default:
        return null;
    }
  }

  private columnText(statement: number, column: number): string {
    const address = this.sqlite.columnText(statement, column);
    return decodeText(this.memory.u8, address, address + this.sqlite.columnBytes(statement, column));
  }

  /**
   * The names as they are now; those of the last execution if they have not changed. null: they exceed the limit of a
   * result, as a column without a name is called by its text, which may be long and given often.
   */
  private columnNames(prepared: Prepared, count: number): readonly string[] | null {
    const known = prepared.columns;
    let same = known.length === count;
    for (let column = 0; same && column < count; column++) {
      same = this.isAscii(this.sqlite.columnName(prepared.handle, column), known[column]!);
    }
    if (same) return known;
    const names: string[] = [];
    let bytes = 0;
    for (let column = 0; column < count; column++) {
      const name = this.memory.cString(this.sqlite.columnName(prepared.handle, column));
      bytes += utf8Size(name);
      if (bytes > this.maxResultBytes) return null;
      names.push(name);
    }
    prepared.columns = names;
    prepared.columnBytes = bytes;
    return names;
  }

  private isAscii(address: number, text: string): boolean {
    const { u8 } = this.memory;
    for (let at = 0; at < text.length; at++) {
      const code = text.charCodeAt(at);
      if (code >= 0x80 || u8[address + at] !== code) return false;
    }
    return u8[address + text.length] === 0;
  }

  private lastInsertRowid(): number | bigint {
    const { lastRowidAt } = this.capabilities;
    if (lastRowidAt === null) {
      const result = this.run("SELECT last_insert_rowid()");
      return result.type === "done" ? (result.rows.rows[0]![0] as number | bigint) : 0;
    }
    const value = this.memory.bigInteger(this.handle + lastRowidAt);
    return Number.isSafeInteger(Number(value)) ? Number(value) : value;
  }

  /** The text with a NUL behind it; 0: there is no memory. */
  private copy(text: string): number {
    const address = this.memory.tryAllocate(utf8Size(text) + 1);
    if (address !== 0) this.memory.u8[writeUtf8(text, this.memory.u8, address)] = 0;
    return address;
  }
}

/** Judges whatever a caller without types may pass. */
function sqlFault(sql: unknown): Failure | null {
  const fault = typeof sql === "string" ? textFault(sql) : "it is no string";
  return fault === null ? null : { type: "misuse", message: `the SQL text cannot be used: ${fault}` };
}

function tooLarge(maxBytes: number): Failure {
  return { type: "tooLarge", message: `the statement's rows exceed ${maxBytes} bytes` };
}
