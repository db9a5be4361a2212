/** What the operators' functions throw: a kind that programs look at, and a sentence that says what to do. */
import { unreachable } from "../core/invariant.ts";
import type { StorageFault } from "../core/storage/boundary.ts";

export type OperatorErrorCode =
  /** An argument or option is missing, unknown, of the wrong type or out of range. */
  | "InvalidOption"
  /** A node, or another of these functions, has the directory open. */
  | "DirectoryInUse"
  /** The directory is not there, or cannot be read, written or locked. */
  | "DirectoryUnusable"
  /** The directory holds no node's data, or a node that has never been of a cluster. */
  | "NoData"
  /** What is to be filled has something in it already. */
  | "DirectoryNotEmpty"
  /** The files were written by another version of quorumlite. */
  | "WrongVersion"
  /** A file is damaged, and without it this cannot be done. */
  | "CorruptData"
  | "DiskFailed"
  | "NoSpace"
  /** The file to be written is there already. */
  | "FileExists"
  /** The file cannot be read or written. */
  | "FileUnusable"
  /** The file is no database that can be imported as it is. */
  | "NotImportable"
  /** The log does not reach so far, or begins behind it. */
  | "NoSuchEntry"
  /** This node needs no other to decide: it is the only voter already, as it is after a recovery from quorum loss. */
  | "NothingToRecover"
  /** Something would be lost for good; it has to be said that this is meant. */
  | "LossNotAccepted";

/**
 * One of the operators' functions could not do what it was asked. What it was to change is as it was before.
 *
 * @example
 * import { inspectDirectory, OperatorError } from "quorumlite";
 * await inspectDirectory("nowhere").catch((error) => {
 *   if (error instanceof OperatorError) console.log(error.code, error.option); // "DirectoryUnusable" "directory"
 * });
 */
export class OperatorError extends Error {
  override readonly name = "OperatorError";
  readonly code: OperatorErrorCode;
  /** The argument or option that it is about; null: none in particular. */
  readonly option: string | null;

  constructor(code: OperatorErrorCode, option: string | null, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
    this.option = option;
  }
}

/** Why the files of a directory cannot be used. `advice`: what to do about damage. */
export function operatorErrorOf(fault: StorageFault, directory: string, advice: string): OperatorError {
  const file = fault.file === null ? directory : `${directory}/${fault.file}`;
  const detail = describeStorageFault(fault);
  switch (fault.type) {
    case "corrupt": {
      const message = `${file} is damaged at offset ${fault.offset}: ${detail}; ${advice}`;
      return new OperatorError("CorruptData", "directory", message);
    }
    case "wrongVersion":
      return new OperatorError("WrongVersion", "directory", `${file} ${detail}`);
    case "wrongIdentity":
      return new OperatorError("CorruptData", "directory", `${file} ${detail}; ${advice}`);
    case "diskFailed":
      return new OperatorError("DiskFailed", "directory", `the disk failed at ${file}: ${detail}`);
    default:
      return unreachable(fault);
  }
}

/** What is wrong, without the file and the place. */
export function describeStorageFault(fault: StorageFault): string {
  switch (fault.type) {
    case "corrupt":
      return fault.detail;
    case "wrongVersion":
      return `has format version ${fault.found}, this program reads ${fault.expected}: ` +
        "use the version of quorumlite that wrote it";
    case "wrongIdentity":
      return `is of ${fault.found}, and the directory of ${fault.expected}: files of two nodes have been mixed`;
    case "diskFailed":
      return `${fault.code}: ${fault.detail}`;
    default:
      return unreachable(fault);
  }
}
