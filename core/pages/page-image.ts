/**
 * A database as nothing but its pages: put together from stored ones, in any order, and brought forward by the payloads
 * of entries. It is what a restore gathers before an engine stands on it, and what tools make of a data directory
 * without any engine. Nothing in it is speculative, and nothing of it is SQL.
 *
 * No page is copied and none is written in place: whoever hands a page or a payload in gives its bytes up.
 */
import { crc32c } from "../checksum.ts";
import { invariant } from "../invariant.ts";
import type { DecodeFault } from "../bytes.ts";
import { decodePayload } from "../wal/payload.ts";
import { isPageSize } from "../wal/wal-format.ts";
import { markAsRollbackJournal, writeFirstPage } from "./first-page.ts";
import { lockBytePage, writtenPages } from "./lock-byte-page.ts";
import type { StoredPage } from "./page-cut.ts";
import { RollingChecksum } from "./rolling-checksum.ts";
import { transactionFault } from "./transaction-rules.ts";

/** Why a page does not belong into an image, or an image is not the one that was meant. */
export interface ImageFault {
  readonly rule: string;
}

export class PageImage {
  readonly pageSize: number;
  /** By page number - 1. Missing: not placed yet, or SQLite's lock-byte page. */
  readonly pages: (Uint8Array | undefined)[] = [];
  readonly rolling = new RollingChecksum();
  private placed = 0;

  /** An image of so many pages, all of which have yet to come. */
  constructor(pageSize: number, pageCount: number) {
    invariant(isPageSize(pageSize), "a database has pages of a possible size");
    this.pageSize = pageSize;
    this.resize(pageCount);
  }

  /** The state in which every node begins: an empty database in WAL mode. */
  static ofEmptyDatabase(pageSize: number): PageImage {
    const bytes = new Uint8Array(pageSize);
    writeFirstPage(bytes);
    const image = new PageImage(pageSize, 1);
    image.put(1, crc32c(bytes), bytes);
    return image;
  }

  get pageCount(): number {
    return this.pages.length;
  }

  /** Takes a stored page over; its checksum is believed. null: done. */
  place({ number, crc, bytes }: StoredPage): ImageFault | null {
    if (number < 1 || number > this.pageCount) return { rule: "no page lies beyond the database's size" };
    if (number === lockBytePage(this.pageSize)) return { rule: "SQLite's lock-byte page is never written" };
    if (bytes.length !== this.pageSize) return { rule: `the page size is ${this.pageSize}` };
    if (this.pages[number - 1] !== undefined) return { rule: "each page comes once" };
    this.put(number, crc, bytes);
    return null;
  }

  /** As `place`, up to the first that cannot be taken. */
  placeAll(pages: readonly StoredPage[]): ImageFault | null {
    for (const page of pages) {
      const fault = this.place(page);
      if (fault !== null) return fault;
    }
    return null;
  }

  /** Every page has come, and together they have this checksum. null: so it is. */
  fault(checksum: number): ImageFault | null {
    if (!this.isWhole) return { rule: "every page of the database comes" };
    if (this.checksum() !== checksum) return { rule: "the pages have the checksum that was given for them" };
    return null;
  }

  /** Brings a whole image forward by one transaction. null: done. */
  apply(payload: Uint8Array): DecodeFault | null {
    invariant(this.isWhole, "payloads are applied to a whole database");
    const decoded = decodePayload(payload);
    if (!decoded.ok) return decoded.fault;
    const fault = transactionFault(decoded.value, this.pageSize, this.pageCount);
    if (fault !== null) return fault;
    this.resize(decoded.value.pageCount);
    for (const { number, crc, bytes } of decoded.value.pages) this.put(number, crc, bytes);
    return null;
  }

  /** As the engine would say (rolling-checksum.ts). */
  checksum(): number {
    return this.rolling.value(this.pageCount);
  }

  /** The pages of an ordinary database file, in order, which opens without a -wal beside it. Not to be written into. */
  *filePages(): Generator<Uint8Array, void, undefined> {
    invariant(this.isWhole, "a file is made of a whole database");
    const zeros = new Uint8Array(this.pageSize);
    for (const [at, page] of this.pages.entries()) {
      if (page === undefined || at > 0) {
        yield page ?? zeros;
        continue;
      }
      const first = page.slice();
      markAsRollbackJournal(first);
      yield first;
    }
  }

  get isWhole(): boolean {
    return this.placed === writtenPages(this.pageSize, this.pageCount);
  }

  private put(number: number, crc: number, bytes: Uint8Array): void {
    if (this.pages[number - 1] === undefined) this.placed += 1;
    this.pages[number - 1] = bytes;
    this.rolling.set(number, crc);
  }

  private resize(pageCount: number): void {
    while (this.pageCount > pageCount) if (this.pages.pop() !== undefined) this.placed -= 1;
    while (this.pageCount < pageCount) this.pages.push(undefined);
    this.rolling.truncate(pageCount);
  }
}
