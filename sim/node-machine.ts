/** The product's own Node as the world boots it, and what it shows of itself to marks and oracles. */
import type { NodeOptions } from "../core/node/boundary.ts";
import { Node } from "../core/node/node.ts";
import type { NodeMachine } from "./environment.ts";
import { FlippableEngines } from "./memory-flip.ts";

export function bootNode(options: NodeOptions): NodeMachine {
  const engines = new FlippableEngines(options.engine);
  const node = new Node({ ...options, engine: engines });
  return {
    step: (now, input) => node.step(now, input),
    inspect: () => {
      const { raft } = node.replica.inspect();
      if (raft === null) return { raft: null, database: null };
      const { appliedIndex, isWhole } = node.database.inspect();
      // While a snapshot is being restored there is no state that a checksum could be of.
      if (!isWhole) return { raft, database: null };
      return { raft, database: { appliedIndex, checksum: node.database.engine.checksum() } };
    },
    image: () => node.database.engine.image(),
    flip: (seed) => engines.flip(seed),
    end: () => node.database.engine.close(),
  };
}
