/** Snapshots in the Storage machine: what is ordered of the disk, who is answered when, what a read finds. */
import { expect, test } from "vitest";
import { checkStorage, checkStorageStep } from "../core/storage/invariants.ts";
import { type EntryId, type LogIndex, NO_ENTRY, memberIdOf } from "../core/types.ts";
import {
  IDENTITY, type StorageRun, bootstrapped, configurationEntry, configurationOf, contentOf, entry, hardState, id, order,
  restarted, snapshotOf,
} from "./storage-run.ts";

const index = (value: number): LogIndex => value as LogIndex;
const PEER = memberIdOf(IDENTITY.node, IDENTITY.incarnation);
const payload = (size: number): Uint8Array => Uint8Array.from({ length: size }, (_, at) => at * 7 + size);

/** The operations waiting to be performed, a word each. */
function waiting(run: StorageRun): string[] {
  return run.orders.map(({ operation }) => `${operation.type} ${"file" in operation ? operation.file : ""}`.trimEnd());
}

/** Performs everything; every operation, a word each. */
function performed(run: StorageRun): string[] {
  const words: string[] = [];
  while (run.orders.length > 0) {
    words.push(waiting(run)[0] as string);
    run.perform();
  }
  return words;
}

/** A node with entries 1/1 to 1/5, all durable. */
function fiveEntries(): StorageRun {
  const entries = [1, 2, 3, 4, 5].map((at) => entry(1, at, payload(at * 100)));
  return bootstrapped().persist(order(1, { hardState: hardState(1, "a"), entries })).settle();
}

function pieceOf(run: StorageRun, of: EntryId, offset: number, maxBytes: number): Uint8Array | null | undefined {
  run.take((storage) => storage.readSnapshot({ type: "member", to: PEER, entry: of, offset }, maxBytes)).settle();
  return run.last("SnapshotRead")?.bytes;
}

test("a snapshot is written in pieces, synced, named, and only then acknowledged", () => {
  const snapshot = snapshotOf(1, 3, 5000);
  const run = fiveEntries().store(snapshot);
  expect(performed(run)).toEqual([
    "open snapshot.new", "write snapshot.new", "write snapshot.new", "write snapshot.new", "write snapshot.new",
    "sync snapshot.new", "rename", "syncDirectory",
  ]);
  expect(run.news.at(-1)).toEqual({ type: "SnapshotStored", snapshot });
  expect(run.restore(snapshot.entry)).toEqual(contentOf(snapshot));
});

test("commits go on while a snapshot is being written; it gets its name behind the entries ordered before", () => {
  const run = fiveEntries().store(snapshotOf(1, 6));
  run.persist(order(2, { entries: [entry(1, 6)] }));
  expect(waiting(run)).toEqual(["open snapshot.new", "write log", "sync log"]);
  for (const operation of run.orders.splice(1)) run.orders.push(operation);
  while (waiting(run).some((word) => word.endsWith("snapshot.new"))) {
    run.perform(waiting(run).findIndex((word) => word.endsWith("snapshot.new")));
  }
  // Its bytes are durable, but the entries that it is made of are not: it has to wait.
  expect(waiting(run)).toEqual(["write log", "sync log"]);
  run.perform();
  run.perform();
  expect(run.persisted).toEqual([1, 2]);
  expect(waiting(run).filter((word) => !word.endsWith("log"))).toEqual(["rename"]);
});

test("a piece is stored where it belongs, by its own offset: repeated, overlapping, from the start again (M99)", () => {
  const snapshot = snapshotOf(3, 9, 100);
  const run = bootstrapped();
  for (const [from, end] of [[0, 40], [0, 40], [30, 70], [10, 20], [20, 60], [40, 100], [60, 100]] as const) {
    run.receivePiece(snapshot, from, end).settle();
    expect(run.news.at(-1)).toEqual({ type: "ChunkStored", entry: snapshot.entry, end });
  }
  run.persist(order(1, { hardState: hardState(3, null), snapshot })).settle();
  expect(run.restore(snapshot.entry)).toEqual(contentOf(snapshot));
  expect(() => bootstrapped().receivePiece(snapshot, 10, 20)).toThrow("begins where those before it end");
});

