/**
 * An ordinary database file becomes the data directory of a new cluster of one node. The file is read twice and never
 * held in memory: once for the checksums, once for the pages as they are written.
 */
import fs from "node:fs";
import { crc32c } from "../core/checksum.ts";
import { adoptFirstPage, DATABASE_HEADER_SIZE, judgeImport } from "../core/pages/imported-file.ts";
import { foundingConfiguration } from "../core/raft/configuration.ts";
import { PAGE_SIZE } from "../core/sqlite/factory.ts";
import { DEFAULT_STORAGE_LIMITS } from "../core/storage/boundary.ts";
import type { Judged } from "../core/storage/block.ts";
import { foundDirectory, isVacant } from "../core/storage/directory-founding.ts";
import type { DiskProcedure } from "../core/storage/file-window.ts";
import { type WholeDatabase, numbersUpTo } from "../core/storage/whole-database.ts";
import { type EntryId, type LogIndex, type NodeId, type Term, isNodeId, memberIdOf } from "../core/types.ts";
import { isSystemError } from "../io/system-error.ts";
import { drawOwnCluster } from "./own-cluster.ts";
import { OfflineDirectory } from "./offline-directory.ts";
import { OperatorError, operatorErrorOf } from "./operator-error.ts";
import { checkOptions, checkPath, invalid } from "./operator-options.ts";
import { ID_RULE, ONLY_NODE, show } from "./options.ts";

export interface ImportOptions {
  /** The name that the node is to have for life: "node" unless told, as with `open`. */
  readonly id?: string;
}

export interface ImportReport {
  readonly directory: string;
  /** The node that the directory is of now. */
  readonly id: string;
  /** The new cluster's id. */
  readonly cluster: string;
  readonly pages: number;
  /** Of the database. */
  readonly bytes: number;
}

/** What the imported state counts as the effect of. */
const FIRST_ENTRY: EntryId = { term: 1 as Term, index: 1 as LogIndex };
const PAGES_AT_ONCE = 256;

/**
 * Makes a fresh data directory out of a database file that SQLite has written: `open({ directory, id })` then serves
 * it, as a cluster of one that others may join. The file stays as it is. Nobody may write to it meanwhile.
 *
 * The file has to have pages of 4096 bytes and no auto_vacuum, and no `-wal` or `-journal` beside it; where it has not,
 * the error says how to make a copy that can be imported. Whether its content is sound is for
 * `PRAGMA integrity_check` to say, before.
 *
 * @throws OperatorError "NotImportable" with the reason; "DirectoryNotEmpty", "DirectoryInUse", "FileUnusable",
 * "NoSpace" and others. Then the directory is as it was.
 * @example
 * import { exportDatabase, importDatabase, open } from "quorumlite";
 * const first = await open({ directory: "data" });
 * await first.database().exec("CREATE TABLE kv (k TEXT PRIMARY KEY, v)");
 * await first.close();
 * await exportDatabase("data", "app.db", { overwrite: true });
 * const { cluster, pages } = await importDatabase("app.db", "imported", { id: "a" });
 * const a = await open({ directory: "imported", id: "a" });
 * await a.close();
 */
export async function importDatabase(
  file: string, directory: string, options: ImportOptions = {},
): Promise<ImportReport> {
  const { id = ONLY_NODE } = checkOptions("importDatabase", options, ["id"]);
  if (typeof id !== "string" || !isNodeId(id)) {
    throw invalid("id", `id is ${show(id)}: ${ID_RULE}`);
  }
  const source = SourceFile.open(file);
  try {
    const offline = await OfflineDirectory.open(directory, "create");
    try {
      return await importInto(offline, source, id);
    } finally {
      await offline.close();
    }
  } finally {
    source.close();
  }
}

async function importInto(offline: OfflineDirectory, source: SourceFile, id: NodeId): Promise<ImportReport> {
  if (!(await offline.run(isVacant()))) {
    const message = `directory ${offline.directory} is not empty: import into a new one`;
    throw new OperatorError("DirectoryNotEmpty", "directory", message);
  }
  const identity = drawOwnCluster(id);
  const configuration = foundingConfiguration([memberIdOf(id, identity.incarnation)]);
  const database = source.database();
  const bytes = database.pageCount * PAGE_SIZE;
  const founded = await offline.run(foundDirectory({
    identity, configuration, database, entry: FIRST_ENTRY,
    hardState: { currentTerm: FIRST_ENTRY.term, votedFor: null }, limits: DEFAULT_STORAGE_LIMITS,
  }));
  if (!founded.ok) throw operatorErrorOf(founded.fault, offline.directory, "try again");
  if (!founded.value) {
    const message = `there is no space for ${bytes} bytes in ${offline.directory}: make some, then try again`;
    throw new OperatorError("NoSpace", "directory", message);
  }
  const { directory } = offline;
  return { directory, id, cluster: identity.cluster.id, pages: database.pageCount, bytes };
}

