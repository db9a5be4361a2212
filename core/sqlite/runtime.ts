/**
 * One living instance of SQLite over a page store: its memory, its VFS, and two connections, the writer's and the
 * readers'. After a trap it is dropped as a whole, and another one stands on the same pages.
 */
import { encodeUtf8 } from "../utf8.ts";
import type { PageStore, StoreView } from "../pages/page-store.ts";
import type { EngineLimits } from "../database/engine.ts";
import type { Capabilities } from "./capabilities.ts";
import { Connection } from "./connection.ts";
import type { Guard } from "./guard.ts";
import { EngineMemory } from "./memory.ts";
import { Notices } from "./notices.ts";
import { OK, resultCodeName } from "./result-code.ts";
import { SqlJsMismatchError } from "./sql-js.ts";
import type { SqliteFunctions, SqlJsInstance, SqlJsModule, WasmLinker } from "./sql-js.ts";
import { DATABASE_NAME, Vfs } from "./vfs.ts";
import { exportDifferences, sqliteFunctions, vfsDifferences } from "./vfs-layout.ts";

/**
 * What each connection is told once. Durability is the log's affair, checkpoints are the page store's, and sorts
 * spill into temporary files, which lie outside the wasm memory. Foreign keys hold, as in every database of the
 * cluster.
 */
const SETTINGS =
  "PRAGMA synchronous = OFF; PRAGMA wal_autocheckpoint = 0; PRAGMA cache_size = -2000; PRAGMA foreign_keys = ON";

export interface RuntimeOptions {
  readonly module: SqlJsModule;
  readonly trampoline: WasmLinker;
  readonly guard: Guard;
  readonly store: PageStore;
  readonly limits: EngineLimits;
  readonly capabilities: Capabilities;
  /** 44 bytes for SQLite's randomness. */
  readonly seed: Uint8Array;
}

export class Runtime {
  readonly sqlite: SqliteFunctions;
  readonly memory: EngineMemory;
  readonly vfs: Vfs;
  readonly notices = new Notices();
  private readonly options: RuntimeOptions;
  private readonly instance: SqlJsInstance;

  constructor(options: RuntimeOptions) {
    const { module, store } = options;
    this.options = options;
    const instance = module.instantiate();
    const differences = exportDifferences(instance);
    if (differences.length > 0) throw new SqlJsMismatchError(module.version, differences);
    this.instance = instance;
    this.sqlite = sqliteFunctions(instance);
    this.memory = new EngineMemory(instance.memories[0]!, this.sqlite.malloc);
    const table = instance.tables[0]!;
    const connection = this.openInMemory();
    const vfs = this.memory.word(connection);
    const vfsFaults = vfsDifferences(this.memory, table, vfs);
    if (vfsFaults.length > 0) throw new SqlJsMismatchError(module.version, vfsFaults);
    this.sqlite.close(connection);
    this.vfs = new Vfs(this.memory, this.notices, {
      store,
      maxPayloadBytes: options.limits.maxPayloadBytes,
      seed: options.seed,
    });
    this.vfs.install(vfs, table, options.trampoline, options.guard);
    store.attach(this.memory);
  }

  /** A connection, or what failed on the way to it. */
  connect(view: StoreView): Connection | string {
    const { store, capabilities, limits } = this.options;
    store.install(view);
    this.vfs.opening = view;
    const { code, handle } = this.open(DATABASE_NAME);
    if (code !== OK) return `opening ${DATABASE_NAME} ends in ${resultCodeName(code)}`;
    const sql = this.cString(SETTINGS);
    this.notices.trusted = true;
    const settings = this.sqlite.exec(handle, sql, 0, 0, 0);
    this.notices.trusted = false;
    this.sqlite.free(sql);
    if (settings !== OK) return `the settings of a connection end in ${resultCodeName(settings)}`;
    return new Connection(handle, this.sqlite, this.memory, capabilities, limits.maxResultBytes);
  }

  /** Nothing of it is used afterwards. */
  release(): void {
    this.options.module.release(this.instance);
  }

  /** A connection outside the page store, for looking at SQLite itself. */
  openInMemory(): number {
    const { code, handle } = this.open(":memory:");
    if (code === OK) return handle;
    throw new SqlJsMismatchError(this.options.module.version, [`opening :memory: ends in ${resultCodeName(code)}`]);
  }

  private open(name: string): { readonly code: number; readonly handle: number } {
    const text = this.cString(name);
    const out = this.memory.allocate(4);
    const code = this.sqlite.open(text, out);
    const handle = this.memory.word(out);
    this.sqlite.free(out);
    this.sqlite.free(text);
    return { code, handle };
  }

  private cString(text: string): number {
    const bytes = encodeUtf8(text);
    const address = this.memory.allocate(bytes.length + 1);
    this.memory.u8.set(bytes, address);
    this.memory.u8[address + bytes.length] = 0;
    return address;
  }
}
