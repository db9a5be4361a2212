/**
 * The stored snapshot on its way back: pieces of it for members that lag behind, and all of it for this node's own
 * state. One request at a time, in the order in which they came. What a request asks for may be replaced before its
 * turn comes, or while it is being read: then it is no longer there.
 */
import { crc32c } from "../checksum.ts";
import { invariant } from "../invariant.ts";
import { sameEntry } from "../types.ts";
import { type Judged, type Refused, brokenRule, corrupt } from "./block.ts";
import type { SnapshotReader, StorageFault } from "./boundary.ts";
import type { DiskOperation, DiskResult } from "./disk.ts";
import { resultOf } from "./disk-result.ts";
import type { DiskProcedure } from "./file-window.ts";
import type { OpenFiles } from "./open-files.ts";
import { SNAPSHOT_FILE } from "./snapshot-file.ts";

export type SnapshotReadEffect =
  /** To be performed, its result handed to `answered`. */
  | { readonly type: "Perform"; readonly operation: DiskOperation }
  | { readonly type: "SnapshotRead"; readonly reader: SnapshotReader; readonly bytes: Uint8Array | null }
  | { readonly type: "Failed"; readonly fault: StorageFault };

interface SnapshotRequest {
  readonly reader: SnapshotReader;
  readonly maxBytes: number;
}

export class SnapshotReads {
  private readonly files: OpenFiles;
  /** One read of all of it takes so many bytes at a time. */
  private readonly chunkBytes: number;
  private waiting: SnapshotRequest[] = [];
  private underWay: {
    readonly reader: SnapshotReader;
    readonly steps: DiskProcedure<Judged<Uint8Array | null>>;
  } | null = null;

  constructor(files: OpenFiles, chunkBytes: number) {
    this.files = files;
    this.chunkBytes = chunkBytes;
  }

  request(reader: SnapshotReader, maxBytes: number): readonly SnapshotReadEffect[] {
    this.waiting.push({ reader, maxBytes });
    return this.underWay === null ? this.proceed() : [];
  }

  answered(result: DiskResult): readonly SnapshotReadEffect[] {
    return this.advance(result, []);
  }

  /** What has not begun is given up, unanswered. */
  close(): void {
    this.waiting = [];
  }

  private proceed(news: SnapshotReadEffect[] = []): readonly SnapshotReadEffect[] {
    const next = this.waiting.shift();
    if (next === undefined) return news;
    const { files, chunkBytes } = this;
    const { reader, maxBytes } = next;
    const steps = reader.type === "restore" ? readAll(files, reader, chunkBytes) : readPiece(files, reader, maxBytes);
    this.underWay = { reader, steps };
    return this.advance(null, news);
  }

  /** `result`: of the step before; null: this is the first. `news`: what has been found meanwhile. */
  private advance(result: DiskResult | null, news: SnapshotReadEffect[]): readonly SnapshotReadEffect[] {
    invariant(this.underWay !== null, "only a read that was asked for is answered");
    const { reader, steps } = this.underWay;
    const step = result === null ? steps.next() : steps.next(result);
    if (!step.done) return [{ type: "Perform", operation: step.value }, ...news];
    this.underWay = null;
    if (!step.value.ok) return [...news, { type: "Failed", fault: step.value.fault }];
    return this.proceed([...news, { type: "SnapshotRead", reader, bytes: step.value.value }]);
  }
}

const GONE: Judged<null> = { ok: true, value: null };

function* readPiece(
  files: OpenFiles, reader: SnapshotReader & { readonly type: "member" }, maxBytes: number,
): DiskProcedure<Judged<Uint8Array | null>> {
  const stored = files.snapshot;
  if (stored === null || !sameEntry(stored.id.entry, reader.entry)) return GONE;
  invariant(maxBytes > 0 && reader.offset <= stored.id.size, "a piece begins within the snapshot");
  const offset = stored.bytesAt + reader.offset;
  const length = Math.min(maxBytes, stored.id.size - reader.offset);
  const { bytes } = resultOf(yield { type: "read", file: SNAPSHOT_FILE, offset, length }, "read");
  if (bytes.length !== length) return shortened(offset);
  return { ok: true, value: bytes };
}

/** All of it, judged by its checksum. */
function* readAll(
  files: OpenFiles, reader: SnapshotReader, chunkBytes: number,
): DiskProcedure<Judged<Uint8Array | null>> {
  const stored = files.snapshot;
  if (stored === null || !sameEntry(stored.id.entry, reader.entry)) return GONE;
  const all = new Uint8Array(stored.id.size);
  for (let at = 0; at < all.length; at += chunkBytes) {
    // Its file may have been replaced since the piece before.
    if (files.snapshot !== stored) return GONE;
    const length = Math.min(chunkBytes, all.length - at);
    const result = yield { type: "read", file: SNAPSHOT_FILE, offset: stored.bytesAt + at, length };
    const { bytes } = resultOf(result, "read");
    if (bytes.length !== length) return shortened(stored.bytesAt + at);
    all.set(bytes, at);
  }
  if (crc32c(all) === stored.checksum) return { ok: true, value: all };
  return brokenRule(SNAPSHOT_FILE, stored.bytesAt, "a snapshot's checksum matches");
}

function shortened(offset: number): Refused {
  return corrupt(SNAPSHOT_FILE, offset, "does not have the size that it had");
}
