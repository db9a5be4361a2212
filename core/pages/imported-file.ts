/**
 * What an ordinary SQLite database file has to be so that its pages can become ours, judged from its first 100 bytes
 * and its size (SQLite fileformat2 §1.3, big-endian):
 *
 *    0  "SQLite format 3\0"
 *   16  u16  page size; 1 stands for 65536
 *   18  u8   write version        19  u8  read version: 1 rollback journal, 2 WAL
 *   24  u32  file change counter
 *   28  u32  size in pages, which counts if the next one equals the change counter
 *   44  u32  schema format, 1 to 4; 0: no table has been made yet
 *   52  u32  not 0: auto_vacuum or incremental_vacuum
 *   92  u32  the change counter for which the size is valid
 *
 * Not here: what stands in its tables, and whether its pages hold together (`PRAGMA integrity_check` says so).
 */
import { invariant } from "../invariant.ts";
import { decodeUtf8 } from "../utf8.ts";
import { markAsWal } from "./first-page.ts";

export const DATABASE_HEADER_SIZE = 100;

const MAGIC = "SQLite format 3\0";
const CHANGE_COUNTER_AT = 24;
const SIZE_AT = 28;
const AUTO_VACUUM_AT = 52;
const VALID_FOR_AT = 92;

export type ImportJudgement =
  | { readonly ok: true; readonly pageCount: number }
  /** `reason`: as in "the file …". `byVacuum`: a copy made by VACUUM INTO would do. */
  | { readonly ok: false; readonly reason: string; readonly byVacuum: boolean };

/** @param header the file's first 100 bytes, fewer if it has no more */
export function judgeImport(header: Uint8Array, fileSize: number, pageSize: number): ImportJudgement {
  const refuse = (reason: string, byVacuum: boolean): ImportJudgement => ({ ok: false, reason, byVacuum });
  if (fileSize === 0) return refuse("is empty: there is nothing to import", false);
  if (header.length < DATABASE_HEADER_SIZE || decodeUtf8(header, 0, MAGIC.length) !== MAGIC) {
    return refuse("is no SQLite database (it does not begin as one; an encrypted one does not either)", false);
  }
  const view = new DataView(header.buffer, header.byteOffset, header.byteLength);
  const found = view.getUint16(16) === 1 ? 65536 : view.getUint16(16);
  if (found !== pageSize) return refuse(`has pages of ${found} bytes, and here they have ${pageSize}`, true);
  const [writeVersion, readVersion] = [header[18]!, header[19]!];
  if (writeVersion < 1 || writeVersion > 2 || readVersion < 1 || readVersion > 2) {
    return refuse(`is of format ${writeVersion}/${readVersion}, which this program does not know`, false);
  }
  if (view.getUint32(44) > 4) return refuse(`has schema format ${view.getUint32(44)}, at most 4 is known`, false);
  if (view.getUint32(AUTO_VACUUM_AT) !== 0) return refuse("has auto_vacuum switched on, which is not replicated", true);
  return judgeSize(view, fileSize, pageSize);
}

function judgeSize(view: DataView, fileSize: number, pageSize: number): ImportJudgement {
  const pages = Math.floor(fileSize / pageSize);
  const isValid = view.getUint32(CHANGE_COUNTER_AT) === view.getUint32(VALID_FOR_AT) && view.getUint32(SIZE_AT) > 0;
  const pageCount = isValid ? view.getUint32(SIZE_AT) : pages;
  if (pageCount <= pages && pageCount > 0) return { ok: true, pageCount };
  const reason = `is cut short: it names ${pageCount} pages and has ${fileSize} bytes, which is ${pages}`;
  return { ok: false, reason, byVacuum: false };
}

/** In a copy of its page 1: a database as ours are, in WAL mode and with its size written down. */
export function adoptFirstPage(page: Uint8Array, pageCount: number): void {
  invariant(pageCount >= 1, "a database has at least one page");
  const view = new DataView(page.buffer, page.byteOffset, page.byteLength);
  markAsWal(page);
  view.setUint32(SIZE_AT, pageCount);
  view.setUint32(VALID_FOR_AT, view.getUint32(CHANGE_COUNTER_AT));
}
