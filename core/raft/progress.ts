/**
 * What a leader knows of one other member, and what it may send next. Sends nothing.
 *
 *            first success                      a message was lost, or
 *     probe ---------------> replicate          was overtaken: rejected
 *      ^  ^                        |
 *      |  +------------------------+
 *      |        what it needs next is no longer in the log
 *      +----> snapshot <------------------------- (from either)
 *       installed
 *
 * probe: it is not known where the logs agree; one message at a time looks for it, each rejection leads further back.
 * replicate: messages follow each other without waiting, up to a window. nextIndex runs ahead of matchIndex.
 * snapshot: the stored snapshot is sent, chunk by chunk (snapshot-transfer.ts).
 *
 * Nothing is retransmitted by a clock of its own. A heartbeat carries prevLog = nextIndex - 1 in either of the first
 * two phases: accepted, it tells how far the log is durable; rejected, it tells that something was lost, and where to
 * resume.
 */
import { unreachable } from "../invariant.ts";
import type { Instant, LogIndex, MemberId } from "../types.ts";
import type { RaftLimits } from "./boundary.ts";
import type { MemberRole } from "./configuration.ts";
import type { AppendEntriesReply } from "./message.ts";
import type { Log } from "./log.ts";
import type { SnapshotTransfer } from "./snapshot-transfer.ts";
import { Window } from "./window.ts";

/** What belongs to a phase exists only in that phase. */
export type ProgressPhase =
  | { readonly type: "probe"; readonly nextIndex: LogIndex; awaitingReply: boolean }
  | { readonly type: "replicate"; nextIndex: LogIndex; readonly window: Window }
  | { readonly type: "snapshot"; readonly transfer: SnapshotTransfer };

type Rejection = AppendEntriesReply["result"] & { accepted: false };

export class Progress {
  readonly id: MemberId;
  /** A spare is told who leads and sent no entries. */
  role: MemberRole;
  phase: ProgressPhase;
  /** The last entry that the member has durably and in agreement with us. Falls only if the member has lost it. */
  matchIndex = 0 as LogIndex;
  /** The latest round that it has answered in this term; 0: none. Never falls. */
  round = 0;
  /** How far the last message lets it commit. */
  commitSent = 0 as LogIndex;
  /** The highest feature version that it understands; 0: not heard yet. */
  version = 0;
  /** Whether its disk has room for proposals, and whether it lacks what its disk has lost: as it said last. */
  hasSpace = false;
  hasLost = false;
  /** It has answered in this step, or what it needs has come: it may be sent more. */
  mayGoOn = false;
  /** When it was heard last in this term; before that: when it was first spoken to. */
  heardAt: Instant;
  /** When it has said last that it is about to stop; null: it has not. */
  leavingAt: Instant | null = null;

  constructor(id: MemberId, role: MemberRole, nextIndex: LogIndex, now: Instant) {
    this.id = id;
    this.role = role;
    this.heardAt = now;
    this.phase = { type: "probe", nextIndex, awaitingReply: false };
  }

  /** Whether it has said that it would not lead: it would not stand, or could take no proposal. */
  get isUnfit(): boolean {
    return this.version > 0 && (this.hasLost || !this.hasSpace);
  }

  /** The next entry to be sent; null: a snapshot is. */
  get nextIndex(): LogIndex | null {
    return this.phase.type === "snapshot" ? null : this.phase.nextIndex;
  }

  /** Whether entries may be sent now. */
  hasRoom(limits: RaftLimits): boolean {
    switch (this.phase.type) {
      case "probe":
        return !this.phase.awaitingReply;
      case "replicate":
        return this.phase.window.hasRoom(limits);
      case "snapshot":
        return false;
      default:
        return unreachable(this.phase);
    }
  }

  /** Entries up to `last` are on their way. */
  sent(last: LogIndex, bytes: number): void {
    const { phase } = this;
    if (phase.type === "probe") phase.awaitingReply = true;
    if (phase.type !== "replicate") return;
    phase.window.add(last, bytes);
    phase.nextIndex = (last + 1) as LogIndex;
  }

  /** In one term neither log is truncated below what once matched: an old acknowledgement is as true as a new one. */
  accepted(matchIndex: LogIndex): void {
    if (matchIndex > this.matchIndex) this.matchIndex = matchIndex;
    const next = (this.matchIndex + 1) as LogIndex;
    const { phase } = this;
    switch (phase.type) {
      case "probe":
        this.phase = { type: "replicate", nextIndex: next, window: new Window() };
        return;
      case "replicate":
        phase.window.acknowledge(this.matchIndex);
        if (phase.nextIndex < next) phase.nextIndex = next;
        return;
      case "snapshot":
        if (this.matchIndex >= phase.transfer.snapshot.entry.index) this.probe(next);
        return;
      default:
        unreachable(phase);
    }
  }

  rejected({ rejected, hint }: Rejection, log: Log): void {
    const { phase } = this;
    if (phase.type === "snapshot") return;
    // The follower has acknowledged that entry since, or the rejection is of a message that we have moved back from.
    if (rejected <= this.matchIndex || rejected >= phase.nextIndex) return;
    if (phase.type === "probe" && rejected !== phase.nextIndex - 1) return;
    // Our entries of later terms than the hint's cannot be in the follower's log up to there.
    const agreed = Math.max(this.matchIndex, log.lastAtMost(hint.index, hint.term).index);
    this.probe((agreed + 1) as LogIndex);
  }

  /** It has lost what it acknowledged: whatever it has is found out anew. */
  takeBack(): void {
    const next = (this.matchIndex + 1) as LogIndex;
    this.matchIndex = 0 as LogIndex;
    if (this.phase.type !== "snapshot") this.probe(next);
  }

  /** Begins to send a snapshot: the log lacks what is needed. */
  sendSnapshot(transfer: SnapshotTransfer): void {
    this.phase = { type: "snapshot", transfer };
  }

  /** Looks for the place where the logs agree, from `nextIndex` - 1 backwards. */
  probe(nextIndex: LogIndex): void {
    this.phase = { type: "probe", nextIndex, awaitingReply: false };
  }
}
