/**
 * How this node comes to follow, to stand and to be elected. It leads nobody: `Raft` makes a leader of the winner.
 *
 *                  timeout                  would be elected             elected
 *     follower ──────────────▶ preCandidate ───────────────▶ candidate ───────────▶ leader
 *        ▲                        │  TimeoutNow from the leader  ▲  │
 *        │                        └──────────────────────────────┘  │
 *        └──── a leader of this term, or a later term (from anywhere) ◀────┘
 *
 * A pre-candidate only asks (thesis §9.6): its term does not rise, so that one who cannot win, being cut off or behind,
 * disrupts nobody when it comes back. Whoever hears a leader does not listen (election.ts, isSticky), except to a
 * candidate whom that leader has asked to stand.
 *
 * Votes are collected for one candidacy, and thrown away with it.
 */
import { invariant } from "../invariant.ts";
import { afterMs, type Instant, type MemberId, type Term } from "../types.ts";
import { everybodyIn, isVoter } from "./configuration.ts";
import { electionDeadline, grantsVote, isPreferred, isSticky, wouldGrantVote } from "./election.ts";
import type { Message, RequestPreVote, RequestPreVoteReply, RequestVote, RequestVoteReply } from "./message.ts";
import type { NodeState } from "./node-state.ts";

/** What we do when nobody leads, as far as we know. */
interface Candidacy {
  readonly type: "preCandidate" | "candidate";
  /** Who granted, besides ourselves. */
  readonly votes: Set<MemberId>;
}

export class Elections {
  /** null: we do not stand. */
  candidacy: Candidacy | null = null;
  /** Whom we follow; null: nobody whom we know. */
  leader: MemberId | null = null;
  /** When to stand unless somebody leads or wins our vote before. */
  deadline: Instant;
  /** When a leader was heard last; null: none has been. */
  private heardAt: Instant | null;
  private readonly node: NodeState;

  constructor(node: NodeState) {
    const { options, now } = node;
    this.node = node;
    // We may have promised a leader, before we crashed, not to vote within its lease.
    this.heardAt = options.leaseDriftPpm === null ? null : now;
    // A cluster of one has nobody to wait for.
    this.deadline = this.isAlone() ? now : this.drawDeadline();
  }

  /** Another leader of this term, or none that we know. */
  follow(leader: MemberId | null): void {
    this.candidacy = null;
    this.leader = leader;
  }

  /** The leader of this term has spoken. */
  heard(): void {
    this.heardAt = this.node.now;
    this.await();
  }

  /** Waits anew, for another while than before. */
  await(): void {
    this.deadline = this.drawDeadline();
  }

  /**
   * Whether this node may stand: it votes, or the configuration by which it does not may yet be taken back. Such a one
   * must stand too (thesis §4.2.2): its log may be the longest that there is, and so it votes for nobody. One whose
   * disk has lost entries does not (loss.ts).
   */
  get mayStand(): boolean {
    const { configurations, delivery, id, currentTerm, loss } = this.node;
    if (loss.entry !== null) return false;
    // Behind the last term that can be written down there is none to stand in.
    return currentTerm < Number.MAX_SAFE_INTEGER && configurations.mayCount(id, delivery.commitIndex);
  }

  /** Nobody leads in time: ask whether to stand. */
  timedOut(): void {
    const { node } = this;
    this.await();
    this.leader = null;
    // Until our last vote is on disk, a new one would only lengthen its queue.
    if (!this.mayStand || (this.candidacy?.type === "candidate" && !node.writes.hardStateDurable)) return;
    this.candidacy = { type: "preCandidate", votes: new Set() };
    this.askVoters({ type: "RequestPreVote", term: node.currentTerm, lastLog: node.log.last });
    this.standIfWelcome();
  }

  /** The leader asks us to stand at once (thesis §3.10). */
  timeoutNow(from: MemberId): void {
    // A node that was removed must not be elected, whatever its leader knew of it.
    if (from === this.leader && this.mayStand) this.stand(true);
  }

