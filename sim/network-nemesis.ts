/**
 * What the nemesis does to the network beside its weather: cuts of every shape, lines that stand still, and packets
 * that come from another time.
 */
import { type Dice, shuffle } from "./chance.ts";
import type { Cluster } from "./cluster.ts";
import type { Breaker } from "./disk-nemesis.ts";
import { drawDelay } from "./latency.ts";
import type { Cut } from "./network.ts";
import type { Address } from "./packet.ts";
import type { FaultIntervals, Plan } from "./plan.ts";
import { leads, type NodeProcess } from "./process.ts";
import type { FaultKind } from "./tally.ts";

const US_PER_MS = 1000;
/** Fewer, and each of them hears all others in a ring of majorities. */
const MIN_RING = 4;

export class NetworkNemesis {
  private readonly breaker: Breaker;
  private readonly cluster: Cluster;
  private readonly plan: Plan;
  /** What isolates the leader that was struck last; null: none was. */
  private struck: Cut | null = null;

  constructor(breaker: Breaker, cluster: Cluster) {
    this.breaker = breaker;
    this.cluster = cluster;
    this.plan = cluster.plan;
  }

  start(): void {
    this.repeat("partition", (dice) => this.partition(dice));
    this.repeat("oneWayCut", (dice) => this.cutOneWay(dice));
    this.repeat("bridge", (dice) => this.bridge(dice));
    this.repeat("majoritiesRing", (dice) => this.ring(dice));
    this.repeat("isolatedNode", (dice) => this.isolate("isolatedNode", dice.pick(this.cluster.nodes), dice));
    this.repeat("isolatedLeader", (dice) => this.isolateLeader(dice));
    this.repeat("clog", (dice) => this.clog(dice));
    this.repeat("replay", (dice) => this.cluster.network.replay(this.cluster.now, dice));
  }

  /** From the other nodes, and sometimes from clients: one that they still reach can do more harm. */
  isolate(kind: FaultKind, node: NodeProcess, dice: Dice): Cut | null {
    const others = dice.chance(30) ? this.addresses() : this.nodes();
    return this.cut(kind, [node.address], others.filter((address) => address !== node.address), false, dice);
  }

  /** One struck leader at a time, so that the others are enough to elect the next; then the one before comes back. */
  isolateInTurn(node: NodeProcess, dice: Dice): void {
    if (this.struck !== null) this.cluster.network.mend(this.struck);
    this.struck = this.isolate("isolatedLeader", node, dice);
  }

  private repeat(name: keyof FaultIntervals, act: (dice: Dice) => void): void {
    this.breaker.repeat(name, this.plan.faults[name], act);
  }

  /** Two sides; each client is on one of them. */
  private partition(dice: Dice): void {
    const sides: [Address[], Address[]] = [[], []];
    for (const address of this.addresses()) sides[dice.integer(0, 1)]!.push(address);
    this.cut("partition", sides[0], sides[1], false, dice);
  }

  /** Some nodes are heard by all, but hear not all. */
  private cutOneWay(dice: Dice): void {
    const nodes = this.nodes();
    const deaf = nodes.filter(() => dice.oneIn(2));
    const mute = nodes.filter((address) => !deaf.includes(address));
    this.cut("oneWayCut", mute, deaf, true, dice);
  }

  /** Two sides that only one node hears both of. */
  private bridge(dice: Dice): void {
    const nodes = this.nodes();
    if (nodes.length < 3) return;
    const bridge = dice.pick(nodes);
    const sides: [Address[], Address[]] = [[], []];
    for (const address of nodes) {
      const side = dice.integer(0, 1);
      if (address !== bridge) sides[side]!.push(address);
    }
    this.cut("bridge", sides[0], sides[1], false, dice);
  }

  /** Each hears a majority, and no two the same one. */
  private ring(dice: Dice): void {
    const order = shuffle(this.nodes(), dice);
    const { length } = order;
    if (length < MIN_RING) return;
    // A majority: the node itself, and so many to either side of it.
    const reach = Math.ceil(Math.floor(length / 2) / 2);
    for (const [at, one] of order.entries()) {
      const far = order.filter((_, other) => other > at && Math.min(other - at, length - other + at) > reach);
      this.cut("majoritiesRing", [one], far, false, dice);
    }
  }

  private isolateLeader(dice: Dice): void {
    const leader = this.cluster.nodes.find(leads);
    if (leader !== undefined) this.isolate("isolatedLeader", leader, dice);
  }

  /** What is said to one node, or what it says, stands still: it comes late, and all at once. */
  private clog(dice: Dice): void {
    const node = dice.pick(this.cluster.nodes);
    const until = this.cluster.now + drawDelay(dice, this.plan.cutMs * US_PER_MS);
    const isHeard = dice.oneIn(2);
    const [sources, targets] = isHeard ? [[node.address], this.addresses()] : [this.addresses(), [node.address]];
    const text = `what ${isHeard ? "comes from" : "goes to"} it stands still`;
    this.cluster.tell({ type: "Struck", kind: "clog", node: node.id, text });
    dice.happened(() => `${node.id}: ${text}`);
    this.cluster.network.clog(sources, targets, until);
  }

  private cut(
    kind: FaultKind, sources: readonly Address[], targets: readonly Address[], oneWay: boolean, dice: Dice,
  ): Cut | null {
    if (sources.length === 0 || targets.length === 0) return null;
    const cut = this.cluster.network.cut(kind, sources, targets, oneWay);
    const inWords = (side: readonly Address[]): string => side.map((address) => this.nameOf(address)).join(" ");
    const [from, to] = oneWay ? ["from", "to"] : ["between", "and"];
    dice.happened(() => `no packets ${from} [${inWords(sources)}] ${to} [${inWords(targets)}]`);
    this.cluster.after(drawDelay(dice, this.plan.cutMs * US_PER_MS), () => {
      if (this.breaker.isActive) this.cluster.network.mend(cut);
    });
    return cut;
  }

  private nameOf(address: Address): string {
    const { nodes, clients } = this.cluster;
    return nodes[address]?.id ?? clients[address - nodes.length]!.name;
  }

  private nodes(): Address[] {
    return this.cluster.nodes.map(({ address }) => address);
  }

  private addresses(): Address[] {
    const { nodes, clients } = this.cluster;
    return Array.from({ length: nodes.length + clients.length }, (_, address) => address);
  }
}
