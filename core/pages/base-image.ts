/**
 * The base image: the pages of a database as of its last checkpoint, or of the snapshot that it was restored from.
 * Pages come in by reference, and the buffers that they replace go back to the pool: at once, or when the cut that they
 * belong to has ended. A place may stay empty (SQLite's lock-byte page): it reads as zeros.
 */
import type { Cuts } from "./cuts.ts";
import type { PageBuffers } from "./page-buffers.ts";

export class BaseImage {
  private readonly buffers: PageBuffers;
  private readonly cuts: Cuts;
  private readonly pages: (Uint8Array | undefined)[];

  /** `pages`: by page number - 1; they belong to the image from now on. */
  constructor(buffers: PageBuffers, cuts: Cuts, pages: (Uint8Array | undefined)[]) {
    this.buffers = buffers;
    this.cuts = cuts;
    this.pages = pages;
    for (const page of pages) if (page !== undefined) buffers.adopt();
  }

  get pageCount(): number {
    return this.pages.length;
  }

  page(pageNumber: number): Uint8Array | undefined {
    return this.pages[pageNumber - 1];
  }

  /** Takes a page over. */
  place(pageNumber: number, page: Uint8Array): void {
    while (this.pages.length < pageNumber) this.pages.push(undefined);
    const replaced = this.pages[pageNumber - 1];
    this.pages[pageNumber - 1] = page;
    this.release(pageNumber, replaced);
  }

  resize(pageCount: number): void {
    while (this.pages.length < pageCount) this.pages.push(undefined);
    while (this.pages.length > pageCount) this.release(this.pages.length, this.pages.pop());
  }

  /** A page that an open cut is made of is not recycled before that has ended. */
  private release(pageNumber: number, page: Uint8Array | undefined): void {
    if (page === undefined || this.cuts.retire(pageNumber, page)) return;
    this.buffers.give(page);
  }
}
