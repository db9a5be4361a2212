/** A thread of `npm run sim -- --jobs J`: is told seeds, answers outcomes. */
import { parentPort, workerData } from "node:worker_threads";
import type { DatabaseKind } from "../sim/environment.ts";
import { SeedRunner } from "./sim-seed.ts";

const runner = await SeedRunner.load(workerData as DatabaseKind, null);
parentPort?.on("message", (seed: number) => parentPort?.postMessage(runner.run(seed)));
