/**
 * Clusters of the real core in a soup of messages, with crashes, drifting clocks and changes of membership, judged at
 * every step by the executable reference of Raft's safety (raft-reference.ts); once the faults stop they get on. To
 * repeat one: `FUZZ_SEED=… FUZZ_SCALE=1 npx vitest run fuzz/raft-reference.test.ts`.
 */
import { expect, test } from "vitest";
import { FUZZ_SCALE, FUZZ_SEED } from "./chance.ts";
import { Soup } from "./raft-soup.ts";

const STEPS = 4000;

const total = new Map<string, number>();

test.each([[3, 4], [5, 3], [1, 2], [2, 2], [4, 2]])("clusters of %s do only what Raft allows", (size, runs) => {
  for (let run = 0; run < runs * FUZZ_SCALE; run++) {
    const seed = FUZZ_SEED + run;
    const soup = new Soup(size, seed);
    try {
      for (let step = 0; step < STEPS; step++) soup.stir(true);
      soup.heal();
    } catch (cause) {
      const repeat = `FUZZ_SEED=${seed} FUZZ_SCALE=1 npx vitest run fuzz/raft-reference.test.ts`;
      throw new Error(`size ${size}, repeat with ${repeat}: ${String(cause)}; ${soup.show()}`, { cause });
    }
    for (const [what, count] of soup.world.tally) total.set(what, (total.get(what) ?? 0) + count);
  }
}, 60_000 * FUZZ_SCALE);

test("the runs were not idle: each of these happened", () => {
  const always = [
    "leader", "crash", "truncate", "install", "restore", "apply", "ReadReady", "ReadRefused", "ReadEntries", "leave",
    "loss", "forget", "merge", "chunk ahead", "chunk badly", "unreadable", "refused diskFull",
    "committed", "lost", "done", "refused busy", "refused notCaughtUp", "refused pending", "refused transferring",
  ];
  for (const what of always) expect(total.get(what) ?? 0, what).toBeGreaterThan(0);
});
