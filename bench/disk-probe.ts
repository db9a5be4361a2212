/** The disk by itself: how often a second it makes 4 KiB durable. Every other figure has to be read beside it. */
import fs from "node:fs";
import path from "node:path";
import { promisify } from "node:util";

const fdatasync = promisify(fs.fdatasync);
const SIZE = 4096;
const FILE_SIZE = 8 * 1024 * 1024;

/** Overwrites blocks that are there, as the log does in its preallocated part. Per second. */
export async function probeDisk(directory: string, seconds: number): Promise<number> {
  const file = path.join(directory, "probe");
  const descriptor = fs.openSync(file, "w+");
  fs.writeSync(descriptor, new Uint8Array(FILE_SIZE));
  fs.fsyncSync(descriptor);
  const block = new Uint8Array(SIZE).fill(120);
  const from = performance.now();
  let count = 0;
  while (performance.now() - from < seconds * 1000) {
    fs.writeSync(descriptor, block, 0, SIZE, (count * SIZE) % FILE_SIZE);
    await fdatasync(descriptor);
    count++;
  }
  const rate = count / ((performance.now() - from) / 1000);
  fs.closeSync(descriptor);
  fs.rmSync(file);
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
