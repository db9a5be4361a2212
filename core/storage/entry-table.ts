/**
 * Where each entry's record stands in the log, and of which term it is: what remains of an entry in memory once it is
 * on disk. Twelve bytes an entry, and one EntryId for each run of equal terms. Knows no payload and no disk.
 */
import { invariant } from "../invariant.ts";
import { type EntryId, type LogIndex, NO_ENTRY } from "../types.ts";

export class EntryTable {
  /** The last entry; 0/0: there is none. */
  last: EntryId = NO_ENTRY;
  private offsets = new Float64Array(64);
  private sizes = new Uint32Array(64);
  /** The first entry of each run of equal terms, ascending in both. */
  private readonly starts: EntryId[] = [];

  /** Where each run of equal terms begins. */
  get runs(): readonly EntryId[] {
    return [...this.starts];
  }

  append(entry: EntryId, offset: number, payloadSize: number): void {
    const at = this.last.index;
    invariant(entry.index === at + 1, "an entry follows the last one");
    invariant(entry.term >= this.last.term, "terms along the log never fall");
    invariant(at === 0 || offset > (this.offsets[at - 1] as number), "records of consecutive entries ascend");
    if (at === this.offsets.length) this.grow();
    this.offsets[at] = offset;
    this.sizes[at] = payloadSize;
    if (entry.term > this.last.term) this.starts.push(entry);
    this.last = entry;
  }

  /** `keep` becomes the last entry. */
  truncate(keep: LogIndex): void {
    this.last = this.idAt(keep);
    while ((this.starts.at(-1)?.index ?? 0) > keep) this.starts.pop();
  }

  /** The entry at an index of the log; 0/0 at 0. */
  idAt(index: LogIndex): EntryId {
    invariant(index >= 0 && index <= this.last.index, "the index lies within the log");
    let from = 0;
    let end = this.starts.length;
    while (from < end) {
      const middle = (from + end) >>> 1;
      if ((this.starts[middle] as EntryId).index <= index) from = middle + 1;
      else end = middle;
    }
    const start = this.starts[from - 1];
    return start === undefined ? NO_ENTRY : { term: start.term, index };
  }

  offsetOf(index: LogIndex): number {
    invariant(index >= 1 && index <= this.last.index, "only an entry of the log has a record");
    return this.offsets[index - 1] as number;
  }

  payloadSizeOf(index: LogIndex): number {
    invariant(index >= 1 && index <= this.last.index, "only an entry of the log has a record");
    return this.sizes[index - 1] as number;
  }

  private grow(): void {
    const offsets = new Float64Array(this.offsets.length * 2);
    offsets.set(this.offsets);
    this.offsets = offsets;
    const sizes = new Uint32Array(this.sizes.length * 2);
    sizes.set(this.sizes);
    this.sizes = sizes;
  }
}
