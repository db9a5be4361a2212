/**
 * What the payloads of entries make of a database of which no page is in memory: the pages that they have written, as
 * they are after the last one. Whatever is not here is still as it was. For tools that read a stored snapshot page by
 * page, and lay the log's tail over it; PageImage (page-image.ts) holds all.
 */
import type { DecodeFault } from "../bytes.ts";
import { decodePayload } from "../wal/payload.ts";
import type { StoredPage } from "./page-cut.ts";
import { transactionFault } from "./transaction-rules.ts";

export class PageOverlay {
  readonly pageSize: number;
  /** The database's size in pages after the last payload: a page beyond it is absent, whatever there was. */
  pageCount: number;
  /** By number. Their bytes lie in the payloads. */
  readonly pages = new Map<number, StoredPage>();

  /** `pageCount`: of the database that lies below. */
  constructor(pageSize: number, pageCount: number) {
    this.pageSize = pageSize;
    this.pageCount = pageCount;
  }

  /** By the rules of a node. null: done. */
  apply(payload: Uint8Array): DecodeFault | null {
    const decoded = decodePayload(payload);
    if (!decoded.ok) return decoded.fault;
    const transaction = decoded.value;
    const fault = transactionFault(transaction, this.pageSize, this.pageCount);
    if (fault !== null) return fault;
    for (const page of transaction.pages) this.pages.set(page.number, page);
    // Rarely: a database seldom shrinks.
    if (transaction.pageCount < this.pageCount) {
      for (const number of this.pages.keys()) if (number > transaction.pageCount) this.pages.delete(number);
    }
    this.pageCount = transaction.pageCount;
    return null;
  }
}
