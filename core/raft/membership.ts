/**
 * Changes of the configuration, as their leader makes them (§6): one at a time, and only once an entry of this term is
 * committed, since only then is it known that no other change is under way. A change of voters goes through a joint
 * configuration, which the leader leaves by itself as soon as it is committed; so does a leader that inherits one.
 *
 * Besides what is asked for, the leader changes by itself what the roles should be (roles.ts) and which feature version
 * is in force (features.ts). It decides nothing of quorums: that is quorum.ts.
 */
import { nodeOf, type MemberId, type RequestNumber } from "../types.ts";
import type { ChangeOutcome, ChangeRefusal } from "./boundary.ts";
import { isJoint, isVoter, leaveJoint, planChange, votersOf } from "./configuration.ts";
import type { Configuration, ConfigurationOperation } from "./configuration.ts";
import type { NodeState } from "./node-state.ts";
import type { Followers } from "./followers.ts";
import { adjustRoles, type Standing } from "./roles.ts";

export class Membership {
  private readonly node: NodeState;
  private readonly followers: Followers;
  /** Who waits for the change under way; null: nobody, or there is none. */
  private waiting: RequestNumber | null = null;

  constructor(node: NodeState, followers: Followers) {
    this.node = node;
    this.followers = followers;
  }

  request(request: RequestNumber, operations: readonly ConfigurationOperation[]): void {
    const reason = this.start(operations);
    if (reason === null) this.waiting = request;
    else this.resolve(request, { type: "refused", reason });
  }

  /** After whatever may have committed something: goes on with the change under way. Whether others count now. */
  advance(): boolean {
    if (this.isPending) return false;
    const { configuration, configurations } = this.node;
    if (isJoint(configuration)) {
      // A successor that knows it to be committed waits, as for any change, for an entry of its own term.
      if (this.obstacle() === "notReady") return false;
      this.node.appendConfiguration(leaveJoint(configuration));
      return true;
    }
    if (this.waiting !== null) this.resolve(this.waiting, { type: "committed", index: configurations.index });
    this.waiting = null;
    return false;
  }

  /** Now and then: what this leader changes by itself. */
  tend(): void {
    const { node } = this;
    const { roles } = node.options;
    if (this.obstacle() !== null) return;
    if (this.raiseVersion() || roles === null) return;
    this.start(adjustRoles(node.configuration, node.id, roles, (id) => this.standingOf(id)));
  }

  /** Whether a committed configuration says that this node does not vote: then it must not lead on. */
  get isUnseated(): boolean {
    const { configuration, configurations, id } = this.node;
    return !this.isPending && !isJoint(configuration) && !configurations.quorum.counts(id);
  }

  /** Leadership is lost: what has been appended may yet be committed, or not. */
  abandon(): void {
    if (this.waiting !== null) this.resolve(this.waiting, { type: "unknown" });
    this.waiting = null;
  }

  /** The configuration in force is not committed. */
  private get isPending(): boolean {
    return this.node.configurations.index > this.node.delivery.commitIndex;
  }

  /** Why nothing can be changed now; null: something can. */
  private obstacle(): ChangeRefusal | null {
    const { log, delivery, currentTerm, configuration, proposals } = this.node;
    if (log.termAt(delivery.commitIndex) !== currentTerm) return "notReady";
    return this.isPending || isJoint(configuration) || proposals.isPaused ? "pending" : null;
  }

  /** Why it cannot be done; null: it has begun. */
  private start(operations: readonly ConfigurationOperation[]): ChangeRefusal | null {
    const obstacle = this.obstacle();
    if (obstacle !== null) return obstacle;
    const planned = planChange(this.node.configuration, operations);
    if (!planned.ok) return planned.fault;
    const refusal = this.judgeDisks(planned.configuration) ?? this.judgeVoters(planned.configuration);
    if (refusal === null) this.node.appendConfiguration(planned.configuration);
    return refusal;
  }

  /** Somebody with an empty directory and a name that is taken does not take the place of one that is there. */
  private judgeDisks({ members }: Configuration): ChangeRefusal | null {
    const { configuration, id: own } = this.node;
    for (const { id } of configuration.members) {
      const other = members.find((member) => nodeOf(member.id) === nodeOf(id));
      if (other === undefined || other.id === id) continue;
      if (id === own || this.followers.standingOf(id).isAlive) return "stillAlive";
    }
    return null;
  }

  /** A voter that has to catch up first could hold up every commit. */
  private judgeVoters(planned: Configuration): ChangeRefusal | null {
    const { configuration, id } = this.node;
    for (const voter of votersOf(planned)) {
      if (voter === id || isVoter(configuration, voter)) continue;
      const { isAlive, isCaughtUp } = this.followers.standingOf(voter);
      if (!isAlive || !isCaughtUp) return "notCaughtUp";
      if (!this.understands(voter)) return "version";
    }
    return null;
  }

  private standingOf(id: MemberId): Standing {
    if (id === this.node.id) return { isAlive: true, isDead: false, isCaughtUp: true };
    const standing = this.followers.standingOf(id);
    return this.understands(id) ? standing : { ...standing, isCaughtUp: false };
  }

  /** Whether it has said that it understands the feature version in force: otherwise it cannot vote. */
  private understands(id: MemberId): boolean {
    return (this.followers.progressOf(id)?.version ?? 0) >= this.node.configuration.version;
  }

  /** To the highest version that all members understand; whether there is such a one. */
  private raiseVersion(): boolean {
    const { configuration, id, options } = this.node;
    let lowest = options.version;
    for (const member of configuration.members) {
      if (member.id !== id) lowest = Math.min(lowest, this.followers.progressOf(member.id)?.version ?? 0);
    }
    if (lowest <= configuration.version) return false;
    this.node.appendConfiguration({ ...configuration, version: lowest });
    return true;
  }

  private resolve(request: RequestNumber, outcome: ChangeOutcome): void {
    this.node.effects.push({ type: "ChangeResolved", request, outcome });
  }
}
