/**
 * Runs the tests that need more than npm installs (test/machine). What they need and is not there is a failure, not a
 * reason to skip them. The last line is `N passed, N failed`.
 */
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const report = join(root, "coverage", "machine.json");

function run(program, ...args) {
  const stdio = ["ignore", "inherit", "inherit"];
  return spawnSync(process.execPath, [join(root, program), ...args], { cwd: root, stdio }).status;
}

function test() {
  if (run("tools/build.js") !== 0) return { passed: 0, failed: 1 };
  rmSync(report, { force: true });
  const status = run(
    "node_modules/vitest/vitest.mjs", "run", "--root=.", "--config=test/machine/vitest.config.ts",
    "--reporter=default", "--reporter=json", `--outputFile.json=${report}`,
  );
  if (!existsSync(report)) return { passed: 0, failed: 1 };
  const { numPassedTests: passed, numFailedTests, numTotalTests } = JSON.parse(readFileSync(report, "utf8"));
  // Tests that a failed preparation kept from running have not passed.
  const failed = Math.max(numFailedTests, numTotalTests - passed);
  return { passed, failed: failed === 0 && (status !== 0 || passed === 0) ? 1 : failed };
}

const { passed, failed } = test();
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
