/**
 * The repository's own files, as the tidy rules see them: a path, a text, and what is said about them.
 *
 * Rules are functions of values; only `readRepository` touches the disk, so that the rules can be proven on invented
 * files.
 */
import { readdirSync, readFileSync } from "node:fs";
import { extname, join, relative, sep } from "node:path";

export interface SourceFile {
  /** From the repository's root, with slashes: "core/raft/raft.ts". */
  readonly path: string;
  readonly text: string;
  readonly lines: readonly string[];
}

export interface Complaint {
  readonly path: string;
  /** From 1; 0: the file as a whole. */
  readonly line: number;
  readonly message: string;
}

/** What a rule found, and how much it had to judge: a rule that looked at nothing proves nothing. */
export interface Finding {
  readonly looked: number;
  readonly complaints: readonly Complaint[];
}

export type Rule = (files: readonly SourceFile[]) => Finding;

const CODE_EXTENSIONS: ReadonlySet<string> = new Set([".ts", ".js", ".mjs"]);
const TEXT_EXTENSIONS: ReadonlySet<string> = new Set([...CODE_EXTENSIONS, ".md", ".json"]);
/** Made by machines, or not ours. */
const SKIPPED: ReadonlySet<string> = new Set(["node_modules", "dist", "coverage", ".git", "package-lock.json"]);

export function sourceFile(path: string, text: string): SourceFile {
  return { path, text, lines: text.split("\n") };
}

export function isCode(file: SourceFile): boolean {
  return CODE_EXTENSIONS.has(extname(file.path));
}

export function isDocument(file: SourceFile): boolean {
  return extname(file.path) === ".md";
}

/** The folder directly below the root; "" for files of the root. */
export function topFolder(path: string): string {
  return path.includes("/") ? path.slice(0, path.indexOf("/")) : "";
}

export function readRepository(root: string): SourceFile[] {
  const found: SourceFile[] = [];
  const visit = (directory: string): void => {
    for (const item of readdirSync(directory, { withFileTypes: true })) {
      const path = join(directory, item.name);
      if (SKIPPED.has(item.name)) continue;
      if (item.isDirectory()) visit(path);
      else if (item.isFile() && TEXT_EXTENSIONS.has(extname(item.name))) {
        found.push(sourceFile(relative(root, path).split(sep).join("/"), readFileSync(path, "utf8")));
      }
    }
  };
  visit(root);
  return found.sort((a, b) => (a.path < b.path ? -1 : 1));
}
