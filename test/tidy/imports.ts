/**
 * Who may import whom. The compiler's project references and the linter refuse most of this already; here it stands
 * in one table, down to the parts of core/, with the packages that each folder may use.
 */
import { isCode, topFolder } from "./source.ts";
import type { Complaint, Rule } from "./source.ts";

/** What a folder may import of the others; itself always. */
const FOLDERS: Readonly<Record<string, readonly string[]>> = {
  core: [],
  sim: ["core"],
  diagram: ["sim"],
  io: ["core"],
  cli: ["core", "sim", "io"],
  test: ["core", "sim", "io", "cli"],
  fuzz: ["core", "sim", "io", "cli", "test"],
  bench: ["core", "sim", "io", "cli"],
  examples: ["core", "io", "cli"],
  tools: [],
};
/** What comes from outside the repository; `node:` stands for all of Node. */
const PACKAGES: Readonly<Record<string, readonly string[]>> = {
  core: [],
  sim: [],
  diagram: [],
  io: ["node:"],
  cli: ["node:", "sql.js"],
  test: ["node:", "sql.js", "vitest", "fast-check", "seedrandom", "vitest/config", "playwright-core"],
  fuzz: ["node:", "sql.js", "vitest", "fast-check", "seedrandom"],
  bench: ["node:", "sql.js"],
  examples: ["node:", "quorumlite"],
  tools: ["node:"],
};

/** Static imports stand at the start of a line; dynamic ones may stand anywhere in code. */
const IMPORT = /^(?:import|export)\b[^"'`;]*?\bfrom\s+"([^"]+)"|^import\s+"([^"]+)"|[=(\s]import\("([^"]+)"\)/gm;

export const importsWhatItMay: Rule = (files) => {
  const complaints: Complaint[] = [];
  let looked = 0;
  for (const file of files.filter(isCode)) {
    const folder = topFolder(file.path);
    const folders = FOLDERS[folder];
    if (folders === undefined) {
      looked++;
      if (folder !== "") complaints.push({ path: file.path, line: 0, message: `${folder}/ has no import rules` });
      continue;
    }
    for (const found of file.text.matchAll(IMPORT)) {
      looked++;
      const specifier = found[1] ?? found[2] ?? found[3] ?? "";
      const line = file.text.slice(0, found.index).split("\n").length;
      const message = specifier.startsWith(".")
        ? judgeRelative(file.path, specifier, folders)
        : judgePackage(folder, specifier);
      if (message !== null) complaints.push({ path: file.path, line, message });
    }
  }
  return { looked, complaints };
};

function judgePackage(folder: string, specifier: string): string | null {
  const matches = (name: string): boolean => (name === "node:" ? specifier.startsWith(name) : specifier === name);
  return (PACKAGES[folder] ?? []).some(matches) ? null : `imports ${specifier}, which ${folder}/ may not`;
}

function judgeRelative(path: string, specifier: string, folders: readonly string[]): string | null {
  const own = topFolder(path);
  const target = resolvePath(path, specifier);
  const folder = topFolder(target);
  if (folder === own) return own === "core" ? judgeWithinCore(path, target) : null;
  return folders.includes(folder) ? null : `imports ${target}, which ${own}/ may not`;
}

/**
 * Inside core/: what each part may know besides the files directly in core/. Boundaries and vocabularies of other
 * parts are named file by file, so that nothing else of them is.
 */
const CORE_PARTS: Readonly<Record<string, readonly string[]>> = {
  raft: [],
  wal: [],
  pages: ["wal/"],
  sqlite: ["wal/", "pages/", "database/engine.ts"],
  storage: [
    "raft/boundary.ts", "raft/message.ts", "raft/configuration.ts", "raft/configuration-codec.ts",
    // Pages as bytes with numbers and checksums, and what entries make of them; no WAL, no views.
    "pages/page-cut.ts", "pages/page-overlay.ts", "pages/first-page.ts", "pages/lock-byte-page.ts",
    "pages/rolling-checksum.ts",
  ],
  wire: [
    "raft/message.ts", "raft/boundary.ts", "raft/configuration.ts", "raft/configuration-codec.ts", "database/engine.ts",
  ],
  replica: ["raft/", "storage/", "wire/", "pages/page-cut.ts"],
  database: ["raft/boundary.ts", "storage/boundary.ts", "wire/", "pages/page-cut.ts"],
  client: ["wire/", "database/engine.ts"],
  node: ["replica/", "database/", "raft/boundary.ts", "storage/", "wire/"],
};

function judgeWithinCore(path: string, target: string): string | null {
  const part = path.split("/")[1] ?? "";
  const inside = target.slice("core/".length);
  if (!inside.includes("/") || inside.startsWith(`${part}/`) || part.endsWith(".ts")) return null;
  const allowed = CORE_PARTS[part];
  if (allowed === undefined) return `core/${part}/ has no import rules`;
  if (allowed.some((prefix) => inside.startsWith(prefix))) return null;
  return `imports ${target}, of which core/${part}/ knows nothing`;
}

/** `specifier` as seen from the file at `path`. */
export function resolvePath(path: string, specifier: string): string {
  const parts = path.split("/").slice(0, -1);
  for (const step of specifier.split("/")) {
    if (step === "..") parts.pop();
    else if (step !== ".") parts.push(step);
  }
  return parts.join("/");
}
