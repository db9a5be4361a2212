/**
 * The log in memory: what a writer must know to go on at its end, and a reader to find an entry. One and the same for
 * recovery, which replays records into it, and for appending. It consists of segments (segment-file.ts), of which the
 * last is the one that is written, and knows which files stand ready to be the next. What of it is durable it is told:
 * it knows no disk.
 */
import { invariant } from "../invariant.ts";
import { type Entry, type EntryId, type LogIndex, sameEntry } from "../types.ts";
import { type Owner, checksumOf } from "./block.ts";
import type { PersistOrder } from "./boundary.ts";
import { EntryTable } from "./entry-table.ts";
import { type Mark, type RecordBody, type RecordHeader, isEntryKind, recordSize, writeRecord } from "./record.ts";
import { SEGMENT_HEADER_SIZE, type SegmentHeader, encodeSegmentHeader, segmentFile } from "./segment-file.ts";
import type { Vouched } from "./term-file.ts";

const NO_BYTES = new Uint8Array(0);
const TRUNCATION_RULE = "a truncation keeps an entry of the log, or its base";
export const MARK_SIZE = recordSize(0);

/** A segment that is part of the log. */
export interface Segment extends SegmentHeader {
  readonly file: string;
  /** What its records' checksums begin with. */
  readonly seed: number;
  /** Something in it cannot be read back: nothing more is written into it, and its file is not used again. */
  isDamaged: boolean;
}

/** A file that stands ready to be a segment: it is durable under its name. */
export interface PreparedSegment {
  readonly sequence: number;
  readonly file: string;
  /** Bytes of the file. */
  readonly size: number;
}

/**
 * How many files that are not needed yet are kept to be used again: as many as the log fills between two snapshots, so
 * that hardly a file has to be written full of zeros first.
 */
export const MAX_AHEAD = 6;

/** A segment of which nothing is known to be damaged. */
export function segmentOf(header: SegmentHeader, seed: number): Segment {
  const { sequence, start, base, previous, size, startsAnew } = header;
  const file = segmentFile(sequence);
  return { sequence, start, base, previous, size, startsAnew, file, seed, isDamaged: false };
}

/** The position behind the last one that it has room for. */
export function endOf({ start, size }: Segment): number {
  return start + size - SEGMENT_HEADER_SIZE;
}

/** What one order does to the log. */
export type LogChange = Pick<PersistOrder, "truncateTo" | "entries">;

export class Log {
  /** Of the first segment on. */
  entries: EntryTable;
  /** Ascending, without a gap. The last one is written. */
  segments: readonly Segment[];
  /** How many bytes its segments have on the disk. */
  keptBytes: number;
  /** Ascending; those that follow the last segment without a gap may be next. */
  ahead: readonly PreparedSegment[] = [];
  /** Where the next record goes. */
  end: number;
  /** Header checksum of the last record; the segment's seed: it has none. */
  checksum: number;
  /** The highest mark that a record carries. The header of a segment vouches for all that lies before it. */
  marked: Mark;
  /** Everything in the log below this position is durable. */
  synced: number;
  /** The last entry that is both durable and in the log. */
  durableIndex: LogIndex;
  /** End of the last record that is not a mark: what a mark has to cover. */
  private contentEnd: number;
  /** The highest sequence number that a file has durably, or is about to have. */
  private lastSequence: number;
  /** Whether a file is about to get its name. */
  private naming = false;

  constructor(first: Segment) {
    this.entries = new EntryTable(first.base);
    this.segments = [first];
    this.keptBytes = first.size;
    this.end = this.synced = this.contentEnd = first.start;
    this.checksum = first.seed;
    this.marked = { through: first.start, generation: 0 };
    this.durableIndex = first.base.index;
    this.lastSequence = first.sequence;
  }

  /** The segment that is written. */
  get current(): Segment {
    return this.segments[this.segments.length - 1] as Segment;
  }

  /** What may be the next segment; null: it has to be prepared first. */
  get prepared(): PreparedSegment | null {
    const next = this.ahead[0];
    return next !== undefined && next.sequence === this.current.sequence + 1 ? next : null;
  }

  /** The position behind the last one that there is room for without another segment. */
  get allocated(): number {
    return endOf(this.current);
  }

