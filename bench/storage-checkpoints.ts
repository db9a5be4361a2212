/**
 * What a checkpoint costs, by the pages that have changed and by the size of the database, while a writer goes on: it
 * makes one small record durable after the other, and its longest pause is what matters. Beside each checkpoint stands
 * as long a time without one.
 */
import fs from "node:fs";
import path from "node:path";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { Random } from "../core/random.ts";
import { EngineSource } from "./engine-source.ts";
import { PAGE_SIZE, PageSource, type ChangingPages } from "./page-source.ts";
import { median, quantile } from "./quantile.ts";
import { StorageHost } from "./storage-host.ts";

const MIB = 1024 * 1024;
/** Pages changed, and how many such checkpoints a round has: the shorter they are, the more it takes to see a tail. */
const KINDS = [[100, 10], [1000, 5], [10_000, 1]] as const;
const PAYLOAD_BYTES = 400;
const MIN_QUIET_SECONDS = 0.05;
const WARM_UP_SECONDS = 1;

export interface CheckpointFigures {
  readonly databaseBytes: number;
  /** Real SQLite, or pages of noise. */
  readonly isSqlite: boolean;
  readonly changedPages: number;
  /** By the checkpoint itself; and with the merges that followed it, the mean of all rounds. */
  readonly bytes: number;
  readonly bytesWithMerges: number;
  readonly seconds: number;
  /** Of the writer, from one acknowledgement to the next. */
  readonly during: Pauses;
  readonly without: Pauses;
  /** The longest time for which the event loop did not come round. */
  readonly stallMs: number;
}

interface Pauses {
  readonly p999Ms: number;
  readonly longestMs: number;
}

interface Round {
  readonly bytes: number;
  readonly bytesWithMerges: number;
  readonly seconds: number;
  readonly during: readonly number[];
  readonly without: readonly number[];
  readonly stallMs: number;
}

/** Of databases of noise of these sizes, and of one in SQLite. */
export async function measureCheckpoints(
  directory: string, sizes: readonly number[], sqliteSize: number, rounds: number,
): Promise<readonly CheckpointFigures[]> {
  const figures: CheckpointFigures[] = [];
  const measure = async (size: number, isSqlite: boolean): Promise<void> => {
    const random = Random.fromNumber(size);
    const source = isSqlite ? new EngineSource(size, random) : new PageSource(size, random);
    const host = await StorageHost.create(path.join(directory, `checkpoints-${size}`));
    for (const [count, all] of await measureSource(host, source, rounds)) {
      figures.push({ databaseBytes: size, isSqlite, ...figuresOf(Math.min(count, source.pageCount), all) });
    }
    await host.close();
    fs.rmSync(host.directory, { recursive: true });
  };
  for (const size of sizes) await measure(size, false);
  await measure(sqliteSize, true);
  return figures;
}

/** By the number of pages changed. */
async function measureSource(host: StorageHost, source: ChangingPages, rounds: number): Promise<Map<number, Round[]>> {
  const writer = new Writer(host);
  await writer.runFor(WARM_UP_SECONDS);
  await checkpoint(host, writer, source);
  const byCount = new Map<number, Round[]>(KINDS.map(([count]) => [count, []]));
  for (let round = 0; round < rounds; round++) {
    for (const [count, times] of KINDS) {
      for (let at = 0; at < times; at++) {
        source.changePages(count);
        byCount.get(count)!.push(await checkpoint(host, writer, source));
      }
    }
  }
  return byCount;
}

async function checkpoint(host: StorageHost, writer: Writer, source: ChangingPages): Promise<Round> {
  const bytesFrom = host.pageBytes;
  const delays = monitorEventLoopDelay({ resolution: 1 });
  const run = writer.run();
  delays.enable();
  const from = performance.now();
  const { entry } = await host.checkpoint(source.cut());
  const seconds = (performance.now() - from) / 1000;
  source.endCut(true);
  delays.disable();
  const during = await run.stop();
  const bytes = host.pageBytes - bytesFrom;
  host.compact(entry);
  await host.rest();
  const bytesWithMerges = host.pageBytes - bytesFrom;
  const without = await writer.runFor(Math.max(seconds, MIN_QUIET_SECONDS));
  return { bytes, bytesWithMerges, seconds, during, without, stallMs: delays.max / 1e6 };
}

/** Makes one record durable after the other. */
class Writer {
  private readonly host: StorageHost;
  private readonly payload = new Uint8Array(PAYLOAD_BYTES).fill(7);

  constructor(host: StorageHost) {
    this.host = host;
  }

  /** The milliseconds from one acknowledgement to the next. */
  run(): { stop(): Promise<number[]> } {
    let isOver = false;
    const pauses: number[] = [];
    const write = async (): Promise<void> => {
      for (let from = performance.now(); !isOver; ) {
        await this.host.append(this.payload);
        const now = performance.now();
        pauses.push(now - from);
        from = now;
      }
    };
    const writing = write();
    return {
      stop: async () => {
        isOver = true;
        await writing;
        return pauses;
      },
    };
  }

  async runFor(seconds: number): Promise<number[]> {
    const run = this.run();
    await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
    return run.stop();
  }
}

function figuresOf(
  changedPages: number, rounds: readonly Round[],
): Omit<CheckpointFigures, "databaseBytes" | "isSqlite"> {
  const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
  return {
    changedPages,
    bytes: median(rounds.map(({ bytes }) => bytes)),
    bytesWithMerges: mean(rounds.map(({ bytesWithMerges }) => bytesWithMerges)),
    seconds: median(rounds.map(({ seconds }) => seconds)),
    during: pausesOf(rounds.flatMap(({ during }) => [...during])),
    without: pausesOf(rounds.flatMap(({ without }) => [...without])),
    stallMs: Math.max(...rounds.map(({ stallMs }) => stallMs)),
  };
}

function pausesOf(pauses: number[]): Pauses {
  pauses.sort((a, b) => a - b);
  return { p999Ms: quantile(pauses, 0.999), longestMs: pauses.at(-1) ?? Number.NaN };
}

export function printCheckpoints(figures: readonly CheckpointFigures[]): void {
  console.log("\ncheckpoints while a writer goes on: its pauses in ms, beside those of as long a time without one\n");
  const pauses = "   p99.9   longest   without: p99.9   longest   event loop";
  console.log(`    database MiB   changed pages   MiB written   with merges   seconds${pauses}`);
  for (const one of figures) {
    const { changedPages, bytes, bytesWithMerges, seconds, during, without, stallMs } = one;
    const mebibytes = (count: number, digits: number): string => (count / MIB).toFixed(digits);
    const database = `${one.isSqlite ? "SQLite " : ""}${mebibytes(one.databaseBytes, 0)}`;
    console.log([
      database.padStart(16), String(changedPages).padStart(15), mebibytes(bytes, 2).padStart(13),
      mebibytes(bytesWithMerges, 2).padStart(13), seconds.toFixed(3).padStart(9), during.p999Ms.toFixed(1).padStart(7),
      during.longestMs.toFixed(1).padStart(9), without.p999Ms.toFixed(1).padStart(16),
      without.longestMs.toFixed(1).padStart(9), stallMs.toFixed(1).padStart(12),
    ].join(" "));
  }
  console.log(`(a page has ${PAGE_SIZE} bytes)`);
}
