/**
 * Where each entry's record stands in the log, and of which term it is: what remains of an entry in memory once it is
 * on disk. Twelve bytes an entry, and one EntryId for each run of equal terms. Knows no payload and no disk.
 */
import { invariant } from "../invariant.ts";
import { TermRuns } from "../term-runs.ts";
import { type EntryId, type LogIndex, NO_ENTRY } from "../types.ts";

export class EntryTable {
  private readonly terms = new TermRuns([], NO_ENTRY);
  private offsets = new Float64Array(64);
  private sizes = new Uint32Array(64);

  /** The last entry; 0/0: there is none. */
  get last(): EntryId {
    return this.terms.last;
  }

  /** Where each run of equal terms begins. */
  get runs(): readonly EntryId[] {
    return this.terms.runs;
  }

  append(entry: EntryId, offset: number, payloadSize: number): void {
    const at = this.last.index;
    invariant(at === 0 || offset > (this.offsets[at - 1] as number), "records of consecutive entries ascend");
    this.terms.append(entry);
    if (at === this.offsets.length) this.grow();
    this.offsets[at] = offset;
    this.sizes[at] = payloadSize;
  }

  /** `keep` becomes the last entry. */
  truncate(keep: LogIndex): void {
    this.terms.truncate(keep);
  }

  /** The entry at an index of the log; 0/0 at 0. */
  idAt(index: LogIndex): EntryId {
    return this.terms.idAt(index);
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
