/**
 * The directory of a cluster of one node whose database exists already: a snapshot as of one entry, and an empty log
 * behind it. What was in the directory before is gone with the same instant in which the new files count
 * (directory-replacement.ts).
 */
import { invariant } from "../invariant.ts";
import type { Configuration } from "../raft/configuration.ts";
import type { EntryId, HardState, Identity } from "../types.ts";
import { type Judged, type Owner, checksumOf, ownerOf } from "./block.ts";
import type { StorageLimits } from "./boundary.ts";
import { type NewFile, replaceFiles, stageFile, stagedName } from "./directory-replacement.ts";
import { isNameless } from "./disk-failure.ts";
import { hadSpace, resultOf } from "./disk-result.ts";
import type { DiskProcedure } from "./file-window.ts";
import { IDENTITY_FILE, encodeIdentity } from "./identity-file.ts";
import { MARK_SIZE } from "./log.ts";
import { MANIFEST_FILE, encodeManifest } from "./manifest.ts";
import { checksumOfDirectory, encodePageFileHead, pageFileName } from "./page-file.ts";
import { SEGMENT_HEADER_SIZE, encodeSegmentHeader, segmentFile } from "./segment-file.ts";
import { votesAlone } from "./sole-voter.ts";
import { FIRST_SLOT, TERM_FILE, encodeNewTermFile } from "./term-file.ts";
import { type WholeDatabase, checksumOfPages } from "./whole-database.ts";

export interface Founding {
  /** With a cluster that nobody else is of. */
  readonly identity: Identity;
  readonly configuration: Configuration;
  /** The last entry whose effect is in the database. */
  readonly entry: EntryId;
  readonly hardState: HardState;
  readonly database: WholeDatabase;
  readonly limits: StorageLimits;
}

const FIRST_SEQUENCE = 1;

/** Whether a directory holds nothing but what an unfinished founding may have left. Reads only. */
export function* isVacant(): DiskProcedure<boolean> {
  return resultOf(yield { type: "list" }, "list").files.every(isNameless);
}

/** False: there was no space. After that, and after a fault of what is read, the directory is what it was. */
export function* foundDirectory(founding: Founding): DiskProcedure<Judged<boolean>> {
  const { identity, entry, hardState, configuration } = founding;
  invariant(entry.term > 0 && entry.term <= hardState.currentTerm, "a snapshot's term is at most the current term");
  const owner = ownerOf(identity);
  const pages = yield* stagePages(founding, owner);
  if (!pages.ok || pages.value === null) {
    yield* unstage();
    return pages.ok ? { ok: true, value: false } : pages;
  }
  const slot = { ...FIRST_SLOT, hardState, mayVoteAlone: votesAlone(owner, configuration) };
  const files = [
    manifestOf(founding, owner, pages.value), segmentOf(founding, owner),
    fileOf(TERM_FILE, encodeNewTermFile(owner, slot)), fileOf(IDENTITY_FILE, encodeIdentity(identity)),
  ];
  const names = [pageFileName(FIRST_SEQUENCE), ...files.map(({ name }) => name)];
  const isDone = (yield* stageAll(files)) && (yield* replaceFiles(names));
  if (!isDone) yield* unstage();
  return { ok: true, value: isDone };
}

function* stageAll(files: readonly NewFile[]): DiskProcedure<boolean> {
  for (const file of files) if (!(yield* stageFile(file))) return false;
  return true;
}

/** Leaves nothing of what was written so far. */
function* unstage(): DiskProcedure<void> {
  const { files } = resultOf(yield { type: "list" }, "list");
  for (const file of files) if (isNameless(file)) yield { type: "unlink", file };
}

/** Its checksum; null: there was no space. */
function* stagePages(
  { database, entry, limits }: Founding, { cluster }: Owner,
): DiskProcedure<Judged<number | null>> {
  const { pageSize, numbers, crcs } = database;
  const file = stagedName(pageFileName(FIRST_SEQUENCE));
  const noSpace = { ok: true, value: null } as const;
  if (!hadSpace(yield { type: "open", file, create: true })) return noSpace;
  const directory = { numbers, crcs };
  const fields = { cluster, through: entry.index, pageSize, count: numbers.length };
  const head = encodePageFileHead({ ...fields, ...directory, directoryChecksum: checksumOfDirectory(directory) });
  let offset = 0;
  for (; offset < head.length; offset += limits.maxWriteBytes) {
    const bytes = head.subarray(offset, offset + limits.maxWriteBytes);
    if (!hadSpace(yield { type: "write", file, offset, bytes })) return noSpace;
  }
  offset = head.length;
  const atOnce = Math.max(1, Math.floor(limits.maxWriteBytes / pageSize));
  for (let from = 0; from < numbers.length; from += atOnce) {
    const pages = yield* database.read(from, Math.min(from + atOnce, numbers.length));
    if (!pages.ok) return pages;
    const bytes = joined(pages.value, pageSize);
    if (!hadSpace(yield { type: "write", file, offset, bytes })) return noSpace;
    offset += bytes.length;
  }
  return hadSpace(yield { type: "sync", file }) ? { ok: true, value: checksumOf(head) } : noSpace;
}

function joined(pages: readonly Uint8Array[], pageSize: number): Uint8Array {
  const bytes = new Uint8Array(pages.length * pageSize);
  for (const [at, page] of pages.entries()) bytes.set(page, at * pageSize);
  return bytes;
}

function manifestOf({ database, entry, configuration }: Founding, owner: Owner, checksum: number): NewFile {
  const { pageSize, pageCount, numbers } = database;
  const state = { entry, configuration, pageSize, pageCount, checksum: checksumOfPages(database) };
  const file = { sequence: FIRST_SEQUENCE, through: entry.index, count: numbers.length, checksum };
  return fileOf(MANIFEST_FILE, encodeManifest(owner, { state, files: [file] }));
}

/** The log begins behind the entry. */
function segmentOf({ entry, limits }: Founding, owner: Owner): NewFile {
  const size = Math.max(limits.segmentBytes, SEGMENT_HEADER_SIZE + MARK_SIZE);
  const header = { sequence: FIRST_SEQUENCE, start: 0, base: entry, previous: 0, size, startsAnew: true };
  return { name: segmentFile(FIRST_SEQUENCE), bytes: encodeSegmentHeader(owner, header), size };
}

function fileOf(name: string, bytes: Uint8Array): NewFile {
  return { name, bytes, size: bytes.length };
}
