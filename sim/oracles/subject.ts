/**
 * What the oracles of consensus keep of a node: one life of one disk. A node that comes back with an empty disk is
 * another subject, and the one before is gone: as one that is down and never comes back.
 */
import { TermRuns } from "../../core/term-runs.ts";
import type { EntryId, MemberId, NodeId } from "../../core/types.ts";
import type { RaftObservation } from "./boundary.ts";
import type { DurableNode } from "./durable-node.ts";

export interface Subject {
  readonly node: NodeId;
  readonly disk: DurableNode;
  /** null: it has not shown yet who it is. Until then it has neither voted nor acknowledged. */
  id: MemberId | null;
  life: number;
  /** Its disk is gone. What it had said counts, as that of any node that is down for ever; it says nothing any more. */
  isLost: boolean;
  /** As of the last step in this process life; null: it has shown nothing yet, or there is no process. */
  before: RaftObservation | null;
}

/** A step of a node: its Raft before (null: the first of this life) and after it. */
export interface Step {
  readonly subject: Subject;
  readonly before: RaftObservation | null;
  readonly after: RaftObservation;
  /** As of after. */
  readonly log: TermRuns;
}

/** Whether the log has the committed entry, be it as an entry or in what was compacted: that is committed, too. */
export function contains(log: TermRuns, entry: EntryId): boolean {
  return entry.index <= log.base.index || log.holds(entry);
}

/** Whether the node has the committed entry: in memory, or on its disk while it is down. */
export function hasNow({ before, disk }: Subject, entry: EntryId): boolean {
  return before === null ? disk.holds(entry) : contains(logOf(before), entry);
}

export function logOf({ terms, last, base }: RaftObservation): TermRuns {
  return new TermRuns(terms, last, base);
}

export function names(subjects: readonly Subject[]): string {
  return subjects.map((subject) => subject.node).join(" ");
}

export function showEntry(entry: EntryId): string {
  return `${entry.term}/${entry.index}`;
}
