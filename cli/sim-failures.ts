/**
 * What failed over many seeds, once each: failures of the same oracle with the same message, but for numbers and names,
 * are one. A file of JSON lines, one a failure; what stands in it from earlier runs, or from other machines, is kept.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import type { DatabaseKind } from "../sim/environment.ts";
import { repeatCommand } from "../sim/report.ts";
import { shapeOf } from "../sim/shrink/verdict.ts";
import type { SeedOutcome } from "./sim-seed.ts";

/** So many seeds are listed; all are counted. */
const MAX_SEEDS = 20;

export interface KnownFailure {
  readonly oracle: string;
  readonly shape: string;
  /** Of the first seed. */
  readonly message: string;
  readonly database: DatabaseKind;
  readonly version: string;
  readonly repeat: string;
  count: number;
  readonly seeds: number[];
}

export class FailureList {
  private readonly database: DatabaseKind;
  private readonly version: string;
  private readonly known = new Map<string, KnownFailure>();

  constructor(database: DatabaseKind, version: string) {
    this.database = database;
    this.version = version;
  }

  get all(): readonly KnownFailure[] {
    return [...this.known.values()];
  }

  add(outcome: SeedOutcome): void {
    if (outcome.type === "result" && outcome.result.failure === null) return;
    const isCrash = outcome.type === "crash";
    const seed = isCrash ? outcome.crash.seed : outcome.result.plan.seed;
    const oracle = isCrash ? "crash" : (outcome.result.failure?.oracle ?? "");
    const message = isCrash ? (outcome.crash.stack.split("\n")[0] ?? "") : (outcome.result.failure?.message ?? "");
    const { database, version } = this;
    const repeat = `${repeatCommand(seed, database)} --shrink`;
    this.join({ oracle, shape: shapeOf(message), message, database, version, repeat, count: 1, seeds: [seed] });
  }

  /** Joined with what stands there. */
  write(file: string): void {
    const joined = new FailureList(this.database, this.version);
    for (const line of existsSync(file) ? readFileSync(file, "utf8").split("\n") : []) {
      if (line !== "") joined.join(JSON.parse(line) as KnownFailure);
    }
    for (const failure of this.all) joined.join(failure);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, joined.all.map((failure) => `${JSON.stringify(failure)}\n`).join(""));
  }

  private join(failure: KnownFailure): void {
    const key = `${failure.database} ${failure.oracle} ${failure.shape}`;
    const known = this.known.get(key);
    if (known === undefined) {
      this.known.set(key, { ...failure, seeds: [...failure.seeds] });
      return;
    }
    known.count += failure.count;
    for (const seed of failure.seeds) {
      if (known.seeds.length < MAX_SEEDS && !known.seeds.includes(seed)) known.seeds.push(seed);
    }
  }
}
