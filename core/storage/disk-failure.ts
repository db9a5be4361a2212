/**
 * Which failures of a disk end the process, and which do not. The rule of this one place: what nobody relies on yet may
 * fail. So want of space may be, where space is taken (`preallocate`) and in files that bear no name yet; and a place
 * that cannot be read is damage, to be judged as damage is. All others are final, and nothing is ever done again: after
 * a failed sync the system may have dropped what it could not write, and the next one would succeed (fsyncgate).
 */
import type { DiskFailure, DiskOperation } from "./disk.ts";

/** Files that nothing refers to, whatever becomes of them: they are removed by the next start. */
export const NAMELESS = [".new", ".part"] as const;

export function isNameless(file: string): boolean {
  return NAMELESS.some((suffix) => file.endsWith(suffix));
}

export function isWantOfSpace({ code }: DiskFailure): boolean {
  return code === "ENOSPC" || code === "EDQUOT";
}

/** Whether the one who ordered the operation may go on, having heard of the failure. */
export function isBearable(operation: DiskOperation, failure: DiskFailure): boolean {
  switch (operation.type) {
    case "preallocate":
      return isWantOfSpace(failure);
    case "open":
    case "write":
    case "sync":
      return isNameless(operation.file) && isWantOfSpace(failure);
    case "read":
      return failure.code === "EIO";
    default:
      return false;
  }
}
