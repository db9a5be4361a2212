/**
 * The storage of one node as a machine: orders in, disk operations and their outcomes out. Synchronous.
 *
 *     start ─> Recovered ─> writeIdentity, once or twice, if the directory belongs to no cluster yet
 *                       ─> persist, compact, storeSnapshot, storeChunk, requestRead and readSnapshot, in any mix
 *                       ─> close ─> Closed
 *
 * Failed may come at any time and is final: nothing is retried, least of all a sync, after which the system may have
 * forgotten what it could not write.
 *
 * What is decided here is the order of life and who is answered; in which order files change stands in write-queue.ts,
 * what a directory means in recovery.ts.
 */
import { invariant, unreachable } from "../invariant.ts";
import type { ReadPurpose } from "../raft/boundary.ts";
import type { SnapshotId } from "../raft/message.ts";
import type { EntryId, Identity, LogIndex } from "../types.ts";
import type { Judged } from "./block.ts";
import type { PersistOrder, SnapshotReader, StorageEffect, StorageFault, StorageOptions } from "./boundary.ts";
import { DiskQueue } from "./disk-queue.ts";
import { resultOf } from "./disk-result.ts";
import type { DiskAnswer, DiskFailure, DiskOperation, DiskResult } from "./disk.ts";
import { type EntryRead, judgeRead, planRead } from "./entry-read.ts";
import type { DiskProcedure } from "./file-window.ts";
import { type StorageState, checkStorage, checkStorageStep } from "./invariants.ts";
import { LOG_FILE } from "./log-file.ts";
import type { OpenFiles } from "./open-files.ts";
import { type Recovery, recover, writeIdentity } from "./recovery.ts";
import type { StoredSnapshot } from "./snapshot-file.ts";
import { type SnapshotReadEffect, SnapshotReads } from "./snapshot-reads.ts";
import { writeSnapshot } from "./snapshot-write.ts";
import { type Awaited, type WriteEffect, WriteQueue } from "./write-queue.ts";

/** Something that takes many disk operations, one after the other. */
type Task =
  | { readonly type: "recovery"; readonly steps: DiskProcedure<Judged<Recovery>> }
  | { readonly type: "identity"; readonly identity: Identity; readonly steps: DiskProcedure<OpenFiles | null> };

/** What a disk operation is for. */
type Purpose =
  | { readonly type: "task" }
  | { readonly type: "write"; readonly awaited: Awaited }
  /** The writing of a snapshot of this node's own, beside everything else. */
  | { readonly type: "snapshotWrite" }
  | { readonly type: "snapshotRead" }
  | { readonly type: "entryRead"; readonly purpose: ReadPurpose; readonly read: EntryRead };

/** What only a member of a cluster has. */
interface MemberFiles {
  readonly files: OpenFiles;
  readonly writes: WriteQueue;
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
  /** A snapshot that is being written; null: none is. */
  private snapshotWrite: DiskProcedure<StoredSnapshot> | null = null;
  /** Whether one is being written, or waits for its name. */
  private isStoring = false;
  /** Whether the directory has an identity, be it one without a cluster. */
  private isKnown = false;
  /** What the input being processed has led to so far. */
  private effects: StorageEffect[] = [];
  /** As of the end of the last input. */
  private checked: StorageState | null = null;

  constructor(options: StorageOptions) {
    const { preallocateBytes, maxWriteBytes } = options.limits;
    invariant(preallocateBytes > 0 && maxWriteBytes > 0, "limits of storage are positive");
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
    const steps = writeIdentity(identity, this.options.limits.preallocateBytes);
    this.begin({ type: "identity", identity, steps });
    return this.takeEffects();
  }

  /**
   * Queues one Persist of raft/; tickets ascend. Answered by Persisted.
   * After `close` or a failure it is dropped, unanswered.
   */
  persist(order: PersistOrder): readonly StorageEffect[] {
    if (this.phase !== "open") return [];
    this.carryOut(this.ofMember().writes.persist(order));
    return this.takeEffects();
  }

