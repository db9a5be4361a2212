/**
 * Raft, one node of it: `step(now, input)` takes one piece of news and returns what is to be done about it. It waits
 * for nothing, reads no clock and knows no disk. Each rule stands in a file of its own (docs/raft.md is the tour); this
 * one says who is asked when, and makes followers and leaders of one another.
 *
 *                  would be elected                     elected
 *     follower ──▶ preCandidate ──▶ candidate ──────────────────▶ leader
 *        ▲              │               │        resigns, or a later term │
 *        └──────────────┴───────────────┴─────────────────────────────────┘
 *               a leader of this term, or a later term (from anywhere)
 *
 * The one hard idea: memory runs ahead of the disk. Terms, votes and entries change at once and are written behind;
 * what vouches for them waits in the outbox, and what counts them counts durable ones.
 */
import { invariant, unreachable } from "../invariant.ts";
import type { Instant, LogIndex, MemberId, ReadNumber, Term, Ticket } from "../types.ts";
import { Alarm } from "./alarm.ts";
import type { RaftEffect, RaftInput, RaftOptions } from "./boundary.ts";
import { Compaction } from "./compaction.ts";
import { memberOf } from "./configuration.ts";
import { Departure } from "./departure.ts";
import { Elections } from "./elections.ts";
import { Follower } from "./follower.ts";
import { ForwardedReads } from "./forwarded-reads.ts";
import { inspect } from "./inspection.ts";
import type { RaftState } from "./invariants.ts";
import { Leader } from "./leader.ts";
import type { AppendEntries, InstallSnapshot, Message, ReadIndex, SnapshotId, SnapshotPoint } from "./message.ts";
import { NodeState } from "./node-state.ts";
import { brokenRule } from "./plausibility.ts";
import { isAnswerTo } from "./read-back.ts";

type InputOf<Type extends RaftInput["type"]> = RaftInput & { readonly type: Type };

const NOTHING: readonly RaftEffect[] = [];
const EMPTY = new Uint8Array(0);

export class Raft {
  private readonly node: NodeState;
  private readonly elections: Elections;
  private readonly follower: Follower;
  /** null: this node does not lead. */
  private leader: Leader | null = null;
  private readonly compaction: Compaction;
  private readonly forwarded: ForwardedReads;
  /** null: it does not want to stop. */
  private departure: Departure | null = null;
  private readonly alarm = new Alarm();
  /** The write of an installed snapshot: restored once that is durable; null: none waits. */
  private installing: { readonly ticket: Ticket; readonly snapshot: SnapshotId } | null = null;
  /** What outside was last told. */
  private announced: { readonly term: Term; readonly leader: MemberId | null };
  private announcedConfiguration = -1;

  constructor(options: RaftOptions, now: Instant) {
    this.node = new NodeState(options, now);
    this.elections = new Elections(this.node);
    this.follower = new Follower(this.node);
    this.compaction = new Compaction(this.node);
    this.forwarded = new ForwardedReads(this.node.random, options.timing);
    this.announced = { term: this.node.currentTerm, leader: null };
  }

  /** The first effects of this process life. */
  start(now: Instant): readonly RaftEffect[] {
    const { node } = this;
    node.now = now;
    if (node.snapshot !== null) {
      node.delivery.skipTo(node.snapshot, node.effects);
      node.effects.push({ type: "Restore", snapshot: node.snapshot });
    }
    return this.finish();
  }

  step(now: Instant, input: RaftInput): readonly RaftEffect[] {
    this.advanceTo(now);
    this.take(input);
    return this.finish();
  }

  /** All that has come in by now as one step: what follows from it is written, sent and counted once. */
  stepAll(now: Instant, inputs: readonly RaftInput[]): readonly RaftEffect[] {
    this.advanceTo(now);
    for (const input of inputs) this.take(input);
    return this.finish();
  }

