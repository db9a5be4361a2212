/**
 * `npm run bench -- [--rounds 3] [--seconds 2] [--failovers 5] [--only core|storage|cluster|simulator]
 * [--large] [--json]`
 *
 * In four parts. *core*: consensus alone, in memory (core.ts). *storage*: storage alone, on the disk of `--directory`
 * (storage.ts); with a database of a gigabyte, too, if `--large`. *cluster*: three processes on this machine with real
 * disks, and a client in a fourth, beside a probe of the disk before and after. *simulator*: how fast it runs (sim.ts).
 * Rounds are interleaved and medians printed, because disks and machines have moods: compare figures only with those of
 * the same run. Nothing here is asserted.
 */
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { parseArgs } from "node:util";
import { connect, type Database } from "../cli/index.ts";
import { ProcessCluster } from "../cli/process-cluster.ts";
import { bytesWritten, probeDisk } from "./disk-probe.ts";
import { measureCore, printCore, type CoreReport } from "./core.ts";
import { CREATE_TABLE, failoverMs, insertFor, type LoadResult } from "./load.ts";
import { median } from "./quantile.ts";
import { measureSimulator, printSimulator, type SimulatorReport } from "./sim.ts";
import { measureStorage, printStorage, type StorageReport } from "./storage.ts";

const CLI = path.join(import.meta.dirname, "../cli");
const PARTS = ["core", "storage", "cluster", "simulator"];
const WRITERS = [1, 64];
const PROBE_SECONDS = 1;
const WARM_UP_SECONDS = 3;
const NODES = 3;

interface Options {
  readonly rounds: number;
  readonly seconds: number;
  readonly failovers: number;
  /** Which part is measured; null: all. */
  readonly only: string | null;
  /** Storage is measured with a large database, too: minutes. */
  readonly large: boolean;
  readonly json: boolean;
  /** Where the nodes keep their data: the disk that is measured. */
  readonly directory: string;
}

interface Measured extends LoadResult {
  /** The whole device's, so other programs' too; null: unknown. */
  readonly bytesPerNodeAndInsert: number | null;
}

interface Report {
  /** null, here and below: not measured. */
  readonly core: CoreReport | null;
  readonly storage: StorageReport | null;
  readonly cluster: ClusterReport | null;
  readonly simulator: SimulatorReport | null;
}

interface ClusterReport {
  readonly fdatasyncPerSecond: { readonly before: number; readonly after: number };
  readonly writers: Readonly<Record<string, readonly Measured[]>>;
  readonly failoverMs: readonly number[];
}

async function measure(cluster: ProcessCluster, database: Database, options: Options): Promise<ClusterReport> {
  const { directory, rounds, seconds } = options;
  const before = await probeDisk(directory, PROBE_SECONDS);
  const writers: Record<string, Measured[]> = {};
  await database.exec(CREATE_TABLE);
  // Until compilers and caches are warm, on each of the ways that are measured.
  for (const count of WRITERS) await insertFor(database, count, WARM_UP_SECONDS);
  for (let round = 0; round < rounds; round++) {
    for (const count of WRITERS) {
      const from = bytesWritten(directory);
      const load = await insertFor(database, count, seconds);
      const end = bytesWritten(directory);
      const bytesPerNodeAndInsert = from === null || end === null ? null : (end - from) / NODES / load.inserts;
      (writers[count] ??= []).push({ ...load, bytesPerNodeAndInsert });
    }
  }
  const failovers: number[] = [];
  for (let at = 0; at < options.failovers; at++) {
    if (!(await cluster.converged(30_000))) throw new Error("the nodes did not come to the same log");
    const leader = cluster.leader!;
    failovers.push(await failoverMs(database, 4, () => cluster.kill(leader)));
    cluster.start(leader);
  }
  const after = await probeDisk(directory, PROBE_SECONDS);
  return { fdatasyncPerSecond: { before, after }, writers, failoverMs: failovers };
}

