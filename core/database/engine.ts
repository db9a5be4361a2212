/**
 * What Database asks of an SQL engine over a replicated page store: real SQLite (core/sqlite) or, in the simulator, a
 * page model that is faster. Everything is synchronous.
 *
 * There are two views. The *writer* stands on the speculative state: every transaction that it committed, replicated or
 * not. *Readers* stand on the applied state: replicated transactions only. Speculative commits form a queue, oldest
 * first.
 */

import type { PageCut, StoredPage } from "../pages/page-cut.ts";

/** What SQLite stores. Integers beyond 2^53 come back as bigint; a number with a fraction, or beyond 2^53, is REAL. */
export type SqlValue = null | number | bigint | string | Uint8Array;

/** By position, or by name without its prefix (":k" is bound by {k}). */
export type SqlParameters = readonly SqlValue[] | Readonly<Record<string, SqlValue>>;

export type View = "writer" | "reader";

export interface Rows {
  readonly columns: readonly string[];
  readonly rows: readonly (readonly SqlValue[])[];
}

export type StatementResult =
  | {
      readonly type: "done";
      readonly rows: Rows;
      /** Rows inserted, updated or deleted by this statement; 0 for others. */
      readonly changes: number;
      readonly lastInsertRowid: number | bigint;
    }
  /**
   * SQLite's own error. The statement had no effect. `code` is the extended result code's name
   * ("SQLITE_CONSTRAINT_UNIQUE").
   */
  | { readonly type: "sqlError"; readonly code: string; readonly message: string }
  /** A reader was given a statement that writes. Nothing was executed; the writer may run it. */
  | { readonly type: "writes" }
  /** The transaction's pages, or the statement's rows, exceed their limit. The statement had no effect. */
  | { readonly type: "tooLarge"; readonly message: string }
  /** A parameter cannot be bound, or the statement may not be given here. Nothing was executed. */
  | { readonly type: "misuse"; readonly message: string }
  /** The engine died in the middle (a wasm trap). Its open transaction is gone; `revive` before anything else. */
  | { readonly type: "died"; readonly message: string };

/** One transaction that the writer committed, ready to be proposed. */
export interface Commit {
  readonly payload: Uint8Array;
}

/** Why a payload could not be applied. */
export interface ApplyFault {
  readonly rule: string;
}

export interface EngineLimits {
  /** Of one transaction's payload. */
  readonly maxPayloadBytes: number;
  /** Of the rows of one statement. */
  readonly maxResultBytes: number;
}

export interface Engine {
  /**
   * Runs one statement to its end.
   * On the writer: in the open transaction if there is one, else in a transaction of its own. BEGIN, COMMIT,
   * SAVEPOINT and their kin are misuse here. At most one statement: anything but white space and comments behind it
   * is misuse.
   */
  run(view: View, sql: string, parameters: SqlParameters): StatementResult;
  /**
   * Runs a script on the writer, statement by statement, as sqlite3_exec does: those before one that fails with
   * SQLite's own error stay. BEGIN and COMMIT are allowed inside; a script that ends inside a transaction is misuse.
   * After misuse and tooLarge nothing of the script stays.
   */
  script(sql: string): StatementResult;
  /** BEGIN IMMEDIATE on the writer. */
  begin(): StatementResult;
  /** COMMIT on the writer: type "done", or an error with the transaction rolled back. */
  commit(): StatementResult;
  /** Ends the writer's open transaction, if any, without a trace. */
  rollback(): void;
  /** Whether the writer stands in an open transaction. SQLite itself may end one (ON CONFLICT ROLLBACK). */
  inTransaction(): boolean;

  /** Takes the transactions that the writer committed since the last call, oldest first, for proposal. */
  takeCommits(): readonly Commit[];
  /** How many commits are speculative: committed by the writer, neither applied nor discarded. */
  speculative(): number;
  /** The oldest speculative commit has been replicated: it becomes part of the applied state. */
  advance(): void;
  /** Discards all speculative commits but the oldest `keep`. The writer must not be in a transaction. */
  discard(keep: number): void;
  /** Applies a replicated payload. Nothing may be speculative. null: done. */
  apply(payload: Uint8Array): ApplyFault | null;
  /**
   * After "died": a fresh engine on the same pages, speculative commits kept. `seed`: 44 bytes for SQLite's
   * randomness.
   */
  revive(seed: Uint8Array): void;

  /**
   * Pins the applied state and says what of it has changed since the last cut that was stored: the first time all of
   * it. Speculative commits and open transactions are not in it. One at a time.
   */
  cut(): PageCut;
  /** The cut is not read any more. Not stored: its pages belong to the next one as well. */
  endCut(isStored: boolean): void;
  /** The next cut has these pages, too, as far as they exist. */
  touch(numbers: readonly number[]): void;
  /**
   * Begins to put another state in the place of this one, in a fresh engine: nothing that was open on the old state
   * goes on, and it is dropped at once. Nothing may be speculative. Whatever has been restored before `finishRestore`
   * is dropped by another `beginRestore`. Until then nothing may be run, applied or cut; a cut of the old state stays
   * what it is, and its end means nothing to the new one, of which nothing counts as changed.
   */
  beginRestore(pageSize: number, pageCount: number): ApplyFault | null;
  /** Each page once, in any order; their checksums are believed, their bytes are given up. */
  restorePages(pages: readonly StoredPage[]): ApplyFault | null;
  /** Every page is there, and the checksum of them all is this. `seed`: 44 bytes for SQLite's randomness. */
  finishRestore(checksum: number, seed: Uint8Array): ApplyFault | null;

  /**
   * A rolling checksum of the applied state: equal pages, equal checksum, whatever the way there. u32 pair as one
   * number.
   */
  checksum(): number;
  /** The applied state as an ordinary database file. */
  image(): Uint8Array;
  /** The wall clock that SQL sees, in milliseconds since 1970, until it is set anew. */
  setWallClock(ms: number): void;
  close(): void;
}

/** Makes an engine over an empty database. `seed`: 44 bytes for SQLite's randomness. */
export interface EngineFactory {
  create(seed: Uint8Array, limits: EngineLimits): Engine;
}
export const ENGINE_SEED_SIZE = 44;
