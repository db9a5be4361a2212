/**
 * The seeds of the test command: some of the simulator with real SQLite, all of these again in another process, to see
 * that a seed means the same each time, and those of seeds.lock, to see that it means what it meant.
 */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { availableParallelism } from "node:os";

const SEEDS = 12;

/** @returns {{ passed: number, failed: number }} of seeds, of repetitions, and of the lock, which counts as one */
export function runSeeds(root) {
  const jobs = Math.min(4, availableParallelism());
  const first = simulate(root, SEEDS, jobs);
  const again = simulate(root, SEEDS, jobs);
  let passed = 0;
  for (let seed = 1; seed <= SEEDS; seed++) {
    const { outcome = "missing" } = first.get(seed) ?? {};
    if (outcome === "passed") passed++;
    else console.error(`seed ${seed}: ${outcome}; repeat with npm run sim -- --seed ${seed}`);
  }
  for (let seed = 1; seed <= SEEDS; seed++) {
    const [one, other] = [first.get(seed)?.hash, again.get(seed)?.hash];
    if (one !== undefined && one === other) passed++;
    else console.error(`seed ${seed} gave the hash ${one}, and then ${other}`);
  }
  if (isLocked(root)) passed++;
  return { passed, failed: 2 * SEEDS + 1 - passed };
}

/** Whether the seeds of seeds.lock have the hashes that stand there. */
function isLocked(root) {
  const command = [join(root, "dist/cli/sim.js"), "--lock", "check"];
  const { status, stdout, stderr } = spawnSync(process.execPath, command, { cwd: root, encoding: "utf8" });
  if (status === 0) return true;
  console.error(`${stdout}${stderr}seeds.lock: where that was meant, npm run sim -- --lock write writes it anew`);
  return false;
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
