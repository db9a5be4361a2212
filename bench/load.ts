/** Writers that insert as fast as they are answered: small rows with random keys, each a transaction of its own. */
import { randomBytes } from "node:crypto";
import type { Database } from "../cli/index.ts";
import { QuorumliteError } from "../cli/index.ts";
import { quantile } from "./quantile.ts";

export const CREATE_TABLE = "CREATE TABLE IF NOT EXISTS kv (k TEXT PRIMARY KEY, v BLOB)";

export interface LoadResult {
  readonly inserts: number;
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

export async function insertFor(database: Database, writers: number, seconds: number): Promise<LoadResult> {
  const latencies: number[] = [];
  const from = performance.now();
  const end = from + seconds * 1000;
  const write = async (): Promise<void> => {
    while (performance.now() < end) {
      const begunAt = performance.now();
      await insert(database);
      latencies.push(performance.now() - begunAt);
    }
  };
  await Promise.all(Array.from({ length: writers }, write));
  const perSecond = latencies.length / ((performance.now() - from) / 1000);
  latencies.sort((a, b) => a - b);
  return { inserts: latencies.length, perSecond, p50Ms: quantile(latencies, 0.5), p99Ms: quantile(latencies, 0.99) };
}

/** Milliseconds from the start of `interrupt` to the first acknowledgement of an insert begun after it. */
export async function failoverMs(database: Database, writers: number, interrupt: () => Promise<void>): Promise<number> {
  let isOver = false;
  let interruptedAt = Number.POSITIVE_INFINITY;
  let acknowledgedAt = Number.POSITIVE_INFINITY;
  const write = async (): Promise<void> => {
    while (!isOver) {
      const begunAt = performance.now();
      if (!(await wasAcknowledged(database)) || begunAt < interruptedAt) continue;
      acknowledgedAt = Math.min(acknowledgedAt, performance.now());
      isOver = true;
    }
  };
  const work = Array.from({ length: writers }, write);
  await new Promise((resolve) => setTimeout(resolve, 500));
  interruptedAt = performance.now();
  await interrupt();
  await Promise.all(work);
  return acknowledgedAt - interruptedAt;
}

async function wasAcknowledged(database: Database): Promise<boolean> {
  try {
    await insert(database);
    return true;
  } catch (error) {
    if (error instanceof QuorumliteError) return false;
    throw error;
  }
}

function insert(database: Database): Promise<unknown> {
  return database.run("INSERT INTO kv VALUES (?, ?)", [randomBytes(8).toString("hex"), randomBytes(100)]);
}
