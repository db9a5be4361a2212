/**
 * A segment of the log: the file `log-0000000007`, say. A header, then records (record.ts) back to back, then what was
 * there before: zeros, or what an older segment has left in a file that is used again.
 *
 *     0     8  magic "qlitelog"
 *     8     4  version, 3
 *    12     4  CRC-32C of the other 4092 bytes: the seed, with which the checksums of the segment's records begin
 *    16    88  owner (block.ts)
 *   104     8  sequence number, as in the file's name
 *   112     8  start: the position of the segment's first record
 *   120     8  term of the base: the last entry of the log before this segment; 0: there is none
 *   128     8  index of the base
 *   136     4  previous: checksum of the record before the segment, or the seed of an empty one before; 0: none is
 *   140     8  size of the file, in bytes, when the segment began
 *   148     1  1: the log starts anew here, older segments are void; 0: it goes on
 *   149  3947  zero
 *  4096  4096  all of it for the second time, as one of them may come to be unreadable
 *  8192     …  records
 *
 * Positions are one number line over all segments: the record at position p of a segment that starts at S stands in its
 * file at 8192 + (p - S), and the next segment starts where this one ends. No record lies in two segments.
 *
 * The hard idea: a file is used again as it is. That no old record is ever taken for a new one rests on the seed, as
 * the header says what no other one has said before; and on the position, which each record names, and which only
 * rises.
 */
import { invariant } from "../invariant.ts";
import type { EntryId, LogIndex, Term } from "../types.ts";
import {
  type BlockPlace, type Judged, type Owner, beginBlock, brokenField, brokenRule, checksumOf, openBlock, readOwner,
  sealBlock, writeOwner,
} from "./block.ts";

export const SEGMENT_VERSION = 3;
/** Of one copy of the header. */
export const HEADER_COPY_SIZE = 4096;
/** Where the records begin: behind both copies. */
export const SEGMENT_HEADER_SIZE = 2 * HEADER_COPY_SIZE;

/** What stands in a header. */
export interface SegmentHeader {
  readonly sequence: number;
  /** The position of its first record. */
  readonly start: number;
  /** The last entry of the log before this segment. */
  readonly base: EntryId;
  /** Checksum of the record before. */
  readonly previous: number;
  /** Of its file, in bytes, when it began: one that is shorter has lost something. */
  readonly size: number;
  /** Whether whatever older segments say is void. */
  readonly startsAnew: boolean;
}

/** A header as it was read. */
export interface FoundHeader extends SegmentHeader {
  readonly owner: Owner;
  readonly seed: number;
}

const MAGIC = "qlitelog";
const NAME = /^log-([0-9]{10})$/;

/** The file of a sequence number, which counts from 1. */
export function segmentFile(sequence: number): string {
  invariant(sequence >= 1, "segments count from 1");
  return `log-${String(sequence).padStart(10, "0")}`;
}

/** null: that is no segment's name. */
export function sequenceOf(file: string): number | null {
  const digits = NAME.exec(file)?.[1];
  return digits === undefined || Number(digits) === 0 ? null : Number(digits);
}

export function isSegmentFile(file: string): boolean {
  return sequenceOf(file) !== null;
}

/** Both copies. */
export function encodeSegmentHeader(owner: Owner, header: SegmentHeader): Uint8Array {
  const { sequence, start, base, previous, size, startsAnew } = header;
  const writer = writeOwner(beginBlock(placeOf(segmentFile(sequence), 0)), owner);
  writer.u64(sequence).u64(start).u64(base.term).u64(base.index).u32(previous).u64(size).u8(startsAnew ? 1 : 0);
  const copy = sealBlock(writer, HEADER_COPY_SIZE);
  const bytes = new Uint8Array(SEGMENT_HEADER_SIZE);
  bytes.set(copy);
  bytes.set(copy, HEADER_COPY_SIZE);
  return bytes;
}

/** What the copy that begins `bytes` says. @param offset where it stands in its file */
export function decodeSegmentHeader(bytes: Uint8Array, file: string, offset: number): Judged<FoundHeader> {
  const place = placeOf(file, offset);
  const copy = bytes.subarray(0, HEADER_COPY_SIZE);
  const opened = openBlock(place, copy);
  if (!opened.ok) return opened;
  const reader = opened.value;
  const owner = readOwner(reader);
  const sequence = reader.u64();
  const start = reader.u64();
  const base: EntryId = { term: reader.u64() as Term, index: reader.u64() as LogIndex };
  const previous = reader.u32();
  const size = reader.u64();
  const anew = reader.u8();
  reader.demand(sequence >= 1, "segments count from 1", 104);
  reader.demand((base.term === 0) === (base.index === 0), "a base is an entry of a term", 120);
  reader.demand(anew <= 1, "a flag is 0 or 1", 148);
  if (reader.fault !== null) return brokenField(place, reader.fault);
  if (copy.length < HEADER_COPY_SIZE) return brokenRule(file, offset, "a header has a page of its own");
  const header = { sequence, start, base, previous, size, startsAnew: anew === 1 };
  return { ok: true, value: { ...header, owner, seed: checksumOf(copy) } };
}

function placeOf(file: string, offset: number): BlockPlace {
  return { file, offset, magic: MAGIC, version: SEGMENT_VERSION };
}
