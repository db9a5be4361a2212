/**
 * Entries on their way back from the log: which records are wanted, fixed when they are asked for, and the judgement on
 * the bytes that come. As the log is append-only, a truncation in between takes nothing away; and a read that was
 * ordered before its segment is dropped finds it, as operations on one file take effect in order. One read is of one
 * segment.
 */
import { crc32c } from "../checksum.ts";
import { invariant } from "../invariant.ts";
import { type Entry, type EntryId, type LogIndex, sameEntry } from "../types.ts";
import { type Judged, brokenRule, corrupt } from "./block.ts";
import type { Log } from "./log.ts";
import { RECORD_HEADER_SIZE, decodeRecordHeader, isEntryKind, recordSize } from "./record.ts";

interface WantedRecord {
  readonly entry: EntryId;
  readonly position: number;
  readonly size: number;
}

export interface EntryRead {
  readonly file: string;
  /** Of the segment. */
  readonly seed: number;
  readonly records: readonly WantedRecord[];
  /** Position of the first record. */
  readonly from: number;
  /** The part of the file that holds them all: [offset, offset + length). */
  readonly offset: number;
  readonly length: number;
}

/**
 * Plans one read of entries from `from` on, below `end`: at least one, and what lies within about maxBytes of one
 * segment.
 */
export function planRead(log: Log, from: LogIndex, end: LogIndex, maxBytes: number): EntryRead {
  const { entries } = log;
  invariant(from < end, "something is to be read");
  const first = entries.offsetOf(from);
  const { segment, offset, end: limit } = log.placeOf(first);
  const records: WantedRecord[] = [];
  let length = 0;
  for (let index = from; index < end; index = (index + 1) as LogIndex) {
    const position = entries.offsetOf(index);
    if (position >= limit) break;
    const record = { entry: entries.idAt(index), position, size: recordSize(entries.payloadSizeOf(index)) };
    // Records that were cut may lie in between: they are read as well, and skipped.
    const span = position + record.size - first;
    if (records.length > 0 && span > maxBytes) break;
    records.push(record);
    length = span;
  }
  return { file: segment.file, seed: segment.seed, records, from: first, offset, length };
}

/** The entries, if the bytes read are what was once written. */
export function judgeRead(read: EntryRead, bytes: Uint8Array): Judged<Entry[]> {
  const { file, seed } = read;
  const entries: Entry[] = [];
  for (const { entry, position, size } of read.records) {
    const at = position - read.from;
    const offset = read.offset + at;
    const record = bytes.subarray(at, at + size);
    const decoded = decodeRecordHeader(record, position, seed);
    if (!decoded.ok) return brokenRule(file, offset, decoded.fault.rule);
    const { kind, payloadSize, payloadChecksum } = decoded.value;
    if (!isEntryKind(kind) || !sameEntry(decoded.value.entry, entry)) {
      return corrupt(file, offset, `does not hold entry ${entry.term}/${entry.index}`);
    }
    if (recordSize(payloadSize) !== size || record.length !== size) {
      return corrupt(file, offset, "does not have the size that it had");
    }
    if (crc32c(record, RECORD_HEADER_SIZE) !== payloadChecksum) {
      return brokenRule(file, offset, "a payload's checksum matches");
    }
    const payload = record.subarray(RECORD_HEADER_SIZE, RECORD_HEADER_SIZE + payloadSize);
    entries.push({ term: entry.term, index: entry.index, kind, payload });
  }
  return { ok: true, value: entries };
}
