/** The Storage machine: what it orders of the disk, whom it answers when, and what it does when the world fails. */
import { expect, test } from "vitest";
import { type StorageRun, IDENTITY, bootstrapped, entry, hardState, order, restarted } from "./storage-run.ts";

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
  expect(waiting(run).slice(0, 2)).toEqual(["write log", "sync log"]);
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
  expect(waiting(run).filter((name) => name.endsWith(" log"))).toEqual(["preallocate log", "write log", "sync log"]);
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
    log: { terms: [{ term: 1, index: 1 }, { term: 2, index: 3 }], last: { term: 2, index: 3 } },
    tornBytes: 0,
  });
  expect(again.readAll()).toEqual([entry(1, 1), entry(1, 2, payload), replacement]);
});