  /** Whether a file is about to be ready for use. */
  get isNaming(): boolean {
    return this.naming;
  }

  /** Whether a file that is not needed any more should be kept. */
  get wantsAhead(): boolean {
    return !this.naming && this.lastSequence - this.current.sequence < MAX_AHEAD;
  }

  /** Where the records begin that come after the entry of this index, be it in the log or before it. */
  positionBehind(index: number): number {
    const { base, last } = this.entries;
    if (index >= last.index) return this.end;
    return this.entries.offsetOf((Math.max(index, base.index) + 1) as LogIndex);
  }

  /** The segment that holds a position, where in its file that is, and at which position the segment ends. */
  placeOf(position: number): { readonly segment: Segment; readonly offset: number; readonly end: number } {
    let at = this.segments.length - 1;
    while (at > 0 && (this.segments[at] as Segment).start > position) at--;
    const segment = this.segments[at] as Segment;
    invariant(position >= segment.start, "a position of the log lies in one of its segments");
    const end = this.segments[at + 1]?.start ?? this.end;
    return { segment, offset: SEGMENT_HEADER_SIZE + position - segment.start, end };
  }

  // Segments

  /**
   * A number for a file that is about to be ready for use: `addAhead` follows. null: another one has not got its name
   * yet. One after the other, so that no crash leaves a gap: that would be a segment that is missing.
   */
  claimSequence(): number | null {
    if (this.naming) return null;
    this.naming = true;
    return ++this.lastSequence;
  }

  addAhead(prepared: PreparedSegment): void {
    const others = this.ahead.filter(({ sequence }) => sequence !== prepared.sequence);
    this.ahead = [...others, prepared].sort((a, b) => a.sequence - b.sequence);
    this.lastSequence = Math.max(this.lastSequence, prepared.sequence);
    this.naming = false;
  }

  /** The last of the files that stand ready, unless it is the next one: it is none any more. null: there is none. */
  takeSurplus(): PreparedSegment | null {
    const surplus = this.ahead.at(-1);
    if (this.naming || surplus === undefined || surplus.sequence <= this.current.sequence + 1) return null;
    invariant(surplus.sequence === this.lastSequence, "the last file that stands ready has the highest number");
    this.ahead = this.ahead.slice(0, -1);
    this.lastSequence--;
    return surplus;
  }

  /** Whether so many bytes of records fit behind the last one. */
  hasRoom(size: number): boolean {
    return this.end + size <= this.allocated;
  }

  /** Whether they fit into the segment that stands ready. */
  canRoll(size: number): boolean {
    return this.prepared !== null && SEGMENT_HEADER_SIZE + size <= this.prepared.size;
  }

  /** The header of the segment after this one, in a file of this size, if the log ends here and goes on there. */
  nextHeader(size: number): SegmentHeader {
    const { current, end, entries, checksum } = this;
    const sequence = current.sequence + 1;
    return { sequence, start: end, base: entries.last, previous: checksum, size, startsAnew: false };
  }

  /** The log goes on in the prepared segment: the header, to be written before its records. */
  roll(owner: Owner): Uint8Array {
    invariant(this.synced === this.end, "a segment begins when all before it is durable");
    const header = this.nextHeader(this.takePrepared().size);
    const bytes = encodeSegmentHeader(owner, header);
    this.enter(segmentOf(header, checksumOf(bytes)));
    return bytes;
  }

  /** The segment follows the last one. */
  enter(segment: Segment): void {
    invariant(segment.start === this.end, "a segment starts where the one before it ends");
    this.segments = [...this.segments, segment];
    this.keptBytes += segment.size;
    this.checksum = segment.seed;
    this.contentEnd = this.end;
    this.marked = { through: this.end, generation: this.marked.generation };
    this.lastSequence = Math.max(this.lastSequence, segment.sequence);
  }

  /** What stands ready for `older` is there for the log that takes its place. */
  inherit(older: Log): void {
    this.ahead = older.ahead;
    this.naming = older.naming;
    this.lastSequence = Math.max(this.lastSequence, older.lastSequence);
  }

  takePrepared(): PreparedSegment {
    const { prepared } = this;
    invariant(prepared !== null, "a segment is prepared before it is needed");
    this.ahead = this.ahead.slice(1);
    return prepared;
  }

