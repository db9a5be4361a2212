/**
 * A simulated disk: the contract of core/storage/disk.ts, broken in every way that the contract leaves open, and in
 * those in which disks break.
 *
 * An operation takes effect and is answered at its end: late, in order within a file, in any order between files.
 * When the process dies, some of what was under way is performed all the same, wholly or in part, from the front of
 * each file's queue, and nobody is told. A death of the process alone leaves the cache, *still unsynced*: a later loss
 * of power may yet take what recovery has read.
 */
import { invariant } from "../core/invariant.ts";
import type { DiskOperation } from "../core/storage/disk.ts";
import type { Chance, Dice, Stream } from "./chance.ts";
import { Directory } from "./directory.ts";
import { DONE, type DiskOutcome, ioFailure, missing } from "./disk-outcome.ts";
import { SimulatedFile } from "./file.ts";
import { type DiskSpeed, drawDelay, drawDuration } from "./latency.ts";
import type { PowerLoss } from "./power-loss.ts";
import type { FaultKind, Tally } from "./tally.ts";
import { times } from "./words.ts";

/** An operation under way. */
export interface PendingOperation {
  readonly operation: DiskOperation;
  readonly doneAt: number;
  readonly dice: Dice;
}

/** What a disk refuses with EIO. */
export type FailingOperation = "write" | "sync";

/** Whether these bytes of a file may be read from elsewhere. */
export type MayMisread = (file: string, from: number, end: number) => boolean;

const KIND_OF = { write: "failedWrite", sync: "failedSync" } as const;
/** Whole pages of the cache, as of a write that fails halfway. */
const FAILED_SYNC: PowerLoss = { dropPercent: 40, tearPercent: 30, garblePercent: 0, unit: 4096 };
const NOTHING_LOST: PowerLoss = { dropPercent: 0, tearPercent: 0, garblePercent: 0, unit: 4096 };

export class SimulatedDisk {
  private readonly speed: DiskSpeed;
  private readonly operations: Stream;
  private readonly crashes: Stream;
  private readonly tally: Tally;
  private readonly remembersWrites: boolean;
  private directory = new Directory();
  private readonly underWay = new Set<PendingOperation>();
  /** When the last operation of each file ends. */
  private readonly busyUntil = new Map<string, number>();
  private slowUntil = 0;
  /** How many times longer everything takes. */
  slowness = 1;
  private hung = false;
  /** How many bytes fit. */
  private quota = Infinity;
  private quotaKind: FaultKind = "fullDisk";
  /** How often somebody else has taken what was free. */
  timesLimited = 0;
  private failing: FailingOperation | null = null;
  private mayMisread: MayMisread | null = null;
  /** Who hears of what lasts: `until` Infinity: until something else is told; 0: it is over. null: nobody does. */
  onTrouble: ((kind: FaultKind, until: number) => void) | null = null;
  /** Whether an operation of this process life has failed with EIO, and whether one met damage. */
  hasFailed = false;
  hasMetDamage = false;

  /** `remembersWrites`: writes may be misdirected. */
  constructor(speed: DiskSpeed, chance: Chance, tally: Tally, remembersWrites = false) {
    this.speed = speed;
    this.operations = chance.stream("operation");
    this.crashes = chance.stream("crash");
    this.tally = tally;
    this.remembersWrites = remembersWrites;
  }

  /** Something that a loss of power could take away, or that is under way. */
  get isBusy(): boolean {
    if (this.underWay.size > 0 || this.directory.hasUnsynced) return true;
    for (const file of this.directory.files()) if (file.hasUnsynced) return true;
    return false;
  }

  /** How many bytes its files have. */
  get used(): number {
    let used = 0;
    for (const file of this.directory.files()) used += file.size;
    return used;
  }

  /** Whether anything is damaged. */
  get isDamaged(): boolean {
    return this.someFile(({ damage }) => !damage.isNone);
  }

  /** Whether anything is damaged that its node cannot mend by itself. */
  get isVitallyDamaged(): boolean {
    return this.someFile(({ damage }) => damage.isVital);
  }

  get isFull(): boolean {
    return this.quota < Infinity;
  }

  /** Operations wait for the death of their process. */
  get isHung(): boolean {
    return this.hung;
  }

  get isFailing(): boolean {
    return this.failing !== null;
  }

  get isMisreading(): boolean {
    return this.mayMisread !== null;
  }

  /** Takes an order; whoever schedules hands it to `perform` at `doneAt`, unless the process died before. */
  begin(now: number, operation: DiskOperation): PendingOperation {
    const dice = this.operations.next();
    let doneAt = now + this.slowness * drawDuration(operation, this.speed, dice);
    if (this.slowness > 1) this.tally.effect("starvedDisk");
    if (doneAt < this.slowUntil) {
      this.tally.effect(this.hung ? "hungDisk" : "slowDisk");
      doneAt = this.slowUntil + drawDelay(dice, this.speed.accessUs);
    }
    for (const file of filesOf(operation)) doneAt = Math.max(doneAt, this.busyUntil.get(file) ?? 0);
    for (const file of filesOf(operation)) this.busyUntil.set(file, doneAt);
    const pending: PendingOperation = { operation, doneAt, dice };
    this.underWay.add(pending);
    return pending;
  }

