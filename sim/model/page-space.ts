/**
 * The pages of one model database: an applied state for readers, a speculative one for the writer, and the queue of
 * commits between them. It knows page numbers and bytes, and nothing of what they mean.
 *
 * A page is never written in place once a transaction has ended: the writer copies it at its first touch. So both
 * states and every commit share pages freely, and undoing is putting references back.
 */
import { invariant, InvariantError } from "../../core/invariant.ts";
import type { ApplyFault } from "../../core/database/engine.ts";
import { Cuts } from "../../core/pages/cuts.ts";
import type { PageCut, StoredPage } from "../../core/pages/page-cut.ts";
import { PageImage } from "../../core/pages/page-image.ts";
import { RollingChecksum } from "../../core/pages/rolling-checksum.ts";
import { decodePayload, encodePayload, type PageDigest, payloadSize } from "../../core/wal/payload.ts";

export const MODEL_PAGE_SIZE = 4096;

/** What tables are laid out on. Pages count from 1. */
export interface Pages {
  read(number: number): Uint8Array;
  /** The page, to be written into. */
  write(number: number): Uint8Array;
  /** A new page of zeros at the end; returns its number. */
  allocate(): number;
  readonly count: number;
}

interface SpeculativeCommit {
  readonly payload: Uint8Array;
  readonly digests: readonly PageDigest[];
  /** By page number: the page before the transaction (undefined: there was none) and after it. */
  readonly before: ReadonlyMap<number, Uint8Array | undefined>;
  readonly after: ReadonlyMap<number, Uint8Array>;
}

export class PageSpace {
  private readonly applied: Uint8Array[] = [];
  /** Applied pages, overlaid by those of the commits, overlaid by those of the open transaction. */
  private readonly speculative: Uint8Array[] = [];
  private readonly commits: SpeculativeCommit[] = [];
  /** Pages that the open transaction has touched, as they were; null: none is open. */
  private touched: Map<number, Uint8Array | undefined> | null = null;
  private rolling = new RollingChecksum();
  private readonly cuts = new Cuts();
  /** What has come of the state that is being restored; null: none is. */
  private restoring: PageImage | null = null;

  readonly reader: Pages;
  readonly writer: Pages;

  constructor() {
    const refuse = (): never => {
      throw new InvariantError("readers do not write");
    };
    this.reader = pagesOver(this.applied, refuse);
    this.writer = pagesOver(this.speculative, (number) => this.touch(number));
  }

  get inTransaction(): boolean {
    return this.touched !== null;
  }

  get speculativeCount(): number {
    return this.commits.length;
  }

  begin(): void {
    invariant(this.touched === null, "one transaction at a time");
    this.touched = new Map();
  }

  /** The transaction's payload so far. */
  get transactionSize(): number {
    return payloadSize(MODEL_PAGE_SIZE, this.touched?.size ?? 0);
  }

  /** The payload of the transaction; null: it changed nothing. */
  commit(): Uint8Array | null {
    const before = this.touched;
    invariant(before !== null, "only an open transaction is committed");
    this.touched = null;
    if (before.size === 0) return null;
    const numbers = [...before.keys()].sort((a, b) => a - b);
    const after = new Map(numbers.map((number) => [number, pageOf(this.speculative, number)]));
    const pages = numbers.map((number) => ({ number, bytes: pageOf(this.speculative, number) }));
    const { payload, digests } = encodePayload(MODEL_PAGE_SIZE, this.speculative.length, pages);
    this.commits.push({ payload, digests, before, after });
    return payload;
  }

  rollback(): void {
    if (this.touched === null) return;
    this.restore(this.touched);
    this.touched = null;
  }

  advance(): void {
    const commit = this.commits.shift();
    invariant(commit !== undefined, "there is a speculative commit to advance over");
    for (const [number, page] of commit.after) this.applied[number - 1] = page;
    for (const { number, crc } of commit.digests) this.changed(number, crc);
  }

  discard(keep: number): void {
    invariant(this.touched === null, "commits are discarded outside transactions");
    while (this.commits.length > keep) this.restore((this.commits.pop() as SpeculativeCommit).before);
  }

