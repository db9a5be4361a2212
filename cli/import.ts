/**
 * An ordinary database file becomes the data directory of a new cluster of one node. The file is read twice and never
 * held in memory: once for the checksums, once for the pages as they are written.
 */
import fs from "node:fs";
import { crc32c } from "../core/checksum.ts";
import {
  adoptFirstPage, DATABASE_HEADER_SIZE, judgeImport,
} from "../core/pages/imported-file.ts";
import { lockBytePage, writtenPages } from "../core/pages/lock-byte-page.ts";
import type { PageCut } from "../core/pages/page-cut.ts";
import { RollingChecksum } from "../core/pages/rolling-checksum.ts";
import { foundingConfiguration } from "../core/raft/configuration.ts";
import { PAGE_SIZE } from "../core/sqlite/factory.ts";
import { DEFAULT_STORAGE_LIMITS } from "../core/storage/boundary.ts";
import { foundDirectory, isVacant } from "../core/storage/directory-founding.ts";
import { type EntryId, type LogIndex, type NodeId, type Term, isNodeId, memberIdOf } from "../core/types.ts";
import { isSystemError } from "../io/system-error.ts";
import { drawOwnCluster } from "./own-cluster.ts";
import { OfflineDirectory } from "./offline-directory.ts";
import { OperatorError } from "./operator-error.ts";
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
const CHUNK_PAGES = 256;

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
 * await open({ directory: "data" }).then((first) => first.close());
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
  const cut = source.cut();
  const hasSpace = await offline.run(foundDirectory({
    identity, configuration, cut, entry: FIRST_ENTRY, hardState: { currentTerm: FIRST_ENTRY.term, votedFor: null },
    limits: DEFAULT_STORAGE_LIMITS,
  }));
  if (!hasSpace) {
    const message = `there is no space for ${cut.pageCount * cut.pageSize} bytes in ${offline.directory}: make some`;
    throw new OperatorError("NoSpace", "directory", message);
  }
  return {
    directory: offline.directory, id, cluster: identity.cluster.id, pages: cut.pageCount,
    bytes: cut.pageCount * PAGE_SIZE,
  };
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
  cut(): PageCut {
    const { pageCount } = this;
    const count = writtenPages(PAGE_SIZE, pageCount);
    const numbers = new Uint32Array(count);
    const crcs = new Uint32Array(count);
    const rolling = new RollingChecksum();
    let place = 0;
    for (const [number, page] of this.pages()) {
      numbers[place] = number;
      crcs[place] = crc32c(page);
      rolling.set(number, crcs[place] as number);
      place += 1;
    }
    const pageAt = (at: number): Uint8Array => {
      const page = this.page(numbers[at] as number);
      if (crc32c(page) !== crcs[at]) throw this.changed();
      return page;
    };
    const checksum = rolling.value(pageCount);
    return { pageSize: PAGE_SIZE, pageCount, checksum, numbers, crcs, pageAt };
  }

  close(): void {
    fs.closeSync(this.descriptor);
  }

  /** Ascending, without SQLite's lock-byte page. The bytes are valid until the next one. */
  private *pages(): Generator<[number, Uint8Array]> {
    const absent = lockBytePage(PAGE_SIZE);
    for (let first = 1; first <= this.pageCount; first += CHUNK_PAGES) {
      const count = Math.min(CHUNK_PAGES, this.pageCount - first + 1);
      const bytes = this.readAt((first - 1) * PAGE_SIZE, count * PAGE_SIZE);
      if (bytes.length < count * PAGE_SIZE) throw this.changed();
      for (let at = 0; at < count; at++) {
        if (first + at === absent) continue;
        yield [first + at, this.adopted(first + at, bytes.subarray(at * PAGE_SIZE, (at + 1) * PAGE_SIZE))];
      }
    }
  }

  private page(number: number): Uint8Array {
    const bytes = this.readAt((number - 1) * PAGE_SIZE, PAGE_SIZE);
    if (bytes.length < PAGE_SIZE) throw this.changed();
    return this.adopted(number, bytes);
  }

  private adopted(number: number, page: Uint8Array): Uint8Array {
    if (number === 1) adoptFirstPage(page, this.pageCount);
    return page;
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
