/**
 * Replaying what segments say into a Log, record by record and segment by segment, up to the place where the log ends
 * or is damaged.
 *
 * The hard idea is to tell a torn write, which nobody was promised, from damage to what was acknowledged. Every record
 * says how much of the log was durable when it was written, and a group is written only when the one before is durable;
 * so is the header of a segment, which goes with its first group. The cases at the place where no record follows are:
 * 1. the segment after this one has a header that starts at this place: the log goes on there;
 * 2. it has one that starts farther on: damage;
 * 3. an intact header of a record behind the place, here or in the next segment, vouches for it, or the hard state's
 *    file does: damage;
 * 4. the record there cannot be read, be it in part; or it can, and is none, but others are behind it and something
 *    that cannot be read: damage. No torn write leaves behind what cannot be read;
 * 5. otherwise the log ends there. What is intact behind it is a torn write, to be durably overwritten, so that an old
 *    record can never come to follow a new one. All else there means nothing: a file is used again as it is.
 * An intact record that contradicts those before it is damage wherever it stands: no crash makes one.
 *
 * This is conservative in one direction only: when the last group has been acknowledged and nothing follows, damage to
 * it looks torn. The mark in the hard state's file (written when the log rests, and on close) closes that hole.
 */
import type { ConfigurationRecord } from "../raft/boundary.ts";
import { type Configuration } from "../raft/configuration.ts";
import { decodeConfiguration } from "../raft/configuration-codec.ts";
import { sameEntry } from "../types.ts";
import { type Owner, type Refused, brokenRule, checksumOf, corrupt } from "./block.ts";
import type { StorageFault } from "./boundary.ts";
import { type DiskProcedure, FileWindow } from "./file-window.ts";
import type { FoundSegment } from "./found-segment.ts";
import { Log, type Segment, endOf, segmentOf } from "./log.ts";
import { firstHeader } from "./log-drop.ts";
import { type Tail, inspectTail, unreadableIn } from "./log-tail.ts";
import {
  RECORD_HEADER_SIZE, type RecordHeader, decodeRecordHeader, paddedSize, recordSize,
} from "./record.ts";
import { SEGMENT_HEADER_SIZE, type SegmentHeader, encodeSegmentHeader, segmentFile } from "./segment-file.ts";
import { TERM_FILE, type TermSlot, slotOffset } from "./term-file.ts";

/** What the log is read against. */
export interface ReplaySource {
  readonly owner: Owner;
  readonly term: TermSlot;
  readonly chunkBytes: number;
}

/** A part of a file. */
export interface FileRange {
  readonly file: string;
  readonly offset: number;
  readonly end: number;
}

/** How far the segments from one of them on could be read. */
export interface Replay {
  readonly log: Log;
  /** The configuration entries of the log, ascending. */
  readonly configurations: readonly ConfigurationRecord[];
  /** Place among the segments of the one where reading stopped. */
  readonly stoppedAt: number;
  /** Why it did, where that is damage to what was acknowledged; null: the log ends there. */
  readonly damage: StorageFault | null;
  /** A place behind the end that cannot be read and holds nothing of the log; null: there is none. */
  readonly unusable: StorageFault | null;
  /** What a torn write has left behind the end. */
  readonly torn: readonly FileRange[];
  /** Segments whose header was computed anew: in the log, though not on the disk. */
  readonly unsaid: readonly Segment[];
}

/** Why no record follows. `isDamage`: that alone is damage. */
interface Stop {
  readonly isDamage: boolean;
  readonly offset: number;
  readonly detail: string;
}

/** null: the first of them cannot be read. */
export function* replay(
  source: ReplaySource, segments: readonly FoundSegment[], first: number,
): DiskProcedure<Replay | Refused | null> {
  const found = segments[first] as FoundSegment;
  // Of the first segment of all it is known what it begins with.
  const header = found.header ?? (found.sequence === 1 && !found.isSound ? firstHeader(found.size) : null);
  if (header === null) return null;
  return yield* new LogReplay(source, segments, first, header).run();
}

class LogReplay {
  private readonly source: ReplaySource;
  private readonly segments: readonly FoundSegment[];
  private at: number;
  private readonly log: Log;
  private window: FileWindow;
  private readonly configurations: ConfigurationRecord[] = [];
  private readonly unsaid: Segment[] = [];

  constructor(source: ReplaySource, segments: readonly FoundSegment[], first: number, header: SegmentHeader) {
    this.source = source;
    this.segments = segments;
    this.at = first;
    const segment = this.segmentOf(header);
    this.log = new Log(segment);
    if (this.found.header === null) this.unsaid.push(segment);
    this.window = this.openWindow();
  }

  private get found(): FoundSegment {
    return this.segments[this.at] as FoundSegment;
  }

  /** The segment after this one; null: its file is missing. */
  private get next(): FoundSegment | null {
    const next = this.segments[this.at + 1];
    return next !== undefined && next.sequence === this.found.sequence + 1 ? next : null;
  }

