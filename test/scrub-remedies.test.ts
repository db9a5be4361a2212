/** What becomes of damage that scrubbing finds while nothing else happens: it is gone before the next start. */
import { expect, test } from "vitest";
import { Random } from "../core/random.ts";
import type { ReplicaEffect } from "../core/replica/boundary.ts";
import { receiveSnapshot, storeSnapshot } from "./storage-snapshots.ts";
import type { MemoryDisk } from "./memory-disk.ts";
import { ReplicaCluster } from "./replica-cluster.ts";
import {
  IDENTITY, OPTIONS, type StorageRun, bootstrapped, entry, hardState, id, order, restarted,
} from "./storage-run.ts";

/** The only voter of its cluster, with a snapshot of its two entries and two entries behind it; it rests. */
function resting(): StorageRun {
  const run = bootstrapped(OPTIONS, IDENTITY);
  run.persist(order(1, { hardState: hardState(1, "a"), entries: [entry(1, 1), entry(1, 2)] })).settle();
  storeSnapshot(run, id(1, 2));
  run.settle().persist(order(2, { entries: [entry(1, 3, new Uint8Array(300)), entry(1, 4)] })).settle();
  return run.tick().tick();
}

/** Durably, behind the back of who runs. */
function flip(run: StorageRun, file: string, ...places: readonly number[]): void {
  const bytes = run.disk.bytesOf(file)!;
  for (const offset of places) {
    run.disk.perform({ type: "write", file, offset, bytes: Uint8Array.of(bytes[offset]! ^ 1) });
  }
  run.disk.perform({ type: "sync", file });
}

/** Of what a crash may leave now, drawn from a fixed seed. */
function someImages({ disk }: StorageRun): MemoryDisk[] {
  return Array.from({ length: 4 }, (_, seed) => disk.randomImage(Random.fromNumber(seed)));
}

function ticks(run: StorageRun, count: number): readonly string[] {
  const heard = run.news.length;
  for (let done = 0; done < count; done++) run.tick();
  return run.news.slice(heard).map(({ type }) => type);
}

test("a manifest that is damaged at rest, be it in both halves, is written anew at once", () => {
  const { length } = resting().disk.bytesOf("manifest")!;
  for (const places of [[130], [length / 2 + 130], [130, length / 2 + 130]]) {
    const run = resting();
    flip(run, "manifest", ...places);
    expect(ticks(run, 10)).toEqual(["DamageFound"]);
    expect(run.last("DamageFound")).toMatchObject({ fault: { file: "manifest" }, remedy: "it is written anew" });
    const again = restarted(run.disk);
    expect(again.recovered).toMatchObject({ damage: [], lost: null, snapshot: { entry: id(1, 2) } });
    expect(run.disk.names.filter((name) => name.endsWith(".new"))).toEqual([]);
  }
});

test("wherever a crash comes while a manifest is written anew, the snapshot is there", () => {
  const run = resting();
  flip(run, "manifest", 130);
  let images = 0;
  for (let tick = 0; tick < 10; tick++) {
    run.take((storage) => storage.tick());
    run.settle(() => {
      for (const disk of someImages(run)) {
        expect(restarted(disk).recovered).toMatchObject({ lost: null, snapshot: { entry: id(1, 2) } });
        images += 1;
      }
    });
  }
  expect(images).toBeGreaterThan(20);
});

test("a snapshot that comes into force before its manifest is written anew is not undone by that", () => {
  const run = resting();
  flip(run, "manifest", 130);
  for (let tick = 0; tick < 10; tick++) {
    run.take((storage) => storage.tick());
    while (run.orders.length > 0 && run.last("DamageFound") === undefined) run.perform();
  }
  expect(run.last("DamageFound")).toBeDefined();
  const snapshot = receiveSnapshot(run, id(1, 9));
  run.persist(order(3, { snapshot })).settle();
  expect(restarted(run.disk).recovered).toMatchObject({ damage: [], snapshot: { entry: id(1, 9) } });
});