  /**
   * What the applied state as of `index` is to be stored as; null: it is not wanted any more, and TakeSnapshot is not
   * to be answered. Asked by whoever carries that out.
   */
  snapshotAt(index: LogIndex): SnapshotPoint | null {
    return this.compaction.snapshotAt(index);
  }

  /** For invariants, oracles and operators. */
  inspect(): RaftState {
    return inspect(this.node, this.elections, this.leader);
  }

  private advanceTo(now: Instant): void {
    invariant(now >= this.node.now, "time never runs backwards");
    this.node.now = now;
    // A leader that slept, or was deaf, for too long leads no more: it takes no proposal, and says nothing.
    if (this.leader?.mustResign === true) this.becomeFollower(null);
  }

  private take(input: RaftInput): void {
    const { node } = this;
    switch (input.type) {
      case "MessageReceived":
        return this.messageReceived(input.from, input.message);
      case "TimerFired":
        return this.timerFired();
      case "Persisted":
        return this.persisted(input.ticket);
      case "Proposed":
        return this.proposed(input);
      case "RolledBack":
        return node.proposals.rolledBack(input.term, input.last);
      case "ReadRequested":
        return this.readRequested(input.read);
      case "EntriesRead":
        return this.entriesRead(input);
      case "Applied":
        return node.delivery.applied(input.index, node.currentTerm, node.effects);
      case "ChangeRequested":
        if (this.leader !== null) return this.leader.membership.request(input.request, input.operations);
        node.effects.push({
          type: "ChangeResolved", request: input.request, outcome: { type: "refused", reason: "notLeader" },
        });
        return;
      case "TransferRequested":
        if (this.leader !== null) return this.leader.transfer(input);
        node.effects.push({
          type: "TransferResolved", request: input.request, outcome: { type: "refused", reason: "notLeader" },
        });
        return;
      case "LeaveRequested":
        this.departure ??= new Departure(node);
        return;
      case "SnapshotStored":
        return this.compaction.stored(input.snapshot, this.leader);
      case "SnapshotRewritten":
        return this.compaction.rewritten(input.snapshot);
      case "SnapshotAbandoned":
        return this.compaction.abandoned();
      case "SnapshotWanted":
        return this.compaction.want(input.through);
      case "SnapshotRead":
        return this.leader?.followers.snapshotRead(input);
      case "ChunkStored":
        return this.follower.chunkStored(input.snapshot, input.end, this.elections.leader);
      case "SpaceChanged":
        node.hasSpace = input.hasSpace;
        return;
      case "ClockStopped":
        return this.leader?.clockStopped();
      default:
        return unreachable(input);
    }
  }

  // Messages

  private messageReceived(from: MemberId, message: Message): void {
    const { node } = this;
    const rule = from === node.id ? "nobody sends messages to itself" : brokenRule(message);
    if (rule !== null) return node.reject(from, rule);
    if (this.elections.ignores(from, message, this.leader !== null)) return;
    // Figure 2, all servers: a later term makes a follower of anybody.
    if (message.term > node.currentTerm) {
      node.beginTerm(message.term, null);
      this.becomeFollower(null);
    }
    switch (message.type) {
      case "RequestPreVote":
        return this.elections.preVoteRequested(from, message);
      case "RequestVote":
        return this.elections.voteRequested(from, message);
      case "RequestPreVoteReply":
        return this.elections.preVoteReplied(from, message);
      case "RequestVoteReply":
        return this.elections.voteReplied(from, message);
      case "AppendEntries":
      case "InstallSnapshot":
        return this.leaderSpoke(from, message);
      case "TimeoutNow":
        if (message.term === node.currentTerm) this.elections.timeoutNow(from);
        return;
      case "ReadIndex":
        return this.readIndexAsked(from, message);
      case "ReadIndexReply":
        node.loss.answered(message);
        return this.forwarded.answered(message, node.effects);
      case "AppendEntriesReply":
      case "InstallSnapshotReply":
      case "Leaving":
        // An earlier term's reply speaks of a log that may have been cut since.
        if (message.term === node.currentTerm) this.leader?.received(from, message);
        return;
      default:
        return unreachable(message);
    }
  }

