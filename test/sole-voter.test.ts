/**
 * Who may be the only voter keeps what it has, whatever is damaged; who has others is refilled by them. What the
 * founders, the log or the snapshot say of that may be out of date, or be what is damaged.
 */
import { expect, test } from "vitest";
import { DEFAULT_LIMITS } from "../core/raft/boundary.ts";
import { decodeTermFile } from "../core/storage/term-file.ts";
import { ownerOf } from "../core/storage/block.ts";
import { SEGMENT_HEADER_SIZE, isSegmentFile } from "../core/storage/segment-file.ts";
import { receiveSnapshot, storeSnapshot } from "./storage-snapshots.ts";
import { type Host, put, remove, ReplicaCluster } from "./replica-cluster.ts";
import { MemoryDisk } from "./memory-disk.ts";
import {
  IDENTITY, OF_THREE, OPTIONS, type StorageRun, bootstrapped, configurationEntry, entry, hardState, id, order,
  restarted,
} from "./storage-run.ts";

/** What a slot of the hard state on this disk says. */
function mayVoteAlone(disk: MemoryDisk): boolean {
  const decoded = decodeTermFile(disk.bytesOf("term")!, ownerOf(IDENTITY));
  if (!decoded.ok) throw new Error("a hard state is intact");
  return decoded.value.slot.mayVoteAlone;
}

function filesOf({ disk }: StorageRun): Record<string, Uint8Array> {
  return Object.fromEntries(disk.names.map((name) => [name, disk.bytesOf(name)!]));
}

/** A log without its first segment, and all that it said; and a snapshot whose manifest is harmed in both halves. */
function withoutManifest(run: StorageRun, voters: readonly string[]): MemoryDisk {
  for (let index = 3; index <= 12; index++) {
    run.persist(order(index, { entries: [entry(1, index, new Uint8Array(1000).fill(index))] })).settle();
  }
  storeSnapshot(run, id(1, 12), voters);
  run.settle().compact(1, 12).settle().close();
  const files = filesOf(run);
  expect(Object.keys(files)).not.toContain("log-0000000001");
  const manifest = files["manifest"]!.slice();
  for (const at of [120, manifest.length / 2 + 120]) manifest[at]! ^= 1;
  return MemoryDisk.of({ ...files, manifest });
}

test("founded as one of three and the only voter by now: refuses, though nothing on the disk says who votes", () => {
  const run = bootstrapped(OPTIONS, OF_THREE);
  run.persist(order(1, { hardState: hardState(1, "a"), entries: [entry(1, 1)] })).settle();
  expect(mayVoteAlone(run.disk)).toBe(false);
  run.persist(order(2, { entries: [configurationEntry(1, 2, ["a"])] })).settle();
  expect(mayVoteAlone(run.disk)).toBe(true);
  const disk = withoutManifest(run, ["a"]);
  const before = disk.digest();
  const again = restarted(disk);
  expect(again.fault).toMatchObject({ type: "corrupt", file: "manifest" });
  expect(disk.digest()).toBe(before);
});

test("founded alone and one of three by now: discards, and names all as lost, though the founder is alone", () => {
  const run = bootstrapped(OPTIONS, IDENTITY);
  expect(mayVoteAlone(run.disk)).toBe(true);
  const grown = configurationEntry(1, 2, ["a", "b", "c"]);
  run.persist(order(1, { hardState: hardState(1, "a"), entries: [entry(1, 1), grown] })).settle();
  run.take((storage) => storage.noteOtherVoters()).settle();
  expect(mayVoteAlone(run.disk)).toBe(false);
  const again = restarted(withoutManifest(run, ["a", "b", "c"]));
  expect(again.recovered).toMatchObject({ lost: id(1, 12), snapshot: null, log: { last: { index: 0 } } });
});

test("others who have been asked in, and are not known to be, have nothing yet: refuses", () => {
  const run = bootstrapped(OPTIONS, IDENTITY);
  const grown = configurationEntry(1, 2, ["a", "b", "c"]);
  run.persist(order(1, { hardState: hardState(1, "a"), entries: [entry(1, 1), grown, entry(1, 3)] })).settle();
  const { end } = run.storage.state!;
  run.close();
  const { "log-0000000001": log, ...others } = filesOf(run);
  const damaged = log!.slice();
  // In the last entry: what is left of the log says that there are others.
  damaged[SEGMENT_HEADER_SIZE + end - 10]! ^= 1;
  const again = restarted(MemoryDisk.of({ ...others, "log-0000000001": damaged }));
  expect(again.fault).toMatchObject({ type: "corrupt", file: "log-0000000001" });
});