test("a snapshot is installed whole: no Persisted before it is synced, named, and the log replaced (M96)", () => {
  const snapshot = snapshotOf(3, 9, 3000);
  const run = fiveEntries().receive(snapshot, 1000).settle();
  run.persist(order(2, { hardState: hardState(3, null), snapshot, entries: [entry(3, 10)] }));
  const words: string[] = [];
  while (run.persisted.length < 2) {
    words.push(waiting(run)[0] as string);
    run.perform();
  }
  expect(words).toEqual([
    "write term", "sync term", "read snapshot.part", "read snapshot.part", "write snapshot.part", "sync snapshot.part",
    "rename", "syncDirectory", "open log.new", "preallocate log.new", "write log.new", "write log.new", "sync log.new",
    "rename", "syncDirectory", "write log", "sync log",
  ]);
  const again = restarted(run.disk);
  expect(again.recovered).toMatchObject({
    hardState: hardState(3, null), snapshot, tornBytes: 0,
    log: { base: snapshot.entry, terms: [id(3, 10)], last: id(3, 10), configurations: [] },
  });
  expect(again.readAll()).toEqual([entry(3, 10)]);
  expect(again.restore(snapshot.entry)).toEqual(contentOf(snapshot));
});

test("entries behind an installed snapshot stand where they belong (M82)", () => {
  const snapshot = snapshotOf(2, 1000);
  const run = fiveEntries().receive(snapshot);
  run.persist(order(2, { hardState: hardState(2, null), snapshot, entries: [entry(2, 1001, payload(3))] })).settle();
  run.persist(order(3, { entries: [entry(2, 1002), entry(2, 1003)] }));
  run.persist(order(4, { truncateTo: 1001, entries: [entry(2, 1002, payload(5))] })).settle();
  const expected = [entry(2, 1001, payload(3)), entry(2, 1002, payload(5))];
  expect(run.readAll()).toEqual(expected);
  expect(restarted(run.disk).readAll()).toEqual(expected);
  run.persist(order(5, { truncateTo: 1000 })).settle();
  expect(restarted(run.disk).recovered.log).toMatchObject({ base: id(2, 1000), terms: [], last: id(2, 1000) });
});

test("a longer log that contradicts the snapshot is gone, and what follows stands behind the snapshot (M79)", () => {
  const snapshot = snapshotOf(2, 3);
  const run = fiveEntries().receive(snapshot);
  run.persist(order(2, { hardState: hardState(2, null), snapshot, entries: [entry(2, 4)] })).settle();
  expect(run.readAll()).toEqual([entry(2, 4)]);
  expect(restarted(run.disk).recovered.log).toMatchObject({ base: id(2, 3), terms: [id(2, 4)], last: id(2, 4) });
});

test("a log that holds the snapshot's entry stays as it is, before and behind it", () => {
  const snapshot = snapshotOf(1, 3);
  const run = fiveEntries().receive(snapshot).persist(order(2, { snapshot })).settle();
  expect(run.persisted).toEqual([1, 2]);
  expect(restarted(run.disk).recovered).toMatchObject({ snapshot, log: { base: NO_ENTRY, last: id(1, 5) } });
});

test("a snapshot that is installed meanwhile is not replaced by an older one of this node's own", () => {
  const [older, newer] = [snapshotOf(1, 4), snapshotOf(2, 9)];
  const run = fiveEntries().receive(newer).settle();
  run.persist(order(2, { hardState: hardState(2, null), snapshot: newer })).store(older).settle();
  expect(run.last("SnapshotStored")?.snapshot).toEqual(older);
  expect(run.restore(newer.entry)).toEqual(contentOf(newer));
  expect(run.disk.bytesOf("snapshot.new")).toBeUndefined();
  expect(restarted(run.disk).recovered.snapshot).toEqual(newer);
});