  perform(pending: PendingOperation): DiskOutcome {
    invariant(this.underWay.delete(pending), "an operation is performed once, in the life that ordered it");
    return this.execute(pending.operation, pending.dice);
  }

  // Faults.

  /** Nothing ordered before `until` ends before it. */
  stall(until: number): void {
    this.tally.inject("slowDisk");
    this.slowUntil = Math.max(this.slowUntil, until);
    this.onTrouble?.("slowDisk", this.slowUntil);
  }

  /** Nothing that is ordered from now on ends while the process lives, nor before `until`. */
  hang(until: number): void {
    this.tally.inject("hungDisk");
    this.hung = true;
    this.slowUntil = Math.max(this.slowUntil, until);
    this.onTrouble?.("hungDisk", Infinity);
  }

  /** Every operation of this kind fails until `mend`. */
  fail(failing: FailingOperation): void {
    this.failing = failing;
    this.tally.inject(KIND_OF[failing]);
    this.onTrouble?.(KIND_OF[failing], Infinity);
  }

  mend(): void {
    if (this.failing !== null) this.onTrouble?.(KIND_OF[this.failing], 0);
    this.failing = null;
  }

  /** So many bytes more fit than there are. `kind`: under which fault that is counted. */
  limit(free: number, kind: "fullDisk" | "fullDisks"): void {
    this.tally.inject(kind);
    this.timesLimited++;
    this.quota = this.used + free;
    this.quotaKind = kind;
    this.onTrouble?.(kind, Infinity);
  }

  unlimit(): void {
    if (this.isFull) this.onTrouble?.(this.quotaKind, 0);
    this.quota = Infinity;
  }

  /** The next read that may be is answered with bytes from elsewhere; null: none is. */
  misread(mayMisread: MayMisread | null): void {
    if (mayMisread !== null) this.tally.inject("misdirectedRead");
    this.mayMisread = mayMisread;
  }

  /** What is damaged stays so. */
  heal(): void {
    if (this.slowUntil > 0) this.onTrouble?.("slowDisk", 0);
    this.slowUntil = 0;
    this.endHanging();
    this.mend();
    this.mayMisread = null;
    this.unlimit();
  }

  /** The file as it durably is, for whoever damages it; null: there is no such file. */
  durableFile(name: string): SimulatedFile | null {
    return this.directory.durable(name);
  }

  /**
   * The process dies. `loss`: the power fails too; null: the cache outlives it.
   *
   * @param undonePercent of a hundred changes of the directory that were not synced, how many are undone
   */
  crash(loss: PowerLoss | null, undonePercent = loss?.dropPercent ?? 0): void {
    const dice = this.crashes.next();
    this.performSomeUnanswered(dice);
    this.busyUntil.clear();
    if (this.hung) this.slowUntil = 0;
    this.endHanging();
    this.hasFailed = false;
    this.hasMetDamage = false;
    if (loss === null) return;
    const undone = this.directory.losePower(dice.isLeftOut ? 0 : undonePercent, dice, this.tally);
    if (undone > 0) dice.happened(() => `${times(undone, "change")} of the directory undone`);
    // A file is settled once, under whichever name.
    let hurt = 0;
    for (const file of new Set(this.directory.files())) {
      hurt += file.losePower(dice.isLeftOut ? NOTHING_LOST : loss, dice, this.tally);
    }
    if (hurt > 0) dice.happened(() => `${times(hurt, "write")} lost or torn`);
  }

  /** The names that are there now, sorted. */
  list(): string[] {
    return this.directory.list();
  }

  /** The names that any loss of power would leave, sorted. */
  listDurable(): string[] {
    return this.directory.listDurable();
  }

  /** What any loss of power would leave of a file: not copied, zeros at the end may be missing; null: no such file. */
  durable(name: string): Uint8Array | null {
    return this.directory.durable(name)?.durable() ?? null;
  }

  /** A disk with the same files, and the same operations under way, whose crashes nobody feels or counts. */
  fork(chance: Chance, tally: Tally): SimulatedDisk {
    const fork = new SimulatedDisk(this.speed, chance, tally);
    fork.directory = this.directory.fork();
    for (const pending of this.underWay) fork.underWay.add(pending);
    return fork;
  }

  private endHanging(): void {
    if (this.hung) this.onTrouble?.("hungDisk", 0);
    this.hung = false;
  }

  private someFile(test: (file: SimulatedFile) => boolean): boolean {
    for (const file of this.directory.files()) if (test(file)) return true;
    return this.listDurable().some((name) => test(this.durableFile(name)!));
  }

