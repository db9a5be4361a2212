/**
 * What a leader knows of one follower, and what it may send next. Sends nothing.
 *
 *            first success                      a message was lost, or
 *     probe ---------------> replicate          was overtaken: rejected
 *       ^                        |
 *       +------------------------+
 *
 * probe: it is not known where the logs agree; one message at a time looks for it, each rejection leads further back.
 * replicate: messages follow each other without waiting, up to a window. nextIndex runs ahead of matchIndex.
 *
 * Nothing is retransmitted by a clock of its own. A heartbeat carries prevLog = nextIndex - 1 in either phase:
 * accepted, it acknowledges whatever was in flight; rejected, it tells that something was lost, and where to resume.
 */
import { unreachable } from "../invariant.ts";
import type { LogIndex, MemberId } from "../types.ts";
import type { AppendEntriesReply } from "./message.ts";
import type { Log } from "./log.ts";

/** Messages with entries under way to one follower. */
export const MAX_IN_FLIGHT = 8;

export type Progress = {
  readonly node: MemberId;
  /** The last entry that the follower has durably and in agreement with us. Never falls. */
  matchIndex: LogIndex;
  /** The latest round that the follower has answered in this term; 0: none. Never falls. */
  round: number;
  /** How far the last message lets the follower commit. */
  commitSent: LogIndex;
} & Phase;

type Phase =
  | { phase: "probe"; nextIndex: LogIndex; awaitingReply: boolean }
  /** `inFlight`: the last index of each message that was sent and is not acknowledged, ascending. */
  | { phase: "replicate"; nextIndex: LogIndex; inFlight: LogIndex[] };

export function newProgress(node: MemberId, nextIndex: LogIndex): Progress {
  const none = 0 as LogIndex;
  return { node, matchIndex: none, round: 0, commitSent: none, phase: "probe", nextIndex, awaitingReply: false };
}

/** Whether entries may be sent now. */
export function hasRoom(progress: Progress): boolean {
  switch (progress.phase) {
    case "probe":
      return !progress.awaitingReply;
    case "replicate":
      return progress.inFlight.length < MAX_IN_FLIGHT;
    default:
      return unreachable(progress);
  }
}

/** Entries up to `last` are on their way. */
export function sent(progress: Progress, last: LogIndex): void {
  switch (progress.phase) {
    case "probe":
      progress.awaitingReply = true;
      return;
    case "replicate":
      progress.inFlight.push(last);
      progress.nextIndex = (last + 1) as LogIndex;
      return;
    default:
      unreachable(progress);
  }
}

/** A reply of this term arrived; maybe late, maybe twice. */
export function replied(progress: Progress, reply: AppendEntriesReply, log: Log): Progress {
  const { result } = reply;
  if (reply.round > progress.round) progress.round = reply.round;
  return result.accepted ? accepted(progress, result.matchIndex) : rejected(progress, result, log);
}

/** In one term neither log is truncated below what once matched: an old acknowledgement is as true as a new one. */
function accepted(progress: Progress, matchIndex: LogIndex): Progress {
  if (matchIndex > progress.matchIndex) progress.matchIndex = matchIndex;
  const next = (progress.matchIndex + 1) as LogIndex;
  switch (progress.phase) {
    case "probe":
      return { ...progress, phase: "replicate", nextIndex: next, inFlight: [] };
    case "replicate":
      while ((progress.inFlight[0] ?? next) < next) progress.inFlight.shift();
      if (progress.nextIndex < next) progress.nextIndex = next;
      return progress;
    default:
      return unreachable(progress);
  }
}

function rejected(
  progress: Progress,
  { rejected, hint }: AppendEntriesReply["result"] & { accepted: false },
  log: Log,
): Progress {
  // The follower has acknowledged that entry since, or the rejection is of a message that we have moved back from.
  if (rejected <= progress.matchIndex || rejected >= progress.nextIndex) return progress;
  if (progress.phase === "probe" && rejected !== progress.nextIndex - 1) return progress;
  // Our entries of later terms than the hint's cannot be in the follower's log up to there.
  const agreed = Math.max(progress.matchIndex, log.lastAtMost(hint.index, hint.term).index);
  const { node, matchIndex, round, commitSent } = progress;
  const nextIndex = (agreed + 1) as LogIndex;
  return { node, matchIndex, round, commitSent, phase: "probe", nextIndex, awaitingReply: false };
}
