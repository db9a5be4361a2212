/** One seed, run to its end: the only place that catches what a simulated machine throws. */
import type { DatabaseKind, Environment } from "../sim/environment.ts";
import type { Witness } from "../sim/happening.ts";
import type { Course } from "../sim/course.ts";
import { drawPlan, type Plan } from "../sim/plan.ts";
import type { Crash } from "../sim/report.ts";
import { Run, type RunResult } from "../sim/run.ts";
import { makeEnvironment } from "./sim-environment.ts";

export type SeedOutcome =
  | { readonly type: "result"; readonly result: RunResult; readonly wallSeconds: number }
  /** `until`: what was known before the throw. */
  | { readonly type: "crash"; readonly crash: Crash; readonly until: RunResult };

export class SeedRunner {
  private readonly environment: Environment;

  constructor(environment: Environment) {
    this.environment = environment;
  }

  static async load(database: DatabaseKind, witness: Witness | null): Promise<SeedRunner> {
    return new SeedRunner(await makeEnvironment(database, witness));
  }

  run(seed: number): SeedOutcome {
    return this.runPlan(drawPlan(seed));
  }

  /** `seed` and more of it may be otherwise: a plan that was changed, and less of what it would bring. */
  runPlan(plan: Plan, course: Course = {}): SeedOutcome {
    const start = process.hrtime.bigint();
    const run = new Run(plan, this.environment, course);
    try {
      const result = run.execute();
      return { type: "result", result, wallSeconds: Number(process.hrtime.bigint() - start) / 1e9 };
    } catch (error) {
      const stack = error instanceof Error ? (error.stack ?? error.message) : String(error);
      return { type: "crash", crash: { seed: plan.seed, during: run.cluster.inProgress, stack }, until: run.result() };
    }
  }
}
