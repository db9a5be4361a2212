/** Runs seeds of a planted mutant's simulator, one after the other, until one of them fails. */
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { join } from "node:path";
import type { DatabaseKind } from "../sim/environment.ts";

export interface Hunt {
  /** Which oracle found it; null: it survived. */
  readonly foundBy: string | null;
  readonly message: string;
  /** The seed that found it. */
  readonly seed: number;
  /** How many seeds were run. */
  readonly seeds: number;
  /** Of all seeds together. */
  readonly simulatedSeconds: number;
}

/** The fields of a line of `sim --json` that matter here. */
interface SeedLine {
  readonly outcome: "passed" | "correctness" | "liveness" | "crash";
  readonly seed: number;
  readonly simulatedSeconds?: number;
  readonly failure?: { readonly oracle: string; readonly message: string } | null;
  readonly stack?: string;
}

export async function hunt(root: string, database: DatabaseKind, firstSeed: number, runs: number): Promise<Hunt> {
  // Two seeds at least: only then each one is a line of its own.
  const args = ["--seed", firstSeed, "--runs", Math.max(2, runs), "--database", database, "--json"].map(String);
  const command = [join(root, "dist/cli/sim.js"), ...args];
  const child = spawn(process.execPath, command, { stdio: ["ignore", "pipe", "inherit"] });
  let seeds = 0;
  let simulatedSeconds = 0;
  for await (const text of createInterface({ input: child.stdout })) {
    const line = JSON.parse(text) as SeedLine;
    seeds++;
    simulatedSeconds += line.simulatedSeconds ?? 0;
    if (line.outcome === "passed") continue;
    child.kill();
    return { ...verdictOf(line), seed: line.seed, seeds, simulatedSeconds };
  }
  // Nothing is found by a simulator that did not run.
  const isWhole = seeds >= runs;
  return { foundBy: isWhole ? null : "did not run", message: "", seed: firstSeed + seeds - 1, seeds, simulatedSeconds };
}

function verdictOf({ failure, stack }: SeedLine): Pick<Hunt, "foundBy" | "message"> {
  if (failure !== null && failure !== undefined) return { foundBy: failure.oracle, message: failure.message };
  // An invariant of the product's own stopped it: that is an oracle too.
  const [first = "a throw of the code"] = (stack ?? "").split("\n");
  return { foundBy: first.startsWith("InvariantError") ? "invariant" : "throw", message: first };
}
