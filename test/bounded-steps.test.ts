/**
 * No step of what storage does beside the log looks at more than a bounded number of pages, however many the database
 * has: a writer waits for no more than one such step. Counted, not timed.
 *
 * A step ends where others come to their turn: with an operation that the real disk does in a thread. Small writes it
 * does at once, so they end none. (To take a cut is one step, which looks at what has changed: core/pages/cuts.ts.)
 */
import { expect, test } from "vitest";
import { crc32c } from "../core/checksum.ts";
import type { MemberId } from "../core/types.ts";
import { type WrittenCut, publishCut, writeCut } from "../core/storage/checkpoint.ts";
import type { DiskNews, DiskOperation } from "../core/storage/disk.ts";
import type { DiskProcedure } from "../core/storage/file-window.ts";
import { type WrittenMerge, planMerge, publishMerge, writeMerge } from "../core/storage/merge.ts";
import type { PageFile } from "../core/storage/page-file.ts";
import { PageScrub } from "../core/storage/page-scrub.ts";
import { PageSet, StoredSnapshot, removeUnused } from "../core/storage/page-set.ts";
import { SnapshotReads } from "../core/storage/snapshot-reads.ts";
import { OWNER, pointOf } from "./page-directory.ts";

const PAGE_COUNT = 100_000;
const PAGE_SIZE = 64;
const PAGE = new Uint8Array(PAGE_SIZE);
/** Pieces of 256 pages, or of 2048 entries of a directory. */
const LIMITS = { maxWriteBytes: 256 * PAGE_SIZE };
/** Each entry of a piece is looked at a few times: to find, to check and to encode it. */
const MAX_LOOKS = 8 * 2048;

class Looks {
  total = 0;
  most = 0;
  private count = 0;

  add(count: number): void {
    this.count += count;
    this.total += count;
    this.most = Math.max(this.most, this.count);
  }

  endStep(): void {
    this.count = 0;
  }

  /** An array that counts how often its elements are looked at. */
  at(array: Uint32Array): Uint32Array {
    return new Proxy(array, {
      get: (target, key) => {
        if (typeof key === "string" && /^\d+$/.test(key)) {
          this.add(1);
          return target[Number(key)];
        }
        if (key === "subarray") return (from?: number, end?: number) => this.at(target.subarray(from, end));
        const value: unknown = Reflect.get(target, key, target);
        if (typeof value !== "function") return value;
        // Whatever else it can do it does with all of them, but for this.
        this.add(key === "at" ? 1 : target.length);
        return value.bind(target);
      },
    });
  }

  run<T>(procedure: DiskProcedure<T>): T {
    let step = procedure.next();
    while (!step.done) step = procedure.next(this.perform(step.value));
    this.endStep();
    return step.value;
  }

  /** As a disk would that holds nothing but zeros. */
  perform(operation: DiskOperation): DiskNews {
    if (operation.type !== "write" && operation.type !== "open") this.endStep();
    if (operation.type === "open") return { type: "open", size: 0 };
    if (operation.type === "read") expect(operation.length).toBeLessThanOrEqual(LIMITS.maxWriteBytes);
    return operation.type === "read" ? { type: "read", bytes: new Uint8Array(operation.length) } : { type: "done" };
  }
}

function everySoMany(step: number): Uint32Array {
  return Uint32Array.from({ length: PAGE_COUNT / step }, (_, at) => (at + 1) * step);
}

/** A snapshot of files that have every page, every second one, and so on. */
function snapshot(looks: Looks, steps: readonly number[]) {
  const files = steps.map((step, at): PageFile => {
    const numbers = everySoMany(step);
    const crcs = new Uint32Array(numbers.length).fill(crc32c(PAGE));
    return {
      sequence: at + 1, through: pointOf(at + 1).entry.index, count: numbers.length, checksum: at, pageSize: PAGE_SIZE,
      directoryChecksum: at, numbers: looks.at(numbers), crcs: looks.at(crcs),
    };
  });
  const state = { ...pointOf(9), pageSize: PAGE_SIZE, pageCount: PAGE_COUNT, checksum: 1 };
  const stored = new StoredSnapshot(state, files);
  const pages = new PageSet(stored, files.map(({ sequence }) => sequence), files.length + 1);
  return { owner: OWNER, pages, stored };
}

