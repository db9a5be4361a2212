/**
 * What may be made of a configuration, by brute force: every set of members is asked whether it is a quorum, before and
 * after each change. And its bytes: what is written is read, and nothing else is.
 */
import fc from "fast-check";
import { expect, test } from "vitest";
import { decodeConfiguration, encodeConfiguration } from "../core/raft/configuration-codec.ts";
import {
  everybodyIn, faultOf, isJoint, isVoter, leaveJoint, memberOf, planChange, votersOf,
} from "../core/raft/configuration.ts";
import type { Configuration, ConfigurationFault, ConfigurationOperation, Member } from "../core/raft/configuration.ts";
import { nodeOf, type MemberId } from "../core/types.ts";
import { examples } from "./chance.ts";
import { configuration, MEMBER_IDS, member, operation, simpleConfiguration } from "./member-samples.ts";

type Members = ReadonlySet<MemberId>;

/** Thesis §4.3, word for word: a majority of the new voters, and one of the old while they are being left. */
function isQuorum({ members, outgoing }: Configuration, present: Members): boolean {
  const halves = [members.filter(({ role }) => role === "voter"), outgoing].filter((half) => half.length > 0);
  return halves.every((half) => half.filter(({ id }) => present.has(id)).length * 2 > half.length);
}

/** All sets of those that vote in either configuration. */
function subsets(ids: readonly MemberId[]): readonly Members[] {
  return ids.reduce<readonly Members[]>(
    (sets, id) => [...sets, ...sets.map((set) => new Set([...set, id]))], [new Set<MemberId>()],
  );
}

function expectIntersecting(before: Configuration, after: Configuration): void {
  const voters = MEMBER_IDS.filter((id) => isVoter(before, id) || isVoter(after, id));
  const sets = subsets(voters);
  const missing = sets.filter((set) => isQuorum(before, set)).filter((quorum) =>
    // A quorum of `after` that has none of them would be among all the others.
    isQuorum(after, new Set(voters.filter((id) => !quorum.has(id)))),
  );
  expect(missing).toEqual([]);
}

const changes = fc.array(operation, { minLength: 1, maxLength: 4 });

/** One operation after the other on a plain list. */
function planned(
  current: Configuration, operations: readonly ConfigurationOperation[],
): readonly Member[] | ConfigurationFault {
  let members = [...current.members];
  for (const each of operations) {
    const id = each.type === "put" ? each.member.id : each.id;
    if (each.type === "remove" && !members.some((known) => known.id === id)) return "unknownMember";
    members = members.filter((known) => known.id !== id);
    if (each.type === "put") members.push(each.member);
  }
  if (members.some((a, at) => members.slice(at + 1).some((b) => nodeOf(a.id) === nodeOf(b.id)))) return "sameNode";
  if (!members.some(({ role }) => role === "voter")) return "noVoters";
  members.sort((a, b) => (a.id < b.id ? -1 : 1));
  return JSON.stringify(members) === JSON.stringify(current.members) ? "noChange" : members;
}

test("any two consecutive configurations have only quorums that meet", () => {
  let joint = 0;
  fc.assert(fc.property(simpleConfiguration, changes, (before, operations) => {
    const plan = planChange(before, operations);
    if (!plan.ok) return;
    expectIntersecting(before, plan.configuration);
    if (!isJoint(plan.configuration)) return;
    joint += 1;
    expectIntersecting(plan.configuration, plan.configuration);
    expectIntersecting(plan.configuration, leaveJoint(plan.configuration));
  }), examples(400));
  expect(joint).toBeGreaterThan(50);
});

test("without the joint step they would not: this way of asking can fail", () => {
  const seats = (ids: string): Member[] => ids.split("").map((id): Member => (
    { id: `${id}@0000000000000001` as MemberId, role: "voter", address: "", failureDomain: "", priority: 100 }
  ));
  const of = (ids: string): Configuration => ({ members: seats(ids), outgoing: [], version: 1 });
  expectIntersecting(of("abc"), of("abcd"));
  expect(() => expectIntersecting(of("abc"), of("ade"))).toThrow("to deeply equal");
  expect(() => expectIntersecting(of("abc"), of("abcde"))).toThrow("to deeply equal");
});

