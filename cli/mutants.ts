/**
 * `npm run mutants`: plants each mutant of test/mutants/, lets the simulator look for it, and writes down who found it
 * and how many seeds that took. The simulator's own test: exit code 1 if a mutant survives, a control is found, or a
 * patch no longer applies.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { hunt } from "./mutant-hunt.ts";
import type { Mutant } from "./mutant.ts";
import { MUTANTS_USAGE, type MutantOptions, parseMutantOptions } from "./mutant-options.ts";
import { type Catalogue, mutantReport, ruleReport } from "./mutant-report.ts";
import { hashOfPatches, readResults, type Result, writeResults } from "./mutant-results.ts";
import { hashOfSources, MutantTree } from "./mutant-tree.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const RESULTS = join(ROOT, "docs/mutants.json");
const REPORT = join(ROOT, "docs/mutants.md");
const RULES = join(ROOT, "docs/rules.md");

class Campaign {
  private readonly options: MutantOptions;
  private readonly catalogue: Catalogue;
  private readonly results = readResults(RESULTS);
  private readonly sources = hashOfSources(ROOT);
  private readonly queue: Mutant[];
  /** In which nothing is planted. */
  private readonly sound = new MutantTree(ROOT);
  /** By what is being hunted: how many seeds have passed. */
  private readonly underWay = new Map<string, number>();
  private done = 0;
  private wrong = 0;

  constructor(options: MutantOptions, catalogue: Catalogue, selected: readonly Mutant[]) {
    this.options = options;
    this.catalogue = catalogue;
    this.queue = [...selected];
  }

  /** @returns how many mutants went otherwise than they should */
  async execute(): Promise<number> {
    const count = Math.min(this.options.jobs, this.queue.length);
    try {
      await Promise.all(Array.from({ length: count }, () => this.work()));
    } finally {
      this.sound.remove();
    }
    return this.wrong;
  }

  /** A tree of its own, and one mutant after the other. */
  private async work(): Promise<void> {
    const tree = new MutantTree(ROOT);
    try {
      for (let mutant = this.queue.shift(); mutant !== undefined; mutant = this.queue.shift()) {
        await this.judge(tree, mutant);
      }
    } finally {
      tree.remove();
    }
  }

  private async judge(tree: MutantTree, mutant: Mutant): Promise<void> {
    const before = this.before(mutant);
    if (before !== null && (before.foundBy !== null || before.seeds >= this.options.runs)) {
      return this.report(mutant, before);
    }
    this.progress(mutant.name, 0);
    const refusal = await tree.plant(mutant);
    if (refusal !== null) return this.say(mutant, true, `NOT PLANTED: ${refusal}`);
    const { name, database } = mutant;
    const { sources, options } = this;
    const begun = before?.seeds ?? 0;
    const hunted = await hunt({
      root: tree.root, sound: this.sound.root, database,
      firstSeed: options.seed + begun, runs: options.runs - begun,
      onSeed: (seeds) => this.progress(name, begun + seeds),
    });
    const { find } = hunted;
    this.report(mutant, {
      name, patches: hashOfPatches(mutant), sources,
      foundBy: find?.by ?? null, message: find?.message ?? "", seed: find?.seed ?? null,
      seeds: begun + hunted.seeds, firstSeed: options.seed,
      failsAnyhow: [...(before?.failsAnyhow ?? []), ...hunted.failsAnyhow],
      simulatedSeconds: Math.round(10 * ((before?.simulatedSeconds ?? 0) + hunted.simulatedSeconds)) / 10,
    });
  }

  /** What a hunt of the same has come to before; null: nothing, or it is not to go on from there. */
  private before(mutant: Mutant): Result | null {
    const result = this.results.get(mutant.name);
    if (!this.options.resume || result === undefined) return null;
    const isSame = result.patches === hashOfPatches(mutant) && result.sources === this.sources;
    return isSame && result.firstSeed === this.options.seed ? result : null;
  }

  private report(mutant: Mutant, result: Result): void {
    this.results.set(mutant.name, result);
    writeResults(RESULTS, this.catalogue.mutants, this.results);
    writeFileSync(REPORT, mutantReport(this.catalogue, this.results));
    writeFileSync(RULES, ruleReport(this.catalogue.rules, this.results));
    const { foundBy, seed, seeds, failsAnyhow, simulatedSeconds, message } = result;
    const isWrong = (foundBy === null) !== mutant.isControl;
    const verdict = foundBy === null ? "survived" : `found by ${foundBy} at seed ${seed}`;
    const anyhow = failsAnyhow.length === 0 ? "" : ` (seeds that fail anyhow: ${failsAnyhow.join(" ")})`;
    const what = `${verdict} after ${seeds} seeds, ${simulatedSeconds.toFixed(1)} s${anyhow}`;
    this.say(mutant, isWrong, message === "" ? what : `${what}: ${message.slice(0, 160)}`);
  }

  private say({ name }: Mutant, isWrong: boolean, what: string): void {
    this.done++;
    if (isWrong) this.wrong++;
    this.underWay.delete(name);
    if (process.stderr.isTTY) process.stderr.write("\r\x1b[K");
    console.log(`${isWrong ? "WRONG " : ""}${name}: ${what}`);
  }

  private progress(name: string, seeds: number): void {
    this.underWay.set(name, seeds);
    if (!process.stderr.isTTY) return;
    const all = this.done + this.underWay.size + this.queue.length;
    const now = [...this.underWay].map(([one, count]) => `${one} (${count})`).join("; ");
    process.stderr.write(`\r\x1b[K${`${this.done}/${all} mutants, ${this.wrong} wrong, at ${now}`.slice(0, 120)}`);
  }
}

function select({ mutants, bugs }: Catalogue, { only, bugs: numbers, unfound }: MutantOptions): readonly Mutant[] {
  const results = readResults(RESULTS);
  const ofBugs = bugs.filter(({ number }) => numbers.includes(number)).flatMap((bug) => bug.mutants);
  return mutants.filter(({ name, isControl }) => {
    if (only.length > 0 && !only.some((text) => name.includes(text))) return false;
    if (numbers.length > 0 && !ofBugs.includes(name)) return false;
    return !unfound || (!isControl && typeof results.get(name)?.foundBy !== "string");
  });
}

async function main(args: readonly string[]): Promise<number> {
  if (args.includes("--help")) {
    console.log(MUTANTS_USAGE);
    return 0;
  }
  const options = parseMutantOptions(args);
  const catalogue = await loadCatalogue();
  const selected = typeof options === "string" ? [] : select(catalogue, options);
  if (typeof options === "string" || selected.length === 0) {
    console.error(`${typeof options === "string" ? options : "no mutant is meant by that"}\n\n${MUTANTS_USAGE}`);
    return 64;
  }
  const wrong = await new Campaign(options, catalogue, selected).execute();
  console.log(`${wrong === 0 ? "PASSED" : "FAILED"} mutants=${selected.length} wrong=${wrong}`);
  return wrong === 0 ? 0 : 1;
}

/** Test code: not imported, as what is published does not contain it. */
async function loadCatalogue(): Promise<Catalogue> {
  const load = (name: string): Promise<unknown> => import(new URL(`../test/mutants/${name}.js`, import.meta.url).href);
  const { MUTANTS: mutants } = (await load("catalogue")) as { MUTANTS: Catalogue["mutants"] };
  const { BUGS: bugs } = (await load("bugs")) as { BUGS: Catalogue["bugs"] };
  const { RULES: rules } = (await load("rules")) as { RULES: Catalogue["rules"] };
  return { mutants, bugs, rules };
}

process.exitCode = await main(process.argv.slice(2));
