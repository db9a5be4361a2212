/**
 * A dumb disk beside whatever can be cut: it copies every page of every cut, and knows at each cut what the whole state
 * has to be. It fails as soon as a pinned page changes, or what is stored does not add up to the state.
 */
import { expect } from "vitest";
import { crc32c } from "../core/checksum.ts";
import { writtenPages } from "../core/pages/lock-byte-page.ts";
import type { PageCut, StoredPage } from "../core/pages/page-cut.ts";
import { RollingChecksum } from "../core/pages/rolling-checksum.ts";
import { type EngineState, pagesOf } from "./engine-state.ts";

export interface CutSource {
  cut(): PageCut;
  endCut(isStored: boolean): void;
  touch(numbers: readonly number[]): void;
  checksum(): number;
}

interface Snapshot {
  readonly pageCount: number;
  /** By number. */
  readonly pages: ReadonlyMap<number, Uint8Array>;
}

interface OpenCut {
  readonly cut: PageCut;
  readonly copies: readonly StoredPage[];
  /** What there will be when it is stored; null: its state has been replaced by another. */
  readonly after: Snapshot | null;
}

export class CutTwin {
  readonly reached = { cuts: 0, abandoned: 0, damaged: 0, pagesLeftOut: 0 };
  private readonly source: CutSource;
  private stored: Snapshot = { pageCount: 0, pages: new Map() };
  private open: OpenCut | null = null;

  constructor(source: CutSource) {
    this.source = source;
  }

  get isOpen(): boolean {
    return this.open !== null;
  }

  begin(): void {
    const cut = this.source.cut();
    const { pageSize, pageCount } = cut;
    const copies = pagesOf(cut);
    const pages = new Map([...this.stored.pages].filter(([number]) => number <= pageCount));
    let previous = 0;
    for (const { number, crc, bytes } of copies) {
      expect(number).toBeGreaterThan(previous);
      expect([bytes.length, crc]).toEqual([pageSize, crc32c(bytes)]);
      pages.set(number, bytes);
      previous = number;
    }
    expect(previous).toBeLessThanOrEqual(pageCount);
    expect(pages.size).toBe(writtenPages(pageSize, pageCount));
    expect([cut.checksum, checksumOf(pages, pageCount)]).toEqual([this.source.checksum(), cut.checksum]);
    this.reached.cuts += 1;
    this.reached.pagesLeftOut += pages.size - copies.length;
    this.open = { cut, copies, after: { pageCount, pages } };
  }

  end(isStored: boolean): void {
    const { open } = this;
    if (open === null) return;
    pagesOf(open.cut).forEach(({ bytes }, place) => {
      expect(Buffer.compare(bytes, open.copies[place]!.bytes)).toBe(0);
    });
    this.source.endCut(isStored);
    this.open = null;
    if (isStored && open.after !== null) this.stored = open.after;
    if (!isStored) this.reached.abandoned += 1;
  }

  /** Pages of what is stored rot. */
  damage(numbers: readonly number[]): void {
    for (const number of numbers) this.stored.pages.get(number)?.fill(0xee);
    this.source.touch(numbers);
    this.reached.damaged += 1;
  }

  /** The source has been restored from this. */
  restored({ pageCount, pages }: EngineState): void {
    this.stored = { pageCount, pages: new Map(pages.map(({ number, bytes }) => [number, bytes.slice()])) };
    if (this.open !== null) this.open = { ...this.open, after: null };
  }

  /** What a restore of the stored cuts would be given. All of it is sound only just after a cut has been stored. */
  state(pageSize: number): EngineState {
    const { pageCount } = this.stored;
    const pages = [...this.stored.pages].map(([number, bytes]) => {
      return { number, crc: crc32c(bytes), bytes: bytes.slice() };
    });
    return { pageSize, pageCount, checksum: checksumOf(this.stored.pages, pageCount), pages };
  }
}

/** From the bytes alone. */
function checksumOf(pages: ReadonlyMap<number, Uint8Array>, pageCount: number): number {
  const rolling = new RollingChecksum();
  for (const [number, bytes] of pages) rolling.set(number, crc32c(bytes));
  return rolling.value(pageCount);
}
