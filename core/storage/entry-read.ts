/**
 * Entries on their way back from the log: which records are wanted, fixed when they are asked for, and the judgement on
 * the bytes that come. As the log is append-only, a truncation in between takes nothing away; and a read planned before
 * the file is replaced finds the old one, as operations on one file take effect in order.
 */
import { crc32c } from "../checksum.ts";
import { invariant } from "../invariant.ts";
import { type Entry, type EntryId, type LogIndex, sameEntry } from "../types.ts";
import { type Judged, brokenRule, corrupt } from "./block.ts";
import { LOG_FILE, type LogFile } from "./log-file.ts";
import { RECORD_HEADER_SIZE, decodeRecordHeader, isEntryKind, recordSize } from "./record.ts";

interface WantedRecord {
  readonly entry: EntryId;
  readonly offset: number;
  readonly size: number;
}

export interface EntryRead {
  /** The log's own checksum. */
  readonly seed: number;
  readonly records: readonly WantedRecord[];
  /** The part of the file that holds them all: [offset, offset + length). */
  readonly offset: number;
  readonly length: number;
}

/** Plans one read of entries from `from` on, below `end`: at least one, and what lies within about maxBytes of file. */
export function planRead(log: LogFile, from: LogIndex, end: LogIndex, maxBytes: number): EntryRead {
  const { entries, seed } = log;
  invariant(from < end, "something is to be read");
  const offset = entries.offsetOf(from);
  const records: WantedRecord[] = [];
  let length = 0;
  for (let index = from; index < end; index = (index + 1) as LogIndex) {
    const record = {
      entry: entries.idAt(index),
      offset: entries.offsetOf(index),
      size: recordSize(entries.payloadSizeOf(index)),
    };
    // Records that were cut may lie in between: they are read as well, and skipped.
    const span = record.offset + record.size - offset;
    if (records.length > 0 && span > maxBytes) break;
    records.push(record);
    length = span;
  }
  return { seed, records, offset, length };
}

/** The entries, if the bytes read are what was once written. */
export function judgeRead(read: EntryRead, bytes: Uint8Array): Judged<Entry[]> {
  const entries: Entry[] = [];
  for (const { entry, offset, size } of read.records) {
    const record = bytes.subarray(offset - read.offset, offset - read.offset + size);
    const decoded = decodeRecordHeader(record, offset, read.seed);
    if (!decoded.ok) return brokenRule(LOG_FILE, offset, decoded.fault.rule);
    const { kind, payloadSize, payloadChecksum } = decoded.value;
    if (!isEntryKind(kind) || !sameEntry(decoded.value.entry, entry)) {
      return corrupt(LOG_FILE, offset, `does not hold entry ${entry.term}/${entry.index}`);
    }
    if (recordSize(payloadSize) !== size || record.length !== size) {
      return corrupt(LOG_FILE, offset, "does not have the size that it had");
    }
    if (crc32c(record, RECORD_HEADER_SIZE) !== payloadChecksum) {
      return brokenRule(LOG_FILE, offset, "a payload's checksum matches");
    }
    const payload = record.subarray(RECORD_HEADER_SIZE, RECORD_HEADER_SIZE + payloadSize);
    entries.push({ term: entry.term, index: entry.index, kind, payload });
  }
  return { ok: true, value: entries };
}
