/**
 * Rounds of messages by which a leader finds out that it still leads (thesis §6.2, §6.4). Each AppendEntries carries
 * the number of the latest round, each reply echoes it; once a quorum has answered a round or a later one, nobody else
 * led when that round began. Numbers are never reused in a term: an old reply confirms nothing new.
 *
 * Three things rest on the beginning of the last confirmed round: linearizable reads, leases, and whether the leader is
 * to resign because it has lost its quorum. This object lives for one term of one leader.
 */
import { invariant } from "../invariant.ts";
import type { Instant } from "../types.ts";

export class Rounds {
  /** The latest round begun; 0: none. Carried by every AppendEntries of this term. */
  latest = 0;
  /** The latest round that a quorum has answered. */
  confirmed = 0;
  /** When that round began; before any is confirmed: when the election was won. */
  confirmedSince: Instant;
  /** The beginnings of those begun and not confirmed, ascending: round confirmed + 1 is the first. */
  private readonly begun: Instant[] = [];

  constructor(now: Instant) {
    this.confirmedSince = now;
  }

  begin(now: Instant): void {
    this.latest += 1;
    this.begun.push(now);
  }

  /** A quorum has answered this round, or later ones. */
  confirm(round: number): void {
    if (round <= this.confirmed) return;
    invariant(round <= this.latest, "only a round that has begun is confirmed");
    this.confirmedSince = this.begun[round - this.confirmed - 1] as Instant;
    this.begun.splice(0, round - this.confirmed);
    this.confirmed = round;
  }
}
