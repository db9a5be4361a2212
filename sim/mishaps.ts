/**
 * What befalls a node from within: its process stops by itself, its memory is changed, copies of its disk crash. Which
 * of that is a bug is decided here, by halts.ts and by the oracles.
 */
import { ENGINE_SEED_SIZE } from "../core/database/engine.ts";
import type { NodeEffect } from "../core/node/boundary.ts";
import type { HaltReason } from "../core/replica/boundary.ts";
import type { Chance, Dice } from "./chance.ts";
import { CrashShadow } from "./crash-shadow.ts";
import { type Remedy, remedyOf } from "./halts.ts";
import type { Happening } from "./happening.ts";
import type { MarkWatcher } from "./marks.ts";
import type { Membership } from "./membership.ts";
import type { Judge, RaftObservation, Violation } from "./oracles/boundary.ts";
import type { Plan } from "./plan.ts";
import type { NodeProcess } from "./process.ts";
import type { Tally } from "./tally.ts";
import type { TraceHash } from "./trace/hash.ts";

/** What it needs of the cluster. */
export interface MishapWorld {
  readonly plan: Plan;
  readonly now: number;
  readonly judge: Judge;
  readonly membership: Membership;
  readonly marks: MarkWatcher;
  readonly hash: TraceHash;
  tell(happening: Happening): void;
  fail(type: "correctness", violation: Violation | null): void;
  failNode(node: NodeProcess, oracle: string, message: string): void;
}

/** Each costs some ten recoveries. */
const MAX_SHADOWS = 12;

export class Mishaps {
  /** Told of a process that has stopped by itself, as it had to; null: nobody asks for that. */
  onHalted: ((node: NodeProcess, remedy: Remedy) => void) | null = null;
  /** Told of a leader whose state is wrong: it must not lead; null: nobody asks for that. */
  onWrongLeader: ((node: NodeProcess) => void) | null = null;
  private readonly cluster: MishapWorld;
  private readonly chance: Chance;
  private readonly tally: Tally;
  private readonly shadow: CrashShadow;
  private shadows = 0;

  constructor(cluster: MishapWorld, chance: Chance, tally: Tally) {
    this.cluster = cluster;
    this.chance = chance;
    this.tally = tally;
    this.shadow = new CrashShadow(cluster.plan.storage);
  }

  /** The node has taken a step, and its effects are about to be performed. */
  stepped(node: NodeProcess, raft: RaftObservation, effects: readonly NodeEffect[]): void {
    if (node.isFlipped) node.isFlipped = this.cluster.judge.isMemoryFlipped(node.id);
    if (node.isFlipped && raft.role === "leader") this.onWrongLeader?.(node);
    const { shadowPerMille } = this.cluster.plan;
    if (shadowPerMille === 0 || this.shadows === MAX_SHADOWS || !effects.some(vouches)) return;
    const dice = this.chance.stream(`${node.id} shadow`).next();
    if (dice.integer(0, 999) < shadowPerMille && !dice.isLeftOut) this.castShadow(node, dice);
  }

  halted(node: NodeProcess, reason: HaltReason): void {
    const { cluster, cluster: { membership } } = this;
    const [isDamaged, mayBeAlone] = [membership.isDamaged(node), membership.mayBeAlone(node)];
    const remedy = remedyOf({ node, isDamaged, mayBeAlone, isMember: membership.idOf(node) !== null }, reason);
    if (remedy === null) return cluster.failNode(node, "halt", `${node.id} halted: ${JSON.stringify(reason)}`);
    cluster.tell({ type: "NodeHalted", node: node.id, reason });
    cluster.marks.halted(reason);
    if (reason.type === "quarantined" && node.isFlipped) {
      this.tally.effect("memoryFlip");
      node.isFlipped = false;
      cluster.judge.memoryHealed(node.id);
    }
    this.onHalted?.(node, remedy);
  }

  /** Changes the state of a running node behind its back; false: not now. */
  flipMemory(node: NodeProcess, dice: Dice): boolean {
    const { cluster } = this;
    if (node.machine === null || !node.machine.flip(dice.bytes(ENGINE_SEED_SIZE))) return false;
    cluster.tell({ type: "Struck", kind: "memoryFlip", node: node.id, text: "a byte of its memory flips" });
    cluster.hash.number(cluster.now).text(node.id).text("memoryFlip");
    node.isFlipped = true;
    cluster.membership.damage(node);
    cluster.judge.memoryFlipped(node.id);
    return true;
  }

  /** What the node is about to say has to be true after any crash. */
  private castShadow(node: NodeProcess, dice: Dice): void {
    const { cluster } = this;
    this.shadows++;
    dice.happened(() => `copies of the disk of ${node.id} crash`);
    for (const image of this.shadow.imagesOf(node.id, node.disk, dice)) {
      this.tally.mark("crashImages");
      const found = cluster.judge.imageRecovered(node.id, image, node.disk);
      if (found !== null) return cluster.fail("correctness", found);
    }
  }
}

/** Whether somebody hears something of it. */
function vouches({ type }: NodeEffect): boolean {
  return type === "Send" || type === "Respond";
}
