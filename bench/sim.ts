/**
 * How fast the simulator is, in one thread: a cluster under a moderate load, without faults and with ordinary ones, and
 * whole seeds as `npm run sim` draws them. The currency is the processor's time, of all threads of this process
 * together: what a machine with one core would take.
 */
import { makeEnvironment } from "../cli/sim-environment.ts";
import { DEFAULT_DATABASE_LIMITS } from "../core/database/boundary.ts";
import { DEFAULT_LIMITS } from "../core/raft/boundary.ts";
import type { StorageLimits } from "../core/storage/boundary.ts";
import type { DatabaseKind, Environment } from "../sim/environment.ts";
import { FAIR_WEATHER } from "../sim/network.ts";
import { drawPlan, type FaultIntervals, type Plan } from "../sim/plan.ts";
import { Run } from "../sim/run.ts";
import { TASK_NAMES, type TaskName, type WorkloadOptions } from "../sim/workload/options.ts";
import { probeProcessor } from "./core.ts";
import { median } from "./quantile.ts";

const DATABASES: readonly DatabaseKind[] = ["model", "sqlite"];
const SIZES = [3, 5] as const;
const MODERATE_SECONDS = 60;
/** Until compilers are warm. */
const WARM_UP_SEEDS = 3;
const FIRST_SEED = 1;
const SWARM_SEEDS = 20;

/** Some four transactions and reads a second, of all kinds. */
const MODERATE_WORKLOAD: WorkloadOptions = {
  actors: 2, maxThinkMs: 1000, maxPauseMs: 5, keys: 4, accounts: 4, maxBodyBytes: 200, sessionReadPercent: 50,
  weights: Object.fromEntries(TASK_NAMES.map((name) => [name, 1])) as Record<TaskName, number>,
};
const ORDINARY_FAULTS: Partial<FaultIntervals> = {
  crashOfOne: 5000, isolatedLeader: 15_000, partition: 15_000, connectionReset: 5000, clientDeath: 10_000,
  slowDisk: 5000, pause: 10_000,
};

/** In the middle of what seeds draw. */
const STORAGE_LIMITS: StorageLimits = {
  segmentBytes: 64 * 1024, maxWriteBytes: 64 * 1024, maxLogBytes: 512 * 1024 * 1024, reserveBytes: 256 * 1024,
  scrubBytes: 64 * 1024, tickMs: 250,
};

interface Figures {
  readonly events: number;
  readonly simulatedSeconds: number;
  readonly cpuSeconds: number;
}

interface Row {
  readonly database: DatabaseKind;
  readonly name: string;
  readonly rounds: readonly Figures[];
}

export interface SimulatorReport {
  readonly processor: { readonly before: number; readonly after: number };
  /** A figure a round. */
  readonly moderate: readonly Row[];
  /** A figure a seed. */
  readonly swarm: readonly Row[];
}

export async function measureSimulator(rounds: number): Promise<SimulatorReport> {
  const before = probeProcessor();
  const moderate: Row[] = [];
  const swarm: Row[] = [];
  for (const database of DATABASES) {
    const environment = await makeEnvironment(database, null);
    for (let seed = 1; seed <= WARM_UP_SEEDS; seed++) await measureRun(moderatePlan(5, true, seed), environment);
    for (const nodes of SIZES) {
      for (const hasFaults of [false, true]) {
        const figures: Figures[] = [];
        for (let round = 1; round <= rounds; round++) {
          figures.push(await measureRun(moderatePlan(nodes, hasFaults, round), environment, MODERATE_WORKLOAD));
        }
        const name = `${nodes} nodes, ${hasFaults ? "ordinary faults" : "no faults"}`;
        moderate.push({ database, name, rounds: figures });
      }
    }
    const seeds: Figures[] = [];
    for (let seed = FIRST_SEED; seed < FIRST_SEED + SWARM_SEEDS; seed++) {
      seeds.push(await measureRun(drawPlan(seed), environment));
    }
    swarm.push({ database, name: `seeds ${FIRST_SEED} to ${FIRST_SEED + SWARM_SEEDS - 1}`, rounds: seeds });
  }
  return { processor: { before, after: probeProcessor() }, moderate, swarm };
}

