/**
 * The two laws that keep leadership calm, which no property of safety rests on and which clients notice at once:
 *
 * - stickiness: who has heard its leader within the shortest election timeout moves on to no later term for another
 *   candidate, and promises it nothing, unless that leader has asked for the election: who returns disrupts nobody.
 * - check-quorum: who has not been answered by a quorum for two of the longest looks at it resigns, so that clients are
 *   not kept waiting by a leader that can commit nothing.
 *
 * It goes by what nodes were really told, in the world's time, with room for their clocks' drift.
 */
import { MAX_UNNOTICED_MS } from "../../core/clock-watch.ts";
import type { NodeEffect, NodeInput } from "../../core/node/boundary.ts";
import type { RaftTiming } from "../../core/raft/boundary.ts";
import { type Instant, type MemberId, type NodeId, nodeOf, type Term } from "../../core/types.ts";
import { decodeLetter } from "../../core/wire/peer-codec.ts";
import type { PeerMessage } from "../../core/wire/peer.ts";
import type { RaftObservation, Violation } from "./boundary.ts";
import type { ConfirmedRounds } from "./confirmed-rounds.ts";
import { isQuorum } from "./quorum.ts";
import { violation } from "./violation.ts";
import { judgeVote } from "./vote-rule.ts";

const US_PER_MS = 1000;

/** What is known of a process life. */
interface Course {
  before: RaftObservation;
  /** When it last heard the leader of a term. */
  contact: { readonly term: Term; readonly leader: NodeId; readonly at: Instant } | null;
  /** Since when it has led under this configuration. */
  leadsSince: Instant;
  /** As a leader: when it last heard from whom. */
  readonly heard: Map<NodeId, Instant>;
}

export class LeadershipOracle {
  private readonly courses = new Map<NodeId, Course>();
  /** Is told of everything that is heard. */
  private readonly rounds: ConfirmedRounds;
  /** Shorter than any election timeout, on whatever clock. */
  private readonly stickyUs: number;
  /** Longer than any leader may go on alone. */
  private readonly alonePatienceUs: number;

  constructor({ electionTimeoutMs, heartbeatMs }: RaftTiming, rounds: ConfirmedRounds) {
    this.rounds = rounds;
    this.stickyUs = electionTimeoutMs * US_PER_MS * 0.99;
    this.alonePatienceUs = (2 * electionTimeoutMs + 2 * heartbeatMs + MAX_UNNOTICED_MS) * US_PER_MS * 1.01;
  }

  ended(node: NodeId): void {
    this.courses.delete(node);
  }

  stepped(
    now: Instant, node: NodeId, input: NodeInput, after: RaftObservation | null, effects: readonly NodeEffect[],
  ): Violation | null {
    if (after === null) return null;
    let course = this.courses.get(node);
    if (course === undefined) {
      course = { before: after, contact: null, leadsSince: now, heard: new Map() };
      this.courses.set(node, course);
    }
    this.rounds.shown(now, after);
    const found = this.judge(now, node, input, course, after, effects);
    if (!isSameReign(course.before, after)) {
      course.leadsSince = now;
      course.heard.clear();
    }
    course.before = after;
    return found;
  }

  private judge(
    now: Instant, node: NodeId, input: NodeInput, course: Course, after: RaftObservation,
    effects: readonly NodeEffect[],
  ): Violation | null {
    // To its own clock no time has passed.
    if (input.type === "ClockStopped") course.leadsSince = now;
    if (input.type === "TimerFired") return this.judgeAlone(now, node, course, after);
    if (input.type !== "PeerReceived" || effects.some(({ type }) => type === "Reject")) return null;
    const decoded = decodeLetter(input.bytes);
    if (!decoded.ok) return null;
    const { message } = decoded.letter;
    this.note(now, input.from, message, course, after);
    this.rounds.heard(now, input.from, message, course.before, after);
    return judgeVote(node, input.from, message, course.before, after)
      ?? this.judgeSticky(now, node, input.from, message, course, after, effects);
  }

  private note(now: Instant, from: NodeId, message: PeerMessage, course: Course, after: RaftObservation): void {
    if (!("term" in message) || message.term !== after.currentTerm) return;
    const isOfLeader = message.type === "AppendEntries" || message.type === "InstallSnapshot";
    if (isOfLeader && after.role === "follower") course.contact = { term: message.term, leader: from, at: now };
    if (after.role === "leader") course.heard.set(from, now);
  }

  private judgeSticky(
    now: Instant, node: NodeId, from: NodeId, message: PeerMessage, course: Course, after: RaftObservation,
    effects: readonly NodeEffect[],
  ): Violation | null {
    const { contact, before } = course;
    if (message.type !== "RequestVote" && message.type !== "RequestPreVote") return null;
    if (message.type === "RequestVote" && message.isTransfer) return null;
    if (contact === null || contact.term !== before.currentTerm || contact.leader === from) return null;
    if (now - contact.at >= this.stickyUs) return null;
    const heard = `${node} heard the leader of term ${contact.term} ${(now - contact.at) / US_PER_MS} ms ago`;
    if (after.currentTerm > before.currentTerm) {
      return violation("stickiness", `${heard}, and followed a candidate into term ${after.currentTerm}`, [node]);
    }
    if (message.type === "RequestVote" || !effects.some(isPreVoteGranted)) return null;
    return violation("stickiness", `${heard}, and promised a vote for a term after ${message.term}`, [node]);
  }

  private judgeAlone(now: Instant, node: NodeId, course: Course, after: RaftObservation): Violation | null {
    const { before, leadsSince, heard } = course;
    if (after.role !== "leader" || !isSameReign(before, after)) return null;
    if (now - leadsSince <= this.alonePatienceUs) return null;
    const isHeard = (id: MemberId): boolean => {
      const at = heard.get(nodeOf(id));
      return id === after.id || (at !== undefined && now - at <= this.alonePatienceUs);
    };
    if (isQuorum(after.configuration, isHeard)) return null;
    const message = `${node} leads term ${after.currentTerm} on, though no quorum has answered for longer than `
      + `${this.alonePatienceUs / US_PER_MS} ms`;
    return violation("check-quorum", message, [node]);
  }
}

function isSameReign(before: RaftObservation, after: RaftObservation): boolean {
  const leads = before.role === "leader" && after.role === "leader" && before.currentTerm === after.currentTerm;
  return leads && before.configuration === after.configuration;
}

function isPreVoteGranted(effect: NodeEffect): boolean {
  if (effect.type !== "Send") return false;
  const decoded = decodeLetter(effect.bytes);
  return decoded.ok && decoded.letter.message.type === "RequestPreVoteReply" && decoded.letter.message.granted;
}
