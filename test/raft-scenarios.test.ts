/** Plays test/testdata/raft/*.txt. `REWRITE=1 npx vitest run test/raft-scenarios.test.ts` writes their answers anew. */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { expect, test } from "vitest";
import { playScenario } from "./interaction.ts";

const directory = new URL("testdata/raft/", import.meta.url);
const files = readdirSync(directory).filter((name) => name.endsWith(".txt")).sort();

test("there are scenarios to play", () => {
  expect(files.length).toBeGreaterThanOrEqual(1);
});

for (const name of files) {
  test(`scenario ${name.slice(0, -".txt".length)}`, () => {
    const file = new URL(name, directory);
    const written = readFileSync(file, "utf8");
    const played = playScenario(written);
    if (process.env["REWRITE"] === "1" && played !== written) writeFileSync(file, played);
    else expect(played).toBe(written);
  });
}
