/**
 * What a simulated world is built of and does not make itself: the product's machines, an SQL engine, and an opener of
 * database files. cli/ hands in the real ones; tests hand in small ones, mutants broken ones.
 */
import type { ClientEffect, ClientInput, ClientOptions } from "../core/client/boundary.ts";
import type { EngineFactory } from "../core/database/engine.ts";
import type { NodeEffect, NodeInput, NodeOptions } from "../core/node/boundary.ts";
import type { Instant } from "../core/types.ts";
import type { Witness } from "./happening.ts";
import type { ImageReader, NodeObservation } from "./oracles/boundary.ts";

/** core/node's Node, as far as a world uses it. */
export interface NodeMachine {
  step(now: Instant, input: NodeInput): readonly NodeEffect[];
  inspect(): NodeObservation;
  /** The applied state as an ordinary database file. */
  image(): Uint8Array;
  /**
   * Changes a byte of the applied state, where no reader looks, and nobody is told. False: not now. `seed`: 44 bytes.
   */
  flip(seed: Uint8Array): boolean;
  /** The process is gone: what it held may be used by another. */
  end(): void;
}

/** core/client's Client. */
export interface ClientMachine {
  step(now: Instant, input: ClientInput): readonly ClientEffect[];
}

/** Real SQLite, or the page model that is faster. */
export type DatabaseKind = "sqlite" | "model";

export interface Environment {
  readonly boot: (options: NodeOptions) => NodeMachine;
  readonly connect: (options: ClientOptions) => ClientMachine;
  readonly engine: EngineFactory;
  readonly reader: ImageReader;
  /** Told of everything that happens; null: nobody watches. */
  readonly witness: Witness | null;
}
