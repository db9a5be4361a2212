/**
 * How long things take: exponential-like delays from a table of integers, as transcendental functions differ between
 * machines.
 */
import type { Random } from "../core/random.ts";
import type { DiskOperation } from "../core/storage/disk.ts";

/** Mean times in microseconds. */
export interface DiskSpeed {
  readonly accessUs: number;
  readonly syncUs: number;
  /** Each operation takes exactly that. */
  readonly isSteady: boolean;
}

/** Quantiles of the exponential distribution with mean 1024, at (i + 1/2) / 64. */
const QUANTILES = [
  8, 24, 41, 58, 75, 92, 110, 127, 145, 164, 182, 201, 221, 240, 260, 280, 301, 322, 343, 365, 387, 410, 433,
  457, 481, 506, 531, 557, 584, 611, 639, 668, 698, 728, 759, 792, 825, 859, 894, 931, 969, 1008, 1049, 1091,
  1136, 1182, 1230, 1280, 1333, 1389, 1448, 1511, 1578, 1649, 1726, 1809, 1899, 1999, 2109, 2233, 2376, 2546,
  2757, 4969,
];

/** Whole microseconds, at least 1, with about the given mean; at most five times it. */
export function drawDelay(random: Random, mean: number): number {
  return 1 + Math.floor((mean * QUANTILES[random.u32() >>> 26]!) / 1024);
}

export function drawDuration({ type }: DiskOperation, speed: DiskSpeed, random: Random): number {
  const isSlow = type === "sync" || type === "syncDirectory" || type === "preallocate";
  const mean = isSlow ? speed.syncUs : speed.accessUs;
  const delay = drawDelay(random, mean);
  return speed.isSteady ? mean : delay;
}
