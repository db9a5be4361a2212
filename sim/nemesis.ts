/**
 * The nemesis: breaks the world as its plan says, and mends it. Each class of faults comes in its own rhythm and knows
 * nothing of the others, so that they meet in every combination. Once `stop` is said nothing is broken any more.
 */
import type { NodeId } from "../core/types.ts";
import { type Chance, type Dice, pickInOrder } from "./chance.ts";
import type { Cluster } from "./cluster.ts";
import { type Breaker, DiskNemesis } from "./disk-nemesis.ts";
import type { Core } from "./healthy-core.ts";
import { drawDelay } from "./latency.ts";
import { NetworkNemesis } from "./network-nemesis.ts";
import { PermanentFaults, type Undertaker } from "./permanent-faults.ts";
import type { Plan } from "./plan.ts";
import { leads, type NodeProcess } from "./process.ts";
import { Strategist, type Striker } from "./strategist.ts";
import type { FaultKind, Tally } from "./tally.ts";
import { crashInWords } from "./words.ts";

const US_PER_MS = 1000;
/** A service manager's patience: less than it takes to hand everything over, or more. */
const MAX_CLOSING_US = [500 * US_PER_MS, 4000 * US_PER_MS] as const;
/** Less than anybody notices, a little more, and as after a flat battery. */
const CLOCK_STEPS_MS = [10, 30, 200, 3000, 3_600_000] as const;
/** Of a hundred starts from a disk that was just damaged: how many are crashed; and how much longer they may take. */
const HARMED_CRASH_PERCENT = 40;
const HARMED_RECOVERY = 6;
/** A client's place stands empty for so long, on average. */
const CLIENT_PAUSE_US = 50 * US_PER_MS;

export class Nemesis implements Breaker, Undertaker, Striker {
  private readonly cluster: Cluster;
  private readonly plan: Plan;
  private readonly chance: Chance;
  private readonly tally: Tally;
  private readonly disks: DiskNemesis;
  private readonly network: NetworkNemesis;
  private readonly permanent: PermanentFaults;
  private readonly strategist: Strategist;
  /** Who stays down, as long as faults are permanent. */
  private readonly keptDown = new Set<NodeProcess>();
  isActive = false;

  constructor(cluster: Cluster, chance: Chance, tally: Tally) {
    this.cluster = cluster;
    this.plan = cluster.plan;
    this.chance = chance;
    this.tally = tally;
    this.disks = new DiskNemesis(this, cluster, chance, tally);
    this.network = new NetworkNemesis(this, cluster);
    this.permanent = new PermanentFaults(this, cluster, chance, tally);
    this.strategist = new Strategist(this, cluster, chance, tally);
    // What was damaged may be found long after the last fault.
    cluster.mishaps.onHalted = (node, remedy) => this.disks.halted(node, remedy);
    cluster.mishaps.onWrongLeader = (node) => this.deposeWrong(node);
  }

  start(): void {
    this.isActive = true;
    const { faults } = this.plan;
    this.repeat("crashOfOne", faults.crashOfOne, (dice) => this.crash("crashOfOne", this.pickRunning(1, dice), dice));
    this.repeat("crashOfSeveral", faults.crashOfSeveral, (dice) => this.crashSeveral(dice));
    this.repeat("crashOfAll", faults.crashOfAll, (dice) => this.crash("crashOfAll", this.running(), dice));
    this.repeat("connectionReset", faults.connectionReset, (dice) => this.resetConnection(dice));
    this.repeat("clientDeath", faults.clientDeath, (dice) => this.killClient(dice));
    this.repeat("orderlyStop", faults.orderlyStop, (dice) => this.stopInOrder(dice));
    this.repeat("pause", faults.pause, (dice) => this.pause(dice));
    this.repeat("clockSet", faults.clockSet, (dice) => this.setClock(dice));
    this.disks.start();
    this.network.start();
    this.cluster.onClosed = (node) => {
      this.tally.effect("orderlyStop");
      this.crashNode(node, false);
    };
    this.strategist.start();
    this.cluster.marks.onElection = (leader) => {
      this.awaitYoungLeader(leader);
      this.strategist.elected(leader);
    };
    this.cluster.marks.onSnapshotNamed = (node) => this.crashInInstall(node);
    this.cluster.marks.onPagesBegun = (node) => this.disks.fillInWrite(node);
  }

