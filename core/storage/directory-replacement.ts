/**
 * Another content for a whole directory, all of it or nothing: how a database is imported, and how a survivor becomes a
 * cluster of its own (quorum-recovery.ts). No node does this while it runs.
 *
 * The hard idea is that several files take their places at one instant. The new ones are written beside the old, as
 * `X.new`, which mean nothing to a start. Then a file `replacement` that lists them gets its name: that is the instant.
 * From there on the old files count no more, and whoever comes next goes on where this one was stopped: each step is
 * one that may be taken twice. So a start has to complete it before it looks at anything else.
 *
 *    0   8  magic "qliterpl"
 *    8   4  version, 1
 *   12   4  CRC-32C of all other bytes of the file
 *   16   4  number of names, at least 1
 *   20   …  each name: u32 length, ASCII
 */
import { invariant } from "../invariant.ts";
import { type BlockPlace, type Judged, beginBlock, brokenField, corrupt, openBlock, sealBlock } from "./block.ts";
import { bytesOf, hadSpace, resultOf } from "./disk-result.ts";
import type { DiskProcedure } from "./file-window.ts";

export const REPLACEMENT_FILE = "replacement";
export const REPLACEMENT_VERSION = 1;

const PLACE: BlockPlace = { file: REPLACEMENT_FILE, offset: 0, magic: "qliterpl", version: REPLACEMENT_VERSION };
const NEW_SUFFIX = ".new";
const MAX_NAMES = 100;
const MAX_NAME_LENGTH = 100;
/** A file larger than this is not read at all. */
const MAX_SIZE = 20 + MAX_NAMES * (4 + MAX_NAME_LENGTH);
const FILE_NAME = /^[a-z0-9][a-z0-9.-]*$/;

/** A file as it is to be: these bytes, filled up with zeros to `size`. */
export interface NewFile {
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly size: number;
}

/** The name that a file has until the replacement counts. */
export function stagedName(name: string): string {
  return name + NEW_SUFFIX;
}

/** Writes a file under the name that it has until the replacement counts. False: there was no space for it. */
export function* stageFile({ name, bytes, size }: NewFile): DiskProcedure<boolean> {
  invariant(bytes.length <= size, "the bytes of a file lie within it");
  const file = stagedName(name);
  yield* removeIfThere([file]);
  if (!hadSpace(yield { type: "open", file, create: true })) return false;
  if (size > bytes.length && !hadSpace(yield { type: "preallocate", file, size })) return false;
  if (!hadSpace(yield { type: "write", file, offset: 0, bytes })) return false;
  return hadSpace(yield { type: "sync", file });
}

/**
 * From here on the files of these names are the directory, and nothing else. Each is staged and synced.
 * False: there was no space; nothing has changed.
 */
export function* replaceFiles(names: readonly string[]): DiskProcedure<boolean> {
  // The names of the staged files themselves have to be durable before they are relied on.
  yield { type: "syncDirectory" };
  const bytes = encodeReplacement(names);
  if (!(yield* stageFile({ name: REPLACEMENT_FILE, bytes, size: bytes.length }))) return false;
  yield { type: "rename", from: stagedName(REPLACEMENT_FILE), to: REPLACEMENT_FILE };
  yield* takePlaces(names);
  return true;
}

/** What every start does first. True: the last process was stopped while it replaced the files, and now they are. */
export function* completeReplacement(): DiskProcedure<Judged<boolean>> {
  const size = resultOf(yield { type: "open", file: REPLACEMENT_FILE, create: false }, "open").size;
  if (size === null) return { ok: true, value: false };
  const names = yield* readReplacement(size);
  if (!names.ok) return names;
  const files = resultOf(yield { type: "list" }, "list").files;
  const missing = names.value.find((name) => !files.includes(name) && !files.includes(stagedName(name)));
  if (missing !== undefined) {
    return corrupt(REPLACEMENT_FILE, 0, `lists ${missing}, and neither that nor ${stagedName(missing)} is there`);
  }
  yield* takePlaces(names.value);
  return { ok: true, value: true };
}

/** Whether an unfinished replacement counts already; reads only. */
export function* readReplacement(size: number): DiskProcedure<Judged<readonly string[]>> {
  if (size > MAX_SIZE) return corrupt(REPLACEMENT_FILE, 0, `has ${size} bytes, more than a list of files can have`);
  const bytes = bytesOf(yield { type: "read", file: REPLACEMENT_FILE, offset: 0, length: size });
  return bytes === null ? corrupt(REPLACEMENT_FILE, 0, "cannot be read") : decodeReplacement(bytes);
}

function* takePlaces(names: readonly string[]): DiskProcedure<void> {
  // The list's own name may be visible and yet not durable: nothing old goes before it is.
  yield { type: "syncDirectory" };
  const files = resultOf(yield { type: "list" }, "list").files;
  for (const name of names) {
    if (files.includes(stagedName(name))) yield { type: "rename", from: stagedName(name), to: name };
  }
  const kept = new Set([...names, REPLACEMENT_FILE]);
  yield* removeIfThere(files.filter((file) => !kept.has(file) && !names.includes(baseOf(file))));
  yield { type: "syncDirectory" };
  yield { type: "unlink", file: REPLACEMENT_FILE };
  yield { type: "syncDirectory" };
}

function* removeIfThere(unwanted: readonly string[]): DiskProcedure<void> {
  const files = resultOf(yield { type: "list" }, "list").files;
  for (const file of unwanted) if (files.includes(file)) yield { type: "unlink", file };
}

function baseOf(file: string): string {
  return file.endsWith(NEW_SUFFIX) ? file.slice(0, -NEW_SUFFIX.length) : file;
}

export function encodeReplacement(names: readonly string[]): Uint8Array {
  invariant(names.length > 0 && names.length <= MAX_NAMES, "a replacement has files");
  invariant(names.every(isPossibleName), "a file's name is plain");
  const writer = beginBlock(PLACE).u32(names.length);
  for (const name of names) writer.text(name);
  return sealBlock(writer);
}

function isPossibleName(name: string): boolean {
  return name.length <= MAX_NAME_LENGTH && FILE_NAME.test(name) && name !== REPLACEMENT_FILE;
}

export function decodeReplacement(bytes: Uint8Array): Judged<readonly string[]> {
  const opened = openBlock(PLACE, bytes);
  if (!opened.ok) return opened;
  const reader = opened.value;
  const count = reader.u32();
  reader.demand(count >= 1 && count <= MAX_NAMES, `a replacement has 1 to ${MAX_NAMES} files`, 16);
  const names: string[] = [];
  while (reader.fault === null && names.length < count) {
    const name = reader.text(MAX_NAME_LENGTH);
    reader.demand(isPossibleName(name), "a file's name is plain");
    names.push(name);
  }
  const finished = reader.finish(names);
  return finished.ok ? { ok: true, value: finished.value } : brokenField(PLACE, finished.fault);
}
