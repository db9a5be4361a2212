/**
 * The storage of one node as a machine: orders in, disk operations and their outcomes out. Synchronous.
 *
 *     start ─> Recovered ─> writeIdentity, once or twice, if the directory belongs to no cluster yet
 *                       ─> persist, compact, checkpoint, storeChunk, requestRead, readSnapshot, restore, tick
 *                       ─> close ─> Closed
 *
 * Failed may come at any time and is final: nothing is retried, least of all a sync, after which the system may have
 * forgotten what it could not write. Which failures are not the end stands in disk-failure.ts.
 *
 * What is decided here is the order of life and who is answered. In which order the state changes stands in
 * write-queue.ts, what is done beside it in upkeep.ts, what a directory means in recovery.ts.
 */
import { invariant, unreachable } from "../invariant.ts";
import type { PageCut } from "../pages/page-cut.ts";
import type { ReadPurpose } from "../raft/boundary.ts";
import type { SnapshotId, SnapshotPoint } from "../raft/message.ts";
import type { EntryId, Identity, LogIndex, MemberId } from "../types.ts";
import { type Judged, brokenRule } from "./block.ts";
import type { PersistOrder, StorageEffect, StorageFault, StorageOptions } from "./boundary.ts";
import { isBearable } from "./disk-failure.ts";
import { DiskQueue } from "./disk-queue.ts";
import { bytesOf, refusedBy } from "./disk-result.ts";
import type { DiskAnswer, DiskNews, DiskOperation } from "./disk.ts";
import { type EntryRead, judgeRead, planRead } from "./entry-read.ts";
import type { DiskProcedure } from "./file-window.ts";
import { StorageLaws, type StorageState } from "./invariants.ts";
import type { OpenFiles } from "./open-files.ts";
import { type Recovery, recover, writeIdentity } from "./recovery.ts";
import { type RestorationEffect, Restoration } from "./restoration.ts";
import { type SnapshotReadEffect, SnapshotReads } from "./snapshot-reads.ts";
import { type TaskType, type UpkeepEffect, Upkeep } from "./upkeep.ts";
import { type Awaited, type WriteEffect, WriteQueue } from "./write-queue.ts";

/** What comes before there is anything else. */
type Task =
  | { readonly type: "recovery"; readonly steps: DiskProcedure<Judged<Recovery>> }
  | { readonly type: "identity"; readonly identity: Identity; readonly steps: DiskProcedure<Judged<OpenFiles | null>> };

/** What a disk operation is for. */
type Purpose =
  | { readonly type: "task" }
  | { readonly type: "write"; readonly awaited: Awaited }
  | { readonly type: "upkeep"; readonly task: TaskType }
  | { readonly type: "snapshotRead" }
  | { readonly type: "restoration"; readonly restoration: Restoration }
  | { readonly type: "entryRead"; readonly purpose: ReadPurpose; readonly read: EntryRead };

/** What only a member of a cluster has. */
interface MemberFiles {
  readonly files: OpenFiles;
  readonly writes: WriteQueue;
  readonly upkeep: Upkeep;
  readonly snapshotReads: SnapshotReads;
}

type Phase =
  | "created"
  /** Recovery or the writing of an identity goes on, or nothing does. */
  | "open"
  /** What was asked for is being finished. */
  | "closing"
  /** Closed or Failed has been said. */
  | "ended";

export class Storage {
  private readonly options: StorageOptions;
  private readonly disk = new DiskQueue<Purpose>();
  private phase: Phase = "created";
  private task: Task | null = null;
  /** null: recovery is not over, or the node belongs to no cluster yet. */
  private member: MemberFiles | null = null;
  /** The restore that was asked for last; null: it is over. */
  private restoration: Restoration | null = null;
  /** Whether the directory has an identity, be it one without a cluster. */
  private isKnown = false;
  /** What the input being processed has led to so far. */
  private effects: StorageEffect[] = [];
  private readonly laws = new StorageLaws();

  constructor(options: StorageOptions) {
    const { segmentBytes, maxWriteBytes, maxLogBytes, reserveBytes, scrubBytes } = options.limits;
    const isPositive = Math.min(segmentBytes, maxWriteBytes, maxLogBytes, reserveBytes, scrubBytes) > 0;
    invariant(isPositive, "limits of storage are positive");
    this.options = options;
  }

