/** The disk of a Database's story, as far as snapshots go: the pages of the stored one, and of the one that comes. */
import type { PageCut } from "../core/pages/page-cut.ts";
import type { RestoreStep } from "../core/storage/boundary.ts";
import type { EntryId } from "../core/types.ts";
import { pagesOf, type EngineState } from "./engine-state.ts";

export class StorySnapshots {
  /** By page number. */
  private stored = new Map<number, Uint8Array>();
  /** With the cut that is being written; null: none is. */
  private storing: Map<number, Uint8Array> | null = null;
  /** What is to come yet of a snapshot that is being restored. */
  private coming: RestoreStep[] = [];

  /** What a cut is made of, and whether it makes of what is stored the state that there is elsewhere. */
  taken(cut: PageCut, elsewhere: EngineState): string {
    const { pageCount, numbers } = cut;
    const pages = new Map([...this.stored].filter(([number]) => number <= pageCount));
    for (const { number, bytes } of pagesOf(cut)) pages.set(number, bytes);
    this.storing = pages;
    const same = cut.checksum === elsewhere.checksum && pages.size === elsewhere.pages.length
      && elsewhere.pages.every(({ number, bytes }) => Buffer.compare(pages.get(number)!, bytes) === 0);
    const changed = numbers.length === 0 ? "no pages" : `pages ${numbers.join(" ")}`;
    return `${changed} of ${pageCount}, ${same ? "the same as" : "other than"} elsewhere`;
  }

  ended(isStored: boolean): void {
    if (this.storing === null) throw new Error("no cut is being written");
    if (isStored) this.stored = this.storing;
    this.storing = null;
  }

  /** A snapshot of this state is stored, and is to be restored. */
  comes(entry: EntryId, { pageSize, pageCount, checksum, pages }: EngineState, damaged: boolean): void {
    this.stored = new Map(pages.map(({ number, bytes }) => [number, bytes]));
    const middle = pages.length >> 1;
    // The store takes the bytes over, and the story compares with them.
    const copies = pages.map((page) => ({ ...page, bytes: page.bytes.slice() }));
    this.coming = [
      { type: "RestoreStarted", entry, pageSize, pageCount },
      { type: "PagesRestored", pages: copies.slice(0, middle) },
      { type: "PagesRestored", pages: copies.slice(middle) },
      { type: "RestoreFinished", entry, checksum: damaged ? checksum + 1 : checksum },
    ];
  }

  take(steps: number): readonly RestoreStep[] {
    return this.coming.splice(0, steps);
  }
}