test("a snapshot without bytes is one, too", () => {
  const run = fiveEntries().store(snapshotOf(1, 2, 0)).settle();
  expect(run.restore(id(1, 2))).toEqual(new Uint8Array(0));
  run.receive(snapshotOf(1, 7, 0)).persist(order(2, { snapshot: snapshotOf(1, 7, 0) })).settle();
  expect(restarted(run.disk).restore(id(1, 7))).toEqual(new Uint8Array(0));
});

// Reading.

test("a member gets the piece that it asks for, and nothing of a snapshot that is no longer there", () => {
  const [first, second] = [snapshotOf(1, 2, 100), snapshotOf(1, 4, 80)];
  const run = fiveEntries();
  expect(pieceOf(run, first.entry, 0, 10)).toBeNull();
  run.store(first).settle();
  expect(pieceOf(run, first.entry, 30, 50)).toEqual(contentOf(first).slice(30, 80));
  expect(pieceOf(run, first.entry, 80, 50)).toEqual(contentOf(first).slice(80));
  expect(pieceOf(run, first.entry, 100, 50)).toEqual(new Uint8Array(0));
  expect(pieceOf(run, id(2, 2), 0, 50)).toBeNull();
  run.store(second).settle();
  expect(pieceOf(run, first.entry, 0, 50)).toBeNull();
});

test("reads of a snapshot are answered in their order, those of one that is gone too", () => {
  const run = fiveEntries().store(snapshotOf(1, 2, 5000)).settle();
  run.take((storage) => storage.readSnapshot({ type: "restore", entry: id(1, 2) }, 1));
  for (const of of [id(1, 1), id(1, 2)]) {
    run.take((storage) => storage.readSnapshot({ type: "member", to: PEER, entry: of, offset: 0 }, 10));
  }
  expect(waiting(run)).toEqual(["read snapshot"]);
  run.settle();
  const sizes = run.news.flatMap((news) => (news.type === "SnapshotRead" ? [news.bytes?.length ?? null] : []));
  expect(sizes).toEqual([5000, null, 10]);
});

test("a snapshot that is replaced while it is read is no longer there; what was read before it is whole", () => {
  const [older, newer] = [snapshotOf(1, 2, 5000), snapshotOf(1, 4, 5000)];
  const run = fiveEntries().store(older).settle();
  run.take((storage) => storage.readSnapshot({ type: "restore", entry: older.entry }, 1));
  run.perform();
  run.store(newer);
  while (waiting(run).includes("rename") === false) {
    run.perform(waiting(run).findIndex((word) => word.endsWith("snapshot.new")));
  }
  run.settle();
  expect(run.last("SnapshotRead")).toMatchObject({ bytes: null });
  expect(run.restore(newer.entry)).toEqual(contentOf(newer));
});

test("a damaged snapshot is found when it is restored, at a restart or later", () => {
  const run = fiveEntries().store(snapshotOf(1, 2, 100)).settle();
  const at = (run.disk.bytesOf("snapshot")?.length ?? 0) - 50;
  run.disk.perform({ type: "write", file: "snapshot", offset: at, bytes: Uint8Array.of(255) });
  run.disk.perform({ type: "sync", file: "snapshot" });
  const again = restarted(run.disk);
  expect(again.recovered.snapshot).toEqual(snapshotOf(1, 2, 100));
  again.take((storage) => storage.readSnapshot({ type: "restore", entry: id(1, 2) }, 1)).settle();
  expect(again.fault).toMatchObject({ type: "corrupt", file: "snapshot", offset: at - 50 });
});

// Compaction.

