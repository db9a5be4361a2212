/**
 * The catalogue of mutants fits the source, the list of bugs, and what is published of it: that the simulator finds
 * them is for `npm run mutants` to show.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { applyPatch } from "../cli/mutant.ts";
import { parseMutantOptions } from "../cli/mutant-options.ts";
import { mutantReport, ruleReport } from "../cli/mutant-report.ts";
import { type Result, readResults } from "../cli/mutant-results.ts";
import { BUGS, NUMBERS } from "./mutants/bugs.ts";
import { MUTANTS } from "./mutants/catalogue.ts";
import { RULES } from "./mutants/rules.ts";

const root = fileURLToPath(new URL("..", import.meta.url));

test.each(MUTANTS)("$name: applies to the source and changes it", ({ patches }) => {
  expect(patches.length).toBeGreaterThan(0);
  const files = new Map<string, string>();
  for (const patch of patches) {
    const text = files.get(patch.file) ?? readFileSync(join(root, patch.file), "utf8");
    const patched = applyPatch(text, patch);
    expect(patched, `the old text occurs exactly once in ${patch.file}`).not.toBeNull();
    expect(patched).not.toBe(text);
    files.set(patch.file, patched!);
  }
});

test("each mutant has a name of its own, and a control is among them", () => {
  expect(new Set(MUTANTS.map(({ name }) => name)).size).toBe(MUTANTS.length);
  expect(MUTANTS.some(({ isControl }) => isControl)).toBe(true);
});

test.each(MUTANTS.filter(({ failing }) => failing !== undefined))("$name: the test that fails with it is there", ({
  failing,
}) => {
  expectTest(failing!);
});

/** A test by its file, " > ", and its name. */
function expectTest(told: string): void {
  const [file = "", ...name] = told.split(" > ");
  const text = readFileSync(join(root, file), "utf8").replace(/"\s*\+\s*"/g, "");
  expect(text).toMatch(/test/);
  // Of a name with a place for its case, as much as stands before that.
  const said = name.join(" > ");
  const names = [...text.matchAll(/\(\s*["`](.*?)["`],/g)].map(([, one = ""]) => one.split(/%s|\$\{/)[0]!);
  expect(names.some((one) => one.length > 10 && said.startsWith(one)), said).toBe(true);
}

test.each(RULES)("rule $number: what keeps it is there, so are its stories, and mutants that break it", ({
  places, stories, mutants,
}) => {
  for (const [file, words] of places) {
    const text = readFileSync(join(root, file), "utf8").replace(/\s+(\*|\/\/)?\s*/g, " ");
    expect(text, file).toContain(words);
  }
  for (const story of stories) {
    if (story.includes(" > ")) expectTest(story);
    else expect(readFileSync(join(root, story), "utf8"), story).toMatch(/^# /);
  }
  const names = new Set(MUTANTS.map(({ name }) => name));
  expect(mutants.filter((name) => !names.has(name))).toEqual([]);
  expect(Math.min(places.length, stories.length, mutants.length)).toBeGreaterThan(0);
});

test("every bug on the list is in the catalogue, and no other", () => {
  expect(NUMBERS.length).toBeGreaterThan(100);
  expect(BUGS.map(({ number }) => number)).toEqual(NUMBERS);
});

test("a bug has mutants that bring it back, or a reason why there are none", () => {
  const names = new Set(MUTANTS.filter(({ isControl }) => !isControl).map(({ name }) => name));
  for (const { number, mutants, because } of BUGS) {
    expect(mutants.filter((name) => !names.has(name)), number).toEqual([]);
    expect(mutants.length === 0, number).toBe(because !== null);
  }
});

test("docs/mutants.md and docs/rules.md say what the hunts have come to (REWRITE=1 writes it)", () => {
  const results = readResults(join(root, "docs/mutants.json"));
  expectPublished("docs/mutants.md", mutantReport({ mutants: MUTANTS, bugs: BUGS }, results));
  expectPublished("docs/rules.md", ruleReport(RULES, results));
});

function expectPublished(file: string, text: string): void {
  const path = join(root, file);
  if (process.env["REWRITE"] === "1") writeFileSync(path, text);
  expect(readFileSync(path, "utf8"), file).toBe(text);
}

test("the report counts what was found of what can be, and lists what survived and what was not hunted", () => {
  const [first, second, third] = MUTANTS.filter(({ isControl }) => !isControl);
  const found: Result = {
    name: first!.name, patches: "", sources: "", foundBy: "an-oracle", message: "", seed: 7, seeds: 7, firstSeed: 1,
    failsAnyhow: [], simulatedSeconds: 170.25,
  };
  const survived: Result = { ...found, name: second!.name, foundBy: null, seed: null, seeds: 60 };
  const bug = { number: "M0", title: "a title", mutants: [first!.name], because: null };
  const other = { number: "M00", title: "another", mutants: [], because: "it cannot be" };
  const catalogue = { mutants: [first!, second!, third!], bugs: [bug, other] };
  const lines = mutantReport(catalogue, new Map([[found.name, found], [survived.name, survived]])).split("\n");
  expect(lines[0]).toBe("1 of 3 applicable mutants found");
  expect(lines).toContain(`| ${first!.name} | M0 | model | an-oracle | 7 | 7 | 170.3 s |`);
  expect(lines).toContain(`| ${second!.name} |  | model | survived |  | 60 | 170.3 s |`);
  expect(lines).toContain(`| ${third!.name} |  | model | not hunted yet |  |  |  |`);
  expect(lines).toContain("| M00 another | it cannot be |");
});

test("a patch applies only where its old text occurs exactly once", () => {
  const patch = { file: "", before: "one", after: "two" };
  expect(applyPatch("one", patch)).toBe("two");
  expect(applyPatch("none here", { ...patch, before: "any" })).toBeNull();
  expect(applyPatch("one and one", patch)).toBeNull();
});

test("options that mean nothing are refused in a line", () => {
  expect(parseMutantOptions([])).toMatchObject({ runs: 200, seed: 1, jobs: 1, only: [], bugs: [] });
  const many = parseMutantOptions(["--runs", "12", "--jobs", "2", "--bug", "M63", "--bug", "M45", "--only", "raft:"]);
  expect(many).toMatchObject({ runs: 12, jobs: 2, bugs: ["M63", "M45"], only: ["raft:"] });
  for (const args of [["--runs", "0"], ["--runs", "x"], ["--seed=-1"], ["--jobs", "0"], ["--jobs", "257"]]) {
    expect(parseMutantOptions(args)).toMatch(/is expected$/);
  }
  expect(parseMutantOptions(["--no-such-option"])).toMatch(/no-such-option/);
});
