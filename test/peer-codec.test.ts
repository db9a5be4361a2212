/**
 * Tables of the peer format: golden bytes, and each rule of the decoder broken once. The golden file is the format as
 * it is: a change of it (REWRITE=1) raises the format's version.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { expect, test } from "vitest";
import { ByteWriter } from "../core/bytes.ts";
import { crc32c } from "../core/checksum.ts";
import { encodeConfiguration } from "../core/raft/configuration-codec.ts";
import { foundingConfiguration, newMember, type Configuration } from "../core/raft/configuration.ts";
import type { InstallSnapshot, SnapshotId } from "../core/raft/message.ts";
import type {
  ClusterId, Entry, EntryId, Founder, Incarnation, LogIndex, MemberId, NodeId, Term,
} from "../core/types.ts";
import { PEER_LIMITS, type Letter, type PeerMessage } from "../core/wire/peer.ts";
import { decodeLetter, encodeLetter } from "../core/wire/peer-codec.ts";

const CLUSTER = "00112233445566778899aabbccddeeff" as ClusterId;
const SENDER = "0102030405060708" as Incarnation;
const RECEIVER = "1112131415161718" as Incarnation;
const TERM = 3 as Term;
const MAX = Number.MAX_SAFE_INTEGER;

function id(term: number, index: number): EntryId {
  return { term: term as Term, index: index as LogIndex };
}

function bytesOf(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

function entry(term: number, index: number, text: string): Entry {
  return { ...id(term, index), kind: text === "" ? "noop" : "payload", payload: bytesOf(text) };
}

function letter(message: PeerMessage): Letter {
  const cluster = message.type === "Empty" ? null : CLUSTER;
  return { envelope: { cluster, sender: SENDER, receiver: RECEIVER }, message };
}

function rejection(rejected: number, hint: EntryId): PeerMessage {
  const result = { accepted: false, rejected: rejected as LogIndex, hint } as const;
  return { type: "AppendEntriesReply", term: TERM, round: 9, version: 1, hasSpace: true, hasLost: true, result };
}

const FOUNDERS: readonly Founder[] = [
  { node: "a" as NodeId, incarnation: SENDER },
  { node: "b" as NodeId, incarnation: RECEIVER },
];
const A = `a@${SENDER}` as MemberId;
const B = `b@${RECEIVER}` as MemberId;
const FOUNDING = foundingConfiguration([A, B]);
/** Joint, with all that a member can have. */
const JOINT: Configuration = {
  members: [
    { ...newMember(A, "voter"), address: "h\u00f6st:1", failureDomain: "east", priority: 7 },
    newMember(B, "spare"),
  ],
  outgoing: [newMember(B, "voter")],
  version: 2,
};

function configured(term: number, index: number, configuration: Configuration): Entry {
  return { ...id(term, index), kind: "configuration", payload: encodeConfiguration(configuration) };
}

const SNAPSHOT: SnapshotId = { entry: id(2, 7), configuration: FOUNDING, size: 11, checksum: MAX };
const PIECE: InstallSnapshot = {
  type: "InstallSnapshot", term: TERM, snapshot: SNAPSHOT, offset: 4, bytes: bytesOf("piece"),
};

