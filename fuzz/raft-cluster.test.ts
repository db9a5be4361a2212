/**
 * Clusters of pure Rafts in a soup of messages (raft-soup.ts), with crashes: figure 3 holds all the way, and once the
 * faults stop they get on. To repeat one: `FUZZ_SEED=… FUZZ_SCALE=1 npx vitest run fuzz/raft-cluster.test.ts`.
 */
import { expect, test } from "vitest";
import { FUZZ_SCALE, FUZZ_SEED } from "./chance.ts";
import { newTally, Soup } from "./raft-soup.ts";

const STEPS = 6000;

test.each([[3, 12], [5, 10], [1, 2], [2, 4], [4, 4]])("clusters of %s keep figure 3's properties", (size, runs) => {
  const total = newTally();
  for (let run = 0; run < runs * FUZZ_SCALE; run++) {
    const seed = FUZZ_SEED + run;
    const soup = new Soup(size, seed);
    try {
      for (let step = 0; step < STEPS; step++) soup.stir(true);
      soup.heal();
    } catch (cause) {
      throw new Error(`repeat with FUZZ_SEED=${seed} npx vitest run fuzz/raft-cluster.test.ts`, { cause });
    }
    for (const key of Object.keys(total) as (keyof typeof total)[]) total[key] += soup.tally[key];
  }
  // The runs were not idle: each of these happened.
  const { lost, truncations, ...always } = total;
  expect(Math.min(...Object.values(always))).toBeGreaterThan(0);
  if (size > 2) expect(Math.min(lost, truncations)).toBeGreaterThan(0);
});
