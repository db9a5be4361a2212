/**
 * Reads the log's segments from their first byte to the end of their last record, judges every header and every payload
 * by itself, and goes on behind what is damaged: recovery (log-recovery.ts) stops at the first hole, since nothing
 * behind it may count; whoever asks what is damaged wants to know all of it.
 *
 * Behind a damaged header nobody knows where the next record begins: it is looked for, at each place where one could.
 * That is safe, as a record names its own position and carries the segment's seed. What is not found out here is
 * whether the last segment has lost its last records, as only something later could vouch for those; nor whether what
 * is damaged there is a torn write, which nobody was promised.
 */
import type { LogIndex } from "../types.ts";
import type { Judged, Owner } from "./block.ts";
import type { StorageFault } from "./boundary.ts";
import { BLOCK_SIZE, type DiskProcedure, FileWindow } from "./file-window.ts";
import { type FoundSegment, findSegments } from "./found-segment.ts";
import {
  RECORD_ALIGNMENT, RECORD_HEADER_SIZE, type RecordHeader, decodeRecordHeader, isEntryKind, paddedSize, recordSize,
} from "./record.ts";
import { type FoundHeader, SEGMENT_HEADER_SIZE, segmentFile } from "./segment-file.ts";

/** Something of the directory that is not what it should be. */
export interface VerificationFault {
  readonly fault: StorageFault;
  /** Of the first entry that is concerned; null: none is, or none is known to be. */
  readonly index: LogIndex | null;
  /** Which page of the database; null: none. */
  readonly page: number | null;
}

/** What a file named `log-N` is. */
export interface SegmentFile extends FoundSegment {
  /** "void": the log starts anew behind it. "ahead": it stands ready for use. */
  readonly use: "log" | "void" | "ahead";
}

/** All of them, ascending. Only their headers are read. */
export function* readSegmentFiles(owner: Owner, names: readonly string[]): DiskProcedure<Judged<SegmentFile[]>> {
  const found = yield* findSegments(names, owner);
  if (!found.ok) return found;
  const first = found.value.findLastIndex(({ header }) => header?.startsAnew === true);
  const last = found.value.findLastIndex(({ header }) => header !== null);
  const value = found.value.map((segment, at): SegmentFile => {
    return { ...segment, use: at > last && segment.isSound ? "ahead" : at < first ? "void" : "log" };
  });
  return { ok: true, value };
}

export interface VerifiedLog {
  /** How many records were judged, and found sound or not. */
  readonly records: number;
  readonly faults: readonly VerificationFault[];
}

/** Judges the segments that are the log's. */
export function* verifySegments(files: readonly SegmentFile[], chunkBytes: number): DiskProcedure<VerifiedLog> {
  const log = files.filter(({ use }) => use === "log");
  const faults: VerificationFault[] = [];
  let records = 0;
  for (const [at, segment] of log.entries()) {
    for (const fault of segment.faults) faults.push({ fault, index: null, page: null });
    const { header, file, isSound, missingAt } = segment;
    // Blank, where another copy says what should stand there.
    for (const offset of isSound ? missingAt : []) faults.push({ fault: blank(file, offset), index: null, page: null });
    if (header === null) continue;
    const walk = new SegmentWalk(segment, header, chunkBytes);
    const next = log[at + 1];
    const isNext = next === undefined || next.sequence === segment.sequence + 1;
    yield* walk.toTheEnd(isNext ? next?.header?.start ?? null : null);
    faults.push(...walk.faults);
    records += walk.records;
    if (!isNext) faults.push({ fault: missing(segmentFile(segment.sequence + 1)), index: walk.nextIndex, page: null });
  }
  return { records, faults };
}

export interface VerifiedSpace {
  readonly faults: readonly VerificationFault[];
  /** The header is blank, and not all behind it: what was to be a segment was torn. */
  readonly isTorn: boolean;
}

/**
 * Reads a file that stands ready to be a segment. What is in it counts for nothing, be it zeros or an older segment;
 * but it has to be read back once it is one.
 */
export function* verifySpace({ file, size }: SegmentFile, chunkBytes: number): DiskProcedure<VerifiedSpace> {
  const window = new FileWindow(file, size, chunkBytes);
  const faults: VerificationFault[] = [];
  const isBlank = isZero(yield* window.take(0, SEGMENT_HEADER_SIZE));
  let isTorn = false;
  for (let at = SEGMENT_HEADER_SIZE; at < size; at += chunkBytes) {
    if (!isZero(yield* window.take(at, chunkBytes))) isTorn = isBlank;
  }
  for (const block of window.unreadable) {
    const fault: StorageFault = { type: "corrupt", file, offset: block * BLOCK_SIZE, detail: "cannot be read" };
    faults.push({ fault, index: null, page: null });
  }
  return { faults, isTorn };
}

