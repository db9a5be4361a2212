/** Laws of the peer format over random messages: what is written is read, and nothing else is. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { crc32c } from "../core/checksum.ts";
import { encodeConfiguration } from "../core/raft/configuration-codec.ts";
import type { Configuration, Member, MemberRole } from "../core/raft/configuration.ts";
import type { Message, SnapshotId } from "../core/raft/message.ts";
import { memberIdOf, nodeOf } from "../core/types.ts";
import type { ClusterId, Entry, EntryId, Founder, Incarnation, LogIndex, NodeId, Term } from "../core/types.ts";
import { PEER_FORMAT_VERSION, decodeLetter, encodeLetter } from "../core/wire/peer-codec.ts";
import type { Letter, PeerMessage } from "../core/wire/peer.ts";
import { examples } from "./chance.ts";

const MAX = Number.MAX_SAFE_INTEGER;

function digits(byteCount: number): fc.Arbitrary<string> {
  const bytes = fc.uint8Array({ minLength: byteCount, maxLength: byteCount });
  return bytes.filter((all) => all.some((byte) => byte > 0)).map((all) => Buffer.from(all).toString("hex"));
}

const incarnation = digits(8) as fc.Arbitrary<Incarnation>;
const count = fc.maxSafeNat();
const index = count as fc.Arbitrary<LogIndex>;
const term = fc.integer({ min: 1, max: MAX }) as fc.Arbitrary<Term>;
const node = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$/) as fc.Arbitrary<NodeId>;
const nodes = fc
  .uniqueArray(node, { minLength: 1, maxLength: 7 })
  .map((names) => names.sort((a, b) => (a < b ? -1 : 1)));

/** An entry of a term up to `max`, or none. */
function entryId(max: number): fc.Arbitrary<EntryId> {
  const none = fc.constant({ term: 0, index: 0 });
  const ofTerm = fc.integer({ min: 1, max: Math.max(1, max) });
  const some = fc.record({ term: ofTerm, index: fc.integer({ min: 1, max: 2 ** 52 }) });
  return (max < 1 ? none : fc.oneof(none, some)) as fc.Arbitrary<EntryId>;
}

/** A message of Raft of a type, with what its fields may be. */
function raft(type: Message["type"], fields: Record<string, fc.Arbitrary<unknown>>): fc.Arbitrary<PeerMessage> {
  return fc.record({ type: fc.constant(type), term, ...fields }) as fc.Arbitrary<PeerMessage>;
}

const granted = fc.boolean();
const requestPreVote = fc.maxSafeNat().chain((ofTerm) =>
  entryId(ofTerm).map((lastLog): PeerMessage => ({ type: "RequestPreVote", term: ofTerm as Term, lastLog })),
);
const requestVote = fc.tuple(term, fc.boolean()).chain(([ofTerm, isTransfer]) =>
  entryId(ofTerm - 1).map((lastLog): PeerMessage => ({ type: "RequestVote", term: ofTerm, lastLog, isTransfer })),
);
const votes = [
  requestPreVote,
  raft("RequestPreVoteReply", { term: count, granted }),
  requestVote,
  raft("RequestVoteReply", { granted }),
];

const text = fc.string({ maxLength: 20, unit: "grapheme" });
const member = fc
  .record({ node, incarnation, role: fc.constantFrom<MemberRole>("voter", "standby", "spare"), address: text,
    failureDomain: text, priority: fc.nat({ max: 255 }) })
  .map(({ node: name, incarnation: disk, ...rest }): Member => ({ id: memberIdOf(name, disk), ...rest }));
const members = fc
  .uniqueArray(member, { minLength: 1, maxLength: 5, selector: ({ id }) => nodeOf(id) })
  .map((all) => all.sort((a, b) => (a.id < b.id ? -1 : 1)));
function voting(all: readonly Member[]): Member[] {
  return all.map((one) => ({ ...one, role: "voter" }));
}
const configuration = fc
  .record({ simple: members, outgoing: fc.option(members), version: fc.integer({ min: 1, max: 2 ** 32 - 1 }) })
  .map(({ simple, outgoing, version }): Configuration => ({
    members: simple.some(({ role }) => role === "voter") ? simple : voting(simple),
    outgoing: voting(outgoing ?? []),
    version,
  }));

const payload = fc.oneof(
  fc.constant({ kind: "noop" as const, payload: new Uint8Array(0) }),
  fc.uint8Array({ maxLength: 40 }).map((bytes) => ({ kind: "payload" as const, payload: bytes })),
  configuration.map((value) => ({ kind: "configuration" as const, payload: encodeConfiguration(value) })),
);
const bodies = fc.array(fc.record({ content: payload, step: fc.nat({ max: 3 }) }), { maxLength: 5 });
const appendEntries = fc
  .record({ prevLog: entryId(2 ** 40), contents: bodies, above: fc.nat(), leaderCommit: index, round: count })
  .map(({ prevLog, contents, above, leaderCommit, round }): PeerMessage => {
    let last = Math.max(prevLog.term, 1);
    const entries = contents.map(({ content, step }, at): Entry => {
      last += step;
      return { term: last as Term, index: (prevLog.index + 1 + at) as LogIndex, ...content };
    });
    return { type: "AppendEntries", term: (last + above) as Term, prevLog, entries, leaderCommit, round };
  });

