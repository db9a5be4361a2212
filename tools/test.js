/**
 * The whole test command: build, lint, tests with coverage of core/, and some seeds of the simulator. It is no test
 * runner: it runs the real ones in order, prints how long each took, and adds up what they counted.
 *
 * The last line is `N passed, N failed`. The build, the lint and the coverage count as one test each, so does each
 * seed; a step that could not count its tests counts as one that failed.
 */
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { runSeeds } from "./seeds.js";

const root = fileURLToPath(new URL("..", import.meta.url));
const reports = join(root, "coverage");
const total = { passed: 0, failed: 0 };

/** Runs a program of Node with our output; its exit status. */
function run(program, ...args) {
  const stdio = ["ignore", "inherit", "inherit"];
  return spawnSync(process.execPath, [join(root, program), ...args], { cwd: root, stdio }).status;
}

/** @param {() => { passed: number, failed: number }} perform */
function step(name, perform) {
  const start = process.hrtime.bigint();
  const { passed, failed } = perform();
  const seconds = Number(process.hrtime.bigint() - start) / 1e9;
  total.passed += passed;
  total.failed += failed;
  const verdict = failed === 0 ? "ok    " : "FAILED";
  console.log(`${verdict} ${name}: ${passed} passed, ${failed} failed, ${seconds.toFixed(1)} s`);
  return failed === 0;
}

const one = (ok) => (ok ? { passed: 1, failed: 0 } : { passed: 0, failed: 1 });

function build() {
  return one(run("tools/build.js", ...process.argv.slice(2)) === 0);
}

/** The linter must say how many files it saw: an ignore pattern too wide would look like a clean repository. */
function lint() {
  const { status, stdout, stderr } = spawnSync(process.execPath, [join(root, "node_modules/oxlint/bin/oxlint")], {
    cwd: root,
    encoding: "utf8",
  });
  process.stdout.write(stdout);
  process.stderr.write(stderr);
  const seen = Number(/ on (\d+) files? /.exec(stdout)?.[1] ?? 0);
  if (seen === 0) console.error("the linter looked at no file");
  return one(status === 0 && seen > 0);
}

function tests() {
  const report = join(reports, "vitest.json");
  rmSync(reports, { recursive: true, force: true });
  const status = run(
    "node_modules/c8/bin/c8.js", "--reporter=json-summary", "--include=core/**/*.ts", `--reports-dir=${reports}`,
    `--temp-directory=${join(reports, "raw")}`,
    process.execPath, join(root, "node_modules/vitest/vitest.mjs"), "run",
    "--reporter=default", "--reporter=json", `--outputFile.json=${report}`,
  );
  if (!existsSync(report)) return one(false);
  const { numPassedTests, numFailedTests, testResults } = JSON.parse(readFileSync(report, "utf8"));
  // A file that could not be loaded holds no test that could fail.
  const unloaded = testResults.filter((file) => file.status === "failed" && file.assertionResults.length === 0).length;
  const failed = numFailedTests + unloaded;
  return { passed: numPassedTests, failed: failed === 0 && (status !== 0 || numPassedTests === 0) ? 1 : failed };
}

function coverage() {
  return one(run("tools/coverage.js") === 0);
}

// Without a build nothing else means anything.
if (step("build", build)) {
  step("lint", lint);
  step("tests", tests);
  step("coverage", coverage);
  step("seeds", () => runSeeds(root));
}
console.log(`${total.passed} passed, ${total.failed} failed`);
process.exitCode = total.failed === 0 ? 0 : 1;
