/**
 * The record: the unit of the log. A header of 64 bytes, the payload, zeros to a multiple of 8.
 *
 *    0   4  header checksum: CRC-32C of bytes 4 to 64, continued from the segment's seed (segment-file.ts), so that a
 *           record of another segment is none of this one
 *    4   4  payload checksum: CRC-32C of all that follows the header, the filling zeros included
 *    8   4  payload size
 *   12   4  header checksum of the record before; in the first one of a segment its seed
 *   16   8  the record's own position in the log: a copy elsewhere, say within a payload, is none
 *   24   8  acknowledgedThrough: everything below this position was durable when the record was written
 *   32   8  generation of the hard state that was durable then (term-file.ts)
 *   40   8  term of the entry named by the index
 *   48   8  index: of the entry; truncation: of the last entry kept; mark: of the last entry. 0: before the first
 *   56   4  kind: 1 no-op, 2 payload, 3 truncation, 4 mark, 5 configuration (core/raft/configuration-codec.ts)
 *   60   4  zero
 *
 * The header has a checksum of its own so that what it vouches for (24, 32) can be believed although its payload is
 * torn. The log is append-only: a truncation is a record too, and entries after it take the place of those it cut.
 */
import { ByteReader, type Decoded } from "../bytes.ts";
import { crc32c } from "../checksum.ts";
import { invariant } from "../invariant.ts";
import type { EntryId, EntryKind, LogIndex, Term } from "../types.ts";

export const RECORD_HEADER_SIZE = 64;
export const RECORD_ALIGNMENT = 8;

const KINDS = ["noop", "payload", "truncation", "mark", "configuration"] as const;
export type RecordKind = (typeof KINDS)[number];

/** What was durable when a record was written. */
export interface Mark {
  /** Everything in the log below this position. */
  readonly through: number;
  /** This generation of the hard state. */
  readonly generation: number;
}

export interface RecordHeader {
  readonly kind: RecordKind;
  /** Its position in the log. */
  readonly position: number;
  /** Its own header checksum: what its successor names. */
  readonly checksum: number;
  readonly previous: number;
  readonly mark: Mark;
  /** The entry; truncation: the last one kept; mark: the last one. */
  readonly entry: EntryId;
  readonly payloadSize: number;
  readonly payloadChecksum: number;
}

/** What a record is to say; positions and checksums are the log's affair. */
export interface RecordBody {
  readonly kind: RecordKind;
  readonly entry: EntryId;
  readonly payload: Uint8Array;
}

/** Where a record goes, and what it says of what stands before it. */
export type RecordPlace = Pick<RecordHeader, "position" | "previous" | "mark">;

export function isEntryKind(kind: RecordKind): kind is EntryKind {
  return kind === "noop" || kind === "payload" || kind === "configuration";
}

/** The payload with its filling zeros. */
export function paddedSize(payloadSize: number): number {
  return Math.ceil(payloadSize / RECORD_ALIGNMENT) * RECORD_ALIGNMENT;
}

export function recordSize(payloadSize: number): number {
  return RECORD_HEADER_SIZE + paddedSize(payloadSize);
}

/**
 * Writes the record into `target` at `at`, where there must be zeros.
 * @param seed the segment's
 */
export function writeRecord(
  target: Uint8Array, at: number, seed: number, body: RecordBody, place: RecordPlace,
): RecordHeader {
  const { kind, entry, payload } = body;
  invariant(place.position % RECORD_ALIGNMENT === 0, "records are aligned");
  invariant(place.mark.through <= place.position, "a record vouches only for what stands before it");
  const payloadAt = at + RECORD_HEADER_SIZE;
  target.set(payload, payloadAt);
  const payloadChecksum = crc32c(target, payloadAt, payloadAt + paddedSize(payload.length));
  const view = new DataView(target.buffer, target.byteOffset + at, RECORD_HEADER_SIZE);
  view.setUint32(4, payloadChecksum, true);
  view.setUint32(8, payload.length, true);
  view.setUint32(12, place.previous, true);
  setU64(view, 16, place.position);
  setU64(view, 24, place.mark.through);
  setU64(view, 32, place.mark.generation);
  setU64(view, 40, entry.term);
  setU64(view, 48, entry.index);
  view.setUint32(56, KINDS.indexOf(kind) + 1, true);
  const checksum = crc32c(target, at + 4, payloadAt, seed);
  view.setUint32(0, checksum, true);
  return { kind, entry, checksum, payloadChecksum, payloadSize: payload.length, ...place };
}

/** Judges the header that begins `bytes`, as one that stands at `position` of the log, in a segment with this seed. */
export function decodeRecordHeader(bytes: Uint8Array, position: number, seed: number): Decoded<RecordHeader> {
  const header = bytes.subarray(0, RECORD_HEADER_SIZE);
  const reader = new ByteReader(header);
  const checksum = reader.u32();
  reader.demand(checksum === crc32c(header, 4, header.length, seed), "a header's checksum matches", 0);
  const payloadChecksum = reader.u32();
  const payloadSize = reader.u32();
  const previous = reader.u32();
  reader.demand(reader.u64() === position, "a record names its own position", 16);
  const mark: Mark = { through: reader.u64(), generation: reader.u64() };
  const entry: EntryId = { term: reader.u64() as Term, index: reader.u64() as LogIndex };
  const kind = KINDS[reader.u32() - 1];
  reader.demand(kind !== undefined, "a record has a known kind", 56);
  const mayBeLarge = kind === "payload" || kind === "configuration";
  reader.demand(mayBeLarge || payloadSize === 0, "only payloads and configurations have a size", 8);
  reader.demand(reader.u32() === 0, "reserved bytes are zero", 60);
  const rest = { checksum, previous, mark, entry, payloadSize, payloadChecksum };
  return reader.finish({ kind: kind ?? "mark", position, ...rest });
}

function setU64(view: DataView, at: number, value: number): void {
  invariant(Number.isSafeInteger(value) && value >= 0, "a u64 of ours is a safe non-negative integer");
  view.setUint32(at, value % 4294967296, true);
  view.setUint32(at + 4, Math.floor(value / 4294967296), true);
}
