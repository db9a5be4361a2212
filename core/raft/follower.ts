/**
 * What the leader's messages do to this node's log: AppendEntries and InstallSnapshot, receiver's side (figure 2, §7).
 * That they come from the leader of this term has been judged before.
 *
 * A snapshot arrives in chunks; each is answered when it is written, so our disk sets the pace; what it has from
 * elsewhere (pages that did not change since its own snapshot) it skips, and says so. When the last one is
 * written the snapshot takes the place of the log, at once in memory, and the acknowledgement waits for the disk as any
 * other. One whose entry we hold needs no installing: we have all that is in it.
 */
import { invariant, unreachable } from "../invariant.ts";
import { NO_ENTRY, type LogIndex, type MemberId, type Term } from "../types.ts";
import { judgeAppend, type AppendVerdict } from "./append.ts";
import { followerCommitIndex } from "./commit.ts";
import type { Configuration } from "./configuration.ts";
import { decodeConfiguration } from "./configuration-codec.ts";
import { isSameSnapshot } from "./message.ts";
import type { AppendEntries, AppendEntriesReply, InstallSnapshot, SnapshotId } from "./message.ts";
import type { NodeState } from "./node-state.ts";

/** A snapshot of which some is here. */
interface Reception {
  readonly snapshot: SnapshotId;
  /** So many bytes from its start are written. */
  received: number;
  /** Where the chunk ends that is being written; null: none is. */
  storing: number | null;
}

export class Follower {
  private readonly node: NodeState;
  /** The most that a leader was told of rounds and of our log, and in which term. */
  private readonly answered = { term: 0 as Term, round: 0, matchIndex: 0 as LogIndex };
  /** null: no snapshot is being received. */
  private reception: Reception | null = null;

  constructor(node: NodeState) {
    this.node = node;
  }

  /** To a leader of an earlier term: our term tells it that it leads no more. */
  refuse(from: MemberId, message: AppendEntries | InstallSnapshot): void {
    if (message.type === "InstallSnapshot") return this.replyToChunk(from, message.snapshot, 0);
    this.replyToAppend(from, message, { accepted: false, rejected: message.prevLog.index, hint: NO_ENTRY });
  }

  appendReceived(from: MemberId, request: AppendEntries): void {
    const { node } = this;
    const verdict = judgeAppend(node.log, node.delivery.commitIndex, request);
    switch (verdict.type) {
      case "impossible":
        return node.reject(from, "a leader's log has every committed entry");
      case "mismatch": {
        const result = { accepted: false, rejected: request.prevLog.index, hint: verdict.hint } as const;
        return this.replyToAppend(from, request, result);
      }
      case "match":
        if (this.take(from, verdict)) this.acknowledge(from, request);
        return;
      default:
        unreachable(verdict);
    }
  }

  snapshotReceived(from: MemberId, { snapshot, offset, bytes }: InstallSnapshot): void {
    if (this.needsNot(snapshot)) return this.haveAlready(from, snapshot);
    if (this.reception === null || !isSameSnapshot(this.reception.snapshot, snapshot)) {
      this.reception = { snapshot, received: 0, storing: null };
    }
    const { reception } = this;
    // A repeated chunk, or one that was overtaken, changes nothing.
    if (offset !== reception.received || bytes.length === 0) return this.goOn(from, reception);
    if (reception.storing !== null) return;
    reception.storing = offset + bytes.length;
    this.node.effects.push({ type: "StoreChunk", snapshot: reception.snapshot, offset, bytes });
  }

  /**
   * @param end where to go on; null: there was no room for it
   * @param leader whom we follow now; null: nobody to be told, the next one asks
   */
  chunkStored(snapshot: SnapshotId, end: number | null, leader: MemberId | null): void {
    const { reception } = this;
    // Another snapshot has come between, and what was written before is discarded.
    if (reception === null || reception.storing === null || !isSameSnapshot(reception.snapshot, snapshot)) return;
    if (end === null) {
      // The leader asks again in a while: by then there may be room.
      this.reception = null;
      return;
    }
    invariant(end >= reception.storing && end <= snapshot.size, "what is stored reaches to the end of the chunk");
    reception.storing = null;
    reception.received = end;
    if (leader !== null) this.goOn(leader, reception);
  }

