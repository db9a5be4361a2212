/** Laws of the peer format over random messages: what is written is read, and nothing else is. */
import fc from "fast-check";
import { expect, test } from "vitest";
import type { ClusterId, Entry, EntryId, Incarnation, LogIndex, Member, NodeId, Term } from "../core/types.ts";
import { decodeLetter, encodeLetter } from "../core/wire/peer-codec.ts";
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

const requestVote = term.chain((ofTerm) =>
  entryId(ofTerm - 1).map((lastLog): PeerMessage => ({ type: "RequestVote", term: ofTerm, lastLog })),
);
const requestVoteReply = fc.record({
  type: fc.constant("RequestVoteReply" as const),
  term,
  granted: fc.boolean(),
}) as fc.Arbitrary<PeerMessage>;

const body = fc.record({ isNoop: fc.boolean(), payload: fc.uint8Array({ maxLength: 40 }), step: fc.nat({ max: 3 }) });
const bodies = fc.array(body, { maxLength: 5 });
const appendEntries = fc
  .record({ prevLog: entryId(2 ** 40), contents: bodies, above: fc.nat(), leaderCommit: index, round: count })
  .map(({ prevLog, contents, above, leaderCommit, round }): PeerMessage => {
    let last = Math.max(prevLog.term, 1);
    const entries = contents.map(({ isNoop, payload, step }, at): Entry => {
      last += step;
      const id = { term: last as Term, index: (prevLog.index + 1 + at) as LogIndex };
      return isNoop ? { ...id, kind: "noop", payload: new Uint8Array(0) } : { ...id, kind: "payload", payload };
    });
    return { type: "AppendEntries", term: (last + above) as Term, prevLog, entries, leaderCommit, round };
  });

const accepted = fc.record({ accepted: fc.constant(true as const), matchIndex: index });
const refused = fc
  .record({ hint: entryId(2 ** 40), above: fc.integer({ min: 1, max: 1000 }) })
  .map(({ hint, above }) => ({ accepted: false as const, rejected: (hint.index + above) as LogIndex, hint }));
const appendEntriesReply = fc.record({
  type: fc.constant("AppendEntriesReply" as const),
  term,
  round: count,
  result: fc.oneof(accepted, refused),
}) as fc.Arbitrary<PeerMessage>;

const empty = nodes.map((names): PeerMessage => ({ type: "Empty", nodes: names }));
const sevenDisks = fc.array(incarnation, { minLength: 7, maxLength: 7 });
const founded = fc.tuple(nodes, sevenDisks).map(([names, disks]): PeerMessage => {
  const members = names.map((name, at): Member => ({ node: name, incarnation: disks[at] as Incarnation }));
  return { type: "Founded", members };
});

const message = fc.oneof(requestVote, requestVoteReply, appendEntries, appendEntriesReply, empty, founded);
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
    if (isOurVersion && bytes.length > 4) bytes[4] = 1;
    expect(decodeLetter(bytes).ok).toBe(false);
  });
  fc.assert(law, examples(2000));
});
