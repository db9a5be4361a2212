/**
 * The snapshot that a node's disk would give back after any crash now: a manifest whose files are all durably there,
 * and were whole when they became so. What rots later is known to nobody, and counts.
 */
import { crc32c } from "../../core/checksum.ts";
import type { Configuration } from "../../core/raft/configuration.ts";
import type { Owner } from "../../core/storage/block.ts";
import { decodeManifest, MANIFEST_FILE } from "../../core/storage/manifest.ts";
import {
  decodePageDirectory, decodePageFileHeader, isPageFile, PAGE_FILE_HEADER_SIZE, pageFileName, type PageFileHeader,
  pagesAtOf,
} from "../../core/storage/page-file.ts";
import type { EntryId } from "../../core/types.ts";
import type { DurableDisk } from "./boundary.ts";

export interface DurableSnapshot {
  readonly entry: EntryId;
  readonly configuration: Configuration;
}

export class SnapshotReader {
  /** The checksums of files that were once seen whole. */
  private readonly whole = new Set<number>();
  /** The files of pages that are durably there, under their names. */
  private named: ReadonlySet<string> = new Set();

  /** A file has been synced, under whichever name it has so far. */
  fileSynced(file: string, disk: DurableDisk): void {
    const bytes = disk.durable(file);
    const header = bytes === null ? null : headerOf(file, bytes);
    if (bytes !== null && header !== null && isWhole(file, header, bytes)) this.whole.add(header.checksum);
  }

  /** Files have come, or gone: those that have come are looked at before anything can befall them. */
  directorySynced(disk: DurableDisk): void {
    const named = disk.listDurable().filter(isPageFile);
    for (const name of named) if (!this.named.has(name)) this.fileSynced(name, disk);
    this.named = new Set(named);
  }

  /** null: there is none, or it lacks something. */
  read(owner: Owner, disk: DurableDisk): DurableSnapshot | null {
    const bytes = disk.durable(MANIFEST_FILE);
    const decoded = bytes === null ? null : decodeManifest(bytes, owner);
    if (decoded === null || !decoded.ok) return null;
    const { state, files } = decoded.value.manifest;
    for (const { sequence, checksum } of files) {
      const name = pageFileName(sequence);
      const content = disk.durable(name);
      if (content === null) return null;
      if (!this.whole.has(checksum)) this.fileSynced(name, disk);
      if (!this.whole.has(checksum)) return null;
    }
    return { entry: state.entry, configuration: state.configuration };
  }
}

function headerOf(file: string, bytes: Uint8Array): PageFileHeader | null {
  if (bytes.length < PAGE_FILE_HEADER_SIZE) return null;
  const judged = decodePageFileHeader(file, bytes.subarray(0, PAGE_FILE_HEADER_SIZE));
  return judged.ok ? judged.value : null;
}

function isWhole(file: string, header: PageFileHeader, bytes: Uint8Array): boolean {
  const { count, pageSize } = header;
  const pagesAt = pagesAtOf(count);
  const content = new Uint8Array(pagesAt + count * pageSize);
  // Zeros at the end may be missing.
  content.set(bytes.subarray(0, content.length));
  const judged = decodePageDirectory(file, header, content.subarray(PAGE_FILE_HEADER_SIZE, pagesAt));
  if (!judged.ok) return false;
  for (let place = 0; place < count; place++) {
    const at = pagesAt + place * pageSize;
    if (crc32c(content, at, at + pageSize) !== judged.value.crcs[place]) return false;
  }
  return true;
}
