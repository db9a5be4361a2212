/**
 * A disk procedure run on a disk in memory, to its end or up to some operation; and all that a crash might leave of it.
 */
import type { DiskFailure, DiskNews, DiskOperation } from "../core/storage/disk.ts";
import { isBearable } from "../core/storage/disk-failure.ts";
import type { DiskProcedure } from "../core/storage/file-window.ts";
import type { MemoryDisk } from "./memory-disk.ts";

/** What the disk answers in place of doing it; null: it does. */
export type Trouble = (operation: DiskOperation) => DiskFailure | null;

/** Runs it to its end. A failure that is the end throws. */
export function runOn<T>(disk: MemoryDisk, procedure: DiskProcedure<T>, trouble: Trouble = () => null): T {
  let next = procedure.next();
  while (!next.done) next = procedure.next(answerOf(disk, next.value, trouble));
  return next.value;
}

function answerOf(disk: MemoryDisk, operation: DiskOperation, trouble: Trouble): DiskNews {
  const failure = trouble(operation);
  if (failure === null) return disk.perform(operation);
  if (!isBearable(operation, failure)) throw new Error(`${failure.code} at ${operation.type}`);
  return { type: "failed", failure };
}

/** Performs so many operations of it. False: it ended before. */
export function runUpTo(disk: MemoryDisk, procedure: DiskProcedure<unknown>, count: number): boolean {
  let next = procedure.next();
  for (let done = 0; done < count; done++) {
    if (next.done) return false;
    next = procedure.next(disk.perform(next.value));
  }
  return true;
}

/** Crashes of it after each operation: every legal image, with the number of operations that had been performed. */
export function* crashesOf(
  start: MemoryDisk, procedure: () => DiskProcedure<unknown>,
): Generator<{ readonly image: MemoryDisk; readonly after: number }> {
  for (let after = 0; ; after++) {
    const disk = start.killed();
    if (!runUpTo(disk, procedure(), after)) return;
    for (const image of disk.images()) yield { image, after };
  }
}

/** The process is killed after each operation: what it wrote is still there, and not durable. */
export function* killsOf(start: MemoryDisk, procedure: () => DiskProcedure<unknown>): Generator<MemoryDisk> {
  for (let after = 0; ; after++) {
    const disk = start.killed();
    if (!runUpTo(disk, procedure(), after)) return;
    yield disk;
  }
}

/** Refuses the n-th operation that takes space, and all behind it, until the end. */
export function fullAfter(allowed: number): Trouble {
  let count = 0;
  return (operation) => {
    const takesSpace = operation.type === "preallocate" || operation.type === "write" || operation.type === "sync"
      || (operation.type === "open" && operation.create);
    if (!takesSpace || count++ < allowed) return null;
    return { code: "ENOSPC", file: operation.file, message: "no space" };
  };
}
