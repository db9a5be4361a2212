/**
 * What consensus itself costs: core/raft alone, in memory, one thread (memory-cluster.ts). Rounds are interleaved and
 * medians printed, beside a probe of the processor before and after: compare figures only with those of the same run.
 */
import v8 from "node:v8";
import vm from "node:vm";
import type { RaftInput } from "../core/raft/boundary.ts";
import type { LogIndex, Term } from "../core/types.ts";
import { MemoryCluster } from "./memory-cluster.ts";
import { median } from "./quantile.ts";

const PAYLOAD_BYTES = 100;
const WARM_UP_COMMITS = 20_000;
/** Proposals in flight; and whether a core takes all that has come in as one step. */
const LOADS = [[1, false], [64, false], [64, true]] as const;
const SIZES = [[3, 0], [5, 0], [7, 0], [7, 20]] as const;
const IDLE_NODES = 5;
/** Few enough that even a hundred bytes a step do not fill the young generation, and collect it meanwhile. */
const STEPS_A_SAMPLE = 10_000;
const SAMPLES = 100;

/** Of one size of cluster and one number of proposals in flight: a figure a round. */
export interface Throughput {
  readonly voters: number;
  readonly standbys: number;
  readonly inFlight: number;
  /** Whether a core takes all that has come in as one step, as a busy one does. */
  readonly together: boolean;
  readonly commitsPerSecond: readonly number[];
  readonly stepsPerSecond: readonly number[];
  /** Of all members together. */
  readonly stepsPerCommit: number;
}

export interface CoreReport {
  /** Rounds of a plain loop, in millions a second: the machine by itself. */
  readonly processor: { readonly before: number; readonly after: number };
  readonly throughput: readonly Throughput[];
  /** An idle cluster: simulated time by wall time, a figure a round. */
  readonly idleTimesRealTime: readonly number[];
  /** Bytes that a step without effects allocates, by what it was told. */
  readonly bytesPerStep: Readonly<Record<string, number>>;
  /** And how many of those steps were made in a second. */
  readonly emptyStepsPerSecond: Readonly<Record<string, number>>;
}

export function measureCore(rounds: number, seconds: number): CoreReport {
  const before = probeProcessor();
  const throughput = measureThroughput(rounds, seconds);
  const idle = idleCluster();
  const idleTimesRealTime = Array.from({ length: rounds }, () => idle(seconds / 2));
  const steps = Object.entries(inputsWithoutEffects());
  const bytesPerStep = Object.fromEntries(steps.map(([name, input]) => [name, measureAllocation(input)]));
  const emptyStepsPerSecond = Object.fromEntries(steps.map(([name, input]) => [name, measureRate(input)]));
  const processor = { before, after: probeProcessor() };
  return { processor, throughput, idleTimesRealTime, bytesPerStep, emptyStepsPerSecond };
}

function measureThroughput(rounds: number, seconds: number): readonly Throughput[] {
  const cases = SIZES.flatMap(([voters, standbys]) => LOADS.map(([inFlight, together]) => {
    const cluster = new MemoryCluster(voters, standbys, PAYLOAD_BYTES, together);
    cluster.commit(WARM_UP_COMMITS, inFlight);
    const figures = { commits: [] as number[], steps: [] as number[], stepsPerCommit: 0 };
    return { voters, standbys, inFlight, together, cluster, ...figures };
  }));
  for (let round = 0; round < rounds; round++) {
    for (const one of cases) {
      const { cluster } = one;
      const [steps, committed, from] = [cluster.steps, cluster.committed, performance.now()];
      while (performance.now() - from < seconds * 1000) cluster.commit(1000, one.inFlight);
      const elapsed = (performance.now() - from) / 1000;
      one.commits.push((cluster.committed - committed) / elapsed);
      one.steps.push((cluster.steps - steps) / elapsed);
      one.stepsPerCommit = (cluster.steps - steps) / (cluster.committed - committed);
    }
  }
  return cases.map(({ voters, standbys, inFlight, together, commits, steps, stepsPerCommit }) => {
    const perSecond = { commitsPerSecond: commits, stepsPerSecond: steps };
    return { voters, standbys, inFlight, together, stepsPerCommit, ...perSecond };
  });
}

/** Of five nodes without work: heartbeats, and their answers. */
function idleCluster(): (seconds: number) => number {
  const cluster = new MemoryCluster(IDLE_NODES, 0, PAYLOAD_BYTES, false);
  return (seconds) => {
    const [simulatedFrom, from] = [cluster.now, performance.now()];
    while (performance.now() - from < seconds * 1000) for (let times = 0; times < 100; times++) cluster.passTime();
    return (cluster.now - simulatedFrom) / 1000 / (performance.now() - from);
  };
}

type Told = readonly [cluster: MemoryCluster, input: RaftInput];

