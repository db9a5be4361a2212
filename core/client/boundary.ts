/**
 * The boundary of Client: the part of a driver that decides. It finds the leader, opens sessions, repeats what may be
 * repeated, and tells what is unknown. One Client serves all calls of one application.
 */
import type { Rarely } from "../rare-course.ts";
import type { Failure } from "../failure.ts";
import type { Rows, SqlParameters } from "../database/engine.ts";
import type { Instant } from "../types.ts";

/** A place where a node may listen, as the driver names it: a node id, or an address. Opaque to the Client. */
export type Endpoint = string;
/** Names one call of the application in this Client. */
export type CallNumber = number;
/** Names one interactive transaction in this Client. From 1. */
export type ClientTransaction = number;

/**
 * What a read sees. linearizable: every write that was acknowledged before it began, to whomever. session: every write
 * that was acknowledged to this Client, and whatever its earlier reads have seen; answered without asking the leader,
 * but for the first one.
 */
export type Consistency = "linearizable" | "session";

/** A statement outside of transactions, likely to read only: any node may answer. If it writes the leader does it. */
export interface QueryOperation {
  readonly type: "query";
  readonly consistency: Consistency;
  readonly sql: string;
  readonly parameters: SqlParameters;
}

export type Operation =
  | QueryOperation
  | {
      readonly type: "execute";
      readonly transaction: ClientTransaction | null;
      readonly sql: string;
      readonly parameters: SqlParameters;
    }
  | { readonly type: "script"; readonly sql: string }
  | { readonly type: "begin"; readonly transaction: ClientTransaction }
  | { readonly type: "commit"; readonly transaction: ClientTransaction }
  | { readonly type: "rollback"; readonly transaction: ClientTransaction };

export type CallResult =
  | { readonly ok: true; readonly rows: Rows; readonly changes: number; readonly lastInsertRowid: number | bigint }
  | { readonly ok: false; readonly failure: Failure };

export type ClientInput =
  | { readonly type: "Called"; readonly call: CallNumber; readonly operation: Operation }
  /** Bytes of one NodeMessage. */
  | { readonly type: "Received"; readonly from: Endpoint; readonly bytes: Uint8Array }
  /** The connection to the endpoint broke, or could not be made. The driver makes a new one at the next Send. */
  | { readonly type: "ConnectionLost"; readonly endpoint: Endpoint }
  | { readonly type: "TimerFired" }
  /** From now on these are where nodes may listen: the cluster has grown or shrunk, or somebody has moved. */
  | { readonly type: "EndpointsChanged"; readonly endpoints: readonly Endpoint[] }
  /** The end, and why: open calls are answered at once, with what is known of them, and later ones refused. */
  | { readonly type: "Closing"; readonly reason: string };

export type ClientEffect =
  | { readonly type: "Send"; readonly to: Endpoint; readonly bytes: Uint8Array }
  | { readonly type: "SetTimer"; readonly at: Instant }
  /** Exactly one for each Called. */
  | { readonly type: "Return"; readonly call: CallNumber; readonly result: CallResult };

export interface ClientOptions {
  /** Where to look for the leader, and whom to ask for reads, the first one first; until EndpointsChanged. */
  readonly endpoints: readonly Endpoint[];
  /** A request without an answer for so long is repeated, and the leader looked for: 500 ms unless told. */
  readonly attemptTimeoutMs: number;
  /** How long a call may take: 5,000 ms unless told. */
  readonly callTimeoutMs: number;
  /** 16 bytes. */
  readonly seed: Uint8Array;
  /** Whether a rare course is taken (core/rare-course.ts); never, unless told. */
  readonly rarely?: Rarely | undefined;
}
