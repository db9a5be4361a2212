/**
 * Assertions about ourselves. What comes from outside (bytes, messages, SQL) is judged by values instead: a
 * fault of theirs must never look like a bug of ours.
 */

/** A rule of ours does not hold: a bug. Nothing catches it; the process dumps its state and ends. */
export class InvariantError extends Error {
  override readonly name = "InvariantError";
}

/** States a rule, positively: `invariant(term >= currentTerm, "the term never falls")`. */
export function invariant(condition: boolean, rule: string): asserts condition {
  if (!condition) throw new InvariantError(rule);
}

/** The default branch of a switch over a discriminated union: the compiler proves that it cannot be reached. */
export function unreachable(value: never): never {
  throw new InvariantError(`unreachable: ${JSON.stringify(value)}`);
}