test("a compaction copies what follows its base, a bounded piece at a time, and names the new file last", () => {
  const run = fiveEntries().store(snapshotOf(1, 2)).settle();
  expect(run.disk.bytesOf("log")?.length).toBe(16_384);
  run.compact(1, 2);
  expect(performed(run)).toEqual([
    "open log.new", "preallocate log.new", "write log.new", "read log", "write log.new", "write log.new",
    "sync log.new", "rename", "syncDirectory",
  ]);
  const expected = [3, 4, 5].map((at) => entry(1, at, payload(at * 100)));
  expect(run.readAll()).toEqual(expected);
  const again = restarted(run.disk);
  expect(again.recovered).toMatchObject({ tornBytes: 0, log: { base: id(1, 2), terms: [id(1, 3)], last: id(1, 5) } });
  expect(again.readAll()).toEqual(expected);
  expect(run.disk.bytesOf("log")?.length).toBe(8192);

  // With larger entries, one write carries only one of them.
  const entries = [6, 7, 8].map((at) => entry(1, at, payload(1500)));
  run.persist(order(2, { entries })).settle();
  run.store(snapshotOf(1, 5)).settle();
  run.compact(1, 5);
  expect(performed(run).filter((word) => word === "read log").length).toBe(3);
  expect(run.readAll()).toEqual(entries);
});

test("entries are read back before, during and after a compaction", () => {
  const run = fiveEntries().store(snapshotOf(1, 5)).settle();
  const [early, late] = [entry(1, 4, payload(400)), entry(1, 5, payload(500))];
  run.compact(1, 3);
  const reads: number[] = [];
  while (run.storage.state?.base.index === 0 || run.orders.length > 0) {
    run.take((storage) => storage.requestRead({ type: "apply" }, index(4), index(6), 10_000));
    reads.push(run.storage.state?.base.index ?? 0);
    run.perform();
    if (reads.length > 30) break;
  }
  run.settle();
  expect(new Set(reads)).toEqual(new Set([0, 3]));
  const found = run.news.flatMap((news) => (news.type === "EntriesRead" ? [news.entries] : []));
  expect(found.length).toBe(reads.length);
  for (const entries of found) expect(entries).toEqual([early, late]);
});

test("orders wait for a compaction, and those given before it are in it", () => {
  const run = fiveEntries().store(snapshotOf(1, 5)).settle();
  run.persist(order(2, { entries: [entry(1, 6)] })).compact(1, 4).persist(order(3, { entries: [entry(1, 7)] }));
  run.settle();
  expect(run.persisted).toEqual([1, 2, 3]);
  expect(run.readAll().map((one) => one.index)).toEqual([5, 6, 7]);
  expect(restarted(run.disk).readAll()).toEqual(run.readAll());
});

test("a compaction that has been made, or was overtaken by an installed snapshot, changes nothing", () => {
  const run = fiveEntries().store(snapshotOf(1, 5)).settle();
  run.compact(1, 3).settle();
  run.compact(1, 3).compact(1, 2);
  expect(run.orders).toEqual([]);
  const snapshot = snapshotOf(2, 9);
  run.receive(snapshot).persist(order(2, { hardState: hardState(2, null), snapshot })).compact(1, 5).settle();
  expect(run.storage.state).toMatchObject({ base: id(2, 9), last: id(2, 9), snapshot: id(2, 9) });
});

test("what the stored snapshot does not have is never compacted (M91)", () => {
  expect(() => fiveEntries().compact(1, 1)).toThrow("only what the stored snapshot has is compacted");
  const run = fiveEntries().store(snapshotOf(1, 2)).settle();
  expect(() => run.compact(1, 3)).toThrow("only what the stored snapshot has is compacted");
  expect(() => fiveEntries().compact(2, 3)).toThrow("only entries of the log are compacted");
});

