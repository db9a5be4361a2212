/**
 * The repository obeys its own rules (test/tidy/). That the rules can complain is proven in fences.test.ts.
 */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { commentsNameWhatExists, pointsAtWhatExists } from "./tidy/documents.ts";
import { importsWhatItMay } from "./tidy/imports.ts";
import {
  hasHonestName, hasNoEscape, hasShortLines, isShort, largeFiles, namesIssueOfUnfinished, opensWithHeader,
  takesChanceFromOnePlace, usesWholeWords,
} from "./tidy/rules.ts";
import { readRepository } from "./tidy/source.ts";
import type { Rule } from "./tidy/source.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
const files = readRepository(root);
const scripts = new Set(Object.keys(JSON.parse(readFileSync(join(root, "package.json"), "utf8")).scripts as object));

const RULES: readonly (readonly [string, Rule])[] = [
  ["every file opens with a header comment", opensWithHeader],
  ["every file has at most 400 lines", isShort],
  ["every line has at most 120 characters", hasShortLines],
  ["every file is named by its noun, in kebab-case", hasHonestName],
  ["what is unfinished names its issue", namesIssueOfUnfinished],
  ["no comment turns a fence off", hasNoEscape],
  ["names are whole words", usesWholeWords],
  ["property tests share one source of chance", takesChanceFromOnePlace],
  ["each folder imports only what it may", importsWhatItMay],
  ["comments name files that exist", commentsNameWhatExists],
  ["documents point at what exists", pointsAtWhatExists((path) => existsSync(join(root, path)), scripts)],
];

test.each(RULES)("%s", (_name, rule) => {
  const { looked, complaints } = rule(files);
  expect(complaints.map(({ path, line, message }) => `${path}:${line} ${message}`)).toEqual([]);
  expect(looked, "the rule looked at something").toBeGreaterThan(0);
});

test("every folder of code was read", () => {
  for (const folder of ["core", "sim", "io", "cli", "test", "fuzz", "bench", "tools"]) {
    expect(files.some((file) => file.path.startsWith(`${folder}/`)), folder).toBe(true);
  }
  const large = largeFiles(files);
  if (large.length > 0) console.log(`files above 250 lines: ${large.join(", ")}`);
});
