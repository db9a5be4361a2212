/** The product's own Node as the world boots it, and what it shows of itself to marks and oracles. */
import { Node } from "../core/node/node.ts";
import type { NodeOptions } from "../core/node/boundary.ts";
import type { NodeMachine } from "./environment.ts";

export function bootNode(options: NodeOptions): NodeMachine {
  const node = new Node(options);
  return {
    step: (now, input) => node.step(now, input),
    inspect: () => {
      const { raft } = node.replica.inspect();
      if (raft === null) return { raft: null, database: null };
      const { appliedIndex } = node.database.inspect();
      return { raft, database: { appliedIndex, checksum: node.database.engine.checksum() } };
    },
    image: () => node.database.engine.image(),
  };
}
