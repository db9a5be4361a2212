/**
 * Runs seeds of a planted mutant's simulator, one after the other, until one of them fails. It is a find only if the
 * same seed passes without the mutant: what fails anyhow finds nothing, and says so.
 */
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { join } from "node:path";
import type { DatabaseKind } from "../sim/environment.ts";

/** A seed takes seconds. A mutant may make one go on for ever. */
const SEED_LIMIT_MS = 180_000;

export interface Find {
  /** The oracle; "invariant": one of the code's own; "throw"; "no end". */
  readonly by: string;
  readonly message: string;
  readonly seed: number;
}

export interface Hunt {
  /** null: it has survived. */
  readonly find: Find | null;
  /** How many seeds were run, those among them that fail without the mutant too. */
  readonly seeds: number;
  readonly failsAnyhow: readonly number[];
  /** Of all seeds together. */
  readonly simulatedSeconds: number;
}

export interface HuntOptions {
  /** In which the mutant is planted, and in which it is not. */
  readonly root: string;
  readonly sound: string;
  readonly database: DatabaseKind;
  readonly firstSeed: number;
  readonly runs: number;
  readonly onSeed: (seeds: number) => void;
}

/** The fields of a line of `sim --json` that matter here. */
interface SeedLine {
  readonly outcome: "passed" | "correctness" | "liveness" | "crash";
  readonly seed: number;
  readonly simulatedSeconds?: number;
  readonly failure?: { readonly oracle: string; readonly message: string } | null;
  readonly stack?: string;
}

export async function hunt(options: HuntOptions): Promise<Hunt> {
  const { root, sound, database, firstSeed, runs, onSeed } = options;
  const failsAnyhow: number[] = [];
  let seeds = 0;
  let simulatedSeconds = 0;
  while (seeds < runs) {
    const before = seeds;
    const find = await untilFound(root, database, firstSeed + seeds, runs - seeds, (seconds) => {
      simulatedSeconds += seconds;
      onSeed(++seeds);
    });
    if (find === null && seeds < runs) throw new Error(`the simulator ended early, at seed ${firstSeed + seeds}`);
    if (find === null) break;
    // A seed without an end, or a process that died in it, has left no line.
    seeds = Math.max(before, find.seed - firstSeed + 1);
    const anyhow = await untilFound(sound, database, find.seed, 1, () => {});
    if (anyhow === null) return { find, seeds, failsAnyhow, simulatedSeconds };
    failsAnyhow.push(find.seed);
  }
  return { find: null, seeds, failsAnyhow, simulatedSeconds };
}

async function untilFound(
  root: string, database: DatabaseKind, firstSeed: number, runs: number, onSeed: (simulatedSeconds: number) => void,
): Promise<Find | null> {
  const args = ["--seed", firstSeed, "--runs", runs, "--database", database, "--json"].map(String);
  const command = [join(root, "dist/cli/sim.js"), ...args];
  const child = spawn(process.execPath, command, { stdio: ["ignore", "pipe", "ignore"] });
  let next = firstSeed;
  let isLate = false;
  const onLate = (): void => {
    isLate = true;
    child.kill("SIGKILL");
  };
  let limit = setTimeout(onLate, SEED_LIMIT_MS);
  try {
    for await (const text of createInterface({ input: child.stdout })) {
      clearTimeout(limit);
      limit = setTimeout(onLate, SEED_LIMIT_MS);
      const line = JSON.parse(text) as SeedLine;
      next = line.seed + 1;
      onSeed(line.simulatedSeconds ?? 0);
      if (line.outcome !== "passed") return { ...verdictOf(line), seed: line.seed };
    }
  } finally {
    clearTimeout(limit);
    child.kill("SIGKILL");
  }
  if (isLate) return { by: "no end", message: `a seed took more than ${SEED_LIMIT_MS / 1000} s`, seed: next };
  return null;
}

function verdictOf({ failure, stack }: SeedLine): Pick<Find, "by" | "message"> {
  if (failure !== null && failure !== undefined) return { by: failure.oracle, message: failure.message };
  // An invariant of the product's own stopped it: that is an oracle too.
  const [first = "a throw of the code"] = (stack ?? "").split("\n");
  return { by: first.startsWith("InvariantError") ? "invariant" : "throw", message: first };
}
