/**
 * Crash enumeration: small runs, crashed before and after every single disk operation into every legal image, each
 * recovered. What was acknowledged is there, nothing contradicts what was ordered, no image is called corrupt; recovery
 * may crash too, and what it has reported survives any further crash.
 */
import { expect, test } from "vitest";
import { MemoryDisk } from "./memory-disk.ts";
import {
  IDENTITY, OPTIONS, StorageRun, bootstrapped, entry, hardState, order, restarted,
} from "./storage-run.ts";
import { type StorageTwin, TwinRun, logOf } from "./storage-twin.ts";

const payload = (size: number): Uint8Array => Uint8Array.from({ length: size }, (_, at) => at * 7 + size);

/** Little room behind the records, as every restart looks through it; and steps that little runs cross. */
const SMALL = { ...OPTIONS, limits: { ...OPTIONS.limits, preallocateBytes: 1024 } };

/** How much was looked at: an enumeration of nothing proves nothing. */
interface Tally {
  images: number;
  torn: number;
}

/** The process is killed and what it wrote is still there; what its successor reports survives a loss of power. */
function judgeKill(disk: MemoryDisk, twin: StorageTwin): void {
  const run = restarted(disk.killed());
  judgeState(run, twin);
  expect(run.recovered.tornBytes, "nothing is torn that was written whole").toBe(0);
  for (const image of run.disk.images()) {
    const again = restarted(image);
    expect(again.recovered).toEqual(run.recovered);
    expect(logOf(again)).toEqual(logOf(run));
  }
}

/** Recovers every image of the disk as it is now, with a crash after each operation of the recovery too. */
function judgeImages(disk: MemoryDisk, twin: StorageTwin, tally: Tally): void {
  for (const image of disk.images()) {
    const run = new StorageRun(image).take((storage) => storage.start());
    run.settle(() => {
      if (run.last("Recovered") !== undefined) return;
      for (const again of image.images()) judgeState(restarted(again), twin);
    });
    judgeState(run, twin);
    tally.images++;
    if (run.recovered.tornBytes > 0) tally.torn++;
    const log = logOf(run);
    for (const again of image.images()) {
      const second = restarted(again);
      expect(second.recovered.hardState, "a reported hard state survives").toEqual(run.recovered.hardState);
      expect(logOf(second), "a reported log survives").toEqual(log);
      expect(second.recovered.tornBytes, "what was cut once is gone").toBe(0);
    }
    judgeGoingOn(run, log.length);
  }
}

function judgeState(run: StorageRun, twin: StorageTwin): void {
  expect(run.fault).toBeNull();
  expect(twin.judge(logOf(run), run.recovered.hardState)).toBeNull();
}

/** The recovered node takes further orders, and they last. */
function judgeGoingOn(run: StorageRun, lastIndex: number): void {
  const next = entry(9, lastIndex + 1, payload(40));
  run.persist(order(1, { hardState: hardState(9, null), entries: [next] })).settle();
  expect(run.persisted).toEqual([1]);
  expect(restarted(run.disk).recovered.log.last).toEqual({ term: 9, index: lastIndex + 1 });
}

/** Runs the story, crashing at every point. The story gives orders, and performs what it wants done in between. */
function enumerate(story: (run: TwinRun) => void): Tally {
  const tally: Tally = { images: 0, torn: 0 };
  const observed = new (class extends TwinRun {
    override perform(): void {
      super.perform();
      judgeImages(this.run.disk, this.twin, tally);
      judgeKill(this.run.disk, this.twin);
    }
  })(bootstrapped(SMALL));
  story(observed);
  while (observed.run.orders.length > 0) observed.perform();
  expect(observed.run.persisted).toEqual(observed.twin.orders.map(({ ticket }) => ticket));
  return tally;
}

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

test("a truncation and the entries that replace what it cut survive every crash", () => {
  const tally = enumerate((run) => {
    run.persist(order(1, { hardState: hardState(1, null), entries: [entry(1, 1), entry(1, 2), entry(1, 3)] }));
    while (run.run.orders.length > 0) run.perform();
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
    while (run.run.orders.length > 0) run.perform();
    run.persist(order(4, { hardState: hardState(7, "c") }));
  });
  expect(tally.images).toBeGreaterThan(15);
});

test("a step of preallocation, and an order larger than a step, survive every crash", () => {
  const tally = enumerate((run) => {
    run.persist(order(1, { hardState: hardState(1, "a"), entries: [entry(1, 1, payload(400))] }));
    while (run.run.orders.length > 0) run.perform();
    expect(run.run.disk.bytesOf("log")?.length).toBe(5120);
    run.persist(order(2, { entries: [entry(1, 2, payload(900))] }));
    while (run.run.orders.length > 0) run.perform();
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