function isZero(bytes: Uint8Array): boolean {
  return bytes.every((byte) => byte === 0);
}

function blank(file: string, offset: number): StorageFault {
  return { type: "corrupt", file, offset, detail: "a copy of the segment's header is missing" };
}

function missing(file: string): StorageFault {
  return { type: "corrupt", file, offset: 0, detail: "missing" };
}

/** One segment, from record to record. */
class SegmentWalk {
  readonly faults: VerificationFault[] = [];
  records = 0;
  /** Of the entry that comes next, as far as that is known. */
  nextIndex: LogIndex;
  private readonly file: string;
  private readonly header: FoundHeader;
  private readonly window: FileWindow;
  private position: number;
  private checksum: number;
  private readonly chunkBytes: number;

  constructor({ file, size }: SegmentFile, header: FoundHeader, chunkBytes: number) {
    this.file = file;
    this.header = header;
    this.window = new FileWindow(file, size, chunkBytes);
    this.position = header.start;
    this.checksum = header.seed;
    this.nextIndex = (header.base.index + 1) as LogIndex;
    this.chunkBytes = chunkBytes;
  }

  /** @param end the position where the next segment begins; null: there is none */
  *toTheEnd(end: number | null): DiskProcedure<void> {
    // What follows in the file behind the place where the next segment goes on was cut once.
    while (end === null || this.position < end) {
      const offset = this.offsetOf(this.position);
      const decoded = decodeRecordHeader(
        yield* this.window.take(offset, RECORD_HEADER_SIZE), this.position, this.header.seed,
      );
      if (decoded.ok) {
        yield* this.judge(decoded.value);
        continue;
      }
      const next = yield* this.search(offset + RECORD_ALIGNMENT);
      if (next === null) break;
      const rule = `the rule "${decoded.fault.rule}" is broken`;
      this.report(offset, `${rule}; the next sound record is at offset ${this.offsetOf(next.position)}`);
      this.position = next.position;
      this.checksum = next.previous;
    }
    if (end === null || end === this.position) return;
    const detail = `its records end at position ${this.position}, and the next segment begins at ${end}`;
    this.report(this.offsetOf(this.position), detail);
  }

  private *judge(record: RecordHeader): DiskProcedure<void> {
    const offset = this.offsetOf(record.position);
    const { entry, kind } = record;
    if (record.previous !== this.checksum) this.report(offset, "it does not name the checksum of the record before");
    if (isEntryKind(kind)) this.nextIndex = entry.index;
    const from = offset + RECORD_HEADER_SIZE;
    const end = from + paddedSize(record.payloadSize);
    const isWhole = end <= this.window.size;
    const checksum = isWhole ? yield* this.window.checksum(from, end) : 0;
    const unreadable = this.window.unreadableIn(offset, Math.min(end, this.window.size));
    if (unreadable !== null) this.report(unreadable, "cannot be read");
    else if (!isWhole) this.report(offset, "its payload lies beyond the end of the file");
    else if (checksum !== record.payloadChecksum) this.report(offset, "its payload does not match its checksum");
    this.records += 1;
    this.checksum = record.checksum;
    this.position = record.position + recordSize(record.payloadSize);
    if (kind === "truncation" || isEntryKind(kind)) this.nextIndex = (entry.index + 1) as LogIndex;
  }

  /** The next sound header at or behind an offset; null: there is none. */
  private *search(from: number): DiskProcedure<RecordHeader | null> {
    const step = Math.max(BLOCK_SIZE, this.chunkBytes);
    for (let start = from; start < this.window.size; start += step) {
      const bytes = yield* this.window.take(start, step + RECORD_HEADER_SIZE - RECORD_ALIGNMENT);
      for (let at = 0; at < step && at + RECORD_HEADER_SIZE <= bytes.length; at += RECORD_ALIGNMENT) {
        const position = this.header.start + start + at - SEGMENT_HEADER_SIZE;
        // Its own position makes a header recognisable before any checksum is computed.
        if (!namesPosition(bytes, at, position)) continue;
        const decoded = decodeRecordHeader(bytes.subarray(at), position, this.header.seed);
        if (decoded.ok) return decoded.value;
      }
    }
    return null;
  }

  private offsetOf(position: number): number {
    return SEGMENT_HEADER_SIZE + position - this.header.start;
  }

  private report(offset: number, detail: string): void {
    const fault: StorageFault = { type: "corrupt", file: this.file, offset, detail };
    this.faults.push({ fault, index: this.nextIndex, page: null });
  }
}

function namesPosition(bytes: Uint8Array, at: number, position: number): boolean {
  const low = bytes[at + 16]! | (bytes[at + 17]! << 8) | (bytes[at + 18]! << 16) | (bytes[at + 19]! << 24);
  return low >>> 0 === position % 4294967296;
}
