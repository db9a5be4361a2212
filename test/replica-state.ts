/**
 * The state that a node of a test cluster applies: the list of the entries itself, in pages. One entry a page, and a
 * first page that says how many there are and so changes with each. What a page store owes the boundary is kept here,
 * too: a cut is not read after its end, what was cut and not stored is in the next cut, a restore comes whole.
 */
import { ByteReader, ByteWriter } from "../core/bytes.ts";
import { crc32c } from "../core/checksum.ts";
import { invariant } from "../core/invariant.ts";
import type { PageCut, StoredPage } from "../core/pages/page-cut.ts";
import { RollingChecksum } from "../core/pages/rolling-checksum.ts";
import type { RestoreStep } from "../core/storage/boundary.ts";
import type { Entry, EntryKind, LogIndex, Term } from "../core/types.ts";

const PAGE_SIZE = 512;
const KINDS: readonly EntryKind[] = ["noop", "payload", "configuration"];

interface Page {
  readonly bytes: Uint8Array;
  readonly crc: number;
}

export class ReplicaState {
  entries: Entry[] = [];
  /** By number - 1. */
  private pages: Page[] = [];
  private readonly rolling = new RollingChecksum();
  /** Since the last cut that was stored; of the cut that is being written. */
  private changed = new Set<number>();
  private cutNumbers: readonly number[] | null = null;
  private restoring: { readonly pageCount: number; readonly pages: Map<number, Page> } | null = null;

  get checksum(): number {
    return this.rolling.value(this.pages.length);
  }

  apply(entry: Entry): void {
    invariant(this.restoring === null, "nothing is applied while a snapshot is restored");
    invariant(entry.index === this.entries.length + 1, "entries are applied in order, each once");
    this.entries.push(entry);
    this.put(entry.index + 1, pageOf(entry));
    this.put(1, header(this.entries.length));
  }

  /** A page goes bad in memory, and nobody notices. */
  corrupt(number: number): void {
    const page = this.pages[number - 1];
    invariant(page !== undefined, "a page that is there goes bad");
    const bytes = page.bytes.slice();
    bytes[bytes.length - 1]! ^= 1;
    this.put(number, bytes);
  }

  /** A byte of a page flips, and all that is known of the page stays as it was. */
  flip(number: number): void {
    const page = this.pages[number - 1];
    invariant(page !== undefined, "a page that is there goes bad");
    page.bytes[page.bytes.length - 1]! ^= 1;
    this.touch([number]);
  }

  cut(): PageCut {
    invariant(this.cutNumbers === null, "one cut at a time");
    const numbers = [...this.changed].filter((number) => number <= this.pages.length).sort((a, b) => a - b);
    this.changed = new Set();
    this.cutNumbers = numbers;
    const pages = numbers.map((number) => this.pages[number - 1] as Page);
    return {
      pageSize: PAGE_SIZE,
      pageCount: this.pages.length,
      checksum: this.checksum,
      numbers: Uint32Array.from(numbers),
      crcs: Uint32Array.from(pages, ({ crc }) => crc),
      pageAt: (place) => {
        invariant(this.cutNumbers === numbers, "a cut is not read after its end");
        return (pages[place] as Page).bytes;
      },
    };
  }

  endCut(isStored: boolean): void {
    invariant(this.cutNumbers !== null, "a cut ends once");
    if (!isStored) this.touch(this.cutNumbers);
    this.cutNumbers = null;
  }

  touch(numbers: readonly number[]): void {
    for (const number of numbers) this.changed.add(number);
  }

  restore(step: RestoreStep): void {
    switch (step.type) {
      case "RestoreStarted":
        invariant(step.pageSize === PAGE_SIZE, "pages keep their size");
        this.restoring = { pageCount: step.pageCount, pages: new Map() };
        return;
      case "PagesRestored":
        for (const page of step.pages) this.take(page);
        return;
      case "RestoreFinished":
        return this.finishRestore(step.checksum);
    }
  }

  private take({ number, crc, bytes }: StoredPage): void {
    invariant(this.restoring !== null && !this.restoring.pages.has(number), "each page is restored once");
    invariant(bytes.length === PAGE_SIZE && crc32c(bytes) === crc, "a page is restored as it was stored");
    this.restoring.pages.set(number, { bytes: bytes.slice(), crc });
  }

  private finishRestore(checksum: number): void {
    invariant(this.restoring !== null, "a restore ends once");
    const { pageCount, pages } = this.restoring;
    invariant(pages.size === pageCount && Math.max(...pages.keys()) === pageCount, "a snapshot is restored whole");
    this.restoring = null;
    this.pages = [];
    this.rolling.truncate(0);
    for (let number = 1; number <= pageCount; number++) this.put(number, (pages.get(number) as Page).bytes);
    invariant(this.checksum === checksum, "a snapshot has its checksum");
    this.changed = new Set();
    this.entries = this.pages.slice(1).map(({ bytes }, at) => entryOf(bytes, at + 1));
  }

  private put(number: number, bytes: Uint8Array): void {
    const page = { bytes, crc: crc32c(bytes) };
    this.pages[number - 1] = page;
    this.rolling.set(number, page.crc);
    this.changed.add(number);
  }
}

function header(count: number): Uint8Array {
  return padded(new ByteWriter().u64(count));
}

function pageOf({ term, kind, payload }: Entry): Uint8Array {
  return padded(new ByteWriter().u64(term).u8(KINDS.indexOf(kind)).blob(payload));
}

function padded(writer: ByteWriter): Uint8Array {
  invariant(writer.length <= PAGE_SIZE, "an entry of these tests fits a page");
  const page = new Uint8Array(PAGE_SIZE);
  page.set(writer.finish());
  return page;
}

function entryOf(bytes: Uint8Array, index: number): Entry {
  const reader = new ByteReader(bytes);
  const [term, kind, payload] = [reader.u64() as Term, KINDS[reader.u8()], reader.blob(bytes.length)];
  invariant(reader.fault === null, "a snapshot is restored as it was taken");
  return { term, index: index as LogIndex, kind: kind ?? "noop", payload };
}
