/**
 * What storage does beside the orders that it is given, in files that nothing relies on yet: it keeps the next segment
 * of the log and a reserve at hand, writes cuts down, merges files of pages, and reads everything over and over in
 * search of damage. What has been written becomes part of the state by the write queue only (Publication).
 *
 * The one hard idea is want of space, which is no failure here. The cases:
 * 1. No segment can be prepared, or a cut or a merge finds no room: there is no space. The reserve is given up, so that
 *    the log goes on for a while and a checkpoint fits, which is asked for; each tick tries again.
 * 2. The log keeps more than it may: there is no space either, until a checkpoint has let segments go.
 * 3. There is space again only when a segment is at hand, the reserve has been made anew, and the log is short enough.
 */
import { invariant, unreachable } from "../invariant.ts";
import type { PageCut } from "../pages/page-cut.ts";
import type { SnapshotPoint } from "../raft/message.ts";
import type { LogIndex } from "../types.ts";
import type { StorageEffect, StorageLimits } from "./boundary.ts";
import { type WrittenCut, writeCut } from "./checkpoint.ts";
import type { DiskNews, DiskOperation } from "./disk.ts";
import type { DiskProcedure } from "./file-window.ts";
import { LogScrub, type LogScrubStep } from "./log-scrub.ts";
import { giveUpReserve, makeReserve, prepareSegment } from "./log-space.ts";
import type { Segment } from "./log.ts";
import { type FailedMerge, type WrittenMerge, planMerge, writeMerge } from "./merge.ts";
import type { OpenFiles } from "./open-files.ts";
import type { MemoryDamage } from "./page-file-writer.ts";
import { PageScrub, type PageScrubStep } from "./page-scrub.ts";
import type { UpkeepJob } from "./write-job.ts";

/** One of each at a time. */
export type TaskType = Task["type"];

type Task =
  /** Whether there was space. */
  | { readonly type: "segment" | "reserve"; readonly steps: DiskProcedure<boolean> }
  | { readonly type: "relief"; readonly steps: DiskProcedure<void> }
  /** null: there was no space. */
  | { readonly type: "cut"; readonly steps: DiskProcedure<WrittenCut | MemoryDamage | null> }
  | { readonly type: "merge"; readonly steps: DiskProcedure<WrittenMerge | FailedMerge | MemoryDamage | null> }
  | { readonly type: "logScrub"; readonly steps: DiskProcedure<LogScrubStep> }
  | { readonly type: "pageScrub"; readonly steps: DiskProcedure<PageScrubStep> };

type NewsType =
  | "SnapshotAbandoned" | "CutEnded" | "SpaceChanged" | "DamageFound" | "PagesDamaged" | "SnapshotWanted"
  | "MemoryDamaged";
type News = Extract<StorageEffect, { readonly type: NewsType }>;

export type UpkeepEffect =
  /** To be performed; its answer goes to `answered`. */
  | { readonly type: "Perform"; readonly operation: DiskOperation; readonly task: TaskType }
  | { readonly type: "Order"; readonly job: UpkeepJob }
  /** A segment is at hand: what waited for one may go on. */
  | { readonly type: "SegmentReady" }
  | News;

export class Upkeep {
  private readonly files: OpenFiles;
  private readonly limits: StorageLimits;
  private readonly tasks = new Map<TaskType, Task>();
  private readonly logScrub = new LogScrub();
  private readonly pageScrub = new PageScrub();
  private hasReserve: boolean;
  /** As it was said last. */
  private hasSpace = true;
  /** Whether space has been asked for in vain since the last tick. */
  private isRefused = false;
  /** Whether the stored snapshot has changed since it was last looked what to merge. */
  private mayMerge = true;
  /** A snapshot was asked for because there is no space: until it is stored, what the reserve took is for it. */
  private owesSnapshot = false;
  private scrubsPages = false;
  /** Segments that were found damaged, and that the log has not been told to leave yet. */
  private damaged: Segment[] = [];
  /** Whether a segment has been made of the reserve that was given up. */
  private hasTakenSegment = false;
  private isClosing = false;
  private effects: UpkeepEffect[] = [];

  /** @param hasReserve whether its file is there */
  constructor(files: OpenFiles, limits: StorageLimits, hasReserve: boolean) {
    this.files = files;
    this.limits = limits;
    this.hasReserve = hasReserve;
  }

  /** Answered by a Publication, or by CutEnded and SnapshotAbandoned. */
  storeCut(point: SnapshotPoint, cut: PageCut): readonly UpkeepEffect[] {
    this.begin({ type: "cut", steps: writeCut(this.files, point, cut, this.limits) });
    return this.takeEffects();
  }

