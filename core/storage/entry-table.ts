/**
 * Where each entry's record stands in the log, and of which term it is: what remains of an entry in memory once it is
 * on disk. Twelve bytes an entry, and one EntryId for each run of equal terms. It begins behind the log's base, the
 * last entry that has left it. Knows no payload and no disk.
 */
import { invariant } from "../invariant.ts";
import { TermRuns } from "../term-runs.ts";
import type { EntryId, LogIndex } from "../types.ts";

export class EntryTable {
  private readonly terms: TermRuns;
  /** Of the entry at base.index + 1 first. */
  private offsets = new Float64Array(64);
  private sizes = new Uint32Array(64);
  /** The first places in use of both: those before it were of entries that have been dropped. */
  private firstPlace = 0;

  constructor(base: EntryId) {
    this.terms = new TermRuns([], base, base);
  }

  /** The last entry that has left the log; 0/0: none. */
  get base(): EntryId {
    return this.terms.base;
  }

  /** The last entry; the base: none follows it. */
  get last(): EntryId {
    return this.terms.last;
  }

  /** Where each run of equal terms begins, the base not among them. */
  get runs(): readonly EntryId[] {
    return this.terms.runs;
  }

  append(entry: EntryId, offset: number, payloadSize: number): void {
    let at = this.firstPlace + this.last.index - this.base.index;
    const isFirst = at === this.firstPlace;
    invariant(isFirst || offset > (this.offsets[at - 1] as number), "records of consecutive entries ascend");
    this.terms.append(entry);
    if (at === this.offsets.length) {
      this.grow();
      at = this.last.index - this.base.index - 1;
    }
    this.offsets[at] = offset;
    this.sizes[at] = payloadSize;
  }

  /** `keep`, an entry of the log or its base, becomes the last one. */
  truncate(keep: LogIndex): void {
    this.terms.truncate(keep);
  }

  /** Forgets the entries whose records lie before this position: the last of them becomes the base. */
  dropBefore(position: number): void {
    let index = this.base.index;
    while (index < this.last.index && this.offsetOf((index + 1) as LogIndex) < position) index++;
    if (index === this.base.index) return;
    this.firstPlace += index - this.base.index;
    this.terms.compact(this.idAt(index));
  }

  /** Whether it is an entry of the log, or its base. */
  holds(entry: EntryId): boolean {
    return this.terms.holds(entry);
  }

  /** The entry at an index of the log, or its base. */
  idAt(index: LogIndex): EntryId {
    return this.terms.idAt(index);
  }

  offsetOf(index: LogIndex): number {
    return this.offsets[this.placeOf(index)] as number;
  }

  payloadSizeOf(index: LogIndex): number {
    return this.sizes[this.placeOf(index)] as number;
  }

  private placeOf(index: LogIndex): number {
    invariant(index > this.base.index && index <= this.last.index, "only an entry of the log has a record");
    return this.firstPlace + index - this.base.index - 1;
  }

  /** Makes room for one more at least: those in use take at most half of it. */
  private grow(): void {
    const count = this.last.index - this.base.index;
    const offsets = new Float64Array(Math.max(64, count * 2));
    offsets.set(this.offsets.subarray(this.firstPlace));
    this.offsets = offsets;
    const sizes = new Uint32Array(offsets.length);
    sizes.set(this.sizes.subarray(this.firstPlace));
    this.sizes = sizes;
    this.firstPlace = 0;
  }
}
