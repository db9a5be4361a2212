/**
 * A process that is about to stop hands over what it has: first the leadership, then, where roles are given out by
 * themselves, its vote. Both are a courtesy that saves the others a timeout: it waits for them no longer than a bound,
 * and not at all if there is nobody to take them.
 */
import { afterMs, type Instant, type MemberId } from "../types.ts";
import { isJoint, isVoter } from "./configuration.ts";
import type { Leader } from "./leader.ts";
import type { NodeState } from "./node-state.ts";

/** So many election timeouts, and the process stops whatever it still has. */
const PATIENCE_TIMEOUTS = 4;

export class Departure {
  /** Stops then at the latest. */
  private readonly bound: Instant;
  /** When to ask the leader again. */
  private askAt: Instant;
  private readonly node: NodeState;

  constructor(node: NodeState) {
    this.node = node;
    this.askAt = node.now;
    this.bound = afterMs(node.now, PATIENCE_TIMEOUTS * node.options.timing.electionTimeoutMs);
  }

  /** While leadership is being handed over nobody is asked for anything: `askAt` may long be past. */
  get deadline(): Instant {
    return this.askAt > this.node.now && this.askAt < this.bound ? this.askAt : this.bound;
  }

  /**
   * Whether something is left to be handed over, and somebody may take it in time: then that is seen to.
   *
   * @param leading null: this node does not lead
   * @param leader whom it follows; null: whoever takes leadership over is not known at once
   */
  isHandingOver(leading: Leader | null, leader: MemberId | null): boolean {
    const { node } = this;
    if (node.now >= this.bound) return false;
    if (leading !== null) return leading.handover !== null || leading.handOver(null, null);
    if (!this.hasVoteToGive) return false;
    if (leader !== null && node.now >= this.askAt) {
      this.askAt = afterMs(node.now, node.options.timing.heartbeatMs);
      node.post(leader, { type: "Leaving", term: node.currentTerm }, "term");
    }
    return true;
  }

  /** Whether somebody else could have our vote: then the leader is asked to see to it. */
  private get hasVoteToGive(): boolean {
    const { configuration, id, options } = this.node;
    if (options.roles === null || !isVoter(configuration, id)) return false;
    return isJoint(configuration) || configuration.members.some(({ role }) => role !== "voter");
  }
}
