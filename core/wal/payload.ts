/**
 * The payload of one transaction: what an entry of the replicated log says about a database. Full pages, version 1.
 *
 *    0  u32  version: 1
 *    4  u32  page size, a power of two from 512 to 65536
 *    8  u32  the database's size in pages after the commit, at least 1
 *   12  u32  count of pages, n
 *   16  u32  CRC-32C of the bytes 0 to 16 and of the directory
 *   20  n times, the directory, ascending by page number:
 *            u32  page number, from 1 to the database's size
 *            u32  CRC-32C of the page
 *   20 + 8n  n pages, in the order of the directory
 *
 * Little-endian. Every byte is covered by exactly one CRC: the directory vouches for the pages, so that a page's
 * checksum is computed once and serves the rolling checksum of the database too. The WAL's salts and checksums are not
 * here: they were verified when the transaction was captured, and mean nothing to another node.
 */
import { crc32c } from "../checksum.ts";
import { invariant } from "../invariant.ts";
import type { Decoded } from "../bytes.ts";
import { isPageSize } from "./wal-format.ts";

export const PAYLOAD_VERSION = 1;

const HEADER_SIZE = 20;
const DIRECTORY_ENTRY_SIZE = 8;
const DIRECTORY_CRC_AT = 16;

/** One page as a transaction leaves it. */
export interface PageVersion {
  /** From 1, as SQLite counts. */
  readonly number: number;
  readonly bytes: Uint8Array;
}

/** Which page, and the CRC-32C of its bytes. */
export interface PageDigest {
  readonly number: number;
  readonly crc: number;
}

export interface Transaction {
  readonly pageSize: number;
  /** The database's size in pages after the commit. */
  readonly pageCount: number;
  /** Ascending by number, each at most once. The bytes lie in the payload. */
  readonly pages: readonly (PageVersion & PageDigest)[];
}

/** How many bytes the payload of a transaction of so many pages has. */
export function payloadSize(pageSize: number, pages: number): number {
  return HEADER_SIZE + pages * (DIRECTORY_ENTRY_SIZE + pageSize);
}

/** `pages`: ascending by number, each at most once, none beyond `pageCount`. They are copied. */
export function encodePayload(
  pageSize: number,
  pageCount: number,
  pages: readonly PageVersion[],
): { readonly payload: Uint8Array; readonly digests: readonly PageDigest[] } {
  invariant(isPageSize(pageSize) && pageCount >= 1, "a database has pages of a possible size");
  const payload = new Uint8Array(payloadSize(pageSize, pages.length));
  const view = new DataView(payload.buffer);
  view.setUint32(0, PAYLOAD_VERSION, true);
  view.setUint32(4, pageSize, true);
  view.setUint32(8, pageCount, true);
  view.setUint32(12, pages.length, true);
  const directoryEnd = HEADER_SIZE + pages.length * DIRECTORY_ENTRY_SIZE;
  const digests: PageDigest[] = [];
  let previous = 0;
  let directoryAt = HEADER_SIZE;
  let pageAt = directoryEnd;
  for (const page of pages) {
    invariant(page.number > previous && page.number <= pageCount, "pages ascend up to the database's size");
    invariant(page.bytes.length === pageSize, "a page has the size of a page");
    const crc = crc32c(page.bytes);
    view.setUint32(directoryAt, page.number, true);
    view.setUint32(directoryAt + 4, crc, true);
    payload.set(page.bytes, pageAt);
    digests.push({ number: page.number, crc });
    previous = page.number;
    directoryAt += DIRECTORY_ENTRY_SIZE;
    pageAt += pageSize;
  }
  view.setUint32(DIRECTORY_CRC_AT, directoryCrc(payload, directoryEnd), true);
  return { payload, digests };
}

/** Judges every byte. The pages returned are views into `payload`. */
export function decodePayload(payload: Uint8Array): Decoded<Transaction> {
  const decoded = decodeStructure(payload);
  if (!decoded.ok) return decoded;
  const { pageSize, pages } = decoded.value;
  const first = HEADER_SIZE + pages.length * DIRECTORY_ENTRY_SIZE;
  for (const [place, { crc }] of pages.entries()) {
    const from = first + place * pageSize;
    if (crc32c(payload, from, from + pageSize) !== crc) return fault("the checksum of a page is right", from);
  }
  return decoded;
}

/**
 * Whether the payload decodes to just this: what a leader makes sure of before it proposes what it has encoded. The
 * pages' bytes are believed, as they were only copied: to look at them again would cost an insert a sixth of its time
 * in the engine. (A delta will have to be looked at.)
 */
export function saysJust(
  payload: Uint8Array, pageSize: number, pageCount: number, digests: readonly PageDigest[],
): boolean {
  const decoded = decodeStructure(payload);
  if (!decoded.ok) return false;
  const { value } = decoded;
  if (value.pageSize !== pageSize || value.pageCount !== pageCount) return false;
  if (value.pages.length !== digests.length) return false;
  return digests.every(({ number, crc }, place) => {
    const page = value.pages[place];
    return page !== undefined && page.number === number && page.crc === crc;
  });
}

/** Judges all but the pages' bytes. */
function decodeStructure(payload: Uint8Array): Decoded<Transaction> {
  if (payload.length < HEADER_SIZE) return fault(`a payload begins with a header of ${HEADER_SIZE} bytes`, 0);
  const view = new DataView(payload.buffer, payload.byteOffset, payload.byteLength);
  const u32 = (at: number): number => view.getUint32(at, true);
  const [version, pageSize, pageCount, count] = [u32(0), u32(4), u32(8), u32(12)];
  if (version !== PAYLOAD_VERSION) return fault(`the payload's version is ${PAYLOAD_VERSION}, not ${version}`, 0);
  if (!isPageSize(pageSize)) return fault("a page size is a power of two from 512 to 65536", 4);
  if (pageCount === 0) return fault("a database has at least one page", 8);
  if (payload.length !== payloadSize(pageSize, count)) {
    return fault("a payload is as long as its count of pages says", 12);
  }
  const directoryEnd = HEADER_SIZE + count * DIRECTORY_ENTRY_SIZE;
  if (u32(DIRECTORY_CRC_AT) !== directoryCrc(payload, directoryEnd)) {
    return fault("the checksum of header and directory is right", DIRECTORY_CRC_AT);
  }
  const pages: (PageVersion & PageDigest)[] = [];
  let previous = 0;
  for (let at = HEADER_SIZE, from = directoryEnd; at < directoryEnd; at += DIRECTORY_ENTRY_SIZE, from += pageSize) {
    const number = u32(at);
    // So each page comes at most once.
    if (number <= previous) return fault("page numbers ascend from 1", at);
    if (number > pageCount) return fault("no page lies beyond the database's size", at);
    pages.push({ number, crc: u32(at + 4), bytes: payload.subarray(from, from + pageSize) });
    previous = number;
  }
  return { ok: true, value: { pageSize, pageCount, pages } };
}

function fault(rule: string, offset: number): Decoded<never> {
  return { ok: false, fault: { rule, offset } };
}

function directoryCrc(payload: Uint8Array, directoryEnd: number): number {
  return crc32c(payload, HEADER_SIZE, directoryEnd, crc32c(payload, 0, DIRECTORY_CRC_AT));
}
