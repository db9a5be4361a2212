/**
 * What storage does beside the orders that it is given, in files that nothing relies on yet: it keeps the next segment
 * of the log and a reserve at hand, writes cuts down, merges files of pages, and reads everything over and over in
 * search of damage. What has been written becomes part of the state by the write queue only (Publication).
 *
 * The one hard idea is want of space, which is no failure here. The cases:
 * 1. What is to be held (log-space.ts) cannot be taken: there is no space. Each tick tries again.
 * 2. The log keeps more than it may: there is no space either, until a checkpoint has let segments go.
 * 3. A cut finds no room: there is none, and the cut is written once more in the room of the reserve, which is given up
 *    for it as soon as nobody else is taking space. The cut does not fail for want of space: reserve.ts says why.
 * 4. A merge finds no room: it is put off, longer each time. Nothing depends on it.
 * Where there is no space a checkpoint is asked for, so that the log can let segments go. There is space again once all
 * that is to be held is.
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
import { type Lack, type SpaceNeed, giveUpReserve, spaceNeeded, takeSpace } from "./log-space.ts";
import type { Segment } from "./log.ts";
import { type FailedMerge, type WrittenMerge, planMerge, writeMerge } from "./merge.ts";
import type { OpenFiles } from "./open-files.ts";
import type { MemoryDamage } from "./page-file-writer.ts";
import { PageScrub, type PageScrubStep } from "./page-scrub.ts";
import { checkpointSize } from "./reserve.ts";
import type { UpkeepJob } from "./write-job.ts";
import type { WriteEffect } from "./write-queue.ts";

/** One of each at a time. */
export type TaskType = Task["type"];

type Task =
  /** Whether there was space. */
  | { readonly type: "space"; readonly steps: DiskProcedure<boolean> }
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
  /** What waited for space may go on. */
  | { readonly type: "SpaceTaken" }
  | News;

/** For at most so many ticks a merge that found no room is put off. */
const MAX_MERGE_PAUSE = 256;

interface OrderedCut {
  readonly point: SnapshotPoint;
  readonly cut: PageCut;
}

export class Upkeep {
  private readonly files: OpenFiles;
  private readonly limits: StorageLimits;
  private readonly tasks = new Map<TaskType, Task>();
  private readonly logScrub = new LogScrub();
  private readonly pageScrub = new PageScrub();
  /** As it was said last. */
  private hasSpace = true;
  /** Whether space has been asked for in vain since the last tick. */
  private isRefused = false;
  /** The one under way; null: none is. */
  private cut: OrderedCut | null = null;
  /** It has found no room, and waits for that of the reserve. */
  private awaitsReserve = false;
  /** Whether the stored snapshot has changed since it was last looked what to merge. */
  private mayMerge = true;
  /** For how many ticks no merge is tried, and for how many after the next one that finds no room. */
  private mergePause = 0;
  private nextMergePause = 1;
  private scrubsPages = false;
  /** Segments that were found damaged, and that the log has not been told to leave yet. */
  private damaged: Segment[] = [];
  private isClosing = false;
  private effects: UpkeepEffect[] = [];

  constructor(files: OpenFiles, limits: StorageLimits) {
    this.files = files;
    this.limits = limits;
  }

  /** Answered by a Publication, or by CutEnded and SnapshotAbandoned. */
  storeCut(point: SnapshotPoint, cut: PageCut): readonly UpkeepEffect[] {
    invariant(this.cut === null, "one cut at a time is stored");
    this.cut = { point, cut };
    // While a segment is being made of it, there is no other room either.
    if (this.files.reserve.isLent) this.awaitsReserve = true;
    else this.begin({ type: "cut", steps: writeCut(this.files, point, cut, this.limits) });
    return this.takeEffects();
  }

  /** What the write queue has to say. */
  heard(type: WriteEffect["type"]): void {
    if (type === "SnapshotStored" || type === "SnapshotRewritten") this.mayMerge = true;
    if (type === "CutEnded") this.cutEnded();
  }

  /** The cut is in force, or given up. */
  private cutEnded(): void {
    this.cut = null;
    this.files.reserve.isLent = false;
  }

  /** From time to time: what was refused is tried again, and a piece more is looked at. */
  tick(): readonly UpkeepEffect[] {
    this.isRefused = false;
    this.mayMerge = true;
    this.mergePause = Math.max(0, this.mergePause - 1);
    if (!this.hasSpace) this.wantSnapshot();
    this.leaveDamaged();
    this.scrub();
    return this.look(null);
  }

