/** Replica from end to end: what a node does with its disk, its peers and its application, over a small cluster. */
import { expect, test } from "vitest";
import { crc32c } from "../core/checksum.ts";
import { DEFAULT_LIMITS, type RaftLimits } from "../core/raft/boundary.ts";
import type { ReplicaEffect } from "../core/replica/boundary.ts";
import type {
  Incarnation, Instant, LogIndex, NodeId, ProposalNumber, ReadNumber, RequestNumber, Term,
} from "../core/types.ts";
import { decodeLetter, encodeLetter } from "../core/wire/peer-codec.ts";
import { PEER_LIMITS, type Letter } from "../core/wire/peer.ts";
import { type Host, remove, ReplicaCluster, type Settings } from "./replica-cluster.ts";
import { ReplicaState } from "./replica-state.ts";

const A = "a" as NodeId;
/** What can be seen of a Replica without Raft and identity. */
const NOTHING = { identity: null, raft: null, strangers: [] };

function bytesOf(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

function textsOf(host: Host): string[] {
  const payloads = host.applied.filter((entry) => entry.kind === "payload");
  return payloads.map((entry) => String.fromCharCode(...entry.payload));
}

/** Three nodes, founded, with a leader whose no-op everybody has applied. */
function running(settings: Settings = {}): { cluster: ReplicaCluster; leader: Host; followers: Host[] } {
  const cluster = new ReplicaCluster(["a", "b", "c"], 1, settings);
  cluster.startAll();
  return { cluster, ...led(cluster) };
}

function led(cluster: ReplicaCluster): { leader: Host; followers: Host[] } {
  cluster.runUntil(() => cluster.leader() !== null && cluster.leader()!.applied.length > 0);
  const leader = cluster.leader()!;
  return { leader, followers: [...cluster.hosts.values()].filter((host) => host !== leader) };
}

/** Heartbeats tell the followers what is committed. */
function beat(cluster: ReplicaCluster, leader: Host): void {
  cluster.fire(leader.id);
  cluster.settle();
}

test("a proposal is durable on a quorum before it is committed, and applied on all", () => {
  const { cluster, leader, followers } = running();
  cluster.propose(leader.id, 1, 0, bytesOf("one"));
  cluster.propose(leader.id, 2, 1, bytesOf("two"));
  // Only the leader's disk works: nothing is committed, whatever the network brings.
  while (cluster.work(leader.id));
  for (const packet of [...cluster.packets]) cluster.arrive(packet);
  expect(leader.outcomes.size).toBe(0);
  while (cluster.work(followers[0]!.id));
  for (const packet of [...cluster.packets]) cluster.arrive(packet);
  expect([...leader.outcomes.values()].map((outcome) => outcome.type)).toEqual(["committed", "committed"]);
  expect(textsOf(leader)).toEqual(["one", "two"]);
  cluster.settle();
  beat(cluster, leader);
  for (const follower of followers) expect(textsOf(follower)).toEqual(["one", "two"]);
});

test("what was committed is there after all have crashed, and after a leader's death", () => {
  const { cluster, leader } = running();
  cluster.propose(leader.id, 1, 0, bytesOf("kept"));
  cluster.settle();
  for (const id of cluster.ids) cluster.crash(id);
  cluster.packets = [];
  cluster.startAll();
  const second = led(cluster);
  expect(textsOf(second.leader)).toEqual(["kept"]);
  cluster.crash(second.leader.id);
  const third = led(cluster);
  expect(third.leader.id).not.toBe(second.leader.id);
  cluster.propose(third.leader.id, 1, 0, bytesOf("more"));
  cluster.settle();
  expect(textsOf(third.leader)).toEqual(["kept", "more"]);
});

test("a read is confirmed by a round of the leader, on whichever node it was asked for", () => {
  const { cluster, leader, followers } = running();
  const effects: ReplicaEffect[] = [];
  cluster.onEffect = (_, effect) => void effects.push(effect);
  cluster.step(leader.id, { type: "ReadRequested", read: 7 as ReadNumber });
  cluster.step(followers[0]!.id, { type: "ReadRequested", read: 8 as ReadNumber });
  expect(effects.some((effect) => effect.type === "ReadReady")).toBe(false);
  cluster.settle();
  const index = leader.replica!.inspect().raft!.commitIndex;
  expect(effects).toContainEqual({ type: "ReadReady", read: 7, index });
  expect(effects).toContainEqual({ type: "ReadReady", read: 8, index });
});

test("entries that have left memory come back from disk for a node that was down", () => {
  const limits = { ...DEFAULT_LIMITS, maxCachedBytes: 100, maxMessageBytes: 200, maxMessageEntries: 2 };
  const { cluster, leader, followers } = running({ limits });
  const away = followers[0]!;
  cluster.crash(away.id);
  const texts = Array.from({ length: 40 }, (_, number) => `entry ${number} ${"-".repeat(number * 3)}`);
  texts.forEach((text, at) => {
    cluster.propose(leader.id, at + 1, at, bytesOf(text));
    cluster.settle();
  });
  expect(leader.replica!.inspect().raft!.firstCached).toBeGreaterThan(20);
  cluster.start(away.id);
  cluster.runUntil(() => textsOf(away).length === texts.length);
  expect(textsOf(away)).toEqual(texts);
});

test("before it is founded and after it was closed, a node refuses what it is asked for", () => {
  const cluster = new ReplicaCluster(["a", "b"]);
  const request = 3 as RequestNumber;
  const ask = (): readonly ReplicaEffect[] => {
    const proposal = 1 as ProposalNumber;
    const proposed = { type: "Proposed", proposal, term: 1 as Term, predecessor: 0 as ProposalNumber } as const;
    cluster.host("a").outcomes.clear();
    return [
      ...cluster.step("a", { ...proposed, payload: bytesOf("no") }),
      ...cluster.step("a", { type: "ReadRequested", read: 2 as ReadNumber }),
      ...cluster.step("a", { type: "Applied", index: 1 as LogIndex, checksum: 0 }),
      ...cluster.step("a", { type: "RolledBack", term: 1 as Term, last: proposal }),
      ...cluster.step("a", { type: "ChangeRequested", request, operations: [remove("b")] }),
      ...cluster.step("a", { type: "TransferRequested", request, target: null }),
      ...cluster.step("a", { type: "SnapshotTaken", index: 1 as LogIndex, cut: new ReplicaState().cut() }),
      ...cluster.step("a", { type: "ClockStopped" }),
      ...cluster.step("a", { type: "TimerFired" }),
    ].filter((effect) => effect.type !== "Send" && effect.type !== "SetTimer");
  };
  const refused = [
    { type: "Resolve", proposal: 1, outcome: { type: "refused", reason: "notLeader" } },
    { type: "ReadRefused", read: 2 },
    { type: "ChangeResolved", request, outcome: { type: "refused", reason: "notLeader" } },
    { type: "TransferResolved", request, outcome: { type: "refused", reason: "notLeader" } },
  ];
  cluster.start("a");
  expect(ask()).toEqual(refused);
  while (cluster.work("a"));
  expect(cluster.host("a").replica!.inspect().phase).toBe("empty");
  expect(ask()).toEqual(refused);
  cluster.start("b");
  cluster.runUntil(() => cluster.leader() !== null);
  cluster.step("a", { type: "Closing" });
  cluster.runUntil(() => cluster.host("a").replica!.inspect().phase === "closed");
  expect(cluster.host("a").replica!.inspect()).toEqual({ phase: "closed", ...NOTHING });
  expect(ask()).toEqual(refused);
});

test("a leader that is closed hands over first; what was handed to the disk is durable, then it says so once", () => {
  const { cluster, leader, followers } = running();
  const closed: NodeId[] = [];
  cluster.onEffect = (host, effect) => {
    if (effect.type === "Closed") closed.push(host.id);
    if (closed.includes(host.id)) expect(effect.type).toBe("Closed");
  };
  cluster.propose(leader.id, 1, 0, bytesOf("last words"));
  cluster.step(leader.id, { type: "Closing" });
  cluster.step(leader.id, { type: "Closing" });
  expect(leader.replica!.inspect().phase).toBe("leaving");
  expect(closed).toEqual([]);
  cluster.runUntil(() => closed.length > 0);
  expect(closed).toEqual([leader.id]);
  // Nobody's patience ran out: one of the others was told to stand.
  expect(followers.map(({ id }) => id)).toContain(cluster.leader()!.id);
  expect(cluster.step(leader.id, { type: "Closing" })).toEqual([]);
  // A restart finds the entry, and that nothing was torn.
  cluster.onEffect = (_, effect) => {
    if (effect.type !== "Recovered") return;
    expect(effect.last.index).toBeGreaterThanOrEqual(2);
    expect(effect.tornBytes).toBe(0);
  };
  cluster.crash(leader.id);
  cluster.start(leader.id);
  cluster.settle();
});

test("a node that is closed while it recovers or is founded closes all the same", () => {
  for (let operations = 0; operations < 40; operations++) {
    const cluster = new ReplicaCluster(["a"]);
    cluster.start("a");
    for (let done = 0; done < operations; done++) cluster.work("a");
    cluster.step("a", { type: "Closing" });
    cluster.settle();
    expect(cluster.host("a").replica!.inspect().phase).toBe("closed");
    // And nothing is broken by it.
    cluster.crash("a");
    cluster.start("a");
    cluster.runUntil(() => cluster.leader() !== null);
  }
});

test("a disk that fails halts the node at once and for good, wherever it happens", () => {
  const failure = { code: "EIO", file: "log", message: "input/output error" };
  for (let operations = 0; operations < 40; operations++) {
    const cluster = new ReplicaCluster(["a"]);
    cluster.start("a");
    for (let done = 0; done < operations; done++) cluster.work("a");
    const host = cluster.host("a");
    const recovering = host.replica!.inspect().phase === "recovering";
    // Once it is founded, the next to be written is its vote for itself.
    if (host.orders.length === 0) cluster.fire("a");
    const order = host.orders.shift()!;
    const effects = cluster.step("a", { type: "DiskFailed", ticket: order.ticket, failure });
    const fault = { code: "EIO", file: "log", detail: expect.stringContaining("input/output error") };
    const reason = recovering
      ? { type: "storage", fault: { type: "diskFailed", ...fault } }
      : { type: "disk", ...fault };
    expect(effects).toEqual([{ type: "Halt", reason }]);
    expect(host.replica!.inspect()).toEqual({ phase: "halted", ...NOTHING });
    for (const type of ["TimerFired", "Closing"] as const) expect(cluster.step("a", { type })).toEqual([]);
    const from = "b" as NodeId;
    expect(cluster.step("a", { type: "Received", from, bytes: bytesOf("?") })).toEqual([]);
  }
});

/** What `a`, founded or not, says to bytes that seem to come from b. */
function rejection(cluster: ReplicaCluster, to: Host, from: NodeId, bytes: Uint8Array): string {
  const effects = cluster.step(to.id, { type: "Received", from, bytes });
  return effects.map((effect) => (effect.type === "Reject" ? `${effect.from} ${effect.reason}` : effect.type)).join();
}

test("a message is heard by cluster id and incarnation only; each reason to drop one is told", () => {
  const { cluster, leader, followers } = running();
  const [follower] = followers as [Host];
  cluster.fire(leader.id);
  const packet = cluster.packets.find((one) => one.to === follower.id)!;
  cluster.packets = [];
  const decoded = decodeLetter(packet.bytes);
  if (!decoded.ok) throw new Error("a heartbeat can be read");
  const { letter } = decoded;
  const { envelope } = letter;
  const other = "f".repeat(16) as Incarnation;
  const say = (changed: Partial<Letter["envelope"]>): Uint8Array =>
    encodeLetter({ ...letter, envelope: { ...envelope, ...changed } });
  const version = packet.bytes.slice();
  version[4] = 1;
  new DataView(version.buffer).setUint32(0, crc32c(version, 4), true);
  const cases: readonly [Uint8Array, string][] = [
    [packet.bytes.slice(0, -1), "malformed"],
    [version, "wrongVersion"],
    [say({ cluster: "f".repeat(32) as typeof envelope.cluster }), "wrongCluster"],
    [say({ receiver: other }), "notAddressedToUs"],
    [say({ receiver: null }), "notAddressedToUs"],
  ];
  for (const [bytes, reason] of cases) {
    expect(rejection(cluster, follower, leader.id, bytes)).toBe(`${leader.id} ${reason}`);
  }
  expect(rejection(cluster, follower, follower.id, packet.bytes)).toBe(`${follower.id} stranger`);
  // Members come and go, and a leader may be unknown to a node that lags behind: but a term has one leader.
  expect(rejection(cluster, follower, leader.id, say({ sender: other }))).toBe(`${leader.id} implausible`);
  expect(rejection(cluster, follower, "z" as NodeId, packet.bytes)).toBe("z implausible");
  // Intact, it is heard: a heartbeat is answered.
  expect(rejection(cluster, follower, leader.id, packet.bytes)).toContain("Send");
});

test("an empty node hears nothing of Raft, and no founding by another than it claims to be", () => {
  const cluster = new ReplicaCluster(["a", "b"]);
  cluster.start("a");
  while (cluster.work("a"));
  const a = cluster.host("a");
  const own = a.replica!.inspect().identity!.incarnation;
  const b = "b" as NodeId;
  const sender = "b".repeat(16) as Incarnation;
  const envelope = { cluster: "c".repeat(32), sender, receiver: own } as Letter["envelope"];
  const founders = [{ node: A, incarnation: own }, { node: b, incarnation: "0".repeat(15) + "1" as Incarnation }];
  const vote = { type: "RequestVoteReply", term: 1 as Term, granted: true } as const;
  expect(rejection(cluster, a, b, encodeLetter({ envelope, message: vote }))).toBe("b wrongCluster");
  const founded = encodeLetter({ envelope, message: { type: "Founded", founders } });
  expect(rejection(cluster, a, b, founded)).toBe("b wrongIncarnation");
  expect(rejection(cluster, a, b, bytesOf("garbage"))).toBe("b malformed");
  expect(a.replica!.inspect().phase).toBe("empty");
});

test("options that cannot work are refused at once", () => {
  const start = (settings: Settings, nodes: string[]): void => new ReplicaCluster(["a"], 1, settings).start("a", nodes);
  expect(() => start({}, [])).toThrow("a node founds a cluster, alone at least, or asks somebody to be let in");
  expect(() => start({}, ["a", "a"])).toThrow("a cluster is a sorted list of nodes");
  const { maxPayloadBytes } = PEER_LIMITS;
  const limited = (limits: Partial<RaftLimits>): (() => void) => {
    return () => start({ limits: { ...DEFAULT_LIMITS, ...limits } }, ["a"]);
  };
  expect(limited({ maxPayloadBytes: maxPayloadBytes + 1 })).toThrow("what is accepted can be sent");
  expect(limited({ maxMessageBytes: maxPayloadBytes + 1 })).toThrow("a message keeps to the format's limit");
  expect(limited({ snapshotChunkBytes: maxPayloadBytes + 1 })).toThrow("a piece keeps to the format's limit");
});

test("time may stand still and never runs backwards", () => {
  const { cluster, leader } = running();
  cluster.now = (cluster.now - 1) as Instant;
  expect(() => cluster.step(leader.id, { type: "TimerFired" })).toThrow("time never runs backwards");
});

test("a message's bytes are the same wherever they are made", () => {
  // The checksum of all packets of a founding and an election: a change of it is a change of the protocol.
  const run = (): number => {
    const cluster = new ReplicaCluster(["a", "b", "c"], 42);
    let checksum = 0;
    cluster.onEffect = (_, effect) => {
      if (effect.type === "Send") checksum = crc32c(effect.bytes, 0, effect.bytes.length, checksum);
    };
    cluster.startAll();
    led(cluster);
    return checksum;
  };
  expect(run()).toBe(run());
});
