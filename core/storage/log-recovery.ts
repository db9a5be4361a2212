/**
 * Reading the log back after any end of the process. Judging only reads: what the log says (log-replay.ts), what is
 * damaged, and what is lost with it. Settling makes that durable, so that from there on nothing that was reported can
 * be taken for torn. In between the caller marks what is lost (rule 13).
 *
 * The cases of damage are:
 * 1. The snapshot has what is damaged, and a later segment can be read: the log begins there. Nothing is lost.
 * 2. The snapshot has what is damaged, and no later segment can be read: the log starts anew behind the snapshot.
 * 3. Otherwise the log is cut at the damage, and goes on in a segment of its own.
 * What is lost in 2 and 3 is what anything intact behind the damage says that the log had; everything, if there is no
 * knowing where it ended.
 */
import type { ConfigurationRecord } from "../raft/boundary.ts";
import { type EntryId, type LogIndex, NO_ENTRY } from "../types.ts";
import { type Judged, type Owner, brokenRule, corrupt } from "./block.ts";
import type { StorageFault, StorageLimits } from "./boundary.ts";
import { type DiskProcedure, FileWindow } from "./file-window.ts";
import { type FoundSegment, findSegments } from "./found-segment.ts";
import { Log, MAX_AHEAD, type Segment, endOf, segmentOf } from "./log.ts";
import { leaveSegment, startAnew } from "./log-drop.ts";
import { type FileRange, type Replay, replay } from "./log-replay.ts";
import { inspectTail } from "./log-tail.ts";
import { paddedSize } from "./record.ts";
import type { Reserve } from "./reserve.ts";
import { HEADER_COPY_SIZE, SEGMENT_HEADER_SIZE, encodeSegmentHeader, segmentFile } from "./segment-file.ts";
import { type TermSlot, lostWith, writeSlot } from "./term-file.ts";

export interface LogSource {
  readonly owner: Owner;
  readonly term: TermSlot;
  /** Of all files of the directory. */
  readonly names: readonly string[];
  /** The entry of the stored snapshot; null: there is none. */
  readonly snapshot: EntryId | null;
  /** How much is read at once; a multiple of 8. */
  readonly chunkBytes: number;
}

export interface JudgedLog {
  /** What is left of it. It holds the entry of the snapshot, or is behind it, or contradicts it. */
  readonly log: Log;
  /** The configuration entries of the log, ascending. */
  readonly configurations: readonly ConfigurationRecord[];
  /** How many bytes of a torn write are recognisable behind the end. */
  readonly tornBytes: number;
  readonly damage: readonly StorageFault[];
  /** The highest entry that the log had and that neither it nor the snapshot has; null: nothing is lost. */
  readonly lost: EntryId | null;
  readonly repairs: LogRepairs;
}

/** What `settleLog` is to do. */
export interface LogRepairs {
  /** Headers of which a copy is missing, and where. */
  readonly headers: readonly { readonly found: FoundSegment; readonly offset: number }[];
  /** Torn writes, to be overwritten. */
  readonly torn: readonly FileRange[];
  /** Segments that are void, or not needed. */
  readonly unneeded: readonly FoundSegment[];
  /** Files behind the end that are no use any more. */
  readonly cut: readonly FoundSegment[];
  /** Files that stand ready to be segments. */
  readonly ready: readonly FoundSegment[];
  /** "onward": the next group goes into another segment. "anew": the log is void and starts anew. */
  readonly goesOn: "here" | "onward" | "anew";
}

/** What is not known to end anywhere. */
const NO_END = Number.MAX_SAFE_INTEGER as LogIndex;

export function* judgeLog(source: LogSource): DiskProcedure<Judged<JudgedLog>> {
  const found = yield* findSegments(source.names, source.owner);
  if (!found.ok) return found;
  const first = Math.max(0, found.value.findLastIndex(({ header }) => header?.startsAnew === true));
  const segments = found.value.slice(first);
  const unneeded = found.value.slice(0, first);
  const damage: StorageFault[] = [];
  for (let at = 0; at < segments.length; ) {
    const read = yield* replay(source, segments, at);
    if (read !== null && "fault" in read) return read;
    const fault = read === null ? headerFault(segments[at] as FoundSegment) : read.damage;
    const high = source.term.hardState.currentTerm;
    if (read !== null && read.log.entries.base.term > high) {
      return brokenRule(read.log.current.file, 0, "the base's term is at most the current term");
    }
    if (fault === null && read !== null) return judgedWhole(source.term, segments, read, damage, unneeded);
    if (fault !== null) damage.push(fault);
    const stoppedAt = read?.stoppedAt ?? at;
    const later = laterSegment(segments, stoppedAt, read, source.snapshot);
    if (later === null) return yield* judgedDamaged(source, segments, read, stoppedAt, damage, unneeded);
    unneeded.push(...segments.slice(at, later));
    at = later;
  }
  damage.push(corrupt(segmentFile(1), 0, "missing, and so is every other segment of the log").fault);
  return yield* judgedDamaged(source, segments, null, 0, damage, unneeded);
}

