/**
 * From the files of a directory to the stored snapshot. A manifest that is there promises its files, whole; so whatever
 * is missing is damage. Of a file of pages header and directory are judged here, the pages when they are read
 * (page-run.ts): a start that reads no page takes a moment.
 *
 * Nothing is changed, but for a half of the manifest that the other half mends. What nobody refers to is removed later,
 * when all is known to be sound (PageSet.hasUnused).
 */
import type { ClusterId } from "../types.ts";
import { type Judged, type Owner, corrupt } from "./block.ts";
import { bytesOf, resultOf } from "./disk-result.ts";
import type { DiskProcedure } from "./file-window.ts";
import {
  type DecodedManifest, MANIFEST_FILE, MAX_MANIFEST_SIZE, type ManifestRow, decodeManifest,
} from "./manifest.ts";
import { judgeTraits } from "./page-file-judge.ts";
import {
  PAGE_FILE_HEADER_SIZE, type PageFile, decodePageDirectory, decodePageFileHeader, pageFileName, pageFileSize,
  pagesAtOf, sequenceOfPageFile,
} from "./page-file.ts";
import { PageSet, StoredSnapshot } from "./page-set.ts";
import { renewManifest } from "./publication.ts";

/** How much of a directory is read at once. */
const CHUNK_BYTES = 1024 * 1024;

/**
 * @param names what the directory has, and durably so
 * @returns a fault "corrupt": the snapshot is of no use. Others: the directory must not be used at all
 */
export function* recoverPages(owner: Owner, names: readonly string[]): DiskProcedure<Judged<PageSet>> {
  const judged = yield* judgePages(owner, names);
  if (!judged.ok || judged.value.damage.length === 0) return judged;
  // Where there is no space it stays as it is: one half is enough.
  const refused = yield* renewManifest({ owner, pages: judged.value });
  return refused ?? judged;
}

/** The same, and nothing is mended. */
export function* judgePages(owner: Owner, names: readonly string[]): DiskProcedure<Judged<PageSet>> {
  const sequences = names.map(sequenceOfPageFile).filter((sequence) => sequence !== null);
  const next = 1 + sequences.reduce((highest, sequence) => Math.max(highest, sequence), 0);
  if (!names.includes(MANIFEST_FILE)) return { ok: true, value: new PageSet(null, sequences, next) };
  const decoded = yield* readManifest(owner);
  if (!decoded.ok) return decoded;
  const { manifest: { state, files: rows }, damage } = decoded.value;
  const files: PageFile[] = [];
  for (const row of rows) {
    const file = yield* readPageFile(row, owner.cluster, state.pageSize);
    if (!file.ok) return file;
    files.push(file.value);
  }
  const stored = new StoredSnapshot(state, files);
  return { ok: true, value: new PageSet(stored, sequences, next, damage === null ? [] : [damage]) };
}

/** Each half for itself: one that cannot be read leaves the other. */
export function* readManifest(owner: Owner): DiskProcedure<Judged<DecodedManifest>> {
  const file = MANIFEST_FILE;
  const size = resultOf(yield { type: "open", file, create: false }, "open").size ?? 0;
  if (size > MAX_MANIFEST_SIZE) return corrupt(file, 0, `has ${size} bytes, more than a manifest can have`);
  const half = Math.floor(size / 2);
  const bytes = new Uint8Array(size);
  for (const offset of [0, half]) {
    const read = bytesOf(yield { type: "read", file, offset, length: half });
    if (read !== null) bytes.set(read, offset);
  }
  return decodeManifest(bytes, owner);
}

/** Judges all of a file but its pages. */
export function* readPageFile(
  row: ManifestRow, cluster: ClusterId, pageSize: number,
): DiskProcedure<Judged<PageFile>> {
  const { sequence, through, count, checksum } = row;
  const file = pageFileName(sequence);
  const { size } = resultOf(yield { type: "open", file, create: false }, "open");
  if (size === null) return corrupt(file, 0, `missing, although the ${MANIFEST_FILE} names it`);
  const whole = pageFileSize(count, pageSize);
  if (size !== whole) return corrupt(file, Math.min(size, whole), `has ${size} bytes instead of ${whole}`);
  const head = new Uint8Array(pagesAtOf(count));
  for (let offset = 0; offset < head.length; offset += CHUNK_BYTES) {
    const length = Math.min(CHUNK_BYTES, head.length - offset);
    const read = bytesOf(yield { type: "read", file, offset, length });
    if (read === null) return corrupt(file, offset, "the directory cannot be read");
    head.set(read, offset);
  }
  const header = decodePageFileHeader(file, head);
  if (!header.ok) return header;
  const refused = judgeTraits(file, header.value, { cluster, pageSize, traits: row });
  if (refused !== null) return refused;
  const directory = decodePageDirectory(file, header.value, head.subarray(PAGE_FILE_HEADER_SIZE));
  if (!directory.ok) return directory;
  const { directoryChecksum } = header.value;
  return { ok: true, value: { sequence, through, count, checksum, pageSize, directoryChecksum, ...directory.value } };
}