  private leaderSpoke(from: MemberId, message: AppendEntries | InstallSnapshot): void {
    const { node, elections } = this;
    if (message.term < node.currentTerm) return this.follower.refuse(from, message);
    const known = this.knownLeader();
    if (known !== null && known !== from) return node.reject(from, "a term has one leader");
    if (known === null) this.becomeFollower(from);
    elections.heard();
    if (message.type === "AppendEntries") this.follower.appendReceived(from, message);
    else this.follower.snapshotReceived(from, message);
  }

  private readRequested(read: ReadNumber): void {
    if (this.leader !== null) return this.leader.requestRead({ type: "own", read });
    // Whatever the leader answered, this node's state would not come to it.
    if (this.isLeftOut) this.node.effects.push({ type: "ReadRefused", read });
    else this.forwarded.request(read);
  }

  private readIndexAsked(from: MemberId, { request, hasLost, term: asked }: ReadIndex): void {
    const { leader, node: { currentTerm: term } } = this;
    // Of an earlier term nothing has been counted here.
    const isTakenBack = !hasLost || (asked === term && leader?.takeBack(from, request) === true);
    if (leader !== null && isTakenBack) return leader.requestRead({ type: "member", to: from, request });
    this.node.post(from, { type: "ReadIndexReply", term, request, index: null }, "term");
  }

  // Roles

  private timerFired(): void {
    this.alarm.fired();
    if (this.leader !== null) this.leader.timerFired();
    else if (this.node.now >= this.elections.deadline) this.elections.timedOut();
  }

  private becomeLeader(): void {
    const { node } = this;
    this.elections.follow(null);
    this.leader = new Leader(node);
    node.proposals.lead(node.currentTerm);
    for (const read of this.forwarded.takeAll()) this.leader.requestRead({ type: "own", read });
    // Commits what earlier leaders left (§5.4.2, §8).
    node.appendOwn("noop", EMPTY);
  }

  /** A leader stands in this term, or nobody known does. */
  private becomeFollower(leader: MemberId | null): void {
    if (this.leader !== null) {
      this.leader.abdicate();
      this.leader = null;
      this.node.proposals.lead(null);
      this.elections.await();
    }
    this.elections.follow(leader);
  }

  private depart(departure: Departure): void {
    if (departure.isHandingOver(this.leader, this.elections.leader)) return;
    this.node.effects.push({ type: "Leave" });
    this.departure = null;
  }

  // The log

  private proposed(input: InputOf<"Proposed">): void {
    const { node } = this;
    const { proposal, payload } = input;
    const disk = { hasSpace: node.hasSpace, unwrittenBytes: node.writes.pendingBytes };
    const reason = node.proposals.judge(input, node.options.limits, disk, node.now);
    if (reason !== null) {
      node.effects.push({ type: "Resolve", proposal, outcome: { type: "refused", reason } });
      return;
    }
    const { term, index } = node.appendOwn("payload", payload);
    node.proposals.accept(proposal, { term, index }, payload.length);
    node.effects.push({ type: "Accept", proposal, entry: { term, index } });
  }

  private persisted(ticket: Ticket): void {
    const { node, installing } = this;
    node.writes.done(ticket);
    node.proposals.written(node.options.limits, node.writes.pendingBytes);
    if (installing?.ticket !== ticket) return;
    this.installing = null;
    node.effects.push({ type: "Restore", snapshot: installing.snapshot });
  }

