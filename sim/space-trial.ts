/**
 * What a cluster owes whose disks are full, while nothing else is wrong: with a few of them it serves on; with all of
 * them it still answers reads, and when there is space again it serves by itself.
 */
import type { Dice } from "./chance.ts";
import type { Cluster } from "./cluster.ts";
import type { NodeProcess } from "./process.ts";
import type { Settled } from "./membership.ts";
import type { WorkloadCounts } from "./workload/boundary.ts";

/** How long the disks stay full. */
const FULL_MS = 3000;

export interface SpaceTrial {
  /** Those whose disks are full. */
  readonly nodes: readonly NodeProcess[];
  /** How long that lasts. */
  readonly ms: number;
  /** Whether what is counted here has gone on as it must, since `begin`. */
  isServed(): boolean;
  /** What was not done, in words. */
  readonly owed: string;
  end(): void;
}

/** null: there is nobody whose disk could be full. */
export function beginTrial(
  cluster: Cluster, settled: Settled | null, counts: WorkloadCounts, dice: Dice,
): SpaceTrial | null {
  const { outOfSpace } = cluster.plan;
  if (outOfSpace === "nowhere" || settled === null) return null;
  const isEverywhere = outOfSpace === "everywhere";
  const nodes = isEverywhere ? cluster.nodes : minorityOf(cluster, settled, dice);
  if (nodes.length === 0) return null;
  cluster.tell({ type: "Phase", name: `no space is left on ${nodes.map(({ id }) => id).join(" ")}` });
  for (const { disk } of nodes) disk.limit(0, isEverywhere ? "fullDisks" : "fullDisk");
  const { committed, readsAsked } = counts;
  const reads = counts.reads + counts.sessionReads;
  // Whoever waits for a write asks for no read meanwhile.
  const isRead = (): boolean => counts.reads + counts.sessionReads > reads || counts.readsAsked === readsAsked;
  return {
    nodes,
    ms: FULL_MS,
    isServed: () => (isEverywhere ? isRead() : counts.committed > committed),
    owed: isEverywhere ? "no read was answered" : "no write was acknowledged",
    end: () => {
      for (const { disk } of nodes) disk.unlimit();
    },
  };
}

/** Of the voters, fewer than half; the leader is among them as often as not. */
function minorityOf(cluster: Cluster, { leader, configuration }: Settled, dice: Dice): readonly NodeProcess[] {
  const voters = configuration.members.filter(({ role }) => role === "voter");
  const nodes = voters.map(({ id }) => cluster.membership.nodeOf(id)).filter((node) => node !== null);
  const others = nodes.filter((node) => node !== leader);
  const order = dice.oneIn(2) ? [leader, ...others] : [...others, leader];
  return order.slice(0, Math.floor((voters.length - 1) / 2));
}
