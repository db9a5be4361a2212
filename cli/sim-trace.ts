/** Traces, run: what each came to, with everything that occurred in it. */
import { setImmediate as nextTurn } from "node:timers/promises";
import type { Occurrence } from "../sim/course.ts";
import type { DatabaseKind, Environment } from "../sim/environment.ts";
import type { Witness } from "../sim/happening.ts";
import { classOf, joinOccurrences } from "../sim/shrink/kept.ts";
import { leavesOut, planOf, type Trace } from "../sim/shrink/trace.ts";
import type { Verdict } from "../sim/shrink/verdict.ts";
import { makeEnvironment } from "./sim-environment.ts";
import { SeedRunner, type SeedOutcome } from "./sim-seed.ts";

export interface TraceRun {
  readonly outcome: SeedOutcome;
  readonly verdict: Verdict;
}

/** Makes the environment of a database: the product's own, or one with a bug planted in it. */
export type MakeEnvironment = (database: DatabaseKind, witness: Witness | null) => Promise<Environment>;

export class TraceRunner {
  private readonly make: MakeEnvironment;
  private readonly runners = new Map<DatabaseKind, SeedRunner>();

  constructor(make: MakeEnvironment = makeEnvironment) {
    this.make = make;
  }

  /** `without`: classes of streams that are left out besides. `endsAt`: nobody asks what happens after that. */
  async run(trace: Trace, without: ReadonlySet<string> = new Set(), endsAt?: number): Promise<TraceRun> {
    const runner = await this.runnerOf(trace.database);
    const occurrences: Occurrence[] = [];
    const unkept = leavesOut(trace.kept);
    const outcome = runner.runPlan(planOf(trace), {
      leavesOut: (stream, number) => without.has(classOf(stream)) || unkept?.(stream, number) === true,
      onOccurrence: (occurrence) => occurrences.push(occurrence),
      ...(endsAt === undefined ? {} : { endsAt }),
    });
    // The memories of dead SQLite engines are freed between two turns of the event loop, and at no other time.
    await nextTurn();
    return { outcome, verdict: verdictOf(outcome, joinOccurrences(occurrences)) };
  }

  private async runnerOf(database: DatabaseKind): Promise<SeedRunner> {
    const known = this.runners.get(database);
    if (known !== undefined) return known;
    const runner = new SeedRunner(await this.make(database, null));
    this.runners.set(database, runner);
    return runner;
  }
}

function verdictOf(outcome: SeedOutcome, occurrences: readonly Occurrence[]): Verdict {
  const result = outcome.type === "crash" ? outcome.until : outcome.result;
  const { failure, hash, simulatedSeconds } = result;
  const end = { at: Math.round(simulatedSeconds * 1e6), hash, occurrences };
  if (outcome.type === "crash") {
    const [message = ""] = outcome.crash.stack.split("\n");
    const oracle = message.startsWith("InvariantError") ? "invariant" : "throw";
    return { outcome: "crash", oracle, message, ...end };
  }
  if (failure === null) return { outcome: "passed", oracle: "", message: "", ...end };
  return { outcome: failure.type, oracle: failure.oracle, message: failure.message, ...end };
}
