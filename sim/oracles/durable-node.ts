/**
 * What one node's disk would give back after any crash now: log, snapshot and hard state, decoded from the bytes that
 * are synced under names that are. It believes nothing that the node says of itself.
 *
 * Two things make it vouch for less than it holds. A *loss*: entries that it may have acknowledged are gone, and its
 * mark says how far; a *quarantine*: what it holds is of no use and about to be discarded. Damage that nobody has found
 * yet makes no difference: a disk is what was synced to it, until a start has to go by what is left.
 */
import type { Configuration } from "../../core/raft/configuration.ts";
import { type Owner, ownerOf } from "../../core/storage/block.ts";
import { isNameless } from "../../core/storage/disk-failure.ts";
import { decodeIdentity, IDENTITY_FILE } from "../../core/storage/identity-file.ts";
import { isPageFile } from "../../core/storage/page-file.ts";
import type { RecordHeader } from "../../core/storage/record.ts";
import { isSegmentFile } from "../../core/storage/segment-file.ts";
import { decodeTermFile, TERM_FILE, type TermSlot } from "../../core/storage/term-file.ts";
import type { TermRuns } from "../../core/term-runs.ts";
import { type EntryId, type HardState, type MemberId, type Term, memberIdOf } from "../../core/types.ts";
import type { DurableDisk } from "./boundary.ts";
import { DurableLog } from "./durable-log.ts";
import { type DurableSnapshot, SnapshotReader } from "./durable-snapshot.ts";
import { halvesOf } from "./quorum.ts";

const NO_HARD_STATE: HardState = { currentTerm: 0 as Term, votedFor: null };

export class DurableNode {
  /** The last entry that it had, as of its last start: what that start had to find, or to name as lost. */
  lastBefore: EntryId | null = null;
  /** For whom it voted, by term, as its disk has ever said. */
  private readonly votes = new Map<Term, MemberId>();
  /** null: it is of no cluster yet. */
  private owner: Owner | null = null;
  private slot: TermSlot | null = null;
  private readonly log = new DurableLog();
  private readonly snapshots = new SnapshotReader();
  /** null: there is none, or it is not whole. */
  private snapshot: DurableSnapshot | null = null;
  private hasForgotten = false;

  get hardState(): HardState {
    return this.slot?.hardState ?? NO_HARD_STATE;
  }

  /** The highest entry that it may have acknowledged and has no more; null: it has all. */
  get lost(): EntryId | null {
    return this.slot?.lost ?? null;
  }

  /** Whether its last start found less than there was, or it is known to have lost something before. */
  get hasLost(): boolean {
    return this.lost !== null || (this.lastBefore !== null && !this.holds(this.lastBefore));
  }

  /** The last entry that it has, be it in its log or in its snapshot; null: there is neither. */
  get last(): EntryId | null {
    if (this.isQuarantined) return null;
    return this.usableLog?.last ?? this.snapshot?.entry ?? null;
  }

  /** null: there is no snapshot, or it is of no use. */
  get snapshotEntry(): EntryId | null {
    return this.isQuarantined ? null : (this.snapshot?.entry ?? null);
  }

  /** What a candidate's log is compared with: all that it has acknowledged, be it there or not. */
  get acknowledged(): EntryId | null {
    const { last, lost } = this;
    return last === null || (lost !== null && !isAtLeastAsUpToDate(last, lost)) ? lost : last;
  }

  /** As a start from this disk would find it; null: the founding one. */
  get configuration(): Configuration | null {
    const appended = this.usableLog === null ? undefined : this.log.configurations.at(-1);
    const stored = this.snapshot;
    if (appended !== undefined && appended.index > (stored?.entry.index ?? 0)) return appended.configuration;
    return stored?.configuration ?? null;
  }

  /** Whether by its configuration it is the only voter, and a start that finds it damaged would not know. */
  get isAloneUnsaid(): boolean {
    const { configuration, owner, slot } = this;
    if (configuration === null || owner === null || slot === null || slot.mayVoteAlone) return false;
    const [voters = [], ...others] = halvesOf(configuration);
    return others.length === 0 && voters.length === 1 && voters[0] === memberIdOf(owner.node, owner.incarnation);
  }

  private get isQuarantined(): boolean {
    return this.slot?.isQuarantined ?? false;
  }

  /** A log that lacks its snapshot's entry is what that has taken the place of: recovery throws it away. */
  private get usableLog(): TermRuns | null {
    const { log: { entries }, snapshot } = this;
    if (entries === null || this.isQuarantined) return null;
    return entries.holds(snapshot?.entry ?? entries.base) ? entries : null;
  }

