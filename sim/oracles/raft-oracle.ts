/**
 * The five properties of figure 3, across nodes and across crashes, judged after every step from what the nodes show of
 * themselves and from what their disks really hold. What a quorum is, the configuration says that is in force where
 * the question comes up: in the candidate's log, in the committing leader's.
 *
 * Each check costs what the step changed: runs of terms rather than entries, and one place of the log at a time, as Log
 * Matching, which is checked for every new run, carries it to all places before.
 */
import type { NodeEffect } from "../../core/node/boundary.ts";
import type { AppendEntriesReply } from "../../core/raft/message.ts";
import type { RecordHeader } from "../../core/storage/record.ts";
import type { TermRuns } from "../../core/term-runs.ts";
import type { EntryId, LogIndex, MemberId, NodeId, Term } from "../../core/types.ts";
import { memberIdOf, sameEntry } from "../../core/types.ts";
import type { DurableDisk, JudgeCounts, RaftObservation, RecoveredImage, Violation } from "./boundary.ts";
import { decodeLetter } from "../../core/wire/peer-codec.ts";
import { Commitment, type Population } from "./commitment.ts";
import { CommittedLog } from "./committed.ts";
import { ConfigurationHistory } from "./configuration-history.ts";
import { DurableNode, isAtLeastAsUpToDate } from "./durable-node.ts";
import { LogHistory } from "./log-history.ts";
import { judgeNumbers } from "./node-numbers.ts";
import { judgePromise } from "./promise.ts";
import { isQuorum, showConfiguration, votesIn } from "./quorum.ts";
import { judgeImage } from "./shadow.ts";
import { contains, logOf, names, showEntry, type Step, type Subject } from "./subject.ts";
import { violation } from "./violation.ts";

export class RaftOracle implements Population {
  private readonly counts: JudgeCounts;
  private readonly byNode = new Map<NodeId, Subject>();
  private readonly byId = new Map<MemberId, Subject>();
  private readonly history = new LogHistory();
  private readonly committed = new CommittedLog();
  private readonly configurations = new ConfigurationHistory(this.committed);
  private readonly commitment: Commitment;
  /** Who led each term, in which of its lives. */
  private readonly reigns = new Map<Term, { readonly id: MemberId; readonly life: number }>();

  constructor(counts: JudgeCounts) {
    this.counts = counts;
    this.commitment = new Commitment(this, this.committed, this.configurations, counts);
  }

  get subjects(): Iterable<Subject> {
    return this.byNode.values();
  }

  /** How far any node has committed. */
  get committedIndex(): LogIndex {
    return this.committed.last.index;
  }

  byMember(id: MemberId): Subject | undefined {
    return this.byId.get(id);
  }

  started(node: NodeId, disk: DurableDisk): Violation | null {
    let subject = this.byNode.get(node);
    if (subject === undefined) {
      subject = { node, disk: new DurableNode(), id: null, life: 0, isLost: false, before: null };
      this.byNode.set(node, subject);
    }
    subject.life++;
    return this.judgeRecords(node, subject.disk.started(disk));
  }

  /** Memory is gone: the node is its disk. */
  crashed(node: NodeId): void {
    this.subject(node).before = null;
  }

  diskLost(node: NodeId): void {
    this.subject(node).isLost = true;
    this.byNode.delete(node);
  }

  synced(node: NodeId, file: string | null, disk: DurableDisk): Violation | null {
    const { disk: durable } = this.subject(node);
    const records = durable.synced(file, disk);
    const found = this.judgeRecords(node, records);
    if (found === null && durable.isAloneUnsaid) {
      return violation("loss", `${node} is the only voter by what is on its disk, which denies it`, [node]);
    }
    return found ?? (durable.takeForgotten() ? this.commitment.judgeForgotten(node) : null);
  }

  stepped(node: NodeId, after: RaftObservation | null, effects: readonly NodeEffect[]): Violation | null {
    if (after === null) return null;
    const subject = this.subject(node);
    const { before } = subject;
    subject.before = after;
    const step: Step = { subject, before, after, log: logOf(after) };
    return (
      this.judgeName(subject, after.id)
      ?? judgeNumbers(node, before, after, subject.disk.hardState)
      ?? this.commitment.judgeBase(step)
      ?? this.judgeLog(step)
      ?? this.configurations.judge(node, before, after, step.log)
      ?? this.judgeReign(step)
      ?? this.commitment.judge(step)
      ?? this.judgePromises(step, effects)
    );
  }

  imageRecovered(node: NodeId, image: RecoveredImage, { isDamaged }: DurableDisk): Violation | null {
    const { disk, before: shown } = this.subject(node);
    if (shown === null) return null;
    const { outcome } = image;
    const broken = judgeImage({ disk, shown, isDamaged }, image);
    if (broken !== null) return violation("crash-shadow", `${node}, crashed now (${image.fate}), ${broken}`, [node]);
    if (outcome.type === "failed") return null;
    const { base, terms } = outcome.recovered.log;
    return this.history.judgeRuns(node, base, terms, 0);
  }

  private judgePromises(
    { subject: { node, disk }, after, log }: Step, effects: readonly NodeEffect[],
  ): Violation | null {
    for (const effect of effects) {
      if (effect.type !== "Send") continue;
      const letter = decodeLetter(effect.bytes);
      if (!letter.ok) return violation("durable-promise", `${node} sent nonsense: ${letter.fault.rule}`, [node]);
      const broken = judgePromise(node, effect.to, letter.letter, disk, log, this.committed);
      if (broken !== null) return violation("durable-promise", broken, [node]);
      const { envelope: { receiver }, message } = letter.letter;
      const to = receiver === null ? null : memberIdOf(effect.to, receiver);
      const wrong = message.type === "TimeoutNow" ? this.judgeSuccessor(node, to, log.idAt(after.commitIndex))
        : message.type === "AppendEntriesReply" ? this.judgeAcceptance(node, message, log) : null;
      if (wrong !== null) return wrong;
    }
    return null;
  }

