/**
 * Who is of the cluster, as somebody sees it who sees everything: for those who ask for changes and for those who break
 * things, so that neither takes away what the promise needs. It influences no node.
 *
 * The hard idea is `settled`: a configuration that nothing which stands in any log can take back. The leader of the
 * highest term that any disk knows has committed an entry of its own term and the configuration that is in force: then
 * every entry of an earlier term that it lacks is lost, and with it every other configuration.
 */
import type { Configuration } from "../core/raft/configuration.ts";
import { majority, type MemberId, type NodeId, nodeOf } from "../core/types.ts";
import type { RaftObservation } from "./oracles/boundary.ts";
import { halvesOf, showConfiguration } from "./oracles/quorum.ts";
import type { NodeProcess } from "./process.ts";

/** A configuration, where its entry stands, and which nodes' logs end with it. */
export interface PossibleConfiguration {
  readonly configuration: Configuration;
  readonly index: number;
  readonly knownBy: readonly NodeId[];
}

export interface Settled {
  readonly leader: NodeProcess;
  readonly configuration: Configuration;
}

export class Membership {
  private readonly nodes: readonly NodeProcess[];
  private readonly founders: readonly NodeId[];
  /** As each node has shown itself last, be it running or not; its disk is there. */
  private readonly shown = new Map<NodeProcess, RaftObservation>();
  private readonly lost = new Set<MemberId>();
  /** Members whose disks, or states, have been damaged and are not known to be whole again. */
  private readonly damaged = new Set<MemberId>();
  /** Who has ever been the only voter, as somebody saw it. */
  private readonly lonely = new Set<MemberId>();
  /** The last settled one; null: there was none yet. */
  private known: Configuration | null = null;

  constructor(nodes: readonly NodeProcess[], founders: readonly NodeId[]) {
    this.nodes = nodes;
    this.founders = founders;
  }

  /** Whether a member that was damaged has become whole again. */
  stepped(node: NodeProcess, raft: RaftObservation | null): boolean {
    if (raft === null) return false;
    this.shown.set(node, raft);
    const [half = [], ...others] = halvesOf(raft.configuration);
    if (half.length === 1 && others.length === 0) this.lonely.add(half[0]!);
    if (this.damaged.size === 0 || !this.damaged.has(raft.id) || !isWhole(node, raft)) return false;
    this.damaged.delete(raft.id);
    return true;
  }

  /** Its disk, or its state, is damaged from now on, until nothing of that is left. */
  damage(node: NodeProcess): void {
    const id = this.idOf(node);
    if (id !== null) this.damaged.add(id);
  }

  isDamaged(node: NodeProcess): boolean {
    const id = this.idOf(node);
    return id !== null && this.damaged.has(id);
  }

  /** Its disk is gone. */
  forget(node: NodeProcess): void {
    const raft = this.shown.get(node);
    if (raft !== undefined) {
      this.lost.add(raft.id);
      this.damaged.delete(raft.id);
    }
    this.shown.delete(node);
  }

  /** Nobody has this disk, and nobody ever will. */
  exclude(id: MemberId): void {
    this.lost.add(id);
  }

  /** null: it has never been of a cluster with this disk. */
  idOf(node: NodeProcess): MemberId | null {
    return this.shown.get(node)?.id ?? null;
  }

  /** Whose disk it is; null: it is lost, or nobody's. */
  nodeOf(id: MemberId): NodeProcess | null {
    return this.nodes.find((node) => this.idOf(node) === id) ?? null;
  }

  isLost(id: MemberId): boolean {
    return this.lost.has(id);
  }

  /** The running leader of the highest term; null: nobody leads. */
  leader(): NodeProcess | null {
    let best: NodeProcess | null = null;
    for (const node of this.nodes) {
      if (node.machine === null || this.shown.get(node)?.role !== "leader") continue;
      if (best === null || this.termOf(node) > this.termOf(best)) best = node;
    }
    return best;
  }

