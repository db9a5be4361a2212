/**
 * A simulated disk: the contract of core/storage/disk.ts, broken in every way that the contract leaves open.
 *
 * An operation takes effect and is answered at its end: late, in order within a file, in any order between files.
 * When the process dies, some of what was under way is performed all the same, from the front of each file's queue,
 * and nobody is told. A death of the process alone leaves the cache, *still unsynced*: a later loss of power may yet
 * take what recovery has read.
 */
import { invariant } from "../core/invariant.ts";
import type { Random } from "../core/random.ts";
import type { DiskFailure, DiskOperation, DiskResult } from "../core/storage/disk.ts";
import { SimulatedFile, type PowerLoss } from "./file.ts";
import { drawDelay } from "./latency.ts";
import type { Tally } from "./tally.ts";

/** Mean times in microseconds. */
export interface DiskSpeed {
  readonly accessUs: number;
  readonly syncUs: number;
}

/** An operation under way. */
export interface PendingOperation {
  readonly operation: DiskOperation;
  readonly doneAt: number;
}

export type DiskOutcome =
  | { readonly ok: true; readonly result: DiskResult }
  | { readonly ok: false; readonly failure: DiskFailure };

/** A change of the directory that no syncDirectory has made durable. */
type DirectoryChange =
  | { readonly type: "create"; readonly file: string; readonly target: SimulatedFile }
  | { readonly type: "rename"; readonly from: string; readonly to: string; readonly target: SimulatedFile }
  | { readonly type: "unlink"; readonly file: string };

const DONE: DiskOutcome = { ok: true, result: { type: "done" } };

export class SimulatedDisk {
  private readonly speed: DiskSpeed;
  private readonly random: Random;
  private readonly tally: Tally;
  private names = new Map<string, SimulatedFile>();
  private durableNames = new Map<string, SimulatedFile>();
  private changes: DirectoryChange[] = [];
  private readonly underWay = new Set<PendingOperation>();
  /** When the last operation of each file ends. */
  private readonly busyUntil = new Map<string, number>();
  private slowUntil = 0;

  constructor(speed: DiskSpeed, random: Random, tally: Tally) {
    this.speed = speed;
    this.random = random;
    this.tally = tally;
  }

  /** Something that a loss of power could take away, or that is under way. */
  get isBusy(): boolean {
    if (this.underWay.size > 0 || this.changes.length > 0) return true;
    for (const file of this.names.values()) if (file.hasUnsynced) return true;
    return false;
  }

  /** Takes an order; whoever schedules hands it to `perform` at `doneAt`, unless the process died before. */
  begin(now: number, operation: DiskOperation): PendingOperation {
    let doneAt = now + this.drawDuration(operation);
    if (doneAt < this.slowUntil) {
      this.tally.effect("slowDisk");
      doneAt = this.slowUntil + drawDelay(this.random, this.speed.accessUs);
    }
    for (const file of filesOf(operation)) doneAt = Math.max(doneAt, this.busyUntil.get(file) ?? 0);
    for (const file of filesOf(operation)) this.busyUntil.set(file, doneAt);
    const pending: PendingOperation = { operation, doneAt };
    this.underWay.add(pending);
    return pending;
  }

  perform(pending: PendingOperation): DiskOutcome {
    invariant(this.underWay.delete(pending), "an operation is performed once, in the life that ordered it");
    return this.execute(pending.operation);
  }

  /** Nothing ordered before `until` ends before it. */
  stall(until: number): void {
    this.tally.inject("slowDisk");
    this.slowUntil = Math.max(this.slowUntil, until);
  }

  heal(): void {
    this.slowUntil = 0;
  }

  /** The process dies. `loss`: the power fails too; null: the cache outlives it. */
  crash(loss: PowerLoss | null): void {
    this.performSomeUnanswered();
    this.busyUntil.clear();
    if (loss !== null) this.losePower(loss);
  }

  /** The names that are there now, sorted. */
  list(): string[] {
    return [...this.names.keys()].sort();
  }

  /** What any loss of power would leave of a file: not copied, zeros at the end may be missing; null: no such file. */
  durable(name: string): Uint8Array | null {
    return this.durableNames.get(name)?.durable() ?? null;
  }

