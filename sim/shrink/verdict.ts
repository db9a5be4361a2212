/** What a run of a trace came to, and whether two failures are the same one. */
import type { Occurrence } from "../course.ts";

export interface Verdict {
  readonly outcome: "passed" | "correctness" | "liveness" | "crash";
  /** Which oracle failed, or "throw"; empty: none. */
  readonly oracle: string;
  readonly message: string;
  /** When it was over, in microseconds of the world's time. */
  readonly at: number;
  readonly hash: string;
  readonly occurrences: readonly Occurrence[];
}

/** The same promise is broken. Of two throws: the same rule, whatever the numbers. */
export function isSameFailure(one: Verdict, other: Verdict): boolean {
  if (one.outcome === "passed" || one.outcome !== other.outcome || one.oracle !== other.oracle) return false;
  return one.outcome !== "crash" || shapeOf(one.message) === shapeOf(other.message);
}

const MAX_SHAPE = 160;

/** A message without what differs from seed to seed: its first line, numbers and names of nodes taken out. */
export function shapeOf(message: string): string {
  const [first = ""] = message.split("\n");
  const named = first.replaceAll(/\bclient-[\d.]+/g, "client").replaceAll(/\b[a-j](:[\da-f]+)?\b/g, "?");
  return named.replaceAll(/\b[\da-f]{16}\b|\d+/g, "#").replaceAll(/(\?[ ,]*){2,}/g, "? ").slice(0, MAX_SHAPE).trim();
}
