/** The package "quorumlite": what applications import. */
export { Connection, connect, open } from "./open.ts";
export { Node, type NodeStatus, type PeerStatus } from "./node.ts";
export { Database, Transaction, type Row, type RunResult } from "./database.ts";
export { OpenError, QuorumliteError, type OpenErrorCode } from "./errors.ts";
export type { NodeEvent, OpenOptions } from "./options.ts";
export type { FailureCode } from "../core/failure.ts";
export type { SqlParameters, SqlValue } from "../core/database/engine.ts";
