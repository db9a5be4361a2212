/**
 * Everything that changes a member's files, one after the other in the order in which it was ordered: what one of them
 * has made durable the next one builds on, and so does who reads the directory after a crash.
 *
 * The kinds of work are: parts of orders, of which as many as wait become durable together (group-commit.ts); and works
 * of many steps, each for itself: the log rewritten, a piece of a snapshot stored, a snapshot that takes its place.
 * An order with a snapshot is cut in three: its hard state, the snapshot, its log.
 */
import { invariant, unreachable } from "../invariant.ts";
import type { SnapshotId } from "../raft/message.ts";
import type { EntryId, Ticket } from "../types.ts";
import type { Refused } from "./block.ts";
import type { PersistOrder, StorageEffect, StorageLimits } from "./boundary.ts";
import type { DiskOperation, DiskResult } from "./disk.ts";
import type { DiskProcedure } from "./file-window.ts";
import { GroupCommit, type GroupOperation, type GroupPart, type SyncedFile, writesLog } from "./group-commit.ts";
import type { StorageState } from "./invariants.ts";
import { rewriteLog } from "./log-rewrite.ts";
import type { OpenFiles } from "./open-files.ts";
import type { StoredSnapshot } from "./snapshot-file.ts";
import { type ReceivedPart, type SnapshotChunk, installPart, publishSnapshot, writeChunk } from "./snapshot-write.ts";

/** What an operation is that was handed out: its answer goes to `answered` with this. */
export type Awaited = SyncedFile | "step" | null;

type News = Extract<StorageEffect, { readonly type: "Persisted" | "SnapshotStored" | "ChunkStored" | "Failed" }>;

export type WriteEffect = PerformEffect | News;

/** To be performed in the order given. */
interface PerformEffect {
  readonly type: "Perform";
  readonly operation: DiskOperation;
  readonly awaited: Awaited;
}

/** Work of many steps. */
type Job =
  | { readonly type: "install"; readonly snapshot: SnapshotId; readonly answers: Ticket | null }
  | { readonly type: "publish"; readonly stored: StoredSnapshot }
  | { readonly type: "compact"; readonly through: EntryId }
  | { readonly type: "chunk"; readonly chunk: SnapshotChunk };

type Work = { readonly type: "part"; readonly part: GroupPart } | Job;

export class WriteQueue {
  private readonly files: OpenFiles;
  private readonly limits: StorageLimits;
  private readonly commit: GroupCommit;
  private queue: Work[] = [];
  /** "group": the commit's. */
  private underWay: "group" | { readonly job: Job; readonly steps: DiskProcedure<Refused | null> } | null = null;
  private closing = false;
  /** What is there of a snapshot that is being received. */
  private received: ReceivedPart | null = null;
  /** What the input being processed has led to so far, besides operations. */
  private news: News[] = [];
  private lastOrdered = 0 as Ticket;
  private lastPersisted = 0 as Ticket;

  constructor(files: OpenFiles, limits: StorageLimits) {
    this.files = files;
    this.limits = limits;
    this.commit = new GroupCommit(files, limits);
  }

  /** Nothing waits, nothing is under way; while closing: nor is anything to be done. */
  get isSettled(): boolean {
    const { log } = this.files;
    return this.underWay === null && this.queue.length === 0 && !(this.closing && log.synced < log.end);
  }

  get state(): StorageState {
    const { log, term, snapshot } = this.files;
    return {
      base: log.entries.base,
      end: log.end,
      synced: log.synced,
      allocated: log.allocated,
      marked: log.marked,
      last: log.entries.last,
      durableIndex: log.durableIndex,
      generation: term.generation,
      hardState: term.hardState,
      snapshot: snapshot?.id.entry ?? null,
      lastOrdered: this.lastOrdered,
      lastPersisted: this.lastPersisted,
    };
  }

  persist(order: PersistOrder): readonly WriteEffect[] {
    invariant(order.ticket > this.lastOrdered, "the tickets of orders ascend");
    invariant(order.hardState !== null || order.snapshot !== null || writesLog(order), "an order orders something");
    this.lastOrdered = order.ticket;
    this.queue.push(...worksOf(order));
    return this.withNews(this.proceed());
  }

  /** Entries up to `through` leave the log. Nothing happens if they have. Not answered. */
  compact(through: EntryId): readonly WriteEffect[] {
    return this.add({ type: "compact", through });
  }

  storeChunk(chunk: SnapshotChunk): readonly WriteEffect[] {
    return this.add({ type: "chunk", chunk });
  }

  /** The snapshot has been written: it gets its name behind the entries that it is made of. */
  publish(stored: StoredSnapshot): readonly WriteEffect[] {
    return this.add({ type: "publish", stored });
  }

  /** Nothing follows: finishes what waits, marks and syncs the end. */
  close(): readonly WriteEffect[] {
    this.closing = true;
    this.queue = this.queue.filter(({ type }) => type !== "compact");
    return this.withNews(this.proceed());
  }

