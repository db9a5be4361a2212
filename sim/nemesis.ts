/**
 * The nemesis: breaks the world as its plan says, and mends it. Each class of faults comes in its own rhythm and knows
 * nothing of the others, so that they meet in every combination. Once `stop` is said nothing is broken any more.
 */
import type { Random } from "../core/random.ts";
import type { NodeId } from "../core/types.ts";
import type { Cluster } from "./cluster.ts";
import { type Breaker, DiskNemesis } from "./disk-nemesis.ts";
import { drawDelay } from "./latency.ts";
import type { Address, Cut } from "./network.ts";
import type { Plan } from "./plan.ts";
import type { NodeProcess } from "./process.ts";
import type { FaultKind, Tally } from "./tally.ts";

const US_PER_MS = 1000;
/** A service manager's patience: less than it takes to hand everything over, or more. */
const MAX_CLOSING_US = [500 * US_PER_MS, 4000 * US_PER_MS] as const;
/** A client's place stands empty for so long, on average. */
const CLIENT_PAUSE_US = 50 * US_PER_MS;

export class Nemesis implements Breaker {
  private readonly cluster: Cluster;
  private readonly plan: Plan;
  private readonly random: Random;
  private readonly tally: Tally;
  private readonly disks: DiskNemesis;
  isActive = false;
  /** What isolates the leader that was struck last; null: none was. */
  private struck: Cut | null = null;

  constructor(cluster: Cluster, random: Random, tally: Tally) {
    this.cluster = cluster;
    this.plan = cluster.plan;
    this.random = random;
    this.tally = tally;
    this.disks = new DiskNemesis(this, cluster, random.fork(), tally);
    // What was damaged may be found long after the last fault.
    cluster.mishaps.onHalted = (node, remedy) => this.disks.halted(node, remedy);
    cluster.mishaps.onWrongLeader = (node) => this.deposeWrong(node);
  }

  start(): void {
    this.isActive = true;
    const { faults } = this.plan;
    this.repeat(faults.crashOfOne, () => this.crash("crashOfOne", this.pickRunning(1)));
    this.repeat(faults.crashOfSeveral, () => this.crashSeveral());
    this.repeat(faults.crashOfAll, () => this.crash("crashOfAll", this.running()));
    this.repeat(faults.partition, () => this.partition());
    this.repeat(faults.oneWayCut, () => this.cutOneWay());
    this.repeat(faults.isolatedNode, () => this.isolate("isolatedNode", this.random.pick(this.cluster.nodes)));
    this.repeat(faults.isolatedLeader, () => this.isolateLeader());
    this.repeat(faults.connectionReset, () => this.resetConnection());
    this.repeat(faults.clientDeath, () => this.killClient());
    this.repeat(faults.orderlyStop, () => this.stopInOrder());
    this.repeat(faults.pause, () => this.pause());
    this.disks.start();
    this.cluster.onClosed = (node) => {
      this.tally.effect("orderlyStop");
      this.crashNode(node, false);
    };
    this.cluster.marks.onElection = (leader) => this.awaitYoungLeader(leader);
    this.cluster.marks.onSnapshotNamed = (node) => this.crashInInstall(node);
  }

  /** No fault from now on; everything that is broken is mended, every process runs. */
  stop(): void {
    this.isActive = false;
    this.cluster.marks.onElection = null;
    this.cluster.marks.onSnapshotNamed = null;
    this.cluster.network.heal();
    this.disks.stop();
    for (const node of this.cluster.nodes) {
      if (node.machine === null && node.isUsed) this.cluster.startNode(node);
    }
    for (const client of this.cluster.clients) if (client.application === null) this.cluster.startClient(client);
  }

  repeat(meanMs: number, act: () => void): void {
    if (meanMs === 0) return;
    this.cluster.after(drawDelay(this.random, meanMs * US_PER_MS), () => {
      if (!this.isActive) return;
      act();
      this.repeat(meanMs, act);
    });
  }

  // Processes.

  private crashSeveral(): void {
    const { length } = this.running();
    if (length >= 3) this.crash("crashOfSeveral", this.pickRunning(this.random.integer(2, length - 1)));
  }

  private crash(kind: FaultKind, victims: readonly NodeProcess[]): void {
    if (victims.length === 0) return;
    this.tally.inject(kind);
    const all = this.cluster.nodes.filter(({ isUsed }) => isUsed).length;
    const enough = kind === "crashOfAll" ? all : kind === "crashOfSeveral" ? 2 : 1;
    if (victims.length >= enough) this.tally.effect(kind);
    const losePower = this.random.chance(this.plan.powerLossPercent);
    for (const victim of victims) this.crashNode(victim, losePower);
  }