  /** Says how much is here; once that is all, takes it over. */
  private goOn(leader: MemberId, { snapshot, received }: Reception): void {
    if (received < snapshot.size) return this.replyToChunk(leader, snapshot, received);
    this.reception = null;
    // While it was written the log itself may have come as far.
    if (this.needsNot(snapshot)) return this.haveAlready(leader, snapshot);
    this.node.install(snapshot);
    this.node.verify(snapshot.entry.index);
    this.replyInstalled(leader, snapshot);
  }

  private needsNot({ entry }: SnapshotId): boolean {
    const { log, delivery } = this.node;
    return log.holds(entry) || entry.index <= delivery.commitIndex;
  }

  /** Takes over what is new; whether it could be understood. */
  private take(from: MemberId, { truncateTo, entries }: AppendVerdict & { type: "match" }): boolean {
    const { node } = this;
    const configurations = new Map<LogIndex, Configuration>();
    for (const entry of entries) {
      if (entry.kind !== "configuration") continue;
      const decoded = decodeConfiguration(entry.payload);
      if (!decoded.ok) {
        node.reject(from, `a configuration entry holds a configuration: ${decoded.fault.rule}`);
        return false;
      }
      configurations.set(entry.index, decoded.value);
    }
    if (truncateTo !== null) node.truncate(truncateTo);
    for (const entry of entries) node.appendReceived(entry, configurations.get(entry.index) ?? null);
    return true;
  }

  private acknowledge(from: MemberId, request: AppendEntries): void {
    const { node } = this;
    node.commit(followerCommitIndex(node.delivery.commitIndex, request));
    // What was verified, not how far our log goes: its end may be a deposed leader's. Our base is committed.
    const verified = Math.max(request.prevLog.index + request.entries.length, node.log.base.index) as LogIndex;
    node.verify(verified);
    if (request.entries.length > 0) {
      this.tells(request, verified);
      return this.replyToAppend(from, request, { accepted: true, matchIndex: verified });
    }
    // A heartbeat's answer does not wait for the disk, and so vouches for no more than is there.
    const matchIndex = Math.min(verified, node.writes.durable.index) as LogIndex;
    if (!this.tells(request, matchIndex)) return;
    const result = { accepted: true, matchIndex } as const;
    node.post(from, this.appendReply(request, result), "term");
  }

  /**
   * Notes what an answer tells. Whether the leader of this term has not been told so much before: who only hears what
   * is committed need not answer. Each heartbeat begins a round, so an answer that was lost is given again.
   */
  private tells({ round }: AppendEntries, matchIndex: LogIndex): boolean {
    const { answered, node: { currentTerm } } = this;
    if (answered.term === currentTerm && round <= answered.round && matchIndex <= answered.matchIndex) return false;
    const isSameTerm = answered.term === currentTerm;
    answered.round = isSameTerm ? Math.max(answered.round, round) : round;
    answered.matchIndex = isSameTerm ? (Math.max(answered.matchIndex, matchIndex) as LogIndex) : matchIndex;
    answered.term = currentTerm;
    return true;
  }

  private haveAlready(from: MemberId, snapshot: SnapshotId): void {
    const { node } = this;
    const { entry } = snapshot;
    if (entry.index >= node.log.base.index && !node.log.holds(entry)) {
      return node.reject(from, "a snapshot agrees with what is committed");
    }
    // All before an entry that both logs hold agrees, and what a snapshot holds is committed.
    if (entry.index > node.delivery.commitIndex) node.commit(entry.index);
    node.verify(Math.max(entry.index, node.log.base.index) as LogIndex);
    this.replyInstalled(from, snapshot);
  }

  private replyToAppend(to: MemberId, request: AppendEntries, result: AppendEntriesReply["result"]): void {
    // A rejection vouches for the term alone.
    this.node.post(to, this.appendReply(request, result), result.accepted ? "log" : "term");
  }

  private appendReply({ round }: AppendEntries, result: AppendEntriesReply["result"]): AppendEntriesReply {
    const { currentTerm: term, options: { version }, hasSpace, loss } = this.node;
    return { type: "AppendEntriesReply", term, round, version, hasSpace, hasLost: loss.entry !== null, result };
  }

  private replyToChunk(to: MemberId, { entry, checksum }: SnapshotId, received: number): void {
    const { currentTerm: term } = this.node;
    this.node.post(to, { type: "InstallSnapshotReply", term, entry, checksum, received, installed: false }, "term");
  }

  private replyInstalled(to: MemberId, { entry, checksum, size: received }: SnapshotId): void {
    const { currentTerm: term } = this.node;
    this.node.post(to, { type: "InstallSnapshotReply", term, entry, checksum, received, installed: true }, "log");
  }
}
