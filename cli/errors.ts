/**
 * What the package throws. Two classes: a call that failed, and a node that could not be opened. Both say what
 * happened, with the name and the value, and what to do; programs look at `code`, people at `message`.
 */
import type { Failure, FailureCode } from "../core/failure.ts";
import { unreachable } from "../core/invariant.ts";
import type { HaltReason } from "../core/replica/boundary.ts";
import type { StorageFault } from "../core/storage/boundary.ts";

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
      return storageError(reason.fault, directory);
    case "disk":
      return new OpenError("DiskFailed", "directory", describeHalt(reason, directory));
    case "divergence":
      return new OpenError("CorruptData", "directory", describeHalt(reason, directory));
    default:
      return unreachable(reason);
  }
}

function storageError(fault: StorageFault, directory: string): OpenError {
  const message = describeFault(fault, directory);
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

/** Why a node must not go on, in one sentence. */
export function describeHalt(reason: HaltReason, directory: string): string {
  switch (reason.type) {
    case "storage":
      return describeFault(reason.fault, directory);
    case "disk": {
      const file = reason.file === null ? directory : `${directory}/${reason.file}`;
      return `the disk failed at ${file} (${reason.code}: ${reason.detail}): repair it, then start the node again`;
    }
    case "divergence": {
      const what = `entry ${reason.index} of ${directory} cannot be applied (${reason.detail})`;
      return `${what}: this is a bug, please report it`;
    }
    default:
      return unreachable(reason);
  }
}

function describeFault(fault: StorageFault, directory: string): string {
  const file = fault.file === null ? directory : `${directory}/${fault.file}`;
  switch (fault.type) {
    case "corrupt":
      return `${file} is damaged at offset ${fault.offset}: ${fault.detail}. The node does not start, ` +
        "so that it cannot vote for less than it once acknowledged; the other nodes hold its data";
    case "wrongVersion":
      return `${file} has format version ${fault.found}, this program reads ${fault.expected}: ` +
        "use the version of quorumlite that wrote it";
    case "wrongIdentity":
      return `${file} is of ${fault.found}, not of ${fault.expected}: check the directory and the id: ` +
        "a node keeps its name for life";
    case "diskFailed":
      return `the disk failed at ${file} (${fault.code}: ${fault.detail})`;
    default:
      return unreachable(fault);
  }
}
