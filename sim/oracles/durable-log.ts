/**
 * The log that a node's disk would give back after any crash now, read from the segments that are durably there. It
 * believes no index and no table of the product's. Incremental: a sync costs what it has made durable; only what breaks
 * the course of things (a log that starts anew, or is cut at damage) has all of it read again.
 */
import { crc32c } from "../../core/checksum.ts";
import type { ConfigurationRecord } from "../../core/raft/boundary.ts";
import { decodeConfiguration } from "../../core/raft/configuration-codec.ts";
import {
  decodeRecordHeader, isEntryKind, paddedSize, RECORD_HEADER_SIZE, type RecordHeader, recordSize,
} from "../../core/storage/record.ts";
import {
  decodeSegmentHeader, type FoundHeader, HEADER_COPY_SIZE, SEGMENT_HEADER_SIZE, segmentFile, sequenceOf,
} from "../../core/storage/segment-file.ts";
import { TermRuns } from "../../core/term-runs.ts";
import type { EntryId } from "../../core/types.ts";
import type { DurableDisk } from "./boundary.ts";

export class DurableLog {
  /** null: there is none yet. */
  entries: TermRuns | null = null;
  /** Of the entries in the log, ascending. */
  configurations: ConfigurationRecord[] = [];
  /** Those that the log goes through, ascending. */
  private segments: FoundHeader[] = [];
  /** What was kept whenever the log was cut, and by which segment that is known. */
  private cuts: { readonly sequence: number; readonly kept: EntryId }[] = [];
  /** Where the log ends, and the checksum of the last record. */
  private end = 0;
  private checksum = 0;

  /** A sync of this segment took effect; returns its new records. */
  synced(file: string, disk: DurableDisk): readonly RecordHeader[] {
    const current = this.segments.at(-1);
    const sequence = sequenceOf(file);
    if (sequence === null || (current !== undefined && sequence < current.sequence)) return [];
    // The header of the segment that is written may have been damaged since: what is appended is there all the same.
    const header = readHeader(file, disk) ?? (current?.sequence === sequence ? current : null);
    if (header === null) return [];
    if (current === undefined || header.sequence === current.sequence) {
      return header.seed === current?.seed ? this.readOn(header, disk) : this.reread(disk);
    }
    const follows = header.start === this.end && header.previous === this.checksum && !header.startsAnew;
    if (!follows) return this.reread(disk);
    this.enter(header);
    return this.readOn(header, disk);
  }

  /** Files have come, or gone. */
  directorySynced(disk: DurableDisk): readonly RecordHeader[] {
    const { segments, entries } = this;
    const names = new Set(disk.listDurable());
    const last = segments.at(-1);
    const isThere = ({ sequence }: FoundHeader): boolean => names.has(segmentFile(sequence));
    if (last === undefined || entries === null || !isThere(last)) return this.reread(disk);
    const first = segments.findIndex(isThere);
    if (first > 0) {
      const base = this.baseFrom(segments[first]!);
      if (!entries.holds(base)) return this.reread(disk);
      entries.compact(base);
      this.segments = segments.slice(first);
    }
    const records: RecordHeader[] = [];
    for (const name of disk.listDurable()) {
      if ((sequenceOf(name) ?? 0) > last.sequence) records.push(...this.synced(name, disk));
    }
    return records;
  }

  /** Where the log begins that goes through this segment first: a cut further below takes its base away. */
  private baseFrom({ base, sequence }: FoundHeader): EntryId {
    this.cuts = this.cuts.filter((cut) => cut.sequence >= sequence);
    return this.cuts.reduce((lowest, { kept }) => (kept.index < lowest.index ? kept : lowest), base);
  }

  /** A process life begins: what a crash left is on the disk for good. */
  started(disk: DurableDisk): readonly RecordHeader[] {
    const last = this.segments.at(-1);
    if (disk.isDamaged || last === undefined) return this.reread(disk);
    return [...this.synced(segmentFile(last.sequence), disk), ...this.directorySynced(disk)];
  }

