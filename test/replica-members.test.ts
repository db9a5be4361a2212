/** Who is meant by a name, whose word is dropped, who is remembered: tables; and changes asked of a whole Replica. */
import { expect, test } from "vitest";
import { encodeConfiguration } from "../core/raft/configuration-codec.ts";
import { newMember, type Configuration, type Member, type MemberRole } from "../core/raft/configuration.ts";
import type { MemberOperation, ReplicaEffect, Stranger } from "../core/replica/boundary.ts";
import { translateOperations } from "../core/replica/member-operations.ts";
import { MAX_STRANGERS, Reception } from "../core/replica/reception.ts";
import { Roster } from "../core/replica/roster.ts";
import { incarnationOf, memberIdOf, nodeOf } from "../core/types.ts";
import type {
  ClusterId, Entry, Founder, Incarnation, LogIndex, MemberId, NodeId, RequestNumber, Term,
} from "../core/types.ts";
import { put, remove, ReplicaCluster } from "./replica-cluster.ts";

/** `disk("b2")`: the second disk of b. */
function disk(name: string): MemberId {
  return memberIdOf(name.charAt(0) as NodeId, name.charAt(1).repeat(16) as Incarnation);
}

/** `configuration("a1 b1 c1:standby")`; behind a slash the voters that are being left. */
function configuration(text: string): Configuration {
  const [members = "", outgoing = ""] = text.split("/").map((part) => part.trim());
  const parse = (part: string): Member[] => part.split(" ").filter((word) => word !== "").map((word) => {
    const [name = "", role = "voter"] = word.split(":");
    return newMember(disk(name), role as MemberRole);
  });
  return { members: parse(members), outgoing: parse(outgoing), version: 1 };
}

function committed(term: number, text: string): Entry {
  const payload = encodeConfiguration(configuration(text));
  return { term: term as Term, index: 1 as LogIndex, kind: "configuration", payload };
}

const FOUNDERS = ["a1", "b1", "c1"].map((name): Founder => {
  return { node: nodeOf(disk(name)), incarnation: incarnationOf(disk(name)) };
});
const CLUSTER = { id: "1".repeat(32) as ClusterId, founders: FOUNDERS };

// What an operator asks for

function stranger(name: string): Stranger {
  return { node: nodeOf(disk(name)), incarnation: incarnationOf(disk(name)), address: `${name}:1` };
}

/** What comes of operations where b2 and d1 have been heard. */
function translated(...operations: readonly MemberOperation[]): string {
  const heard = [stranger("b2"), stranger("d1")];
  const current = configuration("a1 b1 c1:standby");
  const result = translateOperations(operations, current, (node) => heard.find((one) => one.node === node) ?? null);
  if (!result.ok) return result.reason;
  const short = (id: MemberId): string => id.slice(0, 3).replace("@", "");
  const lines = result.operations.map((operation) => {
    if (operation.type === "remove") return `remove ${short(operation.id)}`;
    const { id, role, address, failureDomain, priority } = operation.member;
    return `put ${short(id)} ${role} ${address} ${failureDomain} ${priority}`.replace(/ +/g, " ");
  });
  return lines.join(", ");
}

function putOf(node: string, fields: Partial<(MemberOperation & { type: "put" })["member"]>): MemberOperation {
  const operation = put(node, "voter");
  if (operation.type !== "put") throw new Error("put puts");
  return { ...operation, member: { ...operation.member, ...fields } };
}

const NAMES: readonly [string, readonly MemberOperation[], string][] = [
  ["a member by its name", [put("c", "voter")], "put c1 voter 100"],
  ["a member, though another disk of it has asked", [put("b", "standby")], "put b1 standby 100"],
  ["a disk for another: the name is free behind the removal", [remove("b"), put("b", "standby")],
    "remove b1, put b2 standby b2:1 100"],
  ["a new node, by what it said of itself", [put("d", "standby")], "put d1 standby d1:1 100"],
  ["a new node, as the operator says", [putOf("d", { address: "x:1", failureDomain: "east", priority: 7 })],
    "put d1 voter x:1 east 7"],
  ["a disk that nobody has heard, by its incarnation", [putOf("e", { incarnation: incarnationOf(disk("e3")) })],
    "put e3 voter 100"],
  ["another disk than the member, without its removal", [putOf("b", { incarnation: incarnationOf(disk("b2")) })],
    "put b2 voter b2:1 100"],
  ["a disk that has no incarnation", [putOf("e", { incarnation: "e3" as Incarnation })], "impossibleMember"],
  ["a node that nobody has heard", [put("e", "voter")], "notHeard"],
  ["the removal of a node that is no member", [remove("d")], "unknownMember"],
  ["the same removed twice", [remove("b"), remove("b")], "unknownMember"],
  ["a member put, and put again", [putOf("d", { address: "x:1" }), put("d", "standby")],
    "put d1 voter x:1 100, put d1 standby x:1 100"],
];
for (const [name, operations, expected] of NAMES) {
  test(`asked for: ${name}`, () => expect(translated(...operations)).toBe(expected));
}

