/**
 * What hunts have come to, kept in docs/mutants.json: one line a mutant, so that a hunt can go on where the last one
 * ended, and the table of docs/mutants.md is made of nothing but this and the catalogue.
 */
import { createHash } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import type { Mutant } from "./mutant.ts";

export interface Result {
  readonly name: string;
  /** What was hunted in what: hashes of the patches and of the sources. */
  readonly patches: string;
  readonly sources: string;
  /** null: it has survived. */
  readonly foundBy: string | null;
  readonly message: string;
  /** The seed that has found it; null: none has. */
  readonly seed: number | null;
  /** How many seeds were run, from which on. */
  readonly seeds: number;
  readonly firstSeed: number;
  /** Among them: those that fail without the mutant too. */
  readonly failsAnyhow: readonly number[];
  readonly simulatedSeconds: number;
}

export function readResults(path: string): Map<string, Result> {
  if (!existsSync(path)) return new Map();
  const results = JSON.parse(readFileSync(path, "utf8")) as readonly Result[];
  return new Map(results.map((result) => [result.name, result]));
}

/** In the order of the catalogue; of mutants that are not in it any more nothing is kept. */
export function writeResults(path: string, mutants: readonly Mutant[], results: ReadonlyMap<string, Result>): void {
  const lines = mutants.flatMap(({ name }) => {
    const result = results.get(name);
    return result === undefined ? [] : [JSON.stringify(result)];
  });
  writeFileSync(path, `[\n${lines.join(",\n")}\n]\n`);
}

export function hashOfPatches({ patches, database }: Mutant): string {
  return createHash("sha256").update(JSON.stringify([patches, database])).digest("hex").slice(0, 12);
}
