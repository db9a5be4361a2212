/**
 * Reads the log over and over in search of damage: slowly, a piece at each call, beside everything else. Judges what is
 * durable of each segment: both copies of its header, then its records, one after the other.
 *
 * The log goes on meanwhile, and segments leave it: before each read it is asked whether its segment is still there. A
 * damaged segment is left at once, and not looked at again: it is going to be dropped as a whole.
 */
import { sameEntry } from "../types.ts";
import { type Refused, brokenRule, corrupt, foreignOwner } from "./block.ts";
import type { StorageFault } from "./boundary.ts";
import { type DiskProcedure, FileWindow } from "./file-window.ts";
import type { Log, Segment } from "./log.ts";
import { unreadableIn } from "./log-tail.ts";
import type { OpenFiles } from "./open-files.ts";
import { RECORD_HEADER_SIZE, decodeRecordHeader, paddedSize, recordSize } from "./record.ts";
import { HEADER_COPY_SIZE, SEGMENT_HEADER_SIZE, decodeSegmentHeader } from "./segment-file.ts";

/** What has been looked at. */
export interface LogScrubStep {
  /** How many bytes. */
  readonly read: number;
  /** The segment is marked as damaged. */
  readonly faults: readonly { readonly fault: StorageFault; readonly segment: Segment }[];
}

type LogFiles = Pick<OpenFiles, "owner" | "log">;

/** Where to go on in a segment. */
interface Place {
  readonly segment: Segment;
  /** Of the next record. */
  position: number;
  /** Checksum of the record before it. */
  previous: number;
}

/** One read is of at most so many bytes, unless less is to be looked at. */
const CHUNK_BYTES = 64 * 1024;

export class LogScrub {
  /** null: the next segment is to be chosen. */
  private place: Place | null = null;
  /** Sequence number of the segment looked at last. */
  private lastSequence = 0;

  /** Looks at about so many bytes, and at no segment twice. */
  *next(files: LogFiles, maxBytes: number): DiskProcedure<LogScrubStep> {
    const faults: { readonly fault: StorageFault; readonly segment: Segment }[] = [];
    let read = 0;
    while (read < maxBytes) {
      const isNew = this.place === null || !files.log.segments.includes(this.place.segment);
      const segment: Segment | null = isNew ? this.choose(files.log) : (this.place as Place).segment;
      if (segment === null) break;
      const end = endIn(files.log, segment);
      const window = windowOf(files, segment, end, Math.min(maxBytes, CHUNK_BYTES));
      if (isNew) {
        this.place = { segment, position: segment.start, previous: segment.seed };
        read += SEGMENT_HEADER_SIZE;
      }
      const place = this.place as Place;
      const from = place.position;
      const damage = (isNew ? yield* judgeHeaders(files, segment, window) : null)
        ?? (yield* judgeRecords(place, window, end, maxBytes - read));
      read += place.position - from;
      if (damage === null && place.position < end && files.log.segments.includes(segment)) continue;
      this.place = null;
      if (damage === null || !files.log.segments.includes(segment)) continue;
      segment.isDamaged = true;
      faults.push({ fault: damage.fault, segment });
    }
    return { read, faults };
  }

  /** The first segment behind the one looked at last; null: that was the last one, the next call begins anew. */
  private choose(log: Log): Segment | null {
    const next = log.segments.find(({ sequence, isDamaged }) => sequence > this.lastSequence && !isDamaged) ?? null;
    this.lastSequence = next?.sequence ?? 0;
    return next;
  }
}

/** The position where what is durable of the segment ends. */
function endIn(log: Log, segment: Segment): number {
  return log.segments.find(({ sequence }) => sequence === segment.sequence + 1)?.start ?? log.synced;
}

/** As long as the segment is the log's. */
function windowOf(files: LogFiles, segment: Segment, end: number, chunkBytes: number): FileWindow {
  const size = SEGMENT_HEADER_SIZE + end - segment.start;
  return new FileWindow(segment.file, size, chunkBytes, () => files.log.segments.includes(segment));
}

/** null: both copies are what they were. */
function* judgeHeaders(files: LogFiles, segment: Segment, window: FileWindow): DiskProcedure<Refused | null> {
  for (const at of [0, HEADER_COPY_SIZE]) {
    const bytes = yield* window.take(at, HEADER_COPY_SIZE);
    if (window.unreadableIn(at, at + HEADER_COPY_SIZE) !== null) return corrupt(segment.file, at, "cannot be read");
    const decoded = decodeSegmentHeader(bytes, segment.file, at);
    if (!decoded.ok) return decoded;
    const isSame = decoded.value.seed === segment.seed && sameEntry(decoded.value.base, segment.base);
    if (!isSame || foreignOwner(segment.file, decoded.value.owner, files.owner) !== null) {
      return corrupt(segment.file, at, "is another header than the one that was written");
    }
  }
  return null;
}

/** Goes on from `place`, by at least one record. null: nothing is damaged. */
function* judgeRecords(
  place: Place, window: FileWindow, end: number, maxBytes: number,
): DiskProcedure<Refused | null> {
  const { segment } = place;
  const from = place.position;
  while (place.position < end && (place.position === from || place.position - from < maxBytes)) {
    const offset = SEGMENT_HEADER_SIZE + place.position - segment.start;
    const bytes = yield* window.take(offset, RECORD_HEADER_SIZE);
    const hidden = unreadableIn(window, offset, offset + RECORD_HEADER_SIZE);
    if (hidden !== null) return corrupt(segment.file, hidden, "cannot be read");
    const decoded = decodeRecordHeader(bytes, place.position, segment.seed);
    if (!decoded.ok) return brokenRule(segment.file, offset, decoded.fault.rule);
    const { payloadSize, payloadChecksum, previous, checksum } = decoded.value;
    if (previous !== place.previous) {
      return brokenRule(segment.file, offset, "a record names its predecessor's checksum");
    }
    const payloadAt = offset + RECORD_HEADER_SIZE;
    const payloadEnd = payloadAt + paddedSize(payloadSize);
    const found = yield* window.checksum(payloadAt, payloadEnd);
    const hole = unreadableIn(window, payloadAt, payloadEnd);
    if (hole !== null) return corrupt(segment.file, hole, "cannot be read");
    if (found !== payloadChecksum) return brokenRule(segment.file, offset, "a payload's checksum matches");
    place.position += recordSize(payloadSize);
    place.previous = checksum;
  }
  return null;
}
