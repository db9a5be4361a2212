/**
 * docs/mutants.md and docs/rules.md: functions of the catalogue and of what the hunts have come to, so that they never
 * say more.
 */
import type { Bug, Mutant, Rule } from "./mutant.ts";
import type { Result } from "./mutant-results.ts";

export interface Catalogue {
  readonly mutants: readonly Mutant[];
  readonly bugs: readonly Bug[];
  readonly rules: readonly Rule[];
}

type Results = ReadonlyMap<string, Result>;

export function mutantReport({ mutants, bugs }: Pick<Catalogue, "mutants" | "bugs">, results: Results): string {
  const planted = mutants.filter(({ isControl }) => !isControl);
  const controls = mutants.filter(({ isControl }) => isControl);
  const isFound = (name: string): boolean => typeof results.get(name)?.foundBy === "string";
  const found = planted.filter(({ name }) => isFound(name));
  const applicable = bugs.filter((bug) => bug.mutants.length > 0);
  const foundBugs = applicable.filter((bug) => bug.mutants.some(isFound));
  const survivors = planted.filter(({ name }) => results.get(name)?.foundBy === null);
  const seeds = found.map(({ name }) => results.get(name)!.seeds).sort((a, b) => a - b);
  const bugsOf = new Map<string, string[]>();
  for (const { number, mutants: names } of bugs) {
    for (const name of names) bugsOf.set(name, [...(bugsOf.get(name) ?? []), number]);
  }
  return [
    `${found.length} of ${planted.length} applicable mutants found`,
    "",
    `They bring back ${applicable.length} of the ${bugs.length} bugs listed in \`test/mutants/bugs.ts\`, of which`
      + ` ${foundBugs.length} are found by one of their`,
    `mutants; why the others do not apply stands below. Survived: ${survivors.length}. Controls that survived, as they`
      + ` must: ${controls.filter(({ name }) => results.get(name)?.foundBy === null).length} of ${controls.length}.`
      + ` Seeds needed,`,
    `in the median: ${seeds[Math.floor((seeds.length - 1) / 2)] ?? "-"}; at most: ${seeds.at(-1) ?? "-"}.`,
    "",
    "Written by `npm run mutants` (docs/testing.md, \"Mutants\"). A mutant is hunted from seed 1 on, until a seed fails"
      + " that passes without",
    "it: \"found by\" names the oracle, \"invariant\" being one of the code's own laws, which are checked after every"
      + " step.",
    "One that has survived is a hole in the simulator, and stands here until it is closed. The seeds move with every",
    "change of the workload or of the faults.",
    "",
    "## Mutants",
    "",
    "| mutant | bugs | database | found by | at seed | seeds | simulated |",
    "| --- | --- | --- | --- | --- | --- | --- |",
    ...mutants.map((mutant) => mutantRow(mutant, bugsOf.get(mutant.name) ?? [], results.get(mutant.name))),
    "",
    "## Bugs without a mutant",
    "",
    "| bug | why not |",
    "| --- | --- |",
    ...bugs.flatMap(({ number, title, because }) => (because === null ? [] : [`| ${number} ${title} | ${because} |`])),
    "",
  ].join("\n");
}

function mutantRow({ name, database }: Mutant, bugs: readonly string[], result: Result | undefined): string {
  const cells = result === undefined ? ["not hunted yet", "", "", ""] : [
    result.foundBy ?? "survived",
    result.seed === null ? "" : String(result.seed),
    String(result.seeds),
    `${result.simulatedSeconds.toFixed(1)} s`,
  ];
  return `| ${[name, bugs.join(", "), database, ...cells].join(" | ")} |`;
}

export function ruleReport(rules: readonly Rule[], results: Results): string {
  return [
    "# Rules that durability rests on",
    "",
    "Each is kept in a place that has a name, told by stories or tests, and broken by mutants, which the simulator has",
    "to find. Made of `test/mutants/rules.ts` by `npm run mutants`, which hunts them: [mutants.md](mutants.md).",
    ...rules.flatMap((rule) => ruleLines(rule, results)),
    "",
  ].join("\n");
}

function ruleLines({ number, says, places, stories, mutants }: Rule, results: Results): readonly string[] {
  return [
    "",
    `## Rule ${number}`,
    "",
    says,
    "",
    ...places.map(([file, words]) => `- kept in \`${file}\`: "${words}"`),
    ...stories.map((story) => {
      const [file = "", ...name] = story.split(" > ");
      return name.length === 0 ? `- told by \`${file}\`` : `- told by \`${file}\`: "${name.join(" > ")}"`;
    }),
    "",
    "| mutant | found by | after seeds |",
    "| --- | --- | --- |",
    ...mutants.map((name) => {
      const result = results.get(name);
      if (result === undefined) return `| ${name} | not hunted yet | |`;
      return `| ${name} | ${result.foundBy ?? "survived"} | ${result.seeds} |`;
    }),
  ];
}
