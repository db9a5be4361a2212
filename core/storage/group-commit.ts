/**
 * Group commit: how the parts of a group become durable, one group at a time. Knows no queue (write-queue.ts) and no
 * recovery.
 *
 * A group is, in this order: the newest hard state, synced; then the truncations and entries of all its parts in one
 * write, synced. As a group begins only when the one before is durable, each record can truly say that everything
 * before its group was: on that log-recovery.ts founds its judgement of torn writes. When nothing waits, a mark says
 * the same of the last group. Nobody waits for a mark, so it is synced only on close.
 *
 * Space is taken in steps before it is needed, so that a sync has no new size of the file to make durable.
 */
import { invariant } from "../invariant.ts";
import type { HardState, Ticket } from "../types.ts";
import type { PersistOrder, StorageLimits } from "./boundary.ts";
import type { DiskOperation } from "./disk.ts";
import { LOG_FILE } from "./log-file.ts";
import type { OpenFiles } from "./open-files.ts";
import type { Mark } from "./record.ts";
import { TERM_FILE, type TermSlot, encodeSlot, slotOffset } from "./term-file.ts";

/** What a group makes durable of an order. */
export interface GroupPart extends Pick<PersistOrder, "hardState" | "truncateTo" | "entries"> {
  /** Whom it answers once durable; null: more of its order follows. */
  readonly answers: Ticket | null;
}

/** Operations to be performed in the order given. `synced`: whose sync this is, to be reported when done. */
export interface GroupOperation {
  readonly operation: DiskOperation;
  readonly synced: SyncedFile | null;
}

export type SyncedFile = "term" | "log";

/** Parts that become durable together. */
interface Group {
  readonly parts: readonly GroupPart[];
  /** The hard state on its way to disk; null: it is there, or the group has none. */
  slot: TermSlot | null;
}

/** What the answer to a sync leads to. `done`: the parts that are durable with it; null: the group goes on. */
export interface GroupProgress {
  readonly operations: readonly GroupOperation[];
  readonly done: readonly GroupPart[] | null;
}

export class GroupCommit {
  private readonly files: OpenFiles;
  private readonly limits: StorageLimits;
  /** "closing": the sync after the last mark is under way. */
  private underWay: Group | "closing" | null = null;

  constructor(files: OpenFiles, limits: StorageLimits) {
    this.files = files;
    this.limits = limits;
  }

  begin(parts: readonly GroupPart[]): readonly GroupOperation[] {
    invariant(this.underWay === null && parts.length > 0, "one group at a time");
    const group: Group = { parts, slot: null };
    this.underWay = group;
    const hardState = newestHardState(parts);
    if (hardState === null) return this.writeLog(group);
    const { term } = this.files;
    invariant(hardState.currentTerm >= term.hardState.currentTerm, "the term never falls");
    group.slot = { generation: term.generation + 1, hardState };
    const bytes = encodeSlot(this.files.owner, group.slot);
    const offset = slotOffset(group.slot.generation);
    return [perform({ type: "write", file: TERM_FILE, offset, bytes }), sync("term")];
  }

  /** The sync of this file, handed out last, has been answered. */
  fileSynced(file: SyncedFile): GroupProgress {
    const group = this.underWay;
    invariant(group !== null, "only a sync that was asked for is reported");
    if (file === "log") this.files.log.noteSynced();
    if (group === "closing") {
      this.underWay = null;
      return { operations: [], done: [] };
    }
    if (file === "term") {
      invariant(group.slot !== null, "a group syncs its hard state once");
      this.files.term = group.slot;
      group.slot = null;
      if (group.parts.some(writesLog)) return { operations: this.writeLog(group), done: null };
    }
    invariant(group.slot === null, "the hard state is durable before its group is");
    this.underWay = null;
    return { operations: [], done: group.parts };
  }

  /** Marks the end of the log, if no mark vouches for all of it yet. */
  markEnd(): readonly GroupOperation[] {
    const { log, term } = this.files;
    if (!log.owesMark(term.generation)) return [];
    const offset = log.end;
    return this.writeAt(offset, log.appendMark(this.mark()));
  }

  /** Makes the last mark durable; nothing follows. */
  syncEnd(): readonly GroupOperation[] {
    invariant(this.underWay === null, "one group at a time");
    this.underWay = "closing";
    return [sync("log")];
  }

  private writeLog(group: Group): readonly GroupOperation[] {
    const { log } = this.files;
    const offset = log.end;
    const operations = this.writeAt(offset, log.append(group.parts, this.mark()));
    operations.push(sync("log"));
    // Behind the sync, so that this group does not wait for it.
    const step = this.limits.preallocateBytes;
    if (log.allocated - log.end < step / 2) operations.push(this.preallocate(log.allocated + step));
    return operations;
  }

  private writeAt(offset: number, bytes: Uint8Array): GroupOperation[] {
    const write = perform({ type: "write", file: LOG_FILE, offset, bytes });
    const end = offset + bytes.length;
    return end > this.files.log.allocated ? [this.preallocate(end), write] : [write];
  }

  /** Takes space up to the step at or above `end`. */
  private preallocate(end: number): GroupOperation {
    const step = this.limits.preallocateBytes;
    const { log } = this.files;
    log.allocated = Math.ceil(end / step) * step;
    return perform({ type: "preallocate", file: LOG_FILE, size: log.allocated });
  }

  /** What is durable now. */
  private mark(): Mark {
    return { through: this.files.log.synced, generation: this.files.term.generation };
  }
}

export function writesLog({ truncateTo, entries }: Pick<PersistOrder, "truncateTo" | "entries">): boolean {
  return truncateTo !== null || entries.length > 0;
}

function newestHardState(parts: readonly GroupPart[]): HardState | null {
  return parts.findLast((part) => part.hardState !== null)?.hardState ?? null;
}

function perform(operation: DiskOperation): GroupOperation {
  return { operation, synced: null };
}

function sync(file: SyncedFile): GroupOperation {
  return { operation: { type: "sync", file: file === "term" ? TERM_FILE : LOG_FILE }, synced: file };
}
