/**
 * Raft, one node of it: `step(now, input)` takes one piece of news and returns what is to be done about it. It waits
 * for nothing, reads no clock and knows no disk; each rule that can be a function of values is one, in a file of its
 * own, and this file says when it is asked. Not here: snapshots, changes of membership, pre-vote, leases.
 *
 *                 timeout                    majority of votes
 *     follower -----------------> candidate -----------------> leader
 *        ^                         |  ^  | timeout: new term      |
 *        |   a leader of this term |  +--+                        |
 *        +-------------------------+------------------------------+
 *                       a later term (from anywhere)
 *
 * The one hard idea: memory runs ahead of the disk. Terms, votes and entries change at once and are written behind;
 * what vouches for them waits in the outbox, and what counts them counts durable ones.
 */
import { invariant, unreachable } from "../invariant.ts";
import { Random } from "../random.ts";
import type { Entry, EntryId, EntryKind, Instant, LogIndex, MemberId, Term, Ticket } from "../types.ts";
import { afterMs, NO_ENTRY } from "../types.ts";
import { Alarm } from "./alarm.ts";
import { judgeAppend } from "./append.ts";
import type { RaftEffect, RaftInput, RaftOptions } from "./boundary.ts";
import { followerCommitIndex, leaderCommitIndex, quorumIndex } from "./commit.ts";
import { Delivery } from "./delivery.ts";
import { electionDeadline, electsLeader, grantsVote } from "./election.ts";
import type { RaftSnapshot } from "./invariants.ts";
import { Leader } from "./leader.ts";
import { Log } from "./log.ts";
import type { AppendEntries, AppendEntriesReply, Message, RequestVote, RequestVoteReply } from "./message.ts";
import { Outbox } from "./outbox.ts";
import { isPlausible } from "./plausibility.ts";
import { Proposals } from "./proposals.ts";
import { isAnswerTo, ReadBack } from "./read-back.ts";
import { Writes } from "./writes.ts";

/** What belongs to a role exists only in that role. */
type Role =
  /** `leader` null: not known yet in this term. */
  | { readonly type: "follower"; readonly leader: MemberId | null }
  /** `votes`: who granted, ourselves only once our own vote is durable. */
  | { readonly type: "candidate"; readonly votes: Set<MemberId> }
  | { readonly type: "leader"; readonly leader: Leader };

type InputOf<Type extends RaftInput["type"]> = RaftInput & { readonly type: Type };

const NOTHING: readonly RaftEffect[] = [];
const EMPTY = new Uint8Array(0);

export class Raft {
  private readonly options: RaftOptions;
  private readonly isVoter: boolean;
  private readonly random: Random;
  private readonly log: Log;
  private readonly writes: Writes;
  private readonly outbox = new Outbox();
  private readonly proposals = new Proposals();
  private readonly readBack = new ReadBack();
  private readonly delivery: Delivery;
  private readonly alarm = new Alarm();

  private currentTerm: Term;
  private votedFor: MemberId | null;
  private role: Role = { type: "follower", leader: null };

  private now: Instant;
  /** When to stand unless somebody leads or wins our vote before. */
  private electionDeadline: Instant;
  /** Of the current step, besides Persist and LeadershipChanged, which stand before them. */
  private effects: RaftEffect[] = [];
  private announced: { readonly term: Term; readonly leader: MemberId | null };

  constructor(options: RaftOptions, now: Instant) {
    const { id, voters, hardState } = options;
    this.options = options;
    this.isVoter = voters.includes(id);
    this.random = new Random(options.seed);
    this.log = new Log(options.log);
    this.writes = new Writes(this.log);
    this.delivery = new Delivery(this.log, this.proposals, this.readBack, options.limits);
    this.currentTerm = hardState.currentTerm;
    this.votedFor = hardState.votedFor;
    this.announced = { term: this.currentTerm, leader: null };
    this.now = now;
    // A cluster of one has nobody to wait for.
    this.electionDeadline = voters.length === 1 ? now : electionDeadline(now, options.timing, this.random);
    invariant(this.log.last.term <= this.currentTerm, "recovery finds no entry of a later term than the hard state's");
  }

