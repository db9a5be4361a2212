/**
 * Group commit: which bytes go to the disk next, and which orders are durable with them. Knows no ticket of a disk and
 * no recovery.
 *
 * One group is under way at a time; whatever arrives meanwhile is the next. A group is, in this order: the newest hard
 * state, synced; then the truncations and entries of all its orders in one write, synced. As a group begins only when
 * the one before is durable, each record can truly say that everything before its group was: on that log-recovery.ts
 * founds its judgement of torn writes. When nothing waits, a mark says the same of the last group. Nobody waits for a
 * mark, so it is synced only on close.
 *
 * Space is taken in steps before it is needed, so that a sync has no new size of the file to make durable.
 */
import { invariant } from "../invariant.ts";
import type { HardState, LogIndex, Ticket } from "../types.ts";
import type { PersistOrder, StorageLimits } from "./boundary.ts";
import type { DiskOperation } from "./disk.ts";
import { type EntryRead, planRead } from "./entry-read.ts";
import { LOG_FILE } from "./log-file.ts";
import type { Mark } from "./record.ts";
import type { OpenFiles } from "./recovery.ts";
import type { StorageState } from "./invariants.ts";
import { TERM_FILE, type TermSlot, encodeSlot, slotOffset } from "./term-file.ts";

export type CommitEffect =
  /** To be performed in the order given. `synced`: whose sync this is, to be reported when done; null: none. */
  | { readonly type: "Perform"; readonly operation: DiskOperation; readonly synced: SyncedFile | null }
  | { readonly type: "Persisted"; readonly ticket: Ticket };

export type SyncedFile = "term" | "log";

/** Orders that become durable together. */
interface Group {
  readonly orders: readonly PersistOrder[];
  /** The hard state on its way to disk; null: it is there, or the group has none. */
  slot: TermSlot | null;
}

export class GroupCommit {
  private readonly files: OpenFiles;
  private readonly limits: StorageLimits;
  private queue: PersistOrder[] = [];
  /** "closing": the sync after the last mark is under way. */
  private underWay: Group | "closing" | null = null;
  private closing = false;
  /** How far the log file is preallocated, what is under way included. */
  private allocated: number;
  /** The slot that is durable. */
  private term: TermSlot;
  /** Everything in the log below this offset is durable. */
  private synced: number;
  /** The last entry that is both durable and in the log. */
  private durableIndex: LogIndex;
  private lastOrdered = 0 as Ticket;
  private lastPersisted = 0 as Ticket;

  constructor(files: OpenFiles, limits: StorageLimits) {
    this.files = files;
    this.limits = limits;
    this.allocated = files.allocated;
    this.term = files.term;
    this.synced = files.log.end;
    this.durableIndex = files.log.entries.last.index;
  }

  /** Nothing waits, nothing is under way; while closing: nor is anything to be done. */
  get isSettled(): boolean {
    return this.underWay === null && this.queue.length === 0 && !(this.closing && this.synced < this.files.log.end);
  }

  get state(): StorageState {
    const { log } = this.files;
    return {
      end: log.end,
      synced: this.synced,
      allocated: this.allocated,
      marked: log.marked,
      last: log.entries.last,
      durableIndex: this.durableIndex,
      generation: this.term.generation,
      hardState: this.term.hardState,
      lastOrdered: this.lastOrdered,
      lastPersisted: this.lastPersisted,
    };
  }

  persist(order: PersistOrder): readonly CommitEffect[] {
    invariant(order.ticket > this.lastOrdered, "the tickets of orders ascend");
    invariant(order.hardState !== null || writesLog(order), "an order orders something");
    this.lastOrdered = order.ticket;
    this.queue.push(order);
    return this.proceed();
  }

  planRead(from: LogIndex, end: LogIndex, maxBytes: number): EntryRead {
    invariant(end - 1 <= this.durableIndex, "only durable entries are read back");
    return planRead(this.files.log, from, end, maxBytes);
  }

  /** No order follows: finishes what waits, marks and syncs the end. */
  close(): readonly CommitEffect[] {
    this.closing = true;
    return this.proceed();
  }