  crashNode(node: NodeProcess, losePower: boolean): void {
    this.cluster.crashNode(node, losePower);
    const life = node.life;
    this.cluster.after(drawDelay(this.random, this.plan.downMs * US_PER_MS), () => {
      // Somebody else may have started it, as the end of the chaos does; or nobody wants it any more.
      if (node.machine !== null || node.life !== life || !node.isUsed) return;
      this.cluster.startNode(node);
      if (this.isActive && this.random.chance(this.plan.crashInRecoveryPercent)) this.crashInRecovery(node);
    });
  }

  /** What it proposes, or sends as a snapshot, would be everybody's: no comparison finds a wrong leader in time. */
  private deposeWrong(node: NodeProcess): void {
    const { life } = node;
    this.cluster.after(0, () => {
      if (node.life === life && node.machine !== null) this.crashNode(node, false);
    });
  }

  /** A first start, into an empty directory: the only time when files come into being. */
  startFirst(node: NodeProcess): void {
    this.cluster.startNode(node);
    if (!this.random.chance(this.plan.crashInFoundingPercent)) return;
    this.tally.inject("crashInFounding");
    const { life } = node;
    const { accessUs, syncUs } = this.plan.disk;
    this.cluster.after(this.random.integer(1, 10 * (accessUs + syncUs)), () => {
      if (node.life !== life || node.machine === null) return;
      if (node.machine.inspect().raft === null) this.tally.effect("crashInFounding");
      this.crashNode(node, this.random.chance(this.plan.powerLossPercent));
    });
  }

  private crashInRecovery(node: NodeProcess): void {
    this.tally.inject("crashInRecovery");
    const life = node.life;
    const { accessUs, syncUs } = this.plan.disk;
    this.cluster.after(this.random.integer(1, 4 * accessUs + 2 * syncUs), () => {
      if (!this.isActive || node.life !== life || node.machine === null || node.recovered) return;
      this.tally.effect("crashInRecovery");
      this.crashNode(node, this.random.chance(this.plan.powerLossPercent));
    });
  }

  /** Snapshot and log are two files: what stands between the renames has to be understood. */
  private crashInInstall(node: NodeProcess): void {
    if (!this.random.chance(this.plan.crashInInstallPercent)) return;
    this.tally.inject("crashInInstall");
    const { life } = node;
    const { accessUs, syncUs } = this.plan.disk;
    this.cluster.after(this.random.integer(1, 2 * (accessUs + 2 * syncUs)), () => {
      if (!this.isActive || node.life !== life || node.machine === null) return;
      this.tally.effect("crashInInstall");
      this.crashNode(node, this.random.chance(this.plan.powerLossPercent));
    });
  }

  /** As an operator restarts a node. One that does not end in time is killed, as by a service manager. */
  private stopInOrder(): void {
    const [node] = this.pickRunning(1);
    if (node === undefined) return;
    this.tally.inject("orderlyStop");
    const { life } = node;
    this.cluster.closeNode(node);
    this.cluster.after(this.random.pick(MAX_CLOSING_US), () => {
      if (node.life === life && node.machine !== null) this.crashNode(node, false);
    });
  }

  /** A process stands still, as for a long collection of garbage; or the whole machine does, with its clock. */
  private pause(): void {
    const [node] = this.pickRunning(1);
    if (node === undefined || node.pausedUntil > this.cluster.now) return;
    const kind = this.random.oneIn(2) ? "frozenClock" : "pause";
    this.tally.inject(kind);
    const until = this.cluster.now + drawDelay(this.random, this.plan.pauseMs * US_PER_MS);
    const { life } = node;
    const led = leads(node);
    this.cluster.pauseNode(node, until, kind === "frozenClock");
    this.cluster.after(until - this.cluster.now + 1, () => {
      const leader = this.cluster.membership.leader();
      if (node.life === life && led && leader !== null && leader !== node) this.tally.effect(kind);
    });
  }

  /** What an operator's request meets in the middle. */
  strike(victim: NodeProcess): void {
    if (this.random.oneIn(2)) this.crashNode(victim, this.random.chance(this.plan.powerLossPercent));
    else this.isolate("isolatedNode", victim);
  }

  private running(): NodeProcess[] {
    return this.cluster.nodes.filter((node) => node.machine !== null);
  }

  /** `count` running nodes, or all if there are fewer. Leaders are the likelier victims. */
  pickRunning(count: number): NodeProcess[] {
    const left = this.running();
    const picked: NodeProcess[] = [];
    while (picked.length < count && left.length > 0) {
      const leader = this.random.chance(30) ? left.find(leads) : undefined;
      const victim = leader ?? this.random.pick(left);
      left.splice(left.indexOf(victim), 1);
      picked.push(victim);
    }
    return picked;
  }

