/**
 * Clusters that grow, shrink and lose disks while they are written to, with real sockets and files, in one process:
 * what was acknowledged is there at the end, and every node says the same of who is of the cluster.
 */
import { expect, test } from "vitest";
import { MembershipError, type Node } from "../cli/index.ts";
import { membersOf, Nodes, PATIENCE_MS, until, Writer } from "./nodes.ts";

test("a cluster of three grows to five and shrinks to two, its leaders leaving first, under writes", async () => {
  const nodes = await Nodes.create(5);
  await nodes.found("a", "b", "c");
  const writer = new Writer(nodes);
  await writer.goesOn();
  await nodes.open("d", { join: nodes.among("a", "b", "c") });
  await nodes.ask((leader) => leader.addMember({ id: "d" }));
  // One that has asked another node than the leader is let in by what that node says of it.
  const { id: leading } = (await nodes.leader()).status();
  const asked = leading === "a" ? "b" : "a";
  await nodes.open("e", { join: nodes.among(asked) });
  await until(() => nodes.running.get(asked)!.status().applicants.length > 0, "it asks to be let in");
  const [applicant] = nodes.running.get(asked)!.status().applicants;
  await nodes.ask((leader) => leader.addMember(applicant!));
  await nodes.agree("a voter, b voter, c voter, d voter, e voter");
  await writer.goesOn();
  await nodes.ask((leader) => leader.transferLeadership("d"));
  expect((await nodes.leader()).status().id).toBe("d");
  await nodes.ask((leader) => leader.removeMember(leader.status().id));
  await nodes.close("d");
  await writer.goesOn();
  for (const id of ["a", "b"]) {
    await nodes.ask((leader) => leader.removeMember(id));
    await nodes.close(id);
  }
  await nodes.agree("c voter, e voter");
  await writer.goesOn();
  // Those who joined reach each other by what the cluster has written down, not by what they were told.
  expect((await nodes.leader()).status().members.map(({ address }) => address))
    .toEqual([nodes.addresses.get("c"), nodes.addresses.get("e")]);
  await writer.verify(nodes);
});

test("a node whose directory was lost comes back under its name, with another disk", async () => {
  const nodes = await Nodes.create(3);
  await nodes.found("a", "b", "c");
  const writer = new Writer(nodes);
  await writer.goesOn();
  await nodes.close("c");
  nodes.wipe("c");
  const c = await nodes.open("c", { join: nodes.among("a", "b") });
  const applicant = { id: "c", address: nodes.addresses.get("c")! };
  await until(async () => (await nodes.leader()).status().applicants.length > 0, "it asks to be let in");
  expect((await nodes.leader()).status().applicants).toEqual([{ ...applicant, incarnation: expect.any(String) }]);
  // The old disk is a member still, and votes; the new one is none yet.
  expect([membersOf(await nodes.leader()), c.status().cluster]).toEqual(["a voter, b voter, c voter", null]);
  await nodes.ask((leader) => leader.addMember({ id: "c" }));
  await nodes.agree("a voter, b voter, c voter");
  expect(c.status().cluster).toBe((await nodes.leader()).status().cluster);
  // It has all data and its vote counts: with it, one of the others may go.
  await nodes.close((await nodes.leader()).status().id);
  await writer.goesOn();
  await writer.verify(nodes);
});

test("with roles on, a cluster grows out of one node, and nodes that close give their vote to others", async () => {
  const nodes = await Nodes.create(5);
  const roles = { voters: 3, standbys: 1 };
  await nodes.open("a", { roles });
  const writer = new Writer(nodes);
  await writer.goesOn();
  for (const id of ["b", "c", "d", "e"]) {
    await nodes.open(id, { join: nodes.among("a"), roles });
    await (await nodes.leader()).addMember({ id });
  }
  await nodes.agree("a voter, b voter, c voter, d standby, e spare");
  // Three of five are gone in the end: each time somebody stands in.
  await nodes.close("a");
  await nodes.vote("b", "c", "d");
  await nodes.close("b");
  await nodes.vote("c", "d", "e");
  await nodes.close("c");
  await writer.goesOn();
  expect(writer.acknowledged.length).toBeGreaterThan(10);
  await writer.verify(nodes);
});

test("a node that nobody is left for, or that nobody hears, closes all the same, and soon", async () => {
  const nodes = await Nodes.create(3);
  const roles = { voters: 3, standbys: 0 };
  const cluster = nodes.among("a", "b", "c");
  // b and c never come: a is of no cluster yet.
  await nodes.open("a", { cluster, roles });
  const from = performance.now();
  await nodes.close("a");
  await Promise.all(["a", "b", "c"].map((id) => nodes.open(id, { cluster, roles })));
  const leader = await nodes.leader();
  const followers = [...nodes.running.keys()].filter((id) => id !== leader.status().id);
  await Promise.all(followers.map((id) => nodes.close(id)));
  await nodes.close(leader.status().id);
  expect(performance.now() - from).toBeLessThan(PATIENCE_MS);
});