  private entriesRead({ purpose, entries }: InputOf<"EntriesRead">): void {
    const { node } = this;
    const order = node.readBack.answered(purpose);
    // What lies before the base has been overtaken by a snapshot.
    const isOvertaken = order.from <= node.log.base.index;
    if (purpose.type === "apply") {
      return node.delivery.entriesRead(order, isOvertaken ? [] : entries, node.currentTerm, node.effects);
    }
    if (this.leader === null) return;
    // Ordered for an earlier term: the entries may have been replaced since.
    const isCurrent = order.term === node.currentTerm && !isOvertaken;
    invariant(!isCurrent || isAnswerTo(order, entries, node.log), "a disk returns the log's own entries");
    this.leader.followers.entriesRead(purpose.to, isCurrent ? entries : []);
  }

  // The end of a step

  private finish(): readonly RaftEffect[] {
    const { node } = this;
    const { log, writes, delivery, options } = node;
    if (this.elections.isElected) this.becomeLeader();
    if (this.departure !== null) this.depart(this.departure);
    if (this.leader !== null) this.lead(this.leader);
    else this.askLeader();
    if (node.proposals.hasOpen && this.leader === null && this.isLeftOut) {
      node.proposals.skippedTo(node.log.last.index, node.effects);
    }
    if (node.loss.isMadeGood(log, writes.durable, node.currentTerm)) node.effects.push({ type: "ForgetLoss" });
    this.compaction.takeIfDue();
    log.evict(Math.min(delivery.spared, writes.durable.index) as LogIndex, options.limits.maxCachedBytes);
    const write = writes.take();
    if (write?.type === "Persist" && write.snapshot !== null) {
      this.installing = { ticket: write.ticket, snapshot: write.snapshot };
    }
    node.outbox.release(writes, node.effects);
    this.alarm.arm(this.deadline(), node.effects);
    return this.collect(write);
  }

  private lead(leader: Leader): void {
    leader.advance();
    if (leader.mustResign) this.becomeFollower(null);
  }

  /** Whether this node gets no entries, as far as it knows: it never hears what is committed. */
  private get isLeftOut(): boolean {
    const member = memberOf(this.node.configuration, this.node.id);
    return member === null || member.role === "spare";
  }

  /** As of which index may be read, and to take back what our disk has lost. */
  private askLeader(): void {
    const { node, elections: { leader }, forwarded } = this;
    const { currentTerm: term, now } = node;
    const request = forwarded.ask(leader, now, node.effects);
    if (leader === null) return;
    if (request !== null) node.post(leader, { type: "ReadIndex", term, request, hasLost: false }, "term");
    const told = node.loss.tell(term, now, forwarded.patienceMs);
    if (told !== null) node.post(leader, { type: "ReadIndex", term, request: told, hasLost: true }, "term");
  }

  /** The write first, then the news of leadership: a proposer rolls back before it applies what another committed. */
  private collect(write: RaftEffect | null): readonly RaftEffect[] {
    const { node } = this;
    const { currentTerm: term, configurations } = node;
    const leader = this.knownLeader();
    const isNews = this.announced.term !== term || this.announced.leader !== leader;
    const isReconfigured = this.announcedConfiguration !== configurations.version;
    if (write === null && !isNews && !isReconfigured && node.effects.length === 0) return NOTHING;
    const effects = node.effects;
    node.effects = [];
    if (isReconfigured) {
      this.announcedConfiguration = configurations.version;
      effects.unshift({ type: "ConfigurationChanged", configuration: configurations.current });
    }
    if (isNews) {
      this.announced = { term, leader };
      effects.unshift({ type: "LeadershipChanged", term, leader });
    }
    if (write !== null) effects.unshift(write);
    return effects;
  }

  /** When something is to be done though nothing happens. */
  private deadline(): Instant {
    const roleDeadline = this.leader !== null ? this.leader.deadline : this.elections.deadline;
    const asked = this.forwarded.deadline ?? roleDeadline;
    const leaving = this.departure?.deadline ?? roleDeadline;
    return Math.min(roleDeadline, asked, leaving) as Instant;
  }

  private knownLeader(): MemberId | null {
    return this.leader !== null ? this.node.id : this.elections.leader;
  }
}
