/**
 * Whether all replicas hold the same state: each tells the others the checksum of its own at certain indexes, and who
 * finds that a majority of the voters has another one at the same index knows that it is the one who is wrong (rule 8).
 * Nobody judges anybody else, and without a majority nobody judges at all.
 *
 * It finds what no checksum of a file can: a page that went bad in memory, a bug that made two engines differ.
 */
import type { Configuration } from "../raft/configuration.ts";
import type { LogIndex, MemberId } from "../types.ts";
import { majority } from "../types.ts";
import { votersOf, isJoint } from "../raft/configuration.ts";
import type { Digest } from "../wire/peer.ts";

/** So many states of each member are remembered: others may be behind by as much, or ahead. */
const REMEMBERED = 32;

/** Others agree on another state than ours. */
export interface Divergence {
  readonly index: LogIndex;
  readonly ours: number;
  readonly theirs: number;
}

export class Digests {
  /** How many entries lie between two states that are compared. */
  private readonly every: number;
  private readonly self: MemberId;
  /** By member, then by index, oldest first. */
  private readonly told = new Map<MemberId, Map<LogIndex, number>>();

  constructor(self: MemberId, every: number) {
    this.self = self;
    this.every = every;
  }

  /** Whether the state as of this index is compared: the same ones on every member. */
  isCompared(index: LogIndex): boolean {
    return index % this.every === 0;
  }

  /** Everything up to `index` is applied here. What the others are to be told; null: nothing. */
  applied(index: LogIndex, checksum: number): Digest | null {
    if (!this.isCompared(index)) return null;
    this.note(this.self, index, checksum);
    return { type: "Digest", index, checksum };
  }

  /** A voter says what its state is. Others are not heard: they do not count. */
  heard(from: MemberId, { index, checksum }: Digest, configuration: Configuration): void {
    if (isCounted(configuration, from) && this.isCompared(index)) this.note(from, index, checksum);
  }

  /**
   * Others vote from now on: what was told before is forgotten. It would be counted by another measure than the one it
   * was told under, and whoever was wrong then, and is not any more, might make a majority of a smaller cluster.
   */
  reset(): void {
    this.told.clear();
  }

  /**
   * Whether a majority of the voters contradicts us, joint configurations in both halves; null: not as far as known.
   */
  judge(configuration: Configuration): Divergence | null {
    for (const [index, ours] of this.told.get(this.self) ?? []) {
      const theirs = this.agreed(configuration, index);
      if (theirs !== null && theirs !== ours) return { index, ours, theirs };
    }
    return null;
  }

  /** The checksum that a majority has at this index; null: none has. */
  private agreed(configuration: Configuration, index: LogIndex): number | null {
    const halves = [votersOf(configuration), ...(isJoint(configuration) ? [configuration.outgoing.map(idOf)] : [])];
    const [first] = halves;
    if (first === undefined) return null;
    const candidates = new Set(first.map((id) => this.told.get(id)?.get(index)));
    for (const candidate of candidates) {
      if (candidate === undefined) continue;
      const isAgreed = halves.every((voters) => {
        return voters.filter((id) => this.told.get(id)?.get(index) === candidate).length >= majority(voters.length);
      });
      if (isAgreed) return candidate;
    }
    return null;
  }

  private note(member: MemberId, index: LogIndex, checksum: number): void {
    let states = this.told.get(member);
    if (states === undefined) this.told.set(member, (states = new Map()));
    // Its last word: after a restart it applies the same entries again.
    states.delete(index);
    states.set(index, checksum);
    for (const oldest of states.keys()) {
      if (states.size <= REMEMBERED) break;
      states.delete(oldest);
    }
  }
}

function isCounted({ members, outgoing }: Configuration, id: MemberId): boolean {
  return [...members, ...outgoing].some((member) => member.id === id);
}

function idOf({ id }: { readonly id: MemberId }): MemberId {
  return id;
}
