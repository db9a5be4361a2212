/**
 * Space taken before it is needed: the files that are to be the log's next segments, and a reserve that is given up
 * when the disk is full. Want of space is an answer here, not a failure: nothing relies on these files yet.
 */
import { hadSpace, resultOf } from "./disk-result.ts";
import type { StorageLimits } from "./boundary.ts";
import type { DiskProcedure } from "./file-window.ts";
import { MARK_SIZE } from "./log.ts";
import type { OpenFiles } from "./open-files.ts";
import { SEGMENT_HEADER_SIZE, segmentFile } from "./segment-file.ts";

export const RESERVE_FILE = "reserve";
const RESERVE_NEW = "reserve.new";
const SEGMENT_NEW = "log.new";

/**
 * Makes a file ready to be the log's next segment, of so many bytes at least, or makes the one that is ready large
 * enough. False: there is no space. The log may roll meanwhile: what number the file gets is decided at the end.
 */
export function* prepareSegment(
  files: Pick<OpenFiles, "log">, minimumBytes: number, { segmentBytes }: StorageLimits,
): DiskProcedure<boolean> {
  const size = Math.max(segmentBytes, minimumBytes, SEGMENT_HEADER_SIZE + MARK_SIZE);
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

/** False: there is no space for it. */
export function* makeReserve({ reserveBytes }: StorageLimits): DiskProcedure<boolean> {
  if (!(yield* makeFile(RESERVE_NEW, reserveBytes))) return false;
  yield { type: "rename", from: RESERVE_NEW, to: RESERVE_FILE };
  yield { type: "syncDirectory" };
  return true;
}

export function* isReserveThere(): DiskProcedure<boolean> {
  return resultOf(yield { type: "open", file: RESERVE_FILE, create: false }, "open").size !== null;
}

/** If it is there. */
export function* giveUpReserve(): DiskProcedure<void> {
  if (!(yield* isReserveThere())) return;
  yield { type: "unlink", file: RESERVE_FILE };
  yield { type: "syncDirectory" };
}

/** A file of zeros that has no name yet; false: there is no space for it, and it is gone. */
export function* makeFile(file: string, size: number): DiskProcedure<boolean> {
  if (!hadSpace(yield { type: "open", file, create: true })) return false;
  if (hadSpace(yield { type: "preallocate", file, size })) return true;
  yield { type: "unlink", file };
  return false;
}
