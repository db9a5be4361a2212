/**
 * How a node of a cluster receives those that say that they are empty: what it answers, and whom it remembers so that
 * they can be let in by name. Why that is safe stands in bootstrap.ts, the other side. Nothing is decided here: who is
 * let in is an operator's affair, and a configuration's.
 *
 *   the committed configuration names its very disk   Admitted; Founded between founders, who expect it
 *   it is a founder's disk, and no member any more    Founded, and remembered
 *   it is a stranger                                  Founded, which tells it that it is one, and remembered
 *
 * Remembered is the latest disk of each node, and of so many nodes and no more, as anybody may knock.
 */
import { compareNodeIds, memberIdOf } from "../types.ts";
import type { ClusterIdentity, Founder, Incarnation, MemberId, NodeId } from "../types.ts";
import type { Admitted, Empty, Founded } from "../wire/peer.ts";
import { incarnationIn } from "./bootstrap.ts";
import type { Stranger } from "./boundary.ts";
import type { Rejection } from "./correspondence.ts";
import type { Roster } from "./roster.ts";

export const MAX_STRANGERS = 64;

export interface Answer {
  readonly message: Founded | Admitted;
  /** What operators are to be told; null: nothing, it is expected. */
  readonly rejection: Rejection | null;
}

export class Reception {
  private readonly founders: readonly Founder[];
  private readonly isFounder: boolean;
  /** The one that was heard last stands last. */
  private readonly heard = new Map<NodeId, Stranger>();

  constructor({ founders }: ClusterIdentity, self: MemberId) {
    this.founders = founders;
    this.isFounder = founders.some(({ node, incarnation }) => memberIdOf(node, incarnation) === self);
  }

  answer(from: NodeId, incarnation: Incarnation, { address }: Empty, roster: Roster): Answer {
    const { founders } = this;
    const isFounded = incarnationIn(founders, from) === incarnation;
    if (roster.admits(memberIdOf(from, incarnation))) {
      const type = isFounded && this.isFounder ? "Founded" : "Admitted";
      return { message: { type, founders }, rejection: null };
    }
    this.remember({ node: from, incarnation, address });
    const known = roster.memberOf(from) ?? founderOf(founders, from);
    const reason = known === null || known === memberIdOf(from, incarnation) ? "notAdmitted" : "wrongIncarnation";
    const detail = `it says that it is empty, with disk ${incarnation}, which is no member of this cluster`;
    return { message: { type: "Founded", founders }, rejection: { reason, detail } };
  }

  /** The empty disk of a node that was heard last; null: none was. */
  strangerOf(node: NodeId): Stranger | null {
    return this.heard.get(node) ?? null;
  }

  /** Forgets those that have been let in. */
  forgetMembers(roster: Roster): void {
    for (const { node, incarnation } of this.heard.values()) {
      if (roster.admits(memberIdOf(node, incarnation))) this.heard.delete(node);
    }
  }

  /** Sorted by node. */
  get strangers(): readonly Stranger[] {
    return [...this.heard.values()].sort((a, b) => compareNodeIds(a.node, b.node));
  }

  private remember(stranger: Stranger): void {
    this.heard.delete(stranger.node);
    this.heard.set(stranger.node, stranger);
    for (const node of this.heard.keys()) if (this.heard.size > MAX_STRANGERS) this.heard.delete(node);
  }
}

function founderOf(founders: readonly Founder[], node: NodeId): MemberId | null {
  const incarnation = incarnationIn(founders, node);
  return incarnation === null ? null : memberIdOf(node, incarnation);
}
