/** The tour of core/raft (docs/raft.md) names stories that there are, and every bug that a story names. */
import { readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { expect, test } from "vitest";

const folder = join(import.meta.dirname, "testdata", "raft");
const stories = readdirSync(folder).map((file) => basename(file, ".txt"));
const tour = readFileSync(join(import.meta.dirname, "..", "docs", "raft.md"), "utf8");

test("every story that the tour names is there", () => {
  const named = [...tour.matchAll(/`([a-z0-9]+(?:-[a-z0-9]+)*-?\*?)`/g)].map(([, name = ""]) => name);
  const missing = named.filter((name) => !stories.some((story) => matches(name, story)));
  expect(named.length).toBeGreaterThan(0);
  expect(missing).toEqual([]);
});

test("every bug that a story names stands in the tour", () => {
  const listed = new Set([...tour.matchAll(/\bM\d+\b/g)].map(([bug]) => bug));
  const named = stories.flatMap((story) => {
    return [...readFileSync(join(folder, `${story}.txt`), "utf8").matchAll(/\bM\d+\b/g)].map(([bug]) => bug);
  });
  expect(named.length).toBeGreaterThan(0);
  expect([...new Set(named)].filter((bug) => !listed.has(bug))).toEqual([]);
});

/** @param name a story, or the beginning of several with a star behind it */
function matches(name: string, story: string): boolean {
  return name.endsWith("*") ? story.startsWith(name.slice(0, -1)) : story === name;
}