  /** No new fault from now on. The core and the clients are well; what is wrong with the others is so for good. */
  retreat(core: Core): void {
    this.rest();
    const { clients, network } = this.cluster;
    network.heal([...core.nodes, ...clients].map(({ address }) => address));
    this.disks.heal(core.nodes);
    this.startAll(core.nodes);
    this.permanent.begin(core);
  }

  /** No fault from now on; everything that is broken is mended, every process runs. */
  stop(): void {
    this.rest();
    this.permanent.end();
    this.keptDown.clear();
    const { network, nodes } = this.cluster;
    network.healAll();
    this.disks.heal(nodes);
    this.startAll(nodes);
  }

  keepDown(node: NodeProcess): void {
    this.keptDown.add(node);
  }

  private rest(): void {
    this.isActive = false;
    this.strategist.stop();
    this.cluster.marks.onElection = null;
    this.cluster.marks.onSnapshotNamed = null;
    this.cluster.marks.onPagesBegun = null;
    this.cluster.computers.rarities.isActive = false;
  }

  private startAll(nodes: readonly NodeProcess[]): void {
    for (const node of nodes) if (node.machine === null && node.isUsed) this.cluster.startNode(node);
    for (const client of this.cluster.clients) if (client.application === null) this.cluster.startClient(client);
  }

  /** In a rhythm that goes on whether or not a beat is left out. */
  repeat(name: string, meanMs: number, act: (dice: Dice) => void): void {
    if (meanMs === 0) return;
    const dice = this.chance.stream(name).next();
    this.cluster.after(drawDelay(dice, meanMs * US_PER_MS), () => {
      if (!this.isActive) return;
      if (!dice.isLeftOut) act(dice);
      this.repeat(name, meanMs, act);
    });
  }

  // Processes.

  private crashSeveral(dice: Dice): void {
    const { length } = this.running();
    if (length >= 3) this.crash("crashOfSeveral", this.pickRunning(dice.integer(2, length - 1), dice), dice);
  }

  private crash(kind: FaultKind, victims: readonly NodeProcess[], dice: Dice): void {
    if (victims.length === 0) return;
    this.tally.inject(kind);
    const all = this.cluster.nodes.filter(({ isUsed }) => isUsed).length;
    const enough = kind === "crashOfAll" ? all : kind === "crashOfSeveral" ? 2 : 1;
    if (victims.length >= enough) this.tally.effect(kind);
    const losePower = dice.chance(this.plan.powerLossPercent);
    dice.happened(() => crashInWords(victims, losePower));
    for (const victim of victims) this.crashNode(victim, losePower);
  }

