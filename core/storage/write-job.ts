/**
 * What the write queue does in many steps, one job at a time, and what is said once a job is done. Knows no queue: when
 * which begins stands in write-queue.ts.
 */
import { invariant, unreachable } from "../invariant.ts";
import type { SnapshotId } from "../raft/message.ts";
import type { EntryId, Ticket } from "../types.ts";
import type { Refused } from "./block.ts";
import type { StorageEffect, StorageLimits } from "./boundary.ts";
import { type WrittenCut, publishCut } from "./checkpoint.ts";
import type { DiskProcedure } from "./file-window.ts";
import { dropSegment, leaveSegment, resetLog } from "./log-drop.ts";
import type { Segment } from "./log.ts";
import { type WrittenMerge, publishMerge } from "./merge.ts";
import type { OpenFiles } from "./open-files.ts";
import { removeUnused } from "./page-set.ts";
import { renewManifest } from "./publication.ts";
import type { Reception, SnapshotChunk } from "./reception.ts";
import { noteConfiguration, noteOtherVoters } from "./sole-voter.ts";
import { lostWith, writeSlot } from "./term-file.ts";

/** What comes of what is done beside the queue (upkeep.ts). */
export type UpkeepJob =
  /** It has been written, and is to be in force. */
  | { readonly type: "cut"; readonly written: WrittenCut }
  | { readonly type: "merge"; readonly written: WrittenMerge }
  /** The file `manifest` is damaged: it is written anew, of what is in force. */
  | { readonly type: "manifest" }
  /** This segment is damaged: the log is to go on behind it, and a snapshot to have what is in it. */
  | { readonly type: "leave"; readonly segment: Segment };

export type Job =
  | UpkeepJob
  | { readonly type: "install"; readonly snapshot: SnapshotId; readonly answers: Ticket | null }
  | { readonly type: "compact"; readonly through: EntryId }
  | { readonly type: "chunk"; readonly chunk: SnapshotChunk }
  | { readonly type: "forgetLoss" | "otherVoters" }
  | { readonly type: "quarantine" }
  | { readonly type: "cleaning" };

/** What a job came to: of a chunk, where the stream goes on. */
export type Outcome = Refused | { readonly end: number | null } | null;

type NewsType =
  | "SnapshotStored" | "SnapshotRewritten" | "SnapshotAbandoned" | "SnapshotWanted" | "CutEnded" | "ChunkStored"
  | "Quarantined";
export type JobNews = Extract<StorageEffect, { readonly type: NewsType }>;

/** What jobs work on. */
interface JobFiles {
  readonly files: OpenFiles;
  readonly limits: StorageLimits;
  readonly reception: Reception;
}

export function* stepsOf(job: Job, { files, limits, reception }: JobFiles): DiskProcedure<Outcome> {
  switch (job.type) {
    case "install": {
      yield* noteConfiguration(files, job.snapshot.configuration);
      const refused = yield* reception.install(files, job.snapshot);
      if (refused !== null || files.log.entries.holds(job.snapshot.entry)) return refused;
      return yield* resetLog(files, job.snapshot.entry, limits);
    }
    case "cut": {
      yield* noteConfiguration(files, job.written.point.configuration);
      const refused = yield* publishCut(files, job.written);
      if (refused === null) yield* reception.dropOutdated(files);
      return refused;
    }
    case "merge":
      return yield* publishMerge(files, job.written);
    case "manifest":
      return yield* renewManifest(files);
    case "compact":
      return yield* compact(files, job.through, limits);
    case "leave": {
      // A group may have gone on by itself, and there may be no room for another segment now: it is found again.
      const isReady = job.segment === files.log.current && files.log.prepared !== null;
      return isReady ? yield* leaveSegment(files, limits) : null;
    }
    case "chunk":
      return { end: yield* receive(job.chunk, { files, limits, reception }) };
    case "cleaning":
      return yield* removeUnused(files);
    case "forgetLoss":
      return yield* writeSlot(files, { lost: null });
    case "otherVoters":
      return yield* noteOtherVoters(files);
    case "quarantine": {
      const snapshot = files.pages.snapshot?.entry ?? null;
      const lost = lostWith(files.term.lost, files.log.entries.last, snapshot);
      return yield* writeSlot(files, { lost, isQuarantined: true });
    }
    default:
      return unreachable(job);
  }
}

function* compact(files: OpenFiles, through: EntryId, limits: StorageLimits): DiskProcedure<Refused | null> {
  const { log, pages } = files;
  if (!log.isDroppable(through.index)) return null;
  invariant(log.entries.holds(through), "only entries of the log are compacted");
  const snapshot = pages.snapshot?.entry.index ?? 0;
  invariant(through.index <= snapshot, "only what the stored snapshot has is compacted");
  // One at a time: what waits comes between (write-queue.ts).
  return yield* dropSegment(files, through, limits);
}

/** While the reserve is lent to a checkpoint, nothing else may take space. */
function* receive(chunk: SnapshotChunk, { files, limits, reception }: JobFiles): DiskProcedure<number | null> {
  const { reserve } = files;
  if (reserve.isLent) {
    yield* reception.abandon(files);
    return null;
  }
  reserve.isReceiving = true;
  const end = yield* reception.storeChunk(files, chunk, limits.maxWriteBytes);
  reserve.isReceiving = false;
  return end;
}

/** What is said once it is done. @param end of a chunk: where the stream goes on */
export function newsOf(
  job: Exclude<Job, { readonly type: "install" }>, { log, pages: { snapshot } }: OpenFiles, end: number | null,
): readonly JobNews[] {
  switch (job.type) {
    case "cut":
      return newsOfCut(job.written.point.entry, snapshot);
    case "merge":
      return snapshot === null ? [] : [{ type: "SnapshotRewritten", snapshot }];
    case "chunk":
      return [{ type: "ChunkStored", snapshot: job.chunk.snapshot, end }];
    case "quarantine":
      return [{ type: "Quarantined" }];
    case "leave": {
      const next = log.segments[log.segments.indexOf(job.segment) + 1];
      const isThere = log.segments.includes(job.segment);
      return isThere && next !== undefined ? [{ type: "SnapshotWanted", through: next.base.index }] : [];
    }
    case "manifest":
    case "compact":
    case "cleaning":
    case "forgetLoss":
    case "otherVoters":
      return [];
    default:
      return unreachable(job);
  }
}

/** A cut came to be the stored snapshot, unless a newer one has been installed meanwhile. */
function newsOfCut(entry: EntryId, snapshot: SnapshotId | null): readonly JobNews[] {
  const isStored = snapshot !== null && snapshot.entry.index === entry.index;
  const ended: JobNews = { type: "CutEnded", isStored };
  return [ended, isStored ? { type: "SnapshotStored", snapshot } : { type: "SnapshotAbandoned" }];
}
