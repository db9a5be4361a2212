/**
 * The seeds of the test command: some of the simulator with real SQLite, and some of these again in another process, to
 * see that a seed means the same each time.
 */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { availableParallelism } from "node:os";

const SEEDS = 12;
const REPEATED = 3;

/** @returns {{ passed: number, failed: number }} of seeds and of repetitions */
export function runSeeds(root) {
  const first = simulate(root, SEEDS, Math.min(4, availableParallelism()));
  const again = simulate(root, REPEATED, 2);
  let passed = 0;
  for (let seed = 1; seed <= SEEDS; seed++) {
    const { outcome = "missing" } = first.get(seed) ?? {};
    if (outcome === "passed") passed++;
    else console.error(`seed ${seed}: ${outcome}; repeat with npm run sim -- --seed ${seed}`);
  }
  for (let seed = 1; seed <= REPEATED; seed++) {
    const [one, other] = [first.get(seed)?.hash, again.get(seed)?.hash];
    if (one !== undefined && one === other) passed++;
    else console.error(`seed ${seed} gave the hash ${one}, and then ${other}`);
  }
  return { passed, failed: SEEDS + REPEATED - passed };
}

/** The seeds from 1 to `runs`, with what each came to. */
function simulate(root, runs, jobs) {
  const options = ["--seed", "1", "--runs", String(runs), "--jobs", String(jobs), "--json"];
  const { stdout, stderr } = spawnSync(process.execPath, [join(root, "dist/cli/sim.js"), ...options], {
    cwd: root,
    encoding: "utf8",
    maxBuffer: 64 * 1024 * 1024,
  });
  process.stderr.write(stderr);
  const lines = stdout.split("\n").filter((line) => line.startsWith("{"));
  return new Map(lines.map((line) => JSON.parse(line)).map((result) => [result.seed, result]));
}
