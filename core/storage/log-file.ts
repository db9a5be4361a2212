/**
 * The file `log`: a header, then records (record.ts) back to back, then zeros to the end of what was preallocated.
 *
 *     0     8  magic "qlitelog"
 *     8     4  version, 2
 *    12     4  CRC-32C of the other 4092 bytes of the header: the log's own checksum, with which its records' begin
 *    16    88  owner (block.ts)
 *   104     8  term of the base: the last entry that was compacted away. 0: none was
 *   112     8  index of the base. 0: none was
 *   120  3976  zero
 *  4096     …  records, of entries behind the base only
 *
 * The header has a page of its own, so that no later write can tear it; another base takes another file, which replaces
 * this one as a whole (log-rewrite.ts). `LogFile` is what a writer must know to go on at the end: one and the same for
 * recovery, which replays records into it, and for appending. What of it is durable it is told: it
 * knows no disk.
 */
import { invariant } from "../invariant.ts";
import { type Entry, type EntryId, type LogIndex, type Term, sameEntry } from "../types.ts";
import {
  type BlockPlace, type Judged, type Owner, beginBlock, brokenField, brokenRule, checksumOf, judgeOwner, openBlock,
  sealBlock, writeOwner,
} from "./block.ts";
import type { PersistOrder } from "./boundary.ts";
import { EntryTable } from "./entry-table.ts";
import { type Mark, type RecordBody, type RecordHeader, isEntryKind, recordSize, writeRecord } from "./record.ts";

export const LOG_FILE = "log";
export const LOG_VERSION = 2;
export const LOG_HEADER_SIZE = 4096;

const PLACE: BlockPlace = { file: LOG_FILE, offset: 0, magic: "qlitelog", version: LOG_VERSION };
const NO_BYTES = new Uint8Array(0);
const TRUNCATION_RULE = "a truncation keeps an entry of the log, or its base";

export interface LogHeader {
  /** The log's own checksum. */
  readonly seed: number;
  readonly base: EntryId;
}

export function encodeLogHeader(owner: Owner, base: EntryId): Uint8Array {
  return sealBlock(writeOwner(beginBlock(PLACE), owner).u64(base.term).u64(base.index), LOG_HEADER_SIZE);
}

/** What the header says, if it is intact and `owner`'s. */
export function decodeLogHeader(bytes: Uint8Array, owner: Owner): Judged<LogHeader> {
  const opened = openBlock(PLACE, bytes);
  if (!opened.ok) return opened;
  const reader = opened.value;
  const foreign = judgeOwner(PLACE, reader, owner);
  if (foreign !== null) return { ok: false, fault: foreign };
  const base: EntryId = { term: reader.u64() as Term, index: reader.u64() as LogIndex };
  if (reader.fault !== null) return brokenField(PLACE, reader.fault);
  if ((base.term === 0) !== (base.index === 0)) return brokenRule(LOG_FILE, 104, "a base is an entry of a term");
  return { ok: true, value: { seed: checksumOf(bytes), base } };
}

/** What one order does to the log. */
export type LogChange = Pick<PersistOrder, "truncateTo" | "entries">;

export class LogFile {
  readonly entries: EntryTable;
  /** The log's own checksum. */
  readonly seed: number;
  /** Where the next record goes. */
  end = LOG_HEADER_SIZE;
  /** Header checksum of the last record; the seed: there is none. */
  checksum: number;
  /** The highest mark that a record carries. */
  marked: Mark = { through: LOG_HEADER_SIZE, generation: 0 };
  /** Size of the file: how far it is preallocated, what is under way included. */
  allocated = LOG_HEADER_SIZE;
  /** Everything in the file below this offset is durable. */
  synced = LOG_HEADER_SIZE;
  /** The last entry that is both durable and in the log. */
  durableIndex: LogIndex;
  /** End of the last record that is not a mark: what a mark has to cover. */
  private contentEnd = LOG_HEADER_SIZE;