  private performSomeUnanswered(): void {
    const stopped = new Set<string>();
    for (const { operation } of this.underWay) {
      this.tally.inject("unansweredOperation");
      const files = filesOf(operation);
      if (files.some((file) => stopped.has(file)) || this.random.oneIn(2)) {
        for (const file of files) stopped.add(file);
      } else {
        if (operation.type !== "read" && operation.type !== "list") this.tally.effect("unansweredOperation");
        this.execute(operation);
      }
    }
    this.underWay.clear();
  }

  private losePower(loss: PowerLoss): void {
    for (const change of this.changes) {
      if (this.random.chance(loss.dropPercent)) {
        this.tally.inject("undoneDirectoryChange");
        this.tally.effect("undoneDirectoryChange");
      } else {
        this.makeDurable(change);
      }
    }
    this.changes = [];
    // A file is settled once, under whichever name; one without a durable name is gone.
    this.names = new Map(this.durableNames);
    for (const file of new Set(this.names.values())) file.losePower(loss, this.random, this.tally);
  }

  private execute(operation: DiskOperation): DiskOutcome {
    switch (operation.type) {
      case "open":
        return this.open(operation.file, operation.create);
      case "list":
        return { ok: true, result: { type: "list", files: this.list() } };
      case "syncDirectory":
        for (const change of this.changes) this.makeDurable(change);
        this.changes = [];
        return DONE;
      case "rename":
        return this.rename(operation.from, operation.to);
      case "unlink":
        if (!this.names.delete(operation.file)) return missing(operation.file);
        this.changes.push({ type: "unlink", file: operation.file });
        return DONE;
      default: {
        const file = this.names.get(operation.file);
        return file === undefined ? missing(operation.file) : access(file, operation);
      }
    }
  }

  private open(name: string, create: boolean): DiskOutcome {
    let file = this.names.get(name);
    if (file === undefined && create) {
      file = new SimulatedFile();
      this.names.set(name, file);
      this.changes.push({ type: "create", file: name, target: file });
    }
    return { ok: true, result: { type: "open", size: file === undefined ? null : file.size } };
  }

  private rename(from: string, to: string): DiskOutcome {
    const file = this.names.get(from);
    if (file === undefined) return missing(from);
    this.names.delete(from);
    this.names.set(to, file);
    this.changes.push({ type: "rename", from, to, target: file });
    return DONE;
  }

  private makeDurable(change: DirectoryChange): void {
    switch (change.type) {
      case "create":
        this.durableNames.set(change.file, change.target);
        return;
      case "unlink":
        this.durableNames.delete(change.file);
        return;
      case "rename":
        // The new name is there whether or not the file's creation was kept: a rename writes the name itself.
        if (this.durableNames.get(change.from) === change.target) this.durableNames.delete(change.from);
        this.durableNames.set(change.to, change.target);
    }
  }

  private drawDuration(operation: DiskOperation): number {
    const slow = operation.type === "sync" || operation.type === "syncDirectory" || operation.type === "preallocate";
    return drawDelay(this.random, slow ? this.speed.syncUs : this.speed.accessUs);
  }
}

function access(file: SimulatedFile, operation: DiskOperation): DiskOutcome {
  switch (operation.type) {
    case "read":
      return { ok: true, result: { type: "read", bytes: file.read(operation.offset, operation.length) } };
    case "write":
      file.write(operation.offset, operation.bytes);
      return DONE;
    case "sync":
      file.sync();
      return DONE;
    case "preallocate":
      file.preallocate(operation.size);
      return DONE;
    default:
      invariant(false, "an access is a read, a write, a sync or a preallocation");
  }
}

function missing(file: string): DiskOutcome {
  return { ok: false, failure: { code: "ENOENT", file, message: `there is no file "${file}"` } };
}

/** The files whose order the operation takes part in; none for those of the directory. */
function filesOf(operation: DiskOperation): readonly string[] {
  switch (operation.type) {
    case "list":
    case "syncDirectory":
      return [];
    case "rename":
      return [operation.from, operation.to];
    default:
      return [operation.file];
  }
}
