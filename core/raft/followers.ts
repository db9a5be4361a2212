/**
 * The other members as their leader sees them, and everything that it sends them of its log. Lives for one term of one
 * leader. Commits nothing, and counts nothing: it only says how far each is.
 *
 * All AppendEntries are made here, in one place (`send`). They need not wait for our own disk: they vouch for the term
 * alone, and that is durable by our own vote. So the followers' writes overlap our own.
 */
import {
  afterMs, NO_ENTRY, type Entry, type EntryId, type Instant, type LogIndex, type MemberId, type Term,
} from "../types.ts";
import type { RaftInput } from "./boundary.ts";
import { everybodyIn, isVoter, type MemberRole } from "./configuration.ts";
import { limitBatch } from "./log.ts";
import { isSameSnapshot, type AppendEntriesReply, type InstallSnapshotReply, type SnapshotId } from "./message.ts";
import type { NodeState } from "./node-state.ts";
import { Pins } from "./pins.ts";
import { Progress } from "./progress.ts";
import type { ReadOrder } from "./read-back.ts";
import type { Standing } from "./roles.ts";
import type { Rounds } from "./rounds.ts";
import { SnapshotTransfer } from "./snapshot-transfer.ts";

/** So many election timeouts of silence, and a member counts as dead when roles are given out. */
const DEAD_AFTER_TIMEOUTS = 10;
/** So many since it was heard, and no snapshot is sent to it. */
const HEARD_TIMEOUTS = 2;
/** One that is about to stop says so again and again. So many since the last time, and it has stopped, or come back. */
const LEAVING_TIMEOUTS = 2;
/** One that lags by no more than so many entries may become a voter: it holds up no commit. */
const CAUGHT_UP_ENTRIES = 128;

