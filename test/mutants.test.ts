/** The catalogue of mutants fits the source: that the simulator finds them is for `npm run mutants` to show. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { applyPatch } from "../cli/mutant.ts";
import { MUTANTS } from "./mutants/catalogue.ts";

const root = fileURLToPath(new URL("..", import.meta.url));

test.each(MUTANTS)("$name: applies to the source and changes it", ({ patches }) => {
  expect(patches.length).toBeGreaterThan(0);
  for (const patch of patches) {
    const text = readFileSync(join(root, patch.file), "utf8");
    const patched = applyPatch(text, patch);
    expect(patched, `the old text occurs exactly once in ${patch.file}`).not.toBeNull();
    expect(patched).not.toBe(text);
  }
});

test("each mutant has a name of its own, and one is a control", () => {
  expect(new Set(MUTANTS.map(({ name }) => name)).size).toBe(MUTANTS.length);
  expect(MUTANTS.some(({ isControl }) => isControl)).toBe(true);
});

test.each(MUTANTS.filter(({ failing }) => failing !== undefined))("$name: the test that fails with it is there", ({
  failing,
}) => {
  const [file = "", ...name] = failing!.split(" > ");
  const text = readFileSync(join(root, file), "utf8").replace(/"\s*\+\s*"/g, "");
  expect(text).toMatch(/test/);
  // Of a name with a place for its case, as much as stands before that.
  const said = name.join(" > ");
  const names = [...text.matchAll(/\(\s*["`](.*?)["`],/g)].map(([, one = ""]) => one.split(/%s|\$\{/)[0]!);
  expect(names.some((one) => one.length > 10 && said.startsWith(one)), said).toBe(true);
});

test("a patch applies only where its old text occurs exactly once", () => {
  const patch = { file: "", before: "one", after: "two" };
  expect(applyPatch("one", patch)).toBe("two");
  expect(applyPatch("none here", { ...patch, before: "any" })).toBeNull();
  expect(applyPatch("one and one", patch)).toBeNull();
});
