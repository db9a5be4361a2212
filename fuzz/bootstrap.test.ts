/**
 * Founding and joining under every disorder: processes die between any two disk operations and come back, packets are
 * lost, repeated and arrive in any order, disks are lost. Laws: without a lost disk there is one cluster id, ever; with
 * lost disks, the coordinator's too, at most one cluster acts; a disk is of a cluster only if it was founded with it or
 * a committed configuration names it; and once all is well, all nodes that are let in are of it and have its log.
 */
import { expect, test } from "vitest";
import { Random } from "../core/random.ts";
import { DEFAULT_LIMITS } from "../core/raft/boundary.ts";
import { decodeConfiguration } from "../core/raft/configuration-codec.ts";
import { memberIdOf, nodeOf } from "../core/types.ts";
import type { ClusterId, Incarnation, MemberId, NodeId } from "../core/types.ts";
import type { MemberOperation } from "../core/replica/boundary.ts";
import { decodeLetter } from "../core/wire/peer-codec.ts";
import { put, remove, ReplicaCluster, type Host, type Packet } from "../test/replica-cluster.ts";
import { FUZZ_SCALE, FUZZ_SEED } from "./chance.ts";

const RUNS = 60 * FUZZ_SCALE;

/** The nodes that are founded, and those that join them. */
const FOUNDERS = ["a", "b", "c"];
const JOINERS = ["d", "e"];

interface Walk {
  readonly cluster: ReplicaCluster;
  /** Every packet that was ever sent: a network may bring any of them again, much later. */
  readonly history: Packet[];
  /** Of nodes that were founded durably. */
  readonly founded: Set<ClusterId>;
  /** Of nodes that were elected: a majority of the cluster acted. */
  readonly acted: Set<ClusterId>;
  /** How often what happened. */
  readonly seen: Map<string, number>;
}

function openWalk(seed: number, random: Random, minSize: number): Walk {
  const cluster = new ReplicaCluster(["a", "b", "c", "d", "e"].slice(0, random.integer(minSize, 5)), seed);
  if (random.oneIn(2)) makeDeaf(cluster, random.pick(cluster.ids));
  return watch(cluster);
}

function watch(cluster: ReplicaCluster): Walk {
  const walk: Walk = { cluster, history: [], founded: new Set(), acted: new Set(), seen: new Map() };
  cluster.onEffect = (host, effect) => {
    const id = host.replica?.inspect().identity?.cluster?.id;
    if (id !== undefined) walk.founded.add(id);
    if (effect.type === "LeadershipChanged" && effect.leader === host.id && id !== undefined) walk.acted.add(id);
    if (effect.type === "Send") walk.history.push({ from: host.id, to: effect.to, bytes: effect.bytes });
    if (effect.type === "Reject") count(walk, effect.reason);
    if (effect.type === "RestoreFinished") count(walk, effect.type);
    if (effect.type === "Halt") throw new Error(`${host.id} halted: ${JSON.stringify(effect.reason)}`);
  };
  return walk;
}

function count(walk: Walk, what: string): void {
  walk.seen.set(what, (walk.seen.get(what) ?? 0) + 1);
}

function startAmong(cluster: ReplicaCluster, id: NodeId): void {
  cluster.start(id);
}

/** One random event. */
function stumble(walk: Walk, random: Random, start = startAmong): void {
  const { cluster, history } = walk;
  const host = cluster.host(random.pick(cluster.ids));
  const dice = random.integer(0, 99);
  if (host.replica === null) {
    if (random.chance(40)) start(cluster, host.id);
  } else if (dice < 40) {
    for (let times = random.integer(1, 10); times > 0; times--) cluster.work(host.id);
  } else if (dice < 75) bring(walk, random, cluster.packets);
  else if (dice < 80) bring(walk, random, history);
  else if (dice < 98) {
    if (host.timerAt !== null) cluster.fire(host.id);
  } else crash(walk, host, random);
}

/** One of the packets arrives, or is lost. */
function bring({ cluster }: Walk, random: Random, packets: readonly Packet[]): void {
  if (packets.length === 0) return;
  const packet = random.pick(packets);
  if (random.chance(80)) cluster.arrive(packet);
  else cluster.packets = cluster.packets.filter((other) => other !== packet);
}

/** For the time being a node does not hear that it is founded, unless by `but`. */
function makeDeaf(cluster: ReplicaCluster, deaf: NodeId, but: NodeId | null = null): void {
  cluster.reaches = (packet) => packet.to !== deaf || packet.from === but || !isFounded(packet);
}

function isFounded({ bytes }: Packet): boolean {
  const decoded = decodeLetter(bytes);
  return decoded.ok && decoded.letter.message.type === "Founded";
}

function isEmpty(host: Host): boolean {
  return host.replica?.inspect().phase === "empty";
}