  *run(): DiskProcedure<Replay | Refused> {
    for (;;) {
      const end = this.next?.header?.start ?? endOf(this.log.current);
      const stop = yield* this.readRecords(end);
      if ("fault" in stop) return stop;
      if (stop.isDamage) return this.damaged(stop);
      const header = this.next?.header ?? null;
      if (header !== null) {
        if (this.log.end < end) return this.damaged(stop);
        if (!this.mayFollow(header)) return this.stopped(this.misplaced());
        this.enter(header);
        continue;
      }
      const stopped = yield* this.judgeEnd(stop);
      if (stopped !== null) return stopped;
    }
  }

  /** Replays intact records up to the position `end`. */
  private *readRecords(end: number): DiskProcedure<Stop | Refused> {
    const { log, window } = this;
    for (;;) {
      const { offset } = log.placeOf(log.end);
      if (log.end === end) return { isDamage: false, offset, detail: "the segment ends" };
      const bytes = yield* window.take(offset, RECORD_HEADER_SIZE);
      const hidden = unreadableIn(window, offset, offset + Math.min(RECORD_HEADER_SIZE, end - log.end));
      if (hidden !== null) return cannotRead(hidden);
      const decoded = decodeRecordHeader(bytes, log.end, log.current.seed);
      if (!decoded.ok) return stopAt(offset, decoded.fault.rule);
      const record = decoded.value;
      if (record.previous !== log.checksum) return stopAt(offset, "a record names its predecessor's checksum");
      if (log.end + recordSize(record.payloadSize) > end) return stopAt(offset, "a record lies within its segment");
      const payload = yield* this.readPayload(record, offset);
      if ("isDamage" in payload) return payload;
      const contradiction = log.contradiction(record) ?? payload.contradiction;
      const foreign = judgeGeneration(record, this.source.term);
      if (foreign !== null) return foreign;
      if (contradiction !== null) return { isDamage: true, offset, detail: broken(contradiction) };
      if (record.entry.term > this.source.term.hardState.currentTerm) {
        return { isDamage: true, offset, detail: broken("an entry's term is at most the current term") };
      }
      log.advance(record);
      this.noteConfiguration(record, payload.configuration);
    }
  }

  /** Judges what follows the header of a record; of a configuration, says what it is. */
  private *readPayload(
    { kind, payloadSize, payloadChecksum }: RecordHeader, offset: number,
  ): DiskProcedure<Stop | { readonly configuration: Configuration | null; readonly contradiction: string | null }> {
    const { window } = this;
    const from = offset + RECORD_HEADER_SIZE;
    const end = from + paddedSize(payloadSize);
    const checksum = yield* window.checksum(from, end);
    const hidden = unreadableIn(window, from, end);
    if (hidden !== null) return cannotRead(hidden);
    if (checksum !== payloadChecksum) return stopAt(offset, "a payload's checksum matches");
    if (kind !== "configuration") return { configuration: null, contradiction: null };
    const decoded = decodeConfiguration(yield* window.take(from, payloadSize));
    if (!decoded.ok) return { configuration: null, contradiction: decoded.fault.rule };
    return { configuration: decoded.value, contradiction: null };
  }

  /** Keeps `configurations` what the log says, after one more record. */
  private noteConfiguration({ kind, entry: { index } }: RecordHeader, configuration: Configuration | null): void {
    const { configurations } = this;
    // A configuration that is cut takes its effect back with it.
    while (kind === "truncation" && (configurations.at(-1)?.index ?? 0) > index) configurations.pop();
    if (configuration !== null) configurations.push({ index, configuration });
  }

  /** No segment is known to follow: whether one does all the same, and what lies behind the end. null: one does. */
  private *judgeEnd(stop: Stop): DiskProcedure<Replay | Refused | null> {
    const { log, next } = this;
    const { vouched: { through } } = this.source.term;
    const tail = yield* this.inspect(this.window, log.current, log.end);
    const foreign = tail.ofTerm === null ? null : judgeGeneration(tail.ofTerm, this.source.term);
    if (foreign !== null) return foreign;
    if (tail.ofLog !== null && tail.ofLog.mark.through > log.end) return this.damaged(vouched(stop, tail.ofLog));
    if (tail.last !== null && tail.unreadableAt !== null) return this.damaged(cannotRead(tail.unreadableAt));
    if (through > log.end && (next === null || next.isSound)) return this.damaged(vouchedByTerm(stop, through));
    const unusable = tail.unreadableAt === null ? null : this.faultOf(cannotRead(tail.unreadableAt));
    const later = this.segments.slice(this.at + 1).filter(({ header }) => header !== null);
    if (next === null) {
      const missing = this.segments[this.at + 1];
      if (missing === undefined) return this.ended(tail, [], unusable);
      const file = segmentFile(this.found.sequence + 1);
      return this.stopped(corrupt(file, 0, `missing, although ${missing.file} exists`).fault);
    }
    return yield* this.judgeNext(next, tail, unusable, later[0]?.file ?? null);
  }

