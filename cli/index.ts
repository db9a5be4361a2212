/** The package "quorumlite": what applications import. */
export { Connection, connect, open } from "./open.ts";
export { Node } from "./node.ts";
export type { Applicant, MemberStatus, NodeStatus, PeerStatus } from "./node-status.ts";
export { Database, Transaction, type ReadOptions, type Row, type RunResult } from "./database.ts";
export { OpenError, QuorumliteError, type OpenErrorCode } from "./errors.ts";
export { MembershipError, type MembershipErrorCode } from "./membership-error.ts";
export type { MemberChange, NewMember, Role } from "./member-fields.ts";
export type { NodeEvent, OpenOptions } from "./options.ts";
export type { StorageStatus } from "../io/driver-status.ts";
export type { FailureCode } from "../core/failure.ts";
export type { SqlParameters, SqlValue } from "../core/database/engine.ts";
export { exportDatabase, type ExportOptions, type ExportReport } from "./export.ts";
export { importDatabase, type ImportOptions, type ImportReport } from "./import.ts";
export { inspectDirectory, verifyDirectory } from "./inspection.ts";
export type {
  DirectoryFault, DirectoryInspection, DirectoryVerification, InspectedMember, InspectedSnapshot, VerifyOptions,
  VerifyProgress,
} from "./inspection.ts";
export { listEntries, readLastEntry } from "./entry-listing.ts";
export type { LastEntry, ListedEntry, ListOptions } from "./entry-listing.ts";
export { OperatorError, type OperatorErrorCode } from "./operator-error.ts";
export { type QuorumRecoveryOptions, type QuorumRecoveryReport, recoverFromQuorumLoss } from "./quorum-recovery.ts";
export type { EntryId } from "../core/types.ts";
