/**
 * The fences of compiler, linter and coverage, each proven by a deliberate violation: a small project elsewhere gets
 * this one's own configuration and files that break one rule a line, and the real tools must complain of exactly
 * these lines. The tidy rules are proven in tidy-rules.test.ts.
 *
 * A line that must be refused ends in `// refused: ` and a part of the complaint; all other lines must pass.
 */
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Complaint } from "./tidy/source.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
let project = "";

beforeAll(() => {
  project = mkdtempSync(join(tmpdir(), "quorumlite-fences-"));
  symlinkSync(join(root, "node_modules"), join(project, "node_modules"));
  for (const path of ["package.json", "tsconfig.base.json", ".oxlintrc.json", "tools/purity.js"]) copy(path);
});

afterAll(() => rmSync(project, { recursive: true, force: true }));

function copy(path: string): void {
  mkdirSync(dirname(join(project, path)), { recursive: true });
  cpSync(join(root, path), join(project, path));
}

function write(path: string, text: string): void {
  mkdirSync(dirname(join(project, path)), { recursive: true });
  writeFileSync(join(project, path), text);
}

/** The lines marked `// refused: part of the complaint`. */
function expectedRefusals(files: Readonly<Record<string, string>>): Complaint[] {
  return Object.entries(files).flatMap(([path, text]) =>
    text.split("\n").flatMap((content, at) => {
      const message = /\/\/ refused: (.*)$/.exec(content)?.[1];
      return message === undefined ? [] : [{ path, line: at + 1, message }];
    }),
  );
}

/** Every refused line is complained of as foretold, and no other line is. */
function expectExactly(found: readonly Complaint[], files: Readonly<Record<string, string>>): void {
  const expected = expectedRefusals(files);
  const place = ({ path, line }: Complaint): string => `${path}:${line}`;
  expect([...new Set(found.map(place))].sort()).toEqual(expected.map(place).sort());
  for (const refusal of expected) {
    const complaints = found.filter((one) => place(one) === place(refusal)).map(({ message }) => message);
    const asForetold = complaints.some((message) => message.includes(refusal.message));
    expect(asForetold, `${place(refusal)}: ${complaints}`).toBe(true);
  }
}

