/**
 * Neighbouring pages of one file, read at once and judged each by its own checksum: the one way in which a page comes
 * back from a disk. Damage is a finding, not an end: what to do about it is decided by who reads.
 */
import { crc32c } from "../checksum.ts";
import type { StorageFault } from "./boundary.ts";
import { corrupt } from "./block.ts";
import { bytesOf } from "./disk-result.ts";
import type { DiskProcedure } from "./file-window.ts";
import { type PageFile, pageFileName, pageOffset } from "./page-file.ts";

export interface PageDamage {
  readonly fault: StorageFault;
  readonly file: PageFile;
  /** Which page of the database. */
  readonly number: number;
}

export interface PageRun {
  /** Of all places, one behind the other. What is damaged, or not wanted, has its place, and no meaning. */
  readonly bytes: Uint8Array;
  /** In the order of the file; mostly empty. */
  readonly damage: readonly PageDamage[];
}

/**
 * Reads the pages at the places [from, end) of a file's directory.
 *
 * @param isWanted what is of no interest is not judged, and its bytes have no meaning
 * @param into room for them, which the run may lie in
 */
export function* readRun(
  file: PageFile, from: number, end: number, isWanted: (place: number) => boolean = isAny, into?: Uint8Array,
): DiskProcedure<PageRun> {
  const { pageSize } = file;
  const offset = pageOffset(file, from);
  const length = (end - from) * pageSize;
  const read = bytesOf(yield { type: "read", file: pageFileName(file.sequence), offset, length, into });
  if (read === null) return yield* readSingly(file, from, end, isWanted);
  const damage: PageDamage[] = [];
  for (let place = from, at = 0; place < end; place++, at += pageSize) {
    if (!isWanted(place)) continue;
    const detail = faultOf(file, place, read.subarray(at, at + pageSize));
    if (detail !== null) damage.push(damageAt(file, place, detail));
  }
  return { bytes: read.length === length ? read : filledUp(read, length), damage };
}

function isAny(): boolean {
  return true;
}

/** Something in the run cannot be read: page by page it is found out what. */
function* readSingly(
  file: PageFile, from: number, end: number, isWanted: (place: number) => boolean,
): DiskProcedure<PageRun> {
  const { pageSize } = file;
  const bytes = new Uint8Array((end - from) * pageSize);
  const damage: PageDamage[] = [];
  for (let place = from; place < end; place++) {
    if (!isWanted(place)) continue;
    const offset = pageOffset(file, place);
    const page = bytesOf(yield { type: "read", file: pageFileName(file.sequence), offset, length: pageSize });
    if (page !== null) bytes.set(page, (place - from) * pageSize);
    const detail = page === null ? "cannot be read" : faultOf(file, place, page);
    if (detail !== null) damage.push(damageAt(file, place, detail));
  }
  return { bytes, damage };
}

function faultOf({ pageSize, crcs }: PageFile, place: number, page: Uint8Array): string | null {
  if (page.length !== pageSize) return `ends after ${page.length} of its ${pageSize} bytes`;
  return crc32c(page) === crcs[place] ? null : "does not match its checksum";
}

function damageAt(file: PageFile, place: number, detail: string): PageDamage {
  const number = file.numbers[place]!;
  const { fault } = corrupt(pageFileName(file.sequence), pageOffset(file, place), `page ${number} ${detail}`);
  return { fault, file, number };
}

function filledUp(bytes: Uint8Array, length: number): Uint8Array {
  const filled = new Uint8Array(length);
  filled.set(bytes);
  return filled;
}