  /** The stored snapshot is another one. */
  snapshotChanged(): void {
    this.mayMerge = true;
    this.owesSnapshot = false;
  }

  /** From time to time: what was refused is tried again, and a piece more is looked at. */
  tick(): readonly UpkeepEffect[] {
    this.isRefused = false;
    this.mayMerge = true;
    if (!this.hasSpace) this.wantSnapshot();
    this.leaveDamaged();
    this.scrub();
    return this.look(null);
  }

  /**
   * Begins what is due. Cheap where nothing is.
   *
   * @param lackingBytes how large a segment is waited for; null: none is
   */
  look(lackingBytes: number | null): readonly UpkeepEffect[] {
    if (this.isClosing && lackingBytes === null) return this.takeEffects();
    this.keepSpace(lackingBytes);
    this.judgeSpace();
    if (this.mayMerge && !this.isClosing && !this.tasks.has("merge")) this.mergeIfDue();
    return this.takeEffects();
  }

  answered(type: TaskType, news: DiskNews): readonly UpkeepEffect[] {
    const task = this.tasks.get(type);
    // Given up meanwhile.
    if (task !== undefined) this.advance(task, news);
    return this.takeEffects();
  }

  /** Everything is given up, unanswered, but for space that orders wait for. */
  close(): void {
    for (const type of this.tasks.keys()) if (type !== "segment" && type !== "relief") this.tasks.delete(type);
    this.isClosing = true;
  }

  // Space

  private keepSpace(lackingBytes: number | null): void {
    if (this.isRefused || this.tasks.has("segment") || this.tasks.has("relief")) return;
    const { files, limits } = this;
    const { prepared } = files.log;
    if (prepared === null || (lackingBytes !== null && prepared.size < lackingBytes)) {
      if (this.owesSnapshot && !this.hasReserve) {
        // What the reserve was is the snapshot's, but for one segment, once that is waited for.
        if (lackingBytes === null) return;
        // Where there is room for another reserve there is room for segments.
        if (this.hasTakenSegment) return this.restoreReserve();
      }
      return this.begin({ type: "segment", steps: prepareSegment(files, lackingBytes ?? 0, limits) });
    }
    if (!this.hasReserve && !this.owesSnapshot) this.restoreReserve();
  }

  private restoreReserve(): void {
    if (!this.tasks.has("reserve")) this.begin({ type: "reserve", steps: makeReserve(this.limits) });
  }

  private segmentPrepared(hadSpace: boolean): void {
    this.hasTakenSegment = hadSpace && this.owesSnapshot && !this.hasReserve;
    if (hadSpace) this.effects.push({ type: "SegmentReady" });
    else this.spaceRefused();
  }

  /** Case 1. */
  private spaceRefused(): void {
    this.isRefused = true;
    if (this.hasReserve && !this.tasks.has("relief")) this.begin({ type: "relief", steps: giveUpReserve() });
    else this.sayNoSpace();
  }

  private relieved(): void {
    this.hasReserve = false;
    this.isRefused = false;
    this.sayNoSpace();
  }

  private judgeSpace(): void {
    const isShort = this.files.log.keptBytes <= this.limits.maxLogBytes;
    if (!isShort) return this.sayNoSpace();
    if (this.hasSpace || this.isRefused || !this.hasReserve || this.files.log.prepared === null) return;
    this.hasSpace = true;
    this.effects.push({ type: "SpaceChanged", hasSpace: true });
  }

  private sayNoSpace(): void {
    if (!this.hasSpace) return;
    this.hasSpace = false;
    this.effects.push({ type: "SpaceChanged", hasSpace: false });
    this.wantSnapshot();
  }

  /**
   * So that the log can let everything go that it has now, whoever lags behind: as long as it has anything to store.
   */
  private wantSnapshot(): void {
    const { log, pages } = this.files;
    const through = log.entries.last.index;
    this.owesSnapshot = through > (pages.snapshot?.entry.index ?? 0);
    if (this.owesSnapshot) this.effects.push({ type: "SnapshotWanted", through });
  }

  // Cuts and merges

  private cutWritten(written: WrittenCut | MemoryDamage | null): void {
    if (written !== null && "damagedPage" in written) return this.memoryDamaged(written);
    if (written !== null) {
      this.effects.push({ type: "Order", job: { type: "cut", written } });
      return;
    }
    this.effects.push({ type: "CutEnded", isStored: false }, { type: "SnapshotAbandoned" });
    this.spaceRefused();
  }

