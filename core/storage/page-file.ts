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
export const DIRECTORY_ENTRY_SIZE = 8;
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
  readonly directoryChecksum: number;
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

/** What a header says. */
export interface PageFileHeader extends PageFileTraits {
  readonly cluster: ClusterId;
  readonly pageSize: number;
  readonly directoryChecksum: number;
}

/** All of it but its own checksum. */
type PageFileFields = Omit<PageFileHeader, "checksum">;

export function encodePageFileHeader(fields: PageFileFields): Uint8Array {
  const { cluster, through, pageSize, count, directoryChecksum } = fields;
  invariant(count > 0 && count <= MAX_PAGES, "a file of pages has some, and at most so many");
  invariant(pageSize > 0 && pageSize <= MAX_PAGE_SIZE, "a page has a possible size");
  const writer = beginBlock(placeIn("")).hex(cluster).u64(through).u32(pageSize).u32(count).u32(directoryChecksum);
  return sealBlock(writer, PAGE_FILE_HEADER_SIZE);
}

/** The places [from, end) of a directory, without the zeros behind it. */
export function encodePageDirectory({ numbers, crcs }: PageDirectory, from = 0, end = numbers.length): Uint8Array {
  const bytes = new Uint8Array((end - from) * DIRECTORY_ENTRY_SIZE);
  const view = new DataView(bytes.buffer);
  for (let place = from, at = 0; place < end; place++, at += DIRECTORY_ENTRY_SIZE) {
    view.setUint32(at, numbers[place]!, true);
    view.setUint32(at + 4, crcs[place]!, true);
  }
  return bytes;
}

/** How many zeros stand behind a directory. */
export function paddingOf(count: number): number {
  return pagesAtOf(count) - PAGE_FILE_HEADER_SIZE - count * DIRECTORY_ENTRY_SIZE;
}

/** As a header has it. */
export function checksumOfDirectory(directory: PageDirectory): number {
  const padding = new Uint8Array(paddingOf(directory.numbers.length));
  return crc32c(padding, 0, padding.length, crc32c(encodePageDirectory(directory)));
}

/** The bytes [from, end) of header and directory: of all that stands before the pages. It costs no more than those. */
export function encodePageFileHead(
  file: PageFileFields & PageDirectory, from = 0, end = pagesAtOf(file.count),
): Uint8Array {
  const bytes = new Uint8Array(end - from);
  if (from < PAGE_FILE_HEADER_SIZE) bytes.set(encodePageFileHeader(file).subarray(from, end));
  const place = (at: number): number => Math.max(0, at - PAGE_FILE_HEADER_SIZE) / DIRECTORY_ENTRY_SIZE;
  const first = Math.min(Math.floor(place(from)), file.count);
  const entries = encodePageDirectory(file, first, Math.min(Math.ceil(place(end)), file.count));
  // An entry at either end may be cut.
  const at = PAGE_FILE_HEADER_SIZE + first * DIRECTORY_ENTRY_SIZE - from;
  const whole = entries.subarray(Math.max(0, -at), end - from - at);
  bytes.set(whole, Math.min(Math.max(0, at), bytes.length));
  return bytes;
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
  const judge = new PageDirectoryJudge(file, header);
  judge.take(bytes);
  return judge.finish();
}

/** The same, while they come in. */
export class PageDirectoryJudge {
  private readonly file: string;
  private readonly header: PageFileHeader;
  private readonly directory: PageDirectory;
  /** How many bytes have been judged, and their checksum. */
  private at = 0;
  private checksum = 0;
  /** Of an entry of which only these bytes have come. */
  private rest: Uint8Array = new Uint8Array(0);
  /** The place of the first number that is not above the one before it; null: there is none yet. */
  private unascending: number | null = null;

  constructor(file: string, header: PageFileHeader) {
    this.file = file;
    this.header = header;
    this.directory = { numbers: new Uint32Array(header.count), crcs: new Uint32Array(header.count) };
  }

  take(bytes: Uint8Array): void {
    this.checksum = crc32c(bytes, 0, bytes.length, this.checksum);
    const { numbers, crcs } = this.directory;
    const known = new Uint8Array(this.rest.length + bytes.length);
    known.set(this.rest);
    known.set(bytes, this.rest.length);
    const view = new DataView(known.buffer);
    let place = (this.at - this.rest.length) / DIRECTORY_ENTRY_SIZE;
    let at = 0;
    for (; place < numbers.length && at + DIRECTORY_ENTRY_SIZE <= known.length; place++, at += DIRECTORY_ENTRY_SIZE) {
      const number = view.getUint32(at, true);
      if (number <= (numbers[place - 1] ?? 0)) this.unascending ??= place;
      numbers[place] = number;
      crcs[place] = view.getUint32(at + 4, true);
    }
    this.at += bytes.length;
    this.rest = known.slice(at, place < numbers.length ? known.length : at);
  }

  /** All of them have come. */
  finish(): Judged<PageDirectory> {
    const broken = (at: number, rule: string): Refused => brokenRule(this.file, PAGE_FILE_HEADER_SIZE + at, rule);
    const { count, directoryChecksum } = this.header;
    if (this.at !== pagesAtOf(count) - PAGE_FILE_HEADER_SIZE) return broken(0, "a directory is whole");
    if (this.checksum !== directoryChecksum) return broken(0, "a directory's checksum matches");
    const { unascending } = this;
    if (unascending !== null) return broken(unascending * DIRECTORY_ENTRY_SIZE, "page numbers ascend from 1");
    return { ok: true, value: this.directory };
  }
}

function placeIn(file: string): BlockPlace {
  return { file, offset: 0, magic: "qlitepag", version: PAGE_FILE_VERSION };
}
