/**
 * The other members as their leader sees them, and everything that it sends them of its log. Lives for one term of one
 * leader. Commits nothing, and counts nothing: it only says how far each is.
 *
 * All AppendEntries are made here, in one place (`send`). They need not wait for our own disk: they vouch for the term
 * alone, and that is durable by our own vote. So the followers' writes overlap our own.
 */
import { afterMs, NO_ENTRY, type Entry, type EntryId, type LogIndex, type MemberId, type Term } from "../types.ts";
import { everybodyIn, isVoter } from "./configuration.ts";
import { limitBatch } from "./log.ts";
import type { AppendEntriesReply, InstallSnapshotReply } from "./message.ts";
import type { NodeState } from "./node-state.ts";
import { Progress } from "./progress.ts";
import type { ReadOrder } from "./read-back.ts";
import type { Standing } from "./roles.ts";
import type { Rounds } from "./rounds.ts";
import { SnapshotTransfer } from "./snapshot-transfer.ts";

/** So many election timeouts of silence, and a member counts as dead when roles are given out. */
const DEAD_AFTER_TIMEOUTS = 10;
/** One that lags by no more than so many entries may become a voter: it holds up no commit. */
const CAUGHT_UP_ENTRIES = 128;

const NO_ENTRIES: readonly Entry[] = [];

export class Followers {
  /** Everybody in the configuration in force but ourselves, sorted by id. */
  all: readonly Progress[] = [];
  /** How far a voter durably is, and the latest round that it has answered: what quorums are made of. */
  readonly matchOf = (id: MemberId): LogIndex => {
    return id === this.node.id ? this.node.writes.durable.index : (this.byId.get(id)?.matchIndex ?? (0 as LogIndex));
  };
  readonly roundOf = (id: MemberId): number => {
    return id === this.node.id ? this.rounds.latest : (this.byId.get(id)?.round ?? 0);
  };
  private readonly node: NodeState;
  private readonly rounds: Rounds;
  private readonly term: Term;
  private readonly byId = new Map<MemberId, Progress>();
  /** Of the configurations that `all` was made from. */
  private version = -1;
  /** Who may be sent more although there is no news for all: they have answered, or what they need has come. */
  private touched: Progress[] = [];
  /** What all were supplied with last. */
  private suppliedLast = 0 as LogIndex;
  private suppliedCommit = 0 as LogIndex;

  constructor(node: NodeState, rounds: Rounds) {
    this.node = node;
    this.rounds = rounds;
    this.term = node.currentTerm;
    this.refresh();
  }

  progressOf(id: MemberId): Progress | null {
    return this.byId.get(id) ?? null;
  }

  standingOf(id: MemberId): Standing {
    const progress = this.byId.get(id);
    if (progress === undefined) return { isAlive: false, isCaughtUp: false };
    const lag = this.node.log.last.index - progress.matchIndex;
    const isCaughtUp = progress.phase.type === "replicate" && lag <= CAUGHT_UP_ENTRIES;
    return { isAlive: this.isAlive(progress), isCaughtUp };
  }

  isAlive(progress: Progress): boolean {
    return !progress.isLeaving && this.isHeard(progress, DEAD_AFTER_TIMEOUTS);
  }

  /** Follows the configuration in force. Who is left behind gets the log's end, from which it learns just that. */
  refresh(): void {
    const { version } = this.node.configurations;
    if (this.version === version) return;
    this.version = version;
    this.follow();
  }

  // A function of its own: what a closure captures is allocated on entry, and refresh is called in every step.
  private follow(): void {
    const { configuration, id, log, now } = this.node;
    const members = everybodyIn(configuration).filter((member) => member.id !== id);
    for (const left of this.all) {
      if (members.some((member) => member.id === left.id)) continue;
      this.supply(left);
      this.byId.delete(left.id);
    }
    this.all = members.map((member) => {
      const role = isVoter(configuration, member.id) ? "voter" : member.role;
      const known = this.byId.get(member.id);
      if (known !== undefined) {
        known.role = role;
        return known;
      }
      const progress = new Progress(member.id, role, (log.last.index + 1) as LogIndex, now);
      this.byId.set(member.id, progress);
      return progress;
    });
  }

  /** A reply of this term. From a stranger, or about what was never sent, it is dropped. */
  replied(from: MemberId, { round, version, result }: AppendEntriesReply): void {
    const progress = this.byId.get(from);
    if (progress === undefined || round > this.rounds.latest) return;
    if (result.accepted && result.matchIndex > this.node.log.last.index) return;
    this.touched.push(progress);
    progress.heardAt = this.node.now;
    progress.version = version;
    if (round > progress.round) progress.round = round;
    if (result.accepted) progress.accepted(result.matchIndex);
    else progress.rejected(result, this.node.log);
  }

  /** An empty message to each: keeps them from standing, carries the round, and finds out what was lost. */
  heartbeat(): void {
    for (const progress of this.all) this.send(progress, NO_ENTRIES);
  }

  /**
   * Sends each what it lacks and has room for, and the commit index once nothing else would bring it. Without news of
   * the log only those who have answered: in a large cluster each acknowledgement would else cost as much as a commit.
   */
  replicate(): void {
    const { log: { last }, delivery: { commitIndex } } = this.node;
    const isNews = last.index !== this.suppliedLast || commitIndex !== this.suppliedCommit;
    this.suppliedLast = last.index;
    this.suppliedCommit = commitIndex;
    for (const progress of isNews ? this.all : this.touched) this.supply(progress);
    if (this.touched.length > 0) this.touched = [];
  }