test("a checkpoint of very many pages is written and published in bounded steps", () => {
  const looks = new Looks();
  const files = snapshot(looks, [1, 2]);
  const numbers = everySoMany(1);
  const cut = {
    pageSize: PAGE_SIZE, pageCount: PAGE_COUNT, checksum: 2, numbers: looks.at(numbers),
    crcs: looks.at(new Uint32Array(numbers.length).fill(crc32c(PAGE))),
    pageAt: () => (looks.add(1), PAGE),
  };
  const written = looks.run(writeCut(files, pointOf(10), cut, LIMITS)) as WrittenCut;
  expect(looks.run(publishCut(files, written))).toBeNull();
  expect(files.pages.stored!.files.map(({ count }) => count)).toEqual([PAGE_COUNT, PAGE_COUNT / 2, PAGE_COUNT]);
  expect(looks.total).toBeGreaterThan(3 * PAGE_COUNT);
  expect(looks.most).toBeLessThanOrEqual(MAX_LOOKS);
});

test("files of very many pages are merged, and removed, in bounded steps", () => {
  const looks = new Looks();
  const files = snapshot(looks, [1, 1, 2, 5]);
  const merge = planMerge(files.pages)!;
  expect(merge.inputs.length).toBe(4);
  const written = looks.run(writeMerge(files, merge, LIMITS)) as WrittenMerge;
  expect(looks.run(publishMerge(files, written))).toBeNull();
  looks.run(removeUnused(files));
  expect(files.pages.stored!.files.map(({ count }) => count)).toEqual([PAGE_COUNT]);
  expect(looks.total).toBeGreaterThan(3 * PAGE_COUNT);
  expect(looks.most).toBeLessThanOrEqual(MAX_LOOKS);
});

test("few pages are merged without a look at the many of an older file", () => {
  const looks = new Looks();
  const files = snapshot(looks, [1, 1000, 1000]);
  looks.run(writeMerge(files, planMerge(files.pages)!, LIMITS));
  expect(looks.total).toBeLessThan(PAGE_COUNT / 10);
});

test("very many pages are scrubbed in bounded steps", () => {
  const looks = new Looks();
  const files = snapshot(looks, [1, 2]);
  const scrub = new PageScrub();
  const size = 1.5 * PAGE_COUNT * (8 + PAGE_SIZE);
  for (let read = 0; read < size;) read += looks.run(scrub.next(files, LIMITS.maxWriteBytes)).read;
  expect(looks.total).toBeGreaterThan(PAGE_COUNT);
  expect(looks.most).toBeLessThanOrEqual(MAX_LOOKS);
});

test("very many pages are sent in bounded steps", () => {
  const looks = new Looks();
  const files = snapshot(looks, [1, 2]);
  const reads = new SnapshotReads(files);
  const { id } = files.stored;
  let end = 0;
  while (end < id.size) {
    const effects = [...reads.request({
      to: "b@00112233445566bb" as MemberId, snapshot: id, offset: end, maxBytes: LIMITS.maxWriteBytes,
    })];
    for (let effect = effects.shift(); effect !== undefined; effect = effects.shift()) {
      if (effect.type === "Perform") effects.push(...reads.answered(looks.perform(effect.operation)));
      if (effect.type === "SnapshotRead") end += effect.bytes!.length;
    }
    looks.endStep();
  }
  expect(looks.total).toBeGreaterThan(3 * PAGE_COUNT);
  expect(looks.most).toBeLessThanOrEqual(MAX_LOOKS);
});