  crashNode(node: NodeProcess, losePower: boolean): void {
    this.cluster.crashNode(node, losePower);
    const life = node.life;
    const dice = this.chance.stream(`${node.id} down`).next();
    this.cluster.after(drawDelay(dice, this.plan.downMs * US_PER_MS), () => {
      // Somebody else may have started it, as the end of the chaos does; or nobody wants it any more.
      if (node.machine !== null || node.life !== life || !node.isUsed || this.keptDown.has(node)) return;
      const { damageAtRestPercent, crashInRecoveryPercent } = this.plan;
      const isHarmed = this.isActive && !dice.isLeftOut && dice.chance(damageAtRestPercent);
      if (isHarmed) this.disks.harm(node, dice);
      if (this.isActive) this.disks.fillAtStart(node);
      this.cluster.startNode(node);
      // What has to be mended takes longer, and every step of it may be the last.
      const percent = isHarmed ? Math.max(crashInRecoveryPercent, HARMED_CRASH_PERCENT) : crashInRecoveryPercent;
      const isStruck = this.isActive && dice.chance(percent);
      if (isStruck && !dice.isLeftOut) this.crashInRecovery(node, isHarmed ? HARMED_RECOVERY : 1, dice);
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
    const dice = this.chance.stream(`${node.id} founding`).next();
    if (!dice.chance(this.plan.crashInFoundingPercent) || dice.isLeftOut) return;
    this.tally.inject("crashInFounding");
    const { life } = node;
    const { accessUs, syncUs } = this.plan.disk;
    this.cluster.after(dice.integer(1, 10 * (accessUs + syncUs)), () => {
      if (node.life !== life || node.machine === null) return;
      if (node.machine.inspect().raft === null) this.tally.effect("crashInFounding");
      dice.happened(() => `${node.id} crashes soon after its first start`);
      this.crashNode(node, dice.chance(this.plan.powerLossPercent));
    });
  }

  /** @param length how many times as long as an ordinary recovery */
  private crashInRecovery(node: NodeProcess, length: number, dice: Dice): void {
    this.tally.inject("crashInRecovery");
    const life = node.life;
    const { accessUs, syncUs } = this.plan.disk;
    this.cluster.after(dice.integer(1, length * (4 * accessUs + 2 * syncUs)), () => {
      if (!this.isActive || node.life !== life || node.machine === null || node.recovered) return;
      this.tally.effect("crashInRecovery");
      dice.happened(() => `${node.id} crashes while it recovers`);
      this.crashNode(node, dice.chance(this.plan.powerLossPercent));
    });
  }

  /** Snapshot and log are two files: what stands between the renames has to be understood. */
  private crashInInstall(node: NodeProcess): void {
    const dice = this.chance.stream("crashInInstall").next();
    if (!dice.chance(this.plan.crashInInstallPercent) || dice.isLeftOut) return;
    this.tally.inject("crashInInstall");
    const { life } = node;
    const { accessUs, syncUs } = this.plan.disk;
    this.cluster.after(dice.integer(1, 2 * (accessUs + 2 * syncUs)), () => {
      if (!this.isActive || node.life !== life || node.machine === null) return;
      this.tally.effect("crashInInstall");
      dice.happened(() => `${node.id} crashes as a snapshot gets its name`);
      this.crashNode(node, dice.chance(this.plan.powerLossPercent));
    });
  }

  /** As an operator restarts a node. One that does not end in time is killed, as by a service manager. */
  private stopInOrder(dice: Dice): void {
    const [node] = this.pickRunning(1, dice);
    if (node === undefined) return;
    this.tally.inject("orderlyStop");
    dice.happened(() => `${node.id} is asked to end`);
    const { life } = node;
    this.cluster.closeNode(node);
    this.cluster.after(dice.pick(MAX_CLOSING_US), () => {
      if (node.life === life && node.machine !== null) this.crashNode(node, false);
    });
  }

  /** A process stands still, as for a long collection of garbage; or the whole machine does, with its clock. */
  private pause(dice: Dice): void {
    const [node] = this.pickRunning(1, dice);
    if (node !== undefined) this.standStill(node, dice);
  }

  standStill(node: NodeProcess, dice: Dice): void {
    if (node.pausedUntil > this.cluster.now) return;
    const kind = dice.oneIn(2) && !node.hidesStops ? "frozenClock" : "pause";
    this.tally.inject(kind);
    const until = this.cluster.now + drawDelay(dice, this.plan.pauseMs * US_PER_MS);
    dice.happened(() => `${node.id} ${kind === "pause" ? "stands still" : "is frozen"}`);
    const { life } = node;
    const led = leads(node);
    this.cluster.pauseNode(node, until, kind === "frozenClock");
    this.cluster.after(until - this.cluster.now + 1, () => {
      const leader = this.cluster.membership.leader();
      if (node.life === life && led && leader !== null && leader !== node) this.tally.effect(kind);
    });
  }

  cutOff(node: NodeProcess, dice: Dice): void {
    this.network.isolate("isolatedNode", node, dice);
  }

  /** By hand, or by a service that puts the wall clock right at once. */
  private setClock(dice: Dice): void {
    const [node] = this.pickRunning(1, dice);
    if (node === undefined || node.pausedUntil > this.cluster.now) return;
    this.tally.inject("clockSet");
    const sizeMs = dice.pick(CLOCK_STEPS_MS);
    const byMs = dice.oneIn(2) ? sizeMs : -sizeMs;
    const text = `its wall clock is set by ${byMs} ms`;
    dice.happened(() => `${node.id}: ${text}`);
    this.cluster.tell({ type: "Struck", kind: "clockSet", node: node.id, text });
    node.setWall(byMs);
  }

  /** What an operator's request meets in the middle. */
  strike(victim: NodeProcess, dice: Dice): void {
    if (dice.oneIn(2)) {
      const losePower = dice.chance(this.plan.powerLossPercent);
      dice.happened(() => crashInWords([victim], losePower));
      this.crashNode(victim, losePower);
    } else {
      this.network.isolate("isolatedNode", victim, dice);
    }
  }

  /**
   * A new leader is most dangerous before its first entry has reached the others: one struck after the other leaves
   * logs behind that differ in every way that elections have to sort out (figures 7 and 8 of the paper).
   */
  private awaitYoungLeader(leader: NodeId): void {
    const dice = this.chance.stream("youngLeader").next();
    if (!dice.chance(this.plan.youngLeaderPercent) || dice.isLeftOut) return;
    const node = this.cluster.nodes.find(({ id }) => id === leader)!;
    const { life } = node;
    const { network, disk } = this.plan;
    // Before its first messages have arrived, or about when they are answered.
    const meanUs = dice.pick([network.latencyUs / 2, 2 * network.latencyUs + disk.syncUs]);
    this.cluster.after(drawDelay(dice, meanUs), () => {
      if (!this.isActive || node.life !== life || !leads(node)) return;
      this.tally.inject("youngLeader");
      if (holdsAlone(node, this.cluster.nodes)) this.tally.effect("youngLeader");
      dice.happened(() => `${node.id} is struck, a new leader`);
      if (dice.oneIn(4)) this.crashNode(node, dice.chance(this.plan.powerLossPercent));
      else this.network.isolateInTurn(node, dice);
    });
  }

  private running(): NodeProcess[] {
    return this.cluster.nodes.filter((node) => node.machine !== null);
  }

  /** `count` running nodes, or all if there are fewer. Leaders are the likelier victims. */
  pickRunning(count: number, dice: Dice): NodeProcess[] {
    const { nodes } = this.cluster;
    const picked: NodeProcess[] = [];
    const isFree = (node: NodeProcess): boolean => node.machine !== null && !picked.includes(node);
    while (picked.length < count) {
      const leader = dice.chance(30) ? nodes.find((node) => isFree(node) && leads(node)) : undefined;
      const victim = leader ?? pickInOrder(nodes, dice, isFree);
      if (victim === null) break;
      picked.push(victim);
    }
    return picked;
  }

  private killClient(dice: Dice): void {
    const client = pickInOrder(this.cluster.clients, dice, ({ application }) => application !== null);
    if (client === null) return;
    this.tally.inject("clientDeath");
    if (client.isInTransaction) this.tally.effect("clientDeath");
    dice.happened(() => `${client.application?.name} dies`);
    this.cluster.killClient(client, dice.oneIn(3));
    this.cluster.after(drawDelay(dice, CLIENT_PAUSE_US), () => {
      if (client.application === null) this.cluster.startClient(client);
    });
  }

  private resetConnection(dice: Dice): void {
    if (!this.cluster.traffic.reset(dice)) return;
    dice.happened(() => "a connection is reset");
    this.tally.inject("connectionReset");
    this.tally.effect("connectionReset");
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
