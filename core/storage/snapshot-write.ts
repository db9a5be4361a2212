/**
 * How a snapshot comes into its file: written by this node into `snapshot.new`, or received in pieces into
 * `snapshot.part`; and how either takes the place of the one before. Until then nothing counts: an unfinished one is
 * removed by the next start.
 */
import { crc32c } from "../checksum.ts";
import { invariant } from "../invariant.ts";
import type { SnapshotId } from "../raft/message.ts";
import { type Owner, type Refused, corrupt } from "./block.ts";
import type { DiskOperation } from "./disk.ts";
import { resultOf } from "./disk-result.ts";
import type { DiskProcedure } from "./file-window.ts";
import type { OpenFiles } from "./open-files.ts";
import {
  SNAPSHOT_FILE, SNAPSHOT_NEW, SNAPSHOT_PART, type StoredSnapshot, bytesAtOf, encodeSnapshotHeader,
} from "./snapshot-file.ts";

/** A piece of a snapshot that is being received. */
export interface SnapshotChunk {
  readonly snapshot: SnapshotId;
  /** Where in the snapshot its bytes begin. */
  readonly offset: number;
  readonly bytes: Uint8Array;
}

/** What is there of the snapshot that is being received. */
export interface ReceivedPart {
  readonly snapshot: SnapshotId;
  /** Everything before it is there; what may be behind it does not count. */
  readonly end: number;
}

/** Writes a snapshot of this node's own, durably but for its name. */
export function* writeSnapshot(
  owner: Owner, id: SnapshotId, bytes: Uint8Array, maxWriteBytes: number,
): DiskProcedure<StoredSnapshot> {
  invariant(bytes.length === id.size, "a snapshot has the size that it names");
  const bytesAt = bytesAtOf(id);
  yield { type: "open", file: SNAPSHOT_NEW, create: true };
  let checksum = 0;
  for (let at = 0; at < bytes.length; at += maxWriteBytes) {
    const piece = bytes.subarray(at, at + maxWriteBytes);
    checksum = crc32c(piece, 0, piece.length, checksum);
    yield write(SNAPSHOT_NEW, bytesAt + at, piece);
  }
  const stored: StoredSnapshot = { id, checksum, bytesAt };
  yield write(SNAPSHOT_NEW, 0, encodeSnapshotHeader(owner, stored));
  yield { type: "sync", file: SNAPSHOT_NEW };
  return stored;
}

/** Gives what `writeSnapshot` has written its name, unless a newer one has been installed meanwhile. */
export function* publishSnapshot(files: OpenFiles, stored: StoredSnapshot): DiskProcedure<null> {
  if (files.snapshot !== null && files.snapshot.id.entry.index >= stored.id.entry.index) {
    yield { type: "unlink", file: SNAPSHOT_NEW };
    return null;
  }
  yield* rename(files, SNAPSHOT_NEW, stored);
  return null;
}

/**
 * Writes a piece where it belongs, by its own offset: a repeated one changes nothing. One of another snapshot discards
 * what there was.
 */
export function* writeChunk(
  part: ReceivedPart | null, { snapshot, offset, bytes }: SnapshotChunk, maxWriteBytes: number,
): DiskProcedure<ReceivedPart> {
  const goesOn = part !== null && isSameSnapshot(part.snapshot, snapshot);
  invariant(offset <= (goesOn ? part.end : 0), "a piece begins where those before it end, or earlier");
  invariant(offset + bytes.length <= snapshot.size, "a piece lies within its snapshot");
  if (part !== null && !goesOn) yield { type: "unlink", file: SNAPSHOT_PART };
  if (!goesOn) yield { type: "open", file: SNAPSHOT_PART, create: true };
  const bytesAt = bytesAtOf(snapshot);
  for (let at = 0; at < bytes.length; at += maxWriteBytes) {
    yield write(SNAPSHOT_PART, bytesAt + offset + at, bytes.subarray(at, at + maxWriteBytes));
  }
  return { snapshot, end: offset + bytes.length };
}

/** Makes the snapshot that has been received durable, in the place of any older one. */
export function* installPart(
  files: OpenFiles, part: ReceivedPart | null, id: SnapshotId, chunkBytes: number,
): DiskProcedure<Refused | null> {
  invariant(part !== null && isSameSnapshot(part.snapshot, id), "only a snapshot that was received is installed");
  invariant(part.end === id.size, "a snapshot is installed once all of it is there");
  const older = files.snapshot;
  invariant(older === null || older.id.entry.index < id.entry.index, "a snapshot gives way to a newer one only");
  const bytesAt = bytesAtOf(id);
  let checksum = 0;
  for (let at = 0; at < id.size; at += chunkBytes) {
    const length = Math.min(chunkBytes, id.size - at);
    const { bytes } = resultOf(yield { type: "read", file: SNAPSHOT_PART, offset: bytesAt + at, length }, "read");
    if (bytes.length !== length) return corrupt(SNAPSHOT_PART, bytesAt + at, "does not have the size that it had");
    checksum = crc32c(bytes, 0, length, checksum);
  }
  const stored: StoredSnapshot = { id, checksum, bytesAt };
  yield write(SNAPSHOT_PART, 0, encodeSnapshotHeader(files.owner, stored));
  yield { type: "sync", file: SNAPSHOT_PART };
  yield* rename(files, SNAPSHOT_PART, stored);
  return null;
}

function* rename(files: OpenFiles, from: string, stored: StoredSnapshot): DiskProcedure<void> {
  // From here on reads are of the new one: operations on one file take effect in order.
  files.snapshot = stored;
  yield { type: "rename", from, to: SNAPSHOT_FILE };
  yield { type: "syncDirectory" };
}

function isSameSnapshot(a: SnapshotId, b: SnapshotId): boolean {
  return a.entry.index === b.entry.index && a.entry.term === b.entry.term && a.size === b.size;
}

function write(file: string, offset: number, bytes: Uint8Array): DiskOperation {
  return { type: "write", file, offset, bytes };
}
