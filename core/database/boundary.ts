/**
 * The boundary of Database: one node's SQL engine with its sessions, transaction queue and reads. It executes
 * requests on the leader, proposes what they committed, and lets an answer out only when the rules of core/database
 * allow it.
 */
import type { Rarely } from "../rare-course.ts";
import type { Entry, EntryId, Instant, LogIndex, NodeId, ProposalNumber, ReadNumber, Term } from "../types.ts";
import type { ProposalOutcome } from "../raft/boundary.ts";
import type { PageCut } from "../pages/page-cut.ts";
import type { RestoreStep } from "../storage/boundary.ts";
import type { EngineFactory, EngineLimits } from "./engine.ts";

/** Names one client connection of the driver. Answers go back to it; it means nothing else. */
export type ClientId = string;

export type DatabaseInput =
  /** Bytes of one ClientMessage. `wallMs`: the wall clock, for datetime('now'). */
  | { readonly type: "ClientReceived"; readonly from: ClientId; readonly bytes: Uint8Array; readonly wallMs: number }
  /** The connection is gone: transactions last used over it are rolled back. */
  | { readonly type: "ClientGone"; readonly from: ClientId }
  | { readonly type: "TimerFired" }
  | { readonly type: "Accepted"; readonly proposal: ProposalNumber; readonly entry: EntryId }
  | { readonly type: "Resolved"; readonly proposal: ProposalNumber; readonly outcome: ProposalOutcome }
  | { readonly type: "Committed"; readonly entries: readonly Entry[] }
  | { readonly type: "ReadConfirmed"; readonly read: ReadNumber; readonly index: LogIndex }
  | { readonly type: "ReadRefused"; readonly read: ReadNumber }
  /** A leader that resigns hears it of its own term, with leader null. */
  | { readonly type: "LeadershipChanged"; readonly term: Term; readonly leader: NodeId | null }
  /** Answered in the same step by SnapshotTaken. One at a time: CutEnded comes between. */
  | { readonly type: "TakeSnapshot" }
  /** The pages of the cut taken last may be recycled. Not stored: the next one has them, too. */
  | { readonly type: "CutEnded"; readonly isStored: boolean }
  /** Pages of the stored snapshot are damaged: the next cut has them, though they have not changed. */
  | { readonly type: "PagesDamaged"; readonly numbers: readonly number[] }
  /**
   * The state becomes that of a snapshot, which has the effect of all entries up to its own; in one order with
   * Committed, and before the no-op of any term that this node leads. Until RestoreFinished queries wait.
   */
  | RestoreStep
  /** Refuse everything from now on. */
  | { readonly type: "Closing" };

export type DatabaseEffect =
  | { readonly type: "Respond"; readonly to: ClientId; readonly bytes: Uint8Array }
  /** The client sent what no client sends: the driver closes the connection. */
  | { readonly type: "Disconnect"; readonly client: ClientId; readonly detail: string }
  | {
      readonly type: "Propose";
      readonly proposal: ProposalNumber;
      readonly term: Term;
      readonly predecessor: ProposalNumber;
      readonly payload: Uint8Array;
    }
  | { readonly type: "RollBack"; readonly term: Term; readonly last: ProposalNumber }
  | { readonly type: "RequestRead"; readonly read: ReadNumber }
  /** `checksum`: of the applied state as of `index`. */
  | { readonly type: "ReportApplied"; readonly index: LogIndex; readonly checksum: number }
  /** What has changed since the cut before, with the effect of all entries up to `index`, and of nothing else. */
  | { readonly type: "SnapshotTaken"; readonly index: LogIndex; readonly cut: PageCut }
  | { readonly type: "SetTimer"; readonly at: Instant }
  /** The snapshot that was being restored is no state: what comes of it is not this machine's affair. */
  | { readonly type: "RestoreRefused"; readonly index: LogIndex; readonly detail: string }
  | { readonly type: "Halt"; readonly index: LogIndex; readonly detail: string };

export interface DatabaseLimits extends EngineLimits {
  /** Requests that wait for the writer; beyond it Busy. */
  readonly maxQueuedWrites: number;
  readonly maxSessions: number;
  /** Requests of one session that are remembered; beyond it Busy, and beyond twice as many silence. */
  readonly maxSessionRequests: number;
  /** A session that was not heard of for so long is forgotten. */
  readonly sessionExpiryMs: number;
  /** A transaction without a statement for so long is rolled back, so that it cannot hold the writer for ever. */
  readonly transactionIdleMs: number;
}

export const DEFAULT_DATABASE_LIMITS: DatabaseLimits = {
  maxPayloadBytes: 64 * 1024 * 1024,
  maxResultBytes: 64 * 1024 * 1024,
  maxQueuedWrites: 1024,
  maxSessions: 4096,
  maxSessionRequests: 2048,
  sessionExpiryMs: 30_000,
  transactionIdleMs: 5_000,
};

export interface DatabaseOptions {
  readonly id: NodeId;
  readonly engine: EngineFactory;
  readonly limits: DatabaseLimits;
  /** 16 bytes. */
  readonly seed: Uint8Array;
  /** Whether a rare course is taken (core/rare-course.ts); never, unless told. */
  readonly rarely?: Rarely | undefined;
}