const EXAMPLES: Readonly<Record<string, PeerMessage>> = {
  "pre-vote": { type: "RequestPreVote", term: TERM, lastLog: id(3, 7) },
  "first pre-vote": { type: "RequestPreVote", term: 0 as Term, lastLog: id(0, 0) },
  "pre-vote granted": { type: "RequestPreVoteReply", term: TERM, granted: true },
  "first pre-vote granted": { type: "RequestPreVoteReply", term: 0 as Term, granted: true },
  "vote": { type: "RequestVote", term: TERM, lastLog: id(2, 7), isTransfer: false },
  "first vote": { type: "RequestVote", term: 1 as Term, lastLog: id(0, 0), isTransfer: false },
  "vote for a transfer": { type: "RequestVote", term: TERM, lastLog: id(2, 7), isTransfer: true },
  "vote granted": { type: "RequestVoteReply", term: TERM, granted: true },
  "vote refused": { type: "RequestVoteReply", term: MAX as Term, granted: false },
  "heartbeat": {
    type: "AppendEntries", term: 2 as Term, prevLog: id(0, 0), entries: [], leaderCommit: 0 as LogIndex, round: 0,
  },
  "entries": {
    type: "AppendEntries",
    term: TERM,
    prevLog: id(1, 4),
    entries: [entry(1, 5, "five"), entry(3, 6, ""), entry(3, 7, "7")],
    leaderCommit: 6 as LogIndex,
    round: 9,
  },
  "configurations": {
    type: "AppendEntries",
    term: TERM,
    prevLog: id(1, 4),
    entries: [configured(1, 5, JOINT), configured(3, 6, FOUNDING)],
    leaderCommit: 6 as LogIndex,
    round: 9,
  },
  "accepted": {
    type: "AppendEntriesReply", term: TERM, round: 9, version: 2, hasSpace: true, hasLost: false,
    result: { accepted: true, matchIndex: 7 as LogIndex },
  },
  "accepted without room": {
    type: "AppendEntriesReply", term: TERM, round: 9, version: 2, hasSpace: false, hasLost: false,
    result: { accepted: true, matchIndex: 7 as LogIndex },
  },
  "rejected": rejection(7, id(2, 5)),
  "rejected at 0": rejection(0, id(0, 0)),
  "piece": PIECE,
  "last piece": { ...PIECE, snapshot: { ...SNAPSHOT, configuration: JOINT }, offset: 11, bytes: new Uint8Array(0) },
  "received": {
    type: "InstallSnapshotReply", term: TERM, entry: id(2, 7), checksum: MAX, received: 9, installed: false,
  },
  "installed": {
    type: "InstallSnapshotReply", term: TERM, entry: id(2, 7), checksum: 0, received: 11, installed: true,
  },
  "timeout now": { type: "TimeoutNow", term: TERM },
  "read": { type: "ReadIndex", term: TERM, request: MAX, hasLost: false },
  "lost": { type: "ReadIndex", term: TERM, request: 5, hasLost: true },
  "readable": { type: "ReadIndexReply", term: TERM, request: 12, index: 7 as LogIndex },
  "not readable": { type: "ReadIndexReply", term: TERM, request: 12, index: null },
  "leaving": { type: "Leaving", term: TERM },
  "empty": { type: "Empty", nodes: ["a", "b.2", "c-3"] as NodeId[], address: "h\u00f6st:1" },
  "empty without address": { type: "Empty", nodes: ["a"] as NodeId[], address: "" },
  "founded": { type: "Founded", founders: FOUNDERS },
  "admitted": { type: "Admitted", founders: FOUNDERS },
  "digest": { type: "Digest", index: 7 as LogIndex, checksum: MAX },
};

function example(name: string): PeerMessage {
  const message = EXAMPLES[name];
  if (message === undefined) throw new Error(`there is no example ${name}`);
  return message;
}

/** The bytes with `change` made and a checksum that agrees: what a node with a bug would send. */
function forged(name: string, change: (bytes: Uint8Array, view: DataView) => Uint8Array | void): Uint8Array {
  const original = encodeLetter(letter(example(name))).slice();
  const bytes = change(original, new DataView(original.buffer)) ?? original;
  new DataView(bytes.buffer, bytes.byteOffset).setUint32(0, crc32c(bytes, 4), true);
  return bytes;
}

function faultOf(bytes: Uint8Array): string {
  const decoded = decodeLetter(bytes);
  return decoded.ok ? "accepted" : `${decoded.reason}@${decoded.fault.offset}: ${decoded.fault.rule}`;
}

for (const [name, message] of Object.entries(EXAMPLES)) {
  test(`${message.type} (${name}) survives its bytes and no harm to them`, () => {
    const bytes = encodeLetter(letter(message));
    expect(decodeLetter(bytes)).toEqual({ ok: true, letter: letter(message) });
    for (let size = 0; size < bytes.length; size++) expect(decodeLetter(bytes.slice(0, size)).ok).toBe(false);
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const flipped = bytes.slice();
      flipped[bit >> 3]! ^= 1 << (bit & 7);
      expect(decodeLetter(flipped).ok).toBe(false);
    }
    // Longer by a byte, even with a checksum that agrees.
    const longer = forged(name, (original) => Uint8Array.from([...original, 0]));
    expect(faultOf(longer)).toContain("nothing follows the last field");
  });
}

/** Each example by name; the bytes before the message's own once, at the top. */
function golden(): string {
  const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex").replace(/.{16}(?=.)/g, "$& ");
  const blocks = Object.entries(EXAMPLES).map(([name, message]) => {
    const bytes = encodeLetter(letter(message));
    const lines = [hex(bytes.subarray(0, 8)), hex(bytes.subarray(8, 40))];
    for (let at = 40; at < bytes.length; at += 32) lines.push(hex(bytes.subarray(at, at + 32)));
    return `${message.type} (${name}), ${bytes.length} bytes\n  ${lines.join("\n  ")}\n`;
  });
  return blocks.join("\n");
}