  /**
   * The entries up to this one, which the stored snapshot has, may leave the disk. In one order with `persist`; not
   * answered. Reads ordered before get what they asked for; nobody asks for them afterwards.
   */
  compact(through: EntryId): readonly StorageEffect[] {
    if (this.phase !== "open") return [];
    this.carryOut(this.ofMember().writes.compact(through));
    return this.takeEffects();
  }

  /**
   * Makes a snapshot of this node's own durable, once everything ordered before it is written is durable too. Answered
   * by SnapshotStored, also where a newer one has been installed meanwhile; one at a time.
   */
  storeSnapshot(snapshot: SnapshotId, bytes: Uint8Array): readonly StorageEffect[] {
    if (this.phase !== "open") return [];
    invariant(!this.isStoring, "one snapshot is stored at a time");
    this.isStoring = true;
    const { owner } = this.ofMember().files;
    this.snapshotWrite = writeSnapshot(owner, snapshot, bytes, this.options.limits.maxWriteBytes);
    this.advanceSnapshotWrite(null);
    return this.takeEffects();
  }

  /**
   * Keeps a piece of a snapshot that is being received. It begins where the ones before it end, or earlier, or another
   * snapshot. In one order with `persist`, which may then install it. Answered by ChunkStored.
   */
  storeChunk(snapshot: SnapshotId, offset: number, bytes: Uint8Array): readonly StorageEffect[] {
    if (this.phase !== "open") return [];
    this.carryOut(this.ofMember().writes.storeChunk({ snapshot, offset, bytes }));
    return this.takeEffects();
  }

  /** Reads the stored snapshot back: for a member at most maxBytes, to restore all of it. Answered by SnapshotRead. */
  readSnapshot(reader: SnapshotReader, maxBytes: number): readonly StorageEffect[] {
    if (this.phase !== "open") return [];
    this.carryOutSnapshotRead(this.ofMember().snapshotReads.request(reader, maxBytes));
    return this.takeEffects();
  }

  /**
   * Reads durable entries [from, end) back: at least one, and only so many that their records span at most about
   * maxBytes. Answered by EntriesRead with the entries as they stood when asked for, in the order of the requests.
   */
  requestRead(purpose: ReadPurpose, from: LogIndex, end: LogIndex, maxBytes: number): readonly StorageEffect[] {
    if (this.phase !== "open") return [];
    const { log } = this.ofMember().files;
    invariant(end - 1 <= log.durableIndex, "only durable entries are read back");
    const read = planRead(log, from, end, maxBytes);
    const operation: DiskOperation = { type: "read", file: LOG_FILE, offset: read.offset, length: read.length };
    this.order(operation, { type: "entryRead", purpose, read });
    return this.takeEffects();
  }

  /** The answer to a Disk effect, each exactly once, in order within a file. */
  answered(answer: DiskAnswer): readonly StorageEffect[] {
    const purpose = this.disk.take(answer.ticket);
    if (this.phase === "ended") return [];
    if (answer.type === "DiskFailed") this.fail(diskFailed(answer.failure));
    else this.done(purpose, answer.result);
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
    this.snapshotWrite = null;
    this.member?.snapshotReads.close();
    if (this.member !== null) this.carryOut(this.member.writes.close());
    this.closeIfSettled();
    return this.takeEffects();
  }

  private done(purpose: Purpose, result: DiskResult): void {
    switch (purpose.type) {
      case "task":
        if (this.task !== null) this.advance(this.task, result);
        return;
      case "write":
        return this.carryOut(this.ofMember().writes.answered(purpose.awaited, result));
      case "snapshotWrite":
        return this.advanceSnapshotWrite(result);
      case "snapshotRead":
        return this.carryOutSnapshotRead(this.ofMember().snapshotReads.answered(result));
      case "entryRead":
        this.finishRead(purpose.purpose, purpose.read, resultOf(result, "read").bytes);
        return;
      default:
        return unreachable(purpose);
    }
  }

