/** What stands above a diagram: which run it is, how it ended, and how it is repeated. */
import type { DatabaseKind } from "../environment.ts";
import { type Crash, firstLine, repeatCommand } from "../report.ts";
import { drawPlan } from "../plan.ts";
import type { RunResult } from "../run.ts";
import { FAULT_KINDS, MARKS } from "../tally.ts";

export interface About {
  readonly seed: number;
  readonly verdict: "passed" | "correctness" | "liveness" | "crash";
  /** Empty: it passed. */
  readonly oracle: string;
  readonly message: string;
  /** Those in whom it shows. */
  readonly nodes: readonly string[];
  /** The log index in question; null: none. */
  readonly index: number | null;
  /** The command that repeats the run. */
  readonly repeat: string;
  /** Everything that was drawn. */
  readonly plan: string;
  /** What came of it, name by name. */
  readonly measures: readonly (readonly [name: string, value: string])[];
  /** How often a fault was injected, and had an effect; how often a mark was reached. Only those that were. */
  readonly faults: readonly (readonly [kind: string, injected: number, effects: number])[];
  readonly marks: readonly (readonly [mark: string, reached: number])[];
}

/** `repeat` null: the command that runs the seed as it is. */
export function aboutResult(
  result: RunResult, version: string, database: DatabaseKind, repeat: string | null = null,
): About {
  const { plan, failure, tally, events, simulatedSeconds, hash } = result;
  return {
    seed: plan.seed,
    verdict: failure?.type ?? "passed",
    oracle: failure?.oracle ?? "",
    message: failure?.message ?? "",
    nodes: failure?.nodes ?? [],
    index: failure?.index ?? null,
    repeat: repeat ?? repeatCommand(plan.seed, database),
    plan: firstLine({ plan }, version, database),
    measures: [
      ["simulated", `${simulatedSeconds.toFixed(1)} s`], ["events", String(events)], ["hash", hash],
      ["committed", String(tally.marks.transactionsCommitted)],
    ],
    faults: FAULT_KINDS.filter((kind) => tally.injected[kind] + tally.effects[kind] > 0)
      .map((kind) => [kind, tally.injected[kind], tally.effects[kind]] as const),
    marks: MARKS.filter((mark) => tally.marks[mark] > 0).map((mark) => [mark, tally.marks[mark]] as const),
  };
}

/** `repeat` as in aboutResult. */
export function aboutCrash(
  crash: Crash, version: string, database: DatabaseKind, repeat: string | null = null,
): About {
  const plan = drawPlan(crash.seed);
  return {
    seed: crash.seed, verdict: "crash", oracle: "crash", message: `during ${crash.during}: ${crash.stack}`,
    nodes: [], index: null, repeat: repeat ?? repeatCommand(crash.seed, database),
    plan: firstLine({ plan }, version, database), measures: [], faults: [], marks: [],
  };
}
