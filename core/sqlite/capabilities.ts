/**
 * What sql.js does not export, but SQLite has in memory: three fields whose offsets no interface promises. They are
 * never assumed: each is found by the effect that SQL has on it, and then has to prove itself. What is not found is
 * null, and the engine does without it, saying so where a client would notice.
 */
import type { EngineMemory } from "./memory.ts";
import { OK, ROW } from "./result-code.ts";
import type { SqliteFunctions } from "./sql-js.ts";

export interface Capabilities {
  /** Where a statement keeps the address of its parameters, and how far apart they are: 64-bit integers go in there. */
  readonly integerBinding: { readonly parametersAt: number; readonly stride: number } | null;
  /** Where a connection keeps the rowid of its last INSERT. */
  readonly lastRowidAt: number | null;
  /** Where a connection keeps the mask that cuts result codes to their primary ones. */
  readonly codeMaskAt: number | null;
}

export const NO_CAPABILITIES: Capabilities = { integerBinding: null, lastRowidAt: null, codeMaskAt: null };

/** No value of theirs occurs in a fresh engine by chance. */
const MAGIC_INTEGERS = [0x5a17c0de, 0x1badb002, 0x2f00ba12];
const MAGIC_ROWID = 7311768467294899695n;
const STATEMENT_BYTES = 400;
const CONNECTION_BYTES = 800;
const STRIDES = [32, 40, 48, 56, 64];
const PRIMARY_CODES = 0xff;
const ALL_CODES = 0xffffffff;
const CONSTRAINT_UNIQUE = 2067;

/** `connection`: an empty database in memory, of an engine that is thrown away afterwards. */
export function calibrate(sqlite: SqliteFunctions, memory: EngineMemory, connection: number): Capabilities {
  const probe = new Probe(sqlite, memory, connection);
  probe.run("CREATE TABLE t (a INTEGER PRIMARY KEY, b UNIQUE, c)");
  // In this order: looking for the mask writes where it may do harm.
  const integerBinding = findParameters(probe);
  const lastRowidAt = findLastRowid(probe);
  const codeMaskAt = findCodeMask(probe);
  return { integerBinding, lastRowidAt, codeMaskAt };
}

function findParameters(probe: Probe): Capabilities["integerBinding"] {
  // Several statements: in one without cursors, or without a virtual table's arguments, the address of those is the
  // same.
  const statements = [
    "SELECT ?1, ?2, ?3",
    "INSERT INTO t VALUES (?1, ?2, ?3)",
    "SELECT ?1, ?2 FROM pragma_table_info(?3)",
    "SELECT a FROM t WHERE b = ?1 AND c > ?2 OR a IN (SELECT ?3) ORDER BY c LIMIT ?1",
    "WITH RECURSIVE n(x) AS (SELECT ?1 UNION ALL SELECT x + ?2 FROM n LIMIT 3) SELECT count(*) FROM n WHERE x < ?3",
  ];
  const [first, ...others] = statements.map((sql, at) => probe.parameterCandidates(sql, at));
  const candidates = first!.filter((candidate) => {
    const { parametersAt, stride } = candidate;
    const isSame = (other: typeof candidate): boolean => {
      return other.parametersAt === parametersAt && other.stride === stride;
    };
    return others.every((found) => found.some(isSame));
  });
  if (candidates.length !== 1) return null;
  const [found] = candidates;
  const values = [9007199254740993n, -9223372036854775808n, 9223372036854775807n, -1n];
  return values.every((value) => probe.integerThrough(found!, value) === String(value)) ? found! : null;
}

function findLastRowid(probe: Probe): number | null {
  probe.run(`INSERT INTO t (a) VALUES (${MAGIC_ROWID})`);
  let candidates: number[] = [];
  for (let at = 0; at < CONNECTION_BYTES; at += 8) {
    if (probe.memory.bigInteger(probe.connection + at) === MAGIC_ROWID) candidates.push(at);
  }
  probe.run("INSERT INTO t (a, b) VALUES (12345678901, 1)");
  candidates = candidates.filter((at) => probe.memory.bigInteger(probe.connection + at) === 12345678901n);
  if (candidates.length !== 1) return null;
  probe.memory.setBigInteger(probe.connection + candidates[0]!, 42n);
  return probe.text("SELECT last_insert_rowid()") === "42" ? candidates[0]! : null;
}

