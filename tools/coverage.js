/**
 * Judges what c8 measured of core/: at least 90% of all lines, and no file that no test ever loaded.
 *
 * A report that saw nothing looks perfect. So the files of core/ are counted here, not there: each must be in the
 * report unless the compiler made no code of it (boundaries are types alone).
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";

const MIN_PERCENT = 90;

/** The project to judge: this one, or the one named as argument. */
const root = process.argv[2] ?? fileURLToPath(new URL("..", import.meta.url));

/** What c8 says of each file, by its path from the root; empty where there is no report. */
function readReport() {
  const report = join(root, "coverage", "coverage-summary.json");
  if (!existsSync(report)) return new Map();
  return new Map(
    Object.entries(JSON.parse(readFileSync(report, "utf8")))
      .filter(([path]) => path !== "total")
      .map(([path, { lines }]) => [relative(root, path).split(sep).join("/"), lines]),
  );
}

/** Whether anything of the source is left when its types are taken away. */
function makesCode(source) {
  const output = join(root, "dist", source.replace(/\.ts$/, ".js"));
  const code = readFileSync(output, "utf8").replace(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, "");
  return code.replace(/^\s*export \{\};\s*$/m, "").trim() !== "";
}

const measured = readReport();
const sources = readdirSync(join(root, "core"), { recursive: true })
  .map((name) => `core/${name.split(sep).join("/")}`)
  .filter((path) => path.endsWith(".ts") && makesCode(path));
const sum = (field) => sources.reduce((total, path) => total + (measured.get(path)?.[field] ?? 0), 0);
const percent = (100 * sum("covered")) / Math.max(1, sum("total"));

const complaints = [];
if (measured.size === 0) complaints.push("the coverage report saw no file");
for (const path of sources) if (!measured.has(path)) complaints.push(`no test ever loads ${path}`);
if (percent < MIN_PERCENT) {
  for (const [path, { pct }] of measured) if (pct < MIN_PERCENT) complaints.push(`${path} is covered to ${pct}%`);
  complaints.push(`core/ is covered to less than ${MIN_PERCENT}% of its lines`);
}
for (const complaint of complaints) console.error(complaint);
console.log(`core/: ${percent.toFixed(1)}% of the lines of ${sources.length} files`);
process.exitCode = complaints.length === 0 ? 0 : 1;
