/**
 * Makes engines from an sql.js that is handed in. The module is examined once, on an instance that is thrown away:
 * that it is what this code was written against, where its hidden fields are, and that a transaction really goes
 * through the VFS.
 */
import { ENGINE_SEED_SIZE } from "../database/engine.ts";
import type { Engine, EngineFactory, EngineLimits } from "../database/engine.ts";
import { invariant } from "../invariant.ts";
import { PageStore, type PageStoreOptions } from "../pages/page-store.ts";
import { calibrate, NO_CAPABILITIES } from "./capabilities.ts";
import type { Capabilities } from "./capabilities.ts";
import { SqliteEngine } from "./engine.ts";
import { Guard } from "./guard.ts";
import { Runtime } from "./runtime.ts";
import { SqlJsMismatchError } from "./sql-js.ts";
import type { SqlJsModule, WasmLinker } from "./sql-js.ts";
import { assembleTrampoline } from "./trampoline.ts";
import { TRAMPOLINE_METHODS } from "./vfs.ts";

/** Fixed by the format: every node has to agree on it. */
export const PAGE_SIZE = 4096;
const PAGES: PageStoreOptions = { pageSize: PAGE_SIZE, checkpointFrames: 1000 };

const MIB = 1024 * 1024;
const EXAMINATION_LIMITS: EngineLimits = { maxPayloadBytes: MIB, maxResultBytes: MIB };

/** Throws SqlJsMismatchError, which names everything that differs, if the module is not usable. */
export function sqliteEngineFactory(module: SqlJsModule): EngineFactory {
  const trampoline = module.compile(assembleTrampoline(TRAMPOLINE_METHODS));
  const capabilities = examine(module, trampoline);
  const make = (seed: Uint8Array, limits: EngineLimits): Engine => {
    invariant(seed.length === ENGINE_SEED_SIZE, `an engine's seed has ${ENGINE_SEED_SIZE} bytes`);
    const guard = new Guard(module.isTrap);
    return new SqliteEngine({ module, trampoline, guard, pages: PAGES, limits, capabilities }, seed);
  };
  const differences = probe(make(new Uint8Array(ENGINE_SEED_SIZE), EXAMINATION_LIMITS));
  if (differences.length > 0) throw new SqlJsMismatchError(module.version, differences);
  return { create: make };
}

function examine(module: SqlJsModule, trampoline: WasmLinker): Capabilities {
  const store = PageStore.ofEmptyDatabase(PAGES);
  const guard = new Guard(module.isTrap);
  const seed = new Uint8Array(ENGINE_SEED_SIZE);
  const options = { module, trampoline, guard, store, limits: EXAMINATION_LIMITS, capabilities: NO_CAPABILITIES, seed };
  const started = guard.enter(() => new Runtime(options));
  if (started.type === "trapped") {
    throw new SqlJsMismatchError(module.version, [`a fresh instance is cut off: ${started.message}`]);
  }
  const { sqlite, memory } = started.value;
  // Looking for hidden fields writes where it may do harm; then they count as not found.
  const found = guard.enter(() => calibrate(sqlite, memory, started.value.openInMemory()));
  return found.type === "returned" ? found.value : NO_CAPABILITIES;
}

/** One transaction all the way: written, captured, applied, read back. */
function probe(engine: Engine): string[] {
  const differences: string[] = [];
  const expect = (what: string, holds: boolean): void => {
    if (!holds) differences.push(`a probe transaction: ${what}`);
  };
  engine.run("writer", "CREATE TABLE probe (value)", []);
  const written = engine.run("writer", "INSERT INTO probe VALUES (?)", ["written"]);
  expect("the INSERT succeeds", written.type === "done");
  expect("each commit is captured", engine.takeCommits().length === 2);
  if (differences.length > 0) return differences;
  const value = (): unknown => {
    const read = engine.run("reader", "SELECT count(*) FROM probe", []);
    return read.type === "done" ? read.rows.rows[0]?.[0] : read.type;
  };
  engine.advance();
  expect("a reader does not see what is speculative", value() === 0);
  engine.advance();
  expect("a reader sees what is applied", value() === 1);
  engine.close();
  return differences;
}
