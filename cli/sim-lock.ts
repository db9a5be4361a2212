/**
 * seeds.lock: some seeds and the hashes of their runs, so that a course that changes is noticed: on another machine,
 * with another version of Node, or by a change of the code that was not meant to change anything. A line: database,
 * seed, hash.
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import type { DatabaseKind } from "../sim/environment.ts";
import { TraceRunner } from "./sim-trace.ts";

const HEADER = `# Seeds, and the hashes of their runs: the same on every machine. A change that alters what nodes do,
# or what befalls them, alters these; its commit says so, and has written them anew: npm run sim -- --lock write
`;
const DEFAULT = ["model 1", "model 2", "model 3", "model 4", "sqlite 1", "sqlite 2"];

interface Locked {
  readonly database: DatabaseKind;
  readonly seed: number;
  readonly hash: string;
}

/** The lines, or what is wrong with them. */
export function parseLock(text: string): readonly Locked[] | string {
  const locked: Locked[] = [];
  for (const [at, line] of text.split("\n").entries()) {
    if (line.trim() === "" || line.startsWith("#")) continue;
    const found = /^(model|sqlite) (\d{1,15}) ([\da-f]{16})$/.exec(line.trim());
    if (found === null) return `line ${at + 1}: a database, a seed and a hash are expected`;
    locked.push({ database: found[1] as DatabaseKind, seed: Number(found[2]), hash: found[3]! });
  }
  return locked.length > 0 ? locked : "there is no seed in it";
}

/** How many seeds have another hash than the one that stands there. */
export async function checkLock(locked: readonly Locked[], print: (line: string) => void): Promise<number> {
  let changed = 0;
  for (const { database, seed, hash } of locked) {
    const found = await hashOf(database, seed);
    const isSame = found === hash;
    if (!isSame) changed++;
    print(`${isSame ? "same   " : "CHANGED"} ${database} ${seed} ${hash}${isSame ? "" : ` is ${found} now`}`);
  }
  return changed;
}

export async function writeLock(file: string, print: (line: string) => void): Promise<void> {
  const known = existsSync(file) ? parseLock(readFileSync(file, "utf8")) : [];
  const seeds = typeof known === "string" || known.length === 0 ? DEFAULT.map(parseSeed) : known;
  const lines: string[] = [];
  for (const { database, seed } of seeds) {
    lines.push(`${database} ${seed} ${await hashOf(database, seed)}`);
    print(lines.at(-1)!);
  }
  writeFileSync(file, `${HEADER}${lines.join("\n")}\n`);
}

function parseSeed(text: string): Pick<Locked, "database" | "seed"> {
  const [database, seed] = text.split(" ");
  return { database: database as DatabaseKind, seed: Number(seed) };
}

async function hashOf(database: DatabaseKind, seed: number): Promise<string> {
  const { verdict } = await new TraceRunner().run({ database, seed, changes: {}, kept: null });
  return verdict.hash;
}
