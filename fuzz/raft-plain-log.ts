/**
 * Servers, logs and configurations as plain values, and what the guards of raft-reference.ts ask of them.
 * Nothing of the core's own rules is used here: it is what they are judged by.
 */
import { decodeConfiguration } from "../core/raft/configuration-codec.ts";
import type { Configuration } from "../core/raft/configuration.ts";
import { NO_ENTRY, type Entry, type EntryId, type MemberId } from "../core/types.ts";

/** What a disk can hold. */
export interface Stable {
  readonly currentTerm: number;
  readonly votedFor: MemberId | null;
  /** From index 1 on, the entries that were compacted away included. */
  readonly log: readonly Entry[];
  /** How many entries the stored snapshot stands for; 0: there is none. */
  readonly snapshot: number;
  /** How that snapshot is written down: a number for each way (SnapshotId.checksum). */
  readonly stream: number;
  /** How many entries have been compacted away. Never more than `snapshot`. */
  readonly base: number;
  /** null: nothing. */
  readonly lost: Lost | null;
}

/** What a disk no longer has of what it may have acknowledged. */
export interface Lost {
  /** The highest such entry, as far as the disk can say. */
  readonly entry: EntryId;
  /** What it held before, as a ghost: nobody can read it, but its promises stand. */
  readonly log: readonly Entry[];
}

export interface Server {
  readonly disk: Stable;
  readonly memory: Stable;
  readonly role: "follower" | "candidate" | "leader";
  readonly commitIndex: number;
}

export const EMPTY_DISK: Stable = {
  currentTerm: 0, votedFor: null, log: [], snapshot: 0, stream: 0, base: 0, lost: null,
};

/** What makes a judgement. */
export function allow(condition: boolean, rule: string): void {
  if (!condition) throw new Error(`Raft does not allow it: ${rule}`);
}

/** §5.4.1 */
export function isAtLeastAsUpToDate(log: EntryId, other: EntryId): boolean {
  return log.term > other.term || (log.term === other.term && log.index >= other.index);
}

/** Index 0 stands before every log. */
export function holds(log: readonly Entry[], { term, index }: EntryId): boolean {
  return index === 0 ? term === 0 : log[index - 1]?.term === term;
}

export function lastOf(log: readonly Entry[]): EntryId {
  const last = log[log.length - 1];
  return last === undefined ? NO_ENTRY : { term: last.term, index: last.index };
}

export function isPrefix(part: readonly Entry[], whole: readonly Entry[]): boolean {
  return part.length <= whole.length && part.every((entry, at) => entry === whole[at] || same(entry, whole[at]));
}

const decoded = new WeakMap<Uint8Array, Configuration>();

export function configurationIn({ payload }: Entry): Configuration {
  const known = decoded.get(payload);
  if (known !== undefined) return known;
  const read = decodeConfiguration(payload);
  if (!read.ok) throw new Error(`a configuration entry holds a configuration: ${read.fault.rule}`);
  decoded.set(payload, read.value);
  return read.value;
}

export function votersOf({ members }: Configuration): readonly MemberId[] {
  return members.filter(({ role }) => role === "voter").map(({ id }) => id);
}

export function isVoter(configuration: Configuration, id: MemberId): boolean {
  return votersOf(configuration).includes(id) || configuration.outgoing.some((member) => member.id === id);
}

/** A majority of the voters; while voters change, one of those that are being left, too (§6). */
export function isQuorum(configuration: Configuration, has: (id: MemberId) => boolean): boolean {
  const outgoing = configuration.outgoing.map(({ id }) => id);
  const halves = outgoing.length === 0 ? [votersOf(configuration)] : [votersOf(configuration), outgoing];
  return halves.every((voters) => voters.filter(has).length * 2 > voters.length);
}

/** Values without behaviour are the same if they read the same. */
export function same(a: unknown, b: unknown): boolean {
  return a === b || JSON.stringify(a) === JSON.stringify(b);
}
