/**
 * What core/ needs of sql.js and of wasm, as values that are handed in: core/ itself has neither. Only the few members
 * that are used are declared, and nothing is declared globally.
 */

/** A WebAssembly.Memory. */
export interface WasmMemoryObject {
  readonly buffer: ArrayBuffer;
}

/** A WebAssembly.Table of functions. */
export interface WasmTableObject {
  readonly length: number;
  get(place: number): unknown;
  set(place: number, value: unknown): void;
  grow(count: number): number;
}

export type WasmFunction = (...values: number[]) => number;

/** One instance of sql.js, just made. */
export interface SqlJsInstance {
  /** The object that sql.js calls its Module: `_sqlite3_open` and the like. */
  readonly exports: Readonly<Record<string, unknown>>;
  /** Every memory and every table that the wasm instance exports. */
  readonly memories: readonly WasmMemoryObject[];
  readonly tables: readonly WasmTableObject[];
}

/** Instantiates one compiled wasm module with its imports, module by module; returns its exports. */
export type WasmLinker = (
  imports: Readonly<Record<string, Readonly<Record<string, unknown>>>>,
) => Readonly<Record<string, unknown>>;

export interface SqlJsModule {
  /** The version of the package, for error messages. */
  readonly version: string;
  /** A fresh instance, synchronously. */
  instantiate(): SqlJsInstance;
  /** Nobody uses the instance any more, and nothing was cut off in it. */
  release(instance: SqlJsInstance): void;
  /** Compiles a small wasm module of ours. */
  compile(binary: Uint8Array): WasmLinker;
  /** Whether an exception means that wasm code was cut off in the middle: a trap, an abort or an exhausted stack. */
  isTrap(error: unknown): boolean;
}

/** The C functions of SQLite that are called, under the names of its own interface. Pointers are numbers. */
export interface SqliteFunctions {
  readonly open: (name: number, out: number) => number;
  readonly close: (database: number) => number;
  readonly exec: (database: number, sql: number, callback: number, argument: number, message: number) => number;
  readonly prepare: (database: number, sql: number, size: number, out: number, tail: number) => number;
  readonly step: (statement: number) => number;
  readonly reset: (statement: number) => number;
  readonly finalize: (statement: number) => number;
  readonly errorMessage: (database: number) => number;
  readonly changes: (database: number) => number;
  readonly bindInt: (statement: number, place: number, value: number) => number;
  readonly bindDouble: (statement: number, place: number, value: number) => number;
  readonly bindText: (statement: number, place: number, address: number, size: number, destructor: number) => number;
  readonly bindBlob: (statement: number, place: number, address: number, size: number, destructor: number) => number;
  readonly parameterIndex: (statement: number, name: number) => number;
  readonly columnCount: (statement: number) => number;
  readonly columnName: (statement: number, column: number) => number;
  readonly columnType: (statement: number, column: number) => number;
  readonly columnDouble: (statement: number, column: number) => number;
  readonly columnText: (statement: number, column: number) => number;
  readonly columnBlob: (statement: number, column: number) => number;
  readonly columnBytes: (statement: number, column: number) => number;
  readonly malloc: (size: number) => number;
  readonly free: (address: number) => void;
}

/** The name under which sql.js exports each of them. */
export const EXPORT_NAMES: Readonly<Record<keyof SqliteFunctions, string>> = {
  open: "_sqlite3_open",
  close: "_sqlite3_close_v2",
  exec: "_sqlite3_exec",
  prepare: "_sqlite3_prepare_v2",
  step: "_sqlite3_step",
  reset: "_sqlite3_reset",
  finalize: "_sqlite3_finalize",
  errorMessage: "_sqlite3_errmsg",
  changes: "_sqlite3_changes",
  bindInt: "_sqlite3_bind_int",
  bindDouble: "_sqlite3_bind_double",
  bindText: "_sqlite3_bind_text",
  bindBlob: "_sqlite3_bind_blob",
  parameterIndex: "_sqlite3_bind_parameter_index",
  columnCount: "_sqlite3_column_count",
  columnName: "_sqlite3_column_name",
  columnType: "_sqlite3_column_type",
  columnDouble: "_sqlite3_column_double",
  columnText: "_sqlite3_column_text",
  columnBlob: "_sqlite3_column_blob",
  columnBytes: "_sqlite3_column_bytes",
  malloc: "_malloc",
  free: "_free",
};

/** The sql.js that was handed in is not what this code was written against. Thrown at construction only. */
export class SqlJsMismatchError extends Error {
  override readonly name = "SqlJsMismatchError";
  /** Each thing that differs: what it is, what was found, what was expected. */
  readonly differences: readonly string[];

  constructor(version: string, differences: readonly string[]) {
    super(`sql.js ${version} is not usable: ${differences.join("; ")}`);
    this.differences = differences;
  }
}