  /** Storage of a member, as its laws see it; null: there is none yet. */
  get state(): StorageState | null {
    return this.member?.writes.state ?? null;
  }

  /** Begins recovery. Answered by Recovered, or by Failed where the directory must not be used. */
  start(): readonly StorageEffect[] {
    invariant(this.phase === "created", "storage starts once");
    this.phase = "open";
    this.begin({ type: "recovery", steps: recover(this.options) });
    return this.takeEffects();
  }

  /**
   * Makes the identity durable, atomically. Answered by IdentityWritten; one at a time. One without a cluster comes
   * first. One with a cluster also creates the log and the hard state (term 0, no vote), before the identity that
   * promises them: only from then on may anything be persisted. After `close` or a failure it is dropped, unanswered.
   */
  writeIdentity(identity: Identity): readonly StorageEffect[] {
    invariant(this.phase !== "created" && this.member === null, "an identity is written before anything else");
    if (this.phase !== "open") return [];
    invariant(identity.cluster === null || this.isKnown, "an identity without a cluster comes first");
    this.begin({ type: "identity", identity, steps: writeIdentity(identity, this.options.limits) });
    return this.takeEffects();
  }

  /**
   * Queues one Persist of raft/; tickets ascend. Answered by Persisted.
   * After `close` or a failure it is dropped, unanswered.
   */
  persist(order: PersistOrder): readonly StorageEffect[] {
    return this.ask(({ writes }) => this.written(writes.persist(order)));
  }

  /**
   * The entries up to this one, which the stored snapshot has, may leave the disk. In one order with `persist`; not
   * answered. Reads ordered before get what they asked for; nobody asks for them afterwards.
   */
  compact(through: EntryId): readonly StorageEffect[] {
    return this.ask(({ writes }) => this.written(writes.compact(through)));
  }

  /**
   * Makes the state as of `point` durable: what has changed of it since the stored snapshot is in the cut. It is in
   * force once everything ordered before it is written is durable too. Answered by CutEnded and SnapshotStored or
   * SnapshotAbandoned; one at a time.
   */
  checkpoint(point: SnapshotPoint, cut: PageCut): readonly StorageEffect[] {
    return this.ask(({ upkeep }) => this.keptUp(upkeep.storeCut(point, cut)));
  }

  /**
   * Keeps a piece of a snapshot that is being received. It begins where the ones before it have led to, or earlier, or
   * another snapshot. In one order with `persist`, which may then install it. Answered by ChunkStored.
   */
  storeChunk(snapshot: SnapshotId, offset: number, bytes: Uint8Array): readonly StorageEffect[] {
    return this.ask(({ writes }) => this.written(writes.storeChunk({ snapshot, offset, bytes })));
  }

  /** Whatever takes the place of this snapshot, its stream stays readable until it is released as often as pinned. */
  pinSnapshot(snapshot: SnapshotId): void {
    if (this.phase === "open") this.ofMember().files.pages.pin(snapshot);
  }

  releaseSnapshot(snapshot: SnapshotId): readonly StorageEffect[] {
    return this.ask(({ writes, files }) => {
      files.pages.release(snapshot);
      this.written(writes.removeUnused());
    });
  }

  /** Reads at most maxBytes of a snapshot's stream, for a member. Answered by SnapshotRead. */
  readSnapshot(to: MemberId, snapshot: SnapshotId, offset: number, maxBytes: number): readonly StorageEffect[] {
    return this.ask(({ snapshotReads }) => {
      this.read(snapshotReads.request({ to, snapshot, offset, maxBytes }), { type: "snapshotRead" });
    });
  }

  /** Reads the stored snapshot back. Answered by RestoreSteps, unless another one follows, or by SnapshotDamaged. */
  restore(snapshot: SnapshotId): readonly StorageEffect[] {
    return this.ask(({ files }) => {
      this.restoration?.giveUp(files);
      this.restoration = new Restoration(files, snapshot, this.options.limits);
      this.read(this.restoration.start(), { type: "restoration", restoration: this.restoration });
    });
  }

