/**
 * What a directory holds, as a plain value for people and programs that look at it: who it belongs to, what it has
 * voted and lost, its segments, its snapshot, its last entry. Nothing is changed, and damage does not hide the rest:
 * what cannot be said is null, and why stands among the faults. Pages are not read (directory-verification.ts).
 */
import type { Member } from "../raft/configuration.ts";
import type { EntryId, Identity, LogIndex } from "../types.ts";
import { ownerOf } from "./block.ts";
import type { StorageFault } from "./boundary.ts";
import { READING_CHUNK_BYTES } from "./directory-reading.ts";
import { resultOf } from "./disk-result.ts";
import type { DiskProcedure } from "./file-window.ts";
import { IDENTITY_FILE, readIdentity } from "./identity-file.ts";
import { type JudgedLog, judgeLog } from "./log-recovery.ts";
import { pageFileName, pageFileSize } from "./page-file.ts";
import { judgePages } from "./page-recovery.ts";
import type { StoredSnapshot } from "./page-set.ts";
import { type SegmentFile, readSegmentFiles } from "./segment-verification.ts";
import { TERM_FILE, type TermSlot, readTerm } from "./term-file.ts";

export interface SegmentInspection {
  readonly file: string;
  readonly sequence: number;
  /** Of the file. */
  readonly bytes: number;
  /**
   * "log": part of the log. "ahead": ready to be the next. "void": the log has started anew behind it. "damaged": part
   * of the log, and nobody can say which.
   */
  readonly use: "log" | "ahead" | "void" | "damaged";
  /** Its first entry and its last one; null: it has none. */
  readonly first: LogIndex | null;
  readonly last: LogIndex | null;
}

export interface SnapshotInspection {
  readonly entry: EntryId;
  readonly pageSize: number;
  readonly pageCount: number;
  /** Of the database (core/pages/rolling-checksum.ts). */
  readonly checksum: number;
  readonly members: readonly Member[];
  /** Oldest first. */
  readonly files: readonly {
    readonly file: string;
    /** The index of the entry as of which its pages are. */
    readonly through: LogIndex;
    readonly pages: number;
    readonly bytes: number;
  }[];
}

export interface FilesInspection {
  readonly identity: Identity | null;
  readonly term: TermSlot | null;
  /** The highest entry that this disk may have acknowledged and has no more, as the log shows; null: none. */
  readonly lost: EntryId | null;
  readonly segments: readonly SegmentInspection[];
  readonly snapshot: SnapshotInspection | null;
  /** Of log and snapshot together; null: there is none, or it cannot be told. */
  readonly last: EntryId | null;
  /** Of a torn write at the end of the log, which the next start cuts. */
  readonly tornBytes: number;
  /** All there are. */
  readonly files: readonly { readonly file: string; readonly bytes: number }[];
  /** What was found damaged on the way. */
  readonly faults: readonly StorageFault[];
}

export function* inspectFiles(chunkBytes = READING_CHUNK_BYTES): DiskProcedure<FilesInspection> {
  const names = resultOf(yield { type: "list" }, "list").files;
  const files: { file: string; bytes: number }[] = [];
  for (const file of names) {
    files.push({ file, bytes: resultOf(yield { type: "open", file, create: false }, "open").size ?? 0 });
  }
  const faults: StorageFault[] = [];
  const nothing = { identity: null, term: null, lost: null, segments: [], snapshot: null, last: null, tornBytes: 0 };
  if (!names.includes(IDENTITY_FILE)) return { ...nothing, files, faults };
  const identity = yield* readIdentity();
  if (!identity.ok) return { ...nothing, files, faults: [identity.fault] };
  faults.push(...identity.value.damage);
  const known = { ...nothing, identity: identity.value.identity, files, faults };
  if (known.identity.cluster === null) return known;

  const owner = ownerOf(known.identity);
  const term = names.includes(TERM_FILE) ? yield* readTerm(owner) : null;
  faults.push(...(term === null ? [] : term.ok ? term.value.damage : [term.fault]));
  const pages = yield* judgePages(owner, names);
  faults.push(...(pages.ok ? pages.value.damage : [pages.fault]));
  const stored = pages.ok ? pages.value.stored : null;
  const segments = yield* readSegmentFiles(owner, names);
  if (!segments.ok) faults.push(segments.fault);
  const slot = term?.ok === true ? term.value.slot : null;
  const entry = stored?.state.entry ?? null;
  const judged = slot === null ? null : yield* judgeLog({ owner, term: slot, names, snapshot: entry, chunkBytes });
  faults.push(...(judged === null ? [] : judged.ok ? judged.value.damage : [judged.fault]));
  const log = judged?.ok === true ? judged.value : null;
  return {
    ...known, term: slot, lost: log?.lost ?? null, snapshot: stored === null ? null : describeSnapshot(stored),
    segments: describeSegments(segments.ok ? segments.value : [], log), last: lastOf(log, entry),
    tornBytes: log?.tornBytes ?? 0,
  };
}

function describeSnapshot({ state, files }: StoredSnapshot): SnapshotInspection {
  const { entry, pageSize, pageCount, checksum, configuration } = state;
  return {
    entry, pageSize, pageCount, checksum, members: configuration.members,
    files: files.map(({ sequence, through, count }) => {
      return { file: pageFileName(sequence), through, pages: count, bytes: pageFileSize(count, pageSize) };
    }),
  };
}

function describeSegments(segments: readonly SegmentFile[], log: JudgedLog | null): SegmentInspection[] {
  return segments.map(({ file, sequence, size, header, use }, at) => {
    if (use !== "log") return { file, sequence, bytes: size, use, first: null, last: null };
    if (header === null) return { file, sequence, bytes: size, use: "damaged", first: null, last: null };
    const next = segments[at + 1];
    const behind = next?.use === "log" ? next.header?.base : log?.log.entries.last;
    const first = (header.base.index + 1) as LogIndex;
    const last = behind === undefined || behind.index < first ? null : behind.index;
    return { file, sequence, bytes: size, use, first: last === null ? null : first, last };
  });
}

/** Where the log does not hold the snapshot's entry, a start discards it. */
function lastOf(log: JudgedLog | null, snapshot: EntryId | null): EntryId | null {
  if (log === null) return snapshot;
  const { entries } = log.log;
  const last = snapshot === null || entries.holds(snapshot) ? entries.last : snapshot;
  return last.index === 0 ? null : last;
}
