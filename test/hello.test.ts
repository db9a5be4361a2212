/** Who may call whom: a table of hellos and what a node says to them. */
import { expect, test } from "vitest";
import type { ClusterId, Identity, Incarnation, NodeId } from "../core/types.ts";
import {
  decodeHelloAnswer, encodeHello, encodeHelloAnswer, judgeHello, MAX_HELLO_BYTES, PROTOCOL_VERSION,
  type Doorkeeper, type Hello,
} from "../core/wire/hello.ts";

const OURS = "aa".repeat(16) as ClusterId;
const THEIRS = "bb".repeat(16) as ClusterId;
const DISK_A = "0a".repeat(8) as Incarnation;
const DISK_B = "0b".repeat(8) as Incarnation;
const a = "a" as NodeId;
const b = "b" as NodeId;

const founded: Identity = {
  node: a,
  incarnation: DISK_A,
  cluster: { id: OURS, founders: [{ node: a, incarnation: DISK_A }, { node: b, incarnation: DISK_B }] },
};
const self: Doorkeeper = { node: a, identity: founded };
const empty: Doorkeeper = { ...self, identity: { ...founded, cluster: null } };
const starting: Doorkeeper = { ...self, identity: null };

const peer: Hello = { role: "peer", cluster: OURS, incarnation: DISK_B, node: b, target: a };
const client: Hello = { role: "client", cluster: null, incarnation: null, node: null, target: null };

const CASES: readonly [string, Hello, Doorkeeper, string, string][] = [
  ["a peer of the same cluster", peer, self, "accepted", ""],
  ["a peer that has no cluster yet", { ...peer, cluster: null }, self, "accepted", ""],
  ["a peer that does not know its disk yet", { ...peer, cluster: null, incarnation: null }, self, "accepted", ""],
  ["a peer of a cluster, by a node that has none yet", peer, empty, "accepted", ""],
  ["a peer, by a node that is still recovering", peer, starting, "accepted", ""],
  ["a client", client, self, "accepted", ""],
  ["a client that means this node", { ...client, target: a }, self, "accepted", ""],
  ["a client of the same cluster", { ...client, cluster: OURS }, self, "accepted", ""],
  ["a peer that means another node", { ...peer, target: b }, self, "wrongNode", "this is node a, not b"],
  ["a client that means another node", { ...client, target: b }, self, "wrongNode", "this is node a, not b"],
  ["a peer of another cluster", { ...peer, cluster: THEIRS }, self, "wrongCluster", THEIRS],
  ["a client of another cluster", { ...client, cluster: THEIRS }, self, "wrongCluster", OURS],
  ["a node that nobody has admitted", { ...peer, cluster: null, node: "z" as NodeId }, self, "accepted", ""],
  ["a node of our cluster that is none of its founders", { ...peer, node: "z" as NodeId }, self, "accepted", ""],
  ["a peer with a new disk", { ...peer, cluster: null, incarnation: DISK_A }, self, "accepted", ""],
  ["a node that claims our own name", { ...peer, node: a }, self, "stranger", "two nodes bear one name"],
];

for (const [name, hello, doorkeeper, verdict, detail] of CASES) {
  test(`${name}: ${verdict}`, () => {
    const judgement = judgeHello(encodeHello(hello), doorkeeper);
    if (judgement.accepted) expect(judgement.hello).toEqual(hello);
    const answer = decodeHelloAnswer(encodeHelloAnswer(judgement, doorkeeper));
    expect(answer).toMatchObject({ ok: true, value: { version: PROTOCOL_VERSION, verdict, node: a } });
    if (!answer.ok) return;
    expect(answer.value.detail).toContain(detail);
    expect(answer.value.cluster).toBe(doorkeeper.identity?.cluster?.id ?? null);
    expect(answer.value.incarnation).toBe(doorkeeper.identity?.incarnation ?? null);
  });
}

test("a hello of a later version is refused by name, whatever follows its first 12 bytes", () => {
  const later = encodeHello(peer).slice();
  later[10] = 2;
  const grown = Uint8Array.from([...later, 1, 2, 3]);
  for (const bytes of [later, grown, later.slice(0, 12)]) {
    const judgement = judgeHello(bytes, self);
    expect(judgement).toMatchObject({ accepted: false, reason: "unknownVersion" });
    expect(judgement.accepted ? "" : judgement.detail).toContain("protocol version 2");
  }
});

test("an answer of a later version tells its reason, and is a refusal", () => {
  const bytes = encodeHelloAnswer({ accepted: false, reason: "unknownVersion", detail: "upgrade first" }, self).slice();
  bytes[10] = 2;
  bytes[12] = 99;
  expect(decodeHelloAnswer(bytes)).toMatchObject({
    ok: true,
    value: { version: 2, verdict: "unknownVersion", detail: "upgrade first", node: null },
  });
});

test("what is no hello is refused, and the answer says so", () => {
  const not: readonly [Uint8Array, string][] = [
    [Buffer.from("GET / HTTP/1.1"), 'it starts with "quorumlite"'],
    [new Uint8Array(0), "the field lies within the bytes"],
    [new Uint8Array(MAX_HELLO_BYTES + 1), "at most"],
  ];
  for (const [bytes, rule] of not) {
    const judgement = judgeHello(bytes, self);
    expect(judgement).toMatchObject({ accepted: false, reason: "malformed" });
    expect(judgement.accepted ? "" : judgement.detail).toContain(rule);
  }
  const bytes = encodeHello(peer);
  for (let size = 12; size < bytes.length; size++) {
    expect(judgeHello(bytes.slice(0, size), self)).toMatchObject({ accepted: false, reason: "malformed" });
  }
  const roles = [bytes.slice(), encodeHello(client).slice()] as const;
  roles[0][12] = 2;
  roles[1][12] = 1;
  for (const role of roles) {
    const detail = expect.stringContaining("a peer says its name");
    expect(judgeHello(role, self)).toMatchObject({ reason: "malformed", detail });
  }
});

test("an answer that is none is a fault", () => {
  const bytes = encodeHelloAnswer({ accepted: true, hello: client }, self);
  for (let size = 0; size < bytes.length; size++) expect(decodeHelloAnswer(bytes.slice(0, size)).ok).toBe(false);
  const verdict = bytes.slice();
  verdict[12] = 99;
  expect(decodeHelloAnswer(verdict)).toMatchObject({ ok: false, fault: { offset: 12 } });
});

test("a long refusal is cut rather than refused itself", () => {
  const detail = "why ".repeat(1000);
  const answer = decodeHelloAnswer(encodeHelloAnswer({ accepted: false, reason: "malformed", detail }, self));
  expect(answer).toMatchObject({ ok: true, value: { verdict: "malformed", detail: detail.slice(0, 2048) } });
});
