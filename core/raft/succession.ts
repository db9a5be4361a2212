/**
 * When a leader gives its place to another of its own accord, looked at with each heartbeat:
 *
 *   1. Its disk has no room for proposals: it can commit nothing for its clients. Another one has room.
 *   2. Its disk has been so slow that proposals were refused for its sake, and still is: the others commit without it,
 *      so that memory alone would have to keep what it has not written. Another one's disk keeps up.
 *   3. For a while it has committed nothing, and its disk is one of those that lack what is next: a follower may wait
 *      for what the leader cannot read, and answered heartbeats alone keep it in office. Another one's disk has it.
 *   4. A voter with a higher priority is there and up to date.
 *
 * Whoever is to take over has room and has lost nothing (Followers.mayLead). Should it not come about, proposals have
 * waited for nothing: the next try takes twice as long to come.
 */
import { afterMs, type Instant, type LogIndex } from "../types.ts";
import { isPreferred } from "./election.ts";
import type { Followers } from "./followers.ts";
import { bestTarget } from "./handover.ts";
import type { NodeState } from "./node-state.ts";
import type { Progress } from "./progress.ts";

/** After so many election timeouts a leader hands over to one with a higher priority; twice as many after each try. */
const PREFER_AFTER_TIMEOUTS = 10;
/** After so many heartbeats of a disk that holds proposals up. */
const STALLED_HEARTBEATS = 4;
/** After so many election timeouts in which nothing was committed, and its own disk has not got what is next. */
const STUCK_TIMEOUTS = 2;
/** Between two tries to give away what this leader cannot do, at first. */
const RETRY_TIMEOUTS = 2;

export class Succession {
  private readonly node: NodeState;
  private readonly followers: Followers;
  /** When to look for one that should rather lead. */
  private preferAt: Instant;
  private preferAfterMs: number;
  /** Not before then is it tried again to give away what this leader cannot do. */
  private tryAt: Instant;
  private retryAfterMs: number;
  /** The commit index, and when it last moved, or our own disk had whatever is next. */
  private seen: { readonly commitIndex: LogIndex; readonly at: Instant };

  constructor(node: NodeState, followers: Followers) {
    const { now, options: { timing } } = node;
    this.node = node;
    this.followers = followers;
    this.preferAfterMs = PREFER_AFTER_TIMEOUTS * timing.electionTimeoutMs;
    this.preferAt = afterMs(now, this.preferAfterMs);
    this.retryAfterMs = RETRY_TIMEOUTS * timing.electionTimeoutMs;
    this.tryAt = now;
    this.seen = { commitIndex: node.delivery.commitIndex, at: now };
  }

  /** To whom leadership is to be handed over now; null: to nobody. */
  successor(): Progress | null {
    const { node, followers } = this;
    const { now, delivery: { commitIndex } } = node;
    this.look();
    const isHeldUp = !node.hasSpace || this.isDiskStalled;
    if (now >= this.tryAt && (isHeldUp || this.isStuck)) {
      const needed = isHeldUp ? commitIndex : commitIndex + 1;
      const keepsUp = (progress: Progress): boolean => {
        return followers.mayLead(progress) && followers.isHeard(progress) && progress.matchIndex >= needed;
      };
      const target = bestTarget(node.configuration, followers.all, keepsUp);
      if (target !== null) {
        this.tryAt = afterMs(now, this.retryAfterMs);
        this.retryAfterMs *= 2;
        return target;
      }
    }
    return now >= this.preferAt ? this.preferred() : null;
  }

  /** A voter with a higher priority than ours. */
  private preferred(): Progress | null {
    const { followers, node: { configuration, id, now } } = this;
    this.preferAt = afterMs(now, this.preferAfterMs);
    if (isPreferred(configuration, id)) return null;
    const isReady = (progress: Progress): boolean => {
      const isThere = followers.mayLead(progress) && followers.isHeard(progress);
      return isThere && followers.standingOf(progress.id).isCaughtUp && isPreferred(configuration, progress.id);
    };
    const target = bestTarget(configuration, followers.all, isReady);
    if (target === null) return null;
    this.preferAfterMs *= 2;
    this.preferAt = afterMs(now, this.preferAfterMs);
    return target;
  }

  private get isDiskStalled(): boolean {
    const { node: { proposals, now, options: { timing } } } = this;
    const { heldUpSince } = proposals;
    return heldUpSince !== null && now >= afterMs(heldUpSince, STALLED_HEARTBEATS * timing.heartbeatMs);
  }

  /** Takes note of whether the commit index moves, or our own disk at least has what is next. */
  private look(): void {
    const { node: { now, delivery: { commitIndex }, writes, log }, seen } = this;
    const isWanting = commitIndex < log.last.index && writes.durable.index <= commitIndex;
    if (!isWanting || commitIndex !== seen.commitIndex) this.seen = { commitIndex, at: now };
  }

  private get isStuck(): boolean {
    const { node: { now, options: { timing } }, seen } = this;
    return now >= afterMs(seen.at, STUCK_TIMEOUTS * timing.electionTimeoutMs);
  }
}
