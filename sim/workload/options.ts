/** What a seed draws of the workload: which tasks, how often, how big, how contended. Swarm: whole tasks may be off. */
import type { Random } from "../../core/random.ts";
import { ACCOUNT_COUNT } from "./statements.ts";

export const TASK_NAMES = [
  "transferInteractive", "transferStatement", "transferRolledBack", "transferLingering",
  "append", "appendMany", "addItem", "addItems", "addDuplicate", "scriptAtomic", "scriptPlain", "scriptFailing",
  "readList", "readSeveral", "readLists", "readItem", "readAccounts",
] as const;
export type TaskName = (typeof TASK_NAMES)[number];

export interface WorkloadOptions {
  /** Concurrent callers in one application. */
  readonly actors: number;
  /** Between two tasks of an actor; drawn up to this. */
  readonly maxThinkMs: number;
  /** Between two statements of an interactive transaction; drawn up to this. */
  readonly maxPauseMs: number;
  readonly keys: number;
  /** 2..ACCOUNT_COUNT accounts move money. */
  readonly accounts: number;
  readonly maxBodyBytes: number;
  /** Of the reads outside transactions, so many are of consistency "session". */
  readonly sessionReadPercent: number;
  /** How often each task is chosen, relative to the others. */
  readonly weights: Readonly<Record<TaskName, number>>;
}

export function drawWorkloadOptions(random: Random): WorkloadOptions {
  const weights = {} as Record<TaskName, number>;
  for (const name of TASK_NAMES) weights[name] = random.chance(25) ? 0 : random.integer(1, 8);
  // Every run writes something in one step and reads something: what is compared must exist.
  weights.append += 2;
  weights.readList += 2;
  // It holds the writer for long: often, and there would be little else.
  weights.transferLingering = Math.min(weights.transferLingering, 1);
  return {
    actors: random.integer(1, 5),
    maxThinkMs: random.pick([5, 50, 200, 500]),
    maxPauseMs: random.pick([0, 0, 5, 50, 400]),
    keys: random.integer(1, 6),
    accounts: random.integer(2, ACCOUNT_COUNT),
    maxBodyBytes: random.pick([16, 200, 5000, 20_000]),
    sessionReadPercent: random.pick([0, 0, 20, 50, 80]),
    weights,
  };
}

export function drawTask(random: Random, weights: Readonly<Record<TaskName, number>>): TaskName {
  let sum = 0;
  for (const name of TASK_NAMES) sum += weights[name];
  let left = random.integer(1, sum);
  for (const name of TASK_NAMES) {
    left -= weights[name];
    if (left <= 0) return name;
  }
  return "append";
}