/** What happens often and asks for nothing: messages that come late, for the most part. */
function inputsWithoutEffects(): Readonly<Record<string, Told>> {
  const cluster = new MemoryCluster(3, 0, PAYLOAD_BYTES, false);
  cluster.commit(WARM_UP_COMMITS, 1);
  // So that there is an earlier term.
  cluster.handOver();
  cluster.commit(WARM_UP_COMMITS, 1);
  const from = cluster.following.id;
  const stale = (cluster.currentTerm - 1) as Term;
  const matchIndex = 1 as LogIndex;
  const result = { accepted: true, matchIndex } as const;
  const reply = { type: "AppendEntriesReply", round: 1, version: 1, hasSpace: true, hasLost: false, result } as const;
  const heard = (message: Extract<RaftInput, { type: "MessageReceived" }>["message"]): Told => {
    return [cluster, { type: "MessageReceived", from, message }];
  };
  return {
    "an acknowledgement of an earlier term": heard({ ...reply, term: stale }),
    "an acknowledgement that came before": heard({ ...reply, term: cluster.currentTerm }),
    "a vote of an earlier term": heard({ type: "RequestVoteReply", term: stale, granted: true }),
    "what was applied before": [cluster, { type: "Applied", index: cluster.leading.applied }],
    "a clock that stood still": [cluster, { type: "ClockStopped" }],
  };
}

function measureAllocation([cluster, input]: Told): number {
  const collect = collector();
  cluster.repeat(input, SAMPLES * STEPS_A_SAMPLE);
  const sample = (steps: number): number => {
    const from = process.memoryUsage().heapUsed;
    cluster.repeat(input, steps);
    return process.memoryUsage().heapUsed - from;
  };
  const samples: number[] = [];
  const empty: number[] = [];
  for (let at = 0; at < SAMPLES; at++) {
    // So that no collection falls into a sample. What the measuring itself allocates is measured, too.
    if (at % 10 === 0) collect();
    empty.push(sample(0));
    samples.push(sample(STEPS_A_SAMPLE));
  }
  return Math.max(0, median(samples) - median(empty)) / STEPS_A_SAMPLE;
}

function measureRate([cluster, input]: Told): number {
  const from = performance.now();
  cluster.repeat(input, SAMPLES * STEPS_A_SAMPLE);
  return (SAMPLES * STEPS_A_SAMPLE) / ((performance.now() - from) / 1000);
}

function collector(): () => void {
  v8.setFlagsFromString("--expose-gc");
  return vm.runInNewContext("gc") as () => void;
}

/** Millions of rounds a second of a loop that touches no memory. */
export function probeProcessor(): number {
  const rounds = 50_000_000;
  const from = performance.now();
  let value = 1;
  for (let at = 0; at < rounds; at++) value = (Math.imul(value, 1_664_525) + 1_013_904_223) | 0;
  const elapsed = (performance.now() - from) / 1000;
  // The result is used, so that the loop is not optimized away.
  return value === 0 ? Number.NaN : rounds / elapsed / 1e6;
}

export function printCore(report: CoreReport): void {
  const { before, after } = report.processor;
  console.log(`a plain loop on this processor: ${before.toFixed(0)} M/s before, ${after.toFixed(0)} M/s after\n`);
  console.log("core/raft alone, in memory, one thread, entries of 100 bytes, medians (lowest to highest round)\n");
  const columns = "in flight           commits/s                   us a commit   steps/s    steps a commit";
  console.log(`members           ${columns}`);
  for (const one of report.throughput) {
    const { voters, standbys, inFlight, together, commitsPerSecond, stepsPerSecond, stepsPerCommit } = one;
    const members = standbys === 0 ? `${voters}` : `${voters} + ${standbys} standbys`;
    const load = `${inFlight}${together ? " together" : ""}`;
    const range = `(${Math.min(...commitsPerSecond).toFixed(0)} to ${Math.max(...commitsPerSecond).toFixed(0)})`;
    const commits = median(commitsPerSecond);
    console.log([
      members.padEnd(17), load.padEnd(13).padStart(17), `${commits.toFixed(0)} ${range}`.padEnd(24).padStart(26),
      (1e6 / commits).toFixed(2).padStart(12), median(stepsPerSecond).toFixed(0).padStart(10),
      stepsPerCommit.toFixed(2).padStart(12),
    ].join(" "));
  }
  const idle = median(report.idleTimesRealTime);
  console.log(`\nan idle cluster of ${IDLE_NODES} (heartbeat 100 ms): ${idle.toFixed(0)}x real time`);
  console.log("\na step without effects            bytes allocated   steps/s");
  for (const [name, bytes] of Object.entries(report.bytesPerStep)) {
    const rate = report.emptyStepsPerSecond[name] ?? Number.NaN;
    console.log(`  ${name.padEnd(38)} ${bytes.toFixed(2).padStart(8)} ${rate.toFixed(0).padStart(10)}`);
  }
}
