/**
 * From commit to Apply: which entries are committed as far as this process life knows, and which of them have been
 * handed out. Each committed index is handed out once, in order; what has left memory, or was never in it since the
 * restart, is read back first; what has left the log comes as a snapshot, and nothing follows that before it has been
 * restored. Does not decide what is committed (commit.ts).
 */
import { invariant } from "../invariant.ts";
import type { Entry, LogIndex, Term } from "../types.ts";
import type { RaftEffect, RaftLimits } from "./boundary.ts";
import type { Log } from "./log.ts";
import type { SnapshotId } from "./message.ts";
import type { Proposals } from "./proposals.ts";
import { isAnswerTo, type ReadBack, type ReadOrder } from "./read-back.ts";

export class Delivery {
  /** Learned anew in each process life: a restart begins at the snapshot's entry, or at 0. Never falls. */
  commitIndex = 0 as LogIndex;
  /** The last entry handed out by Apply or Restore. */
  lastApplied = 0 as LogIndex;
  /** The last entry that was reported as applied: its payload, and those before it, may leave memory. */
  reportedApplied = 0 as LogIndex;
  /** Payload bytes handed out since the last snapshot was stored or restored. */
  bytesSinceSnapshot = 0;
  private readonly log: Log;
  private readonly proposals: Proposals;
  private readonly readBack: ReadBack;
  private readonly limits: RaftLimits;

  constructor(log: Log, proposals: Proposals, readBack: ReadBack, limits: RaftLimits) {
    this.log = log;
    this.proposals = proposals;
    this.readBack = readBack;
    this.limits = limits;
  }

  /** A snapshot is on its way into the state, and nothing is handed out meanwhile. */
  get isRestoring(): boolean {
    return this.reportedApplied < this.restoredTo;
  }

  /**
   * Up to where nobody here needs the payloads that are in memory, as far as they are on disk: what has been applied;
   * and, while a snapshot or a read from disk is waited for, whatever comes in: it will be read back, too.
   */
  get spared(): LogIndex {
    return this.lastApplied < this.commitIndex ? this.log.last.index : this.reportedApplied;
  }

  /** The entry of the snapshot handed out last; 0: none was. */
  private restoredTo = 0 as LogIndex;

  /** Entries up to `index` are committed. */
  commit(index: LogIndex, term: Term, effects: RaftEffect[]): void {
    invariant(index >= this.commitIndex && index <= this.log.last.index, "commitIndex rises, and only within the log");
    if (index === this.commitIndex) return;
    if (this.proposals.hasOpen) {
      for (let at = this.commitIndex + 1; at <= index; at++) {
        this.proposals.committed(this.log.idAt(at as LogIndex), effects);
      }
    }
    this.commitIndex = index;
    this.handOut(term, effects);
  }

  /** A snapshot holds everything up to its entry, which is the log's base: the state is to become that. */
  skipTo({ entry }: SnapshotId, effects: RaftEffect[]): void {
    invariant(entry.index > this.lastApplied, "a snapshot is restored only if it is ahead");
    this.proposals.skippedTo(entry.index, effects);
    this.commitIndex = Math.max(this.commitIndex, entry.index) as LogIndex;
    this.lastApplied = entry.index;
    this.restoredTo = entry.index;
    this.bytesSinceSnapshot = 0;
  }

  /** Committed entries came back from disk. */
  entriesRead(order: ReadOrder, entries: readonly Entry[], term: Term, effects: RaftEffect[]): void {
    // A snapshot may have overtaken them.
    if (order.from === this.lastApplied + 1 && !this.isRestoring) {
      invariant(isAnswerTo(order, entries, this.log), "a disk returns the log's own entries");
      this.apply(entries, effects);
    }
    this.handOut(term, effects);
  }

  applied(index: LogIndex, term: Term, effects: RaftEffect[]): void {
    // Said before a snapshot was handed out, of the state that it replaces.
    if (index < this.restoredTo) return;
    invariant(index >= this.reportedApplied && index <= this.lastApplied, "what is reported as applied was handed out");
    const wasRestoring = this.isRestoring;
    this.reportedApplied = index;
    if (wasRestoring) this.handOut(term, effects);
  }

  private handOut(term: Term, effects: RaftEffect[]): void {
    if (this.lastApplied === this.commitIndex || this.isRestoring) return;
    const from = (this.lastApplied + 1) as LogIndex;
    const end = (this.commitIndex + 1) as LogIndex;
    const { firstCached } = this.log;
    if (from >= firstCached) return this.apply(this.log.slice(from, end), effects);
    const order: ReadOrder = { from, end: Math.min(end, firstCached) as LogIndex, term };
    this.readBack.order({ type: "apply" }, order, this.limits.maxMessageBytes, effects);
  }

  private apply(entries: readonly Entry[], effects: RaftEffect[]): void {
    effects.push({ type: "Apply", entries });
    this.lastApplied = (this.lastApplied + entries.length) as LogIndex;
    for (const entry of entries) this.bytesSinceSnapshot += entry.payload.length;
  }
}
