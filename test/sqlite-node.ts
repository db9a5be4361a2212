/**
 * One page store with SQLite on it and as many connections as a test wants: what lies below the Engine, for tests
 * that need several writers, or readers that keep a snapshot open.
 */
import type { SqlValue } from "../core/database/engine.ts";
import { crc32c } from "../core/checksum.ts";
import { Cuts } from "../core/pages/cuts.ts";
import { PageStore, type StoreView } from "../core/pages/page-store.ts";
import { RollingChecksum } from "../core/pages/rolling-checksum.ts";
import { NO_CAPABILITIES } from "../core/sqlite/capabilities.ts";
import type { Connection } from "../core/sqlite/connection.ts";
import { Guard } from "../core/sqlite/guard.ts";
import { Runtime } from "../core/sqlite/runtime.ts";
import type { SqlJsModule } from "../core/sqlite/sql-js.ts";
import { assembleTrampoline } from "../core/sqlite/trampoline.ts";
import { TRAMPOLINE_METHODS } from "../core/sqlite/vfs.ts";
import { CutTwin } from "./cut-twin.ts";
import { SQL_JS } from "./sqlite-fixture.ts";

export interface NodeOptions {
  readonly pageSize: number;
  readonly checkpointFrames: number;
  readonly seed: number;
  readonly module?: SqlJsModule;
}

export class SqliteNode {
  readonly store: PageStore;
  /** A disk that stores the cuts of the store. */
  readonly disk: CutTwin;
  readonly runtime: Runtime;
  private readonly guard: Guard;

  constructor({ pageSize, checkpointFrames, seed, module = SQL_JS }: NodeOptions) {
    const cuts = new Cuts();
    const store = PageStore.ofEmptyDatabase({ pageSize, checkpointFrames }, cuts);
    this.store = store;
    this.disk = new CutTwin({
      cut: () => store.cut(),
      endCut: (isStored) => store.endCut(isStored),
      touch: (numbers) => numbers.forEach((number) => cuts.mark(number)),
      checksum: () => store.checksum(),
    });
    this.guard = new Guard(module.isTrap);
    this.runtime = new Runtime({
      module,
      trampoline: module.compile(assembleTrampoline(TRAMPOLINE_METHODS)),
      guard: this.guard,
      store: this.store,
      limits: { maxPayloadBytes: 256 * 1024 * 1024, maxResultBytes: 16 * 1024 * 1024 },
      capabilities: NO_CAPABILITIES,
      seed: new Uint8Array(44).fill(seed),
    });
  }

  connect(view: StoreView, cacheSize: number): Client {
    return this.enter(view, () => {
      const connection = this.runtime.connect(view);
      if (typeof connection === "string") throw new Error(connection);
      return new Client(this, connection, view, cacheSize);
    });
  }

  enter<T>(view: StoreView, body: () => T): T {
    this.store.install(view);
    this.runtime.notices.clear();
    const result = this.guard.enter(body);
    if (result.type === "trapped") throw new Error(`SQLite was cut off: ${result.message}`);
    return result.value;
  }

  /** The checksum of the applied state, from its bytes alone. */
  checksumFromScratch(): number {
    const image = this.store.image();
    // The image says "rollback journal" where the pages say "WAL".
    image.fill(2, 18, 20);
    const scratch = new RollingChecksum();
    const { pageSize } = this.store;
    const pageCount = image.length / pageSize;
    for (let at = pageCount - 1; at >= 0; at--) scratch.set(at + 1, crc32c(image, at * pageSize, (at + 1) * pageSize));
    return scratch.value(pageCount);
  }
}

export class Client {
  private readonly node: SqliteNode;
  private readonly connection: Connection;
  private readonly view: StoreView;

  constructor(node: SqliteNode, connection: Connection, view: StoreView, cacheSize: number) {
    this.node = node;
    this.connection = connection;
    this.view = view;
    node.runtime.notices.trusted = true;
    connection.run(`PRAGMA cache_size = ${cacheSize}`);
    node.runtime.notices.trusted = false;
  }

  /** Runs a script; null: done, else the error's text. */
  execute(script: string): string | null {
    const result = this.node.enter(this.view, () =>
      this.connection.script(
        script,
        () => null,
        () => {},
      ),
    );
    return result.type === "done" ? null : result.message;
  }

  /** The rows of one query, which has to succeed. */
  rows(sql: string): readonly (readonly SqlValue[])[] {
    const result = this.node.enter(this.view, () => this.connection.run(sql));
    if (result.type !== "done") throw new Error(`${sql}: ${result.message}`);
    return result.rows.rows;
  }

  close(): void {
    this.node.enter(this.view, () => this.connection.close());
  }
}
