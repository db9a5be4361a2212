/**
 * Handing leadership over (thesis §3.10): proposals are paused, the target gets what it lacks, and once its log is as
 * long as ours it is asked to stand at once. If it does not come about within an election timeout, we lead on.
 */
import { afterMs, compareNodeIds, type Instant, type MemberId, type RequestNumber } from "../types.ts";
import type { Configuration } from "./configuration.ts";
import type { Progress } from "./progress.ts";

export class Handover {
  /** null: nobody outside waits to hear of it. */
  readonly request: RequestNumber | null;
  readonly target: Progress;
  readonly deadline: Instant;
  /** It has been asked to stand: from then on voters listen to it, whatever lease we had. */
  isAsked = false;

  constructor(request: RequestNumber | null, target: Progress, now: Instant, boundMs: number) {
    this.request = request;
    this.target = target;
    this.deadline = afterMs(now, boundMs);
  }
}

/** Who should lead next: of the voters that are alive the one with the highest priority, then with the longest log. */
export function bestTarget(
  configuration: Configuration, followers: readonly Progress[], isAlive: (progress: Progress) => boolean,
): Progress | null {
  const priorityOf = (id: MemberId): number => configuration.members.find((member) => member.id === id)?.priority ?? -1;
  const candidates = followers.filter((progress) => isIncomingVoter(configuration, progress.id) && isAlive(progress));
  candidates.sort((a, b) => {
    const byPriority = priorityOf(b.id) - priorityOf(a.id);
    return byPriority || b.matchIndex - a.matchIndex || compareNodeIds(a.id, b.id);
  });
  return candidates[0] ?? null;
}

/** Whether it votes, and is not about to be left behind by a joint configuration. */
export function isIncomingVoter(configuration: Configuration, id: MemberId): boolean {
  return configuration.members.some((member) => member.id === id && member.role === "voter");
}