function print({ core, storage, cluster, simulator }: Report): void {
  if (core !== null) printCore(core);
  if (storage !== null) printStorage(storage);
  if (cluster !== null) printCluster(cluster);
  if (simulator !== null) printSimulator(simulator);
}

function printCluster(report: ClusterReport): void {
  const { before, after } = report.fdatasyncPerSecond;
  console.log(`\nfdatasync of 4 KiB on this disk: ${before.toFixed(0)}/s before, ${after.toFixed(0)}/s after\n`);
  console.log("three processes, one row an insert, medians (lowest to highest round)\n");
  console.log("writers   inserts/s               p50 ms   p99 ms   bytes a node and insert");
  for (const [writers, rounds] of Object.entries(report.writers)) {
    const rates = rounds.map(({ perSecond }) => perSecond);
    const range = `(${Math.min(...rates).toFixed(0)} to ${Math.max(...rates).toFixed(0)})`;
    const bytes = rounds.map(({ bytesPerNodeAndInsert }) => bytesPerNodeAndInsert ?? Number.NaN);
    console.log([
      writers.padStart(7), `${median(rates).toFixed(0)} ${range}`.padEnd(22).padStart(24),
      median(rounds.map(({ p50Ms }) => p50Ms)).toFixed(2).padStart(7),
      median(rounds.map(({ p99Ms }) => p99Ms)).toFixed(2).padStart(8), median(bytes).toFixed(0).padStart(10),
    ].join(" "));
  }
  const failovers = [...report.failoverMs].sort((a, b) => a - b).map((ms) => ms.toFixed(0));
  const failover = median(report.failoverMs).toFixed(0);
  console.log(`\nSIGKILL of the leader to the next acknowledged insert: median ${failover} ms`);
  console.log(`  (${failovers.join(", ")})`);
}

function parseOptions(args: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...args],
    options: {
      rounds: { type: "string", default: "3" }, seconds: { type: "string", default: "2" },
      failovers: { type: "string", default: "5" }, only: { type: "string" },
      large: { type: "boolean", default: false }, json: { type: "boolean", default: false },
      directory: { type: "string", default: os.tmpdir() },
    },
  });
  const { rounds, seconds, failovers, only, large, json, directory } = values;
  const isPart = only === undefined || PARTS.includes(only);
  if (!isPart) throw new Error(`--only is "${only}": there are ${PARTS.join(", ")}`);
  return {
    rounds: Number(rounds), seconds: Number(seconds), failovers: Number(failovers), only: only ?? null, large, json,
    directory: fs.mkdtempSync(path.join(directory, "quorumlite-bench-")),
  };
}

async function main(options: Options): Promise<void> {
  const { only, rounds, seconds, large, directory } = options;
  const isWanted = (part: string): boolean => only === null || only === part;
  const core = isWanted("core") ? measureCore(rounds, seconds) : null;
  const storage = isWanted("storage") ? await measureStorage(directory, rounds, large) : null;
  const cluster = isWanted("cluster") ? await measureCluster(options) : null;
  const simulator = isWanted("simulator") ? await measureSimulator(rounds) : null;
  const report: Report = { core, storage, cluster, simulator };
  fs.rmSync(directory, { recursive: true, force: true });
  if (options.json) console.log(JSON.stringify(report, null, 2));
  else print(report);
}

async function measureCluster(options: Options): Promise<ClusterReport> {
  const cluster = await ProcessCluster.create(options.directory, path.join(CLI, "quorumlite.js"), {
    leads: () => {},
    died: (node, detail) => {
      throw new Error(`${node} ended by itself: ${detail}`);
    },
  });
  const cleanUp = async (): Promise<void> => {
    await cluster.killAll();
    fs.rmSync(options.directory, { recursive: true, force: true });
  };
  process.once("SIGINT", () => void cleanUp().then(() => process.exit(130)));
  for (const id of cluster.ids) cluster.start(id);
  const database = await connect(cluster.addresses, { callTimeoutMs: 30_000 });
  try {
    return await measure(cluster, database, options);
  } finally {
    await database.close();
    await cleanUp();
  }
}

await main(parseOptions(process.argv.slice(2)));
