/**
 * The five properties of figure 3, across nodes and across crashes, judged after every step from what the nodes show of
 * themselves and from what their disks really hold.
 *
 * Each check costs what the step changed: runs of terms rather than entries, and one place of the log at a time, as Log
 * Matching, which is checked for every new run, carries it to all places before.
 */
import { TermRuns } from "../../core/term-runs.ts";
import type { NodeEffect } from "../../core/node/boundary.ts";
import type { RecordHeader } from "../../core/storage/record.ts";
import type { EntryId, LogIndex, NodeId, Term } from "../../core/types.ts";
import { majority, NO_ENTRY, sameEntry } from "../../core/types.ts";
import type { DurableDisk, JudgeCounts, RaftObservation, Violation } from "./boundary.ts";
import { CommittedLog } from "./committed.ts";
import { DurableNode } from "./durable-node.ts";
import { LogHistory } from "./log-history.ts";
import { judgeNumbers } from "./node-numbers.ts";
import { judgePromise } from "./promise.ts";
import { violation } from "./violation.ts";

/** What an oracle keeps of a node. */
interface Subject {
  readonly node: NodeId;
  readonly disk: DurableNode;
  life: number;
  /** As of the last step in this process life; null: it has shown nothing yet, or there is no process. */
  before: RaftObservation | null;
}

/** A step of a node: its Raft before (null: the first of this life) and after it. */
interface Step {
  readonly subject: Subject;
  readonly before: RaftObservation | null;
  readonly after: RaftObservation;
  readonly log: TermRuns;
}

export class RaftOracle {
  private readonly subjects: ReadonlyMap<NodeId, Subject>;
  private readonly counts: JudgeCounts;
  private readonly history = new LogHistory();
  private readonly committed = new CommittedLog();
  /** Who led each term, in which of its lives. */
  private readonly reigns = new Map<Term, { readonly node: NodeId; readonly life: number }>();

  constructor(nodes: readonly NodeId[], counts: JudgeCounts) {
    this.counts = counts;
    const subjects = nodes.map((node): Subject => ({ node, disk: new DurableNode(), life: 0, before: null }));
    this.subjects = new Map(subjects.map((subject) => [subject.node, subject]));
  }

  started(node: NodeId, disk: DurableDisk): Violation | null {
    const subject = this.subject(node);
    subject.life++;
    return this.judgeRecords(node, subject.disk.started(disk));
  }

  /** Memory is gone: the node is its disk. */
  crashed(node: NodeId): void {
    this.subject(node).before = null;
  }

  synced(node: NodeId, file: string, disk: DurableDisk): Violation | null {
    return this.judgeRecords(node, this.subject(node).disk.synced(file, disk));
  }

  stepped(node: NodeId, after: RaftObservation | null, effects: readonly NodeEffect[]): Violation | null {
    if (after === null) return null;
    const subject = this.subject(node);
    const { before } = subject;
    subject.before = after;
    const step: Step = { subject, before, after, log: new TermRuns(after.terms, after.last) };
    return (
      judgeNumbers(node, before, after, subject.disk.hardState)
      ?? this.judgeLog(step)
      ?? this.judgeReign(step)
      ?? this.judgeCommit(step)
      ?? judgePromises(step, effects)
    );
  }

  private subject(node: NodeId): Subject {
    const subject = this.subjects.get(node);
    if (subject === undefined) throw new RangeError(`no node ${node}`);
    return subject;
  }

  private judgeRecords(node: NodeId, records: readonly RecordHeader[]): Violation | null {
    for (const record of records) {
      const found = this.history.judgeContent(node, record);
      if (found !== null) return found;
    }
    return null;
  }

  // Logs.

  private judgeLog({ subject: { node, disk }, before, after, log }: Step): Violation | null {
    if (before === null) return judgeRecovered(node, disk, log) ?? this.history.judgeRuns(node, after.terms, 0);
    if (before.terms === after.terms && before.last.index <= after.last.index) return null;
    const mismatch = this.history.judgeRuns(node, after.terms, sharedRuns(before.terms, after.terms));
    if (mismatch !== null) return mismatch;
    const held = this.committed.sharedWith(before);
    if (log.holds(held)) return null;
    return violation("committed-immutable", `${node} gave up the committed entry ${show(held)}`, [node], held.index);
  }

  // Leaders.

