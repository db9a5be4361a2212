/**
 * When the state is to be stored as a snapshot, and how much of the log that makes superfluous (§7). One snapshot is
 * taken at a time. Each costs what has changed since the last, so that it is taken after so much log, whatever the size
 * of the state: what has to be applied again after a restart stays bounded.
 *
 * Members that lag behind cost less to serve from the log than by a snapshot, so a bounded number of entries is kept
 * for them; beyond it they get the snapshot, and nobody can make a log grow without end.
 *
 * Besides, a snapshot may be wanted for the disk's sake: entries, or pages of the stored snapshot, are unreadable, or
 * there is no room. Then it is taken though none is due, even of the same entry again.
 */
import { afterMs, sameEntry, type EntryId, type Instant, type LogIndex } from "../types.ts";
import type { Leader } from "./leader.ts";
import type { SnapshotId, SnapshotPoint } from "./message.ts";
import type { NodeState } from "./node-state.ts";

/** One that did not come about is tried again after so many election timeouts. */
const RETRY_TIMEOUTS = 10;

export class Compaction {
  private readonly node: NodeState;
  /** One is being taken and stored. `again`: even of the entry of the stored one. */
  private taking: { readonly bytes: number; readonly again: boolean } | null = null;
  /** As of which entry it is being stored; null: that is not known yet, or none is. */
  private stores: EntryId | null = null;
  /** A snapshot is wanted as of this entry or a later one, whatever is due; null: none is. */
  private wanted: LogIndex | null = null;
  /** Up to here the log is not to be kept for anybody. */
  private unwanted = 0 as LogIndex;
  /** Not before then is one tried again. */
  private tryAt = 0 as Instant;
  /** Of an entry, on average, between the last two snapshots. */
  private averageBytes = 0;

  constructor(node: NodeState) {
    this.node = node;
  }

  want(through: LogIndex): void {
    this.wanted = Math.max(this.wanted ?? 0, through) as LogIndex;
    this.unwanted = Math.max(this.unwanted, through) as LogIndex;
  }

  takeIfDue(): void {
    const { node: { delivery, effects, now, log }, taking } = this;
    if (taking !== null || delivery.isRestoring || now < this.tryAt) return;
    // What was to be stored may have been cut since.
    const again = this.wanted !== null
      && delivery.reportedApplied >= Math.max(1, Math.min(this.wanted, log.last.index));
    if (!again && !this.isDue) return;
    if (again) this.wanted = null;
    this.taking = { bytes: delivery.bytesSinceSnapshot, again };
    delivery.bytesSinceSnapshot = 0;
    effects.push({ type: "TakeSnapshot" });
  }

  /** What the state as of `index` is to be stored as; null: it is not wanted any more, a newer one has come. */
  snapshotAt(index: LogIndex): SnapshotPoint | null {
    const { log, snapshot, configurations } = this.node;
    const stored = snapshot?.entry.index ?? 0;
    const isNews = index > stored || (index === stored && this.taking?.again === true);
    if (index < log.base.index || index === 0 || !isNews) {
      this.taking = null;
      return null;
    }
    this.stores = log.idAt(index);
    return { entry: this.stores, configuration: configurations.at(index) };
  }

  /** @param leader null: this node does not lead */
  stored(snapshot: SnapshotId, leader: Leader | null): void {
    const { node, stores } = this;
    const before = node.snapshot?.entry.index ?? 0;
    const isAnswer = stores !== null && sameEntry(stores, snapshot.entry);
    if (isAnswer) this.ends(snapshot.entry.index - before);
    // One from a leader may have overtaken it.
    if (snapshot.entry.index < before) return;
    node.snapshot = snapshot;
    if (isAnswer) this.compact(snapshot.entry.index, leader);
  }

  /** No answer, though one may be taken of the same entry: what is wrong with that may be in this one, too. */
  rewritten(snapshot: SnapshotId): void {
    if (snapshot.entry.index >= (this.node.snapshot?.entry.index ?? 0)) this.node.snapshot = snapshot;
  }

  /** It did not come about: what was to be in it is still to be stored. */
  abandoned(): void {
    const { node, taking } = this;
    if (taking === null) return;
    node.delivery.bytesSinceSnapshot += taking.bytes;
    if (taking.again) this.wanted ??= this.unwanted;
    this.tryAt = afterMs(node.now, RETRY_TIMEOUTS * node.options.timing.electionTimeoutMs);
    this.taking = null;
    this.stores = null;
  }

  private get isDue(): boolean {
    const { delivery, snapshot, options: { limits } } = this.node;
    const entries = delivery.reportedApplied - (snapshot?.entry.index ?? 0);
    if (entries <= 0) return false;
    if (entries >= limits.snapshotEntries || delivery.bytesSinceSnapshot >= limits.snapshotBytes) return true;
    return this.node.rarely("takesSnapshot");
  }

  private ends(entries: number): void {
    if (entries > 0) this.averageBytes = (this.taking?.bytes ?? 0) / entries;
    this.taking = null;
    this.stores = null;
  }

  private compact(index: LogIndex, leader: Leader | null): void {
    const { node } = this;
    const bound = index - this.trailingEntries;
    const needed = leader === null ? bound : Math.min(index, ...leader.followers.all.map(matchIndexOfReceiver));
    const through = Math.max(bound, needed, Math.min(this.unwanted, index));
    node.compact(Math.min(through, node.writes.durable.index) as LogIndex);
  }

  /** So many are kept at most. What each takes is forgotten once it has left memory: the average stands for it. */
  private get trailingEntries(): number {
    const { maxTrailingEntries, maxTrailingBytes } = this.node.options.limits;
    if (this.node.rarely("keepsNoTail")) return 0;
    return Math.min(maxTrailingEntries, Math.floor(maxTrailingBytes / Math.max(1, this.averageBytes)));
  }
}

/** A spare needs nothing of the log. */
function matchIndexOfReceiver({ role, matchIndex }: { readonly role: string; readonly matchIndex: LogIndex }): number {
  return role === "spare" ? Number.POSITIVE_INFINITY : matchIndex;
}