const NO_ENTRIES: readonly Entry[] = [];
const NOTHING_SENT: readonly SnapshotId[] = [];

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
  private readonly pins = new Pins();
  /** Who has lost what it acknowledged: the number of its question, and the latest round when we heard of it. */
  private readonly takenBack = new Map<MemberId, { readonly request: number; readonly round: number }>();
  /** Those that the configuration in force leaves behind, or makes spares of, and that have not been told so. */
  private dismissed: Progress[] = [];
  /** Of the configurations that `all` was made from. */
  private version = -1;
  /** Somebody may be sent more although there is no news for all (Progress.mayGoOn). */
  private somebodyMayGoOn = false;
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
    if (progress === undefined) return { isAlive: false, isDead: false, isCaughtUp: false };
    const lag = this.node.log.last.index - progress.matchIndex;
    const isCaughtUp = progress.phase.type === "replicate" && lag <= CAUGHT_UP_ENTRIES && !progress.hasLost;
    // Before there has been time to hear it in this term, who is silent is not dead, and not alive either.
    const isDead = !this.isAlive(progress);
    return { isAlive: !isDead && progress.version > 0, isDead, isCaughtUp };
  }

  isAlive(progress: Progress): boolean {
    const { leavingAt } = progress;
    if (leavingAt !== null && this.isWithin(leavingAt, LEAVING_TIMEOUTS)) return false;
    return this.isWithin(progress.heardAt, DEAD_AFTER_TIMEOUTS);
  }

  /** Whether leadership may be given to it: it is there, could take proposals, and may stand at all. */
  mayLead(progress: Progress): boolean {
    return this.standingOf(progress.id).isAlive && !progress.isUnfit;
  }

  /** Follows the configuration in force. */
  refresh(): void {
    const { configurations, delivery } = this.node;
    if (this.version !== configurations.version) this.follow();
    if (this.dismissed.length > 0 && configurations.index <= delivery.commitIndex) this.dismiss();
  }

  // A function of its own: what a closure captures is allocated on entry, and refresh is called in every step.
  private follow(): void {
    const { configuration, configurations, id, log, now } = this.node;
    this.version = configurations.version;
    const members = everybodyIn(configuration).filter((member) => member.id !== id);
    for (const left of this.all) if (!members.some((member) => member.id === left.id)) this.give(left, "spare");
    this.all = members.map((member) => {
      const role = isVoter(configuration, member.id) ? "voter" : member.role;
      const known = this.byId.get(member.id);
      if (known !== undefined) {
        this.give(known, role);
        return known;
      }
      const progress = new Progress(member.id, role, (log.last.index + 1) as LogIndex, now);
      this.byId.set(member.id, progress);
      return progress;
    });
  }

  /** @param role "spare" also for who is no member any more, and so is sent nothing either */
  private give(progress: Progress, role: MemberRole): void {
    if (role === "spare" && progress.role !== "spare") this.dismissed.push(progress);
    progress.role = role;
  }

  /**
   * Who is sent nothing more gets the log's end, and learns just that from it: not before it is committed, since a
   * longer log than the others' would only make it refuse its vote to them.
   */
  private dismiss(): void {
    for (const progress of this.dismissed) {
      // Nothing is found out from it later: not what was lost before, nor that it has room again.
      progress.probe((Math.max(progress.matchIndex, this.node.log.base.index) + 1) as LogIndex);
      this.sendLog(progress);
    }
    this.dismissed = [];
    const ids = new Set(this.all.map(({ id }) => id));
    for (const id of this.byId.keys()) if (!ids.has(id)) this.byId.delete(id);
  }

  /** A reply of this term. From a stranger, or about what was never sent, it is dropped. */
  replied(from: MemberId, reply: AppendEntriesReply): void {
    const { round, result } = reply;
    const progress = this.byId.get(from);
    if (progress === undefined || round > this.rounds.latest) return;
    if (result.accepted && result.matchIndex > this.node.log.last.index) return;
    this.goOn(progress);
    progress.heardAt = this.node.now;
    progress.version = reply.version;
    progress.hasSpace = reply.hasSpace;
    progress.hasLost = reply.hasLost;
    if (round > progress.round) progress.round = round;
    if (!result.accepted) return progress.rejected(result, this.node.log);
    // The answer to a message of before may have been given before what it speaks of was lost.
    if (round > (this.takenBack.get(from)?.round ?? -1)) progress.accepted(result.matchIndex);
    if (progress.phase.type === "replicate" && this.node.rarely("probesAnew")) {
      progress.probe((progress.matchIndex + 1) as LogIndex);
    }
  }

  /**
   * A member has lost what it acknowledged in this term: nothing of it counts any more. Said again, under the same
   * number, it is no news. Whether we know that member.
   */
  takeBack(from: MemberId, request: number): boolean {
    const progress = this.byId.get(from);
    if (progress === undefined) return false;
    progress.hasLost = true;
    if (this.takenBack.get(from)?.request === request) return true;
    this.takenBack.set(from, { request, round: this.rounds.latest });
    progress.takeBack();
    this.goOn(progress);
    return true;
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
    if (!isNews && !this.somebodyMayGoOn) return;
    this.somebodyMayGoOn = false;
    for (const progress of this.all) {
      if (isNews || progress.mayGoOn) this.supply(progress);
      progress.mayGoOn = false;
    }
  }

  private goOn(progress: Progress): void {
    progress.mayGoOn = true;
    this.somebodyMayGoOn = true;
  }

  /** Entries were read back: to be sent if the follower still stands where it stood. None: they are not wanted. */
  entriesRead(to: MemberId, entries: readonly Entry[]): void {
    const progress = this.byId.get(to);
    if (progress === undefined) return;
    this.goOn(progress);
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
    this.goOn(progress);
    progress.heardAt = now;
    if (progress.phase.type !== "snapshot") return;
    const { transfer } = progress.phase;
    if (transfer.snapshot.entry.index !== reply.entry.index) return;
    if (reply.installed) progress.accepted(reply.entry.index);
    else transfer.replied(reply, now, options, effects);
  }

  snapshotRead({ to, snapshot, offset, bytes }: RaftInput & { readonly type: "SnapshotRead" }): void {
    const progress = this.byId.get(to);
    if (progress?.phase.type !== "snapshot" || !progress.phase.transfer.awaits(snapshot, offset)) return;
    this.goOn(progress);
    progress.phase.transfer.read(bytes, this.node.effects);
    // It cannot be read: begin again, with the one that has taken its place. Until there is one, it is tried again.
    if (bytes === null && !this.isStored(snapshot)) progress.probe((progress.matchIndex + 1) as LogIndex);
  }

  /** The number under which it has said that it has lost what it acknowledged; 0: it has not. */
  takenBackOf(id: MemberId): number {
    return this.takenBack.get(id)?.request ?? 0;
  }

  private isStored(snapshot: SnapshotId): boolean {
    const stored = this.node.snapshot;
    return stored !== null && isSameSnapshot(stored, snapshot);
  }

  /** Ends a step: what is being sent stays readable, and nothing else. */
  pinTransfers(): void {
    let sent = NOTHING_SENT;
    for (const { phase } of this.byId.values()) {
      if (phase.type === "snapshot") sent = [...sent, phase.transfer.snapshot];
    }
    this.pins.keep(sent, this.node.effects);
  }

  /** Leadership is lost. */
  endTransfers(): void {
    this.pins.keep(NOTHING_SENT, this.node.effects);
  }

  /** With each heartbeat: transfers go on after a loss; those to the dead make room for others. */
  tendTransfers(): void {
    const { now, options, effects } = this.node;
    for (const progress of this.all) {
      if (progress.phase.type !== "snapshot") continue;
      if (this.isHeard(progress)) progress.phase.transfer.ask(now, options, effects);
      else progress.probe((progress.matchIndex + 1) as LogIndex);
    }
  }

  private startTransfer(progress: Progress): void {
    const { snapshot, options, now, effects } = this.node;
    if (snapshot === null || !this.isHeard(progress)) return;
    if (this.transferCount >= options.limits.maxSnapshotTransfers) return;
    const transfer = new SnapshotTransfer(progress.id, this.term, snapshot, now);
    progress.sendSnapshot(transfer);
    transfer.ask(now, options, effects);
  }

  // Entries

  private supply(progress: Progress): void {
    if (progress.role !== "spare") this.sendLog(progress);
  }

  private sendLog(progress: Progress): void {
    const { log, delivery, options: { limits }, rarely } = this.node;
    const isAnyway = this.isCoveredBySnapshot(progress) && rarely("sendsSnapshot");
    // Whatever is under way to it, and may be lost: the log cannot bring it any further.
    if (progress.nextIndex !== null && (progress.nextIndex <= log.base.index || isAnyway)) {
      return this.startTransfer(progress);
    }
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

  private isCoveredBySnapshot({ nextIndex }: Progress): boolean {
    const { snapshot } = this.node;
    return nextIndex !== null && snapshot !== null && nextIndex <= snapshot.entry.index;
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
    const prevLog = this.prevLogOf(progress, entries.length === 0);
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
  private prevLogOf({ role, nextIndex }: Progress, isHeartbeat: boolean): EntryId {
    const { log } = this.node;
    if ((role === "spare" && isHeartbeat) || nextIndex === null || nextIndex <= log.base.index) return NO_ENTRY;
    return nextIndex === 1 ? NO_ENTRY : log.idAt((nextIndex - 1) as LogIndex);
  }

  /** Whether it has been heard just now: more than that it does not count as dead yet. */
  isHeard(progress: Progress): boolean {
    return this.isWithin(progress.heardAt, HEARD_TIMEOUTS);
  }

  private isWithin(since: Instant, timeouts: number): boolean {
    const { now, options } = this.node;
    return now <= afterMs(since, timeouts * options.timing.electionTimeoutMs);
  }
}
