/**
 * A follower whose disk is full while its leader goes on: what it has applied is stored in the reserve, its log lets go
 * of that, and the room goes to what waits. Nothing is lost, and nobody has to make room for it to keep up.
 */
import { expect, test } from "vitest";
import { DEFAULT_LIMITS } from "../core/raft/boundary.ts";
import { type Host, ReplicaCluster, SMALL_STORAGE } from "./replica-cluster.ts";

const LIMITS = { ...DEFAULT_LIMITS, snapshotEntries: 1000, maxTrailingEntries: 2 };
const FULL = { code: "ENOSPC", file: null, message: "no space is left" };
const RESERVE_BYTES = 1 << 18;

function usedBytes({ disk }: Host): number {
  return disk.names.reduce((sum, name) => sum + (disk.bytesOf(name)?.length ?? 0), 0);
}

test("a follower with a full disk stores what it has applied, and keeps up in the room that its log gives back", () => {
  const storage = { ...SMALL_STORAGE, reserveBytes: RESERVE_BYTES };
  const cluster = new ReplicaCluster(["a", "b", "c"], 1, { limits: LIMITS, storage });
  cluster.startAll();
  cluster.runUntil(() => (cluster.leader()?.applied.length ?? 0) > 0);
  cluster.pass(2000);
  const leader = cluster.leader()!;
  const follower = [...cluster.hosts.values()].find((host) => host !== leader)!;
  let capacity = Infinity;
  cluster.fails = (host, operation) => {
    if (host !== follower || (operation.type !== "preallocate" && operation.type !== "write")) return null;
    const size = host.disk.bytesOf(operation.file)?.length ?? 0;
    const needed = operation.type === "write" ? operation.offset + operation.bytes.length : operation.size;
    return needed > size && usedBytes(host) + needed - size > capacity ? FULL : null;
  };
  let proposed = 0;
  const propose = (): void => {
    proposed += 1;
    cluster.propose(leader.id, proposed, proposed - 1, new Uint8Array(400).fill(proposed));
  };
  const seen = (host: Host) => host.replica!.inspect().raft!;
  for (let at = 0; at < 100; at++) {
    propose();
    cluster.settle();
  }
  capacity = usedBytes(follower) + 6000;

  for (let at = 0; at < 200; at++) propose();
  cluster.settle();
  for (let second = 0; second < 30; second++) {
    for (let at = 0; at < 4; at++) propose();
    cluster.settle();
    cluster.pass(1000);
  }
  expect(follower.halt).toBe(null);
  expect(seen(follower).hasSpace).toBe(false);
  expect(seen(follower).snapshot.index).toBeGreaterThan(100);
  expect(seen(follower).commitIndex).toBe(seen(leader).commitIndex);
  expect(seen(leader).commitIndex).toBeGreaterThan(400);

  capacity = Infinity;
  for (let second = 0; second < 30; second++) cluster.pass(1000);
  expect(seen(follower).hasSpace).toBe(true);
});
