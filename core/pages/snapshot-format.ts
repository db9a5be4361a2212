/**
 * A snapshot of one database: the state that applying every entry up to some index has made, as one piece of bytes.
 *
 *    0  u32  version: 1
 *    4  u32  page size, a power of two from 512 to 65536
 *    8  u32  the database's size in pages, n; 0: nothing has been written yet
 *   12  u32  CRC-32C of the bytes 0 to 12 and of the directory
 *   16  m times, the directory, ascending by page number: u32 CRC-32C of the page. The pages are all from 1 to n, but
 *       SQLite's lock-byte page: m is n, or one less where that page lies within the database
 *   16 + 4m  m pages, in the order of the directory
 *
 * Little-endian. The directory holds just what the rolling checksum is made of, and vouches for the pages.
 *
 * Not in it: the index that it is of, which stands beside it wherever it goes; the WAL and its views, which begin anew
 * over the pages; commits that are not replicated; and clients' sessions, which live in the memory of the leader of one
 * term and are of no use to anybody else (docs/adr/0007).
 */
import { crc32c } from "../checksum.ts";
import { invariant } from "../invariant.ts";
import type { Decoded } from "../bytes.ts";
import type { PageDigest, PageVersion } from "../wal/payload.ts";
import { isPageSize } from "../wal/wal-format.ts";
import { lockBytePage, writtenPages } from "./lock-byte-page.ts";

export const SNAPSHOT_VERSION = 1;

const HEADER_SIZE = 16;
const DIRECTORY_ENTRY_SIZE = 4;
const CRC_AT = 12;

export interface PageSnapshot {
  readonly pageSize: number;
  readonly pageCount: number;
  /** Ascending, all but the lock-byte page. The bytes lie in the snapshot. */
  readonly pages: readonly (PageVersion & PageDigest)[];
}

/** How many bytes the snapshot of a database of so many pages has. */
export function snapshotSize(pageSize: number, pageCount: number): number {
  return HEADER_SIZE + writtenPages(pageSize, pageCount) * (DIRECTORY_ENTRY_SIZE + pageSize);
}

/** `pageAt`: asked once for each page, in ascending order; its bytes are copied, its checksum is believed. */
export function encodeSnapshot(
  pageSize: number, pageCount: number, pageAt: (number: number) => Omit<PageVersion & PageDigest, "number">,
): Uint8Array {
  invariant(isPageSize(pageSize), "a database has pages of a possible size");
  const snapshot = new Uint8Array(snapshotSize(pageSize, pageCount));
  const view = new DataView(snapshot.buffer);
  view.setUint32(0, SNAPSHOT_VERSION, true);
  view.setUint32(4, pageSize, true);
  view.setUint32(8, pageCount, true);
  const absent = lockBytePage(pageSize);
  const directoryEnd = HEADER_SIZE + writtenPages(pageSize, pageCount) * DIRECTORY_ENTRY_SIZE;
  let directoryAt = HEADER_SIZE;
  let at = directoryEnd;
  for (let number = 1; number <= pageCount; number++) {
    if (number === absent) continue;
    const { bytes, crc } = pageAt(number);
    invariant(bytes.length === pageSize, "a page has the size of a page");
    view.setUint32(directoryAt, crc, true);
    snapshot.set(bytes, at);
    directoryAt += DIRECTORY_ENTRY_SIZE;
    at += pageSize;
  }
  view.setUint32(CRC_AT, directoryCrc(snapshot, directoryEnd), true);
  return snapshot;
}

/** Judges every byte. The pages returned are views into `snapshot`. */
export function decodeSnapshot(snapshot: Uint8Array): Decoded<PageSnapshot> {
  const fault = (rule: string, offset: number): Decoded<PageSnapshot> => ({ ok: false, fault: { rule, offset } });
  if (snapshot.length < HEADER_SIZE) return fault(`a snapshot begins with a header of ${HEADER_SIZE} bytes`, 0);
  const view = new DataView(snapshot.buffer, snapshot.byteOffset, snapshot.byteLength);
  const u32 = (at: number): number => view.getUint32(at, true);
  const [version, pageSize, pageCount] = [u32(0), u32(4), u32(8)];
  if (version !== SNAPSHOT_VERSION) return fault(`the snapshot's version is ${SNAPSHOT_VERSION}, not ${version}`, 0);
  if (!isPageSize(pageSize)) return fault("a page size is a power of two from 512 to 65536", 4);
  if (snapshot.length !== snapshotSize(pageSize, pageCount)) {
    return fault("a snapshot is as long as the database's size says", 8);
  }
  const directoryEnd = HEADER_SIZE + writtenPages(pageSize, pageCount) * DIRECTORY_ENTRY_SIZE;
  if (u32(CRC_AT) !== directoryCrc(snapshot, directoryEnd)) {
    return fault("the checksum of header and directory is right", CRC_AT);
  }
  const pages: (PageVersion & PageDigest)[] = [];
  const absent = lockBytePage(pageSize);
  for (let at = HEADER_SIZE, from = directoryEnd; at < directoryEnd; at += DIRECTORY_ENTRY_SIZE, from += pageSize) {
    const crc = u32(at);
    if (crc32c(snapshot, from, from + pageSize) !== crc) return fault("the checksum of a page is right", from);
    const number = pages.length + 1 < absent ? pages.length + 1 : pages.length + 2;
    pages.push({ number, crc, bytes: snapshot.subarray(from, from + pageSize) });
  }
  return { ok: true, value: { pageSize, pageCount, pages } };
}

function directoryCrc(snapshot: Uint8Array, directoryEnd: number): number {
  return crc32c(snapshot, HEADER_SIZE, directoryEnd, crc32c(snapshot, 0, CRC_AT));
}