test("a rewritten log forgets neither term nor vote, nor that they were durable (M30)", () => {
  const run = fiveEntries().persist(order(2, { hardState: hardState(7, "b") })).settle();
  run.store(snapshotOf(1, 5)).settle().compact(1, 5).settle();
  expect(restarted(run.disk).recovered.hardState).toEqual(hardState(7, "b"));
  // The newest slot of the hard state is damaged: the older one would be taken if nothing knew of the newer.
  run.disk.perform({ type: "write", file: "term", offset: 4096 + 20, bytes: Uint8Array.of(255) });
  expect(restarted(run.disk.killed()).fault).toMatchObject({ type: "corrupt", file: "term" });
});

test("damage that a compaction meets is reported, not copied", () => {
  const run = fiveEntries().store(snapshotOf(1, 5)).settle();
  run.disk.perform({ type: "write", file: "log", offset: 4096 + 800, bytes: new Uint8Array(100).fill(255) });
  run.compact(1, 1).settle();
  expect(run.fault).toMatchObject({ type: "corrupt", file: "log" });
  expect(run.storage.state?.base).toEqual(NO_ENTRY);
});

test("a record of a rewritten log that is damaged is corruption, its last one included", () => {
  const run = fiveEntries().store(snapshotOf(1, 5)).settle().compact(1, 3).settle();
  run.disk.perform({ type: "write", file: "log", offset: 4096 + 64 + 400 + 100, bytes: Uint8Array.of(255) });
  expect(restarted(run.disk.killed()).fault).toMatchObject({ type: "corrupt", file: "log", offset: 4096 + 464 });
});

// Configurations.

test("the configurations of the log come back, those cut off it do not (M93)", () => {
  const [two, three] = [["a", "b"], ["a", "b", "c"]];
  const run = bootstrapped().persist(order(1, {
    hardState: hardState(1, "a"),
    entries: [
      configurationEntry(1, 1, ["a"]), entry(1, 2), configurationEntry(1, 3, two), configurationEntry(1, 4, three),
    ],
  })).settle();
  const [one, other, last] = [["a"], two, three].map((voters, at) => {
    return { index: [1, 3, 4][at], configuration: configurationOf(voters) };
  });
  expect(restarted(run.disk).recovered.log.configurations).toEqual([one, other, last]);
  run.persist(order(2, { truncateTo: 3, entries: [entry(1, 4)] })).settle();
  expect(restarted(run.disk).recovered.log.configurations).toEqual([one, other]);
  run.store(snapshotOf(1, 2)).settle().compact(1, 2).settle();
  expect(restarted(run.disk).recovered.log.configurations).toEqual([other]);
  expect(restarted(run.disk).readAll()).toEqual([configurationEntry(1, 3, two), entry(1, 4)]);
  run.store(snapshotOf(1, 4, 50, two)).settle().compact(1, 4).settle();
  const { log, snapshot } = restarted(run.disk).recovered;
  expect(log.configurations).toEqual([]);
  expect(snapshot?.configuration).toEqual(configurationOf(two));
});

test("a configuration entry that is none is corruption", () => {
  const bad = { ...entry(1, 1, Uint8Array.of(9, 9, 9)), kind: "configuration" as const };
  const run = bootstrapped().persist(order(1, { hardState: hardState(1, "a"), entries: [bad] })).settle();
  expect(restarted(run.disk).fault).toMatchObject({ type: "corrupt", file: "log", offset: 4096 + 64 });
});

// Life.

test("closing finishes an installation that was ordered, and gives up what nobody waits for", () => {
  const snapshot = snapshotOf(2, 9);
  const run = fiveEntries().store(snapshotOf(1, 4)).settle().receive(snapshot).settle();
  run.store(snapshotOf(1, 5, 5000));
  run.persist(order(2, { hardState: hardState(2, null), snapshot })).compact(1, 3);
  run.take((storage) => storage.close()).settle();
  expect(run.persisted).toEqual([1, 2]);
  expect(run.news.at(-1)?.type).toBe("Closed");
  const again = restarted(run.disk);
  expect(again.recovered).toMatchObject({ snapshot, log: { base: id(2, 9) } });
  const files = ["identity", "log", "snapshot", "term"];
  expect(again.disk.perform({ type: "list" })).toEqual({ type: "list", files });
});

