/**
 * Runs the property tests with fresh seeds, and more examples, until the time is over or one fails.
 *
 *     npm run fuzz -- [--seconds 60] [--seed N] [--scale 5] [file …]
 *
 * `--seed` runs that seed once.
 */
import { spawnSync } from "node:child_process";
import { randomInt } from "node:crypto";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const root = fileURLToPath(new URL("..", import.meta.url));
const { values, positionals } = readOptions();
const files = positionals.length > 0 ? positionals : ["fuzz/"];

function readOptions() {
  const seconds = { type: "string", default: "60" };
  const scale = { type: "string", default: "5" };
  try {
    return parseArgs({ allowPositionals: true, options: { seconds, scale, seed: { type: "string" } } });
  } catch (error) {
    console.error(error.message);
    return process.exit(64);
  }
}

/** Whether all held. */
function round(seed) {
  const environment = { ...process.env, FUZZ_SEED: String(seed), FUZZ_SCALE: values.scale };
  const vitest = join(root, "node_modules/vitest/vitest.mjs");
  const words = [vitest, "run", "--reporter=dot", "--testTimeout=600000", ...files];
  const stdio = ["ignore", "inherit", "inherit"];
  return spawnSync(process.execPath, words, { cwd: root, env: environment, stdio }).status === 0;
}

const end = Date.now() + 1000 * Number(values.seconds);
let rounds = 0;
for (let isOver = false; !isOver; isOver = values.seed !== undefined || Date.now() >= end) {
  const seed = values.seed ?? randomInt(1, 2 ** 31);
  console.log(`seed ${seed}, ${values.scale} times as many examples as in npm test`);
  if (!round(seed)) {
    console.log(`FAILED: repeat with npm run fuzz -- --seed ${seed} --scale ${values.scale} ${files.join(" ")}`);
    process.exit(1);
  }
  rounds++;
}
console.log(`${rounds} rounds passed`);
