/** The Storage machine: what it orders of the disk, whom it answers when, and what it does when the world fails. */
import { expect, test } from "vitest";
import type { DiskFailure } from "../core/storage/disk.ts";
import { checkStorage, checkStorageStep } from "../core/storage/invariants.ts";
import { type LogIndex, NO_ENTRY, type Ticket, memberIdOf } from "../core/types.ts";
import { ownerOf } from "../core/storage/block.ts";
import { type Vouched, decodeTermFile } from "../core/storage/term-file.ts";
import { MemoryDisk } from "./memory-disk.ts";
import {
  IDENTITY, StorageRun, bootstrapped, entry, hardState, id, order, restarted,
} from "./storage-run.ts";

const EIO: DiskFailure = { code: "EIO", file: "log", message: "input/output error" };
/** Node a before it has a cluster. */
const ALONE = { ...IDENTITY, cluster: null };
const index = (value: number): LogIndex => value as LogIndex;

const FIRST = "log-0000000001";

/** What the hard state's file vouches for. */
function vouchedOf(run: StorageRun): Vouched {
  const found = decodeTermFile(run.disk.bytesOf("term")!, ownerOf(IDENTITY));
  if (!found.ok) throw new Error("the hard state's file is intact");
  return found.value.slot.vouched;
}

/** The operations waiting to be performed, a word each. */
function waiting(run: StorageRun): string[] {
  return run.orders.map(({ operation }) => `${operation.type} ${"file" in operation ? operation.file : ""}`);
}

test("the hard state is synced before the log is written", () => {
  const run = bootstrapped().persist(order(1, { hardState: hardState(1, "a"), entries: [entry(1, 1)] }));
  expect(waiting(run)).toEqual(["write term", "sync term"]);
  run.perform();
  expect(waiting(run)).toEqual(["sync term"]);
  run.perform();
  expect(run.persisted).toEqual([]);
  expect(waiting(run)).toEqual([`write ${FIRST}`, `sync ${FIRST}`]);
  run.perform();
  expect(run.persisted).toEqual([]);
  run.perform();
  expect(run.persisted).toEqual([1]);
});

test("what waits while a group is under way becomes one write and one sync", () => {
  const run = bootstrapped().persist(order(1, { hardState: hardState(1, "a"), entries: [entry(1, 1)] }));
  for (let index = 2; index <= 20; index++) run.persist(order(index, { entries: [entry(1, index)] }));
  run.perform();
  run.perform();
  run.perform();
  run.perform();
  expect(run.persisted).toEqual([1]);
  expect(waiting(run)).toEqual([`write ${FIRST}`, `sync ${FIRST}`]);
});

test("a restarted node has everything that was acknowledged, payloads included", () => {
  const run = bootstrapped().persist(order(1, { hardState: hardState(1, "a"), entries: [entry(1, 1)] })).settle();
  const payload = Uint8Array.from({ length: 3000 }, (_, at) => at);
  run.persist(order(2, { entries: [entry(1, 2, payload), entry(1, 3)] })).settle();
  const replacement = entry(2, 3, payload.subarray(7));
  run.persist(order(3, { hardState: hardState(2, null), truncateTo: 2, entries: [replacement] })).settle();
  const again = restarted(run.disk);
  expect(again.recovered).toEqual({
    identity: IDENTITY,
    hardState: hardState(2, null),
    log: {
      base: NO_ENTRY, terms: [{ term: 1, index: 1 }, { term: 2, index: 3 }], last: { term: 2, index: 3 },
      configurations: [],
    },
    snapshot: null,
    lost: null,
    tornBytes: 0,
    damage: [],
  });
  expect(again.readAll()).toEqual([entry(1, 1), entry(1, 2, payload), replacement]);
});

test("one write carries no more than its limit, unless one order is larger", () => {
  const run = bootstrapped().persist(order(1, { hardState: hardState(1, "a"), entries: [entry(1, 1)] }));
  for (const ticket of [2, 3, 4, 5]) run.persist(order(ticket, { entries: [entry(1, ticket, new Uint8Array(900))] }));
  run.persist(order(6, { entries: [entry(1, 6, new Uint8Array(5000))] }));
  const groups: number[] = [];
  run.settle(() => {
    const count = run.persisted.length;
    if (count > (groups.at(-1) ?? 0)) groups.push(count);
  });
  expect(groups).toEqual([1, 4, 5, 6]);
});

