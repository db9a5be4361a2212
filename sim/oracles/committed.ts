/**
 * The committed log, as the run has learnt it: which entry stands where, and by the leader of which term each stretch
 * was committed first. Once known, never different.
 */
import { TermRuns } from "../../core/term-runs.ts";
import { type EntryId, type LogIndex, NO_ENTRY, type Term } from "../../core/types.ts";

/** A log without its entries: where its base stands, and each run of equal terms above it. */
export interface LogShape {
  readonly base: EntryId;
  readonly terms: readonly EntryId[];
  readonly last: EntryId;
}

export class CommittedLog {
  private readonly log = new TermRuns([], NO_ENTRY);
  /** Up to where leaders of each term committed, in the order in which it became known. */
  private readonly stretches: { readonly term: Term; readonly end: LogIndex }[] = [];

  get last(): EntryId {
    return this.log.last;
  }

  idAt(index: LogIndex): EntryId {
    return this.log.idAt(index);
  }

  /** A node of this term considers its log committed up to `end`, beyond what was known. */
  extend(log: TermRuns, end: LogIndex, term: Term): void {
    for (let index = this.log.last.index + 1; index <= end; index++) this.log.append(log.idAt(index as LogIndex));
    this.stretches.push({ term, end });
  }

  /** The last entry that was committed in a term before `term`. */
  lastCommittedBefore(term: Term): EntryId {
    for (let at = this.stretches.length - 1; at >= 0; at--) {
      const stretch = this.stretches[at];
      if (stretch !== undefined && stretch.term < term) return this.log.idAt(stretch.end);
    }
    return NO_ENTRY;
  }

  /**
   * The last committed entry that the log holds; by Log Matching it holds all before it too. What lies before its base
   * is committed.
   */
  sharedWith({ terms, last, base }: LogShape): EntryId {
    let end = Math.min(last.index, this.log.last.index) as LogIndex;
    for (let at = terms.length - 1; at >= 0; at--) {
      const run = terms[at] as EntryId;
      if (run.index > end) continue;
      const candidate = this.log.lastAtMost(end, run.term);
      if (candidate.term === run.term && candidate.index >= run.index) return candidate;
      end = (run.index - 1) as LogIndex;
    }
    return base;
  }
}
