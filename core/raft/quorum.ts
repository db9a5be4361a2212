/**
 * What a majority is, and in a joint configuration two of them (§6): everything that is decided by counting is decided
 * here, whatever is counted: votes, how far logs are durable, answered rounds.
 */
import { invariant } from "../invariant.ts";
import { majority, type MemberId } from "../types.ts";
import { votersOf, type Configuration } from "./configuration.ts";

export class Quorum {
  private readonly incoming: readonly MemberId[];
  /** Empty unless the configuration is joint. */
  private readonly outgoing: readonly MemberId[];
  /** Values of one half, highest first: room that is used again. */
  private readonly sorted: number[] = [];

  constructor(configuration: Configuration) {
    this.incoming = votersOf(configuration);
    this.outgoing = configuration.outgoing.map(({ id }) => id);
    invariant(this.incoming.length > 0, "a quorum is of at least one voter");
  }

  /** Whether it votes in either half. */
  counts(id: MemberId): boolean {
    return this.incoming.includes(id) || this.outgoing.includes(id);
  }

  /** Whether a majority of each half is among them. */
  isReached(has: (id: MemberId) => boolean): boolean {
    return isMajority(this.incoming, has) && (this.outgoing.length === 0 || isMajority(this.outgoing, has));
  }

  /** The highest value that a majority of each half has reached. */
  valueReached(valueOf: (id: MemberId) => number): number {
    const incoming = this.reachedBy(this.incoming, valueOf);
    return this.outgoing.length === 0 ? incoming : Math.min(incoming, this.reachedBy(this.outgoing, valueOf));
  }

  private reachedBy(voters: readonly MemberId[], valueOf: (id: MemberId) => number): number {
    const { sorted } = this;
    // Counted by ourselves: an array whose length is set to 0 gives its memory back.
    let count = 0;
    for (const voter of voters) {
      const value = valueOf(voter);
      let at = count++;
      // Insertion: a handful of values, mostly in order already.
      for (; at > 0 && (sorted[at - 1] as number) < value; at--) sorted[at] = sorted[at - 1] as number;
      sorted[at] = value;
    }
    return sorted[majority(voters.length) - 1] as number;
  }
}

function isMajority(voters: readonly MemberId[], has: (id: MemberId) => boolean): boolean {
  let count = 0;
  for (const voter of voters) if (has(voter)) count += 1;
  return count >= majority(voters.length);
}
