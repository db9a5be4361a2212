/** Tables of the peer format: golden bytes, and each rule of the decoder broken once. */
import { expect, test } from "vitest";
import { crc32c } from "../core/checksum.ts";
import type { ClusterId, Entry, EntryId, Incarnation, LogIndex, Member, NodeId, Term } from "../core/types.ts";
import { PEER_LIMITS, type Letter, type PeerMessage } from "../core/wire/peer.ts";
import { decodeLetter, encodeLetter } from "../core/wire/peer-codec.ts";

const CLUSTER = "00112233445566778899aabbccddeeff" as ClusterId;
const SENDER = "0102030405060708" as Incarnation;
const RECEIVER = "1112131415161718" as Incarnation;

function id(term: number, index: number): EntryId {
  return { term: term as Term, index: index as LogIndex };
}

function entry(term: number, index: number, text: string): Entry {
  const payload = Uint8Array.from(text, (character) => character.charCodeAt(0));
  return { ...id(term, index), kind: text === "" ? "noop" : "payload", payload };
}

function letter(message: PeerMessage): Letter {
  const cluster = message.type === "Empty" ? null : CLUSTER;
  return { envelope: { cluster, sender: SENDER, receiver: RECEIVER }, message };
}

function rejection(rejected: number, hint: EntryId): PeerMessage {
  const result = { accepted: false, rejected: rejected as LogIndex, hint } as const;
  return { type: "AppendEntriesReply", term: 3 as Term, round: 9, result };
}

const MEMBERS: readonly Member[] = [
  { node: "a" as NodeId, incarnation: SENDER },
  { node: "b" as NodeId, incarnation: RECEIVER },
];

const EXAMPLES: readonly PeerMessage[] = [
  { type: "RequestVote", term: 3 as Term, lastLog: id(2, 7) },
  { type: "RequestVote", term: 1 as Term, lastLog: id(0, 0) },
  { type: "RequestVoteReply", term: 3 as Term, granted: true },
  { type: "RequestVoteReply", term: Number.MAX_SAFE_INTEGER as Term, granted: false },
  { type: "AppendEntries", term: 2 as Term, prevLog: id(0, 0), entries: [], leaderCommit: 0 as LogIndex, round: 0 },
  {
    type: "AppendEntries",
    term: 3 as Term,
    prevLog: id(1, 4),
    entries: [entry(1, 5, "five"), entry(3, 6, ""), entry(3, 7, "7")],
    leaderCommit: 6 as LogIndex,
    round: 9,
  },
  { type: "AppendEntriesReply", term: 3 as Term, round: 9, result: { accepted: true, matchIndex: 7 as LogIndex } },
  rejection(7, id(2, 5)),
  rejection(0, id(0, 0)),
  { type: "Empty", nodes: ["a", "b.2", "c-3"] as NodeId[] },
  { type: "Founded", members: MEMBERS },
];

/** The bytes with `change` made and a checksum that agrees: what a node with a bug would send. */
function forged(message: PeerMessage, change: (bytes: Uint8Array, view: DataView) => Uint8Array | void): Uint8Array {
  const original = encodeLetter(letter(message)).slice();
  const bytes = change(original, new DataView(original.buffer)) ?? original;
  new DataView(bytes.buffer, bytes.byteOffset).setUint32(0, crc32c(bytes, 4), true);
  return bytes;
}

function faultOf(bytes: Uint8Array): string {
  const decoded = decodeLetter(bytes);
  return decoded.ok ? "accepted" : `${decoded.reason}@${decoded.fault.offset}: ${decoded.fault.rule}`;
}

for (const [number, message] of EXAMPLES.entries()) {
  test(`example ${number + 1}, ${message.type}, survives its bytes and no harm to them`, () => {
    const bytes = encodeLetter(letter(message));
    expect(decodeLetter(bytes)).toEqual({ ok: true, letter: letter(message) });
    for (let size = 0; size < bytes.length; size++) expect(decodeLetter(bytes.slice(0, size)).ok).toBe(false);
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const flipped = bytes.slice();
      flipped[bit >> 3]! ^= 1 << (bit & 7);
      expect(decodeLetter(flipped).ok).toBe(false);
    }
    // Longer by a byte, even with a checksum that agrees.
    const longer = forged(message, (original) => Uint8Array.from([...original, 0]));
    expect(faultOf(longer)).toContain("nothing follows the last field");
  });
}

test("the bytes of version 1 do not change", () => {
  const hex = (message: PeerMessage): string => Buffer.from(encodeLetter(letter(message))).toString("hex");
  const header = "00112233445566778899aabbccddeeff" + "0102030405060708" + "1112131415161718";
  expect(hex(EXAMPLES[0]!).slice(8)).toBe(`01010000${header}030000000000000002000000000000000700000000000000`);
  expect(hex(EXAMPLES[5]!).slice(8)).toBe(
    `01030000${header}` +
      "0300000000000000" + "01000000000000000400000000000000" + "0600000000000000" + "0900000000000000" + "03000000" +
      "0100000000000000" + "02" + "04000000" + "66697665" +
      "0300000000000000" + "01" + "00000000" +
      "0300000000000000" + "02" + "01000000" + "37",
  );
  expect(hex(EXAMPLES[9]!)).toBe(
    "2084aa81" + "01050000" + "0".repeat(32) + header.slice(32) + "03" + "0161" + "03622e32" + "03632d33",
  );
});