  private mergeIfDue(): void {
    this.mayMerge = false;
    const merge = planMerge(this.files.pages);
    if (merge !== null) this.begin({ type: "merge", steps: writeMerge(this.files, merge, this.limits) });
  }

  private merged(written: WrittenMerge | FailedMerge | MemoryDamage | null): void {
    if (written === null) return;
    if ("damagedPage" in written) return this.memoryDamaged(written);
    if ("faults" in written) return this.pagesJudged(written);
    this.effects.push({ type: "Order", job: { type: "merge", written } });
  }

  private memoryDamaged({ damagedPage }: MemoryDamage): void {
    const detail = `page ${damagedPage} of the database is not what its checksum says`;
    this.effects.push({ type: "MemoryDamaged", detail });
  }

  // Scrubbing

  private scrub(): void {
    if (this.tasks.has("logScrub") || this.tasks.has("pageScrub")) return;
    const { files, limits: { scrubBytes } } = this;
    this.scrubsPages = !this.scrubsPages;
    if (this.scrubsPages) this.begin({ type: "pageScrub", steps: this.pageScrub.next(files, scrubBytes) });
    else this.begin({ type: "logScrub", steps: this.logScrub.next(files, scrubBytes) });
  }

  private logScrubbed({ faults }: LogScrubStep): void {
    for (const { fault, segment } of faults) {
      const remedy = "the state is stored anew, and the log is cut behind the damage";
      this.effects.push({ type: "DamageFound", fault, remedy });
      this.damaged.push(segment);
    }
    this.leaveDamaged();
  }

  /** The one that is written only once another one stands ready. */
  private leaveDamaged(): void {
    const { log } = this.files;
    this.damaged = this.damaged.filter((segment) => {
      if (segment === log.current && log.prepared === null) return true;
      this.effects.push({ type: "Order", job: { type: "leave", segment } });
      return false;
    });
  }

  private pagesScrubbed(step: PageScrubStep): void {
    this.pagesJudged(step);
    if (step.manifest === null) return;
    const remedy = "it is written anew";
    this.effects.push({ type: "DamageFound", fault: step.manifest, remedy });
    this.effects.push({ type: "Order", job: { type: "manifest" } });
  }

  private pagesJudged({ faults }: Pick<PageScrubStep, "faults">): void {
    for (const { fault, numbers } of faults) {
      const remedy = "the pages are written anew, from memory";
      this.effects.push({ type: "DamageFound", fault, remedy }, { type: "PagesDamaged", numbers });
      this.effects.push({ type: "SnapshotWanted", through: 0 as LogIndex });
    }
  }

  // Tasks

  private begin(task: Task): void {
    invariant(!this.tasks.has(task.type), "one task of a kind at a time");
    this.tasks.set(task.type, task);
    this.advance(task, null);
  }

  /** `news`: of the step before; null: this is the first. */
  private advance(task: Task, news: DiskNews | null): void {
    switch (task.type) {
      case "segment":
        return this.goOn(task.type, task.steps, news, (hadSpace) => this.segmentPrepared(hadSpace));
      case "reserve":
        return this.goOn(task.type, task.steps, news, (hadSpace) => {
          this.hasReserve = hadSpace;
          if (hadSpace) this.hasTakenSegment = false;
          else this.spaceRefused();
        });
      case "relief":
        return this.goOn(task.type, task.steps, news, () => this.relieved());
      case "cut":
        return this.goOn(task.type, task.steps, news, (written) => this.cutWritten(written));
      case "merge":
        return this.goOn(task.type, task.steps, news, (written) => this.merged(written));
      case "logScrub":
        return this.goOn(task.type, task.steps, news, (step) => this.logScrubbed(step));
      case "pageScrub":
        return this.goOn(task.type, task.steps, news, (step) => this.pagesScrubbed(step));
      default:
        return unreachable(task);
    }
  }

  private goOn<T>(
    task: TaskType, steps: DiskProcedure<T>, news: DiskNews | null, finish: (value: T) => void,
  ): void {
    const step = news === null ? steps.next() : steps.next(news);
    if (!step.done) {
      this.effects.push({ type: "Perform", operation: step.value, task });
      return;
    }
    this.tasks.delete(task);
    finish(step.value);
  }

  private takeEffects(): readonly UpkeepEffect[] {
    if (this.effects.length === 0) return NOTHING;
    const effects = this.effects;
    this.effects = [];
    return effects;
  }
}

const NOTHING: readonly UpkeepEffect[] = [];
