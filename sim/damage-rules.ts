/**
 * Which durable bytes of a node's directory may be damaged, and how bad that is. Everything may but for two things that
 * nothing could make good, and that no disk format is expected to survive: both copies of what stands there twice and
 * nowhere else (hard state and identity), and what cannot be told from a torn write (the last group of the log while
 * nothing later vouches for it).
 *
 * It errs to one side only: where it cannot see whether something may be damaged, it may not.
 */
import type { SimulatedDisk } from "./disk.ts";
import { ownerOf } from "../core/storage/block.ts";
import { decodeIdentity, IDENTITY_FILE, IDENTITY_SIZE } from "../core/storage/identity-file.ts";
import { MANIFEST_FILE } from "../core/storage/manifest.ts";
import { isPageFile } from "../core/storage/page-file.ts";
import { decodeRecordHeader, RECORD_HEADER_SIZE, recordSize } from "../core/storage/record.ts";
import {
  decodeSegmentHeader, HEADER_COPY_SIZE, SEGMENT_HEADER_SIZE, segmentFile, sequenceOf,
} from "../core/storage/segment-file.ts";
import { decodeTermFile, SLOT_SIZE, TERM_FILE } from "../core/storage/term-file.ts";
import { isNameless } from "../core/storage/disk-failure.ts";
import { RESERVE_FILE } from "../core/storage/log-space.ts";

/** vital: it has to be fetched from others. mendable: there is a second copy, or nobody needs it. */
export type Verdict = "never" | "vital" | "mendable";

/** A segment of the log as it durably is. */
interface DurableSegment {
  readonly start: number;
  /** The position behind the last record that could be reached from its beginning. */
  readonly end: number;
  /** Whether nothing in it is damaged: then nothing follows. */
  readonly isKnown: boolean;
}

const TERM_COPY_DISTANCE = 4096;

interface Place {
  readonly name: string;
  readonly from: number;
  readonly end: number;
}

export class DamageRules {
  private readonly disk: SimulatedDisk;
  /** By file name: those that are part of the log. */
  private readonly segments = new Map<string, DurableSegment>();
  /** Everything in the log below this position is vouched for by something durable behind it. */
  private through = 0;

  constructor(disk: SimulatedDisk) {
    this.disk = disk;
    this.readLog();
    this.through = Math.max(this.through, vouchedByTerm(disk));
  }

  /** Whether these bytes may become others. */
  change(name: string, from: number, end: number): Verdict {
    if (isNameless(name) || name === RESERVE_FILE) return "mendable";
    if (name === TERM_FILE) return this.ofTwins(name, from, end, TERM_COPY_DISTANCE, SLOT_SIZE, "never");
    if (name === IDENTITY_FILE) return this.ofTwins(name, from, end, IDENTITY_SIZE / 2, IDENTITY_SIZE / 2, "never");
    if (name === MANIFEST_FILE) {
      const half = (this.disk.durableFile(name)?.durableSize ?? 0) / 2;
      return this.ofTwins(name, from, end, half, half, "vital");
    }
    if (isPageFile(name)) return "vital";
    return sequenceOf(name) === null ? "never" : this.inSegment(name, from, end);
  }

  /** Whether these sectors may become unreadable: no write that was torn does. */
  hide(name: string, from: number, end: number): Verdict {
    // A block that is unreadable in part is unreadable: so is what stands at its beginning.
    if (name === TERM_FILE) return this.ofTwins(name, from, end, TERM_COPY_DISTANCE, TERM_COPY_DISTANCE, "never");
    if (sequenceOf(name) === null) return this.change(name, from, end);
    return this.segments.has(name) ? "vital" : "mendable";
  }

  /** Whether what stands in the file stands there twice, and is written at once. */
  hasTwins(name: string): boolean {
    return name === TERM_FILE || name === IDENTITY_FILE || name === MANIFEST_FILE;
  }

  /** Whether a write may have hit one place instead of the other. It is wrong at both then: that is no twin's twin. */
  misdirect(missed: Place, hit: Place): boolean {
    const isSame = missed.name === hit.name;
    if (isSame && (this.hasTwins(hit.name) || (hit.from < missed.end && missed.from < hit.end))) return false;
    return [missed, hit].every(({ name, from, end }) => this.change(name, from, end) !== "never");
  }

  /** Whether a read may come back with bytes from elsewhere: not of what stands twice, and is read at once. */
  misread(name: string, from: number, end: number): boolean {
    if (isPageFile(name)) return true;
    return this.segments.has(name) && from >= SEGMENT_HEADER_SIZE && this.change(name, from, end) !== "never";
  }

