/**
 * Notices rare events in what nodes show of themselves. It judges nothing: it tells which courses a run has reached.
 */
import type { NodeEffect } from "../core/node/boundary.ts";
import type { EntryId, LogIndex, NodeId, Term } from "../core/types.ts";
import type { RaftObservation } from "./oracles/boundary.ts";
import type { NodeProcess } from "./process.ts";
import type { Tally } from "./tally.ts";

interface TermCourse {
  readonly candidates: Set<NodeId>;
  leader: NodeId | null;
}

export class MarkWatcher {
  /** Who listens to elections; null: nobody does. */
  onElection: ((leader: NodeId) => void) | null = null;
  private readonly tally: Tally;
  private readonly terms = new Map<Term, TermCourse>();
  private highestTerm = 0 as Term;
  /** The last entry that each running node showed. */
  private readonly last = new Map<NodeId, EntryId>();
  /** The leader of the highest term that had one; null: none yet. */
  private leader: NodeId | null = null;
  private leaderCrashed = false;

  constructor(tally: Tally) {
    this.tally = tally;
  }

  stepped(node: NodeProcess, raft: RaftObservation | null, effects: readonly NodeEffect[]): void {
    for (const effect of effects) {
      if (effect.type === "Recovered" && effect.tornBytes > 0) this.tally.mark("tornRecordsCut");
      if (!node.recovered || effect.type !== "Disk" || effect.operation.type !== "read") continue;
      this.tally.mark("entriesReadBack");
    }
    if (raft === null) return;
    this.noteRole(node.id, raft);
    this.noteLog(node.id, raft);
  }

  crashed(node: NodeId): void {
    this.last.delete(node);
    if (this.leader === node) this.leaderCrashed = true;
  }

  private noteRole(node: NodeId, raft: RaftObservation): void {
    if (raft.role === "follower") return;
    const course = this.courseOf(raft.currentTerm);
    if (raft.role === "candidate") {
      course.candidates.add(node);
    } else if (course.leader === null) {
      course.leader = node;
      this.tally.mark("elections");
      if (this.leaderCrashed) this.tally.mark("reelectionsAfterCrash");
      this.leaderCrashed = false;
      this.leader = node;
      this.onElection?.(node);
    }
  }

  private courseOf(term: Term): TermCourse {
    let course = this.terms.get(term);
    if (course !== undefined) return course;
    course = { candidates: new Set(), leader: null };
    this.terms.set(term, course);
    if (term > this.highestTerm) {
      const previous = this.terms.get(this.highestTerm);
      const isSplit = previous !== undefined && previous.leader === null && previous.candidates.size > 1;
      if (isSplit) this.tally.mark("votesSplit");
      this.highestTerm = term;
    }
    return course;
  }

  private noteLog(node: NodeId, raft: RaftObservation): void {
    const before = this.last.get(node);
    const { last } = raft;
    if (before !== undefined && before.index === last.index && before.term === last.term) return;
    this.last.set(node, last);
    if (before === undefined || before.index === 0) return;
    if (before.index > last.index || termAt(raft, before.index) !== before.term) this.tally.mark("entriesTruncated");
  }
}

function termAt(raft: RaftObservation, index: LogIndex): Term | null {
  return raft.terms.findLast((run) => run.index <= index)?.term ?? null;
}
