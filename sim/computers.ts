/**
 * The computers of a simulated world on which nodes run or may come to run, and how a program is started on one: with
 * which version, which options, and which list of nodes.
 */
import type { EngineFactory } from "../core/database/engine.ts";
import type { NodeOptions } from "../core/node/boundary.ts";
import type { Random } from "../core/random.ts";
import type { NodeId } from "../core/types.ts";
import { SimulatedDisk } from "./disk.ts";
import type { Plan } from "./plan.ts";
import { drawClock, NodeProcess } from "./process.ts";
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
  private readonly random: Random;
  private readonly tally: Tally;

  constructor(plan: Plan, random: Random, tally: Tally) {
    this.plan = plan;
    this.random = random;
    this.tally = tally;
    this.nodes = NAMES.slice(0, plan.nodes + plan.joiners).map((name, address) => this.makeNode(name, address));
    this.founders = NAMES.slice(0, plan.nodes);
  }

  makeDisk(): SimulatedDisk {
    const { disk, faults } = this.plan;
    return new SimulatedDisk(disk, this.random.fork(), this.tally, faults.misdirectedWrite > 0);
  }

  /**
   * What the next process of a node is started with. `toAsk`: whom an empty node that does not found the cluster asks
   * for admission.
   */
  optionsOf(node: NodeProcess, engine: EngineFactory, toAsk: readonly NodeId[]): Omit<NodeOptions, "seed"> {
    const { leaseDriftPpm, roles, timing, raft: limits, storage, digestEvery, database } = this.plan;
    // Programs are replaced by newer ones between two lives of a process.
    if (node.life > 0 && this.random.oneIn(2)) node.version = NEWEST_VERSION;
    const cluster = node.isFounder && !node.isReplaced ? this.founders : toAsk;
    return {
      id: node.id, cluster, version: node.version, leaseDriftPpm, roles, timing, limits, storage, digestEvery, engine,
      database, checkInvariants: true,
    };
  }

  private makeNode(name: NodeId, address: number): NodeProcess {
    const { plan, random } = this;
    const disk = this.makeDisk();
    const version = random.chance(plan.oldVersionPercent) ? OLD_VERSION : NEWEST_VERSION;
    return new NodeProcess(name, address, disk, drawClock(random, plan.maxDriftPpm), address < plan.nodes, version);
  }
}
