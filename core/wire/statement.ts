/**
 * The statement protocol: what a client (core/client) and a node's Database (core/database) say to each other.
 *
 * It does not trust its transport: any message may be lost, repeated, delayed or overtaken. What makes it safe:
 *
 * - A client opens a *session* with the leader of a term. The leader numbers it; (term, session) is never given twice.
 *   The session lives in the memory of that one process.
 * - A *request* names term, session and a sequence number. Only the process that opened the session ever runs it, only
 *   while it leads that term, and at most once: it remembers each sequence number that it has seen, with its answer,
 *   until the client says (`lowestUnanswered`) that it needs it no more. A repeated request is answered from memory.
 * - So a refusal is for good: what was refused under a sequence number is never executed under it later.
 * - A process that does not know the session says `SessionUnknown`: it never ran anything for it in this life. The
 *   client has to conclude that what it asked for is unknown, as an earlier life may have.
 *
 * A *query* needs none of this. It is one statement outside of transactions that only reads, so that it may be executed
 * more than once, and by any node: on the state that this node has applied, as soon as that is as new as the query's
 * *level* demands. It belongs to the connection that it came over.
 *
 * Every answer names an *index*: the state that it tells of has the effect of the log up to there. The highest one that
 * a client has seen is its token: a read that demands it sees whatever the client has seen or done before.
 *
 * Rows travel in *parts*: an answer carries part 0 and the number of parts; the client fetches the others.
 * A transaction is named by a number that the client chooses, at most one use of each in a session.
 */
import type { Failure } from "../failure.ts";
import type { SqlParameters, SqlValue } from "../database/engine.ts";
import type { LogIndex, NodeId, Term } from "../types.ts";

export type SessionNumber = number;
export type SequenceNumber = number;
/** 0: none, the statement is a transaction of its own. */
export type TransactionNumber = number;
/** Names one query of a client. They ascend, from anywhere on. */
export type QueryNumber = number;

/** How new the state is to be that a query is answered from. */
export type ReadLevel =
  /** It has every write that was acknowledged before the query was sent, by whichever node. */
  | { readonly type: "linearizable" }
  /** It has the effect of the log up to `index`. */
  | { readonly type: "session"; readonly index: LogIndex };

export type RequestBody =
  /** A statement that may write. */
  | {
      readonly type: "write";
      readonly transaction: TransactionNumber;
      readonly sql: string;
      readonly parameters: SqlParameters;
    }
  /** Several statements, outside a transaction, as sqlite3_exec runs them. */
  | { readonly type: "script"; readonly sql: string }
  | { readonly type: "begin"; readonly transaction: TransactionNumber }
  | { readonly type: "commit"; readonly transaction: TransactionNumber }
  | { readonly type: "rollback"; readonly transaction: TransactionNumber };

export type ClientMessage =
  /** Who leads? Any node answers. `nonce` comes back, so that an old answer is not taken for a new one. */
  | { readonly type: "Locate"; readonly nonce: number }
  | { readonly type: "OpenSession"; readonly nonce: number }
  | {
      readonly type: "Request";
      readonly term: Term;
      readonly session: SessionNumber;
      /** From 1. Each number is used for one request. */
      readonly sequence: SequenceNumber;
      /** Every sequence number below this is answered, or of no interest to the client any more. */
      readonly lowestUnanswered: SequenceNumber;
      readonly body: RequestBody;
    }
  | {
      readonly type: "FetchPart";
      readonly term: Term;
      readonly session: SessionNumber;
      readonly sequence: SequenceNumber;
      readonly part: number;
    }
  /** The client needs the session no more: its transactions are rolled back. Not answered. */
  | { readonly type: "CloseSession"; readonly term: Term; readonly session: SessionNumber }
  /**
   * A statement outside of transactions that is expected only to read; answered by `writes` (not executed) if it does
   * not. Any node answers.
   */
  | {
      readonly type: "Query";
      readonly query: QueryNumber;
      /** Every query below this is answered, or of no interest to the client any more. */
      readonly lowestUnanswered: QueryNumber;
      /** The client waits for so long at most. */
      readonly timeoutMs: number;
      readonly level: ReadLevel;
      readonly sql: string;
      readonly parameters: SqlParameters;
    }
  | { readonly type: "FetchRows"; readonly query: QueryNumber; readonly part: number };

/** What a request came to. */
export type Outcome =
  | {
      readonly type: "done";
      readonly columns: readonly string[];
      readonly changes: number;
      readonly lastInsertRowid: number | bigint;
    }
  /** The query writes: nothing was executed. */
  | { readonly type: "writes" }
  | { readonly type: "failed"; readonly failure: Failure };

/** One part of what a request or a query came to. */
export interface ResultPart {
  /** What it tells of has the effect of the log up to here. */
  readonly index: LogIndex;
  readonly part: number;
  /** At least 1. */
  readonly parts: number;
  /** Only in part 0 does it carry columns and counts; in the others it is null. */
  readonly outcome: Outcome | null;
  readonly rows: readonly (readonly SqlValue[])[];
}

export type NodeMessage =
  /**
   * `leader` null: unknown. `leads`: the answering node believes that it leads `term` itself: sessions are opened
   * there.
   */
  | {
      readonly type: "Located";
      readonly nonce: number;
      readonly term: Term;
      readonly leader: NodeId | null;
      readonly leads: boolean;
    }
  | { readonly type: "SessionOpened"; readonly nonce: number; readonly term: Term; readonly session: SessionNumber }
  /** No session: this node does not lead, or has too many sessions. */
  | { readonly type: "SessionRefused"; readonly nonce: number; readonly failure: Failure }
  | (ResultPart & {
      readonly type: "Answer";
      readonly term: Term;
      readonly session: SessionNumber;
      readonly sequence: SequenceNumber;
    })
  | {
      readonly type: "SessionUnknown";
      readonly term: Term;
      readonly session: SessionNumber;
      readonly sequence: SequenceNumber;
    }
  | (ResultPart & {
      readonly type: "QueryAnswer";
      readonly query: QueryNumber;
      /** Which execution of the query it is of: only parts of the same one belong together. */
      readonly execution: number;
    })
  /** There is nothing to fetch of this query: ask anew. */
  | { readonly type: "QueryUnknown"; readonly query: QueryNumber };

/** Limits of the protocol, judged by the decoder before anything is allocated. */
export const STATEMENT_LIMITS = {
  maxSqlBytes: 1024 * 1024,
  maxParameters: 32766,
  maxValueBytes: 64 * 1024 * 1024,
  maxColumns: 2000,
  /** About so many bytes of rows in a part. */
  partBytes: 256 * 1024,
} as const;
