/**
 * The log loses segments: those at its beginning, because a snapshot has what they say; or all of them, because a
 * snapshot has arrived whose entry it does not hold. And how the log comes into being.
 *
 * The hard idea is that a crash may come anywhere. Segments go one after the other, each durably before the next, so
 * that what is left has no gap. A log that starts anew does so in a segment that says so, and is durable before any
 * older one goes: from then on those are void, wherever the rest has come to. What the log knew of the hard state the
 * new segment's mark knows as well.
 */
import { invariant } from "../invariant.ts";
import { type EntryId, NO_ENTRY } from "../types.ts";
import { type Judged, type Owner, type Refused, checksumOf } from "./block.ts";
import type { StorageLimits } from "./boundary.ts";
import { hadSpace } from "./disk-result.ts";
import type { DiskProcedure } from "./file-window.ts";
import { Log, type Segment, segmentOf } from "./log.ts";
import { giveUpReserve, makeFile, prepareSegment, segmentSize } from "./log-space.ts";
import type { OpenFiles } from "./open-files.ts";
import { type SegmentHeader, encodeSegmentHeader, segmentFile } from "./segment-file.ts";

/** Lets go of the first segment, if it holds only entries up to `through`, which the stored snapshot has. */
export function* dropSegment(
  files: OpenFiles, through: EntryId, { segmentBytes }: StorageLimits,
): DiskProcedure<null> {
  const segment = files.log.dropThrough(through.index);
  if (segment !== null) yield* remove(files.log, segment, segmentBytes);
  return null;
}

/** The log consists of nothing but what comes behind `base` from now on. */
export function* resetLog(
  files: Pick<OpenFiles, "owner" | "log" | "term" | "reserve">, base: EntryId, limits: StorageLimits,
): DiskProcedure<Refused | null> {
  const older = files.log;
  const refused = yield* startAnew(files, base, limits);
  if (refused !== null) return refused;
  for (const segment of older.segments) yield* remove(files.log, segment, limits.segmentBytes);
  return null;
}

/** Makes all segments that there are void. */
export function* startAnew(
  files: Pick<OpenFiles, "owner" | "log" | "term" | "reserve">, base: EntryId, limits: StorageLimits,
): DiskProcedure<Refused | null> {
  const refused = yield* havePrepared(files, limits);
  if (refused !== null) return refused;
  const older = files.log;
  invariant(older.synced === older.end, "a log starts anew when all before it is durable");
  const prepared = older.takePrepared();
  const header: SegmentHeader = {
    sequence: prepared.sequence, start: older.end, base, previous: 0, size: prepared.size, startsAnew: true,
  };
  const log = yield* writeFirst(prepared.file, files.owner, header, files.term.generation);
  if (log === null) return noSpace(prepared.file);
  log.inherit(older);
  files.log = log;
  return null;
}

/** Of the first segment of a new member's log. */
export function firstHeader(size: number): SegmentHeader {
  return { sequence: 1, start: 0, base: NO_ENTRY, previous: 0, size, startsAnew: true };
}

/** The log of a new member. Leftovers of an unfinished founding are replaced. */
export function* createLog(owner: Owner, limits: StorageLimits): DiskProcedure<Judged<Log>> {
  const size = segmentSize(limits);
  const file = segmentFile(1);
  const unfinished = `${file}.new`;
  if (!(yield* makeFile(unfinished, size))) return noSpace(file);
  const log = yield* writeFirst(unfinished, owner, firstHeader(size), 0);
  if (log === null) return noSpace(file);
  yield { type: "rename", from: unfinished, to: file };
  yield { type: "syncDirectory" };
  yield* prepareSegment({ log }, size);
  return { ok: true, value: log };
}

/** The header of a log that starts anew, and a mark if it knows of a hard state: durable. null: there is no space. */
function* writeFirst(
  file: string, owner: Owner, header: SegmentHeader, generation: number,
): DiskProcedure<Log | null> {
  const bytes = encodeSegmentHeader(owner, header);
  const log = new Log(segmentOf(header, checksumOf(bytes)));
  const mark = generation === 0 ? new Uint8Array(0) : log.appendMark({ through: header.start, generation });
  const first = new Uint8Array(bytes.length + mark.length);
  first.set(bytes);
  first.set(mark, bytes.length);
  if (!hadSpace(yield { type: "write", file, offset: 0, bytes: first })) return null;
  if (!hadSpace(yield { type: "sync", file })) return null;
  log.noteSynced();
  return log;
}

/** The log goes on in another segment, whatever follows in the file of this one, which is damaged. */
export function* leaveSegment(
  files: Pick<OpenFiles, "owner" | "log" | "reserve">, limits: StorageLimits,
): DiskProcedure<Refused | null> {
  const { owner, log } = files;
  log.current.isDamaged = true;
  const refused = yield* havePrepared(files, limits);
  if (refused !== null) return refused;
  const bytes = log.roll(owner);
  yield { type: "write", file: log.current.file, offset: 0, bytes };
  yield { type: "sync", file: log.current.file };
  log.noteSynced();
  return null;
}

/** null: a segment is prepared, at the cost of the reserve if need be. */
export function* havePrepared(
  files: Pick<OpenFiles, "log" | "reserve">, limits: StorageLimits,
): DiskProcedure<Refused | null> {
  if (files.log.prepared !== null) return null;
  const size = segmentSize(limits);
  if (yield* prepareSegment(files, size)) return null;
  yield* giveUpReserve(files.reserve);
  if (yield* prepareSegment(files, size)) return null;
  return noSpace(segmentFile(files.log.current.sequence + 1));
}

/** The segment has left the log: its file is kept to be used again, if there are not enough of those, or goes. */
function* remove(log: Log, { file, size, isDamaged }: Segment, segmentBytes: number): DiskProcedure<void> {
  const sequence = isDamaged || size !== segmentBytes || !log.wantsAhead ? null : log.claimSequence();
  if (sequence === null) {
    yield { type: "unlink", file };
    yield { type: "syncDirectory" };
    return;
  }
  const next = segmentFile(sequence);
  yield { type: "rename", from: file, to: next };
  yield { type: "syncDirectory" };
  log.addAhead({ sequence, file: next, size });
}

function noSpace(file: string): Refused {
  return { ok: false, fault: { type: "diskFailed", file, code: "ENOSPC", detail: "there is no space for the log" } };
}