  /**
   * Reads durable entries [from, end) back: at least one, and only so many that their records span at most about
   * maxBytes. Answered by EntriesRead with the entries as they stood when asked for, in the order of the requests.
   */
  requestRead(purpose: ReadPurpose, from: LogIndex, end: LogIndex, maxBytes: number): readonly StorageEffect[] {
    return this.ask(({ files: { log } }) => {
      invariant(end - 1 <= log.durableIndex, "only durable entries are read back");
      const read = planRead(log, from, end, maxBytes);
      const operation: DiskOperation = { type: "read", file: read.file, offset: read.offset, length: read.length };
      this.order(operation, { type: "entryRead", purpose, read });
    });
  }

  /** What the disk had lost is there again: the marker goes. In one order with `persist`; not answered. */
  forgetLoss(): readonly StorageEffect[] {
    return this.ask(({ writes }) => this.written(writes.forgetLoss()));
  }

  /** A configuration is committed in which others are counted, too. In one order with `persist`; not answered. */
  noteOtherVoters(): readonly StorageEffect[] {
    return this.ask(({ writes }) => this.written(writes.noteOtherVoters()));
  }

  /** Marks the directory: the next start discards log and snapshot, and knows them as lost. Answered by Quarantined. */
  quarantine(): readonly StorageEffect[] {
    return this.ask(({ writes }) => this.written(writes.quarantine()));
  }

  /** To be called every `tickMs`: marks the end of a log that rests, scrubs a piece, tries again to take space. */
  tick(): readonly StorageEffect[] {
    if (this.member === null) return [];
    return this.ask(({ writes, upkeep }) => {
      this.written(writes.rest());
      this.keptUp(upkeep.tick());
    });
  }

  /** The answer to a Disk effect, each exactly once, in order within a file. */
  answered(answer: DiskAnswer): readonly StorageEffect[] {
    const { purpose, operation } = this.disk.take(answer.ticket);
    if (this.phase === "ended") return [];
    if (answer.type === "DiskDone") this.done(purpose, answer.result);
    else if (isBearable(operation, answer.failure)) this.done(purpose, { type: "failed", failure: answer.failure });
    else this.fail(refusedBy(answer.failure).fault);
    this.look();
    this.closeIfSettled();
    return this.takeEffects();
  }

  /**
   * Finishes what is queued, leaves a closing mark, then says Closed. What has not come so far that it must be finished
   * (recovery, the writing of an identity or of a snapshot, compaction) is given up. A second call changes nothing.
   */
  close(): readonly StorageEffect[] {
    if (this.phase === "ended" || this.phase === "closing") return [];
    this.phase = "closing";
    this.task = null;
    this.restoration = null;
    this.member?.snapshotReads.close();
    this.member?.upkeep.close();
    if (this.member !== null) this.written(this.member.writes.close());
    this.look();
    this.closeIfSettled();
    return this.takeEffects();
  }

  /** After `close` or a failure an order is dropped, unanswered. */
  private ask(order: (member: MemberFiles) => void): readonly StorageEffect[] {
    if (this.phase !== "open") return [];
    order(this.ofMember());
    this.look();
    return this.takeEffects();
  }

  /** Whatever is due beside the orders begins. */
  private look(): void {
    if (this.phase === "ended" || this.member === null) return;
    const { upkeep, writes } = this.member;
    this.keptUp(upkeep.look(writes.lack));
  }

  private done(purpose: Purpose, news: DiskNews): void {
    switch (purpose.type) {
      case "task":
        if (this.task !== null) this.advance(this.task, news);
        return;
      case "write":
        return this.written(this.ofMember().writes.answered(purpose.awaited, news));
      case "upkeep":
        return this.keptUp(this.ofMember().upkeep.answered(purpose.task, news));
      case "snapshotRead":
        return this.read(this.ofMember().snapshotReads.answered(news), purpose);
      case "restoration":
        if (purpose.restoration !== this.restoration) return;
        return this.read(purpose.restoration.answered(news), purpose);
      case "entryRead":
        return this.finishRead(purpose.purpose, purpose.read, news);
      default:
        return unreachable(purpose);
    }
  }

  private begin(task: Task): void {
    this.task = task;
    this.advance(task, null);
  }