  /** The sync of this file, handed out last, has been answered. */
  fileSynced(file: SyncedFile): readonly CommitEffect[] {
    const group = this.underWay;
    invariant(group !== null, "only a sync that was asked for is reported");
    if (file === "log") this.synced = this.files.log.end;
    if (group === "closing") {
      this.underWay = null;
      return [];
    }
    if (file === "term") {
      invariant(group.slot !== null, "a group syncs its hard state once");
      this.term = group.slot;
      group.slot = null;
      if (group.orders.some(writesLog)) return this.writeLog(group);
    }
    const persisted = this.finish(group);
    // The next operations first: whoever hears that an order is durable may give the next one at once.
    return [...this.proceed(), ...persisted];
  }

  /** Begins the next group, if none is under way and something waits; marks the end, if nothing does. */
  private proceed(): readonly CommitEffect[] {
    if (this.underWay !== null) return [];
    if (this.queue.length > 0) return this.begin();
    const effects: CommitEffect[] = [];
    const { log } = this.files;
    if (log.owesMark(this.term.generation)) {
      const offset = log.end;
      effects.push(...this.writeAt(offset, log.appendMark(this.mark())));
    }
    if (this.closing && this.synced < log.end) {
      this.underWay = "closing";
      effects.push(sync("log"));
    }
    return effects;
  }

  private begin(): readonly CommitEffect[] {
    const group: Group = { orders: this.takeOrders(), slot: null };
    this.underWay = group;
    const hardState = newestHardState(group.orders);
    if (hardState === null) return this.writeLog(group);
    invariant(hardState.currentTerm >= this.term.hardState.currentTerm, "the term never falls");
    group.slot = { generation: this.term.generation + 1, hardState };
    const bytes = encodeSlot(this.files.owner, group.slot);
    const offset = slotOffset(group.slot.generation);
    return [perform({ type: "write", file: TERM_FILE, offset, bytes }), sync("term")];
  }

  /** At least one order, and as many more as one write may carry. */
  private takeOrders(): readonly PersistOrder[] {
    let count = 0;
    for (let size = 0; count < this.queue.length && size < this.limits.maxWriteBytes; count++) {
      for (const entry of (this.queue[count] as PersistOrder).entries) size += entry.payload.length;
    }
    return this.queue.splice(0, count);
  }

  private writeLog(group: Group): readonly CommitEffect[] {
    const { log } = this.files;
    const offset = log.end;
    for (const { truncateTo } of group.orders) {
      if (truncateTo !== null && truncateTo < this.durableIndex) this.durableIndex = truncateTo;
    }
    const effects = this.writeAt(offset, log.append(group.orders, this.mark()));
    effects.push(sync("log"));
    // Behind the sync, so that this group does not wait for it.
    const step = this.limits.preallocateBytes;
    if (this.allocated - log.end < step / 2) effects.push(this.preallocate(this.allocated + step));
    return effects;
  }

  private writeAt(offset: number, bytes: Uint8Array): CommitEffect[] {
    const write = perform({ type: "write", file: LOG_FILE, offset, bytes });
    const end = offset + bytes.length;
    return end > this.allocated ? [this.preallocate(end), write] : [write];
  }

  /** Takes space up to the step at or above `end`. */
  private preallocate(end: number): CommitEffect {
    const step = this.limits.preallocateBytes;
    this.allocated = Math.ceil(end / step) * step;
    return perform({ type: "preallocate", file: LOG_FILE, size: this.allocated });
  }

  private finish(group: Group): readonly CommitEffect[] {
    invariant(group.slot === null, "the hard state is durable before its group is");
    this.underWay = null;
    if (group.orders.some(writesLog)) this.durableIndex = this.files.log.entries.last.index;
    return group.orders.map(({ ticket }) => {
      this.lastPersisted = ticket;
      return { type: "Persisted", ticket };
    });
  }

  /** What is durable now. */
  private mark(): Mark {
    return { through: this.synced, generation: this.term.generation };
  }
}

function writesLog(order: PersistOrder): boolean {
  return order.truncateTo !== null || order.entries.length > 0;
}

function newestHardState(orders: readonly PersistOrder[]): HardState | null {
  return orders.findLast((order) => order.hardState !== null)?.hardState ?? null;
}

function perform(operation: DiskOperation): CommitEffect {
  return { type: "Perform", operation, synced: null };
}

function sync(file: SyncedFile): CommitEffect {
  return { type: "Perform", operation: { type: "sync", file: file === "term" ? TERM_FILE : LOG_FILE }, synced: file };
}
