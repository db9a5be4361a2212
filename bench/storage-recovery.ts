/**
 * How long a start takes, and what memory, with a database of this size and a log of this length behind its snapshot:
 * in a process of its own (recovery-child.ts). First from files that nobody has read lately, then once more.
 */
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { Random } from "../core/random.ts";
import { PageSource } from "./page-source.ts";
import type { RecoveryTimes } from "./recovery-child.ts";
import { StorageHost } from "./storage-host.ts";

const MIB = 1024 * 1024;
const CHILD = path.join(import.meta.dirname, "recovery-child.js");
const PAYLOAD_BYTES = 4000;
/** So many checkpoints of so many pages each, so that there is more than one file. */
const LATER_CHECKPOINTS = 5;
const LATER_PAGES = 1000;

export interface RecoveryFigures {
  readonly databaseBytes: number;
  readonly logBytes: number;
  readonly pageFiles: number;
  /** What the pages are held in by the one who restores them is in it. */
  readonly cold: RecoveryTimes;
  readonly warm: RecoveryTimes;
}

export async function measureRecovery(directory: string, size: number, logBytes: number): Promise<RecoveryFigures> {
  const host = await StorageHost.create(path.join(directory, "recovery"));
  const source = new PageSource(size, Random.fromNumber(size));
  for (let round = 0; round <= LATER_CHECKPOINTS; round++) {
    if (round > 0) source.changePages(LATER_PAGES);
    await host.append(new Uint8Array(PAYLOAD_BYTES));
    host.compact((await host.checkpoint(source.cut())).entry);
    await host.rest();
  }
  const payload = new Uint8Array(PAYLOAD_BYTES).fill(7);
  const appends = Array.from({ length: Math.ceil(logBytes / PAYLOAD_BYTES) }, () => host.append(payload));
  await Promise.all(appends);
  await host.close();
  const files = fs.readdirSync(host.directory);
  for (const file of files) forget(path.join(host.directory, file));
  const cold = recoverIn(host.directory);
  const warm = recoverIn(host.directory);
  fs.rmSync(host.directory, { recursive: true });
  const pageFiles = files.filter((file) => file.startsWith("pages-")).length;
  return { databaseBytes: size, logBytes, pageFiles, cold, warm };
}

/** The system lets go of what it has of the file in memory, where dd can ask for it. */
function forget(file: string): void {
  spawnSync("dd", [`if=${file}`, "iflag=nocache", "count=0"], { stdio: "ignore" });
}

function recoverIn(directory: string): RecoveryTimes {
  const { stdout, stderr, status } = spawnSync(process.execPath, [CHILD, directory], { encoding: "utf8" });
  if (status !== 0) throw new Error(`recovery failed: ${stderr}`);
  return JSON.parse(stdout) as RecoveryTimes;
}

export function printRecovery(figures: RecoveryFigures): void {
  const { databaseBytes, logBytes, pageFiles, cold, warm } = figures;
  const mebibytes = (count: number): string => `${(count / MIB).toFixed(0)} MiB`;
  const database = `${mebibytes(databaseBytes)} in ${pageFiles} files`;
  console.log(`\nrecovery: a database of ${database}, ${mebibytes(logBytes)} of log behind it\n`);
  console.log("         judged s   pages s   entries s   all s   peak MiB");
  for (const [name, times] of [["cold", cold], ["warm", warm]] as const) {
    console.log([
      name, times.judgedSeconds.toFixed(2).padStart(12), times.restoredSeconds.toFixed(2).padStart(9),
      times.readSeconds.toFixed(2).padStart(11), times.allSeconds.toFixed(2).padStart(7),
      (times.peakBytes / MIB).toFixed(0).padStart(10),
    ].join(" "));
  }
}
