/**
 * Space taken before it is needed: the files that are to be the log's next segments, and the reserve (reserve.ts). Want
 * of space is an answer here, not a failure: nothing relies on these files yet.
 */
import { unreachable } from "../invariant.ts";
import type { StorageLimits } from "./boundary.ts";
import { hadSpace, resultOf } from "./disk-result.ts";
import type { DiskProcedure } from "./file-window.ts";
import { MARK_SIZE } from "./log.ts";
import type { OpenFiles } from "./open-files.ts";
import { type CoveredFiles, type Reserve, reserveFor } from "./reserve.ts";
import { SEGMENT_HEADER_SIZE, segmentFile } from "./segment-file.ts";

export const RESERVE_FILE = "reserve";
const RESERVE_NEW = "reserve.new";
const SEGMENT_NEW = "log.new";
/** Records for which a segment is made that is as small as can be. */
const SMALL_SEGMENT_SPARE = 4096;

/** What a group waits for. */
export interface Lack {
  /** How large a segment, at least. */
  readonly segmentBytes: number;
  /** Whether what waits is more than no-ops and configurations. */
  readonly hasPayload: boolean;
}

/** For whom space is taken. `isAlone`: nobody takes space meanwhile who would take what is exchanged. */
interface SpaceTaker {
  readonly lack: Lack | null;
  readonly isAlone: () => boolean;
}

export type SpaceNeed =
  | { readonly type: "segment" | "reserve"; readonly bytes: number }
  /** A segment, which is about to be ready: a dropped one is used again. */
  | { readonly type: "patience" };

/**
 * What is to be held and is not, the most urgent first; null: nothing. What the log may have by now is covered before
 * there is room for more of it, unless what waits for that room is no payload.
 */
export function spaceNeeded(files: CoveredFiles, lack: Lack | null, limits: StorageLimits): SpaceNeed | null {
  const { log, reserve } = files;
  const { prepared } = log;
  const lacksSegment = prepared === null || prepared.size < (lack?.segmentBytes ?? 0);
  const covering = reserveFor(files, log.allocated, limits);
  if (reserve.size < covering && !(lacksSegment && lack?.hasPayload === false)) {
    return { type: "reserve", bytes: covering };
  }
  if (prepared === null && log.isNaming) return { type: "patience" };
  if (lacksSegment) return { type: "segment", bytes: segmentSize(limits, lack?.segmentBytes) };
  const bytes = reserveFor(files, log.allocated + prepared.size, limits);
  return reserve.size < bytes ? { type: "reserve", bytes } : null;
}

export function segmentSize({ segmentBytes }: StorageLimits, minimumBytes = 0): number {
  return Math.max(segmentBytes, minimumBytes, SEGMENT_HEADER_SIZE + MARK_SIZE);
}

/** Takes what is needed, from wherever it is to be had; false: from nowhere. */
export function* takeSpace(
  files: CoveredFiles, need: SpaceNeed, { lack, isAlone }: SpaceTaker, limits: StorageLimits,
): DiskProcedure<boolean> {
  switch (need.type) {
    case "segment":
      if (yield* prepareSegment(files, need.bytes)) return true;
      return isAlone() && (yield* segmentFromReserve(files, need.bytes, lack, limits));
    case "reserve":
      if (yield* growReserve(files.reserve, need.bytes)) return true;
      if (yield* removeSurplus(files)) return true;
      // After a checkpoint on a full disk a little may be missing: most of it is better than nothing.
      if (files.reserve.size === 0) yield* growReserve(files.reserve, need.bytes - Math.floor(limits.reserveBytes / 2));
      return false;
    case "patience":
      return true;
    default:
      return unreachable(need);
  }
}

/**
 * Makes a file ready to be the log's next segment, of so many bytes, or makes the one that is ready large enough.
 * False: there is no space. The log may roll meanwhile: what number the file gets is decided at the end.
 */
