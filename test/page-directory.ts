/**
 * The files of pages of one member over a disk in memory, with what a storage does to them in one call each; and the
 * plain database that they should be.
 */
import { invariant } from "../core/invariant.ts";
import type { PageCut } from "../core/pages/page-cut.ts";
import type { SnapshotId, SnapshotPoint } from "../core/raft/message.ts";
import type { Owner } from "../core/storage/block.ts";
import { type WrittenCut, publishCut, writeCut } from "../core/storage/checkpoint.ts";
import type { DiskProcedure } from "../core/storage/file-window.ts";
import { planMerge, publishMerge, writeMerge } from "../core/storage/merge.ts";
import { type PageSet, removeUnused } from "../core/storage/page-set.ts";
import { recoverPages } from "../core/storage/page-recovery.ts";
import { Reception, type SnapshotChunk } from "../core/storage/reception.ts";
import { Restoration, type RestorationEffect } from "../core/storage/restoration.ts";
import { SnapshotReads, type SnapshotReadEffect } from "../core/storage/snapshot-reads.ts";
import type { ClusterId, Incarnation, MemberId, NodeId } from "../core/types.ts";
import { runOn, type Trouble } from "./disk-procedure.ts";
import { MemoryDisk } from "./memory-disk.ts";
import { PlainDatabase } from "./plain-database.ts";
import { configurationOf, id } from "./storage-run.ts";

export const OWNER: Owner = {
  node: "a" as NodeId, incarnation: "00112233445566aa" as Incarnation, cluster: "c0".repeat(16) as ClusterId,
};

/** Small pieces, so that little runs cross them: three pages of PlainDatabase. */
export const LIMITS = { maxWriteBytes: 200 };

const TO = "b@00112233445566bb" as MemberId;

export function pointOf(index: number, term = 1): SnapshotPoint {
  return { entry: id(term, index), configuration: configurationOf(["a"]) };
}

export class PageDirectory {
  readonly owner: Owner;
  readonly disk: MemoryDisk;
  readonly pages: PageSet;
  readonly reception = new Reception();
  /** What the disk answers in place of doing it. */
  trouble: Trouble = () => null;
  /** How many bytes have been written. */
  writtenBytes = 0;

  constructor(disk: MemoryDisk, pages: PageSet, owner = OWNER) {
    this.disk = disk;
    this.pages = pages;
    this.owner = owner;
  }

  /** What a start finds. */
  static open(disk = new MemoryDisk(), owner = OWNER): PageDirectory {
    return runOn(disk, opened(disk, owner));
  }

  run<T>(procedure: DiskProcedure<T>): T {
    return runOn(this.disk, procedure, (operation) => {
      const failure = this.trouble(operation);
      if (failure === null && operation.type === "write") this.writtenBytes += operation.bytes.length;
      return failure;
    });
  }

  /** True: it is in force. */
  checkpoint(index: number, cut: PageCut): boolean {
    const written = this.write(index, cut);
    return written !== null && this.publish(written);
  }

  write(index: number, cut: PageCut): WrittenCut | null {
    return this.run(this.writing(pointOf(index), cut));
  }

  *writing(point: SnapshotPoint, cut: PageCut): DiskProcedure<WrittenCut | null> {
    const written = yield* writeCut(this, point, cut, LIMITS);
    invariant(written === null || !("damagedPage" in written), "memory is sound");
    return written;
  }

  publish(written: WrittenCut): boolean {
    invariant(this.run(publishCut(this, written)) === null, "what is written can be published");
    this.run(this.reception.dropOutdated(this));
    this.run(removeUnused(this));
    return this.pages.stored?.state === written.state;
  }

  /** False: nothing is to be merged, or it did not come about. */
  merge(): boolean {
    const plan = planMerge(this.pages);
    const written = plan === null ? null : this.run(writeMerge(this, plan, LIMITS));
    if (written === null || !("inputs" in written)) return false;
    invariant(this.run(publishMerge(this, written)) === null, "what is merged can be published");
    this.run(removeUnused(this));
    return true;
  }

  mergeAll(): void {
    while (this.merge());
  }

