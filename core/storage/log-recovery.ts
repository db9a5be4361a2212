/**
 * Reading the log back after any end of the process: which records stand, and what the bytes behind the last one are.
 *
 * The hard idea is to tell a torn write, which nobody was promised, from damage to what was acknowledged. Reading stops
 * at the first record that is not intact. Every record says how much of the log was durable when it was written, and a
 * group is written only when the one before is durable. So if any intact header further on vouches for the place where
 * reading stopped, the damage is corruption: refused. If none does, no later group was ever begun: a torn tail.
 *
 * The cases at the place where reading stopped are:
 * 1. zeros to the end of the file: the log ends there;
 * 2. a header beyond vouches for the place: corruption;
 * 3. otherwise: torn. All of it is durably overwritten with zeros before anything new is appended, so that an old
 *    record can never come to follow a new one.
 * An intact record that contradicts those before it is corruption wherever it stands: no crash makes one.
 *
 * This is conservative in one direction only: when the last group has been acknowledged and no record follows, damage
 * to it looks torn. A mark after it (written when the log falls idle, and on close) closes that hole.
 */
import type { ConfigurationRecord } from "../raft/boundary.ts";
import { decodeConfiguration } from "../raft/configuration-codec.ts";
import { type Judged, type Owner, type Refused, brokenRule, corrupt } from "./block.ts";
import { type DiskProcedure, FileWindow } from "./file-window.ts";
import { LOG_FILE, LOG_HEADER_SIZE, LogFile, decodeLogHeader } from "./log-file.ts";
import {
  RECORD_ALIGNMENT, RECORD_HEADER_SIZE, type RecordHeader, decodeRecordHeader, paddedSize, recordSize,
} from "./record.ts";
import { TERM_FILE, type TermSlot, slotOffset } from "./term-file.ts";

export interface RecoveredLogFile {
  readonly log: LogFile;
  /** The configuration entries of the log, ascending. */
  readonly configurations: readonly ConfigurationRecord[];
  readonly tornBytes: number;
}

export interface LogSource {
  readonly owner: Owner;
  readonly term: TermSlot;
  /** Size of the file in bytes. */
  readonly size: number;
  readonly chunkBytes: number;
}

/** Why reading stopped at the log's end: what the bytes there are not. */
interface Stop {
  readonly rule: string;
}

/** What lies behind the log's end. */
interface Tail {
  /** End of the last byte that is not zero; the log's end: there is none. */
  end: number;
  /** The intact headers that vouch for most of the log and for the newest hard state; null: none is intact. */
  ofLog: RecordHeader | null;
  ofTerm: RecordHeader | null;
}

export function* recoverLog(source: LogSource): DiskProcedure<Judged<RecoveredLogFile>> {
  const window = new FileWindow(LOG_FILE, source.size, source.chunkBytes);
  const header = decodeLogHeader(yield* window.take(0, LOG_HEADER_SIZE), source.owner);
  if (!header.ok) return header;
  const log = new LogFile(header.value);
  const configurations: ConfigurationRecord[] = [];
  const stop = yield* readRecords(window, log, source.term, configurations);
  if ("fault" in stop) return stop;

  const tail = yield* inspectTail(window, log);
  if (tail.ofLog !== null && tail.ofLog.mark.through > log.end) {
    const { offset, mark } = tail.ofLog;
    const vouched = `the record at ${offset} vouches for everything below ${mark.through}`;
    return corrupt(LOG_FILE, log.end, `the rule "${stop.rule}" is broken, although ${vouched}`);
  }
  const missing = tail.ofTerm === null ? null : judgeGeneration(tail.ofTerm, source.term);
  if (missing !== null) return missing;
  if (log.entries.base.term > source.term.hardState.currentTerm) {
    return brokenRule(LOG_FILE, 0, "the base's term is at most the current term");
  }
  const tornBytes = tail.end - log.end;
  yield* settle(log, tail.end, source);
  log.allocated = source.size;
  return { ok: true, value: { log, configurations, tornBytes } };
}

/** Replays intact records into `log`, up to the first place where none begins. */
function* readRecords(
  window: FileWindow, log: LogFile, term: TermSlot, configurations: ConfigurationRecord[],
): DiskProcedure<Stop | Refused> {
  for (;;) {
    const decoded = decodeRecordHeader(yield* window.take(log.end, RECORD_HEADER_SIZE), log.end, log.seed);
    if (!decoded.ok) return stopped(decoded.fault.rule);
    const record = decoded.value;
    if (record.previous !== log.checksum) return stopped("a record names its predecessor's checksum");
    const payloadAt = log.end + RECORD_HEADER_SIZE;
    const payloadEnd = payloadAt + paddedSize(record.payloadSize);
    if (payloadEnd > window.size) return stopped("a record lies within the file");
    if ((yield* window.checksum(payloadAt, payloadEnd)) !== record.payloadChecksum) {
      return stopped("a payload's checksum matches");
    }
    const contradiction = log.contradiction(record);
    if (contradiction !== null) return brokenRule(LOG_FILE, log.end, contradiction);
    const foreign = judgeAgainstTerm(record, term);
    if (foreign !== null) return foreign;
    log.advance(record);
    const unreadable = yield* noteConfiguration(window, record, configurations);
    if (unreadable !== null) return unreadable;
  }
}

