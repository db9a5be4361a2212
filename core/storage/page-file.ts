/**
 * A file `pages-N`: pages of the database as they were at one applied index. Written once, under another name, and
 * never changed. It names no node: files travel between members byte for byte.
 *
 *    0     8  magic "qlitepag"
 *    8     4  version, 1
 *   12     4  CRC-32C of the other 4092 bytes of the header: the file's checksum, as the directory's is among them
 *   16    16  cluster id
 *   32     8  index of the entry as of which the pages are: `through`
 *   40     4  page size in bytes, from 1 to 65536
 *   44     4  how many pages, n, at least 1
 *   48     4  CRC-32C of the directory, with the zeros behind it
 *   52  4044  zero
 * 4096    8n  the directory, ascending by page number: u32 page number, from 1; u32 CRC-32C of the page
 *    …     …  zeros up to a multiple of 4096
 *    …     …  n pages, in the order of the directory; nothing follows them
 *
 * Pages begin at a multiple of 4096, so that one unreadable block takes as few of them as possible.
 */
import { ByteReader } from "../bytes.ts";
import { crc32c } from "../checksum.ts";
import { invariant } from "../invariant.ts";
import type { ClusterId, LogIndex } from "../types.ts";
import {
  type BlockPlace, type Judged, type Refused, beginBlock, brokenField, brokenRule, checksumOf, openBlock, sealBlock,
} from "./block.ts";

export const PAGE_FILE_VERSION = 1;
export const PAGE_FILE_HEADER_SIZE = 4096;
export const MAX_PAGE_SIZE = 65536;
/** Of a database, and so of a file: 256 GiB of SQLite's usual pages. Directories lie in memory. */
export const MAX_PAGES = 64 * 1024 * 1024;

const BLOCK_SIZE = 4096;
const DIRECTORY_ENTRY_SIZE = 8;
const PREFIX = "pages-";
const MIN_DIGITS = 10;

/** What a file of pages is, wherever it lies: two with the same have the same bytes. */
export interface PageFileTraits {
  /** The index of the entry as of which its pages are. */
  readonly through: LogIndex;
  /** How many pages it has. */
  readonly count: number;
  /** Of its header, and so of all that is in it. */
  readonly checksum: number;
}

/** What stands in it. */
export interface PageDirectory {
  /** Page numbers, ascending. */
  readonly numbers: Uint32Array;
  /** The CRC-32C of each. */
  readonly crcs: Uint32Array;
}

/** A file of this directory, whole and durable. */
export interface PageFile extends PageFileTraits, PageDirectory {
  readonly sequence: number;
  readonly pageSize: number;
}

/** The traits of a file that is yet to be written, all but its checksum. */
export interface PageFilePlan extends PageDirectory {
  readonly cluster: ClusterId;
  readonly through: LogIndex;
  readonly pageSize: number;
}

export function pageFileName(sequence: number): string {
  return PREFIX + String(sequence).padStart(MIN_DIGITS, "0");
}

/** null: the name is not one of a file of pages. */
export function sequenceOfPageFile(name: string): number | null {
  const digits = name.slice(PREFIX.length);
  if (!name.startsWith(PREFIX) || !/^\d+$/.test(digits)) return null;
  const sequence = Number(digits);
  return Number.isSafeInteger(sequence) && pageFileName(sequence) === name ? sequence : null;
}

export function isPageFile(name: string): boolean {
  return sequenceOfPageFile(name) !== null;
}

/** Where the pages of a file with so many of them begin. */
export function pagesAtOf(count: number): number {
  return PAGE_FILE_HEADER_SIZE + Math.ceil((count * DIRECTORY_ENTRY_SIZE) / BLOCK_SIZE) * BLOCK_SIZE;
}

export function pageFileSize(count: number, pageSize: number): number {
  return pagesAtOf(count) + count * pageSize;
}

/** Where the page at a place of the directory stands in the file. */
export function pageOffset({ count, pageSize }: PageFile, place: number): number {
  return pagesAtOf(count) + place * pageSize;
}

