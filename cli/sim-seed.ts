/** One seed, run to its end: the only place that catches what a simulated machine throws. */
import type { DatabaseKind, Environment } from "../sim/environment.ts";
import type { Witness } from "../sim/happening.ts";
import { drawPlan } from "../sim/plan.ts";
import type { Crash } from "../sim/report.ts";
import { Run, type RunResult } from "../sim/run.ts";
import { makeEnvironment } from "./sim-environment.ts";

export type SeedOutcome =
  | { readonly type: "result"; readonly result: RunResult; readonly wallSeconds: number }
  | { readonly type: "crash"; readonly crash: Crash };

export class SeedRunner {
  private readonly environment: Environment;

  constructor(environment: Environment) {
    this.environment = environment;
  }

  static async load(database: DatabaseKind, witness: Witness | null): Promise<SeedRunner> {
    return new SeedRunner(await makeEnvironment(database, witness));
  }

  run(seed: number): SeedOutcome {
    const start = process.hrtime.bigint();
    const run = new Run(drawPlan(seed), this.environment);
    try {
      const result = run.execute();
      return { type: "result", result, wallSeconds: Number(process.hrtime.bigint() - start) / 1e9 };
    } catch (error) {
      const stack = error instanceof Error ? (error.stack ?? error.message) : String(error);
      return { type: "crash", crash: { seed, during: run.cluster.inProgress, stack } };
    }
  }
}