  /** The first effects of this process life. */
  start(now: Instant): readonly RaftEffect[] {
    this.now = now;
    return this.finish();
  }

  step(now: Instant, input: RaftInput): readonly RaftEffect[] {
    invariant(now >= this.now, "time never runs backwards");
    this.now = now;
    switch (input.type) {
      case "MessageReceived":
        this.messageReceived(input.from, input.message);
        break;
      case "TimerFired":
        this.timerFired();
        break;
      case "Persisted":
        this.persisted(input.ticket);
        break;
      case "Proposed":
        this.proposed(input);
        break;
      case "RolledBack":
        this.proposals.rolledBack(input.term, input.last);
        break;
      case "ReadRequested":
        if (this.role.type === "leader") this.role.leader.reads.request(input.read);
        else this.effects.push({ type: "ReadRefused", read: input.read });
        break;
      case "EntriesRead":
        this.entriesRead(input);
        break;
      case "Applied":
        this.delivery.applied(input.index);
        break;
      default:
        return unreachable(input);
    }
    return this.finish();
  }

  /** For invariants, oracles and operators. */
  inspect(): RaftSnapshot {
    const { role, log, writes, delivery } = this;
    return {
      id: this.options.id,
      voters: this.options.voters,
      currentTerm: this.currentTerm,
      votedFor: this.votedFor,
      hardStateDurable: writes.hardStateDurable,
      role: role.type,
      leader: this.knownLeader(),
      commitIndex: delivery.commitIndex,
      lastApplied: delivery.lastApplied,
      last: log.last,
      durable: writes.durable,
      terms: log.runs,
      firstCached: log.firstCached,
      cachedBytes: log.cachedBytes,
      matchIndex: role.type === "leader" ? role.leader.matchIndexByNode() : [],
      openProposals: this.proposals.openCount,
    };
  }

  // Elections

  private timerFired(): void {
    this.alarm.fired();
    const { role } = this;
    if (role.type === "leader") {
      if (this.now < role.leader.heartbeatDeadline) return;
      role.leader.heartbeatDeadline = afterMs(this.now, this.options.timing.heartbeatMs);
      role.leader.heartbeat(this.delivery.commitIndex, this.effects);
    } else if (this.isVoter && this.now >= this.electionDeadline) {
      this.awaitElection();
      // Until our last vote is on disk, a new one would only lengthen its queue.
      if (role.type === "follower" || this.writes.hardStateDurable) this.campaign();
    }
  }

  private campaign(): void {
    this.beginTerm((this.currentTerm + 1) as Term, this.options.id);
    this.role = { type: "candidate", votes: new Set() };
    const request: RequestVote = { type: "RequestVote", term: this.currentTerm, lastLog: this.log.last };
    for (const voter of this.options.voters) if (voter !== this.options.id) this.outbox.post(voter, request);
  }

  private requestVoteReceived(from: MemberId, request: RequestVote): void {
    const voter = { currentTerm: this.currentTerm, votedFor: this.votedFor, lastLog: this.log.last };
    const granted = grantsVote(voter, from, request);
    if (granted) {
      if (this.votedFor === null) this.setHardState(this.currentTerm, from);
      this.awaitElection();
    }
    this.outbox.post(from, { type: "RequestVoteReply", term: this.currentTerm, granted });
  }

  private requestVoteReplied(from: MemberId, reply: RequestVoteReply): void {
    // A reply of an earlier term is a vote in an election that is over.
    if (reply.term !== this.currentTerm || this.role.type !== "candidate" || !reply.granted) return;
    this.countVote(this.role.votes, from);
  }