  /** What is accepted is the leader's own: as long as it leads, it has just that entry. */
  private judgeAcceptance(node: NodeId, { term, result }: AppendEntriesReply, log: TermRuns): Violation | null {
    if (!result.accepted || result.matchIndex <= log.base.index) return null;
    const leader = this.byId.get(this.reigns.get(term)?.id as MemberId)?.before;
    if (leader?.role !== "leader" || leader.currentTerm !== term) return null;
    const entry = log.idAt(result.matchIndex);
    if (contains(logOf(leader), entry)) return null;
    const message = `${node} tells the leader of term ${term} that it has its entries up to ${showEntry(entry)}, `
      + "which is none of them";
    return violation("log-matching", message, [node], entry.index);
  }

  /** Who is asked to stand can win: it has all that is committed. */
  private judgeSuccessor(node: NodeId, to: MemberId | null, entry: EntryId): Violation | null {
    const successor = to === null ? undefined : this.byId.get(to);
    // Who has lost it since, or all of its disk, will not stand, and nobody else may know of that yet.
    if (successor === undefined || successor.isLost) return null;
    if (successor.disk.holds(entry) || successor.disk.hasLost) return null;
    const message = `${node} hands over to ${successor.node}, which lacks ${showEntry(entry)}`;
    return violation("transfer", message, [node, successor.node], entry.index);
  }

  private subject(node: NodeId): Subject {
    const subject = this.byNode.get(node);
    if (subject === undefined) throw new RangeError(`no node ${node}`);
    return subject;
  }

  /** A disk has one name for all its lives, and no other has it. */
  private judgeName(subject: Subject, id: MemberId): Violation | null {
    if (subject.id === id) return null;
    const other = this.byId.get(id);
    if (subject.id !== null || other !== undefined) {
      const message = `${subject.node} calls itself ${id}, which is not ${subject.id ?? "free"}`;
      return violation("recovery", message, [subject.node]);
    }
    subject.id = id;
    this.byId.set(id, subject);
    return null;
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
    const { base, terms, last } = after;
    if (before === null) {
      return judgeRecovered(node, disk, log, after.lost) ?? this.history.judgeRuns(node, base, terms, 0);
    }
    if (before.terms === terms && before.last.index <= last.index) return null;
    const known = sameEntry(before.base, base) ? sharedRuns(before.terms, terms) : 0;
    const mismatch = this.history.judgeRuns(node, base, terms, known);
    if (mismatch !== null) return mismatch;
    const held = this.committed.sharedWith(before);
    if (contains(log, held)) return null;
    const message = `${node} gave up the committed entry ${showEntry(held)}`;
    return violation("committed-immutable", message, [node], held.index);
  }

  // Leaders.

  private judgeReign(step: Step): Violation | null {
    const { subject: { node, id, life }, before, after, log } = step;
    if (after.lost !== null && after.role !== "follower") {
      const message = `${node} stands as ${after.role}, and has lost entries up to ${showEntry(after.lost)}`;
      return violation("loss", message, [node]);
    }
    if (after.role !== "leader" || id === null) return null;
    const term = after.currentTerm;
    if (before !== null && before.role === "leader" && before.currentTerm === term) {
      if (contains(log, before.last)) return null;
      const message = `${node} led term ${term} and cut ${showEntry(before.last)}`;
      return violation("leader-append-only", message, [node], before.last.index);
    }
    this.counts.elections++;
    const reign = this.reigns.get(term);
    if (reign !== undefined) {
      // A leader leads to the end of its term, or resigns, and then neither votes nor leads again in it.
      const again = reign.id === id && reign.life === life ? `${node} led term ${term} again after it had resigned`
        : `${reign.id} and ${id} both led term ${term}`;
      return violation("election-safety", again, [node]);
    }
    this.reigns.set(term, { id, life });
    return this.judgeElection(step, id) ?? this.commitment.judgeLeader(step);
  }

  /**
   * The candidate counts votes by the configuration in its own log, and may only stand if it votes in that, or if that
   * is not committed.
   */
  private judgeElection({ subject: { node }, after }: Step, id: MemberId): Violation | null {
    const { currentTerm: term, configuration } = after;
    const isFor = (voter: MemberId): boolean => this.byId.get(voter)?.disk.votedFor(id, term) ?? false;
    const mayStand = votesIn(configuration, id) || after.configurationIndex > after.commitIndex;
    if (mayStand && isQuorum(configuration, isFor)) return null;
    const voters = names([...this.byNode.values()].filter(({ disk }) => disk.votedFor(id, term)));
    const message = `${id} leads term ${term} with the votes of [${voters}] only, under `
      + showConfiguration(configuration);
    return violation("election-safety", message, [node]);
  }
}

/** A new life begins with all that was durable, or says how far what is lost may have gone. */
function judgeRecovered(
  node: NodeId, { lastBefore }: DurableNode, log: TermRuns, lost: EntryId | null,
): Violation | null {
  if (lastBefore === null || contains(log, lastBefore)) return null;
  if (lost !== null && isAtLeastAsUpToDate(lost, lastBefore)) return null;
  const loss = lost === null ? "nothing is lost" : `all up to ${showEntry(lost)} is lost`;
  const message = `${node} recovered a log that ends at ${showEntry(log.last)}, and says that ${loss}; `
    + `its disk held ${showEntry(lastBefore)}`;
  return violation("recovery", message, [node], lastBefore.index);
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
