/**
 * What befalls the nodes outside a healthy core, for good: each of them is broken in one way and stays so, as a machine
 * does that nobody looks after. What was wrong with the network around them stays too.
 */
import type { Chance, Dice } from "./chance.ts";
import type { Cluster } from "./cluster.ts";
import type { Core } from "./healthy-core.ts";
import { drawDelay } from "./latency.ts";
import type { NodeProcess } from "./process.ts";
import type { Tally } from "./tally.ts";

const US_PER_MS = 1000;
/** As it is, in whatever weather. */
const LEFT_ALONE = "leftAlone";
const FATES = [
  LEFT_ALONE, "down", "down", "cutOff", "mute", "deaf", "hungDisk", "fullDisk", "failingDisk", "restless",
] as const;
type Fate = (typeof FATES)[number];
/** How long one lives that is restarted again and again. */
const RESTLESS_US = 400 * US_PER_MS;
/** Longer than any run. */
const FOR_GOOD_US = 1_000_000 * US_PER_MS;

/** What it needs of the nemesis. */
export interface Undertaker {
  crashNode(node: NodeProcess, losePower: boolean): void;
  /** It is not started again until all is healed. */
  keepDown(node: NodeProcess): void;
}

export class PermanentFaults {
  isActive = false;
  private readonly undertaker: Undertaker;
  private readonly cluster: Cluster;
  private readonly chance: Chance;
  private readonly tally: Tally;

  constructor(undertaker: Undertaker, cluster: Cluster, chance: Chance, tally: Tally) {
    this.undertaker = undertaker;
    this.cluster = cluster;
    this.chance = chance;
    this.tally = tally;
  }

  begin({ nodes, outside }: Core): void {
    this.isActive = true;
    const core = nodes.map(({ address }) => address);
    for (const node of outside) {
      const dice = this.chance.stream("permanent").next();
      const drawn = dice.pick(FATES);
      const fate = dice.isLeftOut ? LEFT_ALONE : drawn;
      if (!node.isUsed || fate === LEFT_ALONE) continue;
      this.tally.inject("permanentFault");
      if (node.machine !== null) this.tally.effect("permanentFault");
      this.cluster.tell({ type: "Struck", kind: "permanentFault", node: node.id, text: `for good: ${fate}` });
      dice.happened(() => `${node.id} is broken for good: ${fate}`);
      this.meet(node, fate, core, dice);
    }
  }

  end(): void {
    this.isActive = false;
  }

  private meet(node: NodeProcess, fate: Exclude<Fate, typeof LEFT_ALONE>, core: readonly number[], dice: Dice): void {
    const { network } = this.cluster;
    switch (fate) {
      case "down":
        this.undertaker.keepDown(node);
        return this.crash(node, dice);
      case "cutOff":
        return void network.cut("isolatedNode", [node.address], core, false);
      case "mute":
        return void network.cut("oneWayCut", [node.address], core, true);
      case "deaf":
        return void network.cut("oneWayCut", core, [node.address], true);
      case "hungDisk":
        if (node.machine !== null) node.disk.hang(this.cluster.now + FOR_GOOD_US);
        return;
      case "fullDisk":
        return node.disk.limit(0, "fullDisk");
      case "failingDisk":
        return node.disk.fail(dice.oneIn(2) ? "write" : "sync");
      case "restless":
        return this.unsettle(node);
    }
  }

  private unsettle(node: NodeProcess): void {
    const dice = this.chance.stream(`${node.id} restless`).next();
    this.cluster.after(drawDelay(dice, RESTLESS_US), () => {
      if (!this.isActive || !node.isUsed) return;
      if (!dice.isLeftOut && node.machine !== null) {
        dice.happened(() => `${node.id} is killed again`);
        this.crash(node, dice);
      }
      this.unsettle(node);
    });
  }

  private crash(node: NodeProcess, dice: Dice): void {
    if (node.machine === null) return;
    this.tally.inject("crashOfOne");
    this.tally.effect("crashOfOne");
    this.undertaker.crashNode(node, dice.chance(this.cluster.plan.powerLossPercent));
  }
}
