/** How oracles say that a rule is broken, and the names of the rules. */
import type { LogIndex, NodeId } from "../../core/types.ts";
import type { Violation } from "./boundary.ts";

/** One name for each rule of the promise; the last line of a failed run says it. */
export type OracleName =
  | "election-safety"
  | "leader-append-only"
  | "log-matching"
  | "leader-completeness"
  | "state-machine-safety"
  | "committed-immutable"
  | "durable-quorum"
  | "configuration"
  | "vote"
  | "stickiness"
  | "check-quorum"
  | "transfer"
  | "change"
  | "durable-promise"
  | "recovery"
  | "loss"
  | "crash-shadow"
  | "space"
  | "monotonic"
  | "order"
  | "checksum"
  | "image"
  | "integrity"
  | "acknowledged"
  | "not-executed"
  | "atomicity"
  | "list-order"
  | "serial-order"
  | "stale-read"
  | "unconfirmed-read"
  | "phantom-read"
  | "bank-total"
  | "answer";

export function violation(
  oracle: OracleName, message: string, nodes: readonly NodeId[] = [], index: LogIndex | null = null,
): Violation {
  return { oracle, message, nodes, index };
}
