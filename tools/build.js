/**
 * Compiles all projects into dist/, and makes one page of the diagram's. `--clean` starts from nothing.
 *
 * The compiler never removes what it once wrote: a renamed source leaves its old output behind, which would still run
 * and still be published. So outputs whose source is gone are removed first.
 */
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, rmSync } from "node:fs";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { makePage } from "./page.js";

const root = fileURLToPath(new URL("..", import.meta.url));
const dist = join(root, "dist");

function removeStale() {
  for (const item of readdirSync(dist, { recursive: true, withFileTypes: true })) {
    const path = join(item.parentPath, item.name);
    const source = relative(dist, path).replace(/(\.d\.ts|\.js)(\.map)?$/, ".ts");
    if (item.isFile() && source.endsWith(".ts") && !existsSync(join(root, source))) rmSync(path);
  }
}

if (process.argv.includes("--clean")) rmSync(dist, { recursive: true, force: true });
else if (existsSync(dist)) removeStale();

const compiler = join(root, "node_modules", "typescript", "bin", "tsc");
const { status } = spawnSync(process.execPath, [compiler, "-b"], { cwd: root, stdio: "inherit" });
if (status === 0) makePage(root);
process.exit(status ?? 1);