/** With the limits of a product as it is installed, but for the disk's; on a decent network and decent disks. */
function moderatePlan(nodes: number, hasFaults: boolean, seed: number): Plan {
  const drawn = drawPlan(seed);
  const faults = Object.fromEntries(Object.keys(drawn.faults).map((kind) => [kind, 0])) as unknown as FaultIntervals;
  return {
    ...drawn,
    nodes, joiners: 0, clients: 2, quietMs: 2000, chaosMs: MODERATE_SECONDS * 1000, hasCorePhase: false,
    outOfSpace: "nowhere",
    network: { ...FAIR_WEATHER, lossPerMille: hasFaults ? 1 : 0 },
    disk: { accessUs: 100, syncUs: 1500, isSteady: false },
    powerLossPercent: 50, crashInRecoveryPercent: 0, crashInFoundingPercent: 0, crashInInstallPercent: 0,
    downMs: 1000, cutMs: 1000, stallMs: 300, pauseMs: 300, maxDriftPpm: hasFaults ? 50 : 0,
    faults: hasFaults ? { ...faults, ...ORDINARY_FAULTS } : faults,
    operator: { change: 0, transfer: 0, strikePercent: 0 }, oldVersionPercent: 0, leaseDriftPpm: null, roles: null,
    raft: DEFAULT_LIMITS, storage: STORAGE_LIMITS, database: DEFAULT_DATABASE_LIMITS,
    digestEvery: 30, shadowPerMille: 1, callTimeoutMs: 5000, youngLeaderPercent: 0,
  };
}

async function measureRun(plan: Plan, environment: Environment, options?: WorkloadOptions): Promise<Figures> {
  const from = process.cpuUsage();
  const { failure, events, simulatedSeconds } = new Run(plan, environment, { options }).execute();
  if (failure !== null) throw new Error(`seed ${plan.seed} failed: ${failure.oracle}: ${failure.message}`);
  // The memories of dead engines are freed between two turns of the event loop.
  await new Promise(setImmediate);
  const { user, system } = process.cpuUsage(from);
  return { events, simulatedSeconds, cpuSeconds: (user + system) / 1e6 };
}

export function printSimulator({ processor, moderate, swarm }: SimulatorReport): void {
  const { before, after } = processor;
  console.log(`\na plain loop on this processor: ${before.toFixed(0)} M/s before, ${after.toFixed(0)} M/s after\n`);
  console.log("the simulator, one thread, by the processor's time; medians of the rounds\n");
  console.log("database  cluster                     times real time   events/s   events a simulated second");
  for (const { database, name, rounds } of moderate) {
    const speed = median(rounds.map(({ simulatedSeconds, cpuSeconds }) => simulatedSeconds / cpuSeconds));
    const rate = median(rounds.map(({ events, cpuSeconds }) => events / cpuSeconds));
    const density = median(rounds.map(({ events, simulatedSeconds }) => events / simulatedSeconds));
    console.log([
      `${database.padEnd(9)} ${name.padEnd(28)}`, `${speed.toFixed(0)}x`.padStart(14), rate.toFixed(0).padStart(10),
      density.toFixed(0).padStart(10),
    ].join(" "));
  }
  console.log("\ndatabase  swarm             seeds/s   median s   longest s   times real time   events/s");
  for (const { database, name, rounds } of swarm) {
    const sum = (field: keyof Figures): number => rounds.reduce((total, one) => total + one[field], 0);
    const cpu = rounds.map(({ cpuSeconds }) => cpuSeconds);
    const total = sum("cpuSeconds");
    console.log([
      `${database.padEnd(9)} ${name.padEnd(15)}`, (rounds.length / total).toFixed(2).padStart(8),
      median(cpu).toFixed(2).padStart(10), Math.max(...cpu).toFixed(2).padStart(11),
      `${(sum("simulatedSeconds") / total).toFixed(1)}x`.padStart(16), (sum("events") / total).toFixed(0).padStart(11),
    ].join(" "));
  }
}