test.each([
  ["in its first entry", 8192 + 20], ["in its last one", 8192 + 3 * 64 + 304 + 10], ["in its header", 4096 + 20],
])("damage in the segment that is written, %s, is left behind though nothing is written", (_, place) => {
  const run = resting();
  flip(run, "log-0000000001", place);
  expect(ticks(run, 10)).toEqual(["DamageFound", "SnapshotWanted"]);
  expect(run.last("SnapshotWanted")).toEqual({ type: "SnapshotWanted", through: 4 });
  // As Raft does it.
  storeSnapshot(run, id(1, 4));
  run.settle().compact(1, 4).settle();
  expect(run.segments).not.toContain("log-0000000001");
  const again = restarted(run.disk);
  expect(again.fault).toBeNull();
  expect(again.recovered).toMatchObject({ damage: [], lost: null, log: { base: id(1, 4), last: id(1, 4) } });
  again.persist(order(1, { entries: [entry(1, 5)] })).settle();
  expect(restarted(again.disk).recovered.log.last).toEqual(id(1, 5));
});

test("wherever a crash comes while a damaged segment is left, all is there, or nobody says that it is not", () => {
  const run = resting();
  storeSnapshot(run, id(1, 4));
  run.settle();
  flip(run, "log-0000000001", 8192 + 20);
  let [mended, refused] = [0, 0];
  for (let tick = 0; tick < 10; tick++) {
    run.take((storage) => storage.tick());
    run.settle(() => {
      for (const disk of someImages(run)) {
        const again = restarted(disk);
        // The next segment's header is torn: it might have been there for long, and more behind it.
        if (again.fault !== null) refused += 1;
        else {
          expect(again.recovered).toMatchObject({ lost: null, log: { last: id(1, 4) } });
          mended += 1;
        }
      }
    });
  }
  expect(refused).toBeLessThan(5);
  expect(mended).toBeGreaterThan(50);
  expect(restarted(run.disk).recovered).toMatchObject({ lost: null, log: { last: id(1, 4) } });
});

test("where no segment stands ready the damaged one is left once there is room, and nobody waits for that", () => {
  const run = resting();
  run.disk.capacity = run.disk.names.reduce((sum, file) => sum + run.disk.bytesOf(file)!.length, 0);
  run.persist(order(3, { entries: [entry(1, 5, new Uint8Array(3500))] })).settle();
  // The third is a small one of the reserve's room, and the last.
  flip(run, "log-0000000002", 8192 + 20);
  ticks(run, 10);
  run.persist(order(4, { entries: [entry(1, 6)] })).settle();
  flip(run, "log-0000000003", 8192 + 20);
  ticks(run, 10);
  expect(run.last("DamageFound")).toMatchObject({ fault: { file: "log-0000000003" } });
  run.persist(order(5, { entries: [entry(1, 7)] })).settle();
  expect(run.persisted.at(-1)).toBe(5);
  expect(run.segments).toEqual(["log-0000000001", "log-0000000002", "log-0000000003"]);
  run.disk.capacity = Number.POSITIVE_INFINITY;
  // First of all what room there is is the snapshot's.
  storeSnapshot(run, id(1, 7));
  expect(ticks(run.settle(), 4)).toContain("SnapshotWanted");
  expect(run.last("SnapshotWanted")).toEqual({ type: "SnapshotWanted", through: 7 });
  expect(run.segments).toContain("log-0000000004");
});

test("an idle node that is alone mends its log by itself, and starts again", () => {
  const cluster = new ReplicaCluster(["a"]);
  const host = cluster.host("a");
  cluster.startAll();
  cluster.runUntil(() => host.applied.length > 0);
  for (let number = 1; number < 6; number++) {
    cluster.propose("a", number, number - 1, new Uint8Array(100).fill(number));
    cluster.settle();
  }
  const news: ReplicaEffect["type"][] = [];
  cluster.onEffect = (_, { type }) => void (type !== "Disk" && type !== "SetTimer" && news.push(type));
  const file = "log-0000000001";
  const offset = 8192 + 300;
  host.disk.perform({ type: "write", file, offset, bytes: Uint8Array.of(host.disk.bytesOf(file)![offset]! ^ 1) });
  host.disk.perform({ type: "sync", file });
  cluster.pass(20_000);
  expect(news).toEqual(["DamageFound", "TakeSnapshot", "CutEnded"]);
  expect(cluster.filesOf("a")).not.toContain(file);
  cluster.kill("a");
  cluster.start("a");
  cluster.runUntil(() => host.applied.length >= 6);
  expect(host.halt).toBeNull();
});