test("the format's bytes are the golden ones, of every type of message", () => {
  const file = new URL("golden/peer-messages.hex", import.meta.url);
  if (process.env["REWRITE"] === "1") writeFileSync(file, golden());
  expect(golden()).toBe(readFileSync(file, "utf8"));
  const numbers = Object.values(EXAMPLES).map((message) => encodeLetter(letter(message))[5]!);
  expect([...new Set(numbers)].sort((a, b) => a - b)).toEqual(Array.from({ length: 16 }, (_, at) => at + 1));
});

test("a message of version 2 is refused by name", () => {
  // RequestVote as version 2 wrote it.
  const header = "00112233445566778899aabbccddeeff" + "0102030405060708" + "1112131415161718";
  const hex = `0000000002010000${header}030000000000000002000000000000000700000000000000`;
  const bytes = Uint8Array.from(Buffer.from(hex, "hex"));
  new DataView(bytes.buffer).setUint32(0, crc32c(bytes, 4), true);
  expect(faultOf(bytes)).toBe("wrongVersion@4: the message's format version is 3, not 2");
});

test("payloads and pieces are views into the bytes received, so that what is large is not copied", () => {
  const entries = encodeLetter(letter(example("entries")));
  const decoded = decodeLetter(entries);
  if (!decoded.ok || decoded.letter.message.type !== "AppendEntries") throw new Error("entries are read");
  expect(decoded.letter.message.entries[0]!.payload.buffer).toBe(entries.buffer);
  const piece = encodeLetter(letter(PIECE));
  const read = decodeLetter(piece);
  if (!read.ok || read.letter.message.type !== "InstallSnapshot") throw new Error("a piece is read");
  expect(read.letter.message.bytes.buffer).toBe(piece.buffer);
});

/** Sets the byte at an offset. */
function set(at: number, value: number): (bytes: Uint8Array) => void {
  return (bytes) => void (bytes[at] = value);
}

function zero(from: number, end: number): (bytes: Uint8Array) => void {
  return (bytes) => void bytes.fill(0, from, end);
}

/** A list without anything behind it. */
function none(bytes: Uint8Array): Uint8Array {
  return bytes.fill(0, 40, 41).slice(0, 41);
}

/** Puts other bytes in the place of the snapshot's configuration. */
function withConfiguration(configuration: Uint8Array): (bytes: Uint8Array) => Uint8Array {
  return (bytes) => {
    const rest = bytes.subarray(92 + encodeConfiguration(FOUNDING).length);
    return new ByteWriter().raw(bytes.subarray(0, 88)).blob(configuration).raw(rest).finish();
  };
}

