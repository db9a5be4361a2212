/** Snapshots through a Replica: taken, stored, sent in pieces, and restored by who lags behind and by who is new. */
import { expect, test } from "vitest";
import { DEFAULT_LIMITS } from "../core/raft/boundary.ts";
import type { ReplicaEffect } from "../core/replica/boundary.ts";
import type { LogIndex } from "../core/types.ts";
import { decodeLetter } from "../core/wire/peer-codec.ts";
import { put, ReplicaCluster, type Host } from "./replica-cluster.ts";

/** Tiny: a snapshot after every fifth entry, of which two are kept in the log, sent by 100 bytes. */
const LIMITS = { ...DEFAULT_LIMITS, snapshotEntries: 5, maxTrailingEntries: 2, snapshotChunkBytes: 100 };

function running(names: readonly string[]): ReplicaCluster {
  const cluster = new ReplicaCluster(names, 1, { limits: LIMITS });
  const founders = names.filter((name) => name !== "d");
  for (const name of founders) cluster.start(name, founders);
  cluster.runUntil(() => cluster.leader() !== null && cluster.leader()!.applied.length > 0);
  return cluster;
}

function propose(cluster: ReplicaCluster, from: number, end: number): void {
  for (let number = from; number < end; number++) {
    const payload = new Uint8Array(20).fill(number);
    cluster.propose(cluster.leader()!.id, number, number - 1, payload);
    cluster.settle();
  }
}

function baseOf(host: Host): number {
  return host.replica!.inspect().raft!.base.index;
}

/** What happens from now on, by type. */
function watch(cluster: ReplicaCluster): (host: Host, type: ReplicaEffect["type"]) => number {
  const seen = new Map<string, number>();
  cluster.onEffect = (host, { type }) => void seen.set(`${host.id} ${type}`, (seen.get(`${host.id} ${type}`) ?? 0) + 1);
  return (host, type) => seen.get(`${host.id} ${type}`) ?? 0;
}

test("each node takes snapshots of its own, its log is compacted, and a restart begins with the snapshot", () => {
  const cluster = running(["a", "b", "c"]);
  const count = watch(cluster);
  propose(cluster, 1, 30);
  cluster.pass(500);
  for (const host of cluster.hosts.values()) {
    expect(count(host, "TakeSnapshot")).toBeGreaterThan(2);
    expect(count(host, "RestoreFinished")).toBe(0);
    expect(baseOf(host)).toBeGreaterThan(20);
  }
  const before = cluster.leader()!.applied;
  for (const id of cluster.ids) cluster.crash(id);
  cluster.packets = [];
  cluster.startAll();
  cluster.runUntil(() => [...cluster.hosts.values()].every(({ applied }) => applied.length > before.length));
  for (const host of cluster.hosts.values()) {
    expect(count(host, "RestoreFinished")).toBe(1);
    expect(host.applied.slice(0, before.length)).toEqual(before);
  }
});

test("a node that was away for longer than the log reaches back gets a snapshot in pieces, and what follows it", () => {
  const cluster = running(["a", "b", "c"]);
  const away = [...cluster.hosts.values()].find((host) => host !== cluster.leader())!;
  const last = away.applied.length;
  cluster.crash(away.id);
  propose(cluster, 1, 30);
  const leader = cluster.leader()!;
  expect(baseOf(leader)).toBeGreaterThan(last);
  const count = watch(cluster);
  cluster.start(away.id);
  let pieces = 0;
  cluster.reaches = ({ bytes, to }) => {
    const letter = decodeLetter(bytes);
    if (to === away.id && letter.ok && letter.letter.message.type === "InstallSnapshot") pieces += 1;
    return true;
  };
  cluster.runUntil(() => away.applied.length === leader.applied.length);
  expect(away.applied).toEqual(leader.applied);
  expect(count(away, "RestoreFinished")).toBe(1);
  expect(pieces).toBeGreaterThan(2);
});

test("a node that joins when the beginning of the log is gone gets the members with the snapshot", () => {
  const cluster = running(["a", "b", "d"]);
  propose(cluster, 1, 20);
  cluster.start("d", ["a", "b"]);
  cluster.settle();
  const request = cluster.change(cluster.leader()!.id, [put("d", "standby")]);
  cluster.pass(2000);
  const leader = cluster.leader()!;
  expect(leader.changes.get(request)).toMatchObject({ type: "committed" });
  const d = cluster.host("d");
  expect(d.applied).toEqual(leader.applied);
  expect(d.configuration).toEqual(leader.configuration);
  expect(d.configuration!.members.at(-1)).toMatchObject({ role: "standby", address: "d:7001" });
  // And a restart finds it again.
  cluster.crash("d");
  cluster.start("d", ["a", "b"]);
  while (cluster.work("d"));
  expect(d.configuration).toEqual(leader.configuration);
});

test("a cut that a newer snapshot has overtaken is not stored, and ends at once", () => {
  const cluster = running(["a", "b", "c"]);
  propose(cluster, 1, 12);
  const { id, replica } = cluster.leader()!;
  const { index } = replica!.inspect().raft!.snapshot;
  expect(index).toBeGreaterThan(0);
  const cut = cluster.host(id).state.cut();
  const late = { type: "SnapshotTaken", index: (index - 1) as LogIndex, cut } as const;
  expect(cluster.step(id, late)).toEqual([{ type: "CutEnded", isStored: false }]);
});
