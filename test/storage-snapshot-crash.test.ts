/** Snapshots stored, installed and compacted behind, crashed at every point (storage-crashes.ts). */
import { expect, test } from "vitest";
import { enumerate } from "./storage-crashes.ts";
import { configurationEntry, entry, hardState, id, order, snapshotOf } from "./storage-run.ts";
import type { TwinRun } from "./storage-twin.ts";

const payload = (size: number): Uint8Array => Uint8Array.from({ length: size }, (_, at) => at * 7 + size);

/** 1/1 to 1/4, acknowledged. */
function fourEntries(run: TwinRun): TwinRun {
  const configuration = configurationEntry(1, 3, ["a", "b"]);
  const entries = [entry(1, 1), entry(1, 2, payload(30)), configuration, entry(1, 4, payload(9))];
  run.persist(order(1, { hardState: hardState(1, "a"), entries }));
  return run.settle();
}

function receive(run: TwinRun, snapshot: ReturnType<typeof snapshotOf>): TwinRun {
  run.run.receive(snapshot);
  return run.settle();
}

test("a snapshot of this node's own survives every crash once it is acknowledged", () => {
  const tally = enumerate((run) => {
    run.persist(order(1, { hardState: hardState(1, "a"), entries: [entry(1, 1), entry(1, 2, payload(30))] }));
    run.store(snapshotOf(1, 2));
    run.persist(order(2, { entries: [entry(1, 3)] }));
  });
  expect(tally.images).toBeGreaterThan(60);
  expect(tally.torn).toBeGreaterThan(5);
});

test("a compaction can crash anywhere: the log begins behind the old base or the new one (M81)", () => {
  const tally = enumerate((run) => {
    fourEntries(run).persist(order(2, { hardState: hardState(2, "b"), truncateTo: 3, entries: [entry(2, 4)] }));
    run.settle().store(snapshotOf(1, 3, 50, ["a", "b"])).settle();
    run.compact(id(1, 2));
    run.persist(order(3, { entries: [entry(2, 5, payload(600))] }));
  });
  expect(tally.images).toBeGreaterThan(100);
});

test("compaction after compaction, each behind a newer snapshot, survives every crash", () => {
  const tally = enumerate((run) => {
    fourEntries(run).store(snapshotOf(1, 1)).settle();
    run.compact(id(1, 1)).store(snapshotOf(1, 4)).settle();
    run.compact(id(1, 4)).persist(order(2, { entries: [entry(1, 5)] }));
  });
  expect(tally.images).toBeGreaterThan(100);
});

test("a snapshot far beyond the log is installed, or not, at every crash: nothing in between (M79, M96)", () => {
  const tally = enumerate((run) => {
    const snapshot = snapshotOf(3, 9, 70, ["a", "c"]);
    receive(fourEntries(run), snapshot);
    run.persist(order(2, { hardState: hardState(3, null), snapshot, entries: [entry(3, 10, payload(20))] }));
    run.persist(order(3, { entries: [entry(3, 11)] }));
  });
  expect(tally.images).toBeGreaterThan(100);
});

test("a snapshot that contradicts a longer log replaces it at every crash, or not at all (M79)", () => {
  const tally = enumerate((run) => {
    const snapshot = snapshotOf(2, 3);
    receive(fourEntries(run), snapshot);
    run.persist(order(2, { hardState: hardState(2, null), snapshot }));
  });
  expect(tally.images).toBeGreaterThan(50);
});

test("a snapshot whose entry the log holds leaves the log as it is (M76)", () => {
  const tally = enumerate((run) => {
    const snapshot = snapshotOf(1, 3);
    receive(fourEntries(run), snapshot);
    run.persist(order(2, { snapshot, truncateTo: 3, entries: [entry(1, 4, payload(3))] }));
    run.compact(id(1, 3));
  });
  expect(tally.images).toBeGreaterThan(100);
});

test("a snapshot of this node's own that is overtaken by one installed never takes its place", () => {
  const tally = enumerate((run) => {
    const snapshot = snapshotOf(2, 8);
    receive(fourEntries(run), snapshot);
    run.persist(order(2, { hardState: hardState(2, null), snapshot }));
    run.store(snapshotOf(1, 4));
    run.persist(order(3, { entries: [entry(2, 9)] }));
  });
  expect(tally.images).toBeGreaterThan(100);
});

test("a snapshot that has half arrived means nothing, and another one discards it (M85)", () => {
  const tally = enumerate((run) => {
    fourEntries(run).run.receivePiece(snapshotOf(1, 7, 90), 0, 60);
    run.settle();
    const snapshot = snapshotOf(2, 8, 40);
    receive(run, snapshot).persist(order(2, { hardState: hardState(2, null), snapshot }));
  });
  expect(tally.images).toBeGreaterThan(50);
});
