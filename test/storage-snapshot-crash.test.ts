/** Snapshots stored, merged, installed and compacted behind, crashed at every point (storage-crashes.ts). */
import { expect, test } from "vitest";
import type { SnapshotId } from "../core/raft/message.ts";
import { enumerate } from "./storage-crashes.ts";
import { entry, hardState, id, order } from "./storage-run.ts";
import { receiveSnapshot, streamAt } from "./storage-snapshots.ts";
import type { TwinRun } from "./storage-twin.ts";

const payload = (size: number): Uint8Array => Uint8Array.from({ length: size }, (_, at) => at * 7 + size);

/** 1/1 to 1/4, acknowledged. */
function fourEntries(run: TwinRun): TwinRun {
  const entries = [entry(1, 1), entry(1, 2, payload(30)), entry(1, 3), entry(1, 4, payload(9))];
  run.persist(order(1, { hardState: hardState(1, "a"), entries }));
  return run.settle();
}

test("a snapshot of this node's own survives every crash once it is acknowledged, and so do those after it", () => {
  const tally = enumerate((run) => {
    run.store(id(1, 4));
    run.persist(order(2, { entries: [entry(1, 5)] }));
  }, (run) => fourEntries(run).store(id(1, 2)));
  expect(tally.images).toBeGreaterThan(50);
});

/** A snapshot is received over four entries and installed; then more is ordered. */
function enumerateInstall(term: number, index: number, then: (run: TwinRun, snapshot: SnapshotId) => void): number {
  let snapshot: SnapshotId | null = null;
  const { images } = enumerate((run) => then(run, snapshot!), (run) => {
    snapshot = receiveSnapshot(fourEntries(run).run, id(term, index), 20_000);
  });
  return images;
}

test("a snapshot far beyond the log is installed, or not, at every crash: nothing in between (M79, M94, M96)", () => {
  const images = enumerateInstall(3, 9, (run, snapshot) => {
    run.persist(order(2, { hardState: hardState(3, null), snapshot, entries: [entry(3, 10, payload(20))] }));
  });
  expect(images).toBeGreaterThan(50);
});

test("a snapshot that contradicts a longer log replaces it at every crash, or not at all (M79)", () => {
  const images = enumerateInstall(2, 3, (run, snapshot) => {
    run.persist(order(2, { hardState: hardState(2, null), snapshot }));
  });
  expect(images).toBeGreaterThan(30);
});

test("a snapshot whose entry the log holds leaves the log as it is (M76)", () => {
  const images = enumerateInstall(1, 3, (run, snapshot) => {
    run.persist(order(2, { snapshot, truncateTo: 3, entries: [entry(1, 4, payload(3))] }));
    run.compact(id(1, 3));
  });
  expect(images).toBeGreaterThan(20);
});

test("a snapshot of this node's own that is overtaken by one installed never takes its place (W24)", () => {
  const images = enumerateInstall(2, 8, (run, snapshot) => {
    run.persist(order(2, { hardState: hardState(2, null), snapshot }));
    run.store(id(1, 4));
  });
  expect(images).toBeGreaterThan(50);
});

test("a snapshot that comes in means nothing before it is installed, wherever it ends (M85)", () => {
  const tally = enumerate((run) => {
    const { snapshot, bytes } = streamAt(id(1, 7));
    run.run.take((storage) => storage.storeChunk(snapshot, 0, bytes.slice(0, 200)));
    run.settle();
    receiveSnapshot(run.run, id(2, 8), 20_000);
  }, fourEntries);
  expect(tally.images).toBeGreaterThan(20);
});

test("what only the log has is never compacted: a crash finds each entry in the log or in the snapshot (M91)", () => {
  const tally = enumerate((run) => {
    run.compact(id(1, 2)).store(id(1, 3)).settle();
    run.compact(id(1, 3));
  }, (run) => {
    for (let index = 1; index <= 4; index++) {
      const first = index === 1 ? { hardState: hardState(1, "a") } : {};
      run.persist(order(index, { ...first, entries: [entry(1, index, payload(700))] }));
    }
    run.settle().store(id(1, 2));
  });
  expect(tally.images).toBeGreaterThan(50);
});
