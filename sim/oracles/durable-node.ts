/**
 * What one node's disk would give back after any crash now: log and hard state, decoded from the bytes that are synced.
 * It believes nothing that the node says of itself. Incremental: each sync costs what was written since the last one,
 * as the log is append-only.
 */
import { crc32c } from "../../core/checksum.ts";
import { type BlockPlace, checksumOf, openBlock, readMember } from "../../core/storage/block.ts";
import { LOG_FILE, LOG_HEADER_SIZE, LOG_VERSION, LogFile } from "../../core/storage/log-file.ts";
import {
  decodeRecordHeader, paddedSize, RECORD_HEADER_SIZE, recordSize, type RecordHeader,
} from "../../core/storage/record.ts";
import { SLOT_SIZE, slotOffset, TERM_FILE, TERM_VERSION } from "../../core/storage/term-file.ts";
import type { EntryId, HardState, LogIndex, MemberId, Term } from "../../core/types.ts";
import type { DurableDisk } from "./boundary.ts";

const LOG_PLACE: BlockPlace = { file: LOG_FILE, offset: 0, magic: "qlitelog", version: LOG_VERSION };
const SLOT_MAGIC = "qliteter";
/** Node, incarnation and cluster: the oracle knows whose disk it is. */
const OWNER_SIZE = 88;

const NO_HARD_STATE: HardState = { currentTerm: 0 as Term, votedFor: null };

export class DurableNode {
  hardState: HardState = NO_HARD_STATE;
  /** For whom it voted, by term, as its disk has ever said. */
  private readonly votes = new Map<Term, MemberId>();
  private generation = 0;
  /** null: the file is not there yet. */
  private log: LogFile | null = null;
  private headerChecksum = 0;

  get last(): EntryId | null {
    return this.log?.entries.last ?? null;
  }

  /** Whether it has voted for this candidate, on disk: only such a vote ever leaves. */
  votedFor(candidate: MemberId, term: Term): boolean {
    return this.votes.get(term) === candidate;
  }

  holds(entry: EntryId): boolean {
    if (entry.index === 0) return true;
    if (this.log === null || this.log.entries.last.index < entry.index) return false;
    return this.log.entries.idAt(entry.index).term === entry.term;
  }

  /** Reads what a sync made durable; returns the new records of the log. */
  synced(file: string, disk: DurableDisk): readonly RecordHeader[] {
    const bytes = disk.durable(file);
    if (bytes === null) return [];
    if (file === TERM_FILE) this.readHardState(bytes);
    return file === LOG_FILE ? this.readLog(bytes) : [];
  }

  /** A process life begins: what a crash left is on the disk for good. */
  started(disk: DurableDisk): readonly RecordHeader[] {
    this.synced(TERM_FILE, disk);
    return this.synced(LOG_FILE, disk);
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
    }
    const records: RecordHeader[] = [];
    for (let next; (next = recordAt(bytes, this.log)) !== null;) {
      this.log.advance(next);
      records.push(next);
    }
    return records;
  }
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
