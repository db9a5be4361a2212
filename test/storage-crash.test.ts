/** Orders and bootstrap, crashed at every point (storage-crashes.ts). */
import { expect, test } from "vitest";
import { MemoryDisk } from "./memory-disk.ts";
import { SMALL, enumerate } from "./storage-crashes.ts";
import { IDENTITY, StorageRun, entry, hardState, id, order, restarted } from "./storage-run.ts";

const payload = (size: number): Uint8Array => Uint8Array.from({ length: size }, (_, at) => at * 7 + size);

test("a group commit survives every crash as far as it was acknowledged", () => {
  const tally = enumerate((run) => {
    run.persist(order(1, { hardState: hardState(1, "a"), entries: [entry(1, 1)] }));
    run.persist(order(2, { entries: [entry(1, 2, payload(10))] }));
    run.persist(order(3, { entries: [entry(1, 3, payload(900)), entry(1, 4, payload(1))] }));
    run.persist(order(4, { entries: [entry(1, 5, payload(30))] }));
  });
  expect(tally.images).toBeGreaterThan(20);
  expect(tally.torn).toBeGreaterThan(5);
});

test("a truncation and the entries that replace what it cut are one write, and survive every crash (M46)", () => {
  const tally = enumerate((run) => {
    run.persist(order(1, { hardState: hardState(1, null), entries: [entry(1, 1), entry(1, 2), entry(1, 3)] }));
    run.settle();
    run.persist(order(2, { hardState: hardState(3, null), truncateTo: 1, entries: [entry(3, 2, payload(600))] }));
    run.persist(order(3, { truncateTo: 0, entries: [entry(2, 1), entry(3, 2)] }));
  });
  expect(tally.images).toBeGreaterThan(50);
  expect(tally.torn).toBeGreaterThan(10);
});

test("a change of the hard state alone survives every crash", () => {
  const tally = enumerate((run) => {
    run.persist(order(1, { hardState: hardState(1, "a") }));
    run.persist(order(2, { hardState: hardState(2, null) }));
    run.persist(order(3, { hardState: hardState(2, "b") }));
    run.settle();
    run.persist(order(4, { hardState: hardState(7, "c") }));
  });
  expect(tally.images).toBeGreaterThan(15);
});

test("a roll into the next segment survives every crash", () => {
  const tally = enumerate((run) => {
    run.persist(order(1, { hardState: hardState(1, "a"), entries: [entry(1, 1, payload(400))] })).settle();
    expect(run.run.storage.state).toMatchObject({ end: 464, allocated: 1024 });
    run.persist(order(2, { entries: [entry(1, 2, payload(500)), entry(1, 3)] })).settle();
    expect(run.run.storage.state).toMatchObject({ end: 464 + 632, allocated: 464 + 1024 });
    run.persist(order(3, { truncateTo: 1, entries: [entry(1, 2, payload(900))] })).settle();
  });
  expect(tally.images).toBeGreaterThan(100);
  expect(tally.torn).toBeGreaterThan(5);
});

test("an order larger than a segment survives every crash", () => {
  const tally = enumerate((run) => {
    run.persist(order(1, { hardState: hardState(1, "a"), entries: [entry(1, 1, payload(1500))] })).settle();
    expect(run.run.storage.state?.allocated).toBe(1568);
    run.persist(order(2, { entries: [entry(1, 2)] }));
  });
  expect(tally.images).toBeGreaterThan(50);
});

test("segments that are dropped and used again survive every crash", () => {
  const tally = enumerate((run) => {
    run.compact(id(1, 3)).settle();
    // Two of the files stand ready again, full of what they were.
    run.persist(order(5, { entries: [entry(1, 5, payload(700))] })).settle();
    run.persist(order(6, { entries: [entry(1, 6, payload(700)), entry(1, 7)] })).settle();
    expect(run.run.segments.length).toBeLessThan(7);
  }, (run) => {
    run.persist(order(1, { hardState: hardState(1, "a"), entries: [entry(1, 1, payload(700))] })).settle();
    for (const index of [2, 3, 4]) run.persist(order(index, { entries: [entry(1, index, payload(700))] })).settle();
    run.store(id(1, 3)).settle();
  });
  expect(tally.images).toBeGreaterThan(100);
  expect(tally.torn).toBeGreaterThan(5);
});

test("the closing mark survives every crash, or is missed by nobody", () => {
  const tally = enumerate((run) => {
    run.persist(order(1, { hardState: hardState(1, "a"), entries: [entry(1, 1, payload(20))] }));
    run.run.take((storage) => storage.close());
  });
  expect(tally.images).toBeGreaterThan(10);
});

/** Node a before it has a cluster. */
const ALONE = { ...IDENTITY, cluster: null };

test("bootstrap can crash anywhere: the node is as new, known, or a member, as far as it was told", () => {
  let images = 0;
  const run = new StorageRun(new MemoryDisk());
  const look = (): void => {
    const written = run.news.flatMap((news) => (news.type === "IdentityWritten" ? [news.identity] : []));
    const legal = [null, ALONE, IDENTITY].slice(written.length);
    for (const image of run.disk.images()) {
      images++;
      const again = restarted(image, SMALL);
      expect(again.fault).toBeNull();
      expect(legal).toContainEqual(again.recovered.identity);
      for (const third of image.images()) expect(restarted(third).recovered).toEqual(again.recovered);
      if (again.recovered.identity?.cluster) continue;
      if (again.recovered.identity === null) again.take((storage) => storage.writeIdentity(ALONE)).settle();
      again.take((storage) => storage.writeIdentity(IDENTITY)).settle();
      expect(restarted(again.disk).recovered.identity).toEqual(IDENTITY);
    }
  };
  look();
  run.take((storage) => storage.start()).settle(look);
  run.take((storage) => storage.writeIdentity(ALONE)).settle(look);
  run.take((storage) => storage.writeIdentity(IDENTITY)).settle(look);
  expect(images).toBeGreaterThan(50);
  expect(run.segments).toEqual(["log-0000000001", "log-0000000002"]);
});
