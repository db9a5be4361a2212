/** Full disks through whole Replicas: reads and votes go on, writes are refused or led by another, and it passes. */
import { expect, test } from "vitest";
import { DEFAULT_LIMITS } from "../core/raft/boundary.ts";
import type { DiskOperation } from "../core/storage/disk.ts";
import type { ProposalNumber, ReadNumber } from "../core/types.ts";
import { type Host, ReplicaCluster, SMALL_STORAGE } from "./replica-cluster.ts";

const LIMITS = { ...DEFAULT_LIMITS, snapshotEntries: 20, maxTrailingEntries: 2 };
const FULL = { code: "ENOSPC", file: null, message: "no space left on device" };
const PAYLOAD = new Uint8Array(400).fill(7);

function running(names: readonly string[], storage = SMALL_STORAGE): ReplicaCluster {
  const cluster = new ReplicaCluster(names, 1, { limits: LIMITS, storage });
  cluster.startAll();
  cluster.runUntil(() => cluster.leader() !== null && cluster.leader()!.applied.length > 0);
  // Reserves are made.
  cluster.pass(2000);
  return cluster;
}

/** Space is taken by what extends files: in this one there is none left. */
function takesSpace(operation: DiskOperation): boolean {
  if (operation.type === "preallocate") return true;
  return operation.type === "write" && /\.(new|part)$/.test(operation.file);
}

function isSpacious({ replica }: Host): boolean | undefined {
  return replica!.inspect().raft?.hasSpace;
}

/** Proposals on one node, one after the other. */
class Proposer {
  readonly host: Host;
  private readonly cluster: ReplicaCluster;
  private last: number;
  private lastAccepted = 0;

  constructor(cluster: ReplicaCluster, host: Host) {
    this.cluster = cluster;
    this.host = host;
    this.last = Math.max(0, ...host.outcomes.keys());
  }

  /** What became of it: "committed", "open", or why it was refused. */
  propose(): string {
    const number = ++this.last as ProposalNumber;
    this.cluster.propose(this.host.id, number, this.lastAccepted, PAYLOAD);
    this.cluster.settle();
    const outcome = this.host.outcomes.get(number);
    if (outcome?.type !== "refused") {
      this.lastAccepted = number;
      return outcome?.type ?? "open";
    }
    const term = this.host.replica!.inspect().raft!.currentTerm;
    this.cluster.step(this.host.id, { type: "RolledBack", term, last: this.lastAccepted as ProposalNumber });
    return outcome.reason;
  }

  untilRefused(max: number): string {
    for (let count = 0; count < max; count++) {
      const said = this.propose();
      if (said !== "committed") return said;
    }
    return "committed";
  }
}

test("a leader whose disk is full hands over, follows, and is as good as any once there is space", () => {
  const cluster = running(["a", "b", "c"]);
  const full = cluster.leader()!;
  cluster.fails = (host, operation) => (host === full && takesSpace(operation) ? FULL : null);
  const said = new Proposer(cluster, full).untilRefused(200);
  // Which of the two it says first depends on how soon somebody else can lead.
  expect(["diskFull", "transferring", "notLeader"]).toContain(said);
  expect(isSpacious(full)).toBe(false);
  cluster.runUntil(() => cluster.leader() !== null && cluster.leader() !== full);
  const next = cluster.leader()!;
  cluster.runUntil(() => next.applied.at(-1)?.kind === "noop" || next.replica!.inspect().raft!.commitIndex > 0);
  cluster.pass(500);
  expect(new Proposer(cluster, next).untilRefused(50)).toBe("committed");
  expect(full.halt).toBeNull();
  expect(isSpacious(full)).toBe(false);
  // There is space again: it says so by itself, and has not lost a thing.
  cluster.fails = () => null;
  cluster.runUntil(() => isSpacious(full) === true);
  cluster.pass(3000);
  expect(full.applied).toEqual(next.applied);
  expect(cluster.leader()).toBe(next);
});

test("a node alone on a full disk refuses writes by name, reads on, and takes them again by itself", () => {
  const cluster = running(["a"]);
  const host = cluster.host("a");
  cluster.fails = (_, operation) => (takesSpace(operation) ? FULL : null);
  const proposer = new Proposer(cluster, host);
  expect(proposer.untilRefused(200)).toBe("diskFull");
  const before = host.applied.length;
  const reads: unknown[] = [];
  cluster.onEffect = (_, effect) => void (effect.type === "ReadReady" && reads.push(effect.read));
  cluster.step("a", { type: "ReadRequested", read: 9 as ReadNumber });
  cluster.settle();
  expect(reads).toEqual([9]);
  cluster.pass(5000);
  expect(proposer.propose()).toBe("diskFull");
  expect(host.applied.length).toBe(before);
  cluster.fails = () => null;
  cluster.pass(3000);
  expect(proposer.untilRefused(50)).toBe("committed");
  expect(cluster.filesOf("a")).toContain("reserve");
  // A restart finds all that was committed.
  const { applied } = host;
  cluster.kill("a");
  cluster.start("a");
  cluster.runUntil(() => host.applied.length >= applied.length);
  expect(host.applied.slice(0, applied.length)).toEqual(applied);
});

test("what the reserve is for: on a full disk a snapshot is stored all the same, and the log becomes shorter", () => {
  const cluster = running(["a"], { ...SMALL_STORAGE, reserveBytes: 1 << 18 });
  const host = cluster.host("a");
  expect(cluster.filesOf("a")).toContain("reserve");
  // Until the reserve has been given up, nothing that takes space succeeds.
  cluster.fails = (_, operation) => {
    return takesSpace(operation) && cluster.filesOf("a").includes("reserve") ? FULL : null;
  };
  const segments = (): number => cluster.filesOf("a").filter((file) => file.startsWith("log-")).length;
  const proposer = new Proposer(cluster, host);
  const before = host.replica!.inspect().raft!.snapshot.index;
  for (let count = 0; count < 60; count++) proposer.propose();
  cluster.pass(1000);
  expect(host.replica!.inspect().raft!.snapshot.index).toBeGreaterThan(before);
  expect(segments()).toBeLessThanOrEqual(4);
  expect(host.halt).toBeNull();
});

test("a log longer than it may be refuses writes until a snapshot lets it become shorter", () => {
  const storage = { ...SMALL_STORAGE, maxLogBytes: 4 * SMALL_STORAGE.segmentBytes };
  const cluster = new ReplicaCluster(["a"], 1, { limits: { ...LIMITS, snapshotEntries: 1000 }, storage });
  cluster.start("a");
  cluster.runUntil(() => cluster.leader() !== null && cluster.leader()!.applied.length > 0);
  const host = cluster.host("a");
  const said: boolean[] = [];
  cluster.onEffect = (_, effect) => void (effect.type === "SpaceChanged" && said.push(effect.hasSpace));
  const proposer = new Proposer(cluster, host);
  let committed = 0;
  for (let count = 0; count < 150; count++) {
    if (proposer.propose() === "committed") committed++;
    else cluster.pass(1000);
  }
  // It was asked for a snapshot out of turn, each time.
  expect(said.length).toBeGreaterThanOrEqual(4);
  expect(said.every((hasSpace, at) => hasSpace === (at % 2 === 1))).toBe(true);
  expect(committed).toBeGreaterThan(100);
});
