/**
 * One snapshot on its way to one member, chunk by chunk (§7). One chunk is under way at a time: read from our disk,
 * sent, written to the member's disk, answered. So the slowest of them sets the pace, and heartbeats go on beside it.
 *
 * It begins with a chunk without bytes: the answer tells how much the member has of this very snapshot, be it from a
 * transfer that broke off or from another leader. What is not answered in time is asked again in the same way. A member
 * that has some of it from elsewhere says to go on behind that.
 */
import { afterMs, type Instant, type MemberId, type Term } from "../types.ts";
import type { RaftEffect, RaftOptions } from "./boundary.ts";
import { isSameSnapshot, type InstallSnapshot, type InstallSnapshotReply, type SnapshotId } from "./message.ts";

/** So many election timeouts without another chunk, and a transfer has stalled. */
const STALLED_AFTER_TIMEOUTS = 10;

const NO_BYTES = new Uint8Array(0);

export class SnapshotTransfer {
  readonly snapshot: SnapshotId;
  private readonly to: MemberId;
  private readonly term: Term;
  /** What is being read from disk or answered by the member begins here; null: how much it has is being asked. */
  private offset: number | null = null;
  private isReading = false;
  /** When to ask again. */
  private deadline = 0 as Instant;
  /** How much the member has said that it has, at most, and when it said so. */
  private furthest = 0;
  private movedAt: Instant;

  constructor(to: MemberId, term: Term, snapshot: SnapshotId, now: Instant) {
    this.to = to;
    this.term = term;
    this.snapshot = snapshot;
    this.movedAt = now;
  }

  /** Whether the member still answers and yet takes nothing: nobody else is to wait for it. */
  isStalled(now: Instant, { timing }: RaftOptions): boolean {
    return now > afterMs(this.movedAt, STALLED_AFTER_TIMEOUTS * timing.electionTimeoutMs);
  }

  /** At the start, and whenever the member has been silent for too long. */
  ask(now: Instant, options: RaftOptions, effects: RaftEffect[]): void {
    if (this.isReading || now < this.deadline) return;
    this.deadline = afterMs(now, options.timing.electionTimeoutMs);
    this.offset = null;
    effects.push({ type: "Send", to: this.to, message: this.chunk(0, NO_BYTES) });
  }

  /** The member says how far it is: read on from there, unless that is under way already. */
  replied(reply: InstallSnapshotReply, now: Instant, options: RaftOptions, effects: RaftEffect[]): void {
    const { received } = reply;
    // Of another way in which the same state was written down.
    if (reply.checksum !== this.snapshot.checksum) return;
    if (received > this.furthest) {
      this.furthest = received;
      this.movedAt = now;
    }
    if (this.isReading || reply.installed || received >= this.snapshot.size) return;
    // A chunk is under way, and the answer is an old one: of another place.
    if (this.offset !== null && received <= this.offset) return;
    this.offset = received;
    this.isReading = true;
    this.deadline = afterMs(now, options.timing.electionTimeoutMs);
    const maxBytes = options.limits.snapshotChunkBytes;
    effects.push({ type: "ReadSnapshot", to: this.to, snapshot: this.snapshot, offset: received, maxBytes });
  }

  /** Whether a piece that came from our own disk was asked for. */
  awaits(snapshot: SnapshotId, offset: number): boolean {
    return this.isReading && offset === this.offset && isSameSnapshot(snapshot, this.snapshot);
  }

  /** The piece that is awaited; null: it cannot be read. Then it is asked for again in a while. */
  read(bytes: Uint8Array | null, effects: RaftEffect[]): void {
    this.isReading = false;
    if (bytes === null || this.offset === null) return;
    effects.push({ type: "Send", to: this.to, message: this.chunk(this.offset, bytes) });
  }

  private chunk(offset: number, bytes: Uint8Array): InstallSnapshot {
    return { type: "InstallSnapshot", term: this.term, snapshot: this.snapshot, offset, bytes };
  }
}