  private countVote(votes: Set<MemberId>, from: MemberId): void {
    votes.add(from);
    // Our own vote is needed too: a leader's messages do not wait for it to be durable.
    if (votes.has(this.options.id) && electsLeader(votes, this.options.voters)) this.becomeLeader();
  }

  private becomeLeader(): void {
    const leader = new Leader(this.options, this.currentTerm, this.log, this.now);
    this.role = { type: "leader", leader };
    this.proposals.lead(this.currentTerm);
    // Commits what earlier leaders left (§5.4.2, §8).
    this.append("noop", EMPTY);
  }

  /** A leader stands in this term, or nobody known does. */
  private becomeFollower(leader: MemberId | null): void {
    if (this.role.type === "leader") {
      this.role.leader.reads.refuse(this.effects);
      this.proposals.lead(null);
      this.awaitElection();
    }
    this.role = { type: "follower", leader };
  }

  private beginTerm(term: Term, votedFor: MemberId | null): void {
    invariant(term > this.currentTerm, "the term never falls");
    this.setHardState(term, votedFor);
    this.outbox.clear();
  }

  private setHardState(currentTerm: Term, votedFor: MemberId | null): void {
    this.currentTerm = currentTerm;
    this.votedFor = votedFor;
    this.writes.saveHardState({ currentTerm, votedFor });
  }

  private awaitElection(): void {
    this.electionDeadline = electionDeadline(this.now, this.options.timing, this.random);
  }

  // Messages

  private messageReceived(from: MemberId, message: Message): void {
    if (from === this.options.id || !isPlausible(message)) return;
    // Figure 2, all servers: a later term makes a follower of anybody.
    if (message.term > this.currentTerm) {
      this.beginTerm(message.term, null);
      this.becomeFollower(null);
    }
    switch (message.type) {
      case "RequestVote":
        return this.requestVoteReceived(from, message);
      case "RequestVoteReply":
        return this.requestVoteReplied(from, message);
      case "AppendEntries":
        return this.appendEntriesReceived(from, message);
      case "AppendEntriesReply":
        return this.appendEntriesReplied(from, message);
      default:
        return unreachable(message);
    }
  }

  private appendEntriesReceived(from: MemberId, request: AppendEntries): void {
    if (request.term < this.currentTerm) return this.replyToAppend(from, request, rejection(request, NO_ENTRY));
    // A term has one leader: no correct peer claims to be a second.
    const known = this.knownLeader();
    if (known !== null && known !== from) return;
    if (known === null) this.becomeFollower(from);
    this.awaitElection();

    const verdict = judgeAppend(this.log, this.delivery.commitIndex, request);
    switch (verdict.type) {
      case "impossible":
        return;
      case "mismatch":
        return this.replyToAppend(from, request, rejection(request, verdict.hint));
      case "match": {
        if (verdict.truncateTo !== null) this.writes.truncate(verdict.truncateTo);
        for (const entry of verdict.entries) this.writes.append(entry);
        this.commit(followerCommitIndex(this.delivery.commitIndex, request));
        // What was verified, not how far our log goes: its end may be a deposed leader's.
        const matchIndex = (request.prevLog.index + request.entries.length) as LogIndex;
        return this.replyToAppend(from, request, { accepted: true, matchIndex });
      }
      default:
        return unreachable(verdict);
    }
  }

  private replyToAppend(to: MemberId, { round }: AppendEntries, result: AppendEntriesReply["result"]): void {
    this.outbox.post(to, { type: "AppendEntriesReply", term: this.currentTerm, round, result });
  }

  private appendEntriesReplied(from: MemberId, reply: AppendEntriesReply): void {
    // An earlier term's reply speaks of a log that may have been cut since.
    if (reply.term !== this.currentTerm || this.role.type !== "leader") return;
    this.role.leader.replied(from, reply);
  }

  // The log