  /** @param size of a copy: what lies between the copies is of no use to anybody */
  private ofTwins(
    name: string, from: number, end: number, distance: number, size: number, otherwise: Verdict,
  ): Verdict {
    let verdict: Verdict = "mendable";
    for (let copy = Math.floor(from / distance); copy * distance < end; copy++) {
      const at = copy * distance;
      if (at + size <= from) continue;
      const twinAt = (copy % 2 === 0 ? copy + 1 : copy - 1) * distance;
      const reachesTwin = twinAt < end && from < twinAt + size;
      if (reachesTwin || !this.isIntactTwin(name, at, twinAt, size)) verdict = otherwise;
    }
    return verdict;
  }

  /** Whether the copy at `twinAt` says what the one at `at` says, or is known to be whole though that is not. */
  private isIntactTwin(name: string, at: number, twinAt: number, size: number): boolean {
    const file = this.disk.durableFile(name);
    const bytes = this.disk.durable(name);
    if (file === null || bytes === null || file.damage.touches(twinAt, twinAt + size)) return false;
    if (file.damage.touches(at, at + size)) return true;
    for (let place = 0; place < size; place++) {
      if ((bytes[at + place] ?? 0) !== (bytes[twinAt + place] ?? 0)) return false;
    }
    return true;
  }

  private inSegment(name: string, from: number, end: number): Verdict {
    const segment = this.segments.get(name);
    // It stands ready to be one, or was one: nothing in it counts.
    if (segment === undefined) return "mendable";
    if (end <= SEGMENT_HEADER_SIZE) {
      const otherwise = segment.start < this.through ? "vital" : "never";
      return this.ofTwins(name, from, end, HEADER_COPY_SIZE, HEADER_COPY_SIZE, otherwise);
    }
    const last = segment.start + end - SEGMENT_HEADER_SIZE;
    if (last <= this.through) return "vital";
    const first = segment.start + from - SEGMENT_HEADER_SIZE;
    return segment.isKnown && first >= segment.end ? "mendable" : "never";
  }

  private readLog(): void {
    for (const name of this.disk.listDurable().toReversed()) {
      const sequence = sequenceOf(name);
      if (sequence === null) continue;
      const bytes = this.disk.durable(name) ?? new Uint8Array(0);
      const header = headerOf(bytes, name);
      // Of another sequence: it has been something else before, and is nothing yet.
      if (header === null || segmentFile(header.sequence) !== name) continue;
      this.through = Math.max(this.through, header.start);
      this.segments.set(name, this.readSegment(bytes, header.start, header.seed, name));
      if (header.startsAnew) return;
    }
  }

  private readSegment(bytes: Uint8Array, start: number, seed: number, name: string): DurableSegment {
    let end = start;
    for (;;) {
      const at = SEGMENT_HEADER_SIZE + end - start;
      const record = decodeRecordHeader(bytes.subarray(at, at + RECORD_HEADER_SIZE), end, seed);
      if (!record.ok) break;
      this.through = Math.max(this.through, record.value.mark.through);
      end += recordSize(record.value.payloadSize);
    }
    const damage = this.disk.durableFile(name)?.damage;
    return { start, end, isKnown: damage?.isNone ?? false };
  }
}

/** What the hard state's file says of the end of a log that rests. */
function vouchedByTerm(disk: SimulatedDisk): number {
  const [identity, term] = [disk.durable(IDENTITY_FILE), disk.durable(TERM_FILE)];
  const found = identity === null ? null : decodeIdentity(identity);
  if (term === null || found === null || !found.ok || found.value.identity.cluster === null) return 0;
  const decoded = decodeTermFile(term, ownerOf(found.value.identity));
  return decoded.ok ? decoded.value.slot.vouched.through : 0;
}

/** What either copy says; null: neither says anything. */
function headerOf(bytes: Uint8Array, name: string): ReturnType<typeof readHeader> {
  return readHeader(bytes, name, 0) ?? readHeader(bytes, name, HEADER_COPY_SIZE);
}

function readHeader(
  bytes: Uint8Array, name: string, at: number,
): { sequence: number; start: number; seed: number; startsAnew: boolean } | null {
  const copy = new Uint8Array(HEADER_COPY_SIZE);
  copy.set(bytes.subarray(at, at + HEADER_COPY_SIZE));
  const judged = decodeSegmentHeader(copy, name, at);
  return judged.ok ? judged.value : null;
}