function headerFault({ file, faults }: FoundSegment): StorageFault {
  return faults[0] ?? corrupt(file, 0, "was never written, and no segment is before it").fault;
}

/** Case 1: where the log may begin behind the damage; null: nowhere. */
function laterSegment(
  segments: readonly FoundSegment[], stoppedAt: number, read: Replay | null, snapshot: EntryId | null,
): number | null {
  if (snapshot === null || (read !== null && read.log.entries.last.index >= snapshot.index)) return null;
  const later = segments.findIndex(({ header }, at) => {
    return at > stoppedAt && header !== null && header.base.index <= snapshot.index;
  });
  return later === -1 ? null : later;
}

/** The log ends where it ended. */
function judgedWhole(
  term: TermSlot, segments: readonly FoundSegment[], read: Replay, damage: readonly StorageFault[],
  unneeded: readonly FoundSegment[],
): Judged<JudgedLog> {
  const { log, configurations, stoppedAt, torn, unusable } = read;
  const { headers, faults } = headersOf(segments, log, term);
  const ready = readyAfter(segments, stoppedAt);
  const cut = segments.slice(stoppedAt + 1).filter((segment) => !ready.includes(segment));
  const mayFollow = torn.filter(({ file }) => !cut.some((found) => found.file === file));
  const repairs: LogRepairs = {
    headers, torn: mayFollow, unneeded, cut, ready, goesOn: unusable === null ? "here" : "onward",
  };
  const found = [...damage, ...faults, ...(unusable === null ? [] : [unusable])];
  return { ok: true, value: { log, configurations, tornBytes: sizeOf(torn), damage: found, lost: null, repairs } };
}

/** Cases 2 and 3. */
function* judgedDamaged(
  source: LogSource, segments: readonly FoundSegment[], read: Replay | null, stoppedAt: number,
  damage: readonly StorageFault[], unneeded: readonly FoundSegment[],
): DiskProcedure<Judged<JudgedLog>> {
  const { snapshot, term } = source;
  const known = yield* lastKnown(source, segments, read, stoppedAt);
  const isBehind = read === null || read.log.entries.last.index < (snapshot?.index ?? 0);
  const log = isBehind ? voidLog(segments, snapshot ?? NO_ENTRY, term.vouched.through) : read.log;
  const configurations = isBehind ? [] : read.configurations;
  const kept = lostWith(log.entries.last, snapshot);
  const { currentTerm } = term.hardState;
  const highest = known === null || known.term > currentTerm ? { term: currentTerm, index: NO_END } : known;
  // Before the first term there was nothing to lose.
  const lost = currentTerm === 0 || lostWith(kept, highest) === kept ? null : highest;
  const { headers, faults } = isBehind ? { headers: [], faults: [] } : headersOf(segments, log, term);
  const repairs: LogRepairs = {
    headers, torn: [], unneeded, ready: [],
    cut: isBehind ? segments.filter((found) => !unneeded.includes(found)) : segments.slice(stoppedAt + 1),
    goesOn: isBehind ? "anew" : "onward",
  };
  const value = { log, configurations, tornBytes: 0, damage: [...damage, ...faults], lost, repairs };
  return { ok: true, value };
}

/** The highest entry that anything intact at or behind the damage names; null: the log may have gone on behind that. */
function* lastKnown(
  source: LogSource, segments: readonly FoundSegment[], read: Replay | null, stoppedAt: number,
): DiskProcedure<EntryId | null> {
  const { lost, vouched } = source.term;
  let known = lostWith(lost, vouched.last, read?.log.entries.last ?? null);
  // Unless something intact lies behind the damage.
  let isOpen = true;
  for (let at = stoppedAt; at < segments.length; at++) {
    const found = segments[at] as FoundSegment;
    if (isGap(segments, at)) isOpen = true;
    const isFirst = at === stoppedAt;
    const segment = isFirst && read !== null ? read.log.current : headed(found);
    // Of a segment that cannot be read at all nothing is known, nor of a file that is missing.
    if (segment === null && !found.isSound) isOpen = true;
    if (segment === null) continue;
    if (!isFirst) [known, isOpen] = [lostWith(known, segment.base), false];
    const from = isFirst && read !== null ? read.log.end : segment.start;
    const end = segments[at + 1]?.header?.start ?? endOf(segment);
    const window = new FileWindow(found.file, found.size, source.chunkBytes);
    const tail = yield* inspectTail({ window, start: segment.start, seed: segment.seed, from, end });
    known = lostWith(known, tail.highest);
    if (tail.last !== null) isOpen = false;
    if (tail.isOpen) isOpen = true;
  }
  return isOpen ? null : (known ?? NO_ENTRY);
}

function headed({ header }: FoundSegment): Segment | null {
  return header === null ? null : segmentOf(header, header.seed);
}

/** Whether the file before this one is missing. */
function isGap(segments: readonly FoundSegment[], at: number): boolean {
  const [before, segment] = [segments[at - 1], segments[at]];
  return before !== undefined && segment !== undefined && segment.sequence !== before.sequence + 1;
}