function findCodeMask(probe: Probe): number | null {
  const violation = "INSERT INTO t (b) VALUES (1)";
  const found: number[] = [];
  for (let at = 0; at < CONNECTION_BYTES; at += 4) {
    if (probe.memory.word(probe.connection + at) !== PRIMARY_CODES) continue;
    probe.memory.setWord(probe.connection + at, ALL_CODES);
    if (probe.run(violation) === CONSTRAINT_UNIQUE) found.push(at);
    probe.memory.setWord(probe.connection + at, PRIMARY_CODES);
  }
  return found.length === 1 ? found[0]! : null;
}

/** A bare connection: no cache, no limits, ASCII only. */
class Probe {
  readonly memory: EngineMemory;
  readonly connection: number;
  private readonly sqlite: SqliteFunctions;
  private readonly out: number;

  constructor(sqlite: SqliteFunctions, memory: EngineMemory, connection: number) {
    this.sqlite = sqlite;
    this.memory = memory;
    this.connection = connection;
    this.out = memory.allocate(8);
  }

  /** The code of the first step. */
  run(sql: string): number {
    return this.with(sql, (statement) => this.sqlite.step(statement));
  }

  /** The first column of the first row. */
  text(sql: string): string | null {
    return this.with(sql, (statement) => this.firstText(statement));
  }

  /** Each `turn` has values of its own: freed memory still holds those of the turns before. */
  parameterCandidates(sql: string, turn: number): { parametersAt: number; stride: number }[] {
    const values = MAGIC_INTEGERS.map((value) => value + turn);
    return this.with(sql, (statement) => {
      values.forEach((value, at) => this.sqlite.bindInt(statement, at + 1, value));
      const found: { parametersAt: number; stride: number }[] = [];
      for (let at = 0; at < STATEMENT_BYTES; at += 4) {
        const address = this.memory.word(statement + at);
        for (const stride of STRIDES) if (this.holds(values, address, stride)) found.push({ parametersAt: at, stride });
      }
      return found;
    });
  }

  /** What SQLite makes of a 64-bit integer that is put where parameters are believed to be. */
  integerThrough(place: { parametersAt: number; stride: number }, value: bigint): string | null {
    return this.with("SELECT CASE typeof(?2) WHEN 'integer' THEN CAST(?2 AS TEXT) END, ?1", (statement) => {
      this.sqlite.bindInt(statement, 2, 1);
      this.memory.setBigInteger(this.memory.word(statement + place.parametersAt) + place.stride, value);
      return this.firstText(statement);
    });
  }

  private firstText(statement: number): string | null {
    if (this.sqlite.step(statement) !== ROW) return null;
    const address = this.sqlite.columnText(statement, 0);
    return address === 0 ? null : this.memory.cString(address);
  }

  private holds(values: readonly number[], address: number, stride: number): boolean {
    if (address === 0 || address % 8 !== 0 || address + 3 * stride > this.memory.u8.length) return false;
    return values.every((value, at) => this.memory.bigInteger(address + at * stride) === BigInt(value));
  }

  private with<T>(sql: string, body: (statement: number) => T): T {
    const text = this.memory.allocate(sql.length + 1);
    for (let at = 0; at < sql.length; at++) this.memory.u8[text + at] = sql.charCodeAt(at);
    this.memory.u8[text + sql.length] = 0;
    const code = this.sqlite.prepare(this.connection, text, -1, this.out, 0);
    const statement = code === OK ? this.memory.word(this.out) : 0;
    const result = body(statement);
    this.sqlite.finalize(statement);
    this.sqlite.free(text);
    return result;
  }
}

