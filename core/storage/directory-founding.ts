/**
 * The directory of a cluster of one node whose database exists already: a snapshot as of one entry, and an empty log
 * behind it. What was in the directory before is gone with the same instant in which the new files count
 * (directory-replacement.ts).
 */
import { invariant } from "../invariant.ts";
import type { PageCut } from "../pages/page-cut.ts";
import type { Configuration } from "../raft/configuration.ts";
import type { EntryId, HardState, Identity } from "../types.ts";
import { type Owner, checksumOf, ownerOf } from "./block.ts";
import type { StorageLimits } from "./boundary.ts";
import { type NewFile, replaceFiles, stageFile, stagedName } from "./directory-replacement.ts";
import { isNameless } from "./disk-failure.ts";
import { hadSpace, resultOf } from "./disk-result.ts";
import type { DiskProcedure } from "./file-window.ts";
import { IDENTITY_FILE, encodeIdentity } from "./identity-file.ts";
import { MARK_SIZE } from "./log.ts";
import { MANIFEST_FILE, encodeManifest } from "./manifest.ts";
import { encodePageFileHead, pageFileName } from "./page-file.ts";
import { encodeSegmentHeader, segmentFile } from "./segment-file.ts";
import { TERM_FILE, encodeNewTermFile } from "./term-file.ts";

export interface Founding {
  /** With a cluster that nobody else is of. */
  readonly identity: Identity;
  readonly configuration: Configuration;
  /** The last entry whose effect is in the database. */
  readonly entry: EntryId;
  readonly hardState: HardState;
  /** The whole database. */
  readonly cut: PageCut;
  readonly limits: StorageLimits;
}

const FIRST_SEQUENCE = 1;

/** Whether a directory holds nothing but what an unfinished founding may have left. Reads only. */
export function* isVacant(): DiskProcedure<boolean> {
  return resultOf(yield { type: "list" }, "list").files.every(isNameless);
}

/** False: there was no space; the directory is what it was. */
export function* foundDirectory(founding: Founding): DiskProcedure<boolean> {
  const { identity, entry, hardState } = founding;
  invariant(entry.term > 0 && entry.term <= hardState.currentTerm, "a snapshot's term is at most the current term");
  const owner = ownerOf(identity);
  const pages = yield* stagePages(founding, owner);
  if (pages === null) return yield* unstage();
  const files = [
    manifestOf(founding, owner, pages), segmentOf(founding, owner),
    fileOf(TERM_FILE, encodeNewTermFile(owner, hardState)), fileOf(IDENTITY_FILE, encodeIdentity(identity)),
  ];
  for (const file of files) if (!(yield* stageFile(file))) return yield* unstage();
  const names = [pageFileName(FIRST_SEQUENCE), ...files.map(({ name }) => name)];
  return (yield* replaceFiles(names)) || (yield* unstage());
}

/** Leaves nothing of what was written so far. */
function* unstage(): DiskProcedure<false> {
  const { files } = resultOf(yield { type: "list" }, "list");
  for (const file of files) if (isNameless(file)) yield { type: "unlink", file };
  return false;
}

/** Its checksum; null: there was no space. */
function* stagePages({ cut, entry, limits }: Founding, { cluster }: Owner): DiskProcedure<number | null> {
  const { pageSize, numbers, crcs } = cut;
  const file = stagedName(pageFileName(FIRST_SEQUENCE));
  if (!hadSpace(yield { type: "open", file, create: true })) return null;
  const head = encodePageFileHead({ cluster, through: entry.index, pageSize, numbers, crcs });
  let offset = 0;
  for (const bytes of piecesOf(head, cut, limits.maxWriteBytes)) {
    if (!hadSpace(yield { type: "write", file, offset, bytes })) return null;
    offset += bytes.length;
  }
  return hadSpace(yield { type: "sync", file }) ? checksumOf(head) : null;
}

/** The head, then the pages, in pieces of about so many bytes. */
function* piecesOf(head: Uint8Array, cut: PageCut, maxBytes: number): Generator<Uint8Array, void, undefined> {
  for (let at = 0; at < head.length; at += maxBytes) yield head.subarray(at, at + maxBytes);
  const atOnce = Math.max(1, Math.floor(maxBytes / cut.pageSize));
  for (let from = 0; from < cut.numbers.length; from += atOnce) {
    const count = Math.min(atOnce, cut.numbers.length - from);
    const bytes = new Uint8Array(count * cut.pageSize);
    for (let at = 0; at < count; at++) bytes.set(cut.pageAt(from + at), at * cut.pageSize);
    yield bytes;
  }
}

function manifestOf({ cut, entry, configuration }: Founding, owner: Owner, checksum: number): NewFile {
  const { pageSize, pageCount, numbers } = cut;
  const state = { entry, configuration, pageSize, pageCount, checksum: cut.checksum };
  const file = { sequence: FIRST_SEQUENCE, through: entry.index, count: numbers.length, checksum };
  return fileOf(MANIFEST_FILE, encodeManifest(owner, { state, files: [file] }));
}

/** The log begins behind the entry. */
function segmentOf({ entry, limits }: Founding, owner: Owner): NewFile {
  const header = { sequence: FIRST_SEQUENCE, start: 0, base: entry, previous: 0, startsAnew: true };
  const bytes = encodeSegmentHeader(owner, header);
  return { name: segmentFile(FIRST_SEQUENCE), bytes, size: Math.max(limits.segmentBytes, bytes.length + MARK_SIZE) };
}

function fileOf(name: string, bytes: Uint8Array): NewFile {
  return { name, bytes, size: bytes.length };
}
