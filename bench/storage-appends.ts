/**
 * How often a second storage makes a record of 4 KiB durable: with one order waiting, and with 64. It takes turns with
 * the disk by itself, by the fraction of a second, because the disk's moods last longer than that: so what is compared
 * is each turn with the one beside it.
 */
import fs from "node:fs";
import path from "node:path";
import { Random } from "../core/random.ts";
import { DiskProbe, PROBE_BYTES, bytesWritten } from "./disk-probe.ts";
import { pausesFor } from "./pauses.ts";
import { PAGE_SIZE, PageSource } from "./page-source.ts";
import { median, quantile } from "./quantile.ts";
import { StorageHost } from "./storage-host.ts";

/** What a record holds beside its payload is in core/storage/record.ts. */
const RECORD_HEADER_BYTES = 64;
const WAITING = [1, 64] as const;
const TURN_SECONDS = 0.25;
const WARM_UP_TURNS = 4;

export interface AppendFigures {
  readonly waiting: number;
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Of the disk by itself, with one waiting. */
  readonly probePerSecond: number;
  readonly probeP50Ms: number;
  readonly probeP99Ms: number;
  /** Of each turn, by the probe's beside it: the median. */
  readonly ratio: number;
  /** The whole device's, so other programs' too; null: unknown. */
  readonly bytesPerAppend: number | null;
  readonly probeBytesPerAppend: number | null;
}

interface Turn {
  readonly latencies: readonly number[];
  readonly perSecond: number;
  readonly bytesPerAppend: number;
}

export async function measureAppends(directory: string, turns: number): Promise<readonly AppendFigures[]> {
  const host = await StorageHost.create(path.join(directory, "appends"));
  const probe = new DiskProbe(directory);
  const source = new PageSource(PAGE_SIZE, Random.fromNumber(1));
  const payload = new Uint8Array(PROBE_BYTES - RECORD_HEADER_BYTES).fill(7);
  const append = (): Promise<void> => host.append(payload);
  for (let turn = 0; turn < WARM_UP_TURNS; turn++) for (const waiting of WAITING) await appendFor(append, waiting);
  const figures: AppendFigures[] = [];
  for (const waiting of WAITING) {
    const own: Turn[] = [];
    const bare: Turn[] = [];
    for (let turn = 0; turn < turns; turn++) {
      bare.push(await measure(directory, () => pausesFor(probe.write, TURN_SECONDS)));
      own.push(await measure(directory, () => appendFor(append, waiting)));
      // So that the log does not grow without bound.
      host.compact((await host.checkpoint(source.cut())).entry);
      await host.rest();
    }
    figures.push(figuresOf(waiting, own, bare));
  }
  probe.close();
  await host.close();
  fs.rmSync(host.directory, { recursive: true });
  return figures;
}

async function measure(directory: string, run: () => Promise<number[]>): Promise<Turn> {
  const [bytesFrom, from] = [bytesWritten(directory), performance.now()];
  const latencies = await run();
  const perSecond = latencies.length / ((performance.now() - from) / 1000);
  const bytesPerAppend = ((bytesWritten(directory) ?? Number.NaN) - (bytesFrom ?? Number.NaN)) / latencies.length;
  return { latencies, perSecond, bytesPerAppend };
}

async function appendFor(append: () => Promise<void>, waiting: number): Promise<number[]> {
  const all = await Promise.all(Array.from({ length: waiting }, () => pausesFor(append, TURN_SECONDS)));
  return all.flat();
}

function figuresOf(waiting: number, own: readonly Turn[], bare: readonly Turn[]): AppendFigures {
  const ofAll = (turns: readonly Turn[], q: number): number => {
    return quantile(turns.flatMap(({ latencies }) => [...latencies]).sort((a, b) => a - b), q);
  };
  const rateOf = (turns: readonly Turn[]): number => median(turns.map(({ perSecond }) => perSecond));
  const bytesOf = (turns: readonly Turn[]): number | null => {
    const bytes = median(turns.map(({ bytesPerAppend }) => bytesPerAppend));
    return Number.isNaN(bytes) ? null : bytes;
  };
  return {
    waiting, perSecond: rateOf(own), p50Ms: ofAll(own, 0.5), p99Ms: ofAll(own, 0.99),
    probePerSecond: rateOf(bare), probeP50Ms: ofAll(bare, 0.5), probeP99Ms: ofAll(bare, 0.99),
    ratio: median(own.map(({ perSecond }, at) => perSecond / bare[at]!.perSecond)),
    bytesPerAppend: bytesOf(own), probeBytesPerAppend: bytesOf(bare),
  };
}

export function printAppends(figures: readonly AppendFigures[]): void {
  console.log("\nrecords of 4 KiB made durable, in turns with the disk by itself (4 KiB and fdatasync), medians\n");
  const disk = "the disk/s   p50 ms   p99 ms";
  console.log(`waiting   records/s   p50 ms   p99 ms   ${disk}   ratio   bytes a record   the disk's`);
  for (const one of figures) {
    const bytes = (count: number | null): string => (count === null ? "?" : count.toFixed(0));
    console.log([
      String(one.waiting).padStart(7), one.perSecond.toFixed(0).padStart(11), one.p50Ms.toFixed(3).padStart(8),
      one.p99Ms.toFixed(2).padStart(8), one.probePerSecond.toFixed(0).padStart(12),
      one.probeP50Ms.toFixed(3).padStart(8), one.probeP99Ms.toFixed(2).padStart(8),
      `${(one.ratio * 100).toFixed(0)}%`.padStart(7), bytes(one.bytesPerAppend).padStart(16),
      bytes(one.probeBytesPerAppend).padStart(12),
    ].join(" "));
  }
}
