/**
 * What the package throws. Two classes: a call that failed, and a node that could not be opened. Both say what
 * happened, with the name and the value, and what to do; programs look at `code`, people at `message`.
 */
import type { Failure, FailureCode } from "../core/failure.ts";
import { unreachable } from "../core/invariant.ts";
import type { HaltReason } from "../core/replica/boundary.ts";
import type { StorageFault } from "../core/storage/boundary.ts";
import { describeHalt } from "./fault-text.ts";

/**
 * A call that failed.
 *
 * `code` says what is known: after `"OutcomeUnknown"` the write may or may not be there; after every other code it
 * surely is not, and never will be.
 *
 * @example
 * import { QuorumliteError } from "quorumlite";
 * try {
 *   await db.run("INSERT INTO kv VALUES (?, ?)", ["k", 1]);
 * } catch (error) {
 *   if (!(error instanceof QuorumliteError)) throw error;
 *   if (error.code === "SqlError") console.log(error.sqlCode); // "SQLITE_CONSTRAINT_PRIMARYKEY"
 * }
 */
export class QuorumliteError extends Error {
  override readonly name = "QuorumliteError";
  readonly code: FailureCode;
  /** The name of SQLite's extended result code if `code` is "SqlError"; null for all others. */
  readonly sqlCode: string | null;

  constructor(failure: Failure) {
    super(failure.message);
    this.code = failure.code;
    this.sqlCode = failure.sqlCode;
  }
}

export type OpenErrorCode =
  /** An option is missing, unknown, of the wrong type, or contradicts another. */
  | "InvalidOption"
  /** Another process, or another node of this one, has the directory open. */
  | "DirectoryInUse"
  /** The directory cannot be made, read or locked. */
  | "DirectoryUnusable"
  | "AddressInUse"
  /** The address is not one of this machine, or may not be used. */
  | "AddressUnusable"
  /** The directory holds the data of another node or another cluster. */
  | "WrongDirectory"
  /** The files were written by another version of quorumlite. */
  | "WrongVersion"
  /** A file is damaged where damage cannot be what a crash left. */
  | "CorruptData"
  | "DiskFailed";

/**
 * A node could not be opened. Nothing was lost, and nothing is left open.
 *
 * @example
 * import { open, OpenError } from "quorumlite";
 * await open({ directory: "/proc/nowhere" }).catch((error) => {
 *   if (error instanceof OpenError) console.log(error.code, error.option); // "DirectoryUnusable" "directory"
 * });
 */
export class OpenError extends Error {
  override readonly name = "OpenError";
  readonly code: OpenErrorCode;
  /** The option that it is about; null: none in particular. */
  readonly option: string | null;

  constructor(code: OpenErrorCode, option: string | null, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
    this.option = option;
  }
}

/** Why a directory was refused at the start, for the application. */
export function openErrorOf(reason: HaltReason, directory: string): OpenError {
  switch (reason.type) {
    case "storage":
      return storageError(reason.fault, describeHalt(reason, directory));
    case "disk":
      return new OpenError("DiskFailed", "directory", describeHalt(reason, directory));
    case "divergence":
    case "memory":
    case "quarantined":
      return new OpenError("CorruptData", "directory", describeHalt(reason, directory));
    default:
      return unreachable(reason);
  }
}

function storageError(fault: StorageFault, message: string): OpenError {
  switch (fault.type) {
    case "corrupt":
      return new OpenError("CorruptData", "directory", message);
    case "wrongVersion":
      return new OpenError("WrongVersion", "directory", message);
    case "wrongIdentity":
      return new OpenError("WrongDirectory", "directory", message);
    case "diskFailed":
      return new OpenError("DiskFailed", "directory", message);
    default:
      return unreachable(fault);
  }
}
