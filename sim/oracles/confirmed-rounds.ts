/**
 * Since when it is known that whoever led then leads, by what nodes were really told: a member hears its leader, and
 * the leader hears from a quorum that they have. Found out without a word of who confirms what at the leader, so that a
 * read that is answered on any other ground is seen at once (read-oracle.ts), be it stale or not.
 *
 * A round begins here when the first member hears of it, which is a little later than the leader began it: so it errs
 * to one side only.
 */
import type { Instant, MemberId, NodeId, Term } from "../../core/types.ts";
import { nodeOf } from "../../core/types.ts";
import type { PeerMessage } from "../../core/wire/peer.ts";
import type { RaftObservation } from "./boundary.ts";
import { isQuorum } from "./quorum.ts";

/** What is known of a term. */
interface Reign {
  readonly term: Term;
  /** By round: when it was first heard of. */
  readonly heardAt: Map<number, Instant>;
  /** By node: the latest round of which the leader knows that it has heard. */
  readonly answered: Map<NodeId, number>;
}

/** So many terms, and so many rounds of each, are remembered. */
const REMEMBERED_TERMS = 4;
const REMEMBERED_ROUNDS = 256;

export class ConfirmedRounds {
  /** The latest round that a quorum has answered was first heard of then. */
  since = -1 as Instant;
  /** The latest terms, ascending. */
  private reigns: Reign[] = [];

  /** A node as it is after a step. */
  shown(now: Instant, after: RaftObservation): void {
    // Nobody else is needed, and nobody need be asked.
    if (after.role === "leader" && isQuorum(after.configuration, (id) => id === after.id)) this.since = now;
  }

  /** A node, which is now like this, has heard the message, or was: its configuration may be another since. */
  heard(now: Instant, from: NodeId, message: PeerMessage, before: RaftObservation, after: RaftObservation): void {
    if (message.type === "AppendEntries") this.began(now, message.term, message.round);
    if (message.type !== "AppendEntriesReply" || before.role !== "leader") return;
    if (message.term !== before.currentTerm) return;
    const reign = this.reignOf(message.term);
    if (reign === null) return;
    const { answered } = reign;
    answered.set(from, Math.max(message.round, answered.get(from) ?? 0));
    for (const { configuration, id: own } of [before, after]) this.confirm(reign, configuration, own);
  }

  private began(now: Instant, term: Term, round: number): void {
    const heardAt = this.reignOf(term)?.heardAt;
    if (heardAt === undefined || heardAt.has(round)) return;
    heardAt.set(round, now);
    if (heardAt.size <= REMEMBERED_ROUNDS) return;
    const [oldest] = heardAt.keys();
    if (oldest !== undefined) heardAt.delete(oldest);
  }

  private confirm({ answered, heardAt }: Reign, configuration: RaftObservation["configuration"], own: MemberId): void {
    for (const [round, at] of heardAt) {
      if (at <= this.since) continue;
      const hasHeard = (id: MemberId): boolean => id === own || (answered.get(nodeOf(id)) ?? 0) >= round;
      if (isQuorum(configuration, hasHeard)) this.since = at;
    }
  }

  /** null: it is too long ago. */
  private reignOf(term: Term): Reign | null {
    const known = this.reigns.find((reign) => reign.term === term);
    if (known !== undefined) return known;
    const oldest = this.reigns[0];
    if (oldest !== undefined && this.reigns.length >= REMEMBERED_TERMS && term < oldest.term) return null;
    const reign: Reign = { term, heardAt: new Map(), answered: new Map() };
    this.reigns = [...this.reigns, reign].sort((one, other) => one.term - other.term).slice(-REMEMBERED_TERMS);
    return reign;
  }
}
