/**
 * The terms of the whole log, by runs of equal terms: a log of a million entries written under three leaders is three
 * runs. So any prevLog can be judged without an entry in memory. Knows no payload.
 *
 * The array of runs is never changed in place, so that an inspection may keep it.
 */
import { invariant } from "./invariant.ts";
import { NO_ENTRY, type EntryId, type LogIndex, type Term } from "./types.ts";

export class TermRuns {
  /** The first entry of each run; index and term both ascend. Empty: the log is empty. */
  private starts: readonly EntryId[];
  private lastEntry: EntryId;

  constructor(starts: readonly EntryId[], last: EntryId) {
    this.starts = starts;
    this.lastEntry = last;
  }

  get runs(): readonly EntryId[] {
    return this.starts;
  }

  /** 0/0: the log is empty. */
  get last(): EntryId {
    return this.lastEntry;
  }

  append(entry: EntryId): void {
    invariant(entry.index === this.lastEntry.index + 1, "an entry is appended right behind the last one");
    invariant(entry.term >= this.lastEntry.term, "terms never fall along the log");
    if (entry.term > this.lastEntry.term) this.starts = [...this.starts, entry];
    this.lastEntry = entry;
  }

  /** Cuts everything above `keep`. */
  truncate(keep: LogIndex): void {
    const kept = this.idAt(keep);
    this.starts = this.starts.slice(0, this.runAt(keep) + 1);
    this.lastEntry = kept;
  }

  /** The entry at an index of the log; 0/0 at 0. */
  idAt(index: LogIndex): EntryId {
    invariant(index >= 0 && index <= this.lastEntry.index, "the index lies within the log");
    if (index === this.lastEntry.index) return this.lastEntry;
    const run = this.starts[this.runAt(index)];
    return run === undefined ? NO_ENTRY : { term: run.term, index };
  }

  /** Whether the log holds just this entry. 0/0, what precedes the first entry, is in every log. */
  holds(entry: EntryId): boolean {
    return entry.index <= this.lastEntry.index && this.idAt(entry.index).term === entry.term;
  }

  /** The last entry that is neither above the index nor of a later term; 0/0 if there is none. */
  lastAtMost(index: LogIndex, term: Term): EntryId {
    const from = Math.min(index, this.lastEntry.index) as LogIndex;
    for (let at = this.runAt(from); at >= 0; at--) {
      if ((this.starts[at] as EntryId).term > term) continue;
      const next = this.starts[at + 1];
      return this.idAt(next === undefined ? from : (Math.min(next.index - 1, from) as LogIndex));
    }
    return NO_ENTRY;
  }

  /** Which run covers the index; -1: it lies before the first entry. */
  private runAt(index: LogIndex): number {
    let low = 0;
    let high = this.starts.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.starts[middle] as EntryId).index <= index) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }
}