  private begin(task: Task): void {
    invariant(this.task === null, "one task at a time");
    this.task = task;
    this.advance(task, null);
  }

  /** Takes the task one step further. `result`: of the step before; null: this is the first. */
  private advance(task: Task, result: DiskResult | null): void {
    if (task.type === "recovery") {
      const step = result === null ? task.steps.next() : task.steps.next(result);
      if (step.done) this.finishRecovery(step.value);
      else this.order(step.value, { type: "task" });
    } else {
      const step = result === null ? task.steps.next() : task.steps.next(result);
      if (step.done) this.finishIdentity(task.identity, step.value);
      else this.order(step.value, { type: "task" });
    }
  }

  private finishRecovery(judged: Judged<Recovery>): void {
    this.task = null;
    if (!judged.ok) return this.fail(judged.fault);
    this.isKnown = judged.value.recovered.identity !== null;
    this.openFiles(judged.value.files);
    this.effects.push({ type: "Recovered", recovered: judged.value.recovered });
  }

  private finishIdentity(identity: Identity, files: OpenFiles | null): void {
    this.task = null;
    this.isKnown = true;
    this.openFiles(files);
    this.effects.push({ type: "IdentityWritten", identity });
  }

  private openFiles(files: OpenFiles | null): void {
    if (files === null) return;
    const { limits } = this.options;
    const snapshotReads = new SnapshotReads(files, limits.maxWriteBytes);
    this.member = { files, writes: new WriteQueue(files, limits), snapshotReads };
  }

  /** `result`: of the step before; null: this is the first. */
  private advanceSnapshotWrite(result: DiskResult | null): void {
    const steps = this.snapshotWrite;
    if (steps === null) return;
    const step = result === null ? steps.next() : steps.next(result);
    if (!step.done) return this.order(step.value, { type: "snapshotWrite" });
    this.snapshotWrite = null;
    this.carryOut(this.ofMember().writes.publish(step.value));
  }

  private finishRead(purpose: ReadPurpose, read: EntryRead, bytes: Uint8Array): void {
    const judged = judgeRead(read, bytes);
    if (judged.ok) this.effects.push({ type: "EntriesRead", purpose, entries: judged.value });
    else this.fail(judged.fault);
  }

  private carryOut(effects: readonly WriteEffect[]): void {
    for (const effect of effects) {
      if (effect.type === "SnapshotStored") this.isStoring = false;
      if (effect.type === "Perform") this.order(effect.operation, { type: "write", awaited: effect.awaited });
      else if (effect.type === "Failed") this.fail(effect.fault);
      else this.effects.push(effect);
    }
  }

  private carryOutSnapshotRead(effects: readonly SnapshotReadEffect[]): void {
    for (const effect of effects) {
      if (effect.type === "Perform") this.order(effect.operation, { type: "snapshotRead" });
      else if (effect.type === "Failed") this.fail(effect.fault);
      else this.effects.push(effect);
    }
  }

  private order(operation: DiskOperation, purpose: Purpose): void {
    this.effects.push({ type: "Disk", ...this.disk.issue(operation, purpose) });
  }

  private closeIfSettled(): void {
    if (this.phase !== "closing" || this.disk.size > 0 || this.member?.writes.isSettled === false) return;
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

  private checkLaws(): void {
    const { state } = this;
    if (state !== null) checkStorage(state);
    if (state !== null && this.checked !== null) checkStorageStep(this.checked, state);
    this.checked = state;
  }

  private takeEffects(): readonly StorageEffect[] {
    this.checkLaws();
    const effects = this.effects;
    this.effects = [];
    return effects;
  }
}

function diskFailed(failure: DiskFailure): StorageFault {
  return { type: "diskFailed", file: failure.file, code: failure.code, detail: failure.message };
}
