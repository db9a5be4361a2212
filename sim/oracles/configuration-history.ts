/**
 * Which configurations the logs of a run have ever said, and the laws of their change: each is appended by a leader,
 * one at a time, and changes voters only by way of a joint one; in force at a node is the last one of its log.
 *
 * A node that keeps a configuration whose entry was cut off its log, or that overlooks one, is found in the step in
 * which it happens, and not when two majorities without a common node have done their harm.
 */
import type { Configuration } from "../../core/raft/configuration.ts";
import type { TermRuns } from "../../core/term-runs.ts";
import { type EntryId, type LogIndex, type NodeId, sameEntry } from "../../core/types.ts";
import type { RaftObservation, Violation } from "./boundary.ts";
import type { CommittedLog } from "./committed.ts";
import { halvesOf, showConfiguration } from "./quorum.ts";
import { violation } from "./violation.ts";

interface Said {
  readonly entry: EntryId;
  readonly configuration: Configuration;
  readonly text: string;
}

export class ConfigurationHistory {
  private readonly committed: CommittedLog;
  /** What is in force where no entry says otherwise; null: nobody has shown it yet. */
  private founding: Said | null = null;
  /** In the order in which they were seen first. */
  private readonly said: Said[] = [];

  constructor(committed: CommittedLog) {
    this.committed = committed;
  }

  /** null: nobody has shown it yet. */
  get foundingConfiguration(): Configuration | null {
    return this.founding?.configuration ?? null;
  }

  /** The configurations whose entries stand above `after` and up to `end` in this log. */
  within(log: TermRuns, after: LogIndex, end: LogIndex): readonly Said[] {
    return this.said.filter(({ entry }) => entry.index > after && entry.index <= end && log.holds(entry));
  }

  /** The node has taken a step. `before` null: the first of its life. */
  judge(node: NodeId, before: RaftObservation | null, after: RaftObservation, log: TermRuns): Violation | null {
    const isSame = before !== null && before.configuration === after.configuration
      && before.configurationIndex === after.configurationIndex && before.terms === after.terms
      && before.last.index <= after.last.index;
    if (isSame) return null;
    const { configuration, configurationIndex: index } = after;
    if (index > after.last.index) {
      return this.broken(node, index, `the configuration of ${index} is in force, the log ends at ${after.last.index}`);
    }
    if (index === 0) return this.judgeFounding(node, configuration) ?? this.judgeLatest(node, index, log);
    if (index <= after.snapshot.index) return this.judgeStored(node, after, log);
    const entry = log.idAt(index);
    const known = this.said.find((one) => sameEntry(one.entry, entry));
    const text = showConfiguration(configuration);
    if (known === undefined) return this.judgeNew(node, before, after, { entry, configuration, text }, log);
    if (known.text !== text) return this.broken(node, index, `entry ${index} says ${known.text}, in force is ${text}`);
    return this.judgeLatest(node, index, log);
  }

  private judgeFounding(node: NodeId, configuration: Configuration): Violation | null {
    const text = showConfiguration(configuration);
    this.founding ??= { entry: this.committed.idAt(0 as LogIndex), configuration, text };
    if (this.founding.text === text) return null;
    return this.broken(node, 0 as LogIndex, `founded with ${text}, others with ${this.founding.text}`);
  }

  /** It came with a snapshot, which is of committed entries, and says only as of which entry: the last one up to it. */
  private judgeStored(node: NodeId, { configuration, configurationIndex: index }: RaftObservation, log: TermRuns) {
    const isCommitted = ({ entry }: Said): boolean => {
      return entry.index <= index && sameEntry(this.committed.idAt(entry.index), entry);
    };
    const known = this.said.filter(isCommitted).sort((a, b) => a.entry.index - b.entry.index).at(-1) ?? this.founding;
    const text = showConfiguration(configuration);
    if (known === null || known.text === text) return this.judgeLatest(node, index, log);
    return this.broken(node, index, `as of ${index} ${known.text} was committed, its snapshot says ${text}`);
  }

  private judgeLatest(node: NodeId, index: LogIndex, log: TermRuns): Violation | null {
    const overlooked = this.said.find(({ entry }) => entry.index > index && log.holds(entry));
    if (overlooked === undefined) return null;
    const { term, index: later } = overlooked.entry;
    return this.broken(node, later, `the configuration of ${index} is in force, though the log holds ${term}/${later}`);
  }

  private judgeNew(
    node: NodeId, before: RaftObservation | null, after: RaftObservation, next: Said, log: TermRuns,
  ): Violation | null {
    const { term, index } = next.entry;
    this.said.push(next);
    // It may have resigned in the very step.
    const leader = after.role === "leader" ? after : before;
    if (before === null || leader?.role !== "leader" || leader.currentTerm !== term) {
      return this.broken(node, index, `${next.text} is in force by ${term}/${index}, which no leader has appended`);
    }
    if (log.termAt(after.commitIndex) !== term) {
      return this.broken(node, index, `${next.text} was appended in term ${term} before an entry of it was committed`);
    }
    if (before.configurationIndex > after.commitIndex) {
      return this.broken(node, index, `${next.text} was appended before ${before.configurationIndex} was committed`);
    }
    if (followsFrom(before.configuration, next.configuration)) return this.judgeLatest(node, index, log);
    return this.broken(node, index, `${next.text} does not follow from ${showConfiguration(before.configuration)}`);
  }

  private broken(node: NodeId, index: LogIndex, what: string): Violation {
    return violation("configuration", `${node}: ${what}`, [node], index);
  }
}

/** Voters change only by a joint configuration, which is left for its own incoming voters and nothing else. */
function followsFrom(before: Configuration, after: Configuration): boolean {
  const [voters = [], outgoing = []] = halvesOf(before);
  const [nextVoters = [], nextOutgoing = []] = halvesOf(after);
  if (nextOutgoing.length > 0) return outgoing.length === 0 && areSame(nextOutgoing, voters);
  return areSame(nextVoters, voters);
}

function areSame(one: readonly string[], other: readonly string[]): boolean {
  return one.length === other.length && one.every((id, at) => id === other[at]);
}
