/**
 * Bugs for tests of the simulator itself, planted where a node meets its world: each is the product's node with
 * something wrong about what goes in or comes out. The product's own bugs of old are in mutants/.
 */
import { makeEnvironment } from "../cli/sim-environment.ts";
import type { MakeEnvironment } from "../cli/sim-trace.ts";
import type { NodeEffect, NodeInput, NodeOptions } from "../core/node/boundary.ts";
import type { NodeMachine } from "../sim/environment.ts";
import { bootNode } from "../sim/node-machine.ts";

type Spoil = (input: NodeInput, effects: readonly NodeEffect[]) => readonly NodeEffect[];

function spoilt(makeSpoil: () => Spoil): (options: NodeOptions) => NodeMachine {
  return (options) => {
    const node = bootNode(options);
    const spoil = makeSpoil();
    return { ...node, step: (now, input) => spoil(input, node.step(now, input)) };
  };
}

/** By name: a way to boot a node. */
export const PLANTED: Readonly<Record<string, (options: NodeOptions) => NodeMachine>> = {
  /** Says that a file is synced when it has only looked at the directory. */
  "syncs-nothing": spoilt(() => (_input, effects) =>
    effects.map((effect) => {
      if (effect.type !== "Disk" || effect.operation.type !== "sync") return effect;
      return { ...effect, operation: { type: "list" } };
    })),
  /** Stops when a client goes, once it has been started over a log. */
  "minds-who-goes": spoilt(() => {
    let hasRestarted = false;
    return (input, effects) => {
      hasRestarted ||= effects.some((effect) => effect.type === "Recovered" && effect.last.index > 0);
      if (!hasRestarted || input.type !== "ClientGone") return effects;
      return [...effects, { type: "Halt", reason: { type: "disk", code: "EIO", file: "log", detail: "it minds" } }];
    };
  }),
  /** Throws when a packet comes that it has had before. */
  "hates-copies": spoilt(() => {
    let last = "";
    return (input, effects) => {
      if (input.type !== "PeerReceived" || input.bytes.length < 200) return effects;
      const text = input.bytes.join(",");
      if (text === last) throw new Error(`the same ${text.length} characters again`);
      last = text;
      return effects;
    };
  }),
};

export function plant(name: string): MakeEnvironment {
  const boot = PLANTED[name];
  if (boot === undefined) throw new Error(`there is no bug of the name ${name}`);
  return async (database, witness) => ({ ...(await makeEnvironment(database, witness)), boot });
}