test("closing lets a read of a snapshot that has begun come to its end", () => {
  const run = fiveEntries().store(snapshotOf(1, 4, 5000)).settle();
  run.take((storage) => storage.readSnapshot({ type: "restore", entry: id(1, 4) }, 1));
  run.take((storage) => storage.readSnapshot({ type: "restore", entry: id(1, 4) }, 1));
  run.take((storage) => storage.close()).settle();
  expect(run.news.slice(-2).map(({ type }) => type)).toEqual(["SnapshotRead", "Closed"]);
});

test("a failure in the middle of any work ends everything", () => {
  const snapshot = snapshotOf(2, 9);
  const works: ((run: StorageRun) => StorageRun)[] = [
    (run) => run.store(snapshotOf(1, 5)),
    (run) => run.compact(1, 3),
    (run) => run.persist(order(2, { hardState: hardState(2, null), snapshot })),
    (run) => run.receivePiece(snapshotOf(3, 7), 0, 50),
  ];
  for (const work of works) {
    for (let failing = 0; ; failing++) {
      const run = fiveEntries().store(snapshotOf(1, 4)).settle().receive(snapshot).settle();
      const news = work(run).news.length;
      for (let step = 0; step < failing && run.orders.length > 0; step++) run.perform();
      if (run.orders.length === 0) break;
      run.fail({ code: "ENOSPC", file: "log", message: "no space left" });
      expect(run.fault).toMatchObject({ type: "diskFailed", code: "ENOSPC" });
      run.store(snapshot).compact(1, 4).receive(snapshot).settle();
      expect(run.orders).toEqual([]);
      expect(run.news.slice(news).at(-1)?.type).toBe("Failed");
    }
  }
});

test.each<[string, () => unknown]>([
  ["one snapshot is stored at a time", () => fiveEntries().store(snapshotOf(1, 4)).store(snapshotOf(1, 5))],
  ["only a snapshot that was received is installed", () => {
    fiveEntries().receive(snapshotOf(2, 8)).persist(order(2, { snapshot: snapshotOf(2, 9) })).settle();
  }],
  ["once all of it is there", () => {
    fiveEntries().receivePiece(snapshotOf(2, 8), 0, 30).persist(order(2, { snapshot: snapshotOf(2, 8) })).settle();
  }],
  ["gives way to a newer one only", () => {
    const run = fiveEntries().store(snapshotOf(1, 4)).settle();
    run.receive(snapshotOf(1, 3)).persist(order(2, { snapshot: snapshotOf(1, 3) })).settle();
  }],
  ["a snapshot has the size that it names", () => {
    fiveEntries().take((storage) => storage.storeSnapshot(snapshotOf(1, 4), new Uint8Array(1)));
  }],
  ["a piece lies within its snapshot", () => {
    fiveEntries().take((storage) => storage.storeChunk(snapshotOf(2, 8), 0, new Uint8Array(51)));
  }],
])("misuse is a bug: %s", (rule, play) => {
  expect(play).toThrow(rule);
});

test("the laws of storage notice when base and snapshot do not fit", () => {
  const run = fiveEntries().store(snapshotOf(1, 4)).settle().compact(1, 3).settle();
  const state = run.storage.state!;
  checkStorage(state);
  expect(() => checkStorage({ ...state, snapshot: id(1, 2) })).toThrow("what the log has lost the snapshot has");
  expect(() => checkStorage({ ...state, durableIndex: index(2) })).toThrow("a base is durable");
  expect(() => checkStorageStep(state, { ...state, base: id(1, 2) })).toThrow("shortened at its beginning");
  expect(() => checkStorageStep(state, { ...state, snapshot: null })).toThrow("gives way to a newer one");
});
