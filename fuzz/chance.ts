/**
 * The one source of chance of all property tests: fixed in `npm test`, fresh and longer in `npm run fuzz`.
 *
 *     FUZZ_SEED    the seed; 1 unless given. A failure prints it.
 *     FUZZ_SCALE   how many times as many examples as in `npm test`
 *
 * To repeat a failure: `FUZZ_SEED=… FUZZ_SCALE=… npx vitest run fuzz/….test.ts`.
 */
export const FUZZ_SEED = setting("FUZZ_SEED");
export const FUZZ_SCALE = setting("FUZZ_SCALE");

/** Settings for fast-check: so many examples in `npm test`. */
export function examples(count: number): { readonly seed: number; readonly numRuns: number } {
  return { seed: FUZZ_SEED, numRuns: count * FUZZ_SCALE };
}

function setting(name: string): number {
  const given = process.env[name] ?? "1";
  if (!/^[1-9]\d{0,14}$/.test(given)) throw new Error(`${name} is ${given}: it has to be a whole number from 1`);
  return Number(given);
}
