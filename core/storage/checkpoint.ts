/**
 * A checkpoint: what has changed since the stored snapshot becomes one more file of it, at a cost that depends on the
 * change alone. The pages are written beside everything else, while the database goes on; only then, behind all that
 * was ordered before, comes the manifest that counts.
 */
import { invariant } from "../invariant.ts";
import type { PageCut } from "../pages/page-cut.ts";
import type { SnapshotPoint } from "../raft/message.ts";
import { sameEntry } from "../types.ts";
import type { Owner, Refused } from "./block.ts";
import type { StorageLimits } from "./boundary.ts";
import type { DiskProcedure } from "./file-window.ts";
import { MAX_FILES, type SnapshotState } from "./manifest.ts";
import { type PageDirectory, type PageFile, pageFileName } from "./page-file.ts";
import { type MemoryDamage, type PagesToWrite, writePageFile } from "./page-file-writer.ts";
import { type PageFiles, StoredSnapshot } from "./page-set.ts";
import { type PreparedManifest, prepareManifest, publish } from "./publication.ts";

type OwnedFiles = PageFiles & { readonly owner: Owner };

export interface WrittenCut {
  readonly point: SnapshotPoint;
  readonly state: SnapshotState;
  /** null: no page has changed. */
  readonly file: PageFile | null;
  /** What was stored when it was written: that is what it completes. null: nothing, so it is complete by itself. */
  readonly base: StoredSnapshot | null;
  readonly manifest: PreparedManifest;
}

/** Writes the pages of the cut, durably. null: there is no space. Nothing is left of one that was not written. */
export function* writeCut(
  files: OwnedFiles, point: SnapshotPoint, cut: PageCut, { maxWriteBytes }: Pick<StorageLimits, "maxWriteBytes">,
): DiskProcedure<WrittenCut | MemoryDamage | null> {
  invariant((cut.numbers.at(-1) ?? 0) <= cut.pageCount, "the pages of a cut are within its page count");
  const { pages } = files;
  const base = pages.stored;
  const fileCount = (base?.files.length ?? 0) + 1;
  if (fileCount > MAX_FILES) return null;
  const manifest = yield* prepareManifest(files, point.configuration, fileCount);
  if (manifest === null) return null;
  const { entry, configuration } = point;
  const { pageSize, pageCount, checksum } = cut;
  const state: SnapshotState = { entry, configuration, pageSize, pageCount, checksum };
  if (cut.numbers.length === 0) return { point, state, file: null, base, manifest };
  const plan = { cluster: files.owner.cluster, through: entry.index, pageSize, pages: new CutPages(cut) };
  const file = yield* writePageFile(pages.takeSequence(), plan, maxWriteBytes);
  if (file !== null && !("damagedPage" in file)) return { point, state, file, base, manifest };
  yield { type: "unlink", file: manifest.file };
  return file;
}

/** A piece is copied together while it is written; the cut itself never is. */
class CutPages implements PagesToWrite {
  readonly listed: PageDirectory;
  private readonly cut: PageCut;
  private listedCount = 0;

  constructor(cut: PageCut) {
    this.listed = cut;
    this.cut = cut;
  }

  list(maxCount: number): PageDirectory | null {
    const { numbers, crcs } = this.cut;
    const from = this.listedCount;
    if (from === numbers.length) return null;
    const end = this.listedCount = Math.min(from + maxCount, numbers.length);
    return { numbers: numbers.subarray(from, end), crcs: crcs.subarray(from, end) };
  }

  readInto(piece: Uint8Array, from: number): boolean {
    const { pageSize, pageAt } = this.cut;
    for (let place = from, at = 0; at < piece.length; place++, at += pageSize) {
      const page = pageAt(place);
      invariant(page.length === pageSize, "a page has the size of a page");
      piece.set(page, at);
    }
    return true;
  }
}

/** What was written comes into force, unless a newer snapshot has come meanwhile: then nothing is left of it. */
export function* publishCut(files: OwnedFiles, written: WrittenCut): DiskProcedure<Refused | null> {
  const { state, file, base, manifest } = written;
  const current = files.pages.stored;
  if (!completes(state, base, current)) {
    yield { type: "unlink", file: manifest.file };
    if (file !== null) yield { type: "unlink", file: pageFileName(file.sequence) };
    return null;
  }
  // Of a database without pages nothing remains, whatever the files hold.
  const hadPages = current !== null && current.state.pageCount > 0;
  const older = hadPages && state.pageCount > 0 ? current.files : [];
  const isUniform = older.length === 0 || current?.state.pageSize === state.pageSize;
  invariant(isUniform, "the pages of one database have one size");
  return yield* publish(files, manifest, new StoredSnapshot(state, file === null ? older : [...older, file]));
}

/** Whether a cut made over `base` makes a whole together with what is stored now: files may have been merged. */
function completes(state: SnapshotState, base: StoredSnapshot | null, current: StoredSnapshot | null): boolean {
  if (base === null || current === null) return current === null;
  const { entry } = base.state;
  return sameEntry(current.state.entry, entry) && (state.entry.index > entry.index || sameEntry(state.entry, entry));
}
