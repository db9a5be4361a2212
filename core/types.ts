/**
 * The glossary: the kinds of value that every part of the core speaks of.
 *
 * Names are those of the Raft paper and of SQLite, verbatim. A cluster member is a *node*; an *entry* is one
 * place of the replicated log (a *record* is an entry's bytes on disk); its *payload* is opaque to consensus.
 * Numbers of different meaning are different types, so that a term cannot be passed for an index.
 */

declare const kind: unique symbol;
type Kind<Base, Name extends string> = Base & { readonly [kind]: Name };

/** A term of office (§5.1). 0: before the first election. Written as u64; above 2^53-1 refused. */
export type Term = Kind<number, "Term">;

/** A place in the log. The first entry stands at 1; 0 means "before the first". */
export type LogIndex = Kind<number, "LogIndex">;

/** A point of monotonic time in integer microseconds since an arbitrary start. Never wall-clock time. */
export type Instant = Kind<number, "Instant">;

/** Names one write handed to a disk. Never an index: the same index can be written, truncated and written again. */
export type Ticket = Kind<number, "Ticket">;

/** Names one proposal of this node's Database in this process life. Rises by one with each. 0: none. */
export type ProposalNumber = Kind<number, "ProposalNumber">;

/** Names one request for a linearizable read in this process life. */
export type ReadNumber = Kind<number, "ReadNumber">;

/** A node's name: `[A-Za-z0-9][A-Za-z0-9_.-]{0,62}`, ordered by code unit. */
export type NodeId = Kind<string, "NodeId">;

/**
 * One life of one node's disk, as consensus counts it: `name@incarnation`. A node that comes back with an empty disk is
 * another member: neither a vote nor an acknowledgement of the old disk can be taken for one of the new. To core/raft
 * it is opaque, and ordered by code unit.
 */
export type MemberId = Kind<string, "MemberId">;

/** Names one request to change the configuration, or to hand over leadership, in this process life. */
export type RequestNumber = Kind<number, "RequestNumber">;

/** 16 random bytes as 32 hex digits: which cluster this is. Made once, at bootstrap. */
export type ClusterId = Kind<string, "ClusterId">;

/** 8 random bytes as 16 hex digits: which life of a node's disk this is. A new disk is a new incarnation. */
export type Incarnation = Kind<string, "Incarnation">;

/** An entry's identity: by Log Matching (figure 3) it fixes the entry and all before it. */
export interface EntryId {
  readonly term: Term;
  readonly index: LogIndex;
}

/** What precedes the first entry. */
export const NO_ENTRY: EntryId = { term: 0 as Term, index: 0 as LogIndex };

/**
 * "noop": what a new leader appends first (§8). "payload": one proposal, opaque to consensus. "configuration": who is
 * of the cluster from here on (core/raft/configuration-codec.ts).
 */
export type EntryKind = "noop" | "payload" | "configuration";

export interface Entry {
  readonly term: Term;
  readonly index: LogIndex;
  readonly kind: EntryKind;
  /** Empty for a no-op. Whoever passes it on gives it up: nobody writes into it again. */
  readonly payload: Uint8Array;
}

/** What Raft keeps besides the log (figure 2, "persistent state"). */
export interface HardState {
  readonly currentTerm: Term;
  /** The candidate that received our vote in currentTerm; null: none yet. */
  readonly votedFor: MemberId | null;
}

/** Which data this is, and which life of whose disk. In the header of every file and of every message. */
export interface Identity {
  readonly node: NodeId;
  readonly incarnation: Incarnation;
  /** null: this node belongs to no cluster yet (rule "an empty directory never makes a voter", bootstrap.ts). */
  readonly cluster: ClusterIdentity | null;
}

/** What all founding nodes agreed on at bootstrap. */
export interface ClusterIdentity {
  readonly id: ClusterId;
  /** The first voters with the incarnation that each had then, sorted by node. Never changes; who is of the cluster now
   * stands in its configuration. */
  readonly founders: readonly Founder[];
}

export interface Founder {
  readonly node: NodeId;
  readonly incarnation: Incarnation;
}

export const MICROSECONDS_PER_MS = 1000;

const MEMBER_SEPARATOR = "@";

/**
 * @example
 * memberIdOf("a" as NodeId, "0123456789abcdef" as Incarnation); // "a@0123456789abcdef"
 */
export function memberIdOf(node: NodeId, incarnation: Incarnation): MemberId {
  return `${node}${MEMBER_SEPARATOR}${incarnation}` as MemberId;
}

/**
 * @example
 * nodeOf("a@0123456789abcdef" as MemberId); // "a"
 */
export function nodeOf(member: MemberId): NodeId {
  const at = member.indexOf(MEMBER_SEPARATOR);
  return (at === -1 ? member : member.slice(0, at)) as string as NodeId;
}

/**
 * @example
 * incarnationOf("a@0123456789abcdef" as MemberId); // "0123456789abcdef"
 */
export function incarnationOf(member: MemberId): Incarnation {
  return member.slice(member.indexOf(MEMBER_SEPARATOR) + 1) as string as Incarnation;
}

/**
 * The first voters, as consensus counts them.
 *
 * @example
 * founderIds([{ node: "a" as NodeId, incarnation: "0123456789abcdef" as Incarnation }]); // ["a@0123456789abcdef"]
 */
export function founderIds(founders: readonly Founder[]): MemberId[] {
  return founders.map(({ node, incarnation }) => memberIdOf(node, incarnation));
}

/** What stands in formats: a node's name, "@", 16 hex digits. */
export function isMemberId(text: string): text is MemberId {
  return isNodeId(nodeOf(text as MemberId)) && /^[^@]*@[0-9a-f]{16}$/.test(text);
}

export function isNodeId(text: string): text is NodeId {
  return /^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$/.test(text);
}

/** Code-unit order: the same on every machine, unlike a locale's. */
export function compareNodeIds<Id extends NodeId | MemberId>(a: Id, b: Id): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

export function sameEntry(a: EntryId, b: EntryId): boolean {
  return a.term === b.term && a.index === b.index;
}

/** `at` plus a number of milliseconds. */
export function afterMs(at: Instant, ms: number): Instant {
  return (at + ms * MICROSECONDS_PER_MS) as Instant;
}

/** How many of `count` voters make a majority. */
export function majority(count: number): number {
  return Math.floor(count / 2) + 1;
}
