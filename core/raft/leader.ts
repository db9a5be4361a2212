/**
 * One leader's term: what follows from what the other members say: commits, answers to reads, changes of the
 * configuration, handing over. Made when the election is won, thrown away when the term ends or it resigns; nothing in
 * it is ever carried over.
 *
 * A leader whose rounds a quorum no longer answers resigns (check-quorum, thesis §6.2): its clients look for another,
 * and those who still hear it may vote.
 */
import { unreachable } from "../invariant.ts";
import { afterMs, type Instant, type LogIndex, type MemberId, type RequestNumber } from "../types.ts";
import type { RaftInput, TransferOutcome } from "./boundary.ts";
import { leaderCommitIndex } from "./commit.ts";
import { Followers } from "./followers.ts";
import { bestTarget, Handover, isIncomingVoter } from "./handover.ts";
import { leaseEnd } from "./lease.ts";
import { Membership } from "./membership.ts";
import type { AppendEntriesReply, InstallSnapshotReply, Leaving } from "./message.ts";
import type { NodeState } from "./node-state.ts";
import type { Progress } from "./progress.ts";
import { Reads, type ReadOrigin } from "./reads.ts";
import { Rounds } from "./rounds.ts";
import { Succession } from "./succession.ts";

/** So many election timeouts without an answer of a quorum, and a leader resigns. */
const RESIGN_AFTER_TIMEOUTS = 2;

export class Leader {
  readonly followers: Followers;
  readonly membership: Membership;
  handover: Handover | null = null;
  private readonly node: NodeState;
  private readonly rounds: Rounds;
  private readonly reads = new Reads();
  private readonly succession: Succession;
  private heartbeatDeadline: Instant;
  /** It resigns, though nothing compels it to. */
  private isTired = false;
  /** The first round that may make a lease; null: none does in this term any more. */
  private leaseFrom: number | null = 1;

  /** The log ends before anything of this term. */
  constructor(node: NodeState) {
    this.node = node;
    this.rounds = new Rounds(node.now);
    this.followers = new Followers(node, this.rounds);
    this.membership = new Membership(node, this.followers);
    this.heartbeatDeadline = afterMs(node.now, node.options.timing.heartbeatMs);
    this.succession = new Succession(node, this.followers);
  }

  /** When something is to be done though nothing happens. */
  get deadline(): Instant {
    const { handover, heartbeatDeadline } = this;
    return handover !== null && handover.deadline < heartbeatDeadline ? handover.deadline : heartbeatDeadline;
  }

  /** Whether it must lead no more: nobody answers, or it no longer votes. */
  get mustResign(): boolean {
    if (this.isTired) return true;
    const { now, options } = this.node;
    const patience = RESIGN_AFTER_TIMEOUTS * options.timing.electionTimeoutMs;
    return (now > afterMs(this.rounds.confirmedSince, patience) && !this.isEnough) || this.membership.isUnseated;
  }

  /** Whether this node alone is a quorum: it has nobody to lose. */
  private get isEnough(): boolean {
    const { configurations, id } = this.node;
    return configurations.quorum.isReached((one) => one === id);
  }

  timerFired(): void {
    const { now, options } = this.node;
    if (this.handover !== null && now >= this.handover.deadline) this.endHandover({ type: "aborted" });
    if (now < this.heartbeatDeadline) return;
    this.isTired = !this.isEnough && this.node.rarely("resigns");
    this.heartbeatDeadline = afterMs(now, options.timing.heartbeatMs);
    this.rounds.begin(now);
    this.followers.heartbeat();
    this.followers.tendTransfers();
    this.membership.tend();
    const successor = this.handover === null ? this.succession.successor() : null;
    if (successor !== null) this.handOver(null, successor.id);
  }

  /** A reply of this term, or a request to its leader. */
  received(from: MemberId, message: AppendEntriesReply | InstallSnapshotReply | Leaving): void {
    switch (message.type) {
      case "AppendEntriesReply":
        return this.followers.replied(from, message);
      case "InstallSnapshotReply":
        return this.followers.snapshotReplied(from, message);
      case "Leaving": {
        const progress = this.followers.progressOf(from);
        if (progress !== null) progress.leavingAt = this.node.now;
        return this.membership.tend();
      }
      default:
        unreachable(message);
    }
  }

  requestRead(origin: ReadOrigin): void {
    this.reads.request(origin);
  }

  /** A member has lost what it acknowledged, and hears when that is taken back. Whether it is one that we know. */
  takeBack(from: MemberId, request: number): boolean {
    return this.followers.takeBack(from, request);
  }

  clockStopped(): void {
    // Not "begun since": the round may have begun at this very instant, before the clock stopped.
    if (this.leaseFrom !== null) this.leaseFrom = this.rounds.latest + 1;
  }

  /** Whatever the step has made possible. */
  advance(): void {
    // Where a joint configuration is left, what waited for the other half may be committed.
    do this.commit();
    while (this.membership.advance());
    this.followers.refresh();
    this.serveReads();
    this.askTarget();
    this.followers.replicate();
    this.followers.pinTransfers();
    if (this.membership.isUnseated) this.leaveToBest();
  }

  // Handing over