  /** Whether a candidate is not to be listened to: the message is as good as lost. */
  ignores(from: MemberId, message: Message, leads: boolean): boolean {
    if (message.type === "RequestVote" && message.isTransfer) return false;
    if (message.type !== "RequestVote" && message.type !== "RequestPreVote") return false;
    // It tells the candidate about our term.
    if (message.term < this.node.currentTerm) return false;
    // The very leader whom we follow stands: then it leads no more.
    if (from === this.leader) return false;
    return leads || isSticky(this.heardAt, this.node.now, this.node.options.timing);
  }

  preVoteRequested(from: MemberId, request: RequestPreVote): void {
    const granted = wouldGrantVote(this.voter(), request) && !this.node.rarely("refusesPreVote");
    this.node.post(from, { type: "RequestPreVoteReply", term: this.node.currentTerm, granted }, "term");
  }

  voteRequested(from: MemberId, request: RequestVote): void {
    const granted = grantsVote(this.voter(), from, request);
    if (granted) {
      if (this.node.votedFor === null) this.node.vote(from);
      this.await();
    }
    this.node.post(from, { type: "RequestVoteReply", term: this.node.currentTerm, granted }, "log");
  }

  preVoteReplied(from: MemberId, reply: RequestPreVoteReply): void {
    if (this.candidacy?.type !== "preCandidate" || reply.term !== this.node.currentTerm || !reply.granted) return;
    this.candidacy.votes.add(from);
    this.standIfWelcome();
  }

  /** A reply of an earlier term is a vote in an election that is over. */
  voteReplied(from: MemberId, reply: RequestVoteReply): void {
    if (this.candidacy?.type !== "candidate" || reply.term !== this.node.currentTerm || !reply.granted) return;
    this.candidacy.votes.add(from);
  }

  /** Our own vote is needed too: a leader's messages do not wait for it to be durable. */
  get isElected(): boolean {
    const { candidacy, node } = this;
    // Nor does it lead while its own state is still being made that of a snapshot: who proposes builds on a state.
    if (candidacy?.type !== "candidate" || !node.writes.hardStateDurable || node.delivery.isRestoring) return false;
    return this.hasMajority(candidacy);
  }

  private standIfWelcome(): void {
    const { candidacy } = this;
    invariant(candidacy?.type === "preCandidate", "who has not stood yet counts who would vote for it");
    if (this.hasMajority(candidacy)) this.stand(false);
  }

  // A function of its own: what a closure captures is allocated on entry, and isElected is asked in every step.
  private hasMajority({ votes }: Candidacy): boolean {
    const { configurations, id: own } = this.node;
    return configurations.quorum.isReached((id) => id === own || votes.has(id));
  }

  private stand(isTransfer: boolean): void {
    const { node } = this;
    this.leader = null;
    this.candidacy = { type: "candidate", votes: new Set() };
    node.beginTerm((node.currentTerm + 1) as Term, node.id);
    this.await();
    this.askVoters({ type: "RequestVote", term: node.currentTerm, lastLog: node.log.last, isTransfer });
  }

  private askVoters(request: RequestPreVote | RequestVote): void {
    const { configuration, id } = this.node;
    for (const member of everybodyIn(configuration)) {
      if (member.id !== id && isVoter(configuration, member.id)) this.node.post(member.id, request, "log");
    }
  }

  private voter() {
    const { currentTerm, votedFor, log, loss } = this.node;
    return { currentTerm, votedFor, lastLog: loss.upTo(log.last) };
  }

  private isAlone(): boolean {
    const { configuration, id } = this.node;
    return isVoter(configuration, id) && everybodyIn(configuration).every((member) => member.id === id);
  }

  private drawDeadline(): Instant {
    const { now, options, random, configuration, id, hasSpace, rarely } = this.node;
    if (rarely("standsEarly")) return afterMs(now, options.timing.electionTimeoutMs);
    // Who could take no proposal lets others try first, too.
    return electionDeadline(now, options.timing, random, hasSpace && isPreferred(configuration, id));
  }
}
