/** Orders and bootstrap, crashed at every point (storage-crashes.ts). */
import { expect, test } from "vitest";
import { MemoryDisk } from "./memory-disk.ts";
import { enumerate } from "./storage-crashes.ts";
import { IDENTITY, OPTIONS, StorageRun, entry, hardState, order, restarted } from "./storage-run.ts";

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

test("a step of preallocation, and an order larger than a step, survive every crash", () => {
  const tally = enumerate((run) => {
    run.persist(order(1, { hardState: hardState(1, "a"), entries: [entry(1, 1, payload(400))] }));
    run.settle();
    expect(run.run.disk.bytesOf("log")?.length).toBe(5120);
    run.persist(order(2, { entries: [entry(1, 2, payload(900))] }));
    run.settle();
    expect(run.run.disk.bytesOf("log")?.length).toBe(6144);
  });
  expect(tally.images).toBeGreaterThan(50);
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
      const again = restarted(image);
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
  expect(run.disk.bytesOf("log")?.length).toBe(OPTIONS.limits.preallocateBytes);
});
