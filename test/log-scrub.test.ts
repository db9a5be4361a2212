/** The log's scrubbing: all that is durable is read over and over, a piece at a time, and damage is said once. */
import { expect, test } from "vitest";
import type { DiskNews } from "../core/storage/disk.ts";
import { ownerOf } from "../core/storage/block.ts";
import { createLog, dropSegment } from "../core/storage/log-drop.ts";
import { GroupCommit, type GroupPart } from "../core/storage/group-commit.ts";
import { LogScrub, type LogScrubStep } from "../core/storage/log-scrub.ts";
import { prepareSegment } from "../core/storage/log-space.ts";
import type { OpenFiles } from "../core/storage/open-files.ts";
import { PageSet } from "../core/storage/page-set.ts";
import { Reserve } from "../core/storage/reserve.ts";
import { FIRST_SLOT, TERM_FILE, encodeNewTermFile } from "../core/storage/term-file.ts";
import type { LogIndex } from "../core/types.ts";
import { runOn } from "./disk-procedure.ts";
import { MemoryDisk } from "./memory-disk.ts";
import { IDENTITY, OPTIONS, entry, hardState, id } from "./storage-run.ts";

const { limits } = OPTIONS;

/** A log of so many entries of 1500 bytes, two to a segment. */
function logOf(count: number): { readonly disk: MemoryDisk; readonly files: OpenFiles } {
  const owner = ownerOf(IDENTITY);
  const disk = MemoryDisk.of({ [TERM_FILE]: encodeNewTermFile(owner) });
  const created = runOn(disk, createLog(owner, limits));
  if (!created.ok) throw new Error("there is space");
  // Whatever is appended is covered.
  const reserve = new Reserve(1 << 30);
  const files: OpenFiles = { owner, log: created.value, term: FIRST_SLOT, pages: PageSet.empty(), reserve };
  for (let index = 1; index <= count; index++) append(disk, files, index);
  return { disk, files };
}

function append(disk: MemoryDisk, files: OpenFiles, index: number): void {
  const commit = new GroupCommit(files, limits);
  const part: GroupPart = {
    hardState: index === 1 ? hardState(1, null) : null, truncateTo: null,
    entries: [entry(1, index, new Uint8Array(1500).fill(index))], answers: null,
  };
  const operations = [...commit.begin([part])];
  for (let next = operations.shift(); next !== undefined; next = operations.shift()) {
    disk.perform(next.operation);
    if (next.synced !== null) operations.push(...commit.fileSynced(next.synced).operations);
  }
  runOn(disk, prepareSegment(files, limits.segmentBytes));
}

function scrub(disk: MemoryDisk, files: OpenFiles, scrubbing: LogScrub, maxBytes: number): LogScrubStep {
  return runOn(disk, scrubbing.next(files, maxBytes), (operation) => disk.failureOf(operation));
}

test("all that is durable is read in pieces, and then again", () => {
  const { disk, files } = logOf(5);
  const all = 3 * 8192 + 5 * 1568;
  for (const maxBytes of [1, 500, 4096, 10_000]) {
    const scrubbing = new LogScrub();
    let [read, calls] = [0, 0];
    for (; read < 2 * all; calls++) {
      const step = scrub(disk, files, scrubbing, maxBytes);
      expect(step.faults).toEqual([]);
      expect(step.read, "about so many").toBeLessThanOrEqual(maxBytes + 8192 + 1568);
      read += step.read;
    }
    expect(read, `in pieces of ${maxBytes}`).toBe(2 * all);
    expect(calls).toBeGreaterThanOrEqual((2 * all) / (maxBytes + 8192 + 1568));
  }
});

test.each<[string, number]>([
  ["a copy of the header", 4096 + 50], ["a record's header", 8192 + 20], ["a payload", 8192 + 1568 + 700],
])("%s that is damaged is found, said once, and gone when its segment is dropped", (_name, at) => {
  const { disk, files } = logOf(5);
  const [, second] = files.log.segments;
  disk.perform({ type: "write", file: second!.file, offset: at, bytes: Uint8Array.of(0xee) });
  const scrubbing = new LogScrub();
  const [first, again] = [scrub(disk, files, scrubbing, 100_000), scrub(disk, files, scrubbing, 100_000)];
  expect(first.faults).toMatchObject([{ fault: { type: "corrupt", file: second!.file }, segment: second }]);
  expect(again.faults).toEqual([]);
  while (files.log.isDroppable(4 as LogIndex)) runOn(disk, dropSegment(files, id(1, 4), limits));
  expect(files.log.segments.length).toBe(1);
  expect(disk.names.includes(second!.file), "its file is not used again").toBe(false);
});

test("what cannot be read is found, wherever it is", () => {
  for (const offset of [0, 4096, 8192]) {
    const { disk, files } = logOf(5);
    disk.makeUnreadable(files.log.segments[0]!.file, offset);
    const { faults } = scrub(disk, files, new LogScrub(), 100_000);
    const segment = files.log.segments[0]!;
    expect(faults).toMatchObject([{ fault: { file: segment.file, offset }, segment }]);
  }
});

test("nothing more is written into a damaged segment", () => {
  const { disk, files } = logOf(3);
  const { current } = files.log;
  disk.perform({ type: "write", file: current.file, offset: 8300, bytes: Uint8Array.of(0xee) });
  const { faults } = scrub(disk, files, new LogScrub(), 100_000);
  expect(faults).toMatchObject([{ segment: current }]);
  append(disk, files, 4);
  expect(files.log.current.sequence).toBe(current.sequence + 1);
  expect(files.log.current.base).toEqual(id(1, 3));
});

test("a segment that leaves the log while it is looked at is left alone", () => {
  const { disk, files } = logOf(5);
  const scrubbing = new LogScrub();
  const steps = scrubbing.next(files, 100_000);
  let next = steps.next();
  const reads: string[] = [];
  for (let count = 0; !next.done; count++) {
    const operation = next.value;
    if (operation.type === "read") reads.push(operation.file);
    const news: DiskNews = disk.perform(operation);
    // The answer to the first read finds the log without its first segment.
    while (count === 0 && files.log.isDroppable(2 as LogIndex)) runOn(disk, dropSegment(files, id(1, 2), limits));
    next = steps.next(news);
  }
  expect(next.value.faults).toEqual([]);
  expect(new Set(reads).size).toBe(3);
});

test("only what is durable is judged", () => {
  const { disk, files } = logOf(1);
  const commit = new GroupCommit(files, limits);
  const entries = [entry(1, 2, new Uint8Array(100))];
  commit.begin([{ hardState: null, truncateTo: null, entries, answers: null }]);
  expect(files.log.end).toBeGreaterThan(files.log.synced);
  const step = scrub(disk, files, new LogScrub(), 100_000);
  expect(step).toEqual({ read: 8192 + 1568, faults: [] });
  expect(files.log.durableIndex).toBe(1 as LogIndex);
});