  private proposed(input: InputOf<"Proposed">): void {
    const { proposal, payload } = input;
    const reason = this.proposals.judge(input, this.options.limits);
    if (reason !== null) {
      this.effects.push({ type: "Resolve", proposal, outcome: { type: "refused", reason } });
      return;
    }
    const { term, index } = this.append("payload", payload);
    this.proposals.accept(proposal, { term, index }, payload.length);
    this.effects.push({ type: "Accept", proposal, entry: { term, index } });
  }

  private append(kind: EntryKind, payload: Uint8Array): Entry {
    const index = (this.log.last.index + 1) as LogIndex;
    const entry: Entry = { term: this.currentTerm, index, kind, payload };
    this.writes.append(entry);
    return entry;
  }

  private persisted(ticket: Ticket): void {
    this.writes.done(ticket);
    const { role } = this;
    if (role.type === "candidate" && this.writes.hardStateDurable) this.countVote(role.votes, this.options.id);
  }

  private entriesRead({ purpose, entries }: InputOf<"EntriesRead">): void {
    const order = this.readBack.answered(purpose);
    if (purpose.type === "apply") return this.delivery.entriesRead(order, entries, this.currentTerm, this.effects);
    // Ordered for an earlier term: the entries may have been replaced since.
    if (this.role.type !== "leader" || order.term !== this.currentTerm) return;
    invariant(isAnswerTo(order, entries, this.log), "a disk returns the log's own entries");
    this.role.leader.entriesRead(purpose.to, entries, this.delivery.commitIndex, this.effects);
  }

  private commit(index: LogIndex): void {
    this.delivery.commit(index, this.currentTerm, this.effects);
  }

  // The end of a step

  private finish(): readonly RaftEffect[] {
    if (this.role.type === "leader") this.lead(this.role.leader);
    const { writes, delivery } = this;
    const unneeded = Math.min(delivery.reportedApplied, writes.durable.index) as LogIndex;
    this.log.evict(unneeded, this.options.limits.maxCachedBytes);
    const write = writes.take();
    this.outbox.release(writes.begun, writes.through, this.effects);
    this.alarm.arm(this.deadline(), this.effects);
    const news = this.leadershipNews();
    if (write === null && news === null && this.effects.length === 0) return NOTHING;
    const effects = this.effects;
    this.effects = [];
    if (news !== null) effects.unshift(news);
    if (write !== null) effects.unshift(write);
    return effects;
  }

  /** Whatever the step has made possible: commit, answer reads, replicate. */
  private lead(leader: Leader): void {
    const { delivery } = this;
    if (delivery.commitIndex < this.log.last.index) {
      const quorum = quorumIndex(leader.matchIndexes(this.writes.durable.index));
      this.commit(leaderCommitIndex(delivery.commitIndex, quorum, this.currentTerm, this.log));
    }
    leader.serveReads(delivery.commitIndex, this.effects);
    leader.replicate(delivery.commitIndex, this.readBack, this.effects);
  }

  /** Before anything else of the step: a proposer rolls back before it applies what another leader has committed. */
  private leadershipNews(): RaftEffect | null {
    const { currentTerm: term } = this;
    const leader = this.knownLeader();
    if (this.announced.term === term && this.announced.leader === leader) return null;
    this.announced = { term, leader };
    return { type: "LeadershipChanged", term, leader };
  }

  /** When something is to be done though nothing happens; null: never. */
  private deadline(): Instant | null {
    if (this.role.type !== "leader") return this.isVoter ? this.electionDeadline : null;
    return this.role.leader.hasFollowers ? this.role.leader.heartbeatDeadline : null;
  }

  private knownLeader(): MemberId | null {
    switch (this.role.type) {
      case "follower":
        return this.role.leader;
      case "candidate":
        return null;
      case "leader":
        return this.options.id;
      default:
        return unreachable(this.role);
    }
  }
}

function rejection({ prevLog }: AppendEntries, hint: EntryId): AppendEntriesReply["result"] {
  return { accepted: false, rejected: prevLog.index, hint };
}
