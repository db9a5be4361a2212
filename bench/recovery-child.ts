/**
 * `recovery-child DIRECTORY`: starts storage there, takes all pages into memory, as a page store does, and reads the
 * log behind them. What it took, as JSON.
 */
import type { LogIndex } from "../core/types.ts";
import { StorageHost } from "./storage-host.ts";

export interface RecoveryTimes {
  /** Until the directory was known to be sound. */
  readonly judgedSeconds: number;
  readonly restoredSeconds: number;
  readonly readSeconds: number;
  readonly allSeconds: number;
  readonly peakBytes: number;
}

const READ_BYTES = 1024 * 1024;

const from = performance.now();
const secondsFrom = (begun: number): number => (performance.now() - begun) / 1000;
const { host, recovered: { recovered } } = await StorageHost.open(process.argv[2]!);
const judgedSeconds = secondsFrom(from);

const restoreFrom = performance.now();
const held: Uint8Array[] = [];
host.onNews = (news) => {
  if (news.type === "PagesRestored") for (const { number, bytes } of news.pages) held[number] = bytes;
};
if (recovered.snapshot !== null) await host.restore(recovered.snapshot);
const restoredSeconds = secondsFrom(restoreFrom);

const readFrom = performance.now();
const { last } = recovered.log;
let next = (recovered.snapshot?.entry.index ?? 0) + 1;
while (next <= last.index) {
  const { entries } = await host.read(next as LogIndex, (last.index + 1) as LogIndex, READ_BYTES);
  next += entries.length;
}
const readSeconds = secondsFrom(readFrom);

const peakBytes = process.resourceUsage().maxRSS * 1024;
const allSeconds = secondsFrom(from);
console.log(JSON.stringify({ judgedSeconds, restoredSeconds, readSeconds, allSeconds, peakBytes }));
await host.close();
