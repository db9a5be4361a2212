/** The log that a disk would give back, as the judge follows it: what comes, goes, is cut, is damaged on the way. */
import { expect, test } from "vitest";
import type { LogIndex, Term } from "../core/types.ts";
import type { SimulatedDisk } from "../sim/disk.ts";
import { DurableLog } from "../sim/oracles/durable-log.ts";
import { segmentFile, SEGMENT_HEADER_SIZE, sequenceOf } from "../core/storage/segment-file.ts";
import { StorageBench } from "./sim-storage.ts";

const entry = (term: number, index: number) => ({ term: term as Term, index: index as LogIndex });

function segments(disk: SimulatedDisk): number[] {
  return disk.listDurable().map((name) => sequenceOf(name)).filter((sequence) => sequence !== null);
}

function follow(log: DurableLog, disk: SimulatedDisk): void {
  for (const sequence of segments(disk)) log.synced(segmentFile(sequence), disk);
}

/** Its first segments are let go, as a snapshot lets it. */
function unlink(disk: SimulatedDisk, count: number): void {
  for (const sequence of segments(disk).slice(0, count)) {
    disk.perform(disk.begin(0, { type: "unlink", file: segmentFile(sequence) }));
  }
  disk.perform(disk.begin(0, { type: "syncDirectory" }));
}

test("a log loses its beginning, and nothing else", () => {
  const { disk } = new StorageBench().appends(3, 6000).appends(3, 6000).appends(3, 6000);
  const log = new DurableLog();
  log.reread(disk);
  expect([log.entries?.base, log.entries?.last]).toEqual([entry(0, 0), entry(1, 9)]);
  unlink(disk, 2);
  log.directorySynced(disk);
  expect(log.entries?.base.index).toBeGreaterThan(0);
  expect(log.entries?.last).toEqual(entry(1, 9));
});

test("a log that was cut below its first segment's base is the same beside damage that nobody has found", () => {
  const bench = new StorageBench().appends(3, 6000).appends(3, 6000).appends(3, 6000);
  const { disk } = bench;
  const log = new DurableLog();
  log.reread(disk);
  bench.cutsTo(2);
  follow(log, disk);
  expect(log.entries?.last).toEqual(entry(2, 3));
  const damaged = segments(disk)[2]!;
  disk.durableFile(segmentFile(damaged))!.rot(SEGMENT_HEADER_SIZE + 100, 1, true);
  unlink(disk, 2);
  log.directorySynced(disk);
  expect([log.entries?.base, log.entries?.last]).toEqual([entry(1, 2), entry(2, 3)]);
});

test("a record whose last bytes are zeros is there, whether or not these were ever written (seed 340049)", () => {
  const bench = new StorageBench().appends(1, 6000).appends(1, 6000, 0);
  const files = new Map(bench.disk.listDurable().map((name) => [name, trimmed(bench.disk.durable(name)!)]));
  const log = new DurableLog();
  log.reread({
    durable: (name) => files.get(name) ?? null, listDurable: () => [...files.keys()], isDamaged: false,
  });
  expect(log.entries?.last).toEqual(entry(1, 2));
});

function trimmed(bytes: Uint8Array): Uint8Array {
  return bytes.subarray(0, bytes.findLastIndex((byte) => byte !== 0) + 1);
}