  /** Lets go of the first segment, if all its entries lie at or below `through`: it is the log's no more. */
  dropThrough(through: LogIndex): Segment | null {
    if (!this.isDroppable(through)) return null;
    const [first, second] = this.segments as readonly [Segment, Segment];
    this.segments = this.segments.slice(1);
    this.keptBytes -= first.size;
    this.entries.dropBefore(second.start);
    return first;
  }

  /** Whether there is a segment, but for the one that is written, all of whose entries lie at or below `through`. */
  isDroppable(through: LogIndex): boolean {
    return (this.segments[1]?.base.index ?? Infinity) <= through;
  }

  // Records

  /** All of it as it stands is durable. */
  noteSynced(): void {
    this.synced = this.end;
    this.durableIndex = this.entries.last.index;
  }

  /** What is durable of it. */
  get vouched(): Vouched {
    return { through: this.synced, last: this.entries.idAt(this.durableIndex) };
  }

  /** Whether that vouches for all of it, and for no other log that was cut. */
  isVouchedBy({ through }: Vouched): boolean {
    return through >= this.contentEnd && through <= this.end;
  }

  /**
   * The records of a group of orders, truncations before entries, ready to be written at `end`, which moves on.
   *
   * @param headroom so many bytes are left free before them
   */
  append(orders: readonly LogChange[], mark: Mark, headroom = 0): Uint8Array {
    const bytes = new Uint8Array(headroom + recordsSize(orders));
    let at = headroom;
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
    if (record.position !== this.end) return "a record begins where the one before ends";
    if (mark.through > record.position) return "a record vouches only for what stands before it";
    if (mark.through < this.marked.through || mark.generation < this.marked.generation) return "marks never fall";
    switch (record.kind) {
      case "noop":
      case "payload":
      case "configuration":
        if (entry.index !== last.index + 1) return `entry ${entry.index} follows entry ${last.index}`;
        if (entry.term === 0) return "an entry is of a term";
        return entry.term >= last.term ? null : "terms along the log never fall";
      case "truncation":
        if (entry.index > last.index) return TRUNCATION_RULE;
        if (entry.index < base.index) return entry.term <= base.term ? null : "terms along the log never fall";
        return sameEntry(entry, this.entries.idAt(entry.index)) ? null : "a truncation names the entry that it keeps";
      case "mark":
        return sameEntry(entry, last) ? null : "a mark names the last entry";
    }
  }

  /** The record stands in the file: the log goes on behind it. */
  advance(record: RecordHeader): void {
    const contradiction = this.contradiction(record);
    invariant(contradiction === null, contradiction ?? "");
    if (record.kind === "truncation") this.truncate(record.entry);
    else if (isEntryKind(record.kind)) this.entries.append(record.entry, record.position, record.payloadSize);
    this.end = record.position + recordSize(record.payloadSize);
    if (record.kind !== "mark") this.contentEnd = this.end;
    this.checksum = record.checksum;
    this.marked = record.mark;
  }

  private truncate(keep: EntryId): void {
    // The segments that had the entries behind `keep`, and perhaps `keep` itself, have been dropped.
    if (keep.index < this.entries.base.index) this.entries = new EntryTable(keep);
    else this.entries.truncate(keep.index);
    if (keep.index < this.durableIndex) this.durableIndex = keep.index;
  }

  private appendRecord(bytes: Uint8Array, at: number, body: RecordBody, mark: Mark): number {
    const place = { position: this.end, previous: this.checksum, mark };
    const record = writeRecord(bytes, at, this.current.seed, body, place);
    this.advance(record);
    return at + recordSize(record.payloadSize);
  }
}

/** How many bytes the records of these orders have. */
export function recordsSize(orders: readonly LogChange[]): number {
  let size = 0;
  for (const { truncateTo, entries } of orders) {
    if (truncateTo !== null) size += recordSize(0);
    for (const entry of entries) size += recordSize(entry.payload.length);
  }
  return size;
}

function entryBody(entry: Entry): RecordBody {
  invariant(entry.kind !== "noop" || entry.payload.length === 0, "a no-op is empty");
  return { kind: entry.kind, entry: { term: entry.term, index: entry.index }, payload: entry.payload };
}