export function* prepareSegment(files: Pick<OpenFiles, "log">, size: number): DiskProcedure<boolean> {
  const { prepared } = files.log;
  if (prepared !== null) {
    if (prepared.size >= size) return true;
    if (!hadSpace(yield { type: "preallocate", file: prepared.file, size })) return false;
    // It may have become a segment meanwhile, which does not know of the room that it got.
    if (files.log.prepared === prepared) files.log.addAhead({ ...prepared, size });
    return true;
  }
  if (!(yield* makeFile(SEGMENT_NEW, size))) return false;
  const sequence = files.log.claimSequence();
  // A dropped segment is about to be ready.
  if (sequence === null) {
    yield { type: "unlink", file: SEGMENT_NEW };
    return true;
  }
  const file = segmentFile(sequence);
  yield { type: "rename", from: SEGMENT_NEW, to: file };
  yield { type: "syncDirectory" };
  files.log.addAhead({ sequence, file, size });
  return true;
}

/**
 * Of the reserve, what a checkpoint does not need becomes a segment. For what is no payload the half of `reserveBytes`
 * may go, too: it makes the next checkpoint no larger.
 */
function* segmentFromReserve(
  files: CoveredFiles, size: number, lack: Lack | null, limits: StorageLimits,
): DiskProcedure<boolean> {
  const { reserve, log } = files;
  const covering = reserveFor(files, log.allocated, limits);
  if (reserve.size >= covering + size) return yield* exchange(files, size, covering);
  if (lack === null || lack.hasPayload || log.prepared !== null) return false;
  const small = segmentSize({ ...limits, segmentBytes: 0 }, lack.segmentBytes + SMALL_SEGMENT_SPARE);
  if (reserve.size < covering - Math.floor(limits.reserveBytes / 2) + small) return false;
  return yield* exchange(files, small, reserve.size - small);
}

function* exchange(files: CoveredFiles, segmentBytes: number, reserveBytes: number): DiskProcedure<boolean> {
  const { reserve } = files;
  reserve.isLent = true;
  yield* giveUpReserve(reserve);
  const isPrepared = yield* prepareSegment(files, segmentBytes);
  yield* growReserve(reserve, reserveBytes);
  reserve.isLent = false;
  return isPrepared;
}

/** False: there is no space for it, and it is what it was. */
export function* growReserve(reserve: Reserve, size: number): DiskProcedure<boolean> {
  if (reserve.size > 0) {
    if (!hadSpace(yield { type: "preallocate", file: RESERVE_FILE, size })) return false;
  } else {
    if (!(yield* makeFile(RESERVE_NEW, size))) return false;
    yield { type: "rename", from: RESERVE_NEW, to: RESERVE_FILE };
    yield { type: "syncDirectory" };
  }
  reserve.size = size;
  return true;
}

/** 0: it is not there. */
export function* reserveSize(): DiskProcedure<number> {
  return resultOf(yield { type: "open", file: RESERVE_FILE, create: false }, "open").size ?? 0;
}

export function* giveUpReserve(reserve: Reserve): DiskProcedure<void> {
  if (reserve.size === 0) return;
  reserve.size = 0;
  yield { type: "unlink", file: RESERVE_FILE };
  yield { type: "syncDirectory" };
}

/** Files that stand ready, but for the next one, can be done without; false: there is none. */
function* removeSurplus({ log }: CoveredFiles): DiskProcedure<boolean> {
  const surplus = log.takeSurplus();
  if (surplus === null) return false;
  yield { type: "unlink", file: surplus.file };
  yield { type: "syncDirectory" };
  return true;
}

/** A file of zeros that has no name yet; false: there is no space for it, and it is gone. */
export function* makeFile(file: string, size: number): DiskProcedure<boolean> {
  if (!hadSpace(yield { type: "open", file, create: true })) return false;
  if (hadSpace(yield { type: "preallocate", file, size })) return true;
  yield { type: "unlink", file };
  return false;
}
