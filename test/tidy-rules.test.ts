/**
 * The tidy rules can complain: each is given a file that breaks it. That the repository obeys them is in tidy.test.ts.
 */
import { expect, test } from "vitest";
import { commentsNameWhatExists, pointsAtWhatExists } from "./tidy/documents.ts";
import { importsWhatItMay } from "./tidy/imports.ts";
import {
  hasHonestName, hasNoEscape, hasShortLines, isShort, largeFiles, namesIssueOfUnfinished, opensWithHeader,
  takesChanceFromOnePlace, usesWholeWords,
} from "./tidy/rules.ts";
import { sourceFile } from "./tidy/source.ts";
import type { Rule } from "./tidy/source.ts";

const HEADER = "/** Says what it is, what it is not, and the one hard idea. */\n";

/** Each rule with a file that breaks it, and what is said of that. */
const UNTIDY: readonly (readonly [string, Rule, string, string, string])[] = [
  ["a file without a header", opensWithHeader, "core/a.ts", "export const a = 1;\n", "opens with a comment"],
  ["a long file", isShort, "core/a.ts", HEADER + "\n".repeat(400), "has 401 lines"],
  ["a long line", hasShortLines, "core/a.ts", `${HEADER}//${"x".repeat(119)}\n`, "is 121 characters long"],
  ["a name that says nothing", hasHonestName, "core/raft/helpers.ts", HEADER, 'not "helpers"'],
  ["a folder that says nothing", hasHonestName, "core/common/log.ts", HEADER, 'not "common"'],
  ["a name in another case", hasHonestName, "core/raftLog.ts", HEADER, "kebab-case"],
  ["a promise without an issue", namesIssueOfUnfinished, "io/a.ts", `// ${"TO"}${"DO"}: x\n`, "without an issue"],
  ["a comment that turns the linter off", hasNoEscape, "io/a.ts", `// oxlint-${"disable"}-line\n`, "turns a fence off"],
  ["a comment that turns the compiler off", hasNoEscape, "core/a.ts", `// @ts-${"ignore"}\n`, "turns a fence off"],
  ["types fetched by a comment", hasNoEscape, "io/a.ts", `/// <${"reference"} types="node" />\n`, "turns a fence off"],
  ["an abbreviation", usesWholeWords, "core/a.ts", `const ${"id"}${"x"} = 1;\n`, "whole words"],
  ["an abbreviation inside a name", usesWholeWords, "core/a.ts", `const log${"Id"}${"x"} = 1;\n`, "whole words"],
  ["core/ importing Node", importsWhatItMay, "core/a.ts", 'import { x } from "node:fs";\n', "core/ may not"],
  ["core/ importing io/", importsWhatItMay, "core/a.ts", 'import { x } from "../io/disk.ts";\n', "core/ may not"],
  ["sim/ importing io/", importsWhatItMay, "sim/a.ts", 'export { x } from "../io/disk.ts";\n', "sim/ may not"],
  ["sim/ importing a package", importsWhatItMay, "sim/a.ts", 'import x from "sql.js";\n', "sim/ may not"],
  ["io/ importing sim/", importsWhatItMay, "io/a.ts", 'import type {\n  X,\n} from "../sim/disk.ts";\n', "io/ may not"],
  ["io/ importing a package", importsWhatItMay, "io/a.ts", 'const x = await import("sql.js");\n', "io/ may not"],
  ["cli/ importing a test", importsWhatItMay, "cli/a.ts", 'import "../test/a.ts";\n', "cli/ may not"],
  ["raft/ importing a page", importsWhatItMay, "core/raft/a.ts", 'import "../pages/a.ts";\n', "knows nothing"],
  ["wal/ importing a term", importsWhatItMay, "core/wal/a.ts", 'import { x } from "../raft/a.ts";\n', "knows nothing"],
  ["a new part of core/", importsWhatItMay, "core/new/a.ts", 'import { x } from "../raft/a.ts";\n', "no import rules"],
  ["a comment about a file that is gone", commentsNameWhatExists, "io/a.ts", "/** See gone.ts. */\n", "not there"],
  ["a comment about a path that is gone", commentsNameWhatExists, "io/a.ts", "// io/b/a.ts\n", "not there"],
  ["a fuzzer with dice of its own", takesChanceFromOnePlace, "fuzz/a.test.ts", HEADER, "fuzz/chance.ts"],
  ["a new folder", importsWhatItMay, "lib/a.ts", 'import { x } from "../core/a.ts";\n', "no import rules"],
];

test.each(UNTIDY)("the tidy rules refuse %s", (_name, rule, path, text, message) => {
  const { looked, complaints } = rule([sourceFile(path, text)]);
  expect(looked).toBeGreaterThan(0);
  expect(complaints.map((complaint) => complaint.path)).toEqual([path]);
  expect(complaints[0]?.message).toContain(message);
});

test("a tidy rule that looked at nothing says so", () => {
  for (const rule of new Set(UNTIDY.map(([, one]) => one))) {
    expect(rule([sourceFile("README.md", "text")])).toEqual({ looked: 0, complaints: [] });
  }
});

test("a file above 250 lines is listed before it breaks the rule", () => {
  expect(largeFiles([sourceFile("core/a.ts", "\n".repeat(250)), sourceFile("core/b.ts", "\n".repeat(251))])).toEqual([
    "core/b.ts (251 lines)",
  ]);
});

test("a document may not point at what is not there", () => {
  const rule = pointsAtWhatExists((path) => path === "docs/testing.md" || path === "core/types.ts", new Set(["test"]));
  const lines = [
    "[testing](docs/testing.md#seeds), [elsewhere](https://example.org/), `core/types.ts`, `npm run test`",
    "[gone](docs/gone.md)",
    "`core/gone.ts`",
    "`npm run gone`",
  ];
  const { looked, complaints } = rule([sourceFile("README.md", lines.join("\n"))]);
  expect(looked).toBe(7);
  expect(complaints.map(({ line, message }) => `${line} ${message}`)).toEqual([
    "2 links to docs/gone.md, which is not there",
    "3 names core/gone.ts, which is not there",
    '4 names the command "npm run gone", which package.json lacks',
  ]);
});
