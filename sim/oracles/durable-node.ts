/**
 * What one node's disk would give back after any crash now: log, snapshot and hard state, decoded from the bytes that
 * are synced under names that are. It believes nothing that the node says of itself. Incremental: each sync costs what
 * was written since the last one, as the log is append-only, and a log that replaces another is short.
 */
import { crc32c } from "../../core/checksum.ts";
import type { ConfigurationRecord } from "../../core/raft/boundary.ts";
import type { Configuration } from "../../core/raft/configuration.ts";
import { decodeConfiguration } from "../../core/raft/configuration-codec.ts";
import { type BlockPlace, checksumOf, openBlock, readMember } from "../../core/storage/block.ts";
import { LOG_FILE, LOG_HEADER_SIZE, LOG_VERSION, LogFile } from "../../core/storage/log-file.ts";
import {
  decodeRecordHeader, paddedSize, RECORD_HEADER_SIZE, recordSize, type RecordHeader,
} from "../../core/storage/record.ts";
import { SNAPSHOT_FILE, SNAPSHOT_HEADER_SIZE, SNAPSHOT_VERSION } from "../../core/storage/snapshot-file.ts";
import { SLOT_SIZE, slotOffset, TERM_FILE, TERM_VERSION } from "../../core/storage/term-file.ts";
import type { EntryId, HardState, LogIndex, MemberId, Term } from "../../core/types.ts";
import type { DurableDisk } from "./boundary.ts";

const LOG_PLACE: BlockPlace = { file: LOG_FILE, offset: 0, magic: "qlitelog", version: LOG_VERSION };
const SNAPSHOT_PLACE: BlockPlace = { file: SNAPSHOT_FILE, offset: 0, magic: "qlitesnp", version: SNAPSHOT_VERSION };
const SLOT_MAGIC = "qliteter";
/** Node, incarnation and cluster: the oracle knows whose disk it is. */
const OWNER_SIZE = 88;

const NO_HARD_STATE: HardState = { currentTerm: 0 as Term, votedFor: null };

interface DurableSnapshot {
  readonly entry: EntryId;
  readonly configuration: Configuration;
  /** Tells it from the one before. */
  readonly headerChecksum: number;
}

export class DurableNode {
  hardState: HardState = NO_HARD_STATE;
  /** For whom it voted, by term, as its disk has ever said. */
  private readonly votes = new Map<Term, MemberId>();
  private generation = 0;
  /** null: the file is not there yet. */
  private log: LogFile | null = null;
  private headerChecksum = 0;

  /** Of the entries in the log, ascending. */
  private configurations: ConfigurationRecord[] = [];
  /** null: there is none, or it is not whole. */
  private snapshot: DurableSnapshot | null = null;

  /** The last entry that it has, be it in its log or in its snapshot; null: there is neither. */
  get last(): EntryId | null {
    return this.usableLog?.entries.last ?? this.snapshot?.entry ?? null;
  }

  /** As a start from this disk would find it; null: the founding one. */
  get configuration(): Configuration | null {
    const appended = this.usableLog === null ? undefined : this.configurations.at(-1);
    const stored = this.snapshot;
    if (appended !== undefined && appended.index > (stored?.entry.index ?? 0)) return appended.configuration;
    return stored?.configuration ?? null;
  }

  /** A log that lacks its snapshot's entry is what that has taken the place of: recovery throws it away. */
  private get usableLog(): LogFile | null {
    const { log, snapshot } = this;
    if (log === null || snapshot === null) return log;
    const { base, last } = log.entries;
    const { term, index } = snapshot.entry;
    if (index < base.index || index > last.index) return null;
    return (index === base.index ? base.term : log.entries.idAt(index).term) === term ? log : null;
  }

  /** Whether it has voted for this candidate, on disk: only such a vote ever leaves. */
  votedFor(candidate: MemberId, term: Term): boolean {
    return this.votes.get(term) === candidate;
  }

  /** Whether it has the entry in its log, or its effect in a snapshot, which is of nothing but committed entries. */
  holds(entry: EntryId): boolean {
    const { index, term } = entry;
    if (index === 0) return true;
    const stored = this.snapshot?.entry;
    if (stored !== undefined && index <= stored.index) return index < stored.index || term === stored.term;
    const log = this.usableLog;
    if (log === null || index <= log.entries.base.index || index > log.entries.last.index) return false;
    return log.entries.idAt(index).term === term;
  }

  /** Reads what a sync made durable, null: of the directory; returns the new records of the log. */
  synced(file: string | null, disk: DurableDisk): readonly RecordHeader[] {
    if (file === null) return this.started(disk);
    const bytes = disk.durable(file);
    if (bytes === null) return [];
    if (file === TERM_FILE) this.readHardState(bytes);
    return file === LOG_FILE ? this.readLog(bytes) : [];
  }

