/** The nemesis with a plan: does what the seed's strategy says, when it says so. */
import type { NodeId } from "../core/types.ts";
import type { Chance, Dice } from "./chance.ts";
import type { Cluster } from "./cluster.ts";
import { drawDelay } from "./latency.ts";
import type { Plan } from "./plan.ts";
import type { NodeProcess } from "./process.ts";
import type { Mark, Tally } from "./tally.ts";

const US_PER_MS = 1000;
/** What a run has reached so often is not rare in it. */
const RARE_TIMES = 2;

/** What it needs of the nemesis. */
export interface Striker {
  readonly isActive: boolean;
  crashNode(node: NodeProcess, losePower: boolean): void;
  cutOff(node: NodeProcess, dice: Dice): void;
  standStill(node: NodeProcess, dice: Dice): void;
}

export class Strategist {
  private readonly striker: Striker;
  private readonly cluster: Cluster;
  private readonly plan: Plan;
  private readonly chance: Chance;
  private readonly tally: Tally;

  constructor(striker: Striker, cluster: Cluster, chance: Chance, tally: Tally) {
    this.striker = striker;
    this.cluster = cluster;
    this.plan = cluster.plan;
    this.chance = chance;
    this.tally = tally;
    if (this.plan.strategy.type === "ambush") tally.onMark.push((mark) => this.lieInWait(mark));
  }

  start(): void {
    const { strategy } = this.plan;
    if (strategy.type !== "starveDisk" || strategy.victim !== "node") return;
    const dice = this.chance.stream("starveDisk").next();
    this.starve(dice.pick(this.cluster.nodes), strategy.factor, dice);
  }

  elected(leader: NodeId): void {
    const { strategy } = this.plan;
    const node = this.cluster.nodes.find(({ id }) => id === leader)!;
    if (strategy.type === "starveDisk" && strategy.victim === "leader") {
      this.feedAll();
      this.starve(node, strategy.factor, this.chance.stream("starveDisk").next());
    }
    if (strategy.type === "killWinners") this.killWinner(node, strategy.percent, strategy.meanMs);
  }

  stop(): void {
    this.feedAll();
  }

  private feedAll(): void {
    for (const { disk } of this.cluster.nodes) disk.slowness = 1;
  }

  private starve(node: NodeProcess, factor: number, dice: Dice): void {
    if (dice.isLeftOut) return;
    this.tally.inject("starvedDisk");
    dice.happened(() => `the disk of ${node.id} is ${factor} times slower`);
    node.disk.slowness = factor;
  }

  private killWinner(node: NodeProcess, percent: number, meanMs: number): void {
    const dice = this.chance.stream("killWinners").next();
    if (!dice.chance(percent) || dice.isLeftOut) return;
    this.tally.inject("killedWinner");
    this.later(node, drawDelay(dice, meanMs * US_PER_MS), () => {
      this.tally.effect("killedWinner");
      dice.happened(() => `${node.id} is killed, as it has won an election`);
      this.striker.crashNode(node, dice.chance(this.plan.powerLossPercent));
    });
  }

  /** Something rare has come about in the step of a node: it is struck before, or while, that has consequences. */
  private lieInWait(mark: Mark): void {
    const { strategy } = this.plan;
    const { stepping, nodes } = this.cluster;
    if (strategy.type !== "ambush" || !this.striker.isActive || stepping === null) return;
    if (this.tally.marks[mark] > RARE_TIMES) return;
    const node = nodes.find(({ id }) => id === stepping)!;
    const dice = this.chance.stream(`ambush ${mark}`).next();
    if (!dice.chance(strategy.percent) || dice.isLeftOut) return;
    this.tally.inject("ambush");
    const { disk, network, powerLossPercent } = this.plan;
    const means = [1, disk.accessUs, disk.syncUs, 2 * network.latencyUs];
    this.later(node, drawDelay(dice, dice.pick(means)), () => {
      this.tally.effect("ambush");
      const act = dice.pick(["kill", "kill", "cutOff", "standStill"] as const);
      dice.happened(() => `${node.id} is struck (${act}) after ${mark}`);
      if (act === "kill") this.striker.crashNode(node, dice.chance(powerLossPercent));
      else if (act === "cutOff") this.striker.cutOff(node, dice);
      else this.striker.standStill(node, dice);
    });
  }

  private later(node: NodeProcess, delay: number, act: () => void): void {
    const { life } = node;
    this.cluster.after(delay, () => {
      if (this.striker.isActive && node.life === life && node.machine !== null) act();
    });
  }
}
