/**
 * What must hold of one node's numbers, whatever the others do: its term and vote never fall, not even over a crash,
 * as far as they were durable; commitIndex, lastApplied, snapshot and base never fall within one process life; base <=
 * snapshot <= applied <= committed <= last.
 */
import type { HardState, NodeId } from "../../core/types.ts";
import type { RaftObservation, Violation } from "./boundary.ts";
import { violation } from "./violation.ts";

/** `before`: the step before in this life; null: the first. `durable`: what the disk remembers for sure. */
export function judgeNumbers(
  node: NodeId, before: RaftObservation | null, after: RaftObservation, durable: HardState,
): Violation | null {
  return (
    judgeHardState(node, before ?? durable, after)
    ?? (before === null ? null : judgeIndexes(node, before, after))
    ?? judgeOrder(node, after)
  );
}

function judgeHardState(node: NodeId, floor: HardState, after: RaftObservation): Violation | null {
  const { currentTerm, votedFor } = after;
  if (currentTerm < floor.currentTerm) {
    return violation("monotonic", `the term of ${node} fell from ${floor.currentTerm} to ${currentTerm}`, [node]);
  }
  if (currentTerm > floor.currentTerm || floor.votedFor === null || votedFor === floor.votedFor) return null;
  const message = `${node} voted for ${floor.votedFor}, then for ${votedFor ?? "nobody"}, in term ${currentTerm}`;
  return violation("monotonic", message, [node]);
}

function judgeIndexes(node: NodeId, before: RaftObservation, after: RaftObservation): Violation | null {
  for (const name of ["commitIndex", "lastApplied"] as const) {
    if (after[name] >= before[name]) continue;
    const message = `${name} of ${node} fell from ${before[name]} to ${after[name]}`;
    return violation("monotonic", message, [node], after[name]);
  }
  for (const name of ["base", "snapshot"] as const) {
    if (after[name].index >= before[name].index) continue;
    const message = `${name} of ${node} fell from ${before[name].index} to ${after[name].index}`;
    return violation("monotonic", message, [node], after[name].index);
  }
  return null;
}

function judgeOrder(
  node: NodeId, { base, snapshot, lastApplied, commitIndex, last }: RaftObservation,
): Violation | null {
  const numbers = [base.index, snapshot.index, lastApplied, commitIndex, last.index];
  if (numbers.every((number, at) => at === 0 || (numbers[at - 1] as number) <= number)) return null;
  const message = `${node}: compacted <= snapshot <= applied <= committed <= last does not hold: ${numbers.join(" ")}`;
  return violation("order", message, [node], commitIndex);
}