  /** The state read back; a fault: why it cannot be. */
  restore(snapshot = this.pages.snapshot!): PlainDatabase {
    const restoration = new Restoration(this, snapshot, LIMITS);
    const effects: RestorationEffect[] = [...restoration.start()];
    const pages = new Map<number, Uint8Array>();
    let database: PlainDatabase | null = null;
    for (let effect = effects.shift(); effect !== undefined; effect = effects.shift()) {
      if (effect.type === "RestoreStarted") database = new PlainDatabase(effect.pageSize, effect.pageCount, pages);
      if (effect.type === "PagesRestored") {
        for (const { number, bytes } of effect.pages) {
          const isThere = database !== null && number <= database.pageCount;
          invariant(isThere && !pages.has(number), "each page that there is comes once");
          pages.set(number, bytes);
        }
      }
      if (effect.type === "Perform") effects.push(...restoration.answered(this.answerOf(effect.operation)));
      if (effect.type === "SnapshotDamaged") throw new Error(JSON.stringify(effect.fault));
    }
    invariant(database !== null, "a restore starts");
    const restored = new PlainDatabase(database.pageSize, database.pageCount, pages);
    invariant(restored.checksum === this.pages.stored?.state.checksum, "what was restored is what was stored");
    return restored;
  }

  private answerOf(operation: Parameters<MemoryDisk["perform"]>[0]) {
    const failure = this.trouble(operation);
    return failure === null ? this.disk.perform(operation) : { type: "failed", failure } as const;
  }

  /** A piece of a snapshot's stream, and all that is said beside. */
  read(snapshot: SnapshotId, offset: number, maxBytes: number): SnapshotReadEffect[] {
    const reads = new SnapshotReads(this);
    const said: SnapshotReadEffect[] = [];
    const effects = [...reads.request({ to: TO, snapshot, offset, maxBytes })];
    for (let effect = effects.shift(); effect !== undefined; effect = effects.shift()) {
      if (effect.type === "Perform") effects.push(...reads.answered(this.answerOf(effect.operation)));
      else said.push(effect);
    }
    return said;
  }

  piece(snapshot: SnapshotId, offset: number, maxBytes: number): Uint8Array | null {
    const read = this.read(snapshot, offset, maxBytes).at(-1);
    invariant(read?.type === "SnapshotRead", "a request is answered");
    return read.bytes;
  }

  /** Takes one piece of what another member has, from where it is at; how far it is then. */
  fetch(from: PageDirectory, snapshot: SnapshotId, offset: number, maxBytes: number): number | null {
    const bytes = from.piece(snapshot, offset, maxBytes);
    invariant(bytes !== null, "what is sent is there");
    return this.store({ snapshot, offset, bytes });
  }

  store(chunk: SnapshotChunk): number | null {
    return this.run(this.reception.storeChunk(this, chunk, LIMITS.maxWriteBytes));
  }

  /** Takes the snapshot of another member over; how many bytes had to be sent. */
  receive(from: PageDirectory, snapshot = from.pages.snapshot!, maxBytes = 1000): number {
    let sent = 0;
    for (let end: number | null = 0; end < snapshot.size; ) {
      const bytes = from.piece(snapshot, end, maxBytes);
      invariant(bytes !== null && bytes.length > 0, "what is sent is there");
      sent += bytes.length;
      end = this.store({ snapshot, offset: end, bytes });
      invariant(end !== null, "there is space for it");
    }
    this.install(snapshot);
    return sent;
  }

  install(snapshot: SnapshotId): void {
    invariant(this.run(this.reception.install(this, snapshot)) === null, "what was received can be installed");
    this.run(removeUnused(this));
  }

  /** Of the stored snapshot's files, oldest first. */
  get counts(): number[] {
    return this.pages.stored?.files.map(({ count }) => count) ?? [];
  }

  /** The names of all files. */
  get names(): readonly string[] {
    const listed = this.disk.perform({ type: "list" });
    invariant(listed.type === "list", "a list is answered by a list");
    return listed.files;
  }

  /** What they take on the disk. */
  get bytes(): number {
    return this.names.reduce((sum, name) => sum + this.disk.bytesOf(name)!.length, 0);
  }
}

/** As a start does it: what has no name goes, what has one is durable, then the manifest is believed. */
export function* opened(disk: MemoryDisk, owner = OWNER): DiskProcedure<PageDirectory> {
  const listed = yield { type: "list" };
  invariant(listed.type === "list", "a list is answered by a list");
  for (const file of listed.files) if (/\.(new|part)$/.test(file)) yield { type: "unlink", file };
  yield { type: "syncDirectory" };
  const names = listed.files.filter((file) => !/\.(new|part)$/.test(file));
  const pages = yield* recoverPages(owner, names);
  if (!pages.ok) throw new Error(JSON.stringify(pages.fault));
  const directory = new PageDirectory(disk, pages.value, owner);
  yield* removeUnused(directory);
  return directory;
}
