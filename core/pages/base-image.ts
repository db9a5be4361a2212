/**
 * The base image: the pages of a database as of its last checkpoint. Pages come in by reference, from frames, and the
 * buffers that they replace go back to the pool. A place may stay empty (SQLite's lock-byte page): it reads as zeros.
 */
import type { PageBuffers } from "./page-buffers.ts";
import { writeFirstPage } from "./first-page.ts";

export class BaseImage {
  private readonly buffers: PageBuffers;
  private readonly pages: (Uint8Array | undefined)[] = [];

  constructor(buffers: PageBuffers) {
    this.buffers = buffers;
    const first = buffers.take();
    writeFirstPage(first);
    this.pages.push(first);
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
