/** What a simulated world is built of: the product's node and client, over real SQLite or the page model. */
import { Client } from "../core/client/client.ts";
import { sqliteEngineFactory } from "../core/sqlite/factory.ts";
import type { DatabaseKind, Environment } from "../sim/environment.ts";
import type { Witness } from "../sim/happening.ts";
import { modelEngineFactory } from "../sim/model/engine.ts";
import { modelImageReader } from "../sim/model/image.ts";
import { bootNode } from "../sim/node-machine.ts";
import { loadImageReader } from "./image-reader.ts";
import { loadSqlJs } from "./sqljs.ts";
import { pooled } from "./sqljs-pool.ts";

export async function makeEnvironment(
  database: DatabaseKind,
  witness: Witness | null,
): Promise<Environment> {
  const isReal = database === "sqlite";
  return {
    boot: bootNode,
    connect: (options) => new Client(options),
    engine: isReal ? sqliteEngineFactory(pooled(loadSqlJs())) : modelEngineFactory,
    reader: isReal ? await loadImageReader() : modelImageReader,
    witness,
  };
}