test("what cannot be done is refused with what to do instead", async () => {
  const nodes = await Nodes.create(4);
  await nodes.found("a", "b", "c");
  const leader = await nodes.leader();
  const other = [...nodes.running.values()].find((node) => node !== leader)!;
  await until(() => other.status().leader !== null, "it is known who leads");
  const id = leader.status().id;
  const refused = async (request: Promise<void>): Promise<MembershipError> => {
    const error = await request.then(() => null, (thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(MembershipError);
    return error as MembershipError;
  };
  const requests = [
    other.addMember({ id: "d" }), other.removeMember(id), other.setRole("a", "spare"), other.setRole("z", "spare"),
    other.transferLeadership(),
  ];
  for (const request of requests) {
    expect(await refused(request)).toMatchObject({
      code: "NotLeader", leader: id, message: expect.stringContaining(`ask ${id}, which leads now`),
    });
  }
  expect(await refused(leader.addMember({ id: "d", timeoutMs: 1 }))).toMatchObject({ code: "NotHeard" });
  expect(await refused(leader.addMember({ id: "b", timeoutMs: 1 }))).toMatchObject({ code: "AlreadyMember" });
  expect(await refused(leader.removeMember("z"))).toMatchObject({ code: "UnknownMember" });
  expect(await refused(leader.setRole("z", "voter"))).toMatchObject({ code: "UnknownMember" });
  expect(await refused(leader.transferLeadership("z"))).toMatchObject({ code: "UnknownMember" });
  expect(await refused(leader.transferLeadership(id))).toMatchObject({ code: "NoTarget" });
  expect(await refused(leader.addMember({ id: "d d" }))).toMatchObject({ code: "InvalidMember" });
  expect(await refused(leader.changeMember("a", { address: "nowhere" }))).toMatchObject({ code: "InvalidMember" });
  expect(await refused(leader.changeMember("a", { priority: 256 }))).toMatchObject({ code: "InvalidMember" });
  expect(await refused(leader.setRole("a", "king" as "voter"))).toMatchObject({ code: "InvalidMember" });
  // As it is already: nothing to be done, and nothing wrong.
  await leader.setRole("a", "voter");
  await leader.changeMember("a", { failureDomain: "rack-1", priority: 150 });
  expect(leader.status().members[0]).toMatchObject({ id: "a", failureDomain: "rack-1", priority: 150 });
  await leader.close();
  expect(leader.status()).toMatchObject({ leader: null });
  expect(leader.status().members.filter(({ alive }) => alive)).toEqual([]);
  expect(await refused(leader.removeMember("a"))).toMatchObject({ code: "Closed" });
  expect(await refused(leader.setRole("z", "voter"))).toMatchObject({ code: "Closed" });
  expect(await refused(leader.transferLeadership())).toMatchObject({ code: "Closed" });
});

test.each<[string, (node: Node) => Promise<void>, RegExp]>([
  ["no member at all", (node) => node.addMember(undefined as never), /new member is undefined: pass an object/],
  ["an unknown field", (node) => node.addMember({ id: "d", timeout: 5 } as never), /no field "timeout": it may/],
  ["a time that is none", (node) => node.addMember({ id: "d", timeoutMs: NaN }), /timeoutMs is NaN/],
  ["a disk that is none", (node) => node.addMember({ id: "d", incarnation: "x" }), /status\(\).applicants/],
  ["a priority out of bounds", (node) => node.addMember({ id: "d", priority: 256 }), /priority of d is 256/],
  ["no change", (node) => node.changeMember("a", null as never), /the change of a is null: pass an object with role/],
  ["an unknown change", (node) => node.changeMember("a", { zone: "x" } as never), /no field "zone": it may have role/],
  ["no priority", (node) => node.changeMember("a", { priority: null as never }), /priority of a is null/],
  ["a domain that is none", (node) => node.changeMember("a", { failureDomain: 5 as never }), /failureDomain of a is 5/],
  ["port 0", (node) => node.changeMember("a", { address: "127.0.0.1:0" }), /must know the port/],
  ["no role", (node) => node.setRole("a", undefined as never), /the role of a is undefined: pass "voter"/],
])("what is no member is refused by name, before anything is asked: %s", async (_name, request, message) => {
  const nodes = await Nodes.create(1);
  const node = await nodes.open("a", {});
  const error = await request(node).then(() => null, (thrown: unknown) => thrown);
  expect(error).toMatchObject({ name: "MembershipError", code: "InvalidMember" });
  expect((error as Error).message).toMatch(message);
});

test("an address that another member has is refused", async () => {
  const nodes = await Nodes.create(3);
  await nodes.found("a", "b", "c");
  const leader = await nodes.leader();
  const [id, other] = ["a", "b", "c"].filter((node) => node !== leader.status().id);
  const request = leader.changeMember(id!, { address: nodes.addresses.get(other!)! });
  const message: unknown = expect.stringContaining(`${other} has it`);
  await expect(request).rejects.toMatchObject({ code: "InvalidMember", message });
});

test("a node that is no member yet, or no more, says so to whoever asks it for a change", async () => {
  const nodes = await Nodes.create(4);
  await nodes.found("a", "b", "c");
  const stranger = await nodes.open("d", { join: nodes.among("a", "b", "c") });
  const notYet: unknown = expect.stringContaining("not in the cluster yet: ask the one of a, b, c that leads");
  await expect(stranger.removeMember("a")).rejects.toMatchObject({ code: "NotLeader", message: notYet });
  const leader = await nodes.leader();
  const { id } = leader.status();
  await leader.removeMember(id);
  const others = ["a", "b", "c"].filter((node) => node !== id).join(", ");
  await until(() => leader.status().leader === null, "the removed leader leads no more");
  const message: unknown = expect.stringContaining(`no member of the cluster any more: ask the one of ${others}`);
  for (const request of [leader.addMember({ id: "d" }), leader.setRole("z", "spare"), leader.transferLeadership()]) {
    await expect(request).rejects.toMatchObject({ code: "NotLeader", message });
  }
});

test("a founded directory that does not say where the others are is not opened without a list of them", async () => {
  const nodes = await Nodes.create(3);
  await nodes.found("a", "b", "c");
  await nodes.close("c");
  const message: unknown = expect.stringContaining("a cluster with a, b, and where they are is not written down");
  await expect(nodes.open("c", {})).rejects.toMatchObject({ code: "InvalidOption", option: "cluster", message });
  await (await nodes.open("c", { cluster: nodes.among("a", "b", "c") })).ready();
});