test("what a member has stays as it is unless it is said", () => {
  const member = { ...newMember(disk("a1"), "voter"), address: "a:1", failureDomain: "west", priority: 9 };
  const current = { members: [member], outgoing: [], version: 1 };
  const result = translateOperations([put("a", "voter")], current, () => null);
  expect(result).toEqual({ ok: true, operations: [{ type: "put", member }] });
});

// Whose word is dropped

test("a disk that was replaced is not heard in the term of that and before; whoever else is, is heard", () => {
  const roster = new Roster(FOUNDERS, null);
  const dropped = (name: string, term: number): boolean => roster.isReplaced(disk(name), term as Term);
  expect(["a1", "c1", "c2", "d1"].some((name) => dropped(name, 1))).toBe(false);
  // While it is being left it still leads, perhaps.
  roster.applied([committed(3, "a1 b1 c2:standby / a1 b1 c1")]);
  expect(dropped("c1", 3)).toBe(false);
  roster.applied([committed(4, "a1 b1 c2:standby")]);
  expect([3, 4, 5].map((term) => dropped("c1", term))).toEqual([true, true, false]);
  expect(dropped("c2", 4)).toBe(false);
  // A newer disk that this node does not know of yet may even lead.
  expect(dropped("c3", 1)).toBe(false);
  // One that was let in again.
  roster.applied([committed(6, "a1 b1 c1:standby")]);
  expect([dropped("c1", 4), dropped("c2", 6), dropped("c2", 7)]).toEqual([false, true, false]);
});

test("a node that was removed is heard until another disk of it is let in", () => {
  const roster = new Roster(FOUNDERS, null);
  roster.applied([committed(2, "a1 b1"), { ...committed(2, "a1"), kind: "payload" }]);
  expect(roster.isReplaced(disk("c1"), 2 as Term)).toBe(false);
  expect(roster.admits(disk("c1"))).toBe(false);
  expect(roster.admits(disk("b1"))).toBe(true);
  roster.applied([committed(5, "a1 b1 c2")]);
  expect(roster.isReplaced(disk("c1"), 5 as Term)).toBe(true);
});

test("a founder that a snapshot's configuration replaces is known to be", () => {
  const entry = { term: 7 as Term, index: 9 as LogIndex };
  const roster = new Roster(FOUNDERS, { entry, configuration: configuration("a1 b2 d1"), size: 1, checksum: 1 });
  expect(roster.isReplaced(disk("b1"), 7 as Term)).toBe(true);
  expect(roster.isReplaced(disk("c1"), 7 as Term)).toBe(false);
  expect(roster.memberOf("d" as NodeId)).toBe(disk("d1"));
  expect(roster.memberOf("c" as NodeId)).toBe(null);
  roster.restored({ entry, configuration: configuration("a1 d2"), size: 1, checksum: 1 });
  expect(roster.isReplaced(disk("d1"), 7 as Term)).toBe(true);
});

test("so many former members are remembered and no more", () => {
  const roster = new Roster(FOUNDERS, null);
  const digits = (number: number): Incarnation => number.toString(16).padStart(16, "0") as Incarnation;
  const lives = Array.from({ length: 300 }, (_, number) => memberIdOf("d" as NodeId, digits(number + 1)));
  for (const id of lives) {
    const payload = encodeConfiguration({ members: [newMember(id, "voter")], outgoing: [], version: 1 });
    roster.applied([{ ...committed(1, "a1"), payload }]);
  }
  const dropped = lives.filter((id) => roster.isReplaced(id, 1 as Term));
  expect(dropped).toEqual(lives.slice(-dropped.length - 1, -1));
  expect(dropped.length).toBe(256);
});

// Who is empty

test("a node of a cluster tells an empty one what it is, by its disk", () => {
  const roster = new Roster(FOUNDERS, null);
  roster.inForce = configuration("a1 b1 d1:spare");
  roster.applied([committed(1, "a1 b1 d1:spare")]);
  const hear = (self: string, name: string): string => {
    const reception = new Reception(CLUSTER, disk(self));
    const { node, incarnation } = stranger(name);
    const empty = { type: "Empty", nodes: [], address: "" } as const;
    const { message, rejection } = reception.answer(node, incarnation, empty, roster);
    const remembered = reception.strangers.length > 0 ? " remembered" : "";
    return `${message.type} ${rejection?.reason ?? "expected"}${remembered}`;
  };
  expect(hear("a1", "b1")).toBe("Founded expected");
  expect(hear("d1", "b1")).toBe("Admitted expected");
  expect(hear("a1", "d1")).toBe("Admitted expected");
  expect(hear("a1", "c1")).toBe("Founded notAdmitted remembered");
  expect(hear("a1", "c2")).toBe("Founded wrongIncarnation remembered");
  expect(hear("a1", "d2")).toBe("Founded wrongIncarnation remembered");
  expect(hear("a1", "e1")).toBe("Founded notAdmitted remembered");
});

