/**
 * Which pages have changed since the last cut that was stored, and the cut that is being read. It outlives the state
 * that it is of: where a restored state takes the place of another, the cut of the old one may still be on its way to
 * the disk.
 *
 * The hard idea: a cut copies nothing. An applied page is never written in place, only replaced; so to pin a page is to
 * keep its buffer from being recycled. Whoever replaces a page asks here first (`retire`).
 */
import { invariant } from "../invariant.ts";
import type { PageCut } from "./page-cut.ts";

/** The applied state, asked while it is being cut. */
export interface CutState {
  readonly pageSize: number;
  readonly pageCount: number;
  readonly checksum: number;
  /** undefined: there is no such page. */
  readonly pageOf: (number: number) => Uint8Array | undefined;
  /** null: there is no such page, or it is SQLite's lock-byte page. */
  readonly crcOf: (number: number) => number | null;
}

interface OpenCut {
  readonly cut: Cut;
  /** Buffers of the cut's pages that have been replaced since. */
  readonly retired: Uint8Array[];
  /** Whether another state has taken the place of the one that it is of. */
  isForgotten: boolean;
}

export class Cuts {
  private changed = new Set<number>();
  /** null: none is being read. */
  private open: OpenCut | null = null;

  /** The page has changed, or has to be stored anew. */
  mark(number: number): void {
    this.changed.add(number);
  }

  begin(state: CutState): PageCut {
    invariant(this.open === null, "one cut at a time is read");
    // What lies beyond the database's end is gone; if the database grows again, it is a change.
    const exists = (number: number): boolean => state.crcOf(number) !== null;
    const cut = new Cut(state, Uint32Array.from(this.changed).filter(exists).sort());
    this.changed = new Set();
    this.open = { cut, retired: [], isForgotten: false };
    return cut;
  }

  /** The open cut is not read any more. @returns the buffers that waited for it */
  end(isStored: boolean): readonly Uint8Array[] {
    invariant(this.open !== null, "a cut that ends was begun");
    const { cut, retired, isForgotten } = this.open;
    this.open = null;
    cut.end();
    if (isForgotten) return [];
    if (!isStored) for (const number of cut.numbers) this.changed.add(number);
    return retired;
  }

  /** Another page takes the place of this one. @returns whether its buffer has to wait for the end of the open cut */
  retire(number: number, page: Uint8Array): boolean {
    if (this.open === null || !this.open.cut.has(number, page)) return false;
    this.open.retired.push(page);
    return true;
  }

  /** Another state takes the place of this one, and is stored as it is. */
  forget(): void {
    this.changed = new Set();
    if (this.open !== null) this.open.isForgotten = true;
  }
}

class Cut implements PageCut {
  readonly pageSize: number;
  readonly pageCount: number;
  readonly checksum: number;
  readonly numbers: Uint32Array;
  readonly crcs: Uint32Array;
  readonly pageAt: (place: number) => Uint8Array;
  /** Empty: it has ended. */
  private pages: readonly Uint8Array[];

  constructor({ pageSize, pageCount, checksum, pageOf, crcOf }: CutState, numbers: Uint32Array) {
    this.pageSize = pageSize;
    this.pageCount = pageCount;
    this.checksum = checksum;
    this.numbers = numbers;
    this.crcs = numbers.map((number) => crcOf(number) ?? 0);
    this.pages = Array.from(numbers, (number) => {
      const page = pageOf(number);
      invariant(page !== undefined, "a page that has a checksum is there");
      return page;
    });
    this.pageAt = (place) => {
      const page = this.pages[place];
      invariant(page !== undefined, "a page of a cut is read before the cut ends");
      return page;
    };
  }

  has(number: number, page: Uint8Array): boolean {
    let from = 0;
    let end = this.numbers.length;
    while (from < end) {
      const middle = (from + end) >>> 1;
      if (this.numbers[middle]! < number) from = middle + 1;
      else end = middle;
    }
    return this.numbers[from] === number && this.pages[from] === page;
  }

  end(): void {
    this.pages = [];
  }
}