  private judgeReign({ subject: { node, life }, before, after, log }: Step): Violation | null {
    if (after.role !== "leader") return null;
    const term = after.currentTerm;
    if (before !== null && before.role === "leader" && before.currentTerm === term) {
      if (log.holds(before.last)) return null;
      const message = `${node} led term ${term} and cut ${show(before.last)}`;
      return violation("leader-append-only", message, [node], before.last.index);
    }
    this.counts.elections++;
    const reign = this.reigns.get(term);
    if (reign !== undefined && (reign.node !== node || reign.life !== life)) {
      return violation("election-safety", `${reign.node} and ${node} both led term ${term}`, [reign.node, node]);
    }
    this.reigns.set(term, { node, life });
    const voters = [...this.subjects.values()].filter(({ disk }) => disk.votedFor(node, term));
    if (voters.length < majority(this.subjects.size)) {
      const message = `${node} leads term ${term} with the votes of [${names(voters)}] only`;
      return violation("election-safety", message, [node]);
    }
    const needed = this.committed.lastCommittedBefore(term);
    if (log.holds(needed)) return null;
    const message = `${node} leads term ${term} without ${show(needed)}, committed in an earlier term`;
    return violation("leader-completeness", message, [node], needed.index);
  }

  // Commitment.

  private judgeCommit({ subject: { node }, before, after, log }: Step): Violation | null {
    const { commitIndex } = after;
    const known = this.committed.last.index;
    if (commitIndex === (before?.commitIndex ?? 0)) return null;
    const common = Math.min(commitIndex, known) as LogIndex;
    if (log.idAt(common).term !== this.committed.idAt(common).term) {
      const message = `${node} committed ${show(log.idAt(common))}, not ${show(this.committed.idAt(common))}`;
      return violation("state-machine-safety", message, [node], common);
    }
    if (commitIndex <= known) return null;
    this.counts.entriesCommitted += commitIndex - known;
    this.committed.extend(log, commitIndex, after.currentTerm);
    return this.judgeQuorum(node, log.idAt(commitIndex)) ?? this.judgeElectable(node, log.idAt(commitIndex));
  }

  /** Committed means: on the disks of a majority, whatever anybody says. */
  private judgeQuorum(node: NodeId, entry: EntryId): Violation | null {
    const holders = [...this.subjects.values()].filter(({ disk }) => disk.holds(entry));
    if (holders.length >= majority(this.subjects.size)) return null;
    const message = `${node} committed ${show(entry)}, which only [${names(holders)}] hold durably`;
    return violation("durable-quorum", message, [node], entry.index);
  }

  /**
   * Leader Completeness as a law of states: nobody who lacks a committed entry could gather a majority, whatever
   * crashes and elections come next. A voter is taken as what its disk would remember.
   */
  private judgeElectable(node: NodeId, entry: EntryId): Violation | null {
    const subjects = [...this.subjects.values()];
    for (const candidate of subjects) {
      if (holdsNow(candidate, entry)) continue;
      const own = candidate.before?.last ?? candidate.disk.last ?? NO_ENTRY;
      const voters = subjects.filter(({ disk }) => isAtLeastAsUpToDate(own, disk.last ?? NO_ENTRY));
      if (voters.length < majority(subjects.length)) continue;
      const message = `${node} committed ${show(entry)}; ${candidate.node} lacks it, ends at ${show(own)}, `
        + `and [${names(voters)}] could elect it`;
      return violation("leader-completeness", message, [node, candidate.node], entry.index);
    }
    return null;
  }
}

/** A new life begins with all that was durable. */
function judgeRecovered(node: NodeId, disk: DurableNode, log: TermRuns): Violation | null {
  if (disk.last === null || log.holds(disk.last)) return null;
  const message = `${node} recovered a log that ends at ${show(log.last)}; its disk held ${show(disk.last)}`;
  return violation("recovery", message, [node], disk.last.index);
}

function judgePromises({ subject: { node, disk }, log }: Step, effects: readonly NodeEffect[]): Violation | null {
  for (const effect of effects) {
    if (effect.type !== "Send") continue;
    const broken = judgePromise(node, effect.to, effect.bytes, disk, log);
    if (broken !== null) return violation("durable-promise", broken, [node]);
  }
  return null;
}

/** Whether the node's log has the entry: in memory, or on its disk while it is down. */
function holdsNow({ before, disk }: Subject, entry: EntryId): boolean {
  return before === null ? disk.holds(entry) : new TermRuns(before.terms, before.last).holds(entry);
}

/** §5.4.1, written once more: a judge does not borrow the rule of the judged. */
function isAtLeastAsUpToDate(candidate: EntryId, voter: EntryId): boolean {
  return candidate.term > voter.term || (candidate.term === voter.term && candidate.index >= voter.index);
}

/** How many runs at the beginning are the same. */
function sharedRuns(before: readonly EntryId[], after: readonly EntryId[]): number {
  if (before === after) return after.length;
  let shared = 0;
  while (isSameRun(before[shared], after[shared])) shared++;
  return shared;
}

function isSameRun(one: EntryId | undefined, other: EntryId | undefined): boolean {
  return one !== undefined && other !== undefined && sameEntry(one, other);
}

function names(subjects: readonly Subject[]): string {
  return subjects.map((subject) => subject.node).join(" ");
}

function show(entry: EntryId): string {
  return `${entry.term}/${entry.index}`;
}