test("in one list of effects the disk operations come before the news", () => {
  const run = bootstrapped().persist(order(1, { hardState: hardState(1, "a"), entries: [entry(1, 1)] }));
  run.persist(order(2, { entries: [entry(1, 2)] }));
  run.perform();
  run.perform();
  run.perform();
  const { ticket, operation } = run.orders.shift()!;
  const effects = run.storage.answered({ type: "DiskDone", ticket, result: run.disk.perform(operation) });
  expect(effects.map(({ type }) => type)).toEqual(["Disk", "Disk", "Persisted"]);
});

test("a small order is one write and one sync, and a rest marks the end in the file of the hard state", () => {
  const run = bootstrapped().persist(order(1, { hardState: hardState(1, "a"), entries: [entry(1, 1)] })).settle();
  run.persist(order(2, { entries: [entry(1, 2)] }));
  expect(waiting(run)).toEqual([`write ${FIRST}`, `sync ${FIRST}`]);
  run.settle();
  expect(run.persisted).toEqual([1, 2]);
  run.take((storage) => storage.tick());
  expect(waiting(run).slice(0, 2)).toEqual(["write term", "sync term"]);
  run.settle();
  expect(vouchedOf(run)).toEqual({ through: 128, last: id(1, 2) });
  run.take((storage) => storage.tick());
  expect(waiting(run), "nothing has followed").not.toContain("write term");
});

test("recovery writes no second mark where a clean end left one", () => {
  const run = bootstrapped().persist(order(1, { hardState: hardState(1, "a"), entries: [entry(1, 1)] })).settle();
  run.take((storage) => storage.close()).settle();
  const before = [run.disk.bytesOf(FIRST), run.disk.bytesOf("term")];
  const again = restarted(restarted(run.disk).disk).disk;
  expect([again.bytesOf(FIRST), again.bytesOf("term")]).toEqual(before);
});

test("a failure is reported once and ends everything: no retry, no later answer, no further order (M87)", () => {
  for (let failing = 0; failing < 4; failing++) {
    const run = bootstrapped().persist(order(1, { hardState: hardState(1, "a"), entries: [entry(1, 1)] }));
    run.persist(order(2, { entries: [entry(1, 2)] }));
    for (let step = 0; step < failing; step++) run.perform();
    const news = run.news.length;
    run.fail(EIO);
    expect(run.fault).toEqual({ type: "diskFailed", file: "log", code: "EIO", detail: "input/output error" });
    run.persist(order(3, { entries: [entry(1, 3)] })).settle();
    run.take((storage) => storage.requestRead({ type: "apply" }, index(1), index(2), 1));
    run.take((storage) => storage.close()).settle();
    expect(run.orders).toEqual([]);
    expect(run.news.length).toBe(news + 1);
    expect(run.persisted).toEqual([]);
  }
});

test("a failure of a mark, a preallocation or a read is as final as any other", () => {
  const run = bootstrapped().persist(order(1, { hardState: hardState(1, "a"), entries: [entry(1, 1)] })).settle();
  run.take((storage) => storage.requestRead({ type: "apply" }, index(1), index(2), 1));
  run.fail({ ...EIO, code: "EACCES" });
  expect(run.fault).toMatchObject({ type: "diskFailed", code: "EACCES" });
});

test("a failure while recovering, or while an identity is written, is reported", () => {
  const empty = new StorageRun(new MemoryDisk()).take((storage) => storage.start());
  empty.fail({ code: "EIO", file: null, message: "no directory" });
  expect(empty.fault).toEqual({ type: "diskFailed", file: null, code: "EIO", detail: "no directory" });
  expect(empty.storage.writeIdentity(IDENTITY)).toEqual([]);
  const fresh = restarted(new MemoryDisk()).take((storage) => storage.writeIdentity(ALONE));
  fresh.perform();
  fresh.fail(EIO);
  expect(fresh.fault).toMatchObject({ type: "diskFailed" });
  expect(fresh.last("IdentityWritten")).toBeUndefined();
});

