/**
 * Leases (thesis §6.4.1): whoever has answered a leader does not vote for another within the shortest election timeout
 * (election.ts, isSticky), so for that long after a round began which a quorum has answered, nobody else can lead, and
 * the leader may answer reads by itself. That rests on clocks: on how far two of them drift apart, which an operator
 * to state, and on none having stood still. So leases are off unless asked for, are shorter by what a clock may stand
 * still without being noticed (clock-watch.ts), and end whenever one was seen to have stopped, or leadership was being
 * handed over (a candidate that the leader asked for is listened to).
 */
import { MAX_UNNOTICED_MS } from "../clock-watch.ts";
import { MICROSECONDS_PER_MS, type Instant } from "../types.ts";
import type { RaftTiming } from "./boundary.ts";

const PPM = 1_000_000;

/** @param since when the round began that a quorum has answered */
export function leaseEnd(since: Instant, { electionTimeoutMs }: RaftTiming, driftPpm: number): Instant {
  const timeout = electionTimeoutMs * MICROSECONDS_PER_MS;
  // A voter's clock may run faster than ours: its timeout is over before ours is.
  const drift = Math.ceil((timeout * Math.min(2 * driftPpm, PPM)) / PPM);
  return (since + timeout - drift - MAX_UNNOTICED_MS * MICROSECONDS_PER_MS) as Instant;
}