  transfer({ request, target }: RaftInput & { readonly type: "TransferRequested" }): void {
    const refuse = (reason: "noTarget" | "notVoter" | "pending"): void => {
      this.resolve(request, { type: "refused", reason });
    };
    if (this.handover !== null) return refuse("pending");
    if (target !== null && !isIncomingVoter(this.node.configuration, target)) return refuse("notVoter");
    if (!this.handOver(request, target)) refuse("noTarget");
  }

  /** Whether there is somebody to hand over to. */
  handOver(request: RequestNumber | null, target: MemberId | null): boolean {
    const { configuration, now, options, proposals } = this.node;
    const { followers } = this;
    const mayLead = (progress: Progress): boolean => followers.mayLead(progress);
    const named = target === null ? null : followers.progressOf(target);
    const chosen = target === null ? bestTarget(configuration, followers.all, mayLead) : named;
    // Whoever is named need not have been heard yet.
    if (chosen === null || chosen.isUnfit) return false;
    this.handover = new Handover(request, chosen, now, options.timing.electionTimeoutMs);
    proposals.isPaused = true;
    return true;
  }

  /** The term is over, or this leader resigns. */
  abdicate(): void {
    const { effects } = this.node;
    // Another member hears of it by silence.
    for (const origin of this.reads.abandon()) {
      if (origin.type === "own") effects.push({ type: "ReadRefused", read: origin.read });
    }
    this.membership.abandon();
    this.followers.endTransfers();
    if (this.handover !== null) this.endHandover({ type: "done" });
  }

  private askTarget(): void {
    const { handover, node } = this;
    if (handover === null || handover.isAsked) return;
    // It would not stand, or could take no proposal, and has said so only now.
    if (handover.target.isUnfit) return this.endHandover({ type: "aborted" });
    if (handover.target.matchIndex < node.log.last.index) return;
    handover.isAsked = true;
    this.askToStand(handover.target);
  }

  /** We do not vote any more: nobody has to wait for a timeout, if there is one who has all that is committed. */
  private leaveToBest(): void {
    const { configuration, delivery } = this.node;
    const isReady = (progress: Progress): boolean => {
      return this.followers.mayLead(progress) && progress.matchIndex >= delivery.commitIndex;
    };
    const target = bestTarget(configuration, this.followers.all, isReady);
    if (target !== null) this.askToStand(target);
  }

  /** Voters listen to who was asked, whatever lease we had: from now on we have none. */
  private askToStand({ id }: Progress): void {
    const { effects, currentTerm: term } = this.node;
    this.leaseFrom = null;
    effects.push({ type: "Send", to: id, message: { type: "TimeoutNow", term } });
  }

  private endHandover(outcome: TransferOutcome): void {
    const request = this.handover?.request ?? null;
    this.handover = null;
    this.node.proposals.isPaused = false;
    if (request !== null) this.resolve(request, outcome);
  }

  private resolve(request: RequestNumber, outcome: TransferOutcome): void {
    this.node.effects.push({ type: "TransferResolved", request, outcome });
  }

  // Counting

  private commit(): void {
    const { node, followers } = this;
    const { delivery, log, currentTerm } = node;
    if (delivery.commitIndex === log.last.index) return;
    const quorum = node.configurations.quorum.valueReached(followers.matchOf) as LogIndex;
    node.commit(leaderCommitIndex(delivery.commitIndex, quorum, currentTerm, log));
  }

  /** Answers what a quorum has confirmed, or a lease covers; begins the round that the others wait for. */
  private serveReads(): void {
    const { node, rounds, reads } = this;
    this.confirmRounds();
    const { commitIndex } = node.delivery;
    // Before an entry of this term is committed, commitIndex may lag behind what an earlier leader acknowledged.
    if (node.log.termAt(commitIndex) !== node.currentTerm) return;
    if (this.hasLease) for (const origin of reads.takeWaiting()) this.answer(origin, commitIndex);
    if (!reads.wantsRound) return;
    rounds.begin(node.now);
    reads.begin(rounds.latest, commitIndex);
    this.followers.heartbeat();
    // In a cluster of one the round is over as it begins.
    this.confirmRounds();
  }

  private confirmRounds(): void {
    const { rounds, reads, node } = this;
    if (rounds.confirmed === rounds.latest) return;
    rounds.confirm(node.configurations.quorum.valueReached(this.followers.roundOf));
    const batch = reads.confirmedBy(rounds.confirmed);
    if (batch !== null) for (const origin of batch.origins) this.answer(origin, batch.index);
  }

  private answer(origin: ReadOrigin, index: LogIndex): void {
    const { effects, currentTerm: term } = this.node;
    if (origin.type === "own") effects.push({ type: "ReadReady", read: origin.read, index });
    else {
      const { to, request } = origin;
      effects.push({ type: "Send", to, message: { type: "ReadIndexReply", term, request, index } });
    }
  }

  get hasLease(): boolean {
    const { now, options: { leaseDriftPpm, timing } } = this.node;
    const { confirmed, confirmedSince } = this.rounds;
    if (leaseDriftPpm === null || this.leaseFrom === null || this.handover !== null) return false;
    return confirmed >= this.leaseFrom && now < leaseEnd(confirmedSince, timing, leaseDriftPpm);
  }
}
