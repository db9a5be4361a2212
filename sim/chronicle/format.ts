/**
 * The course of a run as tables: what a diagram is drawn from. Rows are arrays, as there are many; what is in which
 * place is said by the names of their elements. Times are microseconds of the world. A *lane* is a node or a client, by
 * its address: nodes first. A *text* is a place in `texts`.
 */

export const FATES = ["underWay", "arrived", "unheard", "lost", "cut", "broken"] as const;
/** underWay: when the run ended. unheard: nobody ran where it arrived, or nobody waited for it any more.
 * broken: changed on its way, which the receiver found. */
export type Fate = (typeof FATES)[number];

export const ROLES = ["down", "starting", "follower", "preCandidate", "candidate", "leader"] as const;
export type Role = (typeof ROLES)[number];

export const OUTCOMES = ["open", "ok", "refused", "unknown"] as const;
/** Of a call: unknown is what the client was told, open that it was told nothing. */
export type Outcome = (typeof OUTCOMES)[number];

/**
 * What led to something: a row of another table, as four times its place and which table: 1 packets (it arrived),
 * 2 operations (it was done), 3 calls (it was made). 0: a timer, a person, or nobody knows.
 */
export type Cause = number;
export const CAUSE_TABLES = ["none", "packets", "operations", "calls"] as const;

export type PacketRow = [
  sentAt: number,
  /** Until it arrived, or would have. */
  delay: number,
  from: number, to: number,
  /** A place in FATES. */
  fate: number,
  /** 1: the network made it of another one. */
  isCopy: number,
  cause: Cause,
  text: number,
];

export type OperationRow = [
  orderedAt: number,
  /** Until it was answered; -1: the process did not live to hear of it. */
  duration: number,
  node: number,
  /** 1: it failed. */
  hasFailed: number,
  cause: Cause,
  text: number,
];

/** What a node shows of itself, whenever that has changed. */
export type StateRow = [
  at: number,
  node: number,
  /** A place in ROLES. */
  role: number,
  term: number, commitIndex: number, lastApplied: number, lastIndex: number, baseIndex: number,
];

export type CallRow = [
  calledAt: number,
  /** Until it returned, or its application died; -1: neither has happened. */
  duration: number,
  client: number,
  /** The application's name. */
  application: number,
  /** 0: a statement of its own. */
  transaction: number,
  /** A place in OUTCOMES. */
  outcome: number,
  /** Of its return. */
  cause: Cause,
  text: number,
  /** What was returned. */
  result: number,
];

/** What lasts: a fault, a cut, a pause. */
export interface Span {
  readonly kind: string;
  readonly from: number;
  /** null: until the end. */
  end: number | null;
  readonly lanes: readonly number[];
  /** The other side of a cut; empty: it is none. */
  readonly others: readonly number[];
  readonly text: string;
}

/** What happens at once, and is worth a line. */
export interface Moment {
  readonly kind: string;
  readonly at: number;
  /** null: it is about all. */
  readonly lane: number | null;
  readonly text: string;
}

export interface Chronicle {
  readonly nodes: readonly string[];
  readonly clients: readonly string[];
  readonly end: number;
  /** What led to the step in which the run failed. */
  readonly failureCause: Cause;
  /** From when on packets and operations are here; 0: all are. */
  readonly detailFrom: number;
  readonly texts: readonly string[];
  readonly packets: readonly PacketRow[];
  readonly operations: readonly OperationRow[];
  readonly states: readonly StateRow[];
  readonly calls: readonly CallRow[];
  readonly spans: readonly Span[];
  readonly moments: readonly Moment[];
}
