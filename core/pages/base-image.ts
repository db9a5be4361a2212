/**
 * The base image: the pages of a database as of its last checkpoint, or of the snapshot that it was restored from.
 * Pages come in by reference, and the buffers that they replace go back to the pool. A place may stay empty (SQLite's
 * lock-byte page): it reads as zeros.
 */
import type { PageBuffers } from "./page-buffers.ts";

export class BaseImage {
  private readonly buffers: PageBuffers;
  private readonly pages: (Uint8Array | undefined)[] = [];

  constructor(buffers: PageBuffers) {
    this.buffers = buffers;
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
    if (replaced !== undefined) this.buffers.give(replaced);
    this.pages[pageNumber - 1] = page;
  }

  resize(pageCount: number): void {
    while (this.pages.length < pageCount) this.pages.push(undefined);
    while (this.pages.length > pageCount) {
      const page = this.pages.pop();
      if (page !== undefined) this.buffers.give(page);
    }
  }
}
