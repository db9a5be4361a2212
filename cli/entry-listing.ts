/** The log of a data directory, entry by entry, while no node runs in it. Nothing is changed. */
import { listRecords } from "../core/storage/entry-listing.ts";
import type { EntryId, LogIndex } from "../core/types.ts";
import { OfflineDirectory } from "./offline-directory.ts";
import { OperatorError } from "./operator-error.ts";
import { checkCount, checkOptions } from "./operator-options.ts";

/** An entry of the log, without its payload. */
export interface ListedEntry {
  readonly index: number;
  readonly term: number;
  readonly kind: "noop" | "payload" | "configuration";
  /** Of its payload, in bytes. */
  readonly size: number;
}

export interface ListOptions {
  /** The first index that is wanted: that of the log's first entry unless told. */
  readonly from?: number;
  /** How many at most: 1,000 unless told. */
  readonly limit?: number;
}

const DEFAULT_LIMIT = 1000;

/**
 * Entries of the log in order, without their payloads. Those that a snapshot has taken the place of are gone.
 *
 * @throws OperatorError "NoSuchEntry" if `from` lies before the log; "NoData", "CorruptData", "DirectoryInUse" and
 * others
 * @example
 * import { listEntries, open } from "quorumlite";
 * const node = await open({ directory: "data" });
 * await node.ready();
 * await node.close();
 * for (const { index, term, kind, size } of await listEntries("data", { limit: 10 })) {
 *   console.log(index, term, kind, size);
 * }
 */
export async function listEntries(directory: string, options: ListOptions = {}): Promise<readonly ListedEntry[]> {
  const given = checkOptions("listEntries", options, ["from", "limit"]);
  const from = checkCount("from", given.from, 1);
  const limit = checkCount("limit", given.limit, 1) ?? DEFAULT_LIMIT;
  return OfflineDirectory.read(directory, async (offline) => {
    const { log } = await offline.member(ADVICE);
    const { base, last } = log.entries;
    if (from !== null && from <= base.index) {
      const message = `from is ${from}: the log of ${offline.directory} begins with entry ${base.index + 1}`;
      throw new OperatorError("NoSuchEntry", "from", message);
    }
    const first = from ?? base.index + 1;
    const end = Math.min(last.index + 1, first + limit);
    if (first >= end) return [];
    const listed = await offline.run(listRecords(log, first as LogIndex, end as LogIndex));
    if (!listed.ok) throw offline.faultError(listed.fault, ADVICE);
    return listed.value;
  });
}

const ADVICE = "verifyDirectory says what else is";

/**
 * The last entry of a directory: its kind and size are null where a snapshot has taken its place. null: there is none.
 * Of several survivors the one with the latest is whom the others would have elected: the highest term, and among those
 * the highest index.
 *
 * @throws OperatorError "NoData", "CorruptData", "DirectoryInUse" and others
 * @example
 * import { open, readLastEntry } from "quorumlite";
 * const node = await open({ directory: "data" });
 * await node.ready();
 * await node.close();
 * const { term, index } = await readLastEntry("data");
 */
export async function readLastEntry(directory: string): Promise<LastEntry | null> {
  return OfflineDirectory.read(directory, async (offline) => {
    const { log, last } = await offline.member(ADVICE);
    if (last.index === 0) return null;
    const isInLog = log.entries.last.index === last.index && log.entries.base.index < last.index;
    if (!isInLog) return { ...last, kind: null, size: null };
    const listed = await offline.run(listRecords(log, last.index, (last.index + 1) as LogIndex));
    if (!listed.ok) throw offline.faultError(listed.fault, ADVICE);
    return listed.value[0] ?? null;
  });
}

export interface LastEntry extends EntryId {
  /** null: the snapshot has taken its place. */
  readonly kind: ListedEntry["kind"] | null;
  readonly size: number | null;
}
