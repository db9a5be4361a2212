/**
 * A whole database that is read page by page, from wherever it lies: what a directory is founded with, and what a file
 * is exported from. A PageCut (core/pages/page-cut.ts) is one whose pages are in memory.
 */
import { lockBytePage, writtenPages } from "../pages/lock-byte-page.ts";
import { RollingChecksum } from "../pages/rolling-checksum.ts";
import type { Judged } from "./block.ts";
import type { DiskProcedure } from "./file-window.ts";

export interface WholeDatabase {
  /** In bytes. */
  readonly pageSize: number;
  readonly pageCount: number;
  /** All from 1 to pageCount, but SQLite's lock-byte page. */
  readonly numbers: Uint32Array;
  /** The CRC-32C of each. */
  readonly crcs: Uint32Array;
  /** The pages at the places [from, end) of `numbers`, with these checksums. */
  read(from: number, end: number): DiskProcedure<Judged<readonly Uint8Array[]>>;
}

/** The numbers of all pages that a database of this size has written. */
export function numbersUpTo(pageSize: number, pageCount: number): Uint32Array {
  const absent = lockBytePage(pageSize);
  const numbers = new Uint32Array(writtenPages(pageSize, pageCount));
  for (let place = 0; place < numbers.length; place++) numbers[place] = place + 1 < absent ? place + 1 : place + 2;
  return numbers;
}

/** As a node that has this database would say (core/pages/rolling-checksum.ts). */
export function checksumOfPages({ pageCount, numbers, crcs }: Omit<WholeDatabase, "read">): number {
  const rolling = new RollingChecksum();
  for (const [place, number] of numbers.entries()) rolling.set(number, crcs[place] as number);
  return rolling.value(pageCount);
}