test("closing finishes what was ordered, then marks and syncs the end, and answers once", () => {
  const run = bootstrapped().persist(order(1, { hardState: hardState(1, "a"), entries: [entry(1, 1)] }));
  run.persist(order(2, { entries: [entry(1, 2)] }));
  run.take((storage) => storage.close());
  run.persist(order(3, { entries: [entry(1, 3)] }));
  run.take((storage) => storage.close()).settle();
  expect(run.persisted).toEqual([1, 2]);
  expect(run.news.filter(({ type }) => type === "Closed").length).toBe(1);
  expect(run.news.at(-1)?.type).toBe("Closed");
  const state = run.storage.state!;
  expect(state.synced).toBe(state.end);
  expect(vouchedOf(run).through).toBe(state.end);
  run.take((storage) => storage.close());
  expect(run.news.filter(({ type }) => type === "Closed").length).toBe(1);
});

test("closing waits for reads under way", () => {
  const run = bootstrapped().persist(order(1, { hardState: hardState(1, "a"), entries: [entry(1, 1)] })).settle();
  run.take((storage) => storage.requestRead({ type: "apply" }, index(1), index(2), 1));
  run.take((storage) => storage.close()).settle();
  expect(run.news.slice(-2).map(({ type }) => type)).toEqual(["EntriesRead", "Closed"]);
});

test("closing gives up a recovery or a bootstrap that goes on, and an idle one at once", () => {
  const recovering = new StorageRun(bootstrapped().disk).take((storage) => storage.start());
  recovering.take((storage) => storage.close()).settle();
  expect(recovering.news).toEqual([{ type: "Closed" }]);
  const founding = restarted(new MemoryDisk()).take((storage) => storage.writeIdentity(ALONE));
  founding.take((storage) => storage.close()).settle();
  expect(founding.news.map(({ type }) => type)).toEqual(["Recovered", "Closed"]);
  const idle = restarted(new MemoryDisk()).take((storage) => storage.close());
  expect(idle.news.map(({ type }) => type)).toEqual(["Recovered", "Closed"]);
});

test("a read gives at least one entry, and as many as lie within about its limit", () => {
  const run = bootstrapped().persist(order(1, { hardState: hardState(1, "a"), entries: [entry(1, 1)] })).settle();
  for (const ticket of [2, 3, 4, 5]) run.persist(order(ticket, { entries: [entry(1, ticket, new Uint8Array(100))] }));
  run.settle();
  const read = (from: number, end: number, maxBytes: number): number[] => {
    run.take((storage) => storage.requestRead({ type: "apply" }, index(from), index(end), maxBytes)).settle();
    return run.last("EntriesRead")!.entries.map((one) => one.index);
  };
  expect(read(1, 6, 1)).toEqual([1]);
  expect(read(2, 6, 1)).toEqual([2]);
  expect(read(2, 6, 500)).toEqual([2, 3]);
  expect(read(2, 4, 100_000)).toEqual([2, 3]);
  expect(read(1, 6, 100_000)).toEqual([1, 2, 3, 4, 5]);
});

test("a read gives the entries as they stood when it was asked for", () => {
  const run = bootstrapped();
  run.persist(order(1, { hardState: hardState(1, "a"), entries: [entry(1, 1), entry(1, 2)] })).settle();
  const purpose = { type: "replicate", to: memberIdOf(IDENTITY.node, IDENTITY.incarnation) } as const;
  run.take((storage) => storage.requestRead(purpose, index(1), index(3), 1000));
  run.persist(order(2, { hardState: hardState(2, null), truncateTo: 0, entries: [entry(2, 1)] })).settle();
  expect(run.last("EntriesRead")).toEqual({ type: "EntriesRead", purpose, entries: [entry(1, 1), entry(1, 2)] });
});

test.each([
  ["its header", 8192 + 40], ["its payload", 8192 + 64 + 3], ["its filling", 8192 + 64 + 11],
])("an entry that was damaged since is corruption when it is read back: %s", (_part, at) => {
  const run = bootstrapped();
  run.persist(order(1, { hardState: hardState(1, "a"), entries: [entry(1, 1, new Uint8Array(10))] })).settle();
  run.disk.perform({ type: "write", file: FIRST, offset: at, bytes: Uint8Array.of(255) });
  run.take((storage) => storage.requestRead({ type: "apply" }, index(1), index(2), 1000)).settle();
  expect(run.fault).toMatchObject({ type: "corrupt", file: FIRST, offset: 8192 });
  expect(run.last("EntriesRead")).toBeUndefined();
});

