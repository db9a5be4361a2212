/**
 * What one node knows of who is of its cluster, by name: the configuration in force, which is Raft's, and the last one
 * that is known to be committed, which is what others may be told and judged by. Decides nothing of consensus.
 *
 * The hard question is whom not to hear. Consensus counts disks (MemberId), so it needs nobody to be silenced: a vote
 * or an acknowledgement of a disk that was replaced is that disk's, and is counted only where a configuration still
 * names it. Safety does not rest on this file. What silence is good for is that an operator is told of a disk that goes
 * on after it was replaced, and that nobody is bothered by it. Against that stands liveness: a node that lags behind
 * has to hear a leader whose new disk it does not know yet. The cases, for a sender that the committed configuration
 * does not name, while it names another disk of the sender's node:
 *
 * 1. No committed configuration that we know of has ever named the sender: it is newer than what we know. Heard.
 * 2. One has, and the other disk took its place by an entry of term T. What it says in a term up to T it says as the
 *    member that it is no longer: dropped, and reported. Nobody needs it. It does not lead T any more (a leader that is
 *    removed leads until that is committed, and no longer), and an earlier leader's word is worth nothing after T.
 * 3. As 2, in a term above T. Either it stands for election, which is Raft's affair (pre-vote, stickiness); or it has
 *    been let in again by an entry that we do not have yet, and may even lead. That entry is of term T or later, and
 *    who leads or campaigns by it does so in a term above T. Heard. (Its acknowledgements to the leader of T itself are
 *    not, until it is committed as a member again, for which they are not needed: who is new does not vote.)
 *
 * While a change is under way the configuration names both disks, and both are heard; a node of which no disk is a
 * member is heard, too: it may be on its way in. A restart forgets who was replaced before the snapshot, the founders
 * excepted, and then 1 holds: it errs towards hearing.
 */
import { invariant } from "../invariant.ts";
import { decodeConfiguration } from "../raft/configuration-codec.ts";
import { everybodyIn, foundingConfiguration, memberOf, type Configuration } from "../raft/configuration.ts";
import type { SnapshotId } from "../raft/message.ts";
import { founderIds, nodeOf } from "../types.ts";
import type { Entry, Founder, MemberId, NodeId, Term } from "../types.ts";

/** So many former members are remembered, the latest. */
const MAX_FORMER = 256;

export class Roster {
  /** What Raft goes by: the last one in its log. */
  inForce: Configuration;
  /** The last one that is known to be committed in this process life. */
  committed: Configuration;
  /**
   * Disks that committed configurations named before: the term of the entry that named another disk of their node in
   * their place; null: none has.
   */
  private readonly former = new Map<MemberId, Term | null>();

  /** @param snapshot the state begins with it; null: with the founding of the cluster. */
  constructor(founders: readonly Founder[], snapshot: SnapshotId | null) {
    const founding = foundingConfiguration(founderIds(founders));
    this.inForce = founding;
    this.committed = founding;
    if (snapshot === null) return;
    this.inForce = snapshot.configuration;
    this.commit(snapshot.configuration, snapshot.entry.term);
  }

  /** Whether a committed configuration names this very disk, be it as one that is being left. */
  admits(member: MemberId): boolean {
    return memberOf(this.committed, member) !== null;
  }

  /** The member that a node is by the configuration in force; null: none. */
  memberOf(node: NodeId): MemberId | null {
    return this.inForce.members.find(({ id }) => nodeOf(id) === node)?.id ?? null;
  }

  /** Whether what the sender says in this term is to be dropped, see above. */
  isReplaced(sender: MemberId, term: Term): boolean {
    const replacedIn = this.former.get(sender) ?? null;
    return replacedIn !== null && term <= replacedIn;
  }

  /** These entries are committed. Whether one of them says who is of the cluster. */
  applied(entries: readonly Entry[]): boolean {
    let isNews = false;
    for (const entry of entries) {
      if (entry.kind !== "configuration") continue;
      const decoded = decodeConfiguration(entry.payload);
      invariant(decoded.ok, "what is committed as a configuration is one");
      this.commit(decoded.value, entry.term);
      isNews = true;
    }
    return isNews;
  }

  restored({ configuration, entry }: SnapshotId): void {
    this.commit(configuration, entry.term);
  }

  private commit(configuration: Configuration, term: Term): void {
    const named = new Set(everybodyIn(configuration).map(({ id }) => id));
    const nodes = new Set([...named].map(nodeOf));
    for (const { id } of everybodyIn(this.committed)) if (!named.has(id)) this.former.set(id, null);
    for (const [id, replacedIn] of this.former) {
      if (named.has(id)) this.former.delete(id);
      else if (replacedIn === null && nodes.has(nodeOf(id))) this.former.set(id, term);
    }
    for (const id of this.former.keys()) if (this.former.size > MAX_FORMER) this.former.delete(id);
    this.committed = configuration;
  }
}
