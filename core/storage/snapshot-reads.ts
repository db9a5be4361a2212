/**
 * Pieces of snapshots for members that lag behind (snapshot-stream.ts). One request at a time, in the order in which
 * they came. Every page is judged before it leaves: damage is never sent on. What a request asks for may be gone by the
 * time of its turn, unless it is pinned.
 */
import { invariant } from "../invariant.ts";
import type { SnapshotId } from "../raft/message.ts";
import type { LogIndex, MemberId } from "../types.ts";
import type { Owner } from "./block.ts";
import type { StorageEffect } from "./boundary.ts";
import type { DiskNews, DiskOperation } from "./disk.ts";
import type { DiskProcedure } from "./file-window.ts";
import { type PageFile, encodePageFileHead, pageFileSize, pagesAtOf } from "./page-file.ts";
import { type PageDamage, readRun } from "./page-run.ts";
import type { PageFiles, StoredSnapshot } from "./page-set.ts";

type News = Extract<
  StorageEffect, { readonly type: "SnapshotRead" | "DamageFound" | "PagesDamaged" | "SnapshotWanted" }
>;

export type SnapshotReadEffect =
  /** To be performed, its answer handed to `answered`. */
  | { readonly type: "Perform"; readonly operation: DiskOperation }
  | News;

export interface SnapshotRequest {
  readonly to: MemberId;
  readonly snapshot: SnapshotId;
  readonly offset: number;
  readonly maxBytes: number;
}

/** `bytes` null: the snapshot is not there, or not as it was. */
interface Piece {
  readonly bytes: Uint8Array | null;
  readonly damage: readonly PageDamage[];
}

export class SnapshotReads {
  private readonly files: PageFiles & { readonly owner: Owner };
  private waiting: SnapshotRequest[] = [];
  private underWay: { readonly request: SnapshotRequest; readonly steps: DiskProcedure<Piece> } | null = null;

  constructor(files: PageFiles & { readonly owner: Owner }) {
    this.files = files;
  }

  request(request: SnapshotRequest): readonly SnapshotReadEffect[] {
    this.waiting.push(request);
    return this.underWay === null ? this.proceed([]) : [];
  }

  answered(news: DiskNews): readonly SnapshotReadEffect[] {
    return this.advance(news, []);
  }

  /** What has not begun is given up, unanswered. */
  close(): void {
    this.waiting = [];
  }

  private proceed(news: SnapshotReadEffect[]): readonly SnapshotReadEffect[] {
    const request = this.waiting.shift();
    if (request === undefined) return news;
    this.underWay = { request, steps: this.read(request) };
    return this.advance(null, news);
  }

  /** `answer`: of the step before; null: this is the first. `news`: what has been found meanwhile. */
  private advance(answer: DiskNews | null, news: SnapshotReadEffect[]): readonly SnapshotReadEffect[] {
    invariant(this.underWay !== null, "only a read that was asked for is answered");
    const { request: { to, snapshot, offset }, steps } = this.underWay;
    const step = answer === null ? steps.next() : steps.next(answer);
    if (!step.done) return [{ type: "Perform", operation: step.value }, ...news];
    this.underWay = null;
    const { bytes, damage } = step.value;
    if (damage.length > 0) news.push(...this.damageFound(damage));
    news.push({ type: "SnapshotRead", to, snapshot, offset, bytes });
    return this.proceed(news);
  }

  private damageFound(damage: readonly PageDamage[]): News[] {
    const faults = this.files.pages.noteDamage(damage);
    const remedy = "the pages are written anew, from memory";
    const found = faults.map(({ fault }): News => ({ type: "DamageFound", fault, remedy }));
    const numbers = faults.flatMap((fault) => fault.numbers);
    const wanted: News = { type: "SnapshotWanted", through: 0 as LogIndex };
    return numbers.length === 0 ? found : [...found, { type: "PagesDamaged", numbers }, wanted];
  }

  private *read({ snapshot, offset, maxBytes }: SnapshotRequest): DiskProcedure<Piece> {
    const stored = this.files.pages.find(snapshot);
    if (stored === null) return { bytes: null, damage: [] };
    invariant(maxBytes > 0 && offset <= snapshot.size, "a piece begins within the snapshot");
    if (offset < stored.head.length) return { bytes: stored.head.slice(offset, offset + maxBytes), damage: [] };
    const found = fileAt(stored, offset);
    if (found === null) return { bytes: new Uint8Array(0), damage: [] };
    this.files.pages.hold(stored);
    const piece = yield* this.readFile(found.file, found.at, maxBytes);
    this.files.pages.letGo(stored);
    return piece;
  }

  /** Header and directory from memory, where they have been judged; pages from the disk, and judged. */
  private *readFile(file: PageFile, at: number, maxBytes: number): DiskProcedure<Piece> {
    const pagesAt = pagesAtOf(file.count);
    if (at < pagesAt) {
      const { cluster } = this.files.owner;
      return { bytes: encodePageFileHead({ ...file, cluster }, at, Math.min(at + maxBytes, pagesAt)), damage: [] };
    }
    const { pageSize, count } = file;
    const end = Math.min(at + maxBytes, pagesAt + count * pageSize);
    const from = Math.floor((at - pagesAt) / pageSize);
    const run = yield* readRun(file, from, Math.ceil((end - pagesAt) / pageSize));
    if (run.damage.length > 0) return { bytes: null, damage: run.damage };
    const runAt = pagesAt + from * pageSize;
    return { bytes: run.bytes.subarray(at - runAt, end - runAt), damage: [] };
  }
}

/** Into which file an offset of the stream leads, and where there; null: it is the end. */
function fileAt(
  { head, files, state: { pageSize } }: StoredSnapshot, offset: number,
): { readonly file: PageFile; readonly at: number } | null {
  let at = offset - head.length;
  for (const file of files) {
    const size = pageFileSize(file.count, pageSize);
    if (at < size) return { file, at };
    at -= size;
  }
  return null;
}
