/**
 * Parameters on their way into SQLite. Every value is judged before any is bound: what SQLite could not give back as it
 * was is misuse, named by its parameter. Texts and blobs lie in a scratch area of the connection while the statement
 * runs.
 */
import { utf8Size, writeUtf8 } from "../utf8.ts";
import type { SqlParameters, SqlValue } from "../database/engine.ts";
import type { Capabilities } from "./capabilities.ts";
import type { EngineMemory } from "./memory.ts";
import { OK } from "./result-code.ts";
import type { SqliteFunctions } from "./sql-js.ts";
import { textFault } from "./text.ts";

/** SQLITE_STATIC: the bytes stay where they are until the statement is bound anew. */
const STATIC = 0;
const PREFIXES = [":", "@", "$"];
const INITIAL_BYTES = 4096;

/** A statement as far as binding is concerned. */
export interface BindingTarget {
  readonly handle: number;
  readonly parameterCount: number;
}

export type BindingFault =
  | { readonly type: "misuse"; readonly message: string }
  /** Binding failed in SQLite; `code` is its result. */
  | { readonly type: "failed"; readonly code: number };

export class Binder {
  private readonly sqlite: SqliteFunctions;
  private readonly memory: EngineMemory;
  private readonly integerBinding: Capabilities["integerBinding"];
  private scratch = 0;
  private scratchSize = 0;
  /** Where in the scratch area the next bytes go. */
  private at = 0;

  constructor(sqlite: SqliteFunctions, memory: EngineMemory, capabilities: Capabilities) {
    this.sqlite = sqlite;
    this.memory = memory;
    this.integerBinding = capabilities.integerBinding;
  }

