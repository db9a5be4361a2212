/**
 * Everything that changes what a start would find, one after the other in the order in which it was ordered: what one
 * has made durable the next one builds on, and so does who reads the directory after a crash.
 *
 * The kinds of work are: parts of orders, of which as many as wait become durable together (group-commit.ts); and jobs
 * of many steps, each for itself (write-job.ts). An order with a snapshot is cut in three: its hard state, the
 * snapshot, its log.
 *
 * A group for which no segment has room waits, and everything behind it but what makes room: a disk that is full is
 * like one that stalls.
 */
import { invariant } from "../invariant.ts";
import { NEVER, type Rarely } from "../rare-course.ts";
import type { EntryId, HardState, Ticket } from "../types.ts";
import type { PersistOrder, StorageEffect, StorageLimits } from "./boundary.ts";
import type { DiskNews, DiskOperation } from "./disk.ts";
import type { DiskProcedure } from "./file-window.ts";
import { GroupCommit, type GroupOperation, type GroupPart, type SyncedFile, writesLog } from "./group-commit.ts";
import type { StorageState } from "./invariants.ts";
import type { Lack } from "./log-space.ts";
import type { OpenFiles } from "./open-files.ts";
import { Reception, type SnapshotChunk } from "./reception.ts";
import { type Job, type JobNews, type Outcome, type UpkeepJob, newsOf, stepsOf } from "./write-job.ts";

/** What an operation is that was handed out: its answer goes to `answered` with this. */
export type Awaited = SyncedFile | "step" | null;

type News = JobNews | Extract<StorageEffect, { readonly type: "Persisted" | "Failed" }>;

export type WriteEffect = PerformEffect | News;

/** To be performed in the order given. */
interface PerformEffect {
  readonly type: "Perform";
  readonly operation: DiskOperation;
  readonly awaited: Awaited;
}

type Work = { readonly type: "part"; readonly part: GroupPart } | Job;

export class WriteQueue {
  readonly files: OpenFiles;
  readonly limits: StorageLimits;
  readonly reception = new Reception();
  private readonly commit: GroupCommit;
  private queue: Work[] = [];
  /** "group": the commit's. */
  private underWay: "group" | { readonly job: Job; readonly steps: DiskProcedure<Outcome> } | null = null;
  private closing = false;
  /** What the input being processed has led to so far, besides operations. */
  private news: News[] = [];
  private lastOrdered = 0 as Ticket;
  private lastPersisted = 0 as Ticket;

  constructor(files: OpenFiles, limits: StorageLimits, rarely: Rarely = NEVER) {
    this.files = files;
    this.limits = limits;
    this.commit = new GroupCommit(files, limits, rarely);
  }

  /** Nothing waits, nothing is under way. */
  get isSettled(): boolean {
    return this.underWay === null && this.queue.length === 0;
  }

  /** What the next work waits for; null: none waits for space. */
  get lack(): Lack | null {
    if (this.underWay !== null) return null;
    if (this.queue[0]?.type === "install") {
      return this.files.log.prepared === null ? { segmentBytes: 0, hasPayload: false } : null;
    }
    const parts = this.nextParts();
    return parts.length === 0 || this.commit.canBegin(parts) ? null : this.commit.lackOf(parts);
  }