const accepted = fc.record({ accepted: fc.constant(true as const), matchIndex: index });
const refused = fc
  .record({ hint: entryId(2 ** 40), above: fc.integer({ min: 1, max: 1000 }) })
  .map(({ hint, above }) => ({ accepted: false as const, rejected: (hint.index + above) as LogIndex, hint }));
const version = fc.integer({ min: 1, max: 2 ** 32 - 1 });
const result = fc.oneof(accepted, refused);
const appendEntriesReply = raft("AppendEntriesReply", {
  round: count, version, hasSpace: fc.boolean(), hasLost: fc.boolean(), result,
});

const entryOfSnapshot = fc.record({
  term: fc.integer({ min: 1, max: 2 ** 40 }),
  index: fc.integer({ min: 1, max: MAX }),
});
const installSnapshot = fc
  .record({ entry: entryOfSnapshot, configuration, above: fc.nat(), offset: fc.nat(), rest: fc.nat(),
    checksum: count, bytes: fc.uint8Array({ maxLength: 40 }) })
  .map(({ entry, configuration: value, above, offset, rest, checksum, bytes }) => {
    const snapshot = { entry, configuration: value, size: offset + bytes.length + rest, checksum } as SnapshotId;
    return { type: "InstallSnapshot", term: (entry.term + above) as Term, snapshot, offset, bytes } as PeerMessage;
  });
const log = [
  appendEntries,
  appendEntriesReply,
  installSnapshot,
  raft("InstallSnapshotReply", {
    entry: entryOfSnapshot, checksum: count, received: count, installed: fc.boolean(),
  }),
];
const rest = [
  raft("TimeoutNow", {}),
  raft("ReadIndex", { request: count, hasLost: fc.boolean() }),
  raft("ReadIndexReply", { request: count, index: fc.option(index) }),
  raft("Leaving", {}),
];

const empty = fc.tuple(nodes, text).map(([names, address]): PeerMessage => ({ type: "Empty", nodes: names, address }));
const sevenDisks = fc.array(incarnation, { minLength: 7, maxLength: 7 });
const told = fc.tuple(nodes, sevenDisks, fc.boolean()).map(([names, disks, isFounded]): PeerMessage => {
  const founders = names.map((name, at): Founder => ({ node: name, incarnation: disks[at] as Incarnation }));
  return { type: isFounded ? "Founded" : "Admitted", founders };
});

const digest = fc
  .record({ index: fc.integer({ min: 1, max: MAX }) as fc.Arbitrary<LogIndex>, checksum: count })
  .map((content): PeerMessage => ({ type: "Digest", ...content }));

const message = fc.oneof(...votes, ...log, ...rest, empty, told, digest);
const letter: fc.Arbitrary<Letter> = fc
  .record({ cluster: digits(16), sender: incarnation, receiver: fc.option(incarnation), message })
  .map(({ cluster, sender, receiver, message: content }) => ({
    envelope: { cluster: content.type === "Empty" ? null : (cluster as ClusterId), sender, receiver },
    message: content,
  }));

test("what is written is read", () => {
  const law = fc.property(letter, (sent) => {
    expect(decodeLetter(encodeLetter(sent))).toEqual({ ok: true, letter: sent });
  });
  fc.assert(law, examples(1000));
});

test("every truncation, every flipped bit and every burst of garbage is refused", () => {
  const word = fc.integer({ min: 1, max: 2 ** 31 - 1 });
  const law = fc.property(letter, fc.nat(), fc.nat(), word, (sent, cut, place, garbage) => {
    const bytes = encodeLetter(sent);
    expect(decodeLetter(bytes.slice(0, cut % bytes.length)).ok).toBe(false);
    const flipped = bytes.slice();
    flipped[(place >> 3) % bytes.length]! ^= 1 << (place & 7);
    expect(decodeLetter(flipped).ok).toBe(false);
    const burst = bytes.slice();
    new DataView(burst.buffer).setInt32(place % (bytes.length - 3), garbage);
    if (Buffer.compare(burst, bytes) !== 0) expect(decodeLetter(burst).ok).toBe(false);
  });
  fc.assert(law, examples(1000));
});

test("bytes that nobody wrote are a fault, never an exception", () => {
  const law = fc.property(fc.uint8Array({ maxLength: 120 }), fc.boolean(), (bytes, isOurVersion) => {
    if (isOurVersion && bytes.length > 4) bytes[4] = PEER_FORMAT_VERSION;
    expect(decodeLetter(bytes).ok).toBe(false);
  });
  fc.assert(law, examples(2000));
});

test("garbage behind an honest checksum is a fault or a message, never an exception", () => {
  // A node with a bug: each byte of a message that was sound may be any other.
  let read = 0;
  const harm = fc.array(fc.tuple(fc.nat(), fc.nat({ max: 255 })), { maxLength: 4 });
  const law = fc.property(letter, harm, (sent, changes) => {
    const bytes = encodeLetter(sent);
    for (const [place, value] of changes) bytes[4 + (place % (bytes.length - 4))] = value;
    new DataView(bytes.buffer, bytes.byteOffset).setUint32(0, crc32c(bytes, 4), true);
    const decoded = decodeLetter(bytes);
    if (!decoded.ok) return;
    read += 1;
    // What was read can be said again.
    expect(decodeLetter(encodeLetter(decoded.letter))).toEqual(decoded);
  });
  fc.assert(law, examples(2000));
  expect(read).toBeGreaterThan(0);
});
