/**
 * Everything that can go wrong for a client, as values: one list from the core to the application.
 *
 * The first group means: not executed, and never will be. `OutcomeUnknown` is the only answer for what may or may not
 * have happened; nothing else is ever said in its place.
 */
export type FailureCode =
  /** No leader could be found, or leadership was lost before anything was appended. Surely not executed. */
  | "NotLeader"
  /** A queue is full, leadership is being handed over, or nobody leads who could be asked. Surely not executed. */
  | "Busy"
  /** The leader's disk has no room for it. Surely not executed; reads go on. It mends itself when there is space. */
  | "DiskFull"
  /** A statement, a transaction or a result exceeds its limit. Surely not executed. */
  | "TooLarge"
  /** The time ran out before the request was executed, or a read's answer did not come. Surely not executed. */
  | "Timeout"
  /** A value, an option or a statement that cannot be accepted here. Surely not executed. */
  | "Misuse"
  /** The interactive transaction is over (leader change, idle limit, engine restart): surely rolled back. */
  | "TransactionAborted"
  /** SQLite's own error; `sqlCode` names it. The statement had no effect. */
  | "SqlError"
  /** The node is closing, or its disk has failed. Surely not executed. */
  | "Closed"
  /** The write was proposed, or may have been: it may or may not be there. */
  | "OutcomeUnknown";

/** A code's place in this list is its number on the wire. */
export const FAILURE_CODES: readonly FailureCode[] = [
  "NotLeader", "Busy", "TooLarge", "Timeout", "Misuse", "TransactionAborted", "SqlError", "Closed", "OutcomeUnknown",
  "DiskFull",
];

export interface Failure {
  readonly code: FailureCode;
  /** What happened, with the name and the value, and what to do about it. */
  readonly message: string;
  /** The extended result code's name for an SqlError ("SQLITE_CONSTRAINT_UNIQUE"); null for all others. */
  readonly sqlCode: string | null;
}

export function failure(code: Exclude<FailureCode, "SqlError">, message: string): Failure {
  return { code, message, sqlCode: null };
}