  answered(awaited: Awaited, result: DiskResult): readonly WriteEffect[] {
    if (awaited === null) return [];
    if (awaited === "step") return this.withNews(this.advance(result));
    const { operations, done } = this.commit.fileSynced(awaited);
    if (done === null) return operations.map(toBePerformed);
    this.underWay = null;
    for (const { answers } of done) this.sayPersisted(answers);
    return this.withNews(this.proceed());
  }

  private add(work: Work): readonly WriteEffect[] {
    this.queue.push(work);
    return this.withNews(this.proceed());
  }

  /** The operations first: whoever hears that an order is durable may give the next one at once. */
  private withNews(operations: readonly PerformEffect[]): readonly WriteEffect[] {
    const effects = [...operations, ...this.news];
    this.news = [];
    return effects;
  }

  /** Begins the next work, if none is under way and some waits; marks the end, if none does. */
  private proceed(): readonly PerformEffect[] {
    if (this.underWay !== null) return [];
    const next = this.queue[0];
    if (next === undefined) return this.idle();
    if (next.type === "part") {
      this.underWay = "group";
      return this.commit.begin(this.takeParts()).map(toBePerformed);
    }
    this.queue.shift();
    this.underWay = { job: next, steps: this.stepsOf(next) };
    return this.advance(null);
  }

  private idle(): readonly PerformEffect[] {
    const operations = [...this.commit.markEnd()];
    const { log } = this.files;
    if (this.closing && log.synced < log.end) {
      this.underWay = "group";
      operations.push(...this.commit.syncEnd());
    }
    return operations.map(toBePerformed);
  }

  /** At least one part, and as many more as one write may carry. */
  private takeParts(): readonly GroupPart[] {
    const parts: GroupPart[] = [];
    for (let size = 0; size < this.limits.maxWriteBytes;) {
      const next = this.queue[parts.length];
      if (next?.type !== "part") break;
      for (const entry of next.part.entries) size += entry.payload.length;
      parts.push(next.part);
    }
    this.queue.splice(0, parts.length);
    return parts;
  }

  private *stepsOf(job: Job): DiskProcedure<Refused | null> {
    const { files, limits } = this;
    switch (job.type) {
      case "install": {
        const refused = yield* installPart(files, this.received, job.snapshot, limits.maxWriteBytes);
        this.received = null;
        if (refused !== null || files.log.entries.holds(job.snapshot.entry)) return refused;
        return yield* rewriteLog(files, job.snapshot.entry, limits);
      }
      case "publish":
        return yield* publishSnapshot(files, job.stored);
      case "compact": {
        const { through } = job;
        if (through.index <= files.log.entries.base.index) return null;
        invariant(files.log.entries.holds(through), "only entries of the log are compacted");
        const snapshot = files.snapshot?.id.entry.index ?? 0;
        invariant(through.index <= snapshot, "only what the stored snapshot has is compacted");
        return yield* rewriteLog(files, through, limits);
      }
      case "chunk":
        this.received = yield* writeChunk(this.received, job.chunk, limits.maxWriteBytes);
        return null;
      default:
        return unreachable(job);
    }
  }

  /** Takes the job under way one step further. `result`: of the step before; null: this is the first. */
  private advance(result: DiskResult | null): readonly PerformEffect[] {
    const { underWay } = this;
    invariant(underWay !== null && underWay !== "group", "only a job that is under way goes on");
    const step = result === null ? underWay.steps.next() : underWay.steps.next(result);
    if (!step.done) return [{ type: "Perform", operation: step.value, awaited: "step" }];
    if (step.value !== null) {
      this.news.push({ type: "Failed", fault: step.value.fault });
      return [];
    }
    this.underWay = null;
    this.sayDone(underWay.job);
    return this.proceed();
  }

  private sayDone(job: Job): void {
    switch (job.type) {
      case "install":
        return this.sayPersisted(job.answers);
      case "publish":
        this.news.push({ type: "SnapshotStored", snapshot: job.stored.id });
        return;
      case "chunk": {
        const { snapshot, offset, bytes } = job.chunk;
        this.news.push({ type: "ChunkStored", entry: snapshot.entry, end: offset + bytes.length });
        return;
      }
      case "compact":
        return;
      default:
        return unreachable(job);
    }
  }

  private sayPersisted(ticket: Ticket | null): void {
    if (ticket === null) return;
    this.lastPersisted = ticket;
    this.news.push({ type: "Persisted", ticket });
  }
}

function worksOf(order: PersistOrder): Work[] {
  const { ticket, hardState, snapshot, truncateTo, entries } = order;
  if (snapshot === null) return [{ type: "part", part: { hardState, truncateTo, entries, answers: ticket } }];
  const hasLog = writesLog(order);
  const works: Work[] = [{ type: "install", snapshot, answers: hasLog ? null : ticket }];
  if (hardState !== null) {
    works.unshift({ type: "part", part: { hardState, truncateTo: null, entries: [], answers: null } });
  }
  if (hasLog) works.push({ type: "part", part: { hardState: null, truncateTo, entries, answers: ticket } });
  return works;
}

function toBePerformed({ operation, synced }: GroupOperation): PerformEffect {
  return { type: "Perform", operation, awaited: synced };
}
