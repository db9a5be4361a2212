/**
 * How a file of pages comes into being: under another name, in pieces of a bounded size, synced piece by piece so that
 * no sync takes long, then renamed. Whoever is interrupted leaves a file that the next start removes.
 *
 * Its space is not taken beforehand: that would write everything twice, and nothing relies on the file yet, so it may
 * run out of space at any piece.
 */
import { crc32c } from "../checksum.ts";
import { invariant } from "../invariant.ts";
import { checksumOf } from "./block.ts";
import { hadSpace } from "./disk-result.ts";
import type { DiskProcedure } from "./file-window.ts";
import { type PageFile, type PageFilePlan, encodePageFileHead, pageFileName } from "./page-file.ts";

/**
 * The pages at the places [from, end) of the plan, one behind the other, at hand or from a disk; null: they are not to
 * be had.
 */
export type PageSource = (from: number, end: number) => Uint8Array | DiskProcedure<Uint8Array | null>;

/** After so many pieces they are synced: a sync of the log waits for no more than that. */
const PIECES_PER_SYNC = 4;

/** null: there is no space, or a page is not to be had; nothing is left of the attempt. */
export function* writePageFile(
  sequence: number, plan: PageFilePlan, source: PageSource, maxWriteBytes: number,
): DiskProcedure<PageFile | null> {
  const { through, pageSize, numbers, crcs } = plan;
  const name = pageFileName(sequence);
  const file = `${name}.new`;
  if (!hadSpace(yield { type: "open", file, create: true })) return null;
  const head = encodePageFileHead(plan);
  if (!(yield* writeAll(file, plan, head, source, maxWriteBytes))) {
    yield { type: "unlink", file };
    return null;
  }
  yield { type: "rename", from: file, to: name };
  yield { type: "syncDirectory" };
  return { sequence, through, count: numbers.length, checksum: checksumOf(head), pageSize, numbers, crcs };
}

function* writeAll(
  file: string, { pageSize, numbers, crcs }: PageFilePlan, head: Uint8Array, source: PageSource, maxWriteBytes: number,
): DiskProcedure<boolean> {
  for (let at = 0; at < head.length; at += maxWriteBytes) {
    const bytes = head.subarray(at, at + maxWriteBytes);
    if (!hadSpace(yield { type: "write", file, offset: at, bytes })) return false;
  }
  const step = Math.max(1, Math.floor(maxWriteBytes / pageSize));
  for (let from = 0, pieces = 1; from < numbers.length; from += step, pieces++) {
    const end = Math.min(from + step, numbers.length);
    const pages = source(from, end);
    const bytes = pages instanceof Uint8Array ? pages : yield* pages;
    if (bytes === null) return false;
    for (let place = from, at = 0; place < end; place++, at += pageSize) {
      invariant(crc32c(bytes, at, at + pageSize) === crcs[place], "a page is written with its own checksum");
    }
    if (!hadSpace(yield { type: "write", file, offset: head.length + from * pageSize, bytes })) return false;
    if (pieces % PIECES_PER_SYNC === 0 && !hadSpace(yield { type: "sync", file })) return false;
  }
  return hadSpace(yield { type: "sync", file });
}
