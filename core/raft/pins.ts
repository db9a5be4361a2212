/**
 * Which snapshots a leader keeps readable because it is sending them: each is pinned when the first transfer of it
 * begins and released once when the last has ended, however that came about (installed, given up, begun anew with
 * another one, the member gone, leadership lost). So nobody who ends a transfer has to remember it: at the end of each
 * step what is pinned is compared with what is being sent.
 *
 * A snapshot that is pinned may be replaced as the stored one at any time: nothing waits for a transfer.
 */
import type { RaftEffect } from "./boundary.ts";
import { isSameSnapshot, type SnapshotId } from "./message.ts";

export class Pins {
  private pinned: readonly SnapshotId[] = [];

  /** @param sent by the transfers under way; several may send the same */
  keep(sent: readonly SnapshotId[], effects: RaftEffect[]): void {
    if (sent.length === 0 && this.pinned.length === 0) return;
    const kept: SnapshotId[] = [];
    for (const snapshot of sent) {
      if (isAmong(kept, snapshot)) continue;
      kept.push(snapshot);
      if (!isAmong(this.pinned, snapshot)) effects.push({ type: "PinSnapshot", snapshot });
    }
    for (const snapshot of this.pinned) {
      if (!isAmong(kept, snapshot)) effects.push({ type: "ReleaseSnapshot", snapshot });
    }
    this.pinned = kept;
  }
}

function isAmong(snapshots: readonly SnapshotId[], snapshot: SnapshotId): boolean {
  return snapshots.some((one) => isSameSnapshot(one, snapshot));
}