  /** Takes the task one step further. `news`: of the step before; null: this is the first. */
  private advance(task: Task, news: DiskNews | null): void {
    if (task.type === "recovery") {
      const step = news === null ? task.steps.next() : task.steps.next(news);
      if (step.done) this.finishRecovery(step.value);
      else this.order(step.value, { type: "task" });
    } else {
      const step = news === null ? task.steps.next() : task.steps.next(news);
      if (step.done) this.finishIdentity(task.identity, step.value);
      else this.order(step.value, { type: "task" });
    }
  }

  private finishRecovery(judged: Judged<Recovery>): void {
    this.task = null;
    if (!judged.ok) return this.fail(judged.fault);
    const { recovered, files } = judged.value;
    this.isKnown = recovered.identity !== null;
    this.openFiles(files);
    this.effects.push({ type: "Recovered", recovered });
  }

  private finishIdentity(identity: Identity, files: Judged<OpenFiles | null>): void {
    this.task = null;
    if (!files.ok) return this.fail(files.fault);
    this.isKnown = true;
    this.openFiles(files.value);
    this.effects.push({ type: "IdentityWritten", identity });
  }

  private openFiles(files: OpenFiles | null): void {
    if (files === null) return;
    const { limits, rarely } = this.options;
    const writes = new WriteQueue(files, limits, rarely);
    const upkeep = new Upkeep(files, limits);
    this.member = { files, writes, upkeep, snapshotReads: new SnapshotReads(files) };
  }

  private finishRead(purpose: ReadPurpose, read: EntryRead, news: DiskNews): void {
    const bytes = bytesOf(news);
    const judged = bytes === null ? brokenRule(read.file, read.offset, "a log can be read") : judgeRead(read, bytes);
    if (judged.ok) this.effects.push({ type: "EntriesRead", purpose, entries: judged.value });
    else this.fail(judged.fault);
  }

  private written(effects: readonly WriteEffect[]): void {
    for (const effect of effects) {
      this.ofMember().upkeep.heard(effect.type);
      if (effect.type === "Perform") this.order(effect.operation, { type: "write", awaited: effect.awaited });
      else if (effect.type === "Failed") this.fail(effect.fault);
      else this.effects.push(effect);
    }
  }

  private keptUp(effects: readonly UpkeepEffect[]): void {
    for (const effect of effects) {
      switch (effect.type) {
        case "Perform":
          this.order(effect.operation, { type: "upkeep", task: effect.task });
          break;
        case "Order":
          this.written(this.ofMember().writes.upkeep(effect.job));
          break;
        case "SpaceTaken":
          this.written(this.ofMember().writes.goOn());
          break;
        default:
          this.effects.push(effect);
      }
    }
  }

  /** @param purpose of its operations */
  private read(effects: readonly (SnapshotReadEffect | RestorationEffect)[], purpose: Purpose): void {
    for (const effect of effects) {
      if (effect.type === "Perform") this.order(effect.operation, purpose);
      else this.effects.push(effect);
    }
  }

  private order(operation: DiskOperation, purpose: Purpose): void {
    this.effects.push({ type: "Disk", ...this.disk.issue(operation, purpose) });
  }

  private closeIfSettled(): void {
    if (this.phase !== "closing" || this.disk.size > 0) return;
    const writes = this.member?.writes ?? null;
    // Nothing is under way, and yet something waits: for space that cannot be had.
    if (writes !== null && !writes.isSettled) {
      this.written(writes.giveUp());
      return this.closeIfSettled();
    }
    this.phase = "ended";
    this.effects.push({ type: "Closed" });
  }

  private fail(fault: StorageFault): void {
    this.phase = "ended";
    this.task = null;
    this.effects.push({ type: "Failed", fault });
  }

  private ofMember(): MemberFiles {
    invariant(this.member !== null, "only a member of a cluster has a log");
    return this.member;
  }

  private takeEffects(): readonly StorageEffect[] {
    this.laws.check(this.state);
    const { effects } = this;
    this.effects = [];
    if (effects.length < 2) return effects;
    // Operations first: whoever hears that an order is durable may give the next one at once.
    const operations = effects.filter(({ type }) => type === "Disk");
    if (operations.length === 0) return effects;
    return [...operations, ...effects.filter(({ type }) => type !== "Disk")];
  }
}
