/**
 * What a checkpoint costs, by the pages that have changed and by the size of the database, while a writer goes on: it
 * makes one small record durable after the other, and its longest pause is what matters. Each checkpoint, and the
 * merges behind it, stand beside as long a time without them; and beside the machine's own: a bare file that is written
 * and synced, alone, and while a plain program writes as many bytes as the checkpoint.
 */
import { fork } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { Random } from "../core/random.ts";
import { DiskProbe } from "./disk-probe.ts";
import { EngineSource } from "./engine-source.ts";
import { PAGE_SIZE, PageSource, type ChangingPages } from "./page-source.ts";
import { type Pauses, pausesFor, pausesWhile, summaryOf } from "./pauses.ts";
import { median } from "./quantile.ts";
import { StorageHost } from "./storage-host.ts";

const MIB = 1024 * 1024;
/** Pages changed, and how many such checkpoints a round has: the shorter they are, the more it takes to see a tail. */
const KINDS = [[100, 10], [1000, 5], [10_000, 2]] as const;
const PAYLOAD_BYTES = 400;
const MIN_QUIET_SECONDS = 0.05;
const WARM_UP_SECONDS = 1;

/** Where the writer's pauses are taken. */
const PHASES = ["during", "merging", "without", "bareBeside", "bare"] as const;
type Phase = (typeof PHASES)[number];

export interface CheckpointFigures {
  readonly databaseBytes: number;
  /** Real SQLite, or pages of noise. */
  readonly isSqlite: boolean;
  readonly changedPages: number;
  /** By the checkpoint itself; and with the merges that followed it, the mean of all rounds. */
  readonly bytes: number;
  readonly bytesWithMerges: number;
  readonly seconds: number;
  /** From one acknowledgement to the next; `bare`: of the machine's own writer, alone and beside a plain program. */
  readonly pauses: Readonly<Record<Phase, Pauses>>;
  /** The longest time for which the event loop did not come round during a checkpoint. */
  readonly stallMs: number;
}

interface Round {
  readonly bytes: number;
  readonly bytesWithMerges: number;
  readonly seconds: number;
  readonly pauses: Readonly<Record<Phase, readonly number[]>>;
  readonly stallMs: number;
}

/** The machine by itself. */
class Machine {
  readonly probe: DiskProbe;
  private readonly file: string;
  private readonly program;

  constructor(directory: string) {
    this.probe = new DiskProbe(directory);
    this.file = path.join(directory, "plain");
    this.program = fork(path.join(import.meta.dirname, "plain-writer.js"), [this.file]);
  }

  /** The pauses of the bare writer while the program writes so many bytes. */
  async pausesBeside(bytes: number): Promise<number[]> {
    const pauses = await pausesWhile(this.probe.write, () => new Promise((resolve) => {
      this.program.once("message", resolve);
      this.program.send(bytes);
    }));
    fs.rmSync(this.file);
    return pauses;
  }

  close(): void {
    this.program.disconnect();
    this.probe.close();
  }
}

/** Of databases of noise of these sizes, and of one in SQLite. */
export async function measureCheckpoints(
  directory: string, sizes: readonly number[], sqliteSize: number, rounds: number,
): Promise<readonly CheckpointFigures[]> {
  const figures: CheckpointFigures[] = [];
  const machine = new Machine(directory);
  const measure = async (size: number, isSqlite: boolean): Promise<void> => {
    const random = Random.fromNumber(size);
    const source = isSqlite ? new EngineSource(size, random) : new PageSource(size, random);
    const host = await StorageHost.create(path.join(directory, `checkpoints-${size}`));
    for (const [count, all] of await new Measurement(machine, host, source).run(rounds)) {
      figures.push({ databaseBytes: size, isSqlite, ...figuresOf(Math.min(count, source.pageCount), all) });
    }
    await host.close();
    fs.rmSync(host.directory, { recursive: true });
  };
  for (const size of sizes) await measure(size, false);
  await measure(sqliteSize, true);
  machine.close();
  return figures;
}

class Measurement {
  private readonly machine: Machine;
  private readonly host: StorageHost;
  private readonly source: ChangingPages;
  private readonly payload = new Uint8Array(PAYLOAD_BYTES).fill(7);

