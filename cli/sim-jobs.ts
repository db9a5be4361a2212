/** Many seeds: one after the other in this thread, or several at a time in threads of their own. */
import { setImmediate as nextTurn } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import type { SimOptions } from "./sim-options.ts";
import { SeedRunner, type SeedOutcome } from "./sim-seed.ts";

/** Outcomes come as they are ready; with one job, in the order of the seeds. */
export async function runSeeds(options: SimOptions, report: (outcome: SeedOutcome) => void): Promise<void> {
  const seeds = seedsOf(options, Date.now);
  if (options.jobs > 1) return runInThreads(options, seeds, report);
  const runner = await SeedRunner.load(options.database, null);
  for (const seed of seeds) {
    report(runner.run(seed));
    // The memories of dead SQLite engines are freed between two turns of the event loop, and at no other time.
    await nextTurn();
  }
}

/** Those of this shard: so many, or until the time is over. `clock`: milliseconds. */
export function* seedsOf(
  { seed, runs, minutes, shard }: Pick<SimOptions, "seed" | "runs" | "minutes" | "shard">, clock: () => number,
): Generator<number, void> {
  const end = minutes === null ? Infinity : clock() + 60_000 * minutes;
  const count = minutes === null ? runs : Infinity;
  for (let at = shard.index - 1; at < count && clock() < end; at += shard.count) yield seed + at;
}

async function runInThreads(
  options: SimOptions, seeds: Iterator<number, void>, report: (outcome: SeedOutcome) => void,
): Promise<void> {
  const work = (): Promise<void> =>
    new Promise((resolve, reject) => {
      const worker = new Worker(new URL("./sim-worker.js", import.meta.url), { workerData: options.database });
      const giveNext = (): void => {
        const next = seeds.next();
        if (next.done !== true) worker.postMessage(next.value);
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