  /** From nothing. */
  reread(disk: DurableDisk): readonly RecordHeader[] {
    const found = disk.listDurable().map((name) => readHeader(name, disk)).filter((header) => header !== null);
    const headers = found.slice(Math.max(0, found.findLastIndex(({ startsAnew }) => startsAnew)));
    this.entries = null;
    this.configurations = [];
    this.segments = [];
    this.cuts = [];
    const records: RecordHeader[] = [];
    for (const [at, header] of headers.entries()) {
      if (this.entries !== null && (header.start !== this.end || header.previous !== this.checksum)) break;
      this.enter(header);
      records.push(...this.readOn(header, disk, headers[at + 1]?.start));
    }
    return records;
  }

  private enter(header: FoundHeader): void {
    this.entries ??= new TermRuns([], header.base, header.base);
    this.segments.push(header);
    this.end = header.start;
    this.checksum = header.seed;
  }

  /** @param limit the position from which on another segment counts */
  private readOn(header: FoundHeader, disk: DurableDisk, limit = Infinity): readonly RecordHeader[] {
    const bytes = disk.durable(segmentFile(header.sequence));
    const records: RecordHeader[] = [];
    while (bytes !== null && this.end < limit) {
      const record = this.recordAt(bytes, header);
      if (record === null || !this.take(record)) break;
      if (record.kind === "truncation") this.cuts.push({ sequence: header.sequence, kept: record.entry });
      this.noteConfiguration(record, bytes, header);
      this.end += recordSize(record.payloadSize);
      this.checksum = record.checksum;
      records.push(record);
    }
    return records;
  }

  /** The record that goes on at the log's end, if it is whole; null: the durable log ends here. */
  private recordAt(bytes: Uint8Array, { start, seed }: FoundHeader): RecordHeader | null {
    const at = SEGMENT_HEADER_SIZE + this.end - start;
    const payloadAt = at + RECORD_HEADER_SIZE;
    if (at >= bytes.length) return null;
    const decoded = decodeRecordHeader(cut(bytes, at, payloadAt), this.end, seed);
    if (!decoded.ok || decoded.value.previous !== this.checksum) return null;
    const record = decoded.value;
    const payload = cut(bytes, payloadAt, payloadAt + paddedSize(record.payloadSize));
    return crc32c(payload) === record.payloadChecksum ? record : null;
  }

  /** False: it cannot be what comes next. */
  private take({ kind, entry }: RecordHeader): boolean {
    const { entries } = this;
    if (entries === null) return false;
    if (kind === "truncation") {
      if (entry.index > entries.last.index) return false;
      // What was kept has left the log since.
      if (entry.index < entries.base.index) entries.reset(entry);
      else entries.truncate(entry.index);
    } else if (isEntryKind(kind)) {
      if (entry.index !== entries.last.index + 1 || entry.term < entries.last.term) return false;
      entries.append(entry);
    }
    return true;
  }

  private noteConfiguration(record: RecordHeader, bytes: Uint8Array, { start }: FoundHeader): void {
    const { kind, entry: { index }, payloadSize } = record;
    if (kind === "truncation") this.configurations = this.configurations.filter((one) => one.index <= index);
    if (kind !== "configuration") return;
    const from = SEGMENT_HEADER_SIZE + record.position - start + RECORD_HEADER_SIZE;
    const decoded = decodeConfiguration(cut(bytes, from, from + payloadSize));
    if (decoded.ok) this.configurations.push({ index, configuration: decoded.value });
  }
}

/** A disk does not show the zeros at the end of a file, be they written or only preallocated. */
function cut(bytes: Uint8Array, from: number, end: number): Uint8Array {
  if (end <= bytes.length) return bytes.subarray(from, end);
  const filled = new Uint8Array(end - from);
  filled.set(bytes.subarray(from));
  return filled;
}

/** What either copy says; null: it is no segment, or what it says is of a life of the file that is over. */
function readHeader(file: string, disk: DurableDisk): FoundHeader | null {
  const sequence = sequenceOf(file);
  const bytes = sequence === null ? null : disk.durable(file);
  if (bytes === null) return null;
  for (const at of [0, HEADER_COPY_SIZE]) {
    const copy = new Uint8Array(HEADER_COPY_SIZE);
    copy.set(bytes.subarray(at, at + HEADER_COPY_SIZE));
    const judged = decodeSegmentHeader(copy, file, at);
    if (judged.ok && judged.value.sequence === sequence) return judged.value;
  }
  return null;
}