  /** Whether it has voted for this candidate, on disk: only such a vote ever leaves. */
  votedFor(candidate: MemberId, term: Term): boolean {
    return this.votes.get(term) === candidate;
  }

  /** Whether it has the entry in its log, or its effect in a snapshot, which is of nothing but committed entries. */
  holds(entry: EntryId): boolean {
    const { index, term } = entry;
    if (index === 0) return true;
    if (this.isQuarantined) return false;
    const stored = this.snapshot?.entry;
    if (stored !== undefined && index <= stored.index) return index < stored.index || term === stored.term;
    const log = this.usableLog;
    return log !== null && index > log.base.index && log.holds(entry);
  }

  /** Whether nobody is elected with its vote who lacks the entry: it has that, or knows that it may have lost it. */
  guards(entry: EntryId): boolean {
    if (this.holds(entry)) return true;
    const { lastBefore, lost } = this;
    const mayHaveHad = this.hasLost && lastBefore !== null && isAtLeastAsUpToDate(lastBefore, entry);
    return mayHaveHad || (lost !== null && isAtLeastAsUpToDate(lost, entry));
  }

  /** Reads what a sync made durable, null: of the directory; returns the new records of the log. */
  synced(file: string | null, disk: DurableDisk): readonly RecordHeader[] {
    if (file === null) {
      this.readOwner(disk);
      this.readTerm(disk);
      const records = this.cutBy(this.log.directorySynced(disk));
      this.snapshots.directorySynced(disk);
      const found = this.owner === null ? null : this.snapshots.read(this.owner, disk);
      const isLess = (found?.entry.index ?? 0) < (this.snapshot?.entry.index ?? 0);
      // A manifest that has been damaged since was there all the same.
      if (!isLess || !disk.isDamaged) this.snapshot = found;
      return records;
    }
    if (file === TERM_FILE) this.readTerm(disk);
    if (isPageFile(file) || isNameless(file)) this.snapshots.fileSynced(file, disk);
    return isSegmentFile(file) ? this.cutBy(this.log.synced(file, disk)) : [];
  }

  /** What a start had to find has been cut since, durably: in what the crash had left in the cache, maybe. */
  private cutBy(records: readonly RecordHeader[]): readonly RecordHeader[] {
    for (const { kind, entry } of records) {
      if (kind === "truncation" && entry.index < (this.lastBefore?.index ?? 0)) this.lastBefore = entry;
    }
    return records;
  }

  /** A process life begins: what a crash left is on the disk for good. */
  started(disk: DurableDisk): readonly RecordHeader[] {
    const before = this.acknowledged;
    this.readOwner(disk);
    this.readTerm(disk);
    const records = this.log.started(disk);
    this.snapshot = this.owner === null ? null : this.snapshots.read(this.owner, disk);
    // What is damaged was there all the same.
    const now = this.acknowledged;
    const isLess = before !== null && (now === null || !isAtLeastAsUpToDate(now, before));
    this.lastBefore = isLess && (disk.isDamaged || now === null) ? before : now;
    return records;
  }

  /** Whether a loss has been called made good since the last call. */
  takeForgotten(): boolean {
    const { hasForgotten } = this;
    this.hasForgotten = false;
    return hasForgotten;
  }

  private readOwner(disk: DurableDisk): void {
    const bytes = disk.durable(IDENTITY_FILE);
    const decoded = bytes === null ? null : decodeIdentity(bytes);
    if (decoded === null || !decoded.ok || decoded.value.identity.cluster === null) return;
    this.owner = ownerOf(decoded.value.identity);
  }

  private readTerm(disk: DurableDisk): void {
    const bytes = disk.durable(TERM_FILE);
    if (bytes === null || this.owner === null) return;
    const decoded = decodeTermFile(bytes, this.owner);
    if (!decoded.ok) return;
    const { slot } = decoded.value;
    if (slot.generation <= (this.slot?.generation ?? 0)) return;
    const before = this.lost;
    this.slot = slot;
    const { currentTerm, votedFor } = slot.hardState;
    if (votedFor !== null) this.votes.set(currentTerm, votedFor);
    if (before !== null && slot.lost === null) this.hasForgotten = true;
  }
}

/** §5.4.1, written once more: a judge does not borrow the rule of the judged. */
export function isAtLeastAsUpToDate(one: EntryId, other: EntryId): boolean {
  return one.term > other.term || (one.term === other.term && one.index >= other.index);
}
