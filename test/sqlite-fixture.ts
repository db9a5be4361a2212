/** Engines over the installed sql.js, and short ways to say what is done with them. */
import { createRequire } from "node:module";
import { expect } from "vitest";
import { loadSqlJs } from "../cli/sqljs.ts";
import type { Engine, EngineLimits, SqlParameters, SqlValue, StatementResult, View } from "../core/database/engine.ts";
import { sqliteEngineFactory } from "../core/sqlite/factory.ts";

export const SQL_JS = loadSqlJs();
const factory = sqliteEngineFactory(SQL_JS);

const MIB = 1024 * 1024;
export const LIMITS: EngineLimits = { maxPayloadBytes: 4 * MIB, maxResultBytes: MIB };

export function seedOf(byte: number): Uint8Array {
  return new Uint8Array(44).fill(byte);
}

export function makeEngine(byte = 1, limits: Partial<EngineLimits> = {}): Engine {
  return factory.create(seedOf(byte), { ...LIMITS, ...limits });
}

export type Done = Extract<StatementResult, { type: "done" }>;

export function done(result: StatementResult): Done {
  if (result.type !== "done") throw new Error(`expected "done": ${JSON.stringify(result)}`);
  return result;
}

export function write(engine: Engine, sql: string, parameters: SqlParameters = []): Done {
  return done(engine.run("writer", sql, parameters));
}

export function rows(engine: Engine, view: View, sql: string, parameters: SqlParameters = []): Done["rows"]["rows"] {
  return done(engine.run(view, sql, parameters)).rows.rows;
}

/** What the writer sees in the first column of the first row. */
export function value(engine: Engine, sql: string, parameters: SqlParameters = []): SqlValue | undefined {
  return rows(engine, "writer", sql, parameters)[0]?.[0];
}

/** Replicates everything that is speculative. */
export function replicate(leader: Engine, ...followers: Engine[]): void {
  for (const { payload } of leader.takeCommits()) {
    leader.advance();
    for (const follower of followers) expect(follower.apply(payload.slice())).toBe(null);
  }
}

/** Equal, byte for byte; quicker than toEqual on large arrays, which also says where they differ. */
export function expectSameBytes(a: Uint8Array, b: Uint8Array): void {
  expect([a.length, Buffer.compare(a, b)]).toEqual([b.length, 0]);
}

type InitSqlJs = () => Promise<{
  readonly Database: new (image: Uint8Array) => {
    exec(sql: string): readonly { readonly values: readonly SqlValue[][] }[];
  };
}>;

/** Opens an image with sql.js as it is, nothing of ours involved; the result runs a query. */
export async function openUnmodified(image: Uint8Array): Promise<(sql: string) => readonly SqlValue[][]> {
  const initialize = createRequire(import.meta.url)("sql.js") as InitSqlJs;
  const { Database } = await initialize();
  const database = new Database(image);
  return (sql) => database.exec(sql)[0]?.values ?? [];
}