test("the compiler refuses the world outside in core/ and sim/, and sim/ and io/ to each other", () => {
  const files = {
    "core/inside.ts": "export const inside = 1;\nexport const table = new DataView(new ArrayBuffer(8));\n",
    "core/outside.ts": [
      'import { readFileSync } from "node:fs"; // refused: TS2591',
      'import { outer } from "../io/outer.ts"; // refused: TS6307',
      'import { world } from "../sim/world.ts"; // refused: TS6307',
      'console.log("a"); // refused: TS2584',
      "setTimeout(() => undefined, 1); // refused: TS2304",
      "queueMicrotask(() => undefined); // refused: TS2304",
      "export const environment = process.env; // refused: TS2591",
      "export const bytes = Buffer.alloc(1); // refused: Cannot find name 'Buffer'",
      "export const encoder = new TextEncoder(); // refused: TS2304",
      "export const elapsed = performance.now(); // refused: TS2304",
      'export const address = new URL("a:b"); // refused: TS2304',
      "export const copied = structuredClone({}); // refused: TS2304",
      "export const dice = crypto.randomUUID(); // refused: TS2304",
      "export const used = [readFileSync, outer, world];",
    ].join("\n"),
    "sim/world.ts": [
      'import { inside } from "../core/inside.ts";',
      'import { outer } from "../io/outer.ts"; // refused: TS6307',
      "export const world = [inside, outer];",
      "process.exit(1); // refused: TS2591",
    ].join("\n"),
    "io/outer.ts": 'import { inside } from "../core/inside.ts";\nexport const outer = [process.pid, inside];\n',
    "io/adapter.ts": 'import { world } from "../sim/world.ts"; // refused: TS6307\nexport const adapter = world;\n',
  };
  for (const folder of ["core", "sim", "io"]) copy(`${folder}/tsconfig.json`);
  for (const [path, text] of Object.entries(files)) write(path, text);
  write("tsconfig.json", '{ "files": [], "references": [{ "path": "core" }, { "path": "sim" }, { "path": "io" }] }');

  const compiler = join(root, "node_modules/typescript/bin/tsc");
  const { status, stdout } = spawnSync(process.execPath, [compiler, "-b", "--pretty", "false"], {
    cwd: project, encoding: "utf8",
  });
  expect(status).not.toBe(0);
  const found = stdout.split("\n").flatMap((text): Complaint[] => {
    const [, path = "", line, message = ""] = /^([^(]+)\((\d+),\d+\): error (.*)$/.exec(text) ?? [];
    // A forbidden import of io/ also makes the compiler judge that file by core/'s rules: an echo.
    return line === undefined || path === "io/outer.ts" ? [] : [{ path, line: Number(line), message }];
  });
  expectExactly(found, files);
}, 30_000);

test("the linter refuses time, chance, waiting, catching and cycles where they do not belong", () => {
  const files = {
    "core/pure.ts": [
      "export const exact = Math.floor(Math.max(1, 2) / 3) + Math.imul(3, 4);",
      "export const named = { Math: 1, Date: 2, Promise: 3 };",
      "export const parts = [named.Math, named.Date, named.Promise];",
      "export interface Calendar { readonly Date: number; Promise(): void }",
    ].join("\n"),
    "core/impure.ts": [
      "export const now = Date.now(); // refused: Date",
      "export const dice = Math.random(); // refused: Math.random",
      "export const language = new Intl.NumberFormat(); // refused: Intl",
      "export const weak = new WeakRef({}); // refused: WeakRef",
      "export const registry = new FinalizationRegistry(() => undefined); // refused: FinalizationRegistry",
      "export const around = globalThis; // refused: globalThis",
      'export const made = new Function("return 1"); // refused: Function',
      "export const power = 2 ** 0.5; // refused: A power",
      "export const sine = Math.sin(1); // refused: Math.sin",
      "export const computed = Math[\"exp\"](1); // refused: Math.exp",
      "export const alias = Math; // refused: Math under another name",
      "export const { cos } = Math; // refused: Math under another name",
      'export const order = "a".localeCompare("b"); // refused: localeCompare',
      "export async function wait(): Promise<void> { // refused: An async function",
      '  await import("./pure.ts"); // refused: An await',
      "}",
      "export let later: Promise<void>; // refused: A Promise",
      "export function swallow(): void {",
      "  try {",
      "    swallow();",
      "  } catch { // refused: A catch",
      "    later = undefined as never;",
      "  }",
      "}",
    ].join("\n"),
    "core/sqlite/guard.ts": [
      "export function guarded(perform: () => void): boolean {",
      "  try {",
      "    perform();",
      "    return true;",
      "  } catch {",
      "    return false;",
      "  }",
      "}",
    ].join("\n"),
    "core/first.ts": 'import type { Second } from "./second.ts"; // refused: cycle\nexport type First = Second | 1;\n',
    "core/second.ts": 'import type { First } from "./first.ts"; // refused: cycle\nexport type Second = First | 2;\n',
    "sim/late.ts": [
      "export const when = new Date(); // refused: Date",
      "export const wave = Math.cos(1); // refused: Math.cos",
    ].join("\n"),
    "io/free.ts": "export const free = async (): Promise<number> => Date.now() + Math.random();\n",
    "io/long.ts": `export function long(): void { // refused: too many lines\n${"  long();\n".repeat(60)}}\n`,
  };
  for (const [path, text] of Object.entries(files)) write(path, text);
  const linter = join(root, "node_modules/oxlint/bin/oxlint");
  const { status, stdout } = spawnSync(process.execPath, [linter, "-f", "unix", ...Object.keys(files)], {
    cwd: project, encoding: "utf8",
  });
  expect(status).not.toBe(0);
  const found = stdout.split("\n").flatMap((text): Complaint[] => {
    const [, path = "", line, message = ""] = /^([^:]+):(\d+):\d+: (.*)$/.exec(text) ?? [];
    return line === undefined ? [] : [{ path, line: Number(line), message }];
  });
  expectExactly(found, files);
}, 30_000);

test("the linter looks at every folder of code, and at nothing that is not ours", () => {
  for (const path of ["core/a.ts", "dist/core/a.js", "coverage/a.js"]) write(path, "export const a = 1;\n");
  const linter = join(root, "node_modules/oxlint/bin/oxlint");
  const { stdout } = spawnSync(process.execPath, [linter, "--debug=files"], { cwd: project, encoding: "utf8" });
  expect(stdout).toContain("core/a.ts");
  expect(stdout).toContain("tools/purity.js");
  expect(stdout).not.toMatch(/dist|coverage|node_modules/);
}, 30_000);

/** Writes what c8 would, and what the compiler would have made of the sources, and has the coverage judged. */
function judgeCoverage(measured: Readonly<Record<string, { total: number; covered: number }>>): [unknown, string] {
  rmSync(join(project, "core"), { recursive: true, force: true });
  write("core/types.ts", "export type A = 1;\n");
  write("dist/core/types.js", "/** A comment. */\nexport {};\n//# sourceMappingURL=types.js.map\n");
  write("core/code.ts", "export const a = 1;\n");
  write("dist/core/code.js", "export const a = 1;\n");
  const report = Object.entries(measured).map(([path, { total, covered }]) => [
    join(project, path), { lines: { total, covered, pct: (100 * covered) / total } },
  ]);
  write("coverage/coverage-summary.json", JSON.stringify(Object.fromEntries(report)));
  const judge = join(root, "tools/coverage.js");
  const { status, stderr } = spawnSync(process.execPath, [judge, project], { encoding: "utf8" });
  return [status, stderr];
}

test("coverage of core/ fails below 90% of lines, on a file never loaded, and on an empty report", () => {
  expect(judgeCoverage({ "core/code.ts": { total: 10, covered: 9 } })).toEqual([0, ""]);
  const [low, lowComplaint] = judgeCoverage({ "core/code.ts": { total: 100, covered: 89 } });
  expect([low, lowComplaint]).toEqual([1, expect.stringContaining("less than 90%")]);
  const [unloaded, unloadedComplaint] = judgeCoverage({ "core/other.ts": { total: 10, covered: 10 } });
  expect([unloaded, unloadedComplaint]).toEqual([1, expect.stringContaining("no test ever loads core/code.ts")]);
  const [empty, emptyComplaint] = judgeCoverage({});
  expect([empty, emptyComplaint]).toEqual([1, expect.stringContaining("saw no file")]);
});