  /** How many parameters a statement has: SQLite refuses to bind the one behind the last. */
  countParameters(statement: number): number {
    const exists = (place: number): boolean => this.sqlite.bindInt(statement, place, 0) === OK;
    if (!exists(1)) return 0;
    let [low, high] = [1, 2];
    while (exists(high)) [low, high] = [high, high * 2];
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (exists(middle)) low = middle;
      else high = middle;
    }
    return low;
  }

  /** Gives every parameter a value. null: done. */
  bind(target: BindingTarget, parameters: SqlParameters): BindingFault | null {
    if (Array.isArray(parameters)) return this.bindByPosition(target, parameters as readonly SqlValue[]);
    if (typeof parameters !== "object" || parameters === null) return misuse("parameters are an array or an object");
    return this.bindByName(target, Object.entries(parameters));
  }

  close(): void {
    this.sqlite.free(this.scratch);
    this.scratch = 0;
    this.scratchSize = 0;
  }

  private bindByPosition(target: BindingTarget, values: readonly SqlValue[]): BindingFault | null {
    if (values.length !== target.parameterCount) {
      return misuse(`the statement has ${target.parameterCount} parameters, but ${values.length} values are given`);
    }
    let size = 0;
    for (let at = 0; at < values.length; at++) {
      const fault = this.valueFault(values[at]);
      if (fault !== null) return misuse(`parameter ${at + 1}: ${fault}`);
      size += scratchBytes(values[at]!);
    }
    if (!this.reserve(size)) return { type: "misuse", message: `no memory for ${size} bytes of parameters` };
    for (let at = 0; at < values.length; at++) {
      const code = this.bindValue(target.handle, at + 1, values[at]!);
      if (code !== OK) return { type: "failed", code };
    }
    return null;
  }

  private bindByName(target: BindingTarget, entries: readonly (readonly [string, SqlValue])[]): BindingFault | null {
    let size = 0;
    for (const [name, value] of entries) {
      const fault = textFault(name) ?? this.valueFault(value);
      if (fault !== null) return misuse(`parameter "${name}": ${fault}`);
      size += scratchBytes(value) + 3 * name.length + 2;
    }
    if (!this.reserve(size)) return { type: "misuse", message: `no memory for ${size} bytes of parameters` };
    let bound = 0;
    for (const [name, value] of entries) {
      const all = PREFIXES.map((prefix) => this.parameterPlace(target.handle, prefix + name));
      const places = all.filter((place) => place > 0);
      if (places.length === 0) return misuse(`the statement has no parameter named "${name}"`);
      for (const place of places) {
        const code = this.bindValue(target.handle, place, value);
        if (code !== OK) return { type: "failed", code };
        bound += 1;
      }
    }
    if (bound < target.parameterCount) {
      return misuse(`the statement has ${target.parameterCount} parameters, but only ${bound} of them are named`);
    }
    return null;
  }

  /** Why SQLite could not keep a value as it is; null: it can. Judges whatever a caller without types may pass. */
  private valueFault(value: unknown): string | null {
    if (value === null || value instanceof Uint8Array) return null;
    switch (typeof value) {
      case "string":
        return textFault(value);
      case "number":
        if (Number.isNaN(value)) return "SQLite has no NaN, it would become NULL";
        return needsWideBinding(value) ? this.wideFault(value) : null;
      case "bigint":
        if (BigInt.asIntN(64, value) !== value) return `${value} does not fit into 64 bits`;
        return needsWideBinding(value) ? this.wideFault(value) : null;
      default:
        return `a value is null, a number, a bigint, a string or a Uint8Array, not ${kindOf(value)}`;
    }
  }

  private wideFault(value: number | bigint): string | null {
    if (this.integerBinding !== null) return null;
    return `${value} is an integer beyond 32 bits, and integer binding was not found in this build of sql.js`;
  }

  private bindValue(statement: number, place: number, value: SqlValue): number {
    const { sqlite } = this;
    if (value === null) return sqlite.bindBlob(statement, place, 0, 0, STATIC);
    switch (typeof value) {
      case "number":
        if (value === (value | 0)) return sqlite.bindInt(statement, place, value | 0);
        if (Number.isSafeInteger(value)) return this.bindWide(statement, place, value);
        return sqlite.bindDouble(statement, place, value);
      case "bigint":
        if (!needsWideBinding(value)) return sqlite.bindInt(statement, place, Number(value));
        return this.bindWide(statement, place, value);
      case "string": {
        const from = this.at;
        this.at = writeUtf8(value, this.memory.u8, from);
        return sqlite.bindText(statement, place, from, this.at - from, STATIC);
      }
      default: {
        const from = this.at;
        this.memory.u8.set(value, from);
        this.at += value.length;
        return sqlite.bindBlob(statement, place, from, value.length, STATIC);
      }
    }
  }

  /** SQLite makes the parameter an integer; its value is then put in place (capabilities.ts). */
  private bindWide(statement: number, place: number, value: number | bigint): number {
    const { parametersAt, stride } = this.integerBinding!;
    const code = this.sqlite.bindInt(statement, place, 0);
    if (code !== OK) return code;
    const address = this.memory.word(statement + parametersAt) + (place - 1) * stride;
    if (typeof value === "bigint") this.memory.setBigInteger(address, value);
    else this.memory.setInteger(address, value);
    return OK;
  }

  private parameterPlace(statement: number, name: string): number {
    const end = writeUtf8(name, this.memory.u8, this.at);
    this.memory.u8[end] = 0;
    return this.sqlite.parameterIndex(statement, this.at);
  }

  /** Makes the scratch area large enough and empty. */
  private reserve(size: number): boolean {
    if (size > this.scratchSize || this.scratch === 0) {
      this.sqlite.free(this.scratch);
      this.scratchSize = Math.max(INITIAL_BYTES, size);
      this.scratch = this.memory.tryAllocate(this.scratchSize);
      if (this.scratch === 0) this.scratchSize = 0;
    }
    this.at = this.scratch;
    return this.scratch !== 0;
  }
}

/** Whole numbers are INTEGER in SQLite as long as a number holds them exactly; beyond that they are REAL. */
function needsWideBinding(value: number | bigint): boolean {
  if (typeof value === "bigint") return BigInt.asIntN(32, value) !== value;
  return Number.isSafeInteger(value) && value !== (value | 0);
}

function scratchBytes(value: SqlValue): number {
  if (typeof value === "string") return value.length < 64 ? 3 * value.length : utf8Size(value);
  return value instanceof Uint8Array ? value.length : 0;
}

function kindOf(value: unknown): string {
  if (value === undefined) return "undefined";
  return typeof value === "object" ? "an object" : `a ${typeof value}`;
}

function misuse(message: string): BindingFault {
  return { type: "misuse", message };
}