/** A database file that is only read. */
class SourceFile {
  private readonly file: string;
  private readonly descriptor: number;
  private readonly pageCount: number;
  /** As SQLite leaves it changed by whoever writes to the file. */
  private readonly header: Uint8Array;

  /** @throws OperatorError if it cannot be read, or not be imported as it is */
  static open(file: unknown): SourceFile {
    const shown = checkPath("file", file);
    try {
      return new SourceFile(shown);
    } catch (error) {
      throw fileError(error, shown);
    }
  }

  private constructor(file: string) {
    this.file = file;
    for (const suffix of ["-wal", "-journal"]) {
      const size = fs.statSync(file + suffix, { throwIfNoEntry: false })?.size ?? 0;
      if (size > 0) throw refused(file, `has ${file}${suffix} beside it, which belongs to its content`, true);
    }
    this.descriptor = fs.openSync(file, "r");
    try {
      const { size } = fs.fstatSync(this.descriptor);
      this.header = this.readAt(0, DATABASE_HEADER_SIZE);
      const judged = judgeImport(this.header, size, PAGE_SIZE);
      if (!judged.ok) throw refused(file, judged.reason, judged.byVacuum);
      this.pageCount = judged.pageCount;
    } catch (error) {
      fs.closeSync(this.descriptor);
      throw error;
    }
  }

  /** All its pages. Whoever changes the file while it is read is found out. */
  database(): WholeDatabase {
    const { pageCount } = this;
    const numbers = numbersUpTo(PAGE_SIZE, pageCount);
    const crcs = new Uint32Array(numbers.length);
    for (let from = 0; from < numbers.length; from += PAGES_AT_ONCE) {
      const pages = this.pages(numbers.subarray(from, from + PAGES_AT_ONCE));
      for (const [at, page] of pages.entries()) crcs[from + at] = crc32c(page);
    }
    const readAgain = (from: number, end: number): readonly Uint8Array[] => {
      const pages = this.pages(numbers.subarray(from, end));
      if (pages.some((page, at) => crc32c(page) !== crcs[from + at])) throw this.changed();
      return pages;
    };
    const read = function* (from: number, end: number): DiskProcedure<Judged<readonly Uint8Array[]>> {
      // Nothing is asked of the directory's disk: it is another file that is read.
      yield* [];
      return { ok: true, value: readAgain(from, end) };
    };
    return { pageSize: PAGE_SIZE, pageCount, numbers, crcs, read };
  }

  close(): void {
    fs.closeSync(this.descriptor);
  }

  private pages(numbers: Uint32Array): Uint8Array[] {
    const first = numbers[0] ?? 1;
    const bytes = this.readAt((first - 1) * PAGE_SIZE, ((numbers.at(-1) ?? 0) - first + 1) * PAGE_SIZE);
    return Array.from(numbers, (number) => {
      const page = bytes.subarray((number - first) * PAGE_SIZE, (number - first + 1) * PAGE_SIZE);
      if (page.length < PAGE_SIZE) throw this.changed();
      if (number === 1) adoptFirstPage(page, this.pageCount);
      return page;
    });
  }

  private readAt(offset: number, length: number): Uint8Array {
    const bytes = new Uint8Array(length);
    let count = 0;
    while (count < length) {
      const more = fs.readSync(this.descriptor, bytes, count, length - count, offset + count);
      if (more === 0) break;
      count += more;
    }
    return bytes.subarray(0, count);
  }

  private changed(): OperatorError {
    const message = `file ${this.file} was changed while it was read: stop whoever writes to it, then try again`;
    return new OperatorError("FileUnusable", "file", message);
  }
}

function refused(file: string, reason: string, byVacuum: boolean): OperatorError {
  const advice = byVacuum
    ? `make a copy: sqlite3 '${file}' "PRAGMA page_size=${PAGE_SIZE}; PRAGMA auto_vacuum=0; VACUUM INTO 'copy.db'"`
    : "restore it from a backup, or name another file";
  return new OperatorError("NotImportable", "file", `file ${file} ${reason}; ${advice}`);
}

function fileError(error: unknown, file: string): unknown {
  if (!isSystemError(error)) return error;
  return new OperatorError("FileUnusable", "file", `file ${file} cannot be used: ${error.message}`, error);
}
