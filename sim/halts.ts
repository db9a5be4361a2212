/**
 * Processes that stop by themselves: which of them had to, because of what was done to them. Any other is a bug.
 */
import type { HaltReason } from "../core/replica/boundary.ts";
import type { NodeProcess } from "./process.ts";

export interface HaltedNode {
  readonly node: NodeProcess;
  /** Its disk, or its state, has been damaged and is not known to be whole again. */
  readonly isDamaged: boolean;
  /** Nobody but itself may ever have voted. */
  readonly mayBeAlone: boolean;
  /** It is of a cluster: others rely on it. */
  readonly isMember: boolean;
}

/** What has to follow; null: nothing that was done explains it. */
export type Remedy =
  /** Started again, it goes on. */
  | "restart"
  /** It cannot be used, and says so. */
  | "replaceDisk";

export function remedyOf(halted: HaltedNode, reason: HaltReason): Remedy | null {
  const { node, isDamaged, mayBeAlone, isMember } = halted;
  const { disk, isFlipped } = node;
  // Whom nobody knows yet may say that there is no room for it.
  if (!isMember && disk.isFull && codeOf(reason) === "ENOSPC") return "restart";
  switch (reason.type) {
    case "disk":
      return disk.hasFailed && reason.code === "EIO" ? "restart" : null;
    case "storage":
      if (reason.fault.type === "diskFailed") return disk.hasFailed && reason.fault.code === "EIO" ? "restart" : null;
      if (reason.fault.type !== "corrupt" || !disk.hasMetDamage) return null;
      // While it runs, what it needs cannot be read back. A start has to get over that.
      if (node.recovered) return "restart";
      return mayBeAlone ? "replaceDisk" : null;
    case "quarantined":
      return isFlipped || isDamaged || disk.hasMetDamage ? "restart" : null;
    case "memory":
    case "divergence":
      return isFlipped ? "restart" : null;
  }
}

function codeOf(reason: HaltReason): string | null {
  if (reason.type === "disk") return reason.code;
  return reason.type === "storage" && reason.fault.type === "diskFailed" ? reason.fault.code : null;
}