/** Keeps `configurations` what the log says, after one more record. */
function* noteConfiguration(
  window: FileWindow, record: RecordHeader, configurations: ConfigurationRecord[],
): DiskProcedure<Refused | null> {
  const { kind, entry: { index }, payloadSize } = record;
  // A configuration that is cut takes its effect back with it.
  while (kind === "truncation" && (configurations.at(-1)?.index ?? 0) > index) configurations.pop();
  if (kind !== "configuration") return null;
  const payloadAt = record.offset + RECORD_HEADER_SIZE;
  const decoded = decodeConfiguration(yield* window.take(payloadAt, payloadSize));
  if (!decoded.ok) return brokenRule(LOG_FILE, payloadAt + decoded.fault.offset, decoded.fault.rule);
  configurations.push({ index, configuration: decoded.value });
  return null;
}

function stopped(rule: string): Stop {
  return { rule };
}

/** The hard state is synced before the records that rely on it. null: so it was. */
function judgeAgainstTerm(record: RecordHeader, term: TermSlot): Refused | null {
  // First the hard state itself: an older one explains too low a term.
  const missing = judgeGeneration(record, term);
  if (missing !== null || record.entry.term <= term.hardState.currentTerm) return missing;
  return brokenRule(LOG_FILE, record.offset, "an entry's term is at most the current term");
}

function judgeGeneration(record: RecordHeader, term: TermSlot): Refused | null {
  const { generation } = record.mark;
  if (generation <= term.generation) return null;
  const known = `which the log knows to be durable (at ${record.offset})`;
  const detail = `generation ${generation} is damaged or missing, ${known}`;
  return corrupt(TERM_FILE, slotOffset(generation), detail);
}

/** Looks through everything behind the log's end for bytes that are not zero and for headers that vouch. */
function* inspectTail(window: FileWindow, log: LogFile): DiskProcedure<Tail> {
  const tail: Tail = { end: log.end, ofLog: null, ofTerm: null };
  const step = window.chunkBytes;
  for (let from = log.end; from < window.size; from += step) {
    // A header may begin in one step and end in the next.
    inspectBytes(yield* window.take(from, step + RECORD_HEADER_SIZE - RECORD_ALIGNMENT), from, step, log.seed, tail);
  }
  return tail;
}

/** Looks at the places from + 0, 8, … below from + step; `bytes` begin at `from`. */
function inspectBytes(bytes: Uint8Array, from: number, step: number, seed: number, tail: Tail): void {
  for (let at = 0; at < step && at < bytes.length; at += RECORD_ALIGNMENT) {
    for (let byte = at; byte < at + RECORD_ALIGNMENT; byte++) if ((bytes[byte] ?? 0) !== 0) tail.end = from + byte + 1;
    // Its own offset makes a header recognisable before any checksum is computed.
    if (!namesOffset(bytes, at, from + at)) continue;
    const decoded = decodeRecordHeader(bytes.subarray(at), from + at, seed);
    if (!decoded.ok) continue;
    const header = decoded.value;
    if (header.mark.through > (tail.ofLog?.mark.through ?? 0)) tail.ofLog = header;
    if (header.mark.generation > (tail.ofTerm?.mark.generation ?? 0)) tail.ofTerm = header;
  }
}

function namesOffset(bytes: Uint8Array, at: number, offset: number): boolean {
  if (at + RECORD_HEADER_SIZE > bytes.length) return false;
  const low = bytes[at + 16]! | (bytes[at + 17]! << 8) | (bytes[at + 18]! << 16) | (bytes[at + 19]! << 24);
  return low >>> 0 === offset % 4294967296;
}

/**
 * Makes the log durable as it was read, then vouches for it: from here on nothing that recovery reports can be taken
 * for torn. The sync matters without a torn tail too: what a killed process wrote may stand in the page cache only.
 */
function* settle(log: LogFile, tornEnd: number, source: LogSource): DiskProcedure<void> {
  for (let at = log.end; at < tornEnd; at += source.chunkBytes) {
    const bytes = new Uint8Array(Math.min(source.chunkBytes, tornEnd - at));
    yield { type: "write", file: LOG_FILE, offset: at, bytes };
  }
  yield { type: "sync", file: LOG_FILE };
  log.noteSynced();
  const generation = source.term.generation;
  // The mark may wait for the first group if there is no room: nothing grows here.
  if (!log.owesMark(generation) || log.end + recordSize(0) > source.size) return;
  const offset = log.end;
  yield { type: "write", file: LOG_FILE, offset, bytes: log.appendMark({ through: offset, generation }) };
  yield { type: "sync", file: LOG_FILE };
  log.noteSynced();
}
