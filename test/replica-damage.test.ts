/**
 * Damaged disks through whole Replicas: what one of them has lost it says, keeps its promises all the same, and gets it
 * from the others; where nobody else can have it, the node refuses to start and changes nothing.
 */
import { expect, test } from "vitest";
import { DEFAULT_LIMITS } from "../core/raft/boundary.ts";
import type { ReplicaEffect } from "../core/replica/boundary.ts";
import { Random } from "../core/random.ts";
import type { EntryId } from "../core/types.ts";
import { type Host, ReplicaCluster, type Settings } from "./replica-cluster.ts";

/** A snapshot after every fifth entry, of which two are kept in the log. */
const SNAPSHOTS: Settings = {
  limits: { ...DEFAULT_LIMITS, snapshotEntries: 5, maxTrailingEntries: 2, snapshotChunkBytes: 1000 },
};
const HEADERS = 8192;
type Recovered = Extract<ReplicaEffect, { readonly type: "Recovered" }>;

/** With a leader, and so many entries that all have applied and made durable. */
function running(names: readonly string[], settings: Settings, count: number): ReplicaCluster {
  const cluster = new ReplicaCluster(names, 1, settings);
  cluster.startAll();
  cluster.runUntil(() => cluster.leader() !== null && cluster.leader()!.applied.length > 0);
  propose(cluster, 1, count + 1);
  cluster.pass(500);
  return cluster;
}

function propose(cluster: ReplicaCluster, from: number, end: number): void {
  for (let number = from; number < end; number++) {
    cluster.propose(cluster.leader()!.id, number, number - 1, new Uint8Array(100).fill(number));
    cluster.settle();
  }
}

/** Followers first, by name. */
function roles(cluster: ReplicaCluster): { leader: Host; followers: readonly [Host, Host] } {
  const leader = cluster.leader()!;
  const [first, second] = [...cluster.hosts.values()].filter((host) => host !== leader);
  return { leader, followers: [first!, second!] };
}

/** Starts the node, lets its disk alone work until it has recovered, and returns what it says. */
function recover(cluster: ReplicaCluster, { id }: Host): Recovered {
  let recovered: Recovered | null = null;
  const { onEffect } = cluster;
  cluster.onEffect = (host, effect) => {
    if (host.id === id && effect.type === "Recovered") recovered = effect;
    onEffect(host, effect);
  };
  cluster.start(id);
  while (recovered === null && cluster.work(id));
  cluster.onEffect = onEffect;
  return recovered!;
}

function lostBy({ replica }: Host): EntryId | null | undefined {
  return replica!.inspect().raft?.lost;
}

function pagesFile(cluster: ReplicaCluster, { id }: Host): string {
  return cluster.filesOf(id).find((file) => file.startsWith("pages-"))!;
}

function areEqual(cluster: ReplicaCluster): boolean {
  const [first, ...others] = [...cluster.hosts.values()];
  const isRunning = [first!, ...others].every(({ halt }) => halt === null);
  return isRunning && others.every(({ state }) => state.checksum === first!.state.checksum);
}

test.each([
  ["both halves of the manifest", (cluster: ReplicaCluster, host: Host) => {
    const half = host.disk.bytesOf("manifest")!.length / 2;
    cluster.spoil(host.id, "manifest", 120, half + 120);
  }],
  ["the header of a file of pages", (cluster: ReplicaCluster, host: Host) => {
    cluster.spoil(host.id, pagesFile(cluster, host), 20);
  }],
])("a node that finds %s damaged gets snapshot and log from the leader", (_, harm) => {
  const cluster = running(["a", "b", "c"], SNAPSHOTS, 30);
  const { leader, followers: [away] } = roles(cluster);
  cluster.kill(away.id);
  harm(cluster, away);
  propose(cluster, 31, 35);
  const { lost, damage, last } = recover(cluster, away);
  expect(damage).not.toEqual([]);
  // All that it may have acknowledged.
  expect(lost).toEqual({ term: 1, index: 31 });
  expect(last.index).toBe(0);
  const restored: string[] = [];
  cluster.onEffect = (host, { type }) => void (type === "RestoreFinished" && restored.push(host.id));
  cluster.runUntil(() => areEqual(cluster) && lostBy(away) === null);
  expect(restored).toEqual([away.id]);
  expect(away.applied).toEqual(leader.applied);
  // It is a member as any other again, and a restart knows no loss.
  cluster.kill(away.id);
  expect(recover(cluster, away)).toMatchObject({ lost: null, damage: [] });
});

test("a node that finds a page damaged while it restores halts, and the next start gets everything anew", () => {
  const cluster = running(["a", "b", "c"], SNAPSHOTS, 30);
  const { leader, followers: [away] } = roles(cluster);
  cluster.kill(away.id);
  const file = pagesFile(cluster, away);
  cluster.spoil(away.id, file, away.disk.bytesOf(file)!.length - 5);
  expect(recover(cluster, away)).toMatchObject({ lost: null, damage: [] });
  cluster.runUntil(() => away.halt !== null);
  expect(away.halt).toMatchObject({ type: "quarantined", detail: expect.stringContaining(file) });
  cluster.kill(away.id);
  expect(recover(cluster, away).lost).toMatchObject({ index: 31 });
  cluster.runUntil(() => areEqual(cluster) && lostBy(away) === null);
  expect(away.applied).toEqual(leader.applied);
});

