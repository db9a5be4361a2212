/** Joins the parts of a world that something befalls with whoever watches it. Only where somebody does. */
import type { NodeId } from "../core/types.ts";
import type { ClientProcess } from "./client-process.ts";
import type { Happening } from "./happening.ts";
import type { SimulatedNetwork } from "./network.ts";
import type { NodeProcess } from "./process.ts";
import type { Tally } from "./tally.ts";

export interface WatchedWorld {
  readonly nodes: readonly NodeProcess[];
  readonly clients: readonly ClientProcess[];
  readonly network: SimulatedNetwork;
  readonly tally: Tally;
  /** Whose step is being judged; null: nobody's. */
  readonly stepping: NodeId | null;
  tell(happening: Happening): void;
}

export function watch(world: WatchedWorld): void {
  const { nodes, clients, network, tally } = world;
  world.tell({ type: "Opened", nodes: nodes.map(({ id }) => id), clients: clients.map(({ name }) => name) });
  network.onHappening = (happening) => world.tell(happening);
  tally.onMark.push((mark) => world.tell({ type: "Marked", mark, node: world.stepping }));
  for (const { id, disk } of nodes) {
    disk.onTrouble = (kind, until) => world.tell({ type: "DiskTroubled", node: id, kind, until });
  }
}