  /** null: done; otherwise the rule that the payload breaks. */
  apply(payload: Uint8Array): string | null {
    invariant(this.commits.length === 0 && this.touched === null, "nothing is speculative where payloads are applied");
    const decoded = decodePayload(payload);
    if (!decoded.ok) return decoded.fault.rule;
    const { pageSize, pageCount, pages } = decoded.value;
    if (pageSize !== MODEL_PAGE_SIZE) return `a page of the model has ${MODEL_PAGE_SIZE} bytes`;
    if (pageCount < this.applied.length) return "a database of the model never shrinks";
    for (const { number, crc, bytes } of pages) {
      if (number > this.applied.length + 1) return "a new page follows the last one";
      this.applied[number - 1] = bytes;
      this.speculative[number - 1] = bytes;
      this.changed(number, crc);
    }
    return this.applied.length === pageCount ? null : "a transaction brings all new pages";
  }

  cut(): PageCut {
    invariant(this.restoring === null, "a whole state is cut");
    const { rolling } = this;
    return this.cuts.begin({
      pageSize: MODEL_PAGE_SIZE,
      pageCount: this.applied.length,
      checksum: this.checksum(),
      pageOf: (number) => this.applied[number - 1],
      crcOf: (number) => rolling.crcOf(number),
    });
  }

  endCut(isStored: boolean): void {
    this.cuts.end(isStored);
  }

  mark(numbers: readonly number[]): void {
    for (const number of numbers) this.cuts.mark(number);
  }

  beginRestore(pageSize: number, pageCount: number): ApplyFault | null {
    const idle = this.commits.length === 0 && this.touched === null;
    invariant(idle, "nothing is speculative where a state is replaced");
    if (pageSize !== MODEL_PAGE_SIZE) return { rule: `a page of the model has ${MODEL_PAGE_SIZE} bytes` };
    this.cuts.forget();
    this.become(new PageImage(pageSize, 0));
    this.restoring = new PageImage(pageSize, pageCount);
    return null;
  }

  restorePages(pages: readonly StoredPage[]): ApplyFault | null {
    invariant(this.restoring !== null, "pages come while a state is being restored");
    return this.restoring.placeAll(pages);
  }

  finishRestore(checksum: number): ApplyFault | null {
    invariant(this.restoring !== null, "what is finished was begun");
    const fault = this.restoring.fault(checksum);
    if (fault !== null) return fault;
    this.become(this.restoring);
    this.restoring = null;
    return null;
  }

  checksum(): number {
    return this.rolling.value(this.applied.length);
  }

  image(): Uint8Array {
    const image = new Uint8Array(this.applied.length * MODEL_PAGE_SIZE);
    for (const [at, page] of this.applied.entries()) image.set(page, at * MODEL_PAGE_SIZE);
    return image;
  }

  private become({ pages, rolling }: PageImage): void {
    this.applied.length = pages.length;
    this.speculative.length = pages.length;
    for (const at of pages.keys()) {
      const page = pageOf(pages, at + 1);
      this.applied[at] = page;
      this.speculative[at] = page;
    }
    this.rolling = rolling;
  }

  private changed(number: number, crc: number): void {
    this.rolling.set(number, crc);
    this.cuts.mark(number);
  }

  private touch(number: number): Uint8Array {
    invariant(this.touched !== null, "pages are written in transactions");
    const before = this.speculative[number - 1];
    if (this.touched.has(number)) return before as Uint8Array;
    this.touched.set(number, before);
    const page = before === undefined ? new Uint8Array(MODEL_PAGE_SIZE) : before.slice();
    this.speculative[number - 1] = page;
    return page;
  }

  private restore(before: ReadonlyMap<number, Uint8Array | undefined>): void {
    let count = this.speculative.length;
    for (const [number, page] of before) {
      if (page === undefined) count = Math.min(count, number - 1);
      else this.speculative[number - 1] = page;
    }
    this.speculative.length = count;
  }
}

/** `write` also makes the page just behind the last one. */
export function pagesOver(pages: readonly Uint8Array[], write: (number: number) => Uint8Array): Pages {
  return {
    read: (number) => pageOf(pages, number),
    write,
    allocate: () => {
      write(pages.length + 1);
      return pages.length;
    },
    get count() {
      return pages.length;
    },
  };
}

function pageOf(pages: readonly (Uint8Array | undefined)[], number: number): Uint8Array {
  const page = pages[number - 1];
  invariant(page !== undefined, "a page of the database exists");
  return page;
}
