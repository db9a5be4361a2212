/**
 * `npm run mutants`: plants each mutant of test/mutants/, lets the simulator look for it, and prints who found it and
 * how many seeds that took. The simulator's own test: exit code 1 if a mutant survives, a control is found, or a patch
 * no longer applies.
 */
import { parseArgs } from "node:util";
import { fileURLToPath } from "node:url";
import { hunt } from "./mutant-hunt.ts";
import type { Mutant } from "./mutant.ts";
import { MutantTree } from "./mutant-tree.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const USAGE = `usage: npm run mutants -- [--runs K] [--seed N] [--only TEXT]

  --runs K     at most so many seeds for each mutant (200)
  --seed N     the first seed (1)
  --only TEXT  only mutants whose name contains it`;

interface Verdict {
  readonly isRight: boolean;
  readonly columns: readonly string[];
  readonly message: string;
}

async function judge(tree: MutantTree, mutant: Mutant, firstSeed: number, runs: number): Promise<Verdict> {
  const refusal = tree.plant(mutant);
  if (refusal !== null) return { isRight: false, columns: ["NOT PLANTED", "", "", ""], message: refusal };
  const { foundBy, message, seed, seeds, simulatedSeconds } = await hunt(tree.root, mutant.database, firstSeed, runs);
  const isRight = foundBy !== "did not run" && (foundBy === null) === mutant.isControl;
  const found = foundBy ?? "survived";
  const columns = [isRight ? found : `${found} (WRONG)`, foundBy === null ? "" : String(seed), String(seeds)];
  return { isRight, columns: [...columns, `${simulatedSeconds.toFixed(1)} s`], message };
}

interface Options {
  readonly runs: number;
  readonly seed: number;
  readonly only: string;
}

/** null: something is wrong with them. */
function parseOptions(args: readonly string[]): Options | null {
  const text = { type: "string" } as const;
  try {
    const { values } = parseArgs({ args: [...args], options: { runs: text, seed: text, only: text } });
    const runs = Number(values.runs ?? 200);
    const seed = Number(values.seed ?? 1);
    const areWhole = Number.isSafeInteger(runs) && Number.isSafeInteger(seed);
    return areWhole && runs >= 1 && seed >= 0 ? { runs, seed, only: values.only ?? "" } : null;
  } catch {
    return null;
  }
}

async function main(args: readonly string[]): Promise<number> {
  const options = parseOptions(args);
  if (options === null) {
    console.error(USAGE);
    return 64;
  }
  const { runs, seed, only } = options;
  const { MUTANTS } = (await import(new URL("../test/mutants/catalogue.js", import.meta.url).href)) as {
    MUTANTS: readonly Mutant[];
  };
  const mutants = MUTANTS.filter((mutant) => mutant.name.includes(only));
  const tree = new MutantTree(ROOT);
  let wrong = 0;
  try {
    for (const mutant of mutants) {
      const { isRight, columns, message } = await judge(tree, mutant, seed, runs);
      if (!isRight) wrong++;
      console.log(`| ${[mutant.name, mutant.database, ...columns].join(" | ")} |`);
      if (message !== "") console.log(`    ${message}`);
    }
  } finally {
    tree.remove();
  }
  console.log(`${wrong === 0 && mutants.length > 0 ? "PASSED" : "FAILED"} mutants=${mutants.length} wrong=${wrong}`);
  return wrong === 0 && mutants.length > 0 ? 0 : 1;
}

process.exitCode = await main(process.argv.slice(2));
