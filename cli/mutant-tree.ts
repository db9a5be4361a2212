/**
 * A copy of the sources in a temporary folder, in which mutants are planted one after the other. The repository itself
 * is never touched. Unused names are no errors there: a patch may leave some behind.
 */
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { applyPatch, type Mutant } from "./mutant.ts";

/** What the simulator is made of, and a mutant may be planted in. */
const SOURCES = ["core", "sim", "io", "cli", "package.json", "tsconfig.base.json"];
/** What is compiled already: then only what a patch touches has to be. */
const COMPILED = ["core", "sim", "io", "cli"].map((folder) => join("dist", folder));

export class MutantTree {
  readonly root = mkdtempSync(join(tmpdir(), "quorumlite-mutants-"));
  private readonly source: string;
  /** By file: what stood there before the mutant. */
  private readonly originals = new Map<string, string>();

  constructor(source: string) {
    this.source = source;
    for (const item of [...SOURCES, ...COMPILED]) {
      cpSync(join(source, item), join(this.root, item), { recursive: true, preserveTimestamps: true });
    }
    symlinkSync(join(source, "node_modules"), join(this.root, "node_modules"));
    const options = join(this.root, "tsconfig.base.json");
    const strict = readFileSync(options, "utf8");
    writeFileSync(options, strict.replaceAll(/"noUnused(Locals|Parameters)": true/g, '"noUnused$1": false'));
  }

  /** Plants and compiles; says why that is not possible, or null. The mutant before is taken out. */
  async plant(mutant: Mutant): Promise<string | null> {
    this.restore();
    for (const patch of mutant.patches) {
      const path = join(this.root, patch.file);
      const text = readFileSync(path, "utf8");
      const patched = applyPatch(text, patch);
      if (patched === null) return `does not apply: in ${patch.file} the old text does not occur exactly once`;
      if (!this.originals.has(path)) this.originals.set(path, text);
      writeFileSync(path, patched);
    }
    return this.compile();
  }

  remove(): void {
    rmSync(this.root, { recursive: true, force: true });
  }

  private restore(): void {
    for (const [path, text] of this.originals) writeFileSync(path, text);
    this.originals.clear();
  }

  private async compile(): Promise<string | null> {
    const compiler = join(this.source, "node_modules", "typescript", "bin", "tsc");
    const child = spawn(process.execPath, [compiler, "-b", "cli"], { cwd: this.root });
    let said = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => (said += text));
    const [status] = (await once(child, "close")) as [number | null];
    return status === 0 ? null : `does not compile: ${said.split("\n")[0]}`;
  }
}

/** What a hunt depends on, of everything but the mutant: equal for equal sources. */
export function hashOfSources(source: string): string {
  const hash = createHash("sha256");
  for (const folder of ["core", "sim"]) {
    const names = readdirSync(join(source, folder), { recursive: true, encoding: "utf8" });
    for (const name of names.filter((one) => one.endsWith(".ts")).sort()) {
      hash.update(name).update(readFileSync(join(source, folder, name)));
    }
  }
  return hash.digest("hex").slice(0, 12);
}
