/**
 * What "committed" means, judged by the disks: an entry that is said to be committed is on those of a quorum of the
 * configuration in force, and nobody without it could be elected any more.
 *
 * The configuration in force is that of the node that commits, which may know of a newer one than all others. It is
 * joint for as long as that matters: so each configuration entry has to be on a quorum of itself as well.
 */
import type { Configuration } from "../../core/raft/configuration.ts";
import type { EntryId, LogIndex, MemberId, NodeId } from "../../core/types.ts";
import { NO_ENTRY } from "../../core/types.ts";
import type { JudgeCounts, Violation } from "./boundary.ts";
import type { CommittedLog } from "./committed.ts";
import { isAtLeastAsUpToDate } from "./durable-node.ts";
import type { ConfigurationHistory } from "./configuration-history.ts";
import { isQuorum, showConfiguration, votesIn } from "./quorum.ts";
import { contains, hasNow, names, showEntry, type Step, type Subject } from "./subject.ts";
import { violation } from "./violation.ts";

export interface Population {
  /** Every disk that has not been lost. */
  readonly subjects: Iterable<Subject>;
  /** Lost ones, too. */
  byMember(id: MemberId): Subject | undefined;
}

export class Commitment {
  private readonly population: Population;
  private readonly committed: CommittedLog;
  private readonly configurations: ConfigurationHistory;
  private readonly counts: JudgeCounts;

  constructor(
    population: Population, committed: CommittedLog, configurations: ConfigurationHistory, counts: JudgeCounts,
  ) {
    this.population = population;
    this.committed = committed;
    this.configurations = configurations;
    this.counts = counts;
  }

  judge({ subject: { node }, before, after, log }: Step): Violation | null {
    const { commitIndex } = after;
    const known = this.committed.last.index;
    if (commitIndex === (before?.commitIndex ?? 0)) return null;
    const common = Math.min(commitIndex, known) as LogIndex;
    if (common > log.base.index && log.termAt(common) !== this.committed.idAt(common).term) {
      const message = `${node} committed ${showEntry(log.idAt(common))}, not ${showEntry(this.committed.idAt(common))}`;
      return violation("state-machine-safety", message, [node], common);
    }
    if (commitIndex <= known) return null;
    this.counts.entriesCommitted += commitIndex - known;
    this.committed.extend(log, commitIndex, after.currentTerm);
    for (const { entry, configuration } of this.configurations.within(log, known, commitIndex)) {
      const missing = this.judgeQuorum(node, entry, configuration);
      if (missing !== null) return missing;
    }
    const entry = log.idAt(commitIndex);
    return this.judgeQuorum(node, entry, after.configuration) ?? this.judgeElectable(node, entry);
  }

  /** Committed means: on the disks of a quorum, whatever anybody says. */
  private judgeQuorum(node: NodeId, entry: EntryId, configuration: Configuration): Violation | null {
    // Who has lost it since it acknowledged it guards it all the same.
    if (isQuorum(configuration, (id) => this.population.byMember(id)?.disk.guards(entry) ?? false)) return null;
    const holders = [...this.population.subjects].filter(({ disk }) => disk.holds(entry));
    const message = `${node} committed ${showEntry(entry)} under ${showConfiguration(configuration)}, `
      + `and only [${names(holders)}] hold it durably`;
    return violation("durable-quorum", message, [node], entry.index);
  }

  /**
   * Leader Completeness as a law of states: nobody who lacks a committed entry could gather a quorum of the
   * configuration that it goes by, whatever crashes and elections come next. A voter is taken as what its disk would
   * remember.
   */
  private judgeElectable(node: NodeId, entry: EntryId): Violation | null {
    for (const candidate of this.population.subjects) {
      if (candidate.id === null || hasNow(candidate, entry)) continue;
      const { before, disk } = candidate;
      // Who has lost something stands only when it has all of that again.
      if ((before === null ? disk.lost : before.lost) !== null) continue;
      const configuration = before?.configuration ?? disk.configuration ?? this.configurations.foundingConfiguration;
      const isOpen = before !== null && before.configurationIndex > before.commitIndex;
      if (configuration === null || (!votesIn(configuration, candidate.id) && !isOpen)) continue;
      const own = before?.last ?? disk.last ?? NO_ENTRY;
      const grants = (id: MemberId): boolean => {
        const voter = this.population.byMember(id);
        return voter !== undefined && !voter.isLost && isAtLeastAsUpToDate(own, voter.disk.acknowledged ?? NO_ENTRY);
      };
      if (!isQuorum(configuration, grants)) continue;
      const message = `${showEntry(entry)} is committed (${node}); ${candidate.node} lacks it, ends at `
        + `${showEntry(own)}, and could be elected under ${showConfiguration(configuration)}`;
      return violation("leader-completeness", message, [node, candidate.node], entry.index);
    }
    return null;
  }

  /** The node says that it has again what it had lost: from now on it votes as any other. */
  judgeForgotten(node: NodeId): Violation | null {
    const { last } = this.committed;
    return last.index === 0 ? null : this.judgeElectable(node, last);
  }

  /** A new leader of this step's term has all that was committed in earlier ones. */
  judgeLeader({ subject: { node }, after: { currentTerm: term }, log }: Step): Violation | null {
    const needed = this.committed.lastCommittedBefore(term);
    if (contains(log, needed)) return null;
    const message = `${node} leads term ${term} without ${showEntry(needed)}, committed in an earlier term`;
    return violation("leader-completeness", message, [node], needed.index);
  }

  /** What a node has compacted, or taken a snapshot of, is committed. */
  judgeBase({ subject: { node }, after: { base, snapshot } }: Step): Violation | null {
    for (const entry of [base, snapshot]) {
      const { index } = entry;
      if (index <= this.committed.last.index && this.committed.idAt(index).term === entry.term) continue;
      const message = `${node} has compacted or stored a snapshot of ${showEntry(entry)}, which is not committed`;
      return violation("state-machine-safety", message, [node], index);
    }
    return null;
  }
}