  settled(): Settled | null {
    const leader = this.leader();
    const raft = leader === null ? undefined : this.shown.get(leader);
    if (leader === null || raft === undefined) return null;
    const isCommitted = raft.configurationIndex <= raft.commitIndex && raft.configuration.outgoing.length === 0;
    if (!isCommitted || termAt(raft, raft.commitIndex) !== raft.currentTerm) return null;
    if ([...this.shown.values()].some(({ currentTerm }) => currentTerm > raft.currentTerm)) return null;
    this.known = raft.configuration;
    return { leader, configuration: raft.configuration };
  }

  /**
   * Whether a quorum of it has its disks, and those undamaged, without that of `victim` too. Damaged members that do
   * not vote count as if they did: they may get the vote at any time.
   */
  lives(configuration: Configuration, victim: MemberId | null = null): boolean {
    const isBad = (id: MemberId): boolean => id === victim || this.lost.has(id) || this.damaged.has(id);
    const waiting = configuration.members.filter(({ id, role }) => role !== "voter" && this.damaged.has(id)).length;
    return halvesOf(configuration).every((voters) => {
      return voters.filter((id) => !isBad(id)).length - waiting >= majority(voters.length);
    });
  }

  /** A member with the disk that it is known by, and nothing on it is damaged, nor in its memory. */
  isWholeMember(node: NodeProcess): boolean {
    const id = this.idOf(node);
    return id !== null && !this.lost.has(id) && !this.damaged.has(id);
  }

  /** Those that may be in force: the last that somebody knows to be committed, and all behind it in any log. */
  possibleConfigurations(): readonly PossibleConfiguration[] {
    const shown = [...this.shown.values()];
    const committed = shown.filter(({ configurationIndex, commitIndex }) => configurationIndex <= commitIndex);
    const first = Math.max(0, ...committed.map(({ configurationIndex }) => configurationIndex));
    const found = new Map<string, PossibleConfiguration & { readonly knownBy: NodeId[] }>();
    for (const { id, configuration, configurationIndex: index } of shown) {
      if (index < first) continue;
      const key = `${index} ${showConfiguration(configuration)}`;
      const known = found.get(key) ?? { configuration, index, knownBy: [] };
      known.knownBy.push(nodeOf(id));
      found.set(key, known);
    }
    return [...found.values()];
  }

  /** Of which voters one more is needed for a quorum, if only these count; empty: they are one. */
  missingFrom(configuration: Configuration, counts: (id: MemberId) => boolean): readonly MemberId[] {
    const short = halvesOf(configuration).find((voters) => voters.filter(counts).length < majority(voters.length));
    return short?.filter((id) => !counts(id)) ?? [];
  }

  /** Whether its disk may say that it is the only voter: then nobody could give back what it loses. */
  mayBeAlone(node: NodeProcess): boolean {
    const id = this.idOf(node);
    return id !== null && (this.founders.length === 1 || this.lonely.has(id));
  }

  /** Whom a node with an empty disk is to ask, sorted: as its operator would write it down today. */
  toAsk(node: NodeProcess): readonly NodeId[] {
    this.settled();
    const members = this.known?.members.filter(({ id }) => !this.lost.has(id)).map(({ id }) => nodeOf(id));
    const others = (members ?? this.founders).filter((id) => id !== node.id);
    return others.length > 0 ? others : this.founders.filter((id) => id !== node.id);
  }

  private termOf(node: NodeProcess): number {
    return this.shown.get(node)?.currentTerm ?? 0;
  }
}

/** Nothing damaged is on its disk, nothing is lost to it, and its state is that of the others. */
function isWhole({ disk, isFlipped }: NodeProcess, { lost }: RaftObservation): boolean {
  return lost === null && !isFlipped && !disk.isVitallyDamaged && !disk.isMisreading;
}

export function termAt({ terms, base }: RaftObservation, index: number): number {
  return terms.findLast((run) => run.index <= index)?.term ?? base.term;
}
