/** Writes down what a failing seed was shrunk to: a text scenario, whose second line is the line of a corpus. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { formatScenario } from "../sim/shrink/scenario.ts";
import { formatTrace, type Trace } from "../sim/shrink/trace.ts";
import type { Shrinking } from "./sim-shrink.ts";

export interface WrittenScenario {
  readonly file: string;
  readonly text: string;
}

export function writeScenario(out: string, version: string, given: Trace, shrinking: Shrinking): WrittenScenario {
  const { first, shrunk, isMinimal } = shrinking;
  const comments = [
    `${first.oracle}: seed ${given.seed} of quorumlite ${version}, database=${given.database}.`,
    isMinimal ? "No single event can be left out." : "Maybe more can be left out: the budget was spent.",
  ];
  const text = formatScenario(comments, formatTrace(shrunk.trace), shrunk.verdict);
  mkdirSync(out, { recursive: true });
  const file = join(out, `${given.seed}-${first.oracle}.txt`);
  writeFileSync(file, text);
  return { file, text };
}
