/**
 * What lies in a segment behind the place where reading stopped: headers of records that are intact, wherever they
 * stand. Everything else there means nothing: a file that is used again is full of what it was before.
 */
import type { EntryId } from "../types.ts";
import { type DiskProcedure, FileWindow } from "./file-window.ts";
import { RECORD_ALIGNMENT, RECORD_HEADER_SIZE, type RecordHeader, decodeRecordHeader } from "./record.ts";
import { SEGMENT_HEADER_SIZE } from "./segment-file.ts";
import { lostWith } from "./term-file.ts";

/** Where a header (record.ts) names its position. */
const POSITION_AT = 16;

export interface Tail {
  /** The last intact header; null: there is none. */
  last: RecordHeader | null;
  /** Those that vouch for most of the log and for the newest hard state. */
  ofLog: RecordHeader | null;
  ofTerm: RecordHeader | null;
  /** The highest entry that one of them names. */
  highest: EntryId | null;
  /** Offset in the file of the first place that cannot be read; null: all of it can. */
  unreadableAt: number | null;
  /** Whether something that cannot be read lies behind the last intact header. */
  isOpen: boolean;
}

/** A part of a segment: the positions [from, end), of which the file may lack some. */
export interface TailSource {
  readonly window: FileWindow;
  /** Where the segment starts. */
  readonly start: number;
  readonly seed: number;
  readonly from: number;
  readonly end: number;
}

/** Looks through all of it, in pieces that a header may begin in one of and end in the next. */
export function* inspectTail(source: TailSource): DiskProcedure<Tail> {
  const { window, start, from, end } = source;
  const tail: Tail = { last: null, ofLog: null, ofTerm: null, highest: null, unreadableAt: null, isOpen: false };
  const offsetOf = (position: number): number => SEGMENT_HEADER_SIZE + position - start;
  const step = window.chunkBytes;
  for (let at = from; at < end && offsetOf(at) < window.size; at += step) {
    const length = Math.min(step + RECORD_HEADER_SIZE - RECORD_ALIGNMENT, end - at);
    inspectBytes(yield* window.take(offsetOf(at), length), at, step, source.seed, tail);
  }
  const lastAt = tail.last === null ? from : tail.last.position + RECORD_HEADER_SIZE;
  tail.unreadableAt = unreadableIn(window, offsetOf(from), offsetOf(end));
  tail.isOpen = unreadableIn(window, offsetOf(lastAt), offsetOf(end)) !== null;
  return tail;
}

/** What the file lacks at its end cannot be read either. */
export function unreadableIn(window: FileWindow, from: number, end: number): number | null {
  return window.unreadableIn(from, end) ?? (end > window.size ? Math.max(from, window.size) : null);
}

/** Looks at the places from + 0, 8, … below from + step; `bytes` begin at the position `from`. */
function inspectBytes(bytes: Uint8Array, from: number, step: number, seed: number, tail: Tail): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const end = Math.min(step, bytes.length - RECORD_HEADER_SIZE + 1);
  const low = from | 0;
  for (let at = 0; at < end; at += RECORD_ALIGNMENT) {
    // Its own position makes a header recognisable before any checksum is computed: the low half of it is enough.
    if (view.getInt32(at + POSITION_AT, true) !== ((low + at) | 0)) continue;
    const decoded = decodeRecordHeader(bytes.subarray(at), from + at, seed);
    if (!decoded.ok) continue;
    const header = decoded.value;
    tail.last = header;
    tail.highest = lostWith(tail.highest, header.entry);
    if (header.mark.through > (tail.ofLog?.mark.through ?? -1)) tail.ofLog = header;
    if (header.mark.generation > (tail.ofTerm?.mark.generation ?? 0)) tail.ofTerm = header;
  }
}
