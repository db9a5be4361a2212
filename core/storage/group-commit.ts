/**
 * Group commit: how the parts of a group become durable, one group at a time. Knows no queue (write-queue.ts) and no
 * recovery.
 *
 * A group is, in this order: the newest hard state, if it has one or makes this node the only voter, synced;
 * then the truncations and entries of all its parts in one write, synced. As a group begins only when the one before is
 * durable, each record can truly say that everything before its group was: on that log-recovery.ts founds its judgement
 * of torn writes. When nothing follows for a while, a mark in the file of the hard state says the same of the last one.
 *
 * A group lies in one segment. If it does not fit into this one, it begins the next, header and records in one write:
 * the file stands ready, so that a roll costs no more than any other group. Where none stands ready, nothing begins;
 * nor does a payload that the reserve does not cover (reserve.ts).
 */
import { invariant } from "../invariant.ts";
import { NEVER, type Rarely } from "../rare-course.ts";
import type { HardState, Ticket } from "../types.ts";
import type { PersistOrder, StorageLimits } from "./boundary.ts";
import type { DiskOperation } from "./disk.ts";
import { recordsSize } from "./log.ts";
import type { OpenFiles } from "./open-files.ts";
import type { Mark } from "./record.ts";
import type { Lack } from "./log-space.ts";
import { reserveFor } from "./reserve.ts";
import { SEGMENT_HEADER_SIZE } from "./segment-file.ts";
import { becomesAlone } from "./sole-voter.ts";
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
  private readonly rarely: Rarely;
  private underWay: Group | null = null;

  constructor(files: OpenFiles, limits: StorageLimits, rarely: Rarely = NEVER) {
    this.files = files;
    this.limits = limits;
    this.rarely = rarely;
  }

  /** What these parts have to wait for. */
  lackOf(parts: readonly GroupPart[]): Lack {
    return { segmentBytes: SEGMENT_HEADER_SIZE + recordsSize(parts), hasPayload: parts.some(hasPayload) };
  }

  /** Whether there is room for them, in this segment or in one that stands ready, and for what they change. */
  canBegin(parts: readonly GroupPart[]): boolean {
    const size = recordsSize(parts);
    const { log } = this.files;
    if (size === 0) return true;
    if (!log.hasRoom(size) && !log.canRoll(size)) return false;
    return !parts.some(hasPayload) || this.files.reserve.size >= reserveFor(this.files, log.end + size, this.limits);
  }

  /** As many of the parts, in their order, as can begin in one segment, this or the next; where none can, the first. */
  fitting(parts: readonly GroupPart[]): readonly GroupPart[] {
    const { log } = this.files;
    if (parts.length > 1 && this.rarely("commitsAlone")) return parts.slice(0, 1);
    const here = this.countOf(parts, (size) => log.hasRoom(size));
    if (here > 0) return parts.slice(0, here);
    return parts.slice(0, Math.max(1, this.countOf(parts, (size) => log.canRoll(size))));
  }

  /** How many of the parts can begin together. */
  private countOf(parts: readonly GroupPart[], fits: (size: number) => boolean): number {
    const coveredBytes = this.files.reserve.size - reserveFor(this.files, this.files.log.end, this.limits);
    let size = 0;
    let carriesPayload = false;
    const count = parts.findIndex((part) => {
      size += recordsSize([part]);
      carriesPayload ||= hasPayload(part);
      return size > 0 && !(fits(size) && (!carriesPayload || size <= coveredBytes));
    });
    return count === -1 ? parts.length : count;
  }

  begin(parts: readonly GroupPart[]): readonly GroupOperation[] {
    invariant(this.underWay === null && parts.length > 0, "one group at a time");
    const group: Group = { parts, slot: null };
    this.underWay = group;
    const { owner, term } = this.files;
    const newest = newestHardState(parts);
    const mayVoteAlone = term.mayVoteAlone || parts.some(({ entries }) => becomesAlone(owner, entries));
    if (newest === null && mayVoteAlone === term.mayVoteAlone) return this.writeLog(group);
    const hardState = newest ?? term.hardState;
    invariant(hardState.currentTerm >= term.hardState.currentTerm, "the term never falls");
    return this.writeTerm(group, { hardState, mayVoteAlone });
  }

  /** The sync of this file, handed out last, has been answered. */
  fileSynced(file: SyncedFile): GroupProgress {
    const group = this.underWay;
    invariant(group !== null, "only a sync that was asked for is reported");
    if (file === "log") this.files.log.noteSynced();
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

  /** Vouches for the end of the log, if nothing does yet: a group without parts. Otherwise there is nothing to do. */
  markEnd(): readonly GroupOperation[] {
    invariant(this.underWay === null, "one group at a time");
    const { log, term } = this.files;
    if (log.isVouchedBy(term.vouched)) return [];
    this.underWay = { parts: [], slot: null };
    return this.writeTerm(this.underWay, {});
  }

  private writeTerm(
    group: Group, change: Partial<Pick<TermSlot, "hardState" | "mayVoteAlone">>,
  ): readonly GroupOperation[] {
    const { owner, term, log } = this.files;
    group.slot = { ...term, ...change, generation: term.generation + 1, vouched: log.vouched };
    const bytes = encodeSlot(owner, group.slot);
    const offset = slotOffset(group.slot.generation);
    return [
      perform({ type: "write", file: TERM_FILE, offset, bytes }),
      { operation: { type: "sync", file: TERM_FILE }, synced: "term" },
    ];
  }

  private writeLog({ parts }: Group): readonly GroupOperation[] {
    const { owner, log } = this.files;
    const size = recordsSize(parts);
    if (!log.hasRoom(size) || ((log.current.isDamaged || this.rarely("rollsEarly")) && log.canRoll(size))) {
      const header = log.roll(owner);
      const bytes = log.append(parts, this.mark(), header.length);
      bytes.set(header);
      return [perform({ type: "write", file: log.current.file, offset: 0, bytes }), this.syncLog()];
    }
    const { segment: { file }, offset } = log.placeOf(log.end);
    return [perform({ type: "write", file, offset, bytes: log.append(parts, this.mark()) }), this.syncLog()];
  }

  private syncLog(): GroupOperation {
    return { operation: { type: "sync", file: this.files.log.current.file }, synced: "log" };
  }

  /** What is durable now. */
  private mark(): Mark {
    return { through: this.files.log.synced, generation: this.files.term.generation };
  }
}

export function writesLog({ truncateTo, entries }: Pick<PersistOrder, "truncateTo" | "entries">): boolean {
  return truncateTo !== null || entries.length > 0;
}

/** Whether it may change the database: then a checkpoint may become larger by it. */
function hasPayload({ entries }: Pick<PersistOrder, "entries">): boolean {
  return entries.some(({ kind }) => kind === "payload");
}

function newestHardState(parts: readonly GroupPart[]): HardState | null {
  return parts.findLast((part) => part.hardState !== null)?.hardState ?? null;
}

function perform(operation: DiskOperation): GroupOperation {
  return { operation, synced: null };
}