test("payloads are views into the bytes received, so that a large entry is not copied", () => {
  const bytes = encodeLetter(letter(EXAMPLES[5]!));
  const decoded = decodeLetter(bytes);
  expect(decoded.ok && decoded.letter.message.type === "AppendEntries").toBe(true);
  if (!decoded.ok || decoded.letter.message.type !== "AppendEntries") return;
  expect(decoded.letter.message.entries[0]!.payload.buffer).toBe(bytes.buffer);
});

const vote = EXAMPLES[0]!;
const append = EXAMPLES[5]!;
const reply = EXAMPLES[7]!;
const founded = EXAMPLES[10]!;
const RULES: readonly [string, Uint8Array, string][] = [
  [
    "another version",
    forged(vote, (bytes) => void (bytes[4] = 2)),
    "wrongVersion@4: the message's format version is 1, not 2",
  ],
  ["an unknown type", forged(vote, (bytes) => void (bytes[5] = 7)), "malformed@5: the type is one of 1 to 6"],
  ["type 0", forged(vote, (bytes) => void (bytes[5] = 0)), "malformed@5: the type is one of 1 to 6"],
  ["a reserved byte", forged(vote, (bytes) => void (bytes[7] = 1)), "malformed@6: the reserved bytes are zero"],
  ["no sender", forged(vote, (bytes) => void bytes.fill(0, 24, 32)), "malformed@24: the sender has an incarnation"],
  [
    "Raft without a cluster",
    forged(vote, (bytes) => void bytes.fill(0, 8, 24)),
    "malformed@8: only an empty node is of no cluster",
  ],
  [
    "an empty node in a cluster",
    forged(EXAMPLES[9]!, (bytes) => void (bytes[8] = 1)),
    "malformed@8: only an empty node is of no cluster",
  ],
  ["term 0", forged(vote, (bytes) => void (bytes[40] = 0)), "malformed@40: a message is of a term of 1 or above"],
  ["a term above 2^53-1", forged(vote, (bytes) => void (bytes[46] = 0x20)), "malformed@40: a u64 is at most 2^53-1"],
  [
    "a candidate behind its log",
    forged(vote, (bytes) => void (bytes[40] = 2)),
    "malformed@48: a candidate's term is above",
  ],
  [
    "half of none",
    forged(vote, (bytes) => void (bytes[48] = 0)),
    "malformed@48: term 0 and index 0 mean none, together",
  ],
  ["a vote of 2", forged(EXAMPLES[2]!, (bytes) => void (bytes[48] = 2)), "malformed@48: a flag is 0 or 1"],
  [
    "an entry of a kind unknown",
    forged(append, (bytes) => void (bytes[92] = 3)),
    "malformed@92: an entry's kind is 1 or 2",
  ],
  ["a no-op with a payload", forged(append, (bytes) => void (bytes[92] = 1)), "a no-op has no payload"],
  ["a term that falls", forged(append, (bytes) => void (bytes[48] = 2)), "terms along the log never fall"],
  [
    "an entry of a later term",
    forged(append, (bytes) => void (bytes[40] = 2)),
    "no entry's term is above its leader's",
  ],
  [
    "a hint too high",
    forged(reply, (bytes) => void (bytes[57] = 5)),
    "malformed@73: the hint is below what was rejected",
  ],
  [
    "no nodes",
    forged(EXAMPLES[9]!, (bytes) => bytes.fill(0, 40, 41).slice(0, 41)),
    "malformed@40: a cluster has nodes",
  ],
  [
    "no members",
    forged(founded, (bytes) => bytes.fill(0, 40, 41).slice(0, 41)),
    "malformed@40: a cluster has members",
  ],
  ["members out of order", forged(founded, (bytes) => void (bytes[42] = 0x62)), "nodes are sorted, each once"],
  ["a name that is none", forged(founded, (bytes) => void (bytes[42] = 0x2d)), "a node id is a letter or digit"],
  [
    "a member without a disk",
    forged(founded, (bytes) => void bytes.fill(0, 43, 51)),
    "malformed@43: a member has an incarnation",
  ],
];
for (const [name, bytes, fault] of RULES) {
  test(`refused although its checksum agrees: ${name}`, () => expect(faultOf(bytes)).toContain(fault));
}

test("a count or a length that the bytes do not bear out allocates nothing", () => {
  const many = forged(append, (_, view) => view.setUint32(80, 0xffffffff, true));
  expect(faultOf(many)).toBe("malformed@80: the entries lie within the message");
  const long = forged(append, (_, view) => view.setUint32(93, PEER_LIMITS.maxPayloadBytes, true));
  expect(faultOf(long)).toContain("the field lies within the bytes");
  const huge = forged(append, (_, view) => view.setUint32(93, PEER_LIMITS.maxPayloadBytes + 1, true));
  expect(faultOf(huge)).toBe(`malformed@93: a length is at most ${PEER_LIMITS.maxPayloadBytes}`);
});

test("a message above the format's limit is refused by its size alone", () => {
  expect(faultOf(new Uint8Array(PEER_LIMITS.maxMessageBytes + 1))).toContain("a message has at most");
});
