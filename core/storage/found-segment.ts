/**
 * The segments of a directory as a start finds them, by their headers alone. A file with a segment's name is one of
 * these: a segment, of whose header at least one copy is intact; one that stands ready, whose header is blank or still
 * says what it was before; or one of which it cannot be said, because both copies are damaged.
 */
import { type Judged, type Owner, brokenRule, corrupt, foreignOwner, openBlock } from "./block.ts";
import type { StorageFault } from "./boundary.ts";
import { resultOf } from "./disk-result.ts";
import { type DiskProcedure, FileWindow } from "./file-window.ts";
import {
  type FoundHeader, HEADER_COPY_SIZE, SEGMENT_HEADER_SIZE, SEGMENT_VERSION, decodeSegmentHeader, sequenceOf,
} from "./segment-file.ts";

export interface FoundSegment {
  readonly sequence: number;
  readonly file: string;
  /** Bytes that the file has. */
  readonly size: number;
  /** What an intact copy says; null: none is. */
  readonly header: FoundHeader | null;
  /** Where copies of it are missing. */
  readonly missingAt: readonly number[];
  /** What was found damaged of its header. */
  readonly faults: readonly StorageFault[];
  /** Whether a copy cannot be read: no torn write leaves that behind. */
  readonly isHidden: boolean;
  /** Both copies can be read, and neither is damaged: if there is no header, there never was one. */
  readonly isSound: boolean;
}

/** How a log of the first versions was named: one file. */
const OLD_FILE = "log";
const COPIES = [0, HEADER_COPY_SIZE] as const;

/** Ascending. Refused: a file of another version, or of somebody else. */
export function* findSegments(names: readonly string[], owner: Owner): DiskProcedure<Judged<FoundSegment[]>> {
  if (names.includes(OLD_FILE)) {
    const judged = yield* judgeOldFile();
    if (!judged.ok) return judged;
  }
  const segments: FoundSegment[] = [];
  for (const file of names) {
    const sequence = sequenceOf(file);
    if (sequence === null) continue;
    const found = yield* findSegment(file, sequence, owner);
    if (!found.ok) return found;
    segments.push(found.value);
  }
  segments.sort((a, b) => a.sequence - b.sequence);
  return { ok: true, value: segments };
}

function* judgeOldFile(): DiskProcedure<Judged<null>> {
  const window = new FileWindow(OLD_FILE, HEADER_COPY_SIZE, HEADER_COPY_SIZE);
  const bytes = yield* window.take(0, HEADER_COPY_SIZE);
  const place = { file: OLD_FILE, offset: 0, magic: "qlitelog", version: SEGMENT_VERSION };
  const opened = openBlock(place, bytes);
  return !opened.ok && opened.fault.type === "wrongVersion" ? opened : { ok: true, value: null };
}

function* findSegment(file: string, sequence: number, owner: Owner): DiskProcedure<Judged<FoundSegment>> {
  const size = resultOf(yield { type: "open", file, create: false }, "open").size ?? 0;
  const window = new FileWindow(file, size, SEGMENT_HEADER_SIZE);
  const bytes = yield* window.take(0, SEGMENT_HEADER_SIZE);
  let header: FoundHeader | null = null;
  const missingAt: number[] = [];
  const faults: StorageFault[] = [];
  let isHidden = false;
  for (const at of COPIES) {
    const end = at + HEADER_COPY_SIZE;
    const isThere = size >= end && window.unreadableIn(at, end) === null;
    isHidden ||= !isThere;
    const copy = isThere ? judgeCopy(bytes.subarray(at, end), file, at, sequence) : unreadable(file, at, size);
    if (copy.ok && copy.value !== null) {
      const foreign = foreignOwner(file, copy.value.owner, owner);
      if (foreign !== null) return { ok: false, fault: foreign };
      header ??= copy.value;
      continue;
    }
    missingAt.push(at);
    if (copy.ok) continue;
    if (copy.fault.type !== "corrupt") return copy;
    faults.push(copy.fault);
  }
  const isSound = faults.length === 0;
  return { ok: true, value: { sequence, file, size, header, missingAt, faults, isHidden, isSound } };
}

function unreadable(file: string, offset: number, size: number): Judged<null> {
  const isThere = size >= offset + HEADER_COPY_SIZE;
  return corrupt(file, offset, isThere ? "cannot be read" : `has only ${size} bytes`);
}

/** null: nothing has been written there since the file got its name. */
function judgeCopy(bytes: Uint8Array, file: string, at: number, sequence: number): Judged<FoundHeader | null> {
  if (bytes.every((byte) => byte === 0)) return { ok: true, value: null };
  const decoded = decodeSegmentHeader(bytes, file, at);
  if (!decoded.ok || decoded.value.sequence === sequence) return decoded;
  if (decoded.value.sequence < sequence) return { ok: true, value: null };
  return brokenRule(file, at, "a segment's header names its file");
}
