/** Many seeds: one after the other in this thread, or several at a time in threads of their own. */
import { setImmediate as nextTurn } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import type { SimOptions } from "./sim-options.ts";
import { SeedRunner, type SeedOutcome } from "./sim-seed.ts";

/** Outcomes come as they are ready; with one job, in the order of the seeds. */
export async function runSeeds(options: SimOptions, report: (outcome: SeedOutcome) => void): Promise<void> {
  if (options.jobs > 1) return runInThreads(options, report);
  const runner = await SeedRunner.load(options.database, null);
  for (let seed = options.seed; seed < options.seed + options.runs; seed++) {
    report(runner.run(seed));
    // The memories of dead SQLite engines are freed between two turns of the event loop, and at no other time.
    await nextTurn();
  }
}

async function runInThreads(options: SimOptions, report: (outcome: SeedOutcome) => void): Promise<void> {
  let next = options.seed;
  const end = options.seed + options.runs;
  const work = (): Promise<void> =>
    new Promise((resolve, reject) => {
      const worker = new Worker(new URL("./sim-worker.js", import.meta.url), { workerData: options.database });
      const giveNext = (): void => {
        if (next < end) worker.postMessage(next++);
        else void worker.terminate().then(() => resolve());
      };
      worker.on("message", (outcome: SeedOutcome) => {
        report(outcome);
        giveNext();
      });
      worker.on("error", reject);
      giveNext();
    });
  await Promise.all(Array.from({ length: options.jobs }, work));
}
