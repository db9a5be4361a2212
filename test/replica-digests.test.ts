/** States that differ although all logs agree: a majority at the same index decides who is wrong, and nobody else. */
import { expect, test } from "vitest";
import { DEFAULT_LIMITS } from "../core/raft/boundary.ts";
import type { LogIndex } from "../core/types.ts";
import { decodeLetter } from "../core/wire/peer-codec.ts";
import { type Host, ReplicaCluster } from "./replica-cluster.ts";

const EVERY = 8;
const LIMITS = { ...DEFAULT_LIMITS, snapshotEntries: 5, maxTrailingEntries: 2, snapshotChunkBytes: 1000 };
const SETTINGS = { limits: LIMITS, digestEvery: EVERY };

function running(names: readonly string[]): ReplicaCluster {
  const cluster = new ReplicaCluster(names, 1, SETTINGS);
  cluster.startAll();
  cluster.runUntil(() => cluster.leader() !== null && cluster.leader()!.applied.length > 0);
  return cluster;
}

function propose(cluster: ReplicaCluster, from: number, end: number): void {
  for (let number = from; number < end; number++) {
    cluster.propose(cluster.leader()!.id, number, number - 1, new Uint8Array(20).fill(number));
    cluster.settle();
  }
  cluster.pass(300);
}

function others(cluster: ReplicaCluster, ...without: readonly Host[]): Host[] {
  return [...cluster.hosts.values()].filter((host) => !without.includes(host));
}

function isDigest(bytes: Uint8Array): boolean {
  const decoded = decodeLetter(bytes);
  return decoded.ok && decoded.letter.message.type === "Digest";
}

test("who differs from a majority stops, marked; its next start gets everything anew, and it is equal", () => {
  const cluster = running(["a", "b", "c"]);
  propose(cluster, 1, 10);
  const leader = cluster.leader()!;
  const [wrong, right] = others(cluster, leader) as [Host, Host];
  wrong.state.corrupt(5);
  const said: string[] = [];
  cluster.onEffect = (host, { type }) => void (host === wrong && said.push(type));
  // Up to the next index at which states are compared nobody can know.
  propose(cluster, 10, 14);
  expect(wrong.halt).toBeNull();
  propose(cluster, 14, 20);
  expect(wrong.halt).toMatchObject({ type: "quarantined", index: 16 });
  expect(said.at(-1)).toBe("Halt");
  expect([leader.halt, right.halt]).toEqual([null, null]);
  expect(leader.applied).toEqual(right.applied);

  // The snapshots that it has taken since then are as wrong as its memory: not a page of them comes back.
  cluster.kill(wrong.id);
  const restored: number[] = [];
  cluster.onEffect = (host, effect) => {
    if (host !== wrong) return;
    if (effect.type === "Recovered") expect(effect).toMatchObject({ last: { index: 0 }, lost: { index: 16 } });
    if (effect.type === "RestoreFinished") restored.push(effect.entry.index);
  };
  cluster.start(wrong.id);
  cluster.runUntil(() => wrong.applied.length === leader.applied.length);
  expect(restored.length).toBe(1);
  expect(wrong.state.checksum).toBe(leader.state.checksum);
  propose(cluster, 20, 40);
  expect(wrong.halt).toBeNull();
  expect(wrong.state.checksum).toBe(leader.state.checksum);
});

test("a leader that differs is condemned as anybody is, and another one leads", () => {
  const cluster = running(["a", "b", "c"]);
  propose(cluster, 1, 4);
  const wrong = cluster.leader()!;
  wrong.state.corrupt(2);
  propose(cluster, 4, 8);
  expect(wrong.halt).toMatchObject({ type: "quarantined", index: 8 });
  cluster.runUntil(() => cluster.leader() !== null && cluster.leader() !== wrong);
  cluster.kill(wrong.id);
  cluster.start(wrong.id);
  cluster.runUntil(() => wrong.state.checksum === cluster.leader()!.state.checksum);
});

test("without a majority nobody is condemned: two that differ, and three of which all do", () => {
  const two = running(["a", "b", "c"]);
  const [, away] = others(two, two.leader()!) as [Host, Host];
  two.kill(away.id);
  propose(two, 1, 4);
  two.leader()!.state.corrupt(2);
  propose(two, 4, 20);
  expect(others(two).map(({ halt }) => halt)).toEqual([null, null, null]);

  const three = running(["a", "b", "c"]);
  propose(three, 1, 4);
  for (const [at, host] of others(three).entries()) if (at > 0) host.state.corrupt(1 + at);
  propose(three, 4, 20);
  expect(others(three).map(({ halt }) => halt)).toEqual([null, null, null]);
});

test("states are compared at the same index only: who lags behind is not wrong", () => {
  const cluster = running(["a", "b", "c"]);
  propose(cluster, 1, 4);
  const leader = cluster.leader()!;
  const [slow] = others(cluster, leader) as [Host];
  // Entries reach the one long after the others have applied and compared them; what it is told of states, at once.
  cluster.reaches = ({ to, bytes }) => to !== slow.id || isDigest(bytes);
  let told = 0;
  cluster.onEffect = (_, effect) => {
    if (effect.type === "Send" && effect.to === slow.id && isDigest(effect.bytes)) told += 1;
  };
  propose(cluster, 4, 30);
  expect(told).toBeGreaterThan(2);
  cluster.reaches = () => true;
  cluster.runUntil(() => others(cluster).every(({ applied }) => applied.length === leader.applied.length));
  expect(others(cluster).map(({ halt }) => halt)).toEqual([null, null, null]);
});

test("a snapshot that is no state, though no page of it is damaged, is discarded; whoever is alone keeps it", () => {
  const detail = "the snapshot breaks a rule";
  const cluster = running(["a", "b", "c"]);
  propose(cluster, 1, 4);
  const [one] = others(cluster, cluster.leader()!) as [Host];
  cluster.step(one.id, { type: "RestoreRefused", index: 2 as LogIndex, detail });
  cluster.settle();
  expect(one.halt).toEqual({ type: "quarantined", index: 2, detail });

  const alone = running(["a"]);
  const only = alone.leader()!;
  alone.step(only.id, { type: "RestoreRefused", index: 2 as LogIndex, detail });
  expect(only.halt).toEqual({ type: "divergence", index: 2, detail });
});

test("a page that goes bad in memory ends the process before it is written; the next one goes by its disk", () => {
  const cluster = running(["a"]);
  const host = cluster.leader()!;
  const count = host.applied.length;
  host.state.flip(2);
  const files = cluster.filesOf("a").filter((file) => file.startsWith("pages-"));
  for (let number = 1; host.halt === null && number < 20; number++) {
    cluster.propose("a", number, number - 1, new Uint8Array(100).fill(number));
    cluster.settle();
  }
  expect(host.halt).toEqual({ type: "memory", detail: "page 2 of the database is not what its checksum says" });
  expect(cluster.filesOf("a").filter((file) => file.startsWith("pages-"))).toEqual(files);
  cluster.kill("a");
  cluster.start("a");
  cluster.runUntil(() => host.applied.length >= count);
  expect(host.halt).toBeNull();
});
