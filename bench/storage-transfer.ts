/**
 * How fast a snapshot goes from one storage to another, piece by piece as Raft sends it and installed at the end, while
 * the sender makes 1,000 records a second durable; and once more when the receiver has an older one.
 */
import fs from "node:fs";
import path from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { DEFAULT_LIMITS } from "../core/raft/boundary.ts";
import type { SnapshotId } from "../core/raft/message.ts";
import { Random } from "../core/random.ts";
import { PageSource } from "./page-source.ts";
import { quantile } from "./quantile.ts";
import { StorageHost } from "./storage-host.ts";

const MIB = 1024 * 1024;
const WRITES_PER_SECOND = 1000;
const PAYLOAD_BYTES = 400;
const LATER_PAGES = 1000;

export interface TransferFigures {
  readonly what: string;
  /** Of the stream, and what of it was sent. */
  readonly streamBytes: number;
  readonly sentBytes: number;
  readonly seconds: number;
  /** Of the writes meanwhile. */
  readonly writesPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

export async function measureTransfer(directory: string, size: number): Promise<readonly TransferFigures[]> {
  const sender = await StorageHost.create(path.join(directory, "sender"));
  const receiver = await StorageHost.create(path.join(directory, "receiver"));
  const source = new PageSource(size, Random.fromNumber(size));
  const figures: TransferFigures[] = [];
  for (const what of ["whole", "incremental"]) {
    if (figures.length > 0) source.changePages(LATER_PAGES);
    await sender.append(new Uint8Array(PAYLOAD_BYTES));
    const snapshot = await sender.checkpoint(source.cut());
    figures.push({ what, ...(await transfer(sender, receiver, snapshot)) });
  }
  for (const host of [sender, receiver]) {
    await host.close();
    fs.rmSync(host.directory, { recursive: true });
  }
  return figures;
}

async function transfer(
  sender: StorageHost, receiver: StorageHost, snapshot: SnapshotId,
): Promise<Omit<TransferFigures, "what">> {
  const writer = writeSteadily(sender);
  const from = performance.now();
  let sentBytes = 0;
  sender.pin(snapshot);
  for (let at = 0; at < snapshot.size; ) {
    const { bytes } = await sender.readSnapshot(snapshot, at, DEFAULT_LIMITS.snapshotChunkBytes);
    if (bytes === null) throw new Error("a pinned snapshot is there");
    sentBytes += bytes.length;
    at = (await receiver.storeChunk(snapshot, at, bytes)).end!;
  }
  await receiver.persist({ snapshot });
  const seconds = (performance.now() - from) / 1000;
  sender.release(snapshot);
  const latencies = await writer.stop();
  return {
    streamBytes: snapshot.size, sentBytes, seconds, writesPerSecond: latencies.length / seconds,
    p50Ms: quantile(latencies, 0.5), p99Ms: quantile(latencies, 0.99),
  };
}

/** Whether or not those before are durable. */
function writeSteadily(host: StorageHost): { stop(): Promise<number[]> } {
  const payload = new Uint8Array(PAYLOAD_BYTES).fill(7);
  const latencies: number[] = [];
  const appends: Promise<void>[] = [];
  let isOver = false;
  const from = performance.now();
  const append = async (): Promise<void> => {
    const begun = performance.now();
    await host.append(payload);
    latencies.push(performance.now() - begun);
  };
  const write = async (): Promise<void> => {
    while (!isOver) {
      const due = ((performance.now() - from) / 1000) * WRITES_PER_SECOND;
      while (appends.length < due) appends.push(append());
      await pause(1);
    }
  };
  const writing = write();
  return {
    stop: async () => {
      isOver = true;
      await writing;
      await Promise.all(appends);
      return latencies.sort((a, b) => a - b);
    },
  };
}

export function printTransfer(figures: readonly TransferFigures[]): void {
  console.log(`\na snapshot sent to another node while ${WRITES_PER_SECOND} writes/s go on\n`);
  console.log("              stream MiB   sent MiB   seconds   MiB/s   writes/s   p50 ms   p99 ms");
  for (const one of figures) {
    console.log([
      one.what.padEnd(12), (one.streamBytes / MIB).toFixed(1).padStart(11),
      (one.sentBytes / MIB).toFixed(1).padStart(10),
      one.seconds.toFixed(2).padStart(9), (one.sentBytes / MIB / one.seconds).toFixed(0).padStart(7),
      one.writesPerSecond.toFixed(0).padStart(10), one.p50Ms.toFixed(2).padStart(8), one.p99Ms.toFixed(2).padStart(8),
    ].join(" "));
  }
}
