/** What is wrong with a node's disk or state, as sentences for people: what it is, where, and what to do. */
import { unreachable } from "../core/invariant.ts";
import type { HaltReason } from "../core/replica/boundary.ts";
import type { StorageFault } from "../core/storage/boundary.ts";

/** Why a node must not go on, in one sentence. */
export function describeHalt(reason: HaltReason, directory: string): string {
  switch (reason.type) {
    case "storage":
      return describeRefusal(reason.fault, directory);
    case "disk": {
      const file = reason.file === null ? directory : `${directory}/${reason.file}`;
      return `the disk failed at ${file} (${reason.code}: ${reason.detail}): ${adviceOn(reason.code) ?? REPAIR}`;
    }
    case "divergence": {
      const what = `entry ${reason.index} of ${directory} cannot be applied (${reason.detail})`;
      return `${what}: this is a bug, please report it`;
    }
    case "memory": {
      const what = `memory has gone wrong: ${reason.detail}, and nothing of it was written to ${directory}`;
      return `${what}. The node goes on from there; if it happens again, test the computer's memory`;
    }
    case "quarantined": {
      const what = `a majority has another database than ${directory} as of entry ${reason.index} (${reason.detail})`;
      return `${what}: what it holds is discarded and fetched from the others`;
    }
    default:
      return unreachable(reason);
  }
}

/** Why a directory is not opened. */
function describeRefusal(fault: StorageFault, directory: string): string {
  const what = describeFault(fault, directory);
  switch (fault.type) {
    case "corrupt":
      return `${what}. The node does not start, since nobody could give back what is missing: restore the directory ` +
        "from a copy; or, if it is of a cluster, join that with an empty one";
    case "wrongVersion":
      return `${what}: use the version of quorumlite that wrote it`;
    case "wrongIdentity":
      return `${what}: check the directory and the id: a node keeps its name for life`;
    case "diskFailed":
      return `${what}: ${adviceOn(fault.code) ?? REPAIR}`;
    default:
      return unreachable(fault);
  }
}

/** Which file is not as it should be, and how. */
export function describeFault(fault: StorageFault, directory: string): string {
  const file = fault.file === null ? directory : `${directory}/${fault.file}`;
  switch (fault.type) {
    case "corrupt":
      return `${file} is damaged at offset ${fault.offset}: ${fault.detail}`;
    case "wrongVersion":
      return `${file} has format version ${fault.found}, this program reads ${fault.expected}`;
    case "wrongIdentity":
      return `${file} is of ${fault.found}, not of ${fault.expected}`;
    case "diskFailed":
      return `the disk failed at ${file} (${fault.code}: ${fault.detail})`;
    default:
      return unreachable(fault);
  }
}

/** Nothing is ever tried again by itself: after a failed write nobody knows what the disk holds until it is read. */
const REPAIR = "repair it, then start the node again";

/** What to do where the system says no by this code; null: nothing in particular. */
export function adviceOn(code: string): string | null {
  switch (code) {
    case "EMFILE":
      return "this process has as many files open as it may: raise its limit (ulimit -n), then start the node again";
    case "ENFILE":
      return "the system has as many files open as it may: close some or raise fs.file-max, then start the node again";
    case "EROFS":
      return "it is mounted read-only: see the system's log for why, mount it for writing, then start the node again";
    case "EACCES":
    case "EPERM":
      return "give this user the right to read and write in the directory and its files, then start the node again";
    case "ENOSPC":
    case "EDQUOT":
      return "it is full: free space, then start the node again";
    default:
      return null;
  }
}