test("who has lost entries neither stands nor votes for who lacks them; the one who has them mends it", () => {
  const cluster = running(["a", "b", "c"], {}, 3);
  const { leader, followers: [damaged, behind] } = roles(cluster);
  // Entries 5 to 12 are committed by two, of which the one crashes and the other finds a hole at its fifth.
  cluster.crash(behind.id);
  propose(cluster, 4, 12);
  expect(leader.replica!.inspect().raft!.commitIndex).toBe(12);
  cluster.fire(leader.id);
  cluster.settle();
  const committed = leader.applied;
  cluster.kill(leader.id);
  cluster.kill(damaged.id);
  cluster.spoil(damaged.id, "log-0000000001", HEADERS + 900);
  const { lost, last, damage } = recover(cluster, damaged);
  expect(damage).toMatchObject([{ type: "corrupt", file: "log-0000000001" }]);
  expect(lost).toEqual({ term: 1, index: 12 });
  expect(last.index).toBeLessThan(12);
  cluster.start(behind.id);
  cluster.pass(20_000);
  expect(cluster.leader()).toBeNull();
  expect(damaged.replica!.inspect().raft).toMatchObject({ role: "follower", lost });
  // Whoever has them may lead at once, with the vote of the one that has lost them.
  cluster.kill(behind.id);
  cluster.start(leader.id);
  cluster.runUntil(() => cluster.leader() === leader && lostBy(damaged) === null);
  cluster.start(behind.id);
  cluster.runUntil(() => areEqual(cluster));
  expect(damaged.applied.slice(0, 12)).toEqual(committed);
  // From now on it may stand.
  cluster.kill(leader.id);
  cluster.runUntil(() => cluster.leader() !== null);
  expect([damaged.id, behind.id]).toContain(cluster.leader()!.id);
});

test("two nodes with holes at different places are mended from the third, and nothing committed is lost", () => {
  const cluster = running(["a", "b", "c"], {}, 12);
  const { leader, followers: [first, second] } = roles(cluster);
  const committed = leader.applied;
  for (const id of cluster.ids) cluster.kill(id);
  cluster.packets = [];
  cluster.spoil(first.id, "log-0000000001", HEADERS + 500);
  cluster.spoil(second.id, "log-0000000001", HEADERS + 1500);
  for (const host of [first, second]) expect(recover(cluster, host).lost).toEqual({ term: 1, index: 13 });
  // Alone they cannot say what was there.
  cluster.pass(20_000);
  expect(cluster.leader()).toBeNull();
  cluster.start(leader.id);
  cluster.runUntil(() => areEqual(cluster) && [first, second].every((host) => lostBy(host) === null));
  expect(cluster.leader()).toBe(leader);
  expect(first.applied.slice(0, 13)).toEqual(committed);
});

test("three nodes that have all lost entries elect nobody, rather than lose them in silence", () => {
  const cluster = running(["a", "b", "c"], {}, 12);
  for (const id of cluster.ids) cluster.kill(id);
  cluster.packets = [];
  for (const [at, id] of cluster.ids.entries()) cluster.spoil(id, "log-0000000001", HEADERS + 500 + at * 400);
  for (const host of cluster.hosts.values()) expect(recover(cluster, host).lost).toEqual({ term: 1, index: 13 });
  cluster.pass(60_000);
  expect(cluster.leader()).toBeNull();
});

test.each([
  ["the log", "log-0000000001", HEADERS + 500],
  ["the snapshot", "pages-", 20],
])("a single voter with a hole in %s refuses to start, names file and place, and changes nothing", (_, prefix, at) => {
  const cluster = running(["a"], prefix === "pages-" ? SNAPSHOTS : {}, 12);
  const host = cluster.host("a");
  cluster.kill("a");
  const file = cluster.filesOf("a").find((name) => name.startsWith(prefix))!;
  cluster.spoil("a", file, at);
  const before = host.disk.digest();
  cluster.start("a");
  cluster.settle();
  expect(host.halt).toMatchObject({ type: "storage", fault: { type: "corrupt", file, offset: expect.any(Number) } });
  expect(host.disk.digest()).toBe(before);
});

test.each(["identity", "term"])("a byte that rots in the %s is mended from its second copy", (file) => {
  const cluster = running(["a", "b", "c"], {}, 3);
  const { followers: [host] } = roles(cluster);
  cluster.kill(host.id);
  const { length } = host.disk.bytesOf(file)!;
  cluster.spoil(host.id, file, 20);
  expect(recover(cluster, host)).toMatchObject({ lost: null, damage: [{ type: "corrupt", file }] });
  cluster.kill(host.id);
  expect(recover(cluster, host)).toMatchObject({ lost: null, damage: [] });
  // With both gone nobody knows any more who this is, or whom it has voted for.
  cluster.kill(host.id);
  cluster.spoil(host.id, file, ...Array.from({ length: length / 64 }, (_, at) => at * 64));
  cluster.start(host.id);
  cluster.settle();
  expect(host.halt).toMatchObject({ type: "storage", fault: { type: "corrupt", file } });
});