  get state(): StorageState {
    const { log, term, pages } = this.files;
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
      lost: term.lost,
      isQuarantined: term.isQuarantined,
      mayVoteAlone: term.mayVoteAlone,
      snapshot: pages.snapshot?.entry ?? null,
      lastOrdered: this.lastOrdered,
      lastPersisted: this.lastPersisted,
    };
  }

  persist(order: PersistOrder): readonly WriteEffect[] {
    invariant(order.ticket > this.lastOrdered, "the tickets of orders ascend");
    invariant(order.hardState !== null || order.snapshot !== null || writesLog(order), "an order orders something");
    this.lastOrdered = order.ticket;
    this.queue.push(...worksOf(order));
    return this.goOn();
  }

  /** Entries up to `through` leave the log. Nothing happens if they have. Not answered. */
  compact(through: EntryId): readonly WriteEffect[] {
    return this.add({ type: "compact", through });
  }

  storeChunk(chunk: SnapshotChunk): readonly WriteEffect[] {
    return this.add({ type: "chunk", chunk });
  }

  /** What upkeep wants to be done. A publication is in force behind the entries that it is made of. */
  upkeep(job: UpkeepJob): readonly WriteEffect[] {
    return this.add(job);
  }

  forgetLoss(): readonly WriteEffect[] {
    return this.add({ type: "forgetLoss" });
  }

  noteOtherVoters(): readonly WriteEffect[] {
    return this.add({ type: "otherVoters" });
  }

  quarantine(): readonly WriteEffect[] {
    return this.add({ type: "quarantine" });
  }

  /** From time to time: vouches for the last group, if none has followed it. */
  rest(): readonly WriteEffect[] {
    return this.isSettled ? this.markEnd() : [];
  }

  /** Files that nothing refers to any more go: nothing in force does, and nobody reads them. */
  removeUnused(): readonly WriteEffect[] {
    return this.files.pages.hasUnused ? this.add({ type: "cleaning" }) : [];
  }

  /** Nothing follows: finishes what waits, and marks the end. */
  close(): readonly WriteEffect[] {
    this.closing = true;
    this.queue = this.queue.filter(({ type }) => type === "part" || type === "install" || type === "quarantine");
    return this.goOn();
  }

  /** What waits for space will not get it. Nobody was promised anything: it is dropped, as a crash would drop it. */
  giveUp(): readonly WriteEffect[] {
    this.queue = [];
    return this.goOn();
  }

  /** Whatever could not begin may be able to now: there may be room. */
  goOn(): readonly WriteEffect[] {
    return this.withNews(this.proceed());
  }

  answered(awaited: Awaited, news: DiskNews): readonly WriteEffect[] {
    if (awaited === null) return [];
    if (awaited === "step") return this.withNews(this.advance(news));
    const { operations, done } = this.commit.fileSynced(awaited);
    if (done === null) return operations.map(toBePerformed);
    this.underWay = null;
    for (const { answers } of done) this.sayPersisted(answers);
    return this.goOn();
  }

  private markEnd(): readonly PerformEffect[] {
    const operations = this.commit.markEnd();
    if (operations.length > 0) this.underWay = "group";
    return operations.map(toBePerformed);
  }

  private add(work: Work): readonly WriteEffect[] {
    this.queue.push(work);
    return this.goOn();
  }

  /** The operations first: whoever hears that an order is durable may give the next one at once. */
  private withNews(operations: readonly PerformEffect[]): readonly WriteEffect[] {
    if (this.news.length === 0) return operations;
    const effects = [...operations, ...this.news];
    this.news = [];
    return effects;
  }

  /** Begins the next work, if none is under way and some waits; marks the end of a log that is being closed. */
  private proceed(): readonly PerformEffect[] {
    if (this.underWay !== null) return [];
    const next = this.queue[0];
    if (next === undefined) return this.closing ? this.markEnd() : [];
    if (next.type === "part") {
      const parts = this.nextParts();
      if (!this.commit.canBegin(parts)) return this.overtake();
      this.queue.splice(0, parts.length);
      this.underWay = "group";
      return this.commit.begin(parts).map(toBePerformed);
    }
    // The log may have to start anew, in a segment that stands ready.
    if (next.type === "install" && this.files.log.prepared === null) return this.overtake();
    this.queue.shift();
    return this.beginJob(next);
  }

  private beginJob(job: Job): readonly PerformEffect[] {
    this.underWay = { job, steps: stepsOf(job, this) };
    return this.advance(null);
  }

  /** What makes room does not wait behind what lacks it; and a mark on the directory waits for nothing. */
  private overtake(): readonly PerformEffect[] {
    const { currentTerm } = this.files.term.hardState;
    const at = this.queue.findIndex((work) => {
      // A snapshot of a term that is not durable would be one of the future to the next start.
      if (work.type === "cut") return work.written.point.entry.term <= currentTerm;
      return work.type === "merge" || work.type === "compact" || work.type === "cleaning" || work.type === "quarantine";
    });
    const job = at === -1 ? undefined : this.queue.splice(at, 1)[0];
    if (job !== undefined && job.type !== "part") return this.beginJob(job);
    return this.queue.some(({ type }) => type === "cut") ? this.writeTermAhead() : [];
  }

  /** Of parts that wait for room, the hard state waits for none. */
  private writeTermAhead(): readonly PerformEffect[] {
    let hardState: HardState | null = null;
    const end = this.queue.findIndex(({ type }) => type !== "part");
    for (const [at, work] of this.queue.slice(0, end).entries()) {
      if (work.type !== "part" || work.part.hardState === null) continue;
      ({ hardState } = work.part);
      this.queue[at] = { type: "part", part: { ...work.part, hardState: null } };
    }
    if (hardState === null) return [];
    this.underWay = "group";
    return this.commit.begin([{ hardState, truncateTo: null, entries: [], answers: null }]).map(toBePerformed);
  }

  /** At least one part if the next work is one, and as many more as one write may carry. */
  private nextParts(): readonly GroupPart[] {
    const parts: GroupPart[] = [];
    for (let size = 0; size < this.limits.maxWriteBytes;) {
      const next = this.queue[parts.length];
      if (next?.type !== "part") break;
      for (const entry of next.part.entries) size += entry.payload.length;
      parts.push(next.part);
    }
    return this.commit.fitting(parts);
  }

  /** Takes the job under way one step further. `news`: of the step before; null: this is the first. */
  private advance(news: DiskNews | null): readonly PerformEffect[] {
    const { underWay } = this;
    invariant(underWay !== null && underWay !== "group", "only a job that is under way goes on");
    const step = news === null ? underWay.steps.next() : underWay.steps.next(news);
    if (!step.done) return [{ type: "Perform", operation: step.value, awaited: "step" }];
    if (step.value !== null && "fault" in step.value) {
      this.news.push({ type: "Failed", fault: step.value.fault });
      return [];
    }
    this.underWay = null;
    const { job } = underWay;
    if (job.type === "install") this.sayPersisted(job.answers);
    else this.news.push(...newsOf(job, this.files, step.value?.end ?? null));
    this.goOnBehind(job);
    return this.proceed();
  }

  /** Where another snapshot has come into force, that is said first: who still wants the older one has pinned it. */
  private goOnBehind(job: Job): void {
    const { type } = job;
    if (this.closing) return;
    // One segment at a time has left the log.
    if (type === "compact" && this.files.log.isDroppable(job.through.index)) this.queue.push(job);
    const mayHaveUnused = type === "install" || type === "cut" || type === "merge";
    if (mayHaveUnused && this.files.pages.hasUnused) this.queue.push({ type: "cleaning" });
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