/** Of a log that is to start anew: empty behind `base`, in a place behind all that there is. */
function voidLog(found: readonly FoundSegment[], base: EntryId, vouchedThrough: number): Log {
  let start = vouchedThrough;
  // A file that was cut short ends anywhere; records begin at multiples of their alignment.
  for (const { header, size } of found) start = Math.max(start, header?.start ?? 0) + paddedSize(size);
  const sequence = found.at(-1)?.sequence ?? 0;
  const header = { sequence, start, base, previous: 0, size: SEGMENT_HEADER_SIZE, startsAnew: false };
  return new Log({ ...header, file: found.at(-1)?.file ?? "", seed: 0, isDamaged: true });
}

/** The headers of the log's segments that lack a copy, and what was found damaged of them. */
function headersOf(
  segments: readonly FoundSegment[], log: Log, { vouched }: TermSlot,
): { readonly headers: LogRepairs["headers"]; readonly faults: readonly StorageFault[] } {
  const used = segments.filter(({ sequence }) => log.segments.some((segment) => segment.sequence === sequence));
  const headers = used.flatMap((found) => found.missingAt.map((offset) => ({ found, offset })));
  // One that was being written is torn, no more.
  const isDurable = Math.max(vouched.through, log.marked.through) > log.current.start;
  const damaged = used.filter(({ file, isHidden }) => isDurable || isHidden || file !== log.current.file);
  return { headers, faults: damaged.flatMap(({ faults }) => faults) };
}

/** The files behind the last segment, without a gap, of which nothing is damaged. */
function readyAfter(segments: readonly FoundSegment[], at: number): readonly FoundSegment[] {
  const ready: FoundSegment[] = [];
  for (let next = at + 1; segments[next]?.isSound && !isGap(segments, next); next++) {
    ready.push(segments[next] as FoundSegment);
  }
  return ready.slice(0, MAX_AHEAD);
}

function sizeOf(ranges: readonly FileRange[]): number {
  let size = 0;
  for (const { offset, end } of ranges) size += end - offset;
  return size;
}

/** Makes the log durable as it was judged, and vouches for it. Refused: there is no space for a segment. */
export function* settleLog(
  judged: JudgedLog, member: { readonly owner: Owner; term: TermSlot; readonly reserve: Reserve },
  limits: StorageLimits,
): DiskProcedure<Judged<Log>> {
  const { repairs, log } = judged;
  const files = { owner: member.owner, term: member.term, reserve: member.reserve, log };
  if (repairs.goesOn === "anew") {
    const refused = yield* startAnew(files, log.entries.base, limits);
    if (refused !== null) return refused;
  }
  // What makes the others void may stand in the page cache only: a killed process wrote it.
  if (repairs.goesOn !== "anew" && repairs.unneeded.length > 0) yield { type: "sync", file: log.current.file };
  yield* removeFiles(repairs.unneeded);
  // The last one first: what is left has no gap.
  yield* removeFiles([...repairs.cut].reverse());
  if (repairs.goesOn === "anew") {
    yield* vouch(files.log, member);
    return { ok: true, value: files.log };
  }
  for (const { sequence, file, size } of repairs.ready) log.addAhead({ sequence, file, size });
  const touched = new Set([log.current.file]);
  for (const range of repairs.torn) {
    yield* overwrite(range, limits.maxWriteBytes);
    touched.add(range.file);
  }
  for (const { found, offset } of repairs.headers) {
    const segment = log.segments.find(({ sequence }) => sequence === found.sequence);
    if (segment === undefined) continue;
    const bytes = encodeSegmentHeader(member.owner, found.header ?? segment).subarray(0, HEADER_COPY_SIZE);
    yield { type: "write", file: found.file, offset, bytes };
    touched.add(found.file);
  }
  // What a killed process wrote may stand in the page cache only.
  for (const file of touched) yield { type: "sync", file };
  log.noteSynced();
  if (repairs.goesOn === "onward") {
    const refused = yield* leaveSegment(files, limits);
    if (refused !== null) return refused;
  }
  yield* vouch(log, member);
  return { ok: true, value: log };
}

/** From here on nothing that recovery reports can be taken for torn. */
function* vouch(log: Log, member: { readonly owner: Owner; term: TermSlot }): DiskProcedure<void> {
  if (!log.isVouchedBy(member.term.vouched)) yield* writeSlot(member, { vouched: log.vouched });
}

function* overwrite({ file, offset, end }: FileRange, maxWriteBytes: number): DiskProcedure<void> {
  for (let at = offset; at < end; at += maxWriteBytes) {
    yield { type: "write", file, offset: at, bytes: new Uint8Array(Math.min(maxWriteBytes, end - at)) };
  }
}

function* removeFiles(segments: readonly FoundSegment[]): DiskProcedure<void> {
  for (const { file } of segments) {
    yield { type: "unlink", file };
    yield { type: "syncDirectory" };
  }
}