function crash(walk: Walk, host: Host, random: Random): void {
  if (host.replica === null) return;
  const { phase } = host.replica.inspect();
  count(walk, `crash while ${phase}`);
  if (JOINERS.includes(host.id)) count(walk, `joiner crashed while ${phase}`);
  walk.cluster.crash(host.id, random);
}

function startAll({ cluster }: Walk): void {
  for (const host of cluster.hosts.values()) if (host.replica === null) cluster.start(host.id);
}

/** Time goes on without disorder, but not until anything in particular: whoever can act has the time to. */
function takeTurns(cluster: ReplicaCluster): void {
  for (let turn = 0; turn < 6 * cluster.ids.length; turn++) {
    cluster.settle();
    const id = cluster.ids[turn % cluster.ids.length]!;
    if (cluster.host(id).timerAt !== null) cluster.fire(id);
  }
}

function forSeeds(run: (random: Random, seed: number) => void, runs = RUNS): void {
  for (let at = 0; at < runs; at++) {
    const seed = FUZZ_SEED * 100_000 + at;
    try {
      run(Random.fromNumber(seed), seed);
    } catch (error) {
      const command = `FUZZ_SEED=${FUZZ_SEED} FUZZ_SCALE=${FUZZ_SCALE} npx vitest run fuzz/bootstrap.test.ts`;
      throw new Error(`run ${at} fails; again by ${command}`, { cause: error });
    }
  }
}

function addAll(total: Map<string, number>, seen: ReadonlyMap<string, number>): void {
  for (const [what, times] of seen) total.set(what, (total.get(what) ?? 0) + times);
}

test("one cluster id, whatever crashes, and all nodes are founded once they live", () => {
  const total = new Map<string, number>();
  forSeeds((random, seed) => {
    const walk = openWalk(seed, random, 1);
    for (let step = random.integer(0, 400); step > 0; step--) stumble(walk, random);
    walk.cluster.reaches = () => true;
    startAll(walk);
    const hosts = [...walk.cluster.hosts.values()];
    walk.cluster.runUntil(() => hosts.every((host) => host.replica?.inspect().phase === "running"));
    walk.cluster.runUntil(() => walk.cluster.leader() !== null);
    expect(walk.founded.size).toBe(1);
    expect(walk.acted).toEqual(walk.founded);
    addAll(total, walk.seen);
  });
  // The dangerous places were visited.
  for (const phase of ["recovering", "claiming", "empty", "founding", "running"]) {
    expect(total.get(`crash while ${phase}`), `crashes while ${phase}`).toBeGreaterThan(0);
  }
});

test("at most one cluster acts, even if disks are lost, the coordinator's too", () => {
  const total = new Map<string, number>();
  let second = 0;
  forSeeds((random, seed) => {
    const walk = openWalk(seed, random, 2);
    const { cluster } = walk;
    startAll(walk);
    // Most of all the coordinator's, once its cluster has acted, with one that has not heard of it.
    const loser = cluster.host(random.oneIn(3) ? random.pick(cluster.ids) : "a");
    for (let step = random.integer(0, 300); step > 0; step--) stumble(walk, random);
    if (random.chance(70)) takeTurns(cluster);
    crash(walk, loser, random);
    cluster.wipe(loser.id);
    cluster.start(loser.id);
    while (cluster.work(loser.id));
    if (random.oneIn(2)) cluster.packets = [];
    // What was meant for the old disk comes to the new one.
    const late = walk.history.filter((packet) => packet.to === loser.id);
    for (let times = random.integer(0, 20); times > 0 && late.length > 0; times--) cluster.arrive(random.pick(late));
    // Whoever has not heard of the first cluster may hear of a second one before.
    const unfounded = cluster.ids.find((id) => id !== loser.id && isEmpty(cluster.host(id)));
    if (unfounded !== undefined) makeDeaf(cluster, unfounded, loser.id);
    startAll(walk);
    takeTurns(cluster);
    cluster.reaches = () => true;
    for (let step = random.integer(0, 100); step > 0; step--) stumble(walk, random);
    startAll(walk);
    takeTurns(cluster);
    expect(walk.acted.size).toBeLessThanOrEqual(1);
    if (walk.founded.size > 1) second += 1;
    addAll(total, walk.seen);
  });
  expect(total.get("wrongIncarnation"), "strangers were told that they are").toBeGreaterThan(0);
  expect(second, "runs in which a second id reached a node, and did not act").toBeGreaterThan(0);
});

/** What a node is told of its cluster when it starts. */
function startOf(cluster: ReplicaCluster, id: NodeId): void {
  cluster.start(id, FOUNDERS);
}

/** Fills itself with the disks that committed configurations name. */
function admissions(cluster: ReplicaCluster): ReadonlySet<MemberId> {
  const admitted = new Set<MemberId>();
  const others = cluster.onEffect;
  cluster.onEffect = (host, effect) => {
    others(host, effect);
    const entries = effect.type === "Apply" ? effect.entries : [];
    for (const { kind, payload } of entries) {
      const decoded = kind === "configuration" ? decodeConfiguration(payload) : null;
      if (decoded?.ok === true) for (const { id } of decoded.value.members) admitted.add(id);
    }
  };
  return admitted;
}