  constructor(machine: Machine, host: StorageHost, source: ChangingPages) {
    this.machine = machine;
    this.host = host;
    this.source = source;
  }

  /** By the number of pages changed. */
  async run(rounds: number): Promise<Map<number, Round[]>> {
    await pausesFor(this.append, WARM_UP_SECONDS);
    await this.checkpoint();
    const byCount = new Map<number, Round[]>(KINDS.map(([count]) => [count, []]));
    for (let round = 0; round < rounds; round++) {
      for (const [count, times] of KINDS) {
        for (let at = 0; at < times; at++) {
          this.source.changePages(count);
          byCount.get(count)!.push(await this.checkpoint());
        }
      }
    }
    return byCount;
  }

  private readonly append = (): Promise<void> => this.host.append(this.payload);

  private async checkpoint(): Promise<Round> {
    const { host, source, machine, append } = this;
    const bytesFrom = host.pageBytes;
    const delays = monitorEventLoopDelay({ resolution: 1 });
    delays.enable();
    const from = performance.now();
    let entry = null;
    let seconds = 0;
    const during = await pausesWhile(append, async () => {
      ({ entry } = await host.checkpoint(source.cut()));
      seconds = (performance.now() - from) / 1000;
      source.endCut(true);
      delays.disable();
    });
    const bytes = host.pageBytes - bytesFrom;
    host.compact(entry!);
    const merging = await pausesWhile(append, () => host.rest());
    const bytesWithMerges = host.pageBytes - bytesFrom;
    const quietSeconds = Math.max(seconds, MIN_QUIET_SECONDS);
    const without = await pausesFor(append, quietSeconds);
    const bareBeside = await machine.pausesBeside(bytes);
    const bare = await pausesFor(machine.probe.write, quietSeconds);
    const pauses = { during, merging, without, bareBeside, bare };
    return { bytes, bytesWithMerges, seconds, pauses, stallMs: delays.max / 1e6 };
  }
}

function figuresOf(
  changedPages: number, rounds: readonly Round[],
): Omit<CheckpointFigures, "databaseBytes" | "isSqlite"> {
  const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
  const pauses = PHASES.map((phase) => [phase, summaryOf(rounds.flatMap((round) => round.pauses[phase]))] as const);
  return {
    changedPages,
    bytes: median(rounds.map(({ bytes }) => bytes)),
    bytesWithMerges: mean(rounds.map(({ bytesWithMerges }) => bytesWithMerges)),
    seconds: median(rounds.map(({ seconds }) => seconds)),
    pauses: Object.fromEntries(pauses) as Record<Phase, Pauses>,
    stallMs: Math.max(...rounds.map(({ stallMs }) => stallMs)),
  };
}

export function printCheckpoints(figures: readonly CheckpointFigures[]): void {
  console.log("\ncheckpoints while a writer goes on: its pauses in ms, p99.9 (the longest), during a checkpoint, the");
  console.log("merges behind it, and as long a time without; and those of a bare file on this machine, while a plain");
  console.log("program writes as much (bareBeside), and alone\n");
  const columns = [...PHASES.map((phase) => phase.padStart(16)), "event loop".padStart(13)].join("");
  console.log(`    database MiB   changed pages   MiB written   with merges   seconds${columns}`);
  for (const one of figures) {
    const { changedPages, bytes, bytesWithMerges, seconds, pauses, stallMs } = one;
    const mebibytes = (count: number, digits: number): string => (count / MIB).toFixed(digits);
    const database = `${one.isSqlite ? "SQLite " : ""}${mebibytes(one.databaseBytes, 0)}`;
    const shown = PHASES.map((phase) => `${pauses[phase].p999Ms.toFixed(1)} (${pauses[phase].longestMs.toFixed(1)})`);
    console.log([
      database.padStart(16), String(changedPages).padStart(15), mebibytes(bytes, 2).padStart(13),
      mebibytes(bytesWithMerges, 2).padStart(13), seconds.toFixed(3).padStart(9),
      ...shown.map((text) => text.padStart(15)), stallMs.toFixed(1).padStart(12),
    ].join(" "));
  }
  console.log(`(a page has ${PAGE_SIZE} bytes)`);
}