  /**
   * Begins what is due. Cheap where nothing is.
   *
   * @param lack what orders wait for; null: none does
   */
  look(lack: Lack | null): readonly UpkeepEffect[] {
    if (this.isClosing && lack === null) return this.takeEffects();
    this.keepSpace(lack);
    const isIdle = !this.tasks.has("merge") && this.mayTakeSpace;
    if (this.mayMerge && this.mergePause === 0 && !this.isClosing && isIdle) this.mergeIfDue();
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
    for (const type of this.tasks.keys()) if (type !== "space") this.tasks.delete(type);
    this.awaitsReserve = false;
    this.files.reserve.isLent = false;
    this.isClosing = true;
  }

  // Space

  private keepSpace(lack: Lack | null): void {
    const { files, limits } = this;
    if (this.tasks.has("space")) return;
    if (!this.mayTakeSpace) return this.lendReserve();
    // One segment is written, and in the one before the snapshot's entry may stand: fewer there cannot be.
    const isShort = files.log.keptBytes <= limits.maxLogBytes || files.log.segments.length <= 2;
    if (!isShort) this.sayNoSpace();
    if (this.isRefused) return;
    const need = spaceNeeded(files, lack, limits);
    if (need === null) {
      if (isShort) this.saySpace();
    } else if (need.type !== "patience") this.takeSpace(need, lack);
  }

  /** Whether nobody else has a better claim to it. */
  private get mayTakeSpace(): boolean {
    return !this.awaitsReserve && !this.files.reserve.isLent;
  }

  private takeSpace(need: SpaceNeed, lack: Lack | null): void {
    const { files, limits, tasks } = this;
    const isAlone = (): boolean => this.cut === null && !tasks.has("merge") && !files.reserve.isReceiving;
    this.begin({ type: "space", steps: takeSpace(files, need, { lack, isAlone }, limits) });
  }

  private spaceTaken(hadSpace: boolean): void {
    if (hadSpace) this.effects.push({ type: "SpaceTaken" });
    else this.spaceRefused();
  }

  /** Case 1. */
  private spaceRefused(): void {
    this.isRefused = true;
    this.sayNoSpace();
  }

  /** Case 3, once nobody is taking space any more who began before. */
  private lendReserve(): void {
    const { files, files: { reserve }, cut, tasks } = this;
    if (!this.awaitsReserve || cut === null || tasks.has("merge") || reserve.isReceiving) return;
    this.awaitsReserve = false;
    if (reserve.size < checkpointSize(files, cut.cut)) return this.cutAbandoned();
    reserve.isLent = true;
    this.begin({ type: "cut", steps: writeInReserve(files, cut, this.limits) });
  }

  private saySpace(): void {
    if (this.hasSpace) return;
    this.hasSpace = true;
    this.nextMergePause = 1;
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
    const stored = pages.snapshot?.entry.index ?? (0 as LogIndex);
    // A snapshot may have come into force before the log had all that it has: then the log can let more go by now.
    if (through > stored || log.isDroppable(stored)) this.effects.push({ type: "SnapshotWanted", through });
  }

  // Cuts and merges

  private cutWritten(written: WrittenCut | MemoryDamage | null): void {
    if (written !== null && "damagedPage" in written) return this.memoryDamaged(written);
    const { reserve } = this.files;
    if (written !== null) {
      this.effects.push({ type: "Order", job: { type: "cut", written } });
      return;
    }
    this.spaceRefused();
    if (reserve.size > 0) this.awaitsReserve = true;
    else this.cutAbandoned();
  }

  private cutAbandoned(): void {
    this.cutEnded();
    this.effects.push({ type: "CutEnded", isStored: false }, { type: "SnapshotAbandoned" });
  }

  private mergeIfDue(): void {
    this.mayMerge = false;
    const merge = planMerge(this.files.pages);
    const mayGoOn = (): boolean => this.mayTakeSpace;
    if (merge !== null) this.begin({ type: "merge", steps: writeMerge(this.files, merge, this.limits, mayGoOn) });
  }

  private merged(written: WrittenMerge | FailedMerge | MemoryDamage | null): void {
    if (written === null) {
      this.mergePause = this.nextMergePause;
      this.nextMergePause = Math.min(2 * this.nextMergePause, MAX_MERGE_PAUSE);
      return;
    }
    if ("damagedPage" in written) return this.memoryDamaged(written);
    this.nextMergePause = 1;
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
      case "space":
        return this.goOn(task.type, task.steps, news, (hadSpace) => this.spaceTaken(hadSpace));
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

/** In the room of the reserve, which is the cut's alone from now on. */
function* writeInReserve(
  files: OpenFiles, { point, cut }: OrderedCut, limits: StorageLimits,
): DiskProcedure<WrittenCut | MemoryDamage | null> {
  yield* giveUpReserve(files.reserve);
  return yield* writeCut(files, point, cut, limits);
}

const NOTHING: readonly UpkeepEffect[] = [];