  private killClient(): void {
    const alive = this.cluster.clients.filter((client) => client.application !== null);
    if (alive.length === 0) return;
    const client = this.random.pick(alive);
    this.tally.inject("clientDeath");
    if (client.isInTransaction) this.tally.effect("clientDeath");
    this.cluster.killClient(client, this.random.oneIn(3));
    this.cluster.after(drawDelay(this.random, CLIENT_PAUSE_US), () => {
      if (client.application === null) this.cluster.startClient(client);
    });
  }

  private resetConnection(): void {
    if (!this.cluster.traffic.reset(this.random)) return;
    this.tally.inject("connectionReset");
    this.tally.effect("connectionReset");
  }

  // The network.

  /** Two sides; each client is on one of them. */
  private partition(): void {
    const sides: [Address[], Address[]] = [[], []];
    for (const address of this.addresses()) sides[this.random.integer(0, 1)]!.push(address);
    this.cut("partition", sides[0], sides[1], false);
  }

  /** Some nodes are heard by all, but hear not all. */
  private cutOneWay(): void {
    const nodes = this.cluster.nodes.map((node) => node.address);
    const deaf = nodes.filter(() => this.random.oneIn(2));
    const mute = nodes.filter((address) => !deaf.includes(address));
    this.cut("oneWayCut", mute, deaf, true);
  }

  private isolateLeader(): void {
    const leader = this.cluster.nodes.find(leads);
    if (leader !== undefined) this.isolate("isolatedLeader", leader);
  }

  /**
   * A new leader is most dangerous before its first entry has reached the others: one struck after the other leaves
   * logs behind that differ in every way that elections have to sort out (figures 7 and 8 of the paper).
   */
  private awaitYoungLeader(leader: NodeId): void {
    if (!this.random.chance(this.plan.youngLeaderPercent)) return;
    const node = this.cluster.nodes.find(({ id }) => id === leader)!;
    const { life } = node;
    const { network, disk } = this.plan;
    // Before its first messages have arrived, or about when they are answered.
    const meanUs = this.random.pick([network.latencyUs / 2, 2 * network.latencyUs + disk.syncUs]);
    this.cluster.after(drawDelay(this.random, meanUs), () => {
      if (!this.isActive || node.life !== life || !leads(node)) return;
      this.tally.inject("youngLeader");
      if (holdsAlone(node, this.cluster.nodes)) this.tally.effect("youngLeader");
      if (this.random.oneIn(4)) this.crashNode(node, this.random.chance(this.plan.powerLossPercent));
      else this.isolateInTurn(node);
    });
  }

  /** One struck leader at a time, so that the others are enough to elect the next; then the one before comes back. */
  private isolateInTurn(node: NodeProcess): void {
    if (this.struck !== null) this.cluster.network.mend(this.struck);
    this.struck = this.isolate("isolatedLeader", node);
  }

  /** From the other nodes, and sometimes from clients: one that they still reach can do more harm. */
  private isolate(kind: FaultKind, node: NodeProcess): Cut | null {
    const others = this.random.chance(30) ? this.addresses() : this.cluster.nodes.map((other) => other.address);
    return this.cut(kind, [node.address], others.filter((address) => address !== node.address), false);
  }

  private cut(
    kind: FaultKind, sources: readonly Address[], targets: readonly Address[], oneWay: boolean,
  ): Cut | null {
    if (sources.length === 0 || targets.length === 0) return null;
    const cut = this.cluster.network.cut(kind, sources, targets, oneWay);
    this.cluster.trace(`${kind} ${sources.join(",")} ${oneWay ? "->" : "<->"} ${targets.join(",")}`);
    this.cluster.after(drawDelay(this.random, this.plan.cutMs * US_PER_MS), () => {
      this.cluster.network.mend(cut);
      this.cluster.trace(`${kind} mended`);
    });
    return cut;
  }

  private addresses(): Address[] {
    const { nodes, clients } = this.cluster;
    return Array.from({ length: nodes.length + clients.length }, (_, address) => address);
  }
}

/** Whether its log ends in what no other running node has. */
function holdsAlone(node: NodeProcess, nodes: readonly NodeProcess[]): boolean {
  const own = node.machine?.inspect().raft?.last;
  if (own === undefined) return false;
  return nodes.every((other) => {
    const last = other.machine?.inspect().raft?.last;
    return other === node || last === undefined || last.term < own.term || last.index < own.index;
  });
}

function leads(node: NodeProcess): boolean {
  return node.machine?.inspect().raft?.role === "leader";
}
