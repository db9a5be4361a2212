/**
 * The computers of a simulated world on which nodes run or may come to run, and how a program is started on one: with
 * which version, which options, and which list of nodes.
 */
import type { EngineFactory } from "../core/database/engine.ts";
import type { NodeOptions } from "../core/node/boundary.ts";
import { SEED_SIZE } from "../core/random.ts";
import type { NodeId } from "../core/types.ts";
import type { Chance } from "./chance.ts";
import type { Clock } from "./clock.ts";
import { SimulatedDisk } from "./disk.ts";
import type { Plan } from "./plan.ts";
import { drawClock, NodeProcess } from "./process.ts";
import { Rarities } from "./rarities.ts";
import type { Tally } from "./tally.ts";

const NAMES = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"] as NodeId[];
/** The feature version that a program of today understands, and that of the one before. */
const NEWEST_VERSION = 2;
const OLD_VERSION = 1;

export class Computers {
  readonly nodes: readonly NodeProcess[];
  /** Who founds the cluster, sorted. */
  readonly founders: readonly NodeId[];
  private readonly plan: Plan;
  readonly rarities: Rarities;
  private readonly chance: Chance;
  private readonly tally: Tally;

  constructor(plan: Plan, chance: Chance, tally: Tally) {
    this.plan = plan;
    this.chance = chance;
    this.rarities = new Rarities(plan, chance.within("rare"), tally);
    this.tally = tally;
    this.nodes = NAMES.slice(0, plan.nodes + plan.joiners).map((name, address) => this.makeNode(name, address));
    this.founders = NAMES.slice(0, plan.nodes);
  }

  makeDisk(node: NodeId): SimulatedDisk {
    const { disk, faults } = this.plan;
    return new SimulatedDisk(disk, this.chance.within(`${node} disk`), this.tally, faults.misdirectedWrite > 0);
  }

  /**
   * What the next process of a node is started with. `toAsk`: whom an empty node that does not found the cluster asks
   * for admission.
   */
  optionsOf(node: NodeProcess, engine: EngineFactory, toAsk: readonly NodeId[]): Omit<NodeOptions, "seed"> {
    const { leaseDriftPpm, roles, timing, raft: limits, storage, digestEvery, database } = this.plan;
    // Programs are replaced by newer ones between two lives of a process.
    if (node.life > 0 && this.chance.stream(`${node.id} upgrade`).next().oneIn(2)) node.version = NEWEST_VERSION;
    const cluster = node.isFounder && !node.isReplaced ? this.founders : toAsk;
    return {
      id: node.id, cluster, version: node.version, leaseDriftPpm, roles, timing, limits, storage, digestEvery, engine,
      database, checkInvariants: true, rarely: this.rarities.of(node.id),
    };
  }

  /** For a process of that name: each has another one. */
  drawSeed(process: string): Uint8Array {
    return this.chance.stream(`${process} seed`).next().bytes(SEED_SIZE);
  }

  drawClock(process: string): Clock {
    return drawClock(this.chance.stream(`${process} clock`).next(), this.plan.maxDriftPpm);
  }

  private makeNode(name: NodeId, address: number): NodeProcess {
    const { plan, chance } = this;
    const dice = chance.stream(`${name} version`).next();
    const version = dice.chance(plan.oldVersionPercent) && !dice.isLeftOut ? OLD_VERSION : NEWEST_VERSION;
    if (version === OLD_VERSION) dice.happened(() => `${name} begins with the version before`);
    return new NodeProcess(name, address, this.makeDisk(name), this.drawClock(name), address < plan.nodes, version);
  }
}