test("a sync that fails ends the node: not a word leaves it afterwards, and what it held back was not durable", () => {
  const cluster = running(["a", "b", "c"], {}, 3);
  const { leader, followers: [broken] } = roles(cluster);
  const after: string[] = [];
  cluster.onEffect = (host, { type }) => {
    if (host === broken && host.halt !== null) after.push(type);
  };
  const failure = { code: "EIO", file: "log-0000000001", message: "input/output error" };
  cluster.fails = (host, { type }) => (host === broken && type === "sync" ? failure : null);
  cluster.propose(leader.id, 4, 3, new Uint8Array(10));
  for (const packet of [...cluster.packets]) cluster.arrive(packet);
  cluster.packets = [];
  while (cluster.work(broken.id));
  expect(broken.halt).toMatchObject({ type: "disk", code: "EIO", file: "log-0000000001" });
  // It acknowledged nothing.
  expect(cluster.packets).toEqual([]);
  cluster.fails = () => null;
  cluster.pass(5000);
  expect(after).toEqual([]);
});

test("wherever a crash comes while a damaged log is cut, what is lost is known afterwards", () => {
  const harmed = (): { cluster: ReplicaCluster; host: Host } => {
    const cluster = running(["a", "b", "c"], {}, 12);
    const { followers: [host] } = roles(cluster);
    cluster.kill(host.id);
    cluster.spoil(host.id, "log-0000000001", HEADERS + 500);
    return { cluster, host };
  };
  const { cluster, host } = harmed();
  let operations = 0;
  cluster.fails = (one) => {
    if (one === host) operations += 1;
    return null;
  };
  expect(recover(cluster, host).lost).toEqual({ term: 1, index: 13 });
  expect(operations).toBeGreaterThan(10);
  for (let before = 1; before < operations; before++) {
    const again = harmed();
    again.cluster.start(again.host.id);
    for (let done = 0; done < before; done++) again.cluster.work(again.host.id);
    again.cluster.crash(again.host.id, Random.fromNumber(before));
    const { lost, last } = recover(again.cluster, again.host);
    expect(lost, `after ${before} operations`).toEqual({ term: 1, index: 13 });
    expect(last.index).toBeLessThan(13);
  }
});

test("what a majority has acknowledged survives the loss of power of all", () => {
  for (let seed = 1; seed <= 6; seed++) {
    const random = Random.fromNumber(seed);
    const cluster = new ReplicaCluster(["a", "b", "c"], seed);
    let committed: readonly unknown[] = [];
    for (let life = 0; life < 4; life++) {
      cluster.startAll();
      cluster.runUntil(() => cluster.leader() !== null && cluster.leader()!.applied.length > committed.length);
      const leader = cluster.leader()!;
      expect(leader.applied.slice(0, committed.length), `seed ${seed}, life ${life}`).toEqual(committed);
      // One segment and a half, of which the last are on their way.
      for (let number = 1; number < 12; number++) {
        cluster.propose(leader.id, number, number - 1, new Uint8Array(450).fill(number));
        if (number < 10) cluster.settle();
      }
      for (let turns = random.integer(0, 20); turns > 0; turns--) {
        cluster.work(random.pick(cluster.ids));
        const packet = cluster.packets[0];
        if (packet !== undefined) cluster.arrive(packet);
      }
      committed = [...leader.applied];
      const { currentTerm } = leader.replica!.inspect().raft!;
      for (const id of cluster.ids) cluster.crash(id, random);
      // It was elected by its own vote, too: that is remembered.
      recover(cluster, leader);
      expect(leader.replica!.inspect().raft!.currentTerm).toBeGreaterThanOrEqual(currentTerm);
      cluster.crash(leader.id, random);
      cluster.packets = [];
    }
  }
});

test("what a killed process wrote is durable before the next one answers for it", () => {
  const cluster = running(["a", "b", "c"], {}, 3);
  const { leader, followers: [host, other] } = roles(cluster);
  cluster.kill(other.id);
  cluster.propose(leader.id, 4, 3, new Uint8Array(450));
  for (const packet of [...cluster.packets]) cluster.arrive(packet);
  // It has written the entry, not synced it, when it is killed; the next process finds it in the page cache.
  const failure = { code: "EIO", file: null, message: "" };
  cluster.fails = (one, { type }) => (one === host && type === "sync" ? failure : null);
  while (host.halt === null && cluster.work(host.id));
  cluster.fails = () => null;
  cluster.packets = [];
  cluster.kill(host.id);
  expect(recover(cluster, host).last.index).toBe(5);
  const left = host.disk.killed();
  for (let seed = 1; seed <= 20; seed++) {
    cluster.kill(host.id);
    host.disk = left.randomImage(Random.fromNumber(seed));
    expect(recover(cluster, host), `seed ${seed}`).toMatchObject({ last: { index: 5 }, lost: null });
  }
});