  constructor({ seed, base }: LogHeader) {
    this.entries = new EntryTable(base);
    this.seed = seed;
    this.checksum = seed;
    this.durableIndex = base.index;
  }

  /** All of it as it stands is durable. */
  noteSynced(): void {
    this.synced = this.end;
    this.durableIndex = this.entries.last.index;
  }

  /** Whether a mark written now would vouch for more than the last one. */
  owesMark(generation: number): boolean {
    return this.marked.through < this.contentEnd || this.marked.generation < generation;
  }

  /** The records of a group of orders, truncations before entries, ready to be written at `end`, which moves on. */
  append(orders: readonly LogChange[], mark: Mark): Uint8Array {
    let size = 0;
    for (const order of orders) {
      if (order.truncateTo !== null) size += recordSize(0);
      for (const entry of order.entries) size += recordSize(entry.payload.length);
    }
    const bytes = new Uint8Array(size);
    let at = 0;
    for (const { truncateTo, entries } of orders) {
      if (truncateTo !== null) {
        const { base, last } = this.entries;
        invariant(truncateTo >= base.index && truncateTo <= last.index, TRUNCATION_RULE);
        const kept = this.entries.idAt(truncateTo);
        at = this.appendRecord(bytes, at, { kind: "truncation", entry: kept, payload: NO_BYTES }, mark);
      }
      for (const entry of entries) at = this.appendRecord(bytes, at, entryBody(entry), mark);
    }
    return bytes;
  }

  appendMark(mark: Mark): Uint8Array {
    const bytes = new Uint8Array(recordSize(0));
    this.appendRecord(bytes, 0, { kind: "mark", entry: this.entries.last, payload: NO_BYTES }, mark);
    return bytes;
  }

  /**
   * Which rule an intact record breaks if it comes next; null: it may. Our own never break one, and those read back
   * must not.
   */
  contradiction(record: RecordHeader): string | null {
    const { mark, entry } = record;
    const { base, last } = this.entries;
    if (record.offset !== this.end) return "a record begins where the one before ends";
    if (mark.through > record.offset) return "a record vouches only for what stands before it";
    if (mark.through < this.marked.through || mark.generation < this.marked.generation) return "marks never fall";
    switch (record.kind) {
      case "noop":
      case "payload":
      case "configuration":
        if (entry.index !== last.index + 1) return `entry ${entry.index} follows entry ${last.index}`;
        if (entry.term === 0) return "an entry is of a term";
        return entry.term >= last.term ? null : "terms along the log never fall";
      case "truncation":
        if (entry.index < base.index || entry.index > last.index) return TRUNCATION_RULE;
        return sameEntry(entry, this.entries.idAt(entry.index)) ? null : "a truncation names the entry that it keeps";
      case "mark":
        return sameEntry(entry, last) ? null : "a mark names the last entry";
    }
  }

  /** The record stands in the file: the log goes on behind it. */
  advance(record: RecordHeader): void {
    const contradiction = this.contradiction(record);
    invariant(contradiction === null, contradiction ?? "");
    if (record.kind === "truncation") this.truncate(record.entry.index);
    else if (isEntryKind(record.kind)) this.entries.append(record.entry, record.offset, record.payloadSize);
    this.end = record.offset + recordSize(record.payloadSize);
    if (record.kind !== "mark") this.contentEnd = this.end;
    this.checksum = record.checksum;
    this.marked = record.mark;
  }

  private truncate(keep: LogIndex): void {
    this.entries.truncate(keep);
    if (keep < this.durableIndex) this.durableIndex = keep;
  }

  private appendRecord(bytes: Uint8Array, at: number, body: RecordBody, mark: Mark): number {
    const record = writeRecord(bytes, at, this.seed, body, { offset: this.end, previous: this.checksum, mark });
    this.advance(record);
    return at + recordSize(record.payloadSize);
  }
}

function entryBody(entry: Entry): RecordBody {
  invariant(entry.kind !== "noop" || entry.payload.length === 0, "a no-op is empty");
  return { kind: entry.kind, entry: { term: entry.term, index: entry.index }, payload: entry.payload };
}