test("wherever a crash comes, a log in which this node is the only voter is on a disk that says so", () => {
  const run = bootstrapped(OPTIONS, OF_THREE);
  run.persist(order(1, { hardState: hardState(1, "a"), entries: [entry(1, 1)] })).settle();
  run.persist(order(2, { entries: [configurationEntry(1, 2, ["a"])] }));
  const seen = new Set<string>();
  const look = (): void => {
    for (const disk of run.disk.images()) {
      const { log } = restarted(disk).recovered;
      seen.add(`alone ${log.configurations.length === 1}, says ${mayVoteAlone(disk)}`);
    }
  };
  look();
  run.settle(look);
  expect([...seen].sort()).toEqual(["alone false, says false", "alone false, says true", "alone true, says true"]);
});

test("a snapshot that makes this node the only voter is not in force before the disk says so", () => {
  const run = bootstrapped(OPTIONS, OF_THREE);
  run.persist(order(1, { hardState: hardState(1, "a"), entries: [entry(1, 1)] })).settle();
  const snapshot = receiveSnapshot(run, id(1, 9));
  run.settle().persist(order(2, { snapshot }));
  const seen = new Set<string>();
  run.settle(() => {
    for (const disk of run.disk.images()) {
      const alone = restarted(disk).recovered.snapshot !== null;
      seen.add(`alone ${alone}, says ${mayVoteAlone(disk)}`);
    }
  });
  expect([...seen].sort()).toEqual(["alone false, says false", "alone false, says true", "alone true, says true"]);
});

// Whole Replicas.

const SETTINGS = {
  limits: { ...DEFAULT_LIMITS, snapshotEntries: 5, maxTrailingEntries: 2, snapshotChunkBytes: 1000 },
};

function propose(cluster: ReplicaCluster, from: number, end: number): void {
  for (let number = from; number < end; number++) {
    cluster.propose(cluster.leader()!.id, number, number - 1, new Uint8Array(300).fill(number));
    cluster.settle();
  }
  cluster.pass(500);
}

function spoilManifest(cluster: ReplicaCluster, { id, disk }: Host): void {
  const half = disk.bytesOf("manifest")!.length / 2;
  cluster.spoil(id, "manifest", 120, half + 120);
}

function elected(names: readonly string[], founders: readonly string[]): ReplicaCluster {
  const cluster = new ReplicaCluster(names, 1, SETTINGS);
  for (const name of founders) cluster.start(name, founders);
  cluster.runUntil(() => (cluster.leader()?.applied.length ?? 0) > 0);
  return cluster;
}

test("three become one: with both halves of its manifest damaged that one refuses to start, and keeps its log", () => {
  const cluster = elected(["a", "b", "c"], ["a", "b", "c"]);
  const host = cluster.leader()!;
  propose(cluster, 1, 10);
  const others = cluster.ids.filter((name) => name !== host.id);
  const request = cluster.change(host.id, others.map(remove));
  cluster.pass(1000);
  expect(host.changes.get(request)).toMatchObject({ type: "committed" });
  for (const name of others) cluster.kill(name);
  propose(cluster, 10, 60);
  cluster.kill(host.id);
  // What the log says of the configuration has left it.
  expect(cluster.filesOf(host.id).filter(isSegmentFile)).not.toContain("log-0000000001");
  spoilManifest(cluster, host);
  const before = host.disk.digest();
  cluster.start(host.id);
  cluster.settle();
  expect(host.halt).toMatchObject({ type: "storage", fault: { type: "corrupt", file: "manifest" } });
  expect(host.disk.digest()).toBe(before);
});

test("one becomes three: with both halves of its manifest damaged the founder is refilled by the others", () => {
  const cluster = elected(["a", "b", "c"], ["a"]);
  propose(cluster, 1, 10);
  for (const name of ["b", "c"]) cluster.start(name, ["a"]);
  cluster.pass(1000);
  const founder = cluster.host("a");
  for (const role of ["standby", "voter"] as const) {
    const request = cluster.change("a", [put("b", role), put("c", role)]);
    cluster.pass(2000);
    expect(founder.changes.get(request)).toMatchObject({ type: "committed" });
  }
  propose(cluster, 10, 60);
  cluster.kill("a");
  spoilManifest(cluster, founder);
  cluster.start("a");
  const wanted = cluster.host("b").applied.length;
  cluster.runUntil(() => founder.applied.length >= wanted && founder.replica!.inspect().raft?.lost === null);
  expect(founder.halt).toBeNull();
});
