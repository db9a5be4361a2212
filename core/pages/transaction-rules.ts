/**
 * What a decoded transaction has to be like to be applied to a database, wherever that is done. That it has each page
 * at most once, and none beyond its own size, its format has judged already (core/wal/payload.ts).
 */
import type { DecodeFault } from "../bytes.ts";
import type { Transaction } from "../wal/payload.ts";
import { lockBytePage, writtenPages } from "./lock-byte-page.ts";

/** `pageCount`: the database's size before the transaction. null: it may be applied. */
export function transactionFault(
  transaction: Transaction, pageSize: number, pageCount: number,
): DecodeFault | null {
  if (transaction.pageSize !== pageSize) return { rule: `the page size is ${pageSize}`, offset: 4 };
  const absent = lockBytePage(pageSize);
  if (transaction.pages.some(({ number }) => number === absent)) {
    return { rule: "SQLite's lock-byte page is never written", offset: 20 };
  }
  if (!growsWithoutGaps(transaction, pageSize, pageCount)) {
    return { rule: "every page beyond the database's old size is in the payload", offset: 8 };
  }
  return null;
}

export function growsWithoutGaps(
  { pageCount, pages }: { readonly pageCount: number; readonly pages: readonly { readonly number: number }[] },
  pageSize: number, before: number,
): boolean {
  if (pageCount <= before) return true;
  let added = 0;
  for (const page of pages) if (page.number > before) added += 1;
  return added === writtenPages(pageSize, pageCount) - writtenPages(pageSize, before);
}
