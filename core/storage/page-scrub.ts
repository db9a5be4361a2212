/**
 * Reads the files of the stored snapshot over and over, a little at a time, so that damage is found while the pages are
 * still in memory. A round goes through the files by their sequence, then through the manifest.
 */
import type { Owner } from "./block.ts";
import { corrupt } from "./block.ts";
import type { StorageFault } from "./boundary.ts";
import { bytesOf, resultOf } from "./disk-result.ts";
import type { DiskProcedure } from "./file-window.ts";
import { MANIFEST_FILE, MAX_MANIFEST_SIZE, decodeManifest } from "./manifest.ts";
import { type PageFile, encodePageFileHead, pageFileName, pagesAtOf } from "./page-file.ts";
import { readRun } from "./page-run.ts";
import type { PageFault, PageFiles, StoredSnapshot } from "./page-set.ts";

type OwnedFiles = PageFiles & { readonly owner: Owner };

export interface PageScrubStep {
  /** In bytes. */
  readonly read: number;
  readonly faults: readonly PageFault[];
  /** What is wrong in the manifest; null: nothing, as far as it was looked at. */
  readonly manifest: StorageFault | null;
}

export class PageScrub {
  /** Where the next step goes on: the file of at least this sequence, and where in it. */
  private sequence = 0;
  private offset = 0;

  /** Reads about so many bytes; at most one round. */
  *next(files: OwnedFiles, maxBytes: number): DiskProcedure<PageScrubStep> {
    const { stored } = files.pages;
    if (stored === null) return { read: 0, faults: [], manifest: null };
    files.pages.hold(stored);
    const faults: PageFault[] = [];
    let [read, manifest]: [number, StorageFault | null] = [0, null];
    while (read < maxBytes) {
      const file = this.currentFile(stored);
      if (file === null) {
        const scrubbed = yield* this.scrubManifest(files);
        read += scrubbed.size;
        manifest = scrubbed.fault;
        break;
      }
      read += yield* this.scrubFile(files, file, maxBytes - read, faults);
    }
    files.pages.letGo(stored);
    return { read, faults, manifest };
  }

  /** null: the round is over. */
  private currentFile({ files }: StoredSnapshot): PageFile | null {
    const rest = files.filter(({ sequence }) => sequence >= this.sequence);
    const next = rest.toSorted((a, b) => a.sequence - b.sequence)[0] ?? null;
    if (next !== null && next.sequence !== this.sequence) {
      this.sequence = next.sequence;
      this.offset = 0;
    }
    return next;
  }

  private *scrubFile(files: OwnedFiles, file: PageFile, maxBytes: number, faults: PageFault[]): DiskProcedure<number> {
    const pagesAt = pagesAtOf(file.count);
    const headLeft = pagesAt - this.offset;
    if (headLeft > 0) return yield* this.scrubHead(files, file, Math.min(maxBytes, headLeft), faults);
    const { pageSize, count } = file;
    const from = (this.offset - pagesAt) / pageSize;
    const end = Math.min(count, from + Math.max(1, Math.floor(maxBytes / pageSize)));
    const { damage } = yield* readRun(file, from, end);
    faults.push(...files.pages.noteDamage(damage));
    this.offset += (end - from) * pageSize;
    if (end === count) this.goBehind(file);
    return (end - from) * pageSize;
  }

  private *scrubHead(files: OwnedFiles, file: PageFile, length: number, faults: PageFault[]): DiskProcedure<number> {
    const name = pageFileName(file.sequence);
    const { cluster } = files.owner;
    const expected = encodePageFileHead({ ...file, cluster }, this.offset, this.offset + length);
    const found = bytesOf(yield { type: "read", file: name, offset: this.offset, length });
    const at = differsAt(expected, found);
    if (at !== null) {
      const detail = found === null ? "header and directory cannot be read" : "header or directory is not what it was";
      files.pages.noteDamagedHead(file);
      faults.push({ fault: corrupt(name, this.offset + at, detail).fault, numbers: [] });
    }
    this.offset += length;
    return length;
  }

  private goBehind({ sequence }: PageFile): void {
    this.sequence = sequence + 1;
    this.offset = 0;
  }

  /** Both halves of it. */
  private *scrubManifest(
    files: OwnedFiles,
  ): DiskProcedure<{ readonly size: number; readonly fault: StorageFault | null }> {
    this.sequence = 0;
    this.offset = 0;
    const file = MANIFEST_FILE;
    const { publicationsBegun } = files.pages;
    const size = resultOf(yield { type: "open", file, create: false }, "open").size ?? 0;
    const bytes = new Uint8Array(Math.min(size, MAX_MANIFEST_SIZE));
    const half = Math.floor(bytes.length / 2);
    for (const offset of [0, half]) {
      const read = bytesOf(yield { type: "read", file, offset, length: half });
      if (read !== null) bytes.set(read, offset);
    }
    // Another one may have come between the two halves.
    if (files.pages.publicationsBegun !== publicationsBegun) return { size: bytes.length, fault: null };
    const decoded = decodeManifest(bytes, files.owner);
    return { size: bytes.length, fault: decoded.ok ? decoded.value.damage : decoded.fault };
  }
}

/** Where the bytes differ; null: nowhere. */
function differsAt(expected: Uint8Array, found: Uint8Array | null): number | null {
  if (found === null) return 0;
  for (let at = 0; at < expected.length; at++) if (found[at] !== expected[at]) return at;
  return null;
}
