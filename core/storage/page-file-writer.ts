/**
 * How a file of pages comes into being: under another name, in pieces of a bounded size, synced piece by piece, then
 * renamed. Whoever is interrupted leaves a file that the next start removes.
 *
 * The hard idea is that the log must not notice. No step looks at more than one piece of the directory or of the pages,
 * however large the database is; and no sync is of more than one, because a sync of the log waits for it.
 *
 * Its space is not taken beforehand: that would write everything twice, and nothing relies on the file yet, so it may
 * run out of space at any piece.
 */
import { crc32c } from "../checksum.ts";
import { invariant } from "../invariant.ts";
import type { ClusterId, LogIndex } from "../types.ts";
import { checksumOf } from "./block.ts";
import { hadSpace } from "./disk-result.ts";
import type { DiskProcedure } from "./file-window.ts";
import {
  DIRECTORY_ENTRY_SIZE, PAGE_FILE_HEADER_SIZE, type PageDirectory, type PageFile, encodePageDirectory,
  encodePageFileHeader, paddingOf, pageFileName, pagesAtOf,
} from "./page-file.ts";

/** What a file is to be of. */
export interface PageFilePlan {
  readonly cluster: ClusterId;
  readonly through: LogIndex;
  readonly pageSize: number;
  readonly pages: PagesToWrite;
}

/** At least one page. */
export interface PagesToWrite {
  /** Lists about so many more of them at most, ascending; maybe none. null: all have been listed. */
  list(maxCount: number): PageDirectory | null;
  /** All that have been listed. */
  readonly listed: PageDirectory;
  /** Fills `piece` with the pages from a place of `listed` on, at hand or from a disk. False: one is not to be had. */
  readInto(piece: Uint8Array, from: number): boolean | DiskProcedure<boolean>;
}

/** So many entries of a directory are a piece: to merge them takes as long as to write a mebibyte of pages. */
const MAX_LISTED = 8192;

/** A page in memory is not what its checksum says, though it was: memory, or somebody in it, has gone wrong. */
export interface MemoryDamage {
  readonly damagedPage: number;
}

/** null: there is no space, or a page is not to be had. Nothing is left of an attempt that comes to no file. */
export function* writePageFile(
  sequence: number, plan: PageFilePlan, maxWriteBytes: number,
): DiskProcedure<PageFile | MemoryDamage | null> {
  const name = pageFileName(sequence);
  const file = `${name}.new`;
  if (!hadSpace(yield { type: "open", file, create: true })) return null;
  const head = yield* writeHead(file, plan, Math.min(MAX_LISTED, Math.ceil(maxWriteBytes / DIRECTORY_ENTRY_SIZE)));
  const written = head === null ? "refused" : yield* writePages(file, plan, maxWriteBytes);
  if (head === null || written !== "whole") {
    yield { type: "unlink", file };
    return written instanceof Object ? written : null;
  }
  yield { type: "rename", from: file, to: name };
  yield { type: "syncDirectory" };
  const { through, pageSize, pages: { listed: { numbers, crcs } } } = plan;
  return { sequence, through, count: numbers.length, pageSize, numbers, crcs, ...head };
}

/** The directory, then the header that has its checksum. */
function* writeHead(
  file: string, { cluster, through, pageSize, pages }: PageFilePlan, maxListed: number,
): DiskProcedure<Pick<PageFile, "checksum" | "directoryChecksum"> | null> {
  let offset = PAGE_FILE_HEADER_SIZE;
  let directoryChecksum = 0;
  let last = 0;
  for (let listed = pages.list(maxListed), isFirst = true; listed !== null; listed = pages.list(maxListed)) {
    if (!isFirst && !hadSpace(yield { type: "sync", file })) return null;
    isFirst = false;
    last = checkListed(listed, last);
    const bytes = encodePageDirectory(listed);
    directoryChecksum = crc32c(bytes, 0, bytes.length, directoryChecksum);
    if (!hadSpace(yield { type: "write", file, offset, bytes })) return null;
    offset += bytes.length;
  }
  const count = pages.listed.numbers.length;
  const padding = new Uint8Array(paddingOf(count));
  directoryChecksum = crc32c(padding, 0, padding.length, directoryChecksum);
  if (!hadSpace(yield { type: "write", file, offset, bytes: padding })) return null;
  const header = encodePageFileHeader({ cluster, through, pageSize, count, directoryChecksum });
  if (!hadSpace(yield { type: "write", file, offset: 0, bytes: header })) return null;
  return { checksum: checksumOf(header), directoryChecksum };
}

/** @param before the last number of the piece before */
function checkListed({ numbers, crcs }: PageDirectory, before: number): number {
  invariant(numbers.length === crcs.length, "each page has its checksum");
  for (let place = 0; place < numbers.length; place++) {
    invariant(numbers[place]! > before, "the pages of a file ascend");
    before = numbers[place]!;
  }
  return before;
}

/** "refused": there is no space, or a page is not to be had. */
function* writePages(
  file: string, { pageSize, pages }: PageFilePlan, maxWriteBytes: number,
): DiskProcedure<"whole" | "refused" | MemoryDamage> {
  const { numbers, crcs } = pages.listed;
  const pagesAt = pagesAtOf(numbers.length);
  const step = Math.max(1, Math.floor(maxWriteBytes / pageSize));
  // One buffer for all pieces, as each is synced before the next: V8 counts what is allocated outside of its heap, and
  // walks all of that, with every page of the database, once for some dozens of mebibytes.
  const buffer = new Uint8Array(Math.min(step, numbers.length) * pageSize);
  for (let from = 0; from < numbers.length; from += step) {
    const end = Math.min(from + step, numbers.length);
    const bytes = buffer.subarray(0, (end - from) * pageSize);
    const read = pages.readInto(bytes, from);
    if (!(typeof read === "boolean" ? read : yield* read)) return "refused";
    for (let place = from, at = 0; place < end; place++, at += pageSize) {
      if (crc32c(bytes, at, at + pageSize) !== crcs[place]) return { damagedPage: numbers[place]! };
    }
    if (!hadSpace(yield { type: "write", file, offset: pagesAt + from * pageSize, bytes })) return "refused";
    if (!hadSpace(yield { type: "sync", file })) return "refused";
  }
  return "whole";
}
