/**
 * When the state is to be stored as a snapshot, and how much of the log that makes superfluous (§7). One snapshot is
 * taken at a time, and none while one is being sent, as long as that can wait: it would take its place.
 *
 * Members that lag behind cost less to serve from the log than by a snapshot, so a bounded number of entries is kept
 * for them; beyond it they get the snapshot, and nobody can make a log grow without end.
 */
import type { LogIndex } from "../types.ts";
import type { Leader } from "./leader.ts";
import type { SnapshotId } from "./message.ts";
import type { NodeState } from "./node-state.ts";

/** Of each byte of the log so many may be written for snapshots. */
const MAX_SNAPSHOT_COST = 4;
/** A transfer holds a snapshot up until so many times what makes one due has been applied. */
const MAX_DELAY = 4;

export class Compaction {
  private readonly node: NodeState;
  /** One is being taken and stored. */
  private isTaking = false;
  /** Of an entry, on average, between the last two snapshots. */
  private averageBytes = 0;

  constructor(node: NodeState) {
    this.node = node;
  }

  /** @param leader null: this node does not lead */
  takeIfDue(leader: Leader | null): void {
    const { delivery, snapshot, options: { limits }, effects } = this.node;
    const entries = delivery.reportedApplied - (snapshot?.entry.index ?? 0);
    if (entries <= 0 || this.isTaking || delivery.isRestoring) return;
    if (entries < limits.snapshotEntries && delivery.bytesSinceSnapshot < limits.snapshotBytes) return;
    // Storing a snapshot costs its size: for a large one more log has to go.
    if (delivery.bytesSinceSnapshot * MAX_SNAPSHOT_COST < (snapshot?.size ?? 0)) return;
    // One that is being sent is not taken away, but not for ever: transfers may follow each other without end.
    const delay = Math.max(entries / limits.snapshotEntries, delivery.bytesSinceSnapshot / limits.snapshotBytes);
    if (leader !== null && leader.followers.transferCount > 0 && delay < MAX_DELAY) return;
    this.isTaking = true;
    this.averageBytes = delivery.bytesSinceSnapshot / entries;
    delivery.bytesSinceSnapshot = 0;
    effects.push({ type: "TakeSnapshot" });
  }

  /** What the state as of `index` is to be stored as; null: it is not wanted any more, a newer one has come. */
  snapshotAt(index: LogIndex, size: number): SnapshotId | null {
    const { log, snapshot, configurations } = this.node;
    if (index < log.base.index || index <= (snapshot?.entry.index ?? 0)) {
      this.isTaking = false;
      return null;
    }
    return { entry: log.idAt(index), configuration: configurations.at(index), size };
  }

  stored(snapshot: SnapshotId, leader: Leader | null): void {
    const { node } = this;
    this.isTaking = false;
    // One from a leader may have overtaken it.
    if (snapshot.entry.index <= (node.snapshot?.entry.index ?? 0)) return;
    node.snapshot = snapshot;
    const { index } = snapshot.entry;
    const bound = index - this.trailingEntries;
    const needed = leader === null ? bound : Math.min(index, ...leader.followers.all.map(matchIndexOfReceiver));
    node.compact(Math.min(Math.max(bound, needed), node.writes.durable.index) as LogIndex);
  }

  /** So many are kept at most. What each takes is forgotten once it has left memory: the average stands for it. */
  private get trailingEntries(): number {
    const { maxTrailingEntries, maxTrailingBytes } = this.node.options.limits;
    return Math.min(maxTrailingEntries, Math.floor(maxTrailingBytes / Math.max(1, this.averageBytes)));
  }
}

/** A spare needs nothing of the log. */
function matchIndexOfReceiver({ role, matchIndex }: { readonly role: string; readonly matchIndex: LogIndex }): number {
  return role === "spare" ? Number.POSITIVE_INFINITY : matchIndex;
}