/** A change that an operator might ask for at any time: most are refused. */
function operate(cluster: ReplicaCluster, random: Random): void {
  const leader = cluster.leader();
  if (leader === null) return;
  const node = random.pick(cluster.ids);
  const role = random.pick(["voter", "standby", "standby", "spare"] as const);
  const operations = random.oneIn(3) ? [remove(node), put(node, role)] : [put(node, role)];
  cluster.change(leader.id, operations);
}

test("who joins is let in by its disk, whatever crashes, and has the log in the end", () => {
  const total = new Map<string, number>();
  forSeeds((random, seed) => {
    const limits = { ...DEFAULT_LIMITS, snapshotEntries: 6, maxTrailingEntries: 2, snapshotChunkBytes: 500 };
    const cluster = new ReplicaCluster([...FOUNDERS, ...JOINERS], seed, { limits });
    const walk = watch(cluster);
    const { founded } = walk;
    const admitted = admissions(cluster);
    for (const id of cluster.ids) startOf(cluster, id);
    cluster.runUntil(() => cluster.leader() !== null);
    for (let step = random.integer(100, 400); step > 0; step--) {
      if (random.oneIn(20)) operate(cluster, random);
      // Between the disorders there is peace, or nobody would ever come in.
      if (random.oneIn(15)) cluster.settle();
      if (random.oneIn(50)) cluster.pass(random.integer(50, 500));
      stumble(walk, random, startOf);
      if (random.oneIn(200)) loseDisk(walk, random);
      // While the cluster is being written, which is soon over.
      const joiner = cluster.host(random.pick(JOINERS));
      if (joiner.replica?.inspect().phase === "founding" && random.oneIn(4)) crash(walk, joiner, random);
    }
    for (const { id, replica } of cluster.hosts.values()) if (replica === null) startOf(cluster, id);
    cluster.pass(2000);
    for (const id of cluster.ids) letIn(cluster, id);
    cluster.pass(1000);
    expect(founded.size).toBe(1);
    const leader = cluster.leader()!;
    for (const host of cluster.hosts.values()) {
      const { identity, phase } = host.replica!.inspect();
      expect(phase, `${host.id} is let in`).toBe("running");
      expect(host.applied.length, `${host.id} has the log`).toBe(leader.applied.length);
      const { node, incarnation, cluster: ofCluster } = identity!;
      const isFounder = ofCluster!.founders.some((one) => one.node === node && one.incarnation === incarnation);
      expect(isFounder || admitted.has(memberIdOf(node, incarnation)), `${host.id} is of it by right`).toBe(true);
    }
    addAll(total, walk.seen);
  }, RUNS / 3);
  for (const phase of ["empty", "founding", "running"]) {
    expect(total.get(`joiner crashed while ${phase}`), `joiners that crashed while ${phase}`).toBeGreaterThan(0);
  }
  expect(total.get("disk lost")).toBeGreaterThan(0);
  expect(total.get("RestoreFinished")).toBeGreaterThan(0);
});

/** A joiner's disk, so that a majority of the founders stays: nobody survives the loss of that. */
function loseDisk(walk: Walk, random: Random): void {
  const host = walk.cluster.host(random.pick(JOINERS));
  const configuration = walk.cluster.leader()?.configuration;
  const isVoter = configuration?.members.some(({ id, role }) => nodeOf(id) === host.id && role === "voter");
  if (isVoter === true || configuration === undefined) return;
  if (host.replica !== null) walk.cluster.crash(host.id, random);
  walk.cluster.wipe(host.id);
  count(walk, "disk lost");
}

function putDisk(node: NodeId, incarnation: Incarnation): MemberOperation {
  const unsaid = { address: null, failureDomain: null, priority: null };
  return { type: "put", member: { node, incarnation, role: "standby", ...unsaid } };
}

/** As an operator would: an empty node replaces the member of its name, if there is one; all others stay. */
function letIn(cluster: ReplicaCluster, id: NodeId): void {
  for (let attempt = 0; ; attempt++) {
    const leader = cluster.leader()!;
    const { members } = leader.configuration!;
    const disk = cluster.host(id).replica!.inspect().identity!.incarnation;
    const member = members.find((one) => nodeOf(one.id) === id);
    if (member?.id === memberIdOf(id, disk) && member.role !== "spare") return;
    expect(attempt, `${id} is let in by ${leader.id}`).toBeLessThan(10);
    const isOther = member !== undefined && member.id !== memberIdOf(id, disk);
    // By its incarnation: who leads need not be one of those that it asks.
    const wanted = putDisk(id, disk);
    cluster.change(leader.id, isOther ? [remove(id), wanted] : [wanted]);
    cluster.pass(500);
  }
}