test("a planned change is what the operations make of a plain list, or says why not", () => {
  const seen = new Set<string>();
  fc.assert(fc.property(simpleConfiguration, changes, (before, operations) => {
    const plan = planChange(before, operations);
    const expected = planned(before, operations);
    seen.add(plan.ok ? (isJoint(plan.configuration) ? "joint" : "simple") : plan.fault);
    if (typeof expected === "string") expect(plan).toEqual({ ok: false, fault: expected });
    else expect(plan.ok).toBe(true);
    if (!plan.ok) return;
    const { configuration: after } = plan;
    expect(after.members).toEqual(expected);
    expect(faultOf(after.members)).toBeNull();
    expect(after.version).toBe(before.version);
    const touches = JSON.stringify(votersOf(before)) !== JSON.stringify(votersOf(after));
    expect(after.outgoing).toEqual(touches ? before.members.filter(({ role }) => role === "voter") : []);
    expect(leaveJoint(after)).toEqual({ ...after, outgoing: [] });
  }), examples(1000));
  expect([...seen].sort()).toEqual(["joint", "noChange", "noVoters", "sameNode", "simple", "unknownMember"]);
});

test("members, voters and everybody are found as in a plain list", () => {
  fc.assert(fc.property(configuration, (current) => {
    const { members, outgoing } = current;
    for (const id of MEMBER_IDS) {
      const inside = members.find((each) => each.id === id);
      const leaving = outgoing.find((each) => each.id === id);
      expect(memberOf(current, id)).toEqual(inside ?? leaving ?? null);
      expect(isVoter(current, id)).toBe(inside?.role === "voter" || leaving !== undefined);
      const spoken = everybodyIn(current).filter((each) => each.id === id);
      expect(spoken).toEqual([inside ?? leaving].filter((each) => each !== undefined));
    }
    const ids = everybodyIn(current).map(({ id }) => id);
    expect(ids).toEqual([...ids].sort());
  }), examples(300));
});

test("a configuration is read as it was written, and from no piece of it", () => {
  fc.assert(fc.property(configuration, (current) => {
    const bytes = encodeConfiguration(current);
    expect(decodeConfiguration(bytes)).toEqual({ ok: true, value: current });
    for (let end = 0; end < bytes.length; end++) expect(decodeConfiguration(bytes.slice(0, end)).ok).toBe(false);
    expect(decodeConfiguration(new Uint8Array([...bytes, 0])).ok).toBe(false);
  }), examples(40));
});

test("whatever bytes are taken for a configuration, they are one, and its only form", () => {
  let read = 0;
  const mutation = fc.record({ at: fc.nat(), value: fc.nat(255) });
  fc.assert(fc.property(configuration, fc.array(mutation, { minLength: 1, maxLength: 3 }), (current, mutations) => {
    const bytes = encodeConfiguration(current);
    for (const { at, value } of mutations) bytes[at % bytes.length] = value;
    const decoded = decodeConfiguration(bytes);
    if (!decoded.ok) return;
    read += 1;
    const { members, outgoing } = decoded.value;
    expect(faultOf(members)).toBeNull();
    expect(outgoing.every(({ role }) => role === "voter")).toBe(true);
    expect(encodeConfiguration(decoded.value)).toEqual(bytes);
  }), examples(2000));
  expect(read).toBeGreaterThan(20);
});

test("what no member is, makes no configuration", () => {
  const impossible = fc.constantFrom<Partial<Member>>(
    { priority: -1 }, { priority: 256 }, { priority: 0.5 }, { priority: Number.NaN }, { address: "x".repeat(256) },
    { failureDomain: "x".repeat(256) }, { id: "" as MemberId },
  );
  fc.assert(fc.property(simpleConfiguration, member, impossible, (current, some, fault) => {
    const broken = { ...some, ...fault };
    expect(planChange(current, [{ type: "put", member: broken }])).toEqual({ ok: false, fault: "impossibleMember" });
    expect(faultOf([broken])).toBe("impossibleMember");
  }), examples(50));
});