  /** Left out: nothing of it. */
  private performSomeUnanswered(dice: Dice): void {
    let performed = 0;
    const stopped = new Set<string>();
    for (const { operation } of this.underWay) {
      this.tally.inject("unansweredOperation");
      const files = filesOf(operation);
      if (files.some((file) => stopped.has(file))) continue;
      if (dice.oneIn(2) || dice.isLeftOut) {
        for (const file of files) stopped.add(file);
        const isPartial = operation.type === "write" && dice.oneIn(3);
        if (!isPartial || dice.isLeftOut) continue;
        performed++;
        this.performInPart(operation, dice);
      } else {
        performed++;
        if (operation.type !== "read" && operation.type !== "list") this.tally.effect("unansweredOperation");
        this.execute(operation, dice);
      }
    }
    this.underWay.clear();
    if (performed > 0) dice.happened(() => `${times(performed, "operation")} done unheard`);
  }

  /** A write has come so far when its process dies. */
  private performInPart(write: Extract<DiskOperation, { readonly type: "write" }>, dice: Dice): void {
    if (write.bytes.length < 2) return;
    this.tally.inject("partialWrite");
    const bytes = write.bytes.slice(0, dice.integer(1, write.bytes.length - 1));
    const { ok } = this.execute({ ...write, bytes }, dice);
    if (ok) this.tally.effect("partialWrite");
  }

  private execute(operation: DiskOperation, dice: Dice): DiskOutcome {
    switch (operation.type) {
      case "open":
        return this.open(operation.file, operation.create);
      case "list":
        return { ok: true, result: { type: "list", files: this.list() } };
      case "syncDirectory":
        this.directory.sync();
        return DONE;
      case "rename":
        return this.directory.rename(operation.from, operation.to) ? DONE : missing(operation.from);
      case "unlink":
        return this.directory.remove(operation.file) ? DONE : missing(operation.file);
      default: {
        const file = this.directory.find(operation.file);
        return file === null ? missing(operation.file) : this.access(file, operation, dice);
      }
    }
  }

  private open(name: string, create: boolean): DiskOutcome {
    let file = this.directory.find(name);
    if (file === null && create) {
      file = new SimulatedFile(this.remembersWrites);
      this.directory.add(name, file);
    }
    return { ok: true, result: { type: "open", size: file === null ? null : file.size } };
  }

  private access(file: SimulatedFile, operation: DiskOperation, dice: Dice): DiskOutcome {
    switch (operation.type) {
      case "read":
        return this.read(file, operation, dice);
      case "write":
        if (this.failing === "write") return this.failed(operation.file, "failedWrite", "the write failed");
        if (!this.fits(file, operation.offset + operation.bytes.length)) return this.noSpace(operation.file);
        file.write(operation.offset, operation.bytes);
        return DONE;
      case "sync":
        if (this.failing === "sync") {
          // What the system could not write it forgets, and says so once.
          file.losePower(FAILED_SYNC, dice, this.tally);
          return this.failed(operation.file, "failedSync", "the sync failed");
        }
        file.sync(dice);
        return DONE;
      case "preallocate":
        if (!this.fits(file, operation.size)) return this.noSpace(operation.file);
        file.preallocate(operation.size);
        return DONE;
      default:
        invariant(false, "an access is a read, a write, a sync or a preallocation");
    }
  }

  private read(
    file: SimulatedFile, { file: name, offset, length }: Extract<DiskOperation, { readonly type: "read" }>, dice: Dice,
  ): DiskOutcome {
    const end = Math.min(offset + length, file.size);
    if (!file.damage.isNone) {
      const met = file.damage.meet(offset, end);
      for (const kind of met) this.tally.effect(kind);
      if (file.damage.touches(offset, end)) this.hasMetDamage = true;
      const unreadable = file.damage.unreadable(offset, end);
      if (unreadable !== null) return ioFailure(name, `the sector at ${unreadable} cannot be read`);
    }
    let from = offset;
    if (offset < end && this.mayMisread?.(name, offset, end) === true) {
      this.mayMisread = null;
      this.tally.effect("misdirectedRead");
      this.hasMetDamage = true;
      // The same file, another place: what is wrong with it is no more than where it stands.
      from = dice.integer(0, file.size - 1);
    }
    const bytes = file.read(from, end - offset);
    if (from === offset || bytes.length === end - offset) return { ok: true, result: { type: "read", bytes } };
    const filled = new Uint8Array(end - offset);
    filled.set(bytes);
    return { ok: true, result: { type: "read", bytes: filled } };
  }

  /** Whether there is space for the file to grow so far. */
  private fits(file: SimulatedFile, size: number): boolean {
    return size <= file.size || this.quota === Infinity || this.used + size - file.size <= this.quota;
  }

  private noSpace(file: string): DiskOutcome {
    this.tally.effect(this.quotaKind);
    return { ok: false, failure: { code: "ENOSPC", file, message: "no space is left" } };
  }

  private failed(file: string, kind: FaultKind, message: string): DiskOutcome {
    this.tally.effect(kind);
    this.hasFailed = true;
    return ioFailure(file, message);
  }
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
