/**
 * The terms of the whole log, by runs of equal terms: a log of a million entries written under three leaders is three
 * runs. So any prevLog can be judged without an entry in memory. Knows no payload.
 *
 * The log begins behind its *base*, the last entry that was compacted away: of what lies before that nothing is known,
 * and nobody may ask. The array of runs is never changed in place, so that an inspection may keep it.
 */
import { invariant } from "./invariant.ts";
import { NO_ENTRY, type EntryId, type LogIndex, type Term } from "./types.ts";

export class TermRuns {
  /** 0/0: nothing has been compacted. */
  private baseEntry: EntryId;
  /** The first entry of each run, all above the base; index and term both ascend. Empty: nothing follows the base. */
  private starts: readonly EntryId[];
  private lastEntry: EntryId;

  constructor(starts: readonly EntryId[], last: EntryId, base: EntryId = NO_ENTRY) {
    this.baseEntry = base;
    this.starts = starts;
    this.lastEntry = last;
  }

  get base(): EntryId {
    return this.baseEntry;
  }

  get runs(): readonly EntryId[] {
    return this.starts;
  }

  /** The base: nothing follows it. */
  get last(): EntryId {
    return this.lastEntry;
  }

  append(entry: EntryId): void {
    invariant(entry.index === this.lastEntry.index + 1, "an entry is appended right behind the last one");
    invariant(entry.term >= this.lastEntry.term, "terms never fall along the log");
    if (this.starts.length === 0 || entry.term > this.lastEntry.term) this.starts = [...this.starts, entry];
    this.lastEntry = entry;
  }

  /** Cuts everything above `keep`. */
  truncate(keep: LogIndex): void {
    const kept = this.idAt(keep);
    this.starts = this.starts.slice(0, this.runAt(keep) + 1);
    this.lastEntry = kept;
  }

  /** Forgets everything up to an entry of the log, which becomes the base. */
  compact(through: EntryId): void {
    invariant(this.holds(through), "only entries of the log are compacted");
    const run = this.runAt(through.index);
    const rest = this.starts.slice(run + 1);
    const next = (through.index + 1) as LogIndex;
    const isCut = next <= this.lastEntry.index && rest[0]?.index !== next;
    this.starts = isCut ? [{ term: through.term, index: next }, ...rest] : rest;
    this.baseEntry = through;
  }

  /** The log is empty again, behind another base. */
  reset(base: EntryId): void {
    this.baseEntry = base;
    this.starts = [];
    this.lastEntry = base;
  }

  /** The entry at an index of the log, or its base. */
  idAt(index: LogIndex): EntryId {
    invariant(index >= this.baseEntry.index && index <= this.lastEntry.index, "the index lies within the log");
    if (index === this.lastEntry.index) return this.lastEntry;
    const run = this.starts[this.runAt(index)];
    return run === undefined ? this.baseEntry : { term: run.term, index };
  }

  /** Like idAt(index).term, which makes no value. */
  termAt(index: LogIndex): Term {
    invariant(index >= this.baseEntry.index && index <= this.lastEntry.index, "the index lies within the log");
    if (index === this.lastEntry.index) return this.lastEntry.term;
    return (this.starts[this.runAt(index)] ?? this.baseEntry).term;
  }

  /** Whether the log holds just this entry, or has it as its base. Of what lies before the base it is not known. */
  holds(entry: EntryId): boolean {
    if (entry.index < this.baseEntry.index || entry.index > this.lastEntry.index) return false;
    return this.termAt(entry.index) === entry.term;
  }

  /** The last entry that is neither above the index nor of a later term, the base included; 0/0 if there is none. */
  lastAtMost(index: LogIndex, term: Term): EntryId {
    const from = Math.min(index, this.lastEntry.index) as LogIndex;
    for (let at = this.runAt(from); at >= 0; at--) {
      if ((this.starts[at] as EntryId).term > term) continue;
      const next = this.starts[at + 1];
      return this.idAt(next === undefined ? from : (Math.min(next.index - 1, from) as LogIndex));
    }
    return this.baseEntry.index <= from && this.baseEntry.term <= term ? this.baseEntry : NO_ENTRY;
  }

  /** Which run covers the index; -1: it is the base. */
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