const FOREIGN = encodeConfiguration(foundingConfiguration(["a@1" as MemberId]));
const RULES: readonly [string, Uint8Array, string][] = [
  ["another version", forged("vote", set(4, 4)), "wrongVersion@4: the message's format version is 3, not 4"],
  ["an unknown type", forged("vote", set(5, 17)), "malformed@5: the type is one of 1 to 16"],
  ["type 0", forged("vote", set(5, 0)), "malformed@5: the type is one of 1 to 16"],
  ["a reserved byte", forged("vote", set(7, 1)), "malformed@6: the reserved bytes are zero"],
  ["no sender", forged("vote", zero(24, 32)), "malformed@24: the sender has an incarnation"],
  ["Raft without a cluster", forged("vote", zero(8, 24)), "malformed@8: only an empty node is of no cluster"],
  ["an empty node in a cluster", forged("empty", set(8, 1)), "malformed@8: only an empty node is of no cluster"],
  ["term 0", forged("vote", set(40, 0)), "malformed@40: a message is of a term of 1 or above"],
  ["a heartbeat in term 0", forged("heartbeat", set(40, 0)), "malformed@40: a message is of a term of 1 or above"],
  ["a term above 2^53-1", forged("vote", set(46, 0x20)), "malformed@40: a u64 is at most 2^53-1"],
  ["a candidate behind its log", forged("vote", set(40, 2)), "malformed@48: a candidate's term is above"],
  ["a node behind its log", forged("pre-vote", set(40, 2)), "malformed@48: a node's term is not below"],
  ["half of none", forged("vote", set(48, 0)), "malformed@48: term 0 and index 0 mean none, together"],
  ["a vote of 2", forged("vote granted", set(48, 2)), "malformed@48: a flag is 0 or 1"],
  ["a transfer of 2", forged("vote", set(64, 2)), "malformed@64: a flag is 0 or 1"],
  ["an entry of kind 4", forged("entries", set(92, 4)), "malformed@92: an entry's kind is 1, 2 or 3"],
  ["an entry of kind 0", forged("entries", set(92, 0)), "malformed@92: an entry's kind is 1, 2 or 3"],
  ["a no-op with a payload", forged("entries", set(92, 1)), "malformed@93: a length is at most 0"],
  ["a configuration that is none", forged("entries", set(92, 3)), "malformed@97: a configuration has format version 1"],
  ["a term that falls", forged("entries", set(48, 2)), "terms along the log never fall"],
  ["an entry of a later term", forged("entries", set(40, 2)), "no entry's term is above its leader's"],
  ["feature version 0", forged("accepted", set(56, 0)), "malformed@56: a feature version is positive"],
  ["room of 2", forged("accepted", set(60, 2)), "malformed@60: a flag is 0 or 1"],
  ["a loss of 2", forged("accepted", set(61, 2)), "malformed@61: a flag is 0 or 1"],
  ["a hint too high", forged("rejected", set(63, 5)), "malformed@79: the hint is below what was rejected"],
  ["a snapshot of nothing", forged("piece", zero(48, 64)), "malformed@48: a snapshot is of an entry"],
  ["a snapshot of a later term", forged("piece", set(40, 1)), "malformed@48: no entry's term is above its leader's"],
  ["a piece beyond the end", forged("piece", set(64, 8)), "malformed@80: a piece lies within its snapshot"],
  [
    "a snapshot without a configuration",
    forged("piece", withConfiguration(new Uint8Array(0))),
    "malformed@92: the field lies within the bytes",
  ],
  [
    "a member without an incarnation",
    forged("piece", withConfiguration(FOREIGN)),
    "malformed@92: a member is a node and an incarnation",
  ],
  ["a part of nothing", forged("received", zero(48, 64)), "malformed@48: a snapshot is of an entry"],
  ["installed 2", forged("received", set(80, 2)), "malformed@80: a flag is 0 or 1"],
  ["an index known by 2", forged("readable", set(56, 2)), "malformed@56: a flag is 0 or 1"],
  ["a question that has lost 2", forged("read", set(56, 2)), "malformed@56: a flag is 0 or 1"],
  ["a digest of nothing", forged("digest", zero(40, 48)), "malformed@40: a digest is of a state that something"],
  ["a checksum above 2^53-1", forged("digest", set(54, 0x20)), "malformed@48: a u64 is at most 2^53-1"],
  ["no nodes", forged("empty", none), "malformed@40: a cluster has nodes"],
  ["an address of garbage", forged("empty without address", (bytes) => {
    return new ByteWriter().raw(bytes.subarray(0, 43)).blob(Uint8Array.of(0xff)).finish();
  }), "malformed@43: text is valid UTF-8"],
  ["an address too long", forged("empty without address", (bytes) => {
    return new ByteWriter().raw(bytes.subarray(0, 43)).text("x".repeat(256)).finish();
  }), "malformed@43: an address has at most 255 characters"],
  ["no founders", forged("founded", none), "malformed@40: a cluster has founders"],
  ["founders out of order", forged("founded", set(42, 0x62)), "nodes are sorted, each once"],
  ["a name that is none", forged("founded", set(42, 0x2d)), "a node id is a letter or digit"],
  ["a founder without a disk", forged("founded", zero(43, 51)), "malformed@43: a founder has an incarnation"],
];
for (const [name, bytes, fault] of RULES) {
  test(`refused although its checksum agrees: ${name}`, () => expect(faultOf(bytes)).toContain(fault));
}

test("a count or a length that the bytes do not bear out allocates nothing", () => {
  const { maxPayloadBytes, maxConfigurationBytes } = PEER_LIMITS;
  const length = (name: string, at: number, value: number): string =>
    faultOf(forged(name, (_, view) => view.setUint32(at, value, true)));
  expect(length("entries", 80, 0xffffffff)).toBe("malformed@80: the entries lie within the message");
  expect(length("entries", 93, maxPayloadBytes)).toContain("the field lies within the bytes");
  expect(length("entries", 93, maxPayloadBytes + 1)).toBe(`malformed@93: a length is at most ${maxPayloadBytes}`);
  const tooLong = `a length is at most ${maxConfigurationBytes}`;
  expect(length("configurations", 93, maxConfigurationBytes + 1)).toBe(`malformed@93: ${tooLong}`);
  expect(length("piece", 88, maxConfigurationBytes + 1)).toBe(`malformed@88: ${tooLong}`);
  expect(length("piece", 92 + encodeConfiguration(FOUNDING).length, maxPayloadBytes + 1)).toContain("at most");
});

test("a message above the format's limit is refused by its size alone", () => {
  expect(faultOf(new Uint8Array(PEER_LIMITS.maxMessageBytes + 1))).toContain("a message has at most");
});