  /** The next segment has no intact header. What it ought to be follows from the log: was it written? null: it was. */
  private *judgeNext(
    next: FoundSegment, tail: Tail, unusable: StorageFault | null, later: string | null,
  ): DiskProcedure<Replay | Refused | null> {
    const { log } = this;
    const header = log.nextHeader(next.size);
    const segment = segmentOf(header, checksumOf(encodeSegmentHeader(this.source.owner, header)));
    const window = new FileWindow(next.file, next.size, this.source.chunkBytes);
    const inNext = yield* this.inspect(window, segment, log.end);
    const foreign = inNext.ofTerm === null ? null : judgeGeneration(inNext.ofTerm, this.source.term);
    if (foreign !== null) return foreign;
    const through = Math.max(inNext.ofLog?.mark.through ?? 0, this.source.term.vouched.through);
    const isVouched = through > log.end;
    if (isVouched || (later !== null && !next.isSound)) {
      this.enter(header);
      return null;
    }
    if (later !== null) return this.stopped(corrupt(next.file, 0, `was never written, although ${later} was`).fault);
    const [fault] = next.faults;
    // A header of which nothing can be read may have been one.
    const isHidden = next.missingAt.every((at) => unreadableIn(window, at, at + 1) !== null);
    if (isHidden && fault !== undefined) return this.stopped(fault);
    const torn = inNext.last === null ? [] : [rangeOf(segment, log.end, inNext.last)];
    return this.ended(tail, torn, unusable);
  }

  private *inspect(window: FileWindow, segment: Segment, from: number): DiskProcedure<Tail> {
    return yield* inspectTail({ window, start: segment.start, seed: segment.seed, from, end: endOf(segment) });
  }

  // Going on

  private mayFollow(header: SegmentHeader): boolean {
    const { log } = this;
    return header.start === log.end && header.previous === log.checksum && sameEntry(header.base, log.entries.last);
  }

  private misplaced(): StorageFault {
    return brokenRule(segmentFile(this.found.sequence + 1), 0, "a segment goes on where the one before it ends").fault;
  }

  private enter(header: SegmentHeader): void {
    this.at++;
    const segment = this.segmentOf(header);
    if (this.found.header === null) this.unsaid.push(segment);
    this.log.enter(segment);
    this.window = this.openWindow();
  }

  /** The segment that was found, with this header. A file may be longer than it was, and of use. */
  private segmentOf(header: SegmentHeader): Segment {
    const { header: said, size } = this.found;
    const seed = said?.seed ?? checksumOf(encodeSegmentHeader(this.source.owner, header));
    const segment = segmentOf({ ...header, size: Math.max(header.size, size) }, seed);
    segment.isDamaged = size < header.size;
    return segment;
  }

  private openWindow(): FileWindow {
    return new FileWindow(this.found.file, this.found.size, this.source.chunkBytes);
  }

  // Outcomes

  private faultOf({ offset, detail }: Stop): StorageFault {
    return corrupt(this.found.file, offset, `${detail} (behind entry ${this.log.entries.last.index})`).fault;
  }

  private damaged(stop: Stop): Replay {
    return this.stopped(this.faultOf(stop));
  }

  private stopped(damage: StorageFault): Replay {
    const { log, configurations, at: stoppedAt, unsaid } = this;
    return { log, configurations, stoppedAt, damage, unusable: null, torn: [], unsaid };
  }

  private ended({ last }: Tail, tornBehind: readonly FileRange[], unusable: StorageFault | null): Replay {
    const { log, configurations, at: stoppedAt, unsaid } = this;
    const torn = last === null ? tornBehind : [rangeOf(log.current, log.end, last), ...tornBehind];
    return { log, configurations, stoppedAt, damage: null, unusable, torn, unsaid };
  }
}

function rangeOf({ file, start }: Segment, from: number, last: RecordHeader): FileRange {
  const offsetOf = (position: number): number => SEGMENT_HEADER_SIZE + position - start;
  return { file, offset: offsetOf(from), end: offsetOf(last.position + RECORD_HEADER_SIZE) };
}

function broken(rule: string): string {
  return `the rule "${rule}" is broken`;
}

function stopAt(offset: number, rule: string): Stop {
  return { isDamage: false, offset, detail: broken(rule) };
}

function cannotRead(offset: number): Stop {
  return { isDamage: true, offset, detail: "cannot be read" };
}

function vouched({ offset, detail }: Stop, { position, mark }: RecordHeader): Stop {
  const by = `although the record at position ${position} vouches for everything below ${mark.through}`;
  return { isDamage: true, offset, detail: `${detail}, ${by}` };
}

function vouchedByTerm({ offset, detail }: Stop, through: number): Stop {
  return { isDamage: true, offset, detail: `${detail}, although ${TERM_FILE} vouches for everything below ${through}` };
}

/** The hard state is synced before the records that rely on it. null: so it was. */
export function judgeGeneration({ mark: { generation }, position }: RecordHeader, term: TermSlot): Refused | null {
  if (generation <= term.generation) return null;
  const known = `which the log knows to be durable (at position ${position})`;
  return corrupt(TERM_FILE, slotOffset(generation), `generation ${generation} is damaged or missing, ${known}`);
}
