/** Snapshots through a Replica: taken, stored, sent in pieces, and restored by who lags behind and by who is new. */
import { expect, test } from "vitest";
import { DEFAULT_LIMITS } from "../core/raft/boundary.ts";
import type { ReplicaEffect } from "../core/replica/boundary.ts";
import { ownerOf } from "../core/storage/block.ts";
import { decodeManifest } from "../core/storage/manifest.ts";
import type { LogIndex } from "../core/types.ts";
import { isSameSnapshot, type InstallSnapshot } from "../core/raft/message.ts";
import { Random } from "../core/random.ts";
import { decodeLetter } from "../core/wire/peer-codec.ts";
import type { MemoryDisk } from "./memory-disk.ts";
import { put, ReplicaCluster, type Host, type Packet } from "./replica-cluster.ts";

/** Tiny: a snapshot after every fifth entry, of which two are kept in the log, sent by 100 bytes. */
const LIMITS = { ...DEFAULT_LIMITS, snapshotEntries: 5, maxTrailingEntries: 2, snapshotChunkBytes: 100 };

function running(names: readonly string[], limits = LIMITS): ReplicaCluster {
  const cluster = new ReplicaCluster(names, 1, { limits });
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

/** The piece of a snapshot that a packet carries; null: it is another message. */
function pieceIn({ bytes }: Packet): InstallSnapshot | null {
  const decoded = decodeLetter(bytes);
  if (!decoded.ok || decoded.letter.message.type !== "InstallSnapshot") return null;
  return decoded.letter.message;
}

function pageFiles(cluster: ReplicaCluster, { id }: Host): readonly string[] {
  return cluster.filesOf(id).filter((file) => file.startsWith("pages-"));
}

/** The first entries of the state, as text. */
function told({ applied }: Host, count: number): string {
  return applied.slice(0, count).map(({ term, kind, payload }) => `${term} ${kind} ${payload[0] ?? ""}`).join();
}

/** How many files of pages the manifest names. */
function filesInForce({ disk, replica }: Host): number {
  const decoded = decodeManifest(disk.bytesOf("manifest")!, ownerOf(replica!.inspect().identity!));
  if (!decoded.ok) throw new Error("a manifest is intact");
  return decoded.value.manifest.files.length;
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

test("who has an older snapshot gets only the files that it lacks, and ends with the same state", () => {
  const cluster = running(["a", "b", "c"]);
  propose(cluster, 1, 120);
  cluster.pass(500);
  const leader = cluster.leader()!;
  const away = [...cluster.hosts.values()].find((host) => host !== leader)!;
  cluster.crash(away.id);
  propose(cluster, 120, 140);
  const offsets = new Set<number>();
  let sent = 0;
  let size = 0;
  cluster.reaches = (packet) => {
    const piece = packet.to === away.id ? pieceIn(packet) : null;
    if (piece === null) return true;
    size = piece.snapshot.size;
    if (!offsets.has(piece.offset)) sent += piece.bytes.length;
    offsets.add(piece.offset);
    return true;
  };
  cluster.start(away.id);
  cluster.runUntil(() => away.applied.length === leader.applied.length);
  expect(away.applied).toEqual(leader.applied);
  expect(away.state.checksum).toBe(leader.state.checksum);
  // 120 pages lie there; at most 60 have come since, with their headers.
  expect(size).toBeGreaterThan(120 * 512);
  expect(sent).toBeGreaterThan(0);
  expect(sent).toBeLessThan(size / 2);
  // And it stands on a disk of its own: a restart restores the same.
  cluster.crash(away.id);
  cluster.start(away.id);
  cluster.runUntil(() => away.applied.length === leader.applied.length);
  expect(away.state.checksum).toBe(leader.state.checksum);
});

test("a snapshot on its way stays readable while its sender stores newer ones and merges files (W10)", () => {
  const cluster = running(["a", "b", "c"]);
  const away = [...cluster.hosts.values()].find((host) => host !== cluster.leader())!;
  cluster.crash(away.id);
  propose(cluster, 1, 40);
  const leader = cluster.leader()!;
  const first = leader.replica!.inspect().raft!.snapshot.index;
  const pieces: InstallSnapshot[] = [];
  const held: Packet[] = [];
  let isHeld = true;
  cluster.reaches = (packet) => {
    const piece = packet.to === away.id ? pieceIn(packet) : null;
    if (piece === null) return true;
    pieces.push(piece);
    // The second piece arrives when much has happened at the sender.
    if (pieces.length === 2 && isHeld) held.push(packet);
    return pieces.length !== 2 || !isHeld;
  };
  cluster.start(away.id);
  cluster.runUntil(() => held.length > 0);
  const stored = new Set<string>();
  for (let number = 40; number < 80; number++) {
    cluster.propose(leader.id, number, number - 1, new Uint8Array(20).fill(number));
    cluster.settle();
    for (const file of pageFiles(cluster, leader)) stored.add(file);
  }
  expect(leader.replica!.inspect().raft!.snapshot.index).toBeGreaterThan(first + 30);
  // Merged ones are among them: more than were ever there at a time.
  expect(stored.size).toBeGreaterThan(pageFiles(cluster, leader).length + 3);
  isHeld = false;
  cluster.runUntil(() => away.applied.length === leader.applied.length);
  // It went on to its end; only then came a newer one, which the compacted log made necessary.
  const other = pieces.findIndex(({ snapshot }) => !isSameSnapshot(snapshot, pieces[0]!.snapshot));
  const { snapshot, offset, bytes } = pieces.at(other === -1 ? -1 : other - 1)!;
  expect(snapshot.entry.index).toBe(first);
  expect(offset + bytes.length).toBe(snapshot.size);
  expect(away.applied).toEqual(leader.applied);
  expect(away.state.checksum).toBe(leader.state.checksum);
  // Nothing is kept for it any more.
  cluster.pass(3000);
  expect(pageFiles(cluster, leader).length).toBe(filesInForce(leader));
});

test("wherever a crash comes while a snapshot is installed, log and snapshot agree (M76, M79, M94, M96)", () => {
  const cluster = running(["a", "b", "c"], { ...LIMITS, snapshotChunkBytes: 4000 });
  propose(cluster, 1, 12);
  const leader = cluster.leader()!;
  const away = [...cluster.hosts.values()].find((host) => host !== leader)!;
  cluster.crash(away.id);
  propose(cluster, 12, 40);
  // At each of its operations: what a crash there might leave.
  const random = Random.fromNumber(1);
  const images: MemoryDisk[] = [];
  cluster.fails = (host, { type }) => {
    if (host === away && host.applied.length < 30 && type !== "read") images.push(away.disk.randomImage(random));
    return null;
  };
  cluster.start(away.id);
  cluster.runUntil(() => away.applied.length === leader.applied.length);
  expect(images.length).toBeGreaterThan(40);
  cluster.fails = () => null;
  cluster.reaches = () => false;
  const seen = new Set<number>();
  for (const [at, image] of images.entries()) {
    cluster.kill(away.id);
    away.disk = image;
    cluster.start(away.id);
    while (away.replica!.inspect().raft === null && cluster.work(away.id));
    const { last, base, snapshot, lost } = away.replica!.inspect().raft!;
    expect(lost, `image ${at}`).toBeNull();
    expect(base.index, `image ${at}`).toBeLessThanOrEqual(snapshot.index);
    expect(last.index, `image ${at}`).toBeGreaterThanOrEqual(snapshot.index);
    seen.add(snapshot.index);
    // Alone: what it has told the others since is not on this disk.
    cluster.settle();
    expect(told(away, snapshot.index), `image ${at}`).toBe(told(leader, snapshot.index));
    expect(away.applied.length, `image ${at}`).toBe(snapshot.index);
  }
  // Of before and of after.
  expect(seen.size).toBe(2);
});

test("whatever a crash leaves of checkpoints and merges, the newest snapshot is the one restored (W24, W25)", () => {
  for (let seed = 1; seed <= 8; seed++) {
    const random = Random.fromNumber(seed);
    const cluster = new ReplicaCluster(["a"], seed, { limits: { ...LIMITS, snapshotEntries: 2 } });
    const host = cluster.host("a");
    let committed = 0;
    for (let life = 0; life < 5; life++) {
      cluster.start("a");
      cluster.runUntil(() => cluster.leader() !== null && host.applied.length > committed);
      const stored = host.replica!.inspect().raft!.snapshot.index;
      for (let number = 1; number < 25; number++) {
        cluster.propose("a", number, number - 1, new Uint8Array(20).fill(number));
        for (let operations = random.integer(0, 12); operations > 0; operations--) cluster.work("a");
      }
      committed = host.replica!.inspect().raft!.commitIndex;
      const snapshot = host.replica!.inspect().raft!.snapshot.index;
      const before = told(host, committed);
      expect(snapshot, `seed ${seed}, life ${life}`).toBeGreaterThanOrEqual(stored);
      cluster.crash("a", random);
      cluster.start("a");
      cluster.runUntil(() => host.applied.length >= committed);
      expect(told(host, committed), `seed ${seed}, life ${life}`).toBe(before);
      expect(host.replica!.inspect().raft!.snapshot.index).toBeGreaterThanOrEqual(snapshot);
      cluster.crash("a", random);
    }
  }
});