test("of strangers the latest are remembered, each by its latest disk, until they are let in", () => {
  const roster = new Roster(FOUNDERS, null);
  const reception = new Reception(CLUSTER, disk("a1"));
  const knock = (node: string, incarnation: string): void => {
    const empty = { type: "Empty", nodes: [], address: "" } as const;
    reception.answer(node as NodeId, incarnation as Incarnation, empty, roster);
  };
  for (let number = 10; number < 10 + MAX_STRANGERS; number++) knock(`n${number}`, "1".repeat(16));
  knock("n10", "2".repeat(16));
  knock("e", "1".repeat(16));
  expect(reception.strangers.length).toBe(MAX_STRANGERS);
  expect(reception.strangerOf("n11" as NodeId)).toBe(null);
  expect(reception.strangerOf("n10" as NodeId)?.incarnation).toBe("2".repeat(16));
  expect(reception.strangers.map(({ node }) => node)).toEqual([...reception.strangers.map(({ node }) => node)].sort());
  roster.applied([committed(1, "a1 e1:standby")]);
  reception.forgetMembers(roster);
  expect(reception.strangerOf("e" as NodeId)).toBe(null);
  expect(reception.strangers.length).toBe(MAX_STRANGERS - 1);
});

// A whole Replica

function running(): { cluster: ReplicaCluster; leader: NodeId; follower: NodeId; effects: ReplicaEffect[] } {
  const cluster = new ReplicaCluster(["a", "b", "c"]);
  cluster.startAll();
  cluster.runUntil(() => cluster.leader() !== null && cluster.leader()!.applied.length > 0);
  const leader = cluster.leader()!.id;
  const follower = cluster.ids.find((id) => id !== leader)!;
  cluster.pass(1000);
  const effects: ReplicaEffect[] = [];
  cluster.onEffect = (_, effect) => void effects.push(effect);
  return { cluster, leader, follower, effects };
}

test("changes and transfers are refused by who does not lead, and by who does for a reason", () => {
  const { cluster, leader, follower } = running();
  const outcomes = (name: NodeId): string[] => {
    const request = 9 as RequestNumber;
    const effects = [
      ...cluster.step(name, { type: "ChangeRequested", request, operations: [put("e", "voter")] }),
      ...cluster.step(name, { type: "ChangeRequested", request, operations: [remove("e")] }),
      ...cluster.step(name, { type: "ChangeRequested", request, operations: [put("a", "voter")] }),
      ...cluster.step(name, { type: "TransferRequested", request, target: "e" as NodeId }),
    ];
    return effects.flatMap((effect) => {
      if (effect.type !== "ChangeResolved" && effect.type !== "TransferResolved") return [];
      expect(effect.request).toBe(request);
      return [effect.outcome.type === "refused" ? effect.outcome.reason : effect.outcome.type];
    });
  };
  expect(outcomes(follower)).toEqual(["notLeader", "notLeader", "notLeader", "notLeader"]);
  expect(outcomes(leader)).toEqual(["notHeard", "unknownMember", "noChange", "notVoter"]);
});

test("leadership goes to the node that is named, and everybody hears its name", () => {
  const { cluster, leader, follower, effects } = running();
  cluster.step(leader, { type: "TransferRequested", request: 1 as RequestNumber, target: follower });
  cluster.pass(100);
  expect(effects).toContainEqual({ type: "TransferResolved", request: 1, outcome: { type: "done" } });
  expect(cluster.leader()!.id).toBe(follower);
  expect(effects.filter(({ type }) => type === "LeadershipChanged").at(-1)).toMatchObject({ leader: follower });
});

test("a configuration is told when it is in force, and again when it stays", () => {
  const { cluster, leader, effects } = running();
  const third = cluster.ids.find((id) => id !== leader)!;
  const request = cluster.change(leader, [put(third, "standby")]);
  cluster.pass(1000);
  const told = effects.flatMap((effect) => {
    if (effect.type !== "ConfigurationChanged") return [];
    const { members, outgoing } = effect.configuration;
    const voters = members.filter(({ role }) => role === "voter").map(({ id }) => nodeOf(id));
    return [`${voters.join("")}${outgoing.length > 0 ? " joint" : ""}${effect.isCommitted ? " committed" : ""}`];
  });
  const rest = cluster.ids.filter((id) => id !== third).join("");
  // A joint one does not stay: as soon as it is committed the next one is in force. Each node tells each once.
  expect(new Set(told)).toEqual(new Set([`${rest} joint`, rest, `${rest} committed`]));
  expect(told.length).toBeLessThanOrEqual(9);
  expect(cluster.host(leader).changes.get(request)).toMatchObject({ type: "committed" });
});

test("a clock that stood still is no news to anybody but Raft", () => {
  const { cluster, leader } = running();
  const visible = cluster.step(leader, { type: "ClockStopped" }).filter(({ type }) => type !== "SetTimer");
  expect(visible).toEqual([]);
});
