/**
 * The stored snapshot on its way back into the database: each page that counts once, in chunks whose bytes become the
 * pages, one chunk in flight. So a restore takes the memory of the database and little more.
 */
import { invariant } from "../invariant.ts";
import type { StoredPage } from "../pages/page-cut.ts";
import type { SnapshotId } from "../raft/message.ts";
import type { RestoreStep, StorageEffect, StorageLimits } from "./boundary.ts";
import type { DiskNews, DiskOperation } from "./disk.ts";
import type { DiskProcedure } from "./file-window.ts";
import type { PageFile } from "./page-file.ts";
import { type PageRun, readRun } from "./page-run.ts";
import type { PageFiles, StoredSnapshot } from "./page-set.ts";

export type RestorationEffect =
  /** To be performed, its answer handed to `answered`. */
  | { readonly type: "Perform"; readonly operation: DiskOperation }
  | RestoreStep
  /** A page is not what it was: the snapshot is of no use. The last effect. */
  | Extract<StorageEffect, { readonly type: "SnapshotDamaged" }>;

/** Neighbouring pages of one file, all of which count. */
interface Stretch {
  readonly file: PageFile;
  readonly from: number;
  readonly end: number;
}

export class Restoration {
  private readonly files: PageFiles;
  /** null: it is not the one in force any more, or the restore is over. */
  private stored: StoredSnapshot | null;
  private readonly stretches: Iterator<Stretch> | null;
  private underWay: { readonly stretch: Stretch; readonly steps: DiskProcedure<PageRun> } | null = null;

  constructor(files: PageFiles, snapshot: SnapshotId, { maxWriteBytes }: Pick<StorageLimits, "maxWriteBytes">) {
    const { stored } = files.pages;
    this.files = files;
    // Merged meanwhile, it is another stream and the same state.
    this.stored = stored !== null && isSameState(stored.id, snapshot) ? stored : null;
    this.stretches = this.stored === null ? null : stretchesOf(this.stored, maxWriteBytes);
    if (this.stored !== null) files.pages.hold(this.stored);
  }

  start(): readonly RestorationEffect[] {
    if (this.stored === null) return [];
    const { entry, pageSize, pageCount } = this.stored.state;
    return [{ type: "RestoreStarted", entry, pageSize, pageCount }, ...this.proceed()];
  }

  answered(news: DiskNews): readonly RestorationEffect[] {
    return this.stored === null ? [] : this.advance(news);
  }

  /** Nothing comes of it any more. */
  giveUp({ pages }: PageFiles): void {
    if (this.stored !== null) pages.letGo(this.stored);
    this.stored = null;
  }

  private proceed(): readonly RestorationEffect[] {
    const next = this.stretches?.next();
    if (next !== undefined && !next.done) {
      const { file, from, end } = next.value;
      this.underWay = { stretch: next.value, steps: readRun(file, from, end) };
      return this.advance(null);
    }
    invariant(this.stored !== null, "a restore ends once");
    const { entry, checksum } = this.stored.state;
    this.giveUp(this.files);
    return [{ type: "RestoreFinished", entry, checksum }];
  }

  /** `news`: of the step before; null: this is the first. */
  private advance(news: DiskNews | null): readonly RestorationEffect[] {
    invariant(this.underWay !== null, "only what was asked for is answered");
    const { stretch, steps } = this.underWay;
    const step = news === null ? steps.next() : steps.next(news);
    if (!step.done) return [{ type: "Perform", operation: step.value }];
    const damage = step.value.damage[0];
    if (damage !== undefined) {
      this.giveUp(this.files);
      return [{ type: "SnapshotDamaged", fault: damage.fault }];
    }
    const pages = pagesOf(stretch, step.value.bytes);
    return [{ type: "PagesRestored", pages }, ...this.proceed()];
  }
}

function pagesOf({ file, from, end }: Stretch, bytes: Uint8Array): StoredPage[] {
  const { pageSize, numbers, crcs } = file;
  const pages: StoredPage[] = [];
  for (let place = from, at = 0; place < end; place++, at += pageSize) {
    pages.push({ number: numbers[place]!, crc: crcs[place]!, bytes: bytes.subarray(at, at + pageSize) });
  }
  return pages;
}

/** Each page that counts, once; a stretch has at least one page, and at most about maxBytes. */
function* stretchesOf(stored: StoredSnapshot, maxBytes: number): Generator<Stretch, void> {
  const { files, state } = stored;
  const maxPages = Math.max(1, Math.floor(maxBytes / Math.max(1, state.pageSize)));
  for (const [at, file] of files.entries()) {
    for (let from = 0, end = 0; from < file.count; from = Math.max(end, from + 1)) {
      end = from;
      while (end < file.count && end - from < maxPages && stored.counts(at, file.numbers[end]!)) end++;
      if (end > from) yield { file, from, end };
    }
  }
}

function isSameState(a: SnapshotId, b: SnapshotId): boolean {
  return a.entry.index === b.entry.index && a.entry.term === b.entry.term;
}
