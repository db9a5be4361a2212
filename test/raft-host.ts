/**
 * One node of a protocol story: what runs, what its disk holds, and what its driver owes it. The disk is what a crash
 * leaves: hard state, a base, entries, a snapshot, what it has lost. Nothing happens in it that is not commanded.
 */
import { invariant } from "../core/invariant.ts";
import type { RaftEffect, RaftLimits, ReadPurpose } from "../core/raft/boundary.ts";
import type { Configuration } from "../core/raft/configuration.ts";
import { isSameSnapshot, type SnapshotId } from "../core/raft/message.ts";
import { Raft } from "../core/raft/raft.ts";
import type { RoleTargets } from "../core/raft/roles.ts";
import { Random } from "../core/random.ts";
import { NO_ENTRY, sameEntry } from "../core/types.ts";
import type { Entry, EntryId, HardState, Instant, LogIndex, MemberId } from "../core/types.ts";
import { DEFAULT_TIMING } from "../core/raft/boundary.ts";
import { recoveredLog } from "./raft-notation.ts";

export type EffectOf<Type extends RaftEffect["type"]> = RaftEffect & { readonly type: Type };

/** What all nodes of a story share. */
export interface StoryOptions {
  readonly limits: RaftLimits;
  readonly leaseDriftPpm: number | null;
  readonly roles: RoleTargets | null;
  readonly founding: Configuration;
}

const FIRST_SEED_OF_NEXT_LIFE = 100;

export class Host {
  readonly id: MemberId;
  private readonly number: number;
  /** How many processes it has been. */
  private lives = 0;
  /** null: crashed. */
  raft: Raft | null = null;
  /** The highest feature version that it understands. */
  version = 1;
  /** Ordered and not done. */
  writes: EffectOf<"Persist">[] = [];
  reads: { readonly purpose: ReadPurpose; readonly entries: readonly Entry[] }[] = [];
  chunks: EffectOf<"StoreChunk">[] = [];
  pieces: EffectOf<"ReadSnapshot">[] = [];
  restores: EffectOf<"Restore">[] = [];
  wantsSnapshot = false;
  timerAt: Instant | null = null;
  lastProposal = 0;
  lastRead = 0;
  lastRequest = 0;
  private hardState: HardState;
  private base: EntryId = NO_ENTRY;
  private entries: readonly Entry[];
  snapshot: SnapshotId | null = null;
  /** What is being sent, whatever has taken its place. */
  private pinned: readonly SnapshotId[] = [];
  private lost: EntryId | null = null;

  constructor(id: MemberId, number: number, entries: readonly Entry[]) {
    this.id = id;
    this.number = number;
    this.entries = entries;
    this.hardState = { currentTerm: entries[entries.length - 1]?.term ?? NO_ENTRY.term, votedFor: null };
  }

  /** A process on what the disk holds. */
  start(now: Instant, options: StoryOptions): Raft {
    this.reconcile();
    const { id, hardState, snapshot, version, lost } = this;
    // Another one in each life, as drivers do it: numbers that are drawn must not come again.
    const seed = Random.fromNumber(this.number + FIRST_SEED_OF_NEXT_LIFE * this.lives++).bytes(16);
    const log = recoveredLog(this.entries, this.base);
    const found = { id, seed, hardState, snapshot, version, log, lost };
    this.raft = new Raft({ ...options, ...found, timing: DEFAULT_TIMING }, now);
    return this.raft;
  }

  /** What was ordered and not done is lost with the process. */
  crash(): void {
    this.raft = null;
    this.writes = [];
    this.reads = [];
    this.chunks = [];
    this.pieces = [];
    this.restores = [];
    this.pinned = [];
    this.wantsSnapshot = false;
    this.timerAt = null;
    this.lastProposal = 0;
    this.lastRead = 0;
  }

  /** What recovery does: a log that does not hold the snapshot's entry gives way to it. */
  private reconcile(): void {
    const entry = this.snapshot?.entry ?? NO_ENTRY;
    if (sameEntry(this.base, entry) || this.entries.some((one) => sameEntry(one, entry))) return;
    this.base = entry;
    this.entries = [];
  }

  /** All above `keep` is unreadable. @param isKnown whether the disk can say how far the log had come */
  lose(keep: LogIndex, isKnown: boolean): void {
    const { index, term } = this.entries[this.entries.length - 1] ?? this.base;
    const end = Number.MAX_SAFE_INTEGER as LogIndex;
    this.lost = isKnown ? { term, index } : { term: this.hardState.currentTerm, index: end };
    if (keep < this.base.index) this.base = NO_ENTRY;
    if (keep < (this.snapshot?.entry.index ?? 0)) this.snapshot = null;
    this.entries = this.entries.slice(0, Math.max(0, keep - this.base.index));
  }

  forgetLoss(): void {
    this.lost = null;
  }

  /** The disk of a node that lost it. */
  wipe(): void {
    this.hardState = { currentTerm: NO_ENTRY.term, votedFor: null };
    this.base = NO_ENTRY;
    this.entries = [];
    this.snapshot = null;
    this.lost = null;
  }

  /** Carries out the oldest write. */
  persist(): EffectOf<"Persist"> {
    const write = this.writes.shift();
    invariant(write !== undefined, "a disk that is done had something to do");
    if (write.hardState !== null) this.hardState = write.hardState;
    if (write.snapshot !== null) {
      this.snapshot = write.snapshot;
      this.base = write.snapshot.entry;
      this.entries = [];
    }
    if (write.truncateTo !== null) this.entries = this.entries.slice(0, write.truncateTo - this.base.index);
    this.entries = [...this.entries, ...write.entries];
    return write;
  }

  /** The entries are those of the time of the order, whatever becomes of the log until it is answered. */
  read({ purpose, from, end, maxBytes }: EffectOf<"ReadEntries">): void {
    let size = 0;
    const wanted = this.entries.slice(from - 1 - this.base.index, end - 1 - this.base.index);
    const entries = wanted.filter(({ payload }, at) => (size += payload.length) <= maxBytes || at === 0);
    this.reads.push({ purpose, entries });
  }

  pin(snapshot: SnapshotId): void {
    invariant(!this.pinned.some((one) => isSameSnapshot(one, snapshot)), "a snapshot is pinned once");
    this.pinned = [...this.pinned, snapshot];
  }

  release(snapshot: SnapshotId): void {
    invariant(this.pinned.some((one) => isSameSnapshot(one, snapshot)), "what is released was pinned");
    this.pinned = this.pinned.filter((one) => !isSameSnapshot(one, snapshot));
  }

  /** The piece that a member is to get; null: that snapshot is not there. */
  pieceFor({ snapshot, offset, maxBytes }: EffectOf<"ReadSnapshot">): Uint8Array | null {
    const readable = [...this.pinned, ...(this.snapshot === null ? [] : [this.snapshot])];
    if (!readable.some((one) => isSameSnapshot(one, snapshot))) return null;
    return new Uint8Array(Math.min(maxBytes, snapshot.size - offset));
  }

  store(snapshot: SnapshotId): void {
    this.snapshot = snapshot;
  }

  compact(through: EntryId): void {
    this.entries = this.entries.slice(through.index - this.base.index);
    this.base = through;
  }
}