test("another intact record in an entry's place is corruption when it is read back", () => {
  const run = bootstrapped();
  run.persist(order(1, { hardState: hardState(1, "a"), entries: [entry(1, 1, new Uint8Array(10))] })).settle();
  const other = bootstrapped();
  other.persist(order(1, { hardState: hardState(1, "a"), entries: [entry(1, 1)] })).settle();
  const bytes = other.disk.bytesOf(FIRST)!.slice(8192, 8300);
  run.disk.perform({ type: "write", file: FIRST, offset: 8192, bytes });
  run.take((storage) => storage.requestRead({ type: "apply" }, index(1), index(2), 1000)).settle();
  expect(run.fault).toMatchObject({ type: "corrupt", offset: 8192, detail: "does not have the size that it had" });
});

test("an identity without a cluster may be written again, and leads to no log", () => {
  const run = restarted(new MemoryDisk());
  run.take((storage) => storage.writeIdentity(ALONE)).settle();
  run.take((storage) => storage.writeIdentity(ALONE)).settle();
  expect(restarted(run.disk).recovered.identity).toEqual(ALONE);
  expect(run.disk.bytesOf(FIRST)).toBeUndefined();
  expect(run.storage.state).toBeNull();
});

test.each<[string, (run: StorageRun) => void]>([
  ["storage starts once", (run) => run.start()],
  ["the tickets of orders ascend", (run) => run.persist(order(1, { entries: [entry(1, 2)] }))],
  ["an order orders something", (run) => run.persist(order(2, {}))],
  ["entry 3 follows entry 1", (run) => run.persist(order(2, { entries: [entry(1, 3)] }))],
  ["a truncation keeps an entry of the log", (run) => run.persist(order(2, { truncateTo: 2 }))],
  ["the term never falls", (run) => run.persist(order(2, { hardState: hardState(0, null) }))],
  ["only durable entries are read back", (run) =>
    run.take((storage) => storage.requestRead({ type: "apply" }, index(1), index(3), 1))],
  ["something is to be read", (run) =>
    run.take((storage) => storage.requestRead({ type: "apply" }, index(1), index(1), 1))],
  ["an identity is written before anything else", (run) => run.take((storage) => storage.writeIdentity(IDENTITY))],
  ["every operation is answered exactly once", (run) => run.take((storage) =>
    storage.answered({ type: "DiskDone", ticket: 999 as Ticket, result: { type: "done" } }))],
])("misuse is a bug of the caller: %s", (rule, misuse) => {
  const run = bootstrapped().persist(order(1, { hardState: hardState(1, "a"), entries: [entry(1, 1)] })).settle();
  expect(() => misuse(run)).toThrow(rule);
});

test("a node has an identity of its own before it founds a cluster", () => {
  // Otherwise a crash in between would leave a log that belongs to nobody.
  const run = restarted(new MemoryDisk());
  expect(() => run.storage.writeIdentity(IDENTITY)).toThrow("an identity without a cluster comes first");
});

test("an answer out of order within a file is a bug of the driver", () => {
  const run = bootstrapped().persist(order(1, { hardState: hardState(1, "a") }));
  const { ticket } = run.orders[1]!;
  const answer = { type: "DiskDone", ticket, result: { type: "done" } } as const;
  expect(() => run.storage.answered(answer)).toThrow("operations on one file are answered in order");
});

test("the laws of storage notice when they are broken", () => {
  const run = bootstrapped().persist(order(1, { hardState: hardState(1, "a"), entries: [entry(1, 1)] })).settle();
  const state = run.storage.state!;
  checkStorage(state);
  expect(() => checkStorage({ ...state, synced: state.end + 1 })).toThrow("only what was written is durable");
  expect(() => checkStorage({ ...state, durableIndex: index(2) })).toThrow("entries of the log");
  expect(() => checkStorageStep(state, { ...state, end: state.end - 64 })).toThrow("append-only");
  expect(() => checkStorageStep(state, { ...state, hardState: hardState(1, "b") })).toThrow("one vote per term");
  const lost = { ...state, lost: id(1, 9) };
  checkStorageStep(lost, state);
  checkStorageStep(state, { ...lost, isQuarantined: true });
  expect(() => checkStorageStep(state, lost)).toThrow("found out by recovery");
  expect(() => checkStorageStep({ ...state, isQuarantined: true }, state)).toThrow("ends with the process");
});
