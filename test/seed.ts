/** The chance that tests on real files take: the same each time, unless SEED and ROUNDS say otherwise. */
import { Random } from "../core/random.ts";

const DEFAULT_SEED = 1;

export interface SeededCase {
  readonly random: Random;
  /** To be part of what a failing test says. */
  readonly repeat: string;
}

/** @param file of the test; `round` 0, 1, 2, ... gives others of the same seed */
export function seededCase(file: string, round: number): SeededCase {
  const seed = Number(process.env["SEED"] ?? DEFAULT_SEED);
  return {
    random: Random.fromNumber(seed * 1_000_003 + round),
    repeat: `round ${round}; to repeat: SEED=${seed} ROUNDS=${round + 1} npx vitest run ${file}`,
  };
}

/** How many rounds there are: few in the test suite, as many as ROUNDS says in a longer search. */
export function roundsOf(usual: number): number {
  return Number(process.env["ROUNDS"] ?? usual);
}
