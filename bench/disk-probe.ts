/** The disk by itself: how often a second it makes 4 KiB durable. Every other figure has to be read beside it. */
import fs from "node:fs";
import path from "node:path";
import { promisify } from "node:util";
import { pausesFor } from "./pauses.ts";

const fdatasync = promisify(fs.fdatasync);
export const PROBE_BYTES = 4096;
const FILE_SIZE = 8 * 1024 * 1024;

/** Overwrites blocks that are there, one after the other, as the log does in its preallocated part. */
export class DiskProbe {
  private readonly file: string;
  private readonly descriptor: number;
  private readonly block = new Uint8Array(PROBE_BYTES).fill(120);
  private count = 0;

  constructor(directory: string) {
    this.file = path.join(directory, "probe");
    this.descriptor = fs.openSync(this.file, "w+");
    fs.writeSync(this.descriptor, new Uint8Array(FILE_SIZE));
    fs.fsyncSync(this.descriptor);
  }

  /** Once. */
  readonly write = async (): Promise<void> => {
    fs.writeSync(this.descriptor, this.block, 0, PROBE_BYTES, (this.count++ * PROBE_BYTES) % FILE_SIZE);
    await fdatasync(this.descriptor);
  };

  close(): void {
    fs.closeSync(this.descriptor);
    fs.rmSync(this.file);
  }
}

/** Per second. */
export async function probeDisk(directory: string, seconds: number): Promise<number> {
  const probe = new DiskProbe(directory);
  const from = performance.now();
  const { length } = await pausesFor(probe.write, seconds);
  const rate = length / ((performance.now() - from) / 1000);
  probe.close();
  return rate;
}

/**
 * Bytes that the device under a directory has been given so far, by everybody; null: this system does not tell.
 * (/proc/PID/io counts blocks of a preallocated file that were only touched.)
 */
export function bytesWritten(directory: string): number | null {
  const { dev } = fs.statSync(directory);
  // As the C library packs a device's numbers.
  const major = (dev >> 8) & 0xfff;
  const minor = (dev & 0xff) | ((dev >> 12) & 0xfff00);
  if (!fs.existsSync("/proc/diskstats")) return null;
  for (const line of fs.readFileSync("/proc/diskstats", "utf8").split("\n")) {
    const fields = line.trim().split(/\s+/);
    if (Number(fields[0]) === major && Number(fields[1]) === minor) return Number(fields[9]) * 512;
  }
  return null;
}
