/**
 * From commit to Apply: which entries are committed as far as this process life knows, and which of them have been
 * handed out. Each committed index is handed out once, in order, from 1 on; what has left memory, or was never in it
 * since the restart, is read back first. Does not decide what is committed (commit.ts).
 */
import { invariant } from "../invariant.ts";
import type { Entry, LogIndex, Term } from "../types.ts";
import type { RaftEffect, RaftLimits } from "./boundary.ts";
import type { Log } from "./log.ts";
import type { Proposals } from "./proposals.ts";
import { isAnswerTo, type ReadBack, type ReadOrder } from "./read-back.ts";

export class Delivery {
  /** 0 after a restart: learned anew in each process life. Never falls. */
  commitIndex = 0 as LogIndex;
  /** The last entry handed out by Apply. */
  lastApplied = 0 as LogIndex;
  /** The last entry that was reported as applied: its payload, and those before it, may leave memory. */
  reportedApplied = 0 as LogIndex;
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

  /** Committed entries came back from disk. */
  entriesRead(order: ReadOrder, entries: readonly Entry[], term: Term, effects: RaftEffect[]): void {
    invariant(order.from === this.lastApplied + 1, "nothing else is handed out while a read to apply is under way");
    invariant(isAnswerTo(order, entries, this.log), "a disk returns the log's own entries");
    this.apply(entries, effects);
    this.handOut(term, effects);
  }

  applied(index: LogIndex): void {
    invariant(index >= this.reportedApplied && index <= this.lastApplied, "what is reported as applied was handed out");
    this.reportedApplied = index;
  }

  private handOut(term: Term, effects: RaftEffect[]): void {
    if (this.lastApplied === this.commitIndex) return;
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
  }
}
