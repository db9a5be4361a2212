/**
 * The database of a directory that no node runs in: the stored snapshot, with what the entries of the log make of it
 * laid over. Only that lies in memory; every other page is read from its file when it is asked for. No SQL runs.
 */
import { crc32c } from "../checksum.ts";
import { invariant } from "../invariant.ts";
import { writeFirstPage } from "../pages/first-page.ts";
import type { StoredPage } from "../pages/page-cut.ts";
import { PageOverlay } from "../pages/page-overlay.ts";
import type { LogIndex } from "../types.ts";
import { type Judged, type Refused, brokenRule, corrupt } from "./block.ts";
import type { OfflineMember } from "./directory-reading.ts";
import { bytesOf } from "./disk-result.ts";
import { judgeRead, planRead } from "./entry-read.ts";
import type { DiskProcedure } from "./file-window.ts";
import { MANIFEST_FILE } from "./manifest.ts";
import type { PageFile } from "./page-file.ts";
import { readRun } from "./page-run.ts";
import type { StoredSnapshot } from "./page-set.ts";
import { type WholeDatabase, checksumOfPages, numbersUpTo } from "./whole-database.ts";

/** How much of the log is read at once. */
const READ_BYTES = 1024 * 1024;

interface Place {
  readonly file: PageFile;
  /** In its directory. */
  readonly place: number;
}

/** Pages that stand behind each other in one file. */
interface Run {
  readonly file: PageFile;
  readonly from: number;
  end: number;
}

/**
 * The state as of the entry at `through`, which lies between the snapshot's and the last one.
 *
 * @param pageSize of a database that nothing has been written to yet
 */
export function* readState(
  member: OfflineMember, through: LogIndex, pageSize: number,
): DiskProcedure<Judged<OfflineState>> {
  const { stored } = member.pages;
  const unsound = stored === null ? null : judgeSnapshot(stored);
  if (unsound !== null) return unsound;
  const state = stored?.state ?? null;
  const isEmpty = state === null || state.pageCount === 0;
  const overlay = isEmpty ? emptyDatabase(pageSize) : new PageOverlay(state.pageSize, state.pageCount);
  const first = ((state?.entry.index ?? 0) + 1) as LogIndex;
  const refused = yield* applyEntries(member, overlay, first, through);
  return refused ?? { ok: true, value: new OfflineState(stored, overlay) };
}

export class OfflineState implements WholeDatabase {
  readonly pageSize: number;
  readonly pageCount: number;
  readonly numbers: Uint32Array;
  readonly crcs: Uint32Array;
  private readonly stored: StoredSnapshot | null;
  private readonly overlay: PageOverlay;

  /** @param stored every page that is not in the overlay is in it */
  constructor(stored: StoredSnapshot | null, overlay: PageOverlay) {
    this.stored = stored;
    this.overlay = overlay;
    this.pageSize = overlay.pageSize;
    this.pageCount = overlay.pageCount;
    this.numbers = numbersUpTo(this.pageSize, this.pageCount);
    this.crcs = this.numbers.map((number) => {
      const where = this.locate(number);
      return "bytes" in where ? where.crc : (where.file.crcs[where.place] as number);
    });
  }

  *read(from: number, end: number): DiskProcedure<Judged<readonly Uint8Array[]>> {
    const pages: Uint8Array[] = [];
    for (const item of this.plan(from, end)) {
      if (item instanceof Uint8Array) {
        pages.push(item);
        continue;
      }
      const { bytes, damage } = yield* readRun(item.file, item.from, item.end);
      const found = damage[0];
      if (found !== undefined) return { ok: false, fault: found.fault };
      for (let at = 0; at < bytes.length; at += this.pageSize) pages.push(bytes.subarray(at, at + this.pageSize));
    }
    return { ok: true, value: pages };
  }

  /** Where the pages are, in their order: one in memory, or some behind each other in a file. */
  private plan(from: number, end: number): (Uint8Array | Run)[] {
    const items: (Uint8Array | Run)[] = [];
    for (const number of this.numbers.subarray(from, end)) {
      const where = this.locate(number);
      const last = items.at(-1);
      if ("bytes" in where) items.push(where.bytes);
      else if (last !== undefined && !(last instanceof Uint8Array) && follows(last, where)) last.end += 1;
      else items.push({ file: where.file, from: where.place, end: where.place + 1 });
    }
    return items;
  }

  private locate(number: number): StoredPage | Place {
    const where = this.overlay.pages.get(number) ?? this.stored?.locate(number) ?? null;
    invariant(where !== null, "a page is in the snapshot, or has been written since");
    return where;
  }
}

function follows(run: Run, { file, place }: Place): boolean {
  return run.file === file && run.end === place;
}

/** null: every page has its place, and together they are what the manifest says. */
function judgeSnapshot(stored: StoredSnapshot): Refused | null {
  const { pageSize, pageCount, checksum } = stored.state;
  const numbers = numbersUpTo(pageSize, pageCount);
  const places = Array.from(numbers, (number) => stored.locate(number));
  const missing = places.indexOf(null);
  if (missing !== -1) return corrupt(MANIFEST_FILE, 0, `no file has page ${numbers[missing]}`);
  const crcs = Uint32Array.from(places, (place) => place?.file.crcs[place.place] ?? 0);
  if (checksumOfPages({ pageSize, pageCount, numbers, crcs }) === checksum) return null;
  return brokenRule(MANIFEST_FILE, 0, "the pages of a snapshot have the checksum that it names");
}

/** The state in which every node begins. */
function emptyDatabase(pageSize: number): PageOverlay {
  const bytes = new Uint8Array(pageSize);
  writeFirstPage(bytes);
  const overlay = new PageOverlay(pageSize, 1);
  overlay.pages.set(1, { number: 1, bytes, crc: crc32c(bytes) });
  return overlay;
}

function* applyEntries(
  { log }: OfflineMember, overlay: PageOverlay, first: LogIndex, through: LogIndex,
): DiskProcedure<Refused | null> {
  for (let from = first; from <= through;) {
    const read = planRead(log, from, (through + 1) as LogIndex, READ_BYTES);
    const { file, offset, length } = read;
    const bytes = bytesOf(yield { type: "read", file, offset, length });
    if (bytes === null) return corrupt(file, offset, `entries from ${from} on cannot be read`);
    const entries = judgeRead(read, bytes);
    if (!entries.ok) return entries;
    for (const { index, kind, payload } of entries.value) {
      const fault = kind === "payload" ? overlay.apply(payload) : null;
      if (fault !== null) return brokenRule(file, offset, `of the payload of entry ${index}: ${fault.rule}`);
    }
    from = (from + entries.value.length) as LogIndex;
  }
  return null;
}