/** At which place of the directory a page stands; null: it is not in this file. */
export function placeOf({ numbers }: PageDirectory, number: number): number | null {
  let from = 0;
  let end = numbers.length;
  while (from < end) {
    const middle = (from + end) >>> 1;
    if (numbers[middle]! < number) from = middle + 1;
    else end = middle;
  }
  return numbers[from] === number ? from : null;
}

/** Header and directory: everything before the pages. */
export function encodePageFileHead(plan: PageFilePlan): Uint8Array {
  const { cluster, through, pageSize, numbers, crcs } = plan;
  const count = numbers.length;
  invariant(count > 0 && count <= MAX_PAGES, "a file of pages has some, and at most so many");
  invariant(pageSize > 0 && pageSize <= MAX_PAGE_SIZE, "a page has a possible size");
  const head = new Uint8Array(pagesAtOf(count));
  const view = new DataView(head.buffer);
  for (let place = 0, at = PAGE_FILE_HEADER_SIZE; place < count; place++, at += DIRECTORY_ENTRY_SIZE) {
    view.setUint32(at, numbers[place]!, true);
    view.setUint32(at + 4, crcs[place]!, true);
  }
  const writer = beginBlock(placeIn("")).hex(cluster).u64(through).u32(pageSize).u32(count);
  writer.u32(crc32c(head, PAGE_FILE_HEADER_SIZE));
  head.set(sealBlock(writer, PAGE_FILE_HEADER_SIZE));
  return head;
}

/** What a header says. */
export interface PageFileHeader extends PageFileTraits {
  readonly cluster: ClusterId;
  readonly pageSize: number;
  readonly directoryChecksum: number;
}

/** Judges the first 4096 bytes of a file by themselves. */
export function decodePageFileHeader(file: string, bytes: Uint8Array): Judged<PageFileHeader> {
  const place = placeIn(file);
  const opened = openBlock(place, bytes.subarray(0, PAGE_FILE_HEADER_SIZE));
  if (!opened.ok) return opened;
  const reader = opened.value;
  const cluster = reader.hex(16) as ClusterId;
  const through = reader.u64() as LogIndex;
  reader.demand(through > 0, "pages are as of an entry", 32);
  const pageSize = reader.u32();
  reader.demand(pageSize > 0 && pageSize <= MAX_PAGE_SIZE, `a page has at most ${MAX_PAGE_SIZE} bytes`, 40);
  const count = reader.u32();
  reader.demand(count > 0 && count <= MAX_PAGES, `a file has at most ${MAX_PAGES} pages`, 44);
  const directoryChecksum = reader.u32();
  if (reader.fault !== null) return brokenField(place, reader.fault);
  const checksum = checksumOf(bytes);
  return { ok: true, value: { cluster, through, pageSize, count, directoryChecksum, checksum } };
}

/** Judges the bytes from the end of the header to the first page. */
export function decodePageDirectory(file: string, header: PageFileHeader, bytes: Uint8Array): Judged<PageDirectory> {
  const broken = (at: number, rule: string): Refused => brokenRule(file, PAGE_FILE_HEADER_SIZE + at, rule);
  if (bytes.length !== pagesAtOf(header.count) - PAGE_FILE_HEADER_SIZE) return broken(0, "a directory is whole");
  if (crc32c(bytes) !== header.directoryChecksum) return broken(0, "a directory's checksum matches");
  const numbers = new Uint32Array(header.count);
  const crcs = new Uint32Array(header.count);
  const reader = new ByteReader(bytes);
  for (let place = 0, before = 0; place < header.count; place++) {
    const number = reader.u32();
    if (number <= before) return broken(place * DIRECTORY_ENTRY_SIZE, "page numbers ascend from 1");
    numbers[place] = before = number;
    crcs[place] = reader.u32();
  }
  return { ok: true, value: { numbers, crcs } };
}

function placeIn(file: string): BlockPlace {
  return { file, offset: 0, magic: "qlitepag", version: PAGE_FILE_VERSION };
}