  /** A process life begins: what a crash left is on the disk for good. */
  started(disk: DurableDisk): readonly RecordHeader[] {
    this.synced(TERM_FILE, disk);
    this.readSnapshot(disk.durable(SNAPSHOT_FILE));
    return this.synced(LOG_FILE, disk);
  }

  private readSnapshot(bytes: Uint8Array | null): void {
    const header = bytes?.subarray(0, SNAPSHOT_HEADER_SIZE);
    if (bytes === null || header === undefined || header.length < SNAPSHOT_HEADER_SIZE) {
      this.snapshot = null;
      return;
    }
    const checksum = checksumOf(header);
    if (checksum !== this.snapshot?.headerChecksum) this.snapshot = decodeSnapshot(bytes, checksum);
  }

  private readHardState(bytes: Uint8Array): void {
    for (const place of [0, 1]) {
      const offset = slotOffset(place);
      const block: BlockPlace = { file: TERM_FILE, offset, magic: SLOT_MAGIC, version: TERM_VERSION };
      const opened = openBlock(block, bytes.subarray(offset, offset + SLOT_SIZE));
      if (!opened.ok) continue;
      opened.value.raw(OWNER_SIZE);
      const generation = opened.value.u64();
      const currentTerm = opened.value.u64() as Term;
      const votedFor = readMember(opened.value);
      if (opened.value.fault !== null || generation <= this.generation) continue;
      this.generation = generation;
      this.hardState = { currentTerm, votedFor };
      if (votedFor !== null) this.votes.set(currentTerm, votedFor);
    }
  }

  private readLog(bytes: Uint8Array): readonly RecordHeader[] {
    const header = bytes.subarray(0, LOG_HEADER_SIZE);
    if (header.length < LOG_HEADER_SIZE) return [];
    const checksum = checksumOf(header);
    // A founding that a crash cut short leaves a log behind, which the next one replaces.
    if (this.log === null || checksum !== this.headerChecksum) {
      const opened = openBlock(LOG_PLACE, header);
      if (!opened.ok) return [];
      opened.value.raw(OWNER_SIZE);
      const base: EntryId = { term: opened.value.u64() as Term, index: opened.value.u64() as LogIndex };
      this.log = new LogFile({ seed: checksum, base });
      this.headerChecksum = checksum;
      this.configurations = [];
    }
    const records: RecordHeader[] = [];
    for (let next; (next = recordAt(bytes, this.log)) !== null;) {
      this.log.advance(next);
      this.noteConfiguration(next, bytes);
      records.push(next);
    }
    return records;
  }

  private noteConfiguration({ kind, entry: { index }, offset, payloadSize }: RecordHeader, bytes: Uint8Array): void {
    if (kind === "truncation") this.configurations = this.configurations.filter((one) => one.index <= index);
    if (kind !== "configuration") return;
    const from = offset + RECORD_HEADER_SIZE;
    const decoded = decodeConfiguration(bytes.slice(from, from + payloadSize));
    if (decoded.ok) this.configurations.push({ index, configuration: decoded.value });
  }
}

/** null: it is not whole. */
function decodeSnapshot(bytes: Uint8Array, headerChecksum: number): DurableSnapshot | null {
  const opened = openBlock(SNAPSHOT_PLACE, bytes.subarray(0, SNAPSHOT_HEADER_SIZE));
  if (!opened.ok) return null;
  const reader = opened.value;
  reader.raw(OWNER_SIZE);
  const entry: EntryId = { term: reader.u64() as Term, index: reader.u64() as LogIndex };
  const [size, checksum, configurationSize] = [reader.u64(), reader.u32(), reader.u32()];
  const from = SNAPSHOT_HEADER_SIZE + configurationSize;
  if (bytes.length < from + size || crc32c(bytes, from, from + size) !== checksum) return null;
  const configuration = decodeConfiguration(bytes.slice(SNAPSHOT_HEADER_SIZE, from));
  return configuration.ok ? { entry, configuration: configuration.value, headerChecksum } : null;
}

/** The record that goes on at the log's end, if it is whole; null: the durable log ends here. */
function recordAt(bytes: Uint8Array, log: LogFile): RecordHeader | null {
  const { end } = log;
  if (end + RECORD_HEADER_SIZE > bytes.length) return null;
  const decoded = decodeRecordHeader(bytes.subarray(end, end + RECORD_HEADER_SIZE), end, log.seed);
  if (!decoded.ok) return null;
  const record = decoded.value;
  if (record.previous !== log.checksum || log.contradiction(record) !== null) return null;
  const payloadAt = end + RECORD_HEADER_SIZE;
  const payloadEnd = payloadAt + paddedSize(record.payloadSize);
  if (payloadEnd > bytes.length || end + recordSize(record.payloadSize) > bytes.length) return null;
  return crc32c(bytes, payloadAt, payloadEnd) === record.payloadChecksum ? record : null;
}