  /** Entries were read back: to be sent if the follower still stands where it stood. None: they are not wanted. */
  entriesRead(to: MemberId, entries: readonly Entry[]): void {
    const progress = this.byId.get(to);
    if (progress === undefined) return;
    this.touched.push(progress);
    if (progress.nextIndex !== entries[0]?.index) return;
    if (progress.hasRoom(this.node.options.limits)) this.send(progress, limitBatch(entries, this.node.options.limits));
  }

  // Snapshots

  /** To how many a snapshot is being sent. One that has stalled holds nothing up. */
  get transferCount(): number {
    const { now, options } = this.node;
    return this.all.filter(({ phase }) => phase.type === "snapshot" && !phase.transfer.isStalled(now, options)).length;
  }

  snapshotReplied(from: MemberId, reply: InstallSnapshotReply): void {
    const { now, options, effects } = this.node;
    const progress = this.byId.get(from);
    if (progress === undefined) return;
    this.touched.push(progress);
    progress.heardAt = now;
    if (progress.phase.type !== "snapshot") return;
    const { transfer } = progress.phase;
    if (transfer.snapshot.entry.index !== reply.entry.index) return;
    if (reply.installed) progress.accepted(reply.entry.index);
    else transfer.replied(reply, now, options, effects);
  }

  snapshotRead(to: MemberId, entry: EntryId, offset: number, bytes: Uint8Array | null): void {
    const progress = this.byId.get(to);
    if (progress?.phase.type !== "snapshot") return;
    this.touched.push(progress);
    // It has been replaced: begin again, with the one that took its place.
    if (bytes === null) progress.probe((progress.matchIndex + 1) as LogIndex);
    else progress.phase.transfer.read(entry, offset, bytes, this.node.effects);
  }

  /** With each heartbeat: transfers go on after a loss; those to the dead make room for others. */
  tendTransfers(): void {
    const { now, options, effects } = this.node;
    for (const progress of this.all) {
      if (progress.phase.type !== "snapshot") continue;
      if (this.isHeard(progress, 2)) progress.phase.transfer.ask(now, options, effects);
      else progress.probe((progress.matchIndex + 1) as LogIndex);
    }
  }

  private startTransfer(progress: Progress): void {
    const { snapshot, options, now, effects } = this.node;
    if (snapshot === null || !this.isHeard(progress, 2)) return;
    if (this.transferCount >= options.limits.maxSnapshotTransfers) return;
    const transfer = new SnapshotTransfer(progress.id, this.term, snapshot, now);
    progress.sendSnapshot(transfer);
    transfer.ask(now, options, effects);
  }

  // Entries

  private supply(progress: Progress): void {
    const { log, delivery, options: { limits } } = this.node;
    if (progress.role === "spare") return;
    // Whatever is under way to it, and may be lost: the log cannot bring it any further.
    if (progress.nextIndex !== null && progress.nextIndex <= log.base.index) return this.startTransfer(progress);
    while (progress.nextIndex !== null && progress.nextIndex <= log.last.index && progress.hasRoom(limits)) {
      if (progress.nextIndex < log.firstCached) {
        this.orderRead(progress, progress.nextIndex);
        break;
      }
      this.send(progress, log.batch(progress.nextIndex, (log.last.index + 1) as LogIndex, limits));
    }
    const isUpToDate = progress.matchIndex === log.last.index;
    if (isUpToDate && progress.commitSent < delivery.commitIndex) this.send(progress, NO_ENTRIES);
  }

  private orderRead(progress: Progress, from: LogIndex): void {
    const { log, readBack, options: { limits }, effects } = this.node;
    const end = Math.min(log.firstCached, from + limits.maxMessageEntries) as LogIndex;
    const order: ReadOrder = { from, end, term: this.term };
    readBack.order({ type: "replicate", to: progress.id }, order, limits.maxMessageBytes, effects);
  }

  private send(progress: Progress, entries: readonly Entry[]): void {
    const { term, rounds: { latest: round } } = this;
    const { effects, delivery: { commitIndex: leaderCommit } } = this.node;
    const prevLog = this.prevLogOf(progress);
    effects.push({
      type: "Send",
      to: progress.id,
      message: { type: "AppendEntries", term, prevLog, entries, leaderCommit, round },
    });
    const last = entries[entries.length - 1] ?? prevLog;
    // A follower commits nothing beyond what the message has verified.
    progress.commitSent = Math.min(leaderCommit, last.index) as LogIndex;
    if (entries.length === 0) return;
    let bytes = 0;
    for (const { payload } of entries) bytes += payload.length;
    progress.sent(last.index, bytes);
  }

  /** What is before the next entry; 0/0, which everybody holds, where our log cannot tell. */
  private prevLogOf({ role, nextIndex }: Progress): EntryId {
    const { log } = this.node;
    if (role === "spare" || nextIndex === null || nextIndex <= log.base.index) return NO_ENTRY;
    return nextIndex === 1 ? NO_ENTRY : log.idAt((nextIndex - 1) as LogIndex);
  }

  private isHeard(progress: Progress, timeouts: number): boolean {
    const { now, options } = this.node;
    return now <= afterMs(progress.heardAt, timeouts * options.timing.electionTimeoutMs);
  }
}
