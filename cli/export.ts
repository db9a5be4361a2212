/** The database of a data directory, written as an ordinary file that every SQLite opens. */
import fs from "node:fs";
import { markAsRollbackJournal } from "../core/pages/first-page.ts";
import { PAGE_SIZE } from "../core/sqlite/factory.ts";
import { type OfflineState, readState } from "../core/storage/offline-state.ts";
import type { EntryId, LogIndex } from "../core/types.ts";
import { syncName } from "../io/directory.ts";
import { isSystemError } from "../io/system-error.ts";
import { OfflineDirectory } from "./offline-directory.ts";
import { OperatorError, operatorErrorOf } from "./operator-error.ts";
import { checkCount, checkFlag, checkOptions, checkPath } from "./operator-options.ts";

export interface ExportOptions {
  /** The last entry whose effect is to be in the file: the last one of the log unless told. */
  readonly through?: number;
  /** Whether a file that is there already may be replaced. */
  readonly overwrite?: boolean;
}

export interface ExportReport {
  readonly file: string;
  /** The last entry whose effect is in the file. */
  readonly through: EntryId;
  /**
   * Entries up to this one are surely committed: the stored snapshot has them; null: there is none. Of those behind it
   * nobody can tell from one directory.
   */
  readonly committed: EntryId | null;
  readonly pages: number;
  /** Of the file. */
  readonly bytes: number;
}

const PAGES_AT_ONCE = 256;
const ADVICE = "export from another node's directory, or an older entry (option through)";

/**
 * Writes the database of a directory that no node runs in to `file`, in rollback journal mode: a file that every SQLite
 * opens, with nothing beside it. The directory is only read. All of the file is there, durably, or nothing.
 *
 * The file has the effect of every entry in this node's log. Each of them is durable here; whether it is committed,
 * only the logs of a majority can tell. The report names the last one, and the last that is committed for certain. To
 * leave out what others may not have, pass `through`. It takes as much memory as the log has written pages.
 *
 * @throws OperatorError "FileExists" unless `overwrite` is set; "NoSuchEntry", "CorruptData", "DirectoryInUse",
 * "FileUnusable" and others. Then there is no file, or the one that was there before.
 * @example
 * import { exportDatabase, open } from "quorumlite";
 * const node = await open({ directory: "data" });
 * await node.database().exec("CREATE TABLE kv (k TEXT PRIMARY KEY, v)");
 * await node.close();
 * const { through, bytes } = await exportDatabase("data", "app.db", { overwrite: true });
 */
export async function exportDatabase(
  directory: string, file: string, options: ExportOptions = {},
): Promise<ExportReport> {
  const given = checkOptions("exportDatabase", options, ["through", "overwrite"]);
  const through = checkCount("through", given.through, 0);
  const target = new TargetFile(checkPath("file", file), checkFlag("overwrite", given.overwrite));
  target.check();
  const offline = await OfflineDirectory.open(directory, "read");
  try {
    const member = await offline.member(ADVICE);
    const { log, pages, last } = member;
    const committed = pages.snapshot?.entry ?? null;
    const until = through ?? last.index;
    if (until > last.index || until < (committed?.index ?? 0)) {
      const range = `this directory can give entries ${committed?.index ?? 0} to ${last.index}`;
      throw new OperatorError("NoSuchEntry", "through", `through is ${until}: ${range}`);
    }
    const state = await offline.run(readState(member, until as LogIndex, PAGE_SIZE));
    if (!state.ok) throw operatorErrorOf(state.fault, offline.directory, ADVICE);
    const { pageCount } = state.value;
    await target.write((handle) => writePages(offline, state.value, handle));
    const at = until === last.index ? last : log.entries.idAt(until as LogIndex);
    return { file: target.file, through: at, committed, pages: pageCount, bytes: pageCount * PAGE_SIZE };
  } finally {
    await offline.close();
  }
}

/** A file that gets its name when it is whole and durable. */
class TargetFile {
  readonly file: string;
  private readonly mayReplace: boolean;

  constructor(file: string, mayReplace: boolean) {
    this.file = file;
    this.mayReplace = mayReplace;
  }

  /** @throws OperatorError if nothing may be written there */
  check(): void {
    const exists = (file: string): boolean => fs.statSync(file, { throwIfNoEntry: false }) !== undefined;
    if (!this.mayReplace && exists(this.file)) throw this.taken();
    for (const suffix of ["-wal", "-journal"]) {
      if (!exists(this.file + suffix)) continue;
      // SQLite would take it for this database's own, and make a mess of both.
      const message = `file ${this.file}${suffix} is of another database: remove it, or choose another name`;
      throw new OperatorError("FileExists", "file", message);
    }
  }

  /** @param fill writes what is to be in it */
  async write(fill: (handle: fs.promises.FileHandle) => Promise<void>): Promise<void> {
    const unfinished = `${this.file}.${process.pid}.part`;
    try {
      const handle = await fs.promises.open(unfinished, "w");
      try {
        await fill(handle);
        await handle.sync();
      } finally {
        await handle.close();
      }
      if (this.mayReplace) fs.renameSync(unfinished, this.file);
      else fs.linkSync(unfinished, this.file);
      syncName(this.file);
    } catch (error) {
      throw this.errorOf(error);
    } finally {
      fs.rmSync(unfinished, { force: true });
    }
  }

  private errorOf(error: unknown): unknown {
    if (!isSystemError(error)) return error;
    if (error.code === "EEXIST") return this.taken();
    const code = error.code === "ENOSPC" || error.code === "EDQUOT" ? "NoSpace" : "FileUnusable";
    return new OperatorError(code, "file", `file ${this.file} cannot be written: ${error.message}`, error);
  }

  private taken(): OperatorError {
    const advice = "choose another name, or pass overwrite: true";
    return new OperatorError("FileExists", "file", `file ${this.file} is there already: ${advice}`);
  }
}

async function writePages(
  offline: OfflineDirectory, state: OfflineState, handle: fs.promises.FileHandle,
): Promise<void> {
  const { numbers } = state;
  for (let from = 0; from < numbers.length; from += PAGES_AT_ONCE) {
    const end = Math.min(from + PAGES_AT_ONCE, numbers.length);
    const pages = await offline.run(state.read(from, end));
    if (!pages.ok) throw operatorErrorOf(pages.fault, offline.directory, ADVICE);
    await writeRuns(handle, numbers.subarray(from, end), pages.value);
  }
  // Where SQLite's lock-byte page is the last one nothing has been written there.
  await handle.truncate(state.pageCount * PAGE_SIZE);
}

/** All at once but for the first page, which is changed, and where a number is left out. */
async function writeRuns(
  handle: fs.promises.FileHandle, numbers: Uint32Array, pages: readonly Uint8Array[],
): Promise<void> {
  for (let from = 0, end = 0; from < numbers.length; from = end) {
    while (end < numbers.length && numbers[end] === (numbers[from] as number) + end - from) end++;
    const bytes = Buffer.concat(pages.slice(from, end));
    if (numbers[from] === 1) markAsRollbackJournal(bytes);
    let position = ((numbers[from] as number) - 1) * PAGE_SIZE;
    for (let at = 0; at < bytes.length;) {
      const { bytesWritten } = await handle.write(bytes, at, bytes.length - at, position);
      at += bytesWritten;
      position += bytesWritten;
    }
  }
}
