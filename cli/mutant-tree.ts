/**
 * A copy of the sources in a temporary folder, in which mutants are planted one after the other. The repository itself
 * is never touched. Unused names are no errors there: a patch may leave some behind.
 */
import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { applyPatch, type Mutant } from "./mutant.ts";

const COPIED = ["core", "sim", "io", "cli", "package.json", "tsconfig.base.json"];

export class MutantTree {
  readonly root = mkdtempSync(join(tmpdir(), "quorumlite-mutants-"));
  private readonly source: string;
  /** By file: what stood there before the mutant. */
  private readonly originals = new Map<string, string>();

  constructor(source: string) {
    this.source = source;
    for (const item of COPIED) cpSync(join(source, item), join(this.root, item), { recursive: true });
    symlinkSync(join(source, "node_modules"), join(this.root, "node_modules"));
    const options = join(this.root, "tsconfig.base.json");
    const strict = readFileSync(options, "utf8");
    writeFileSync(options, strict.replaceAll(/"noUnused(Locals|Parameters)": true/g, '"noUnused$1": false'));
  }

  /** Plants and compiles; says why that is not possible, or null. The mutant before is taken out. */
  plant(mutant: Mutant): string | null {
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

  private compile(): string | null {
    const compiler = join(this.source, "node_modules", "typescript", "bin", "tsc");
    const command = [compiler, "-b", "cli"];
    const { status, stdout } = spawnSync(process.execPath, command, { cwd: this.root, encoding: "utf8" });
    return status === 0 ? null : `does not compile: ${stdout.split("\n")[0]}`;
  }
}
