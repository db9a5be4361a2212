/**
 * A program that locks a directory, appends records to a file of it, syncs each, and then reports its number on a
 * line of its own, until it is killed. disk.test.ts runs it from dist/ and looks at what it left.
 */
import { pathToFileURL } from "node:url";
import type { DiskOperation } from "../core/storage/disk.ts";
import type { Ticket } from "../core/types.ts";
import { Disk } from "../io/disk.ts";
import { lockDirectory } from "../io/lock.ts";

export const RECORD_SIZE = 777;

/** A u32 number from 1, then bytes that depend on it. */
export function writtenRecord(number: number): Uint8Array {
  const record = new Uint8Array(RECORD_SIZE).fill(1 + (number % 255));
  new DataView(record.buffer).setUint32(0, number, true);
  return record;
}

async function main(directory: string): Promise<void> {
  const lock = await lockDirectory(directory);
  if (!lock.ok) throw new Error(`${directory} is locked by ${lock.holder}`);
  let ticket = 0;
  let number = 0;
  const disk = new Disk(directory, (answer) => {
    if (answer.type === "DiskFailed") throw new Error(answer.failure.message);
    if (answer.ticket !== ticket) return;
    if (number > 0) process.stdout.write(`${number}\n`);
    number++;
    // Let the event loop turn between two records.
    setImmediate(() => order(
      { type: "write", file: "log", offset: (number - 1) * RECORD_SIZE, bytes: writtenRecord(number) },
      { type: "sync", file: "log" },
    ));
  });
  const order = (...operations: DiskOperation[]): void => {
    const first = ticket + 1;
    ticket += operations.length;
    operations.forEach((operation, at) => disk.perform({ ticket: (first + at) as Ticket, operation }));
  };
  order(
    { type: "open", file: "log", create: true },
    { type: "preallocate", file: "log", size: 1024 * 1024 },
    { type: "syncDirectory" },
  );
}

const program = process.argv[1];
if (program !== undefined && import.meta.url === pathToFileURL(program).href) await main(process.argv[2]!);
