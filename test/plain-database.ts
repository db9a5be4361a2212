/** A database as plain as can be: its pages by number. The dumb twin of all that storage does with pages. */
import { crc32c } from "../core/checksum.ts";
import type { PageCut } from "../core/pages/page-cut.ts";

export class PlainDatabase {
  readonly pageSize: number;
  pageCount: number;
  /** Those that are there: a page up to the page count may be absent (the lock-byte page is). */
  readonly pages: ReadonlyMap<number, Uint8Array>;

  constructor(pageSize: number, pageCount: number, pages: ReadonlyMap<number, Uint8Array>) {
    this.pageSize = pageSize;
    this.pageCount = pageCount;
    this.pages = new Map([...pages].filter(([number]) => number <= pageCount).sort(([a], [b]) => a - b));
  }

  /** Pages 1 to so many, each filled with its number. */
  static of(pageCount: number, pageSize = 64): PlainDatabase {
    const numbers = Array.from({ length: pageCount }, (_, at) => at + 1);
    return new PlainDatabase(pageSize, pageCount, new Map(numbers.map((number) => [number, page(pageSize, number)])));
  }

  /** These pages are filled with another digit, and it has so many pages then: what is new is filled, too. */
  changed(numbers: readonly number[], digit: number, pageCount = this.pageCount): PlainDatabase {
    const pages = new Map(this.pages);
    for (const number of numbers) pages.set(number, page(this.pageSize, digit));
    for (let number = this.pageCount + 1; number <= pageCount; number++) pages.set(number, page(this.pageSize, digit));
    return new PlainDatabase(this.pageSize, pageCount, pages);
  }

  get checksum(): number {
    let checksum = this.pageCount;
    for (const [number, bytes] of this.pages) checksum = crc32c(bytes, 0, bytes.length, (checksum ^ number) >>> 0);
    return checksum;
  }

  /** What has changed since `base`; null: everything. */
  cut(base: PlainDatabase | null, also: readonly number[] = []): PageCut {
    const changed = [...this.pages].filter(([number, bytes]) => {
      return base?.pages.get(number) !== bytes || also.includes(number);
    });
    const { pageSize, pageCount, checksum } = this;
    return {
      pageSize, pageCount, checksum,
      numbers: Uint32Array.from(changed, ([number]) => number),
      crcs: Uint32Array.from(changed, ([, bytes]) => crc32c(bytes)),
      pageAt: (place) => changed[place]![1],
    };
  }

  /** Equal for equal databases. */
  toString(): string {
    const pages = [...this.pages].map(([number, bytes]) => `${number}:${bytes.join(".")}`);
    return `${this.pageCount} pages ${pages.join(" ")}`;
  }
}

function page(pageSize: number, digit: number): Uint8Array {
  return new Uint8Array(pageSize).map((_, at) => (digit + at) & 0xff);
}
