/** Every message of the statement protocol survives its codec; every truncation and every flipped bit is rejected. */
import fc from "fast-check";
import { expect, test } from "vitest";
import type { Decoded } from "../core/bytes.ts";
import { crc32c } from "../core/checksum.ts";
import { FAILURE_CODES, type Failure } from "../core/failure.ts";
import type { SqlValue } from "../core/database/engine.ts";
import type { LogIndex, NodeId, Term } from "../core/types.ts";
import { isWellFormed } from "../core/utf8.ts";
import {
  decodeClientMessage, decodeNodeMessage, encodeClientMessage, encodeNodeMessage,
} from "../core/wire/statement-codec.ts";
import type { ClientMessage, NodeMessage, Outcome, ReadLevel, RequestBody } from "../core/wire/statement.ts";
import { examples } from "./chance.ts";

const u64 = fc.maxSafeNat();
const term = u64.map((value) => value as Term);
const text = fc.string({ unit: "binary", maxLength: 20 }).filter((value) => isWellFormed(value));
const value: fc.Arbitrary<SqlValue> = fc.oneof(
  fc.constant(null),
  fc.double({ noNaN: true }),
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  text,
  fc.uint8Array({ maxLength: 20 }),
);
const named = fc.dictionary(text, value, { maxKeys: 5, noNullPrototype: true });
const parameters = fc.oneof(fc.array(value, { maxLength: 5 }), named);
const transaction = fc.record({ type: fc.constantFrom("begin", "commit", "rollback"), transaction: u64 });
const body: fc.Arbitrary<RequestBody> = fc.oneof(
  fc.record({ type: fc.constant("write" as const), transaction: u64, sql: text, parameters }),
  fc.record({ type: fc.constant("script" as const), sql: text }),
  transaction as fc.Arbitrary<RequestBody>,
);
const u32 = fc.nat({ max: 0xffffffff });
const index = u64.map((value) => value as LogIndex);
const level: fc.Arbitrary<ReadLevel> = fc.oneof(
  fc.constant({ type: "linearizable" as const }),
  fc.record({ type: fc.constant("session" as const), index }),
);
const nonceOnly = fc.record({ type: fc.constantFrom("Locate", "OpenSession"), nonce: u64 });
const clientMessage: fc.Arbitrary<ClientMessage> = fc.oneof(
  nonceOnly as fc.Arbitrary<ClientMessage>,
  fc.record({ type: fc.constant("Request" as const), term, session: u64, sequence: u64, lowestUnanswered: u64, body }),
  fc.record({ type: fc.constant("FetchPart" as const), term, session: u64, sequence: u64, part: fc.nat() }),
  fc.record({ type: fc.constant("CloseSession" as const), term, session: u64 }),
  fc.record({
    type: fc.constant("Query" as const),
    query: u64, lowestUnanswered: u64, timeoutMs: u32, level, sql: text, parameters,
  }),
  fc.record({ type: fc.constant("FetchRows" as const), query: u64, part: fc.nat() }),
);

const failure: fc.Arbitrary<Failure> = fc.record({
  code: fc.constantFrom(...FAILURE_CODES),
  message: text,
  sqlCode: fc.option(text.filter((code) => code !== "")),
});
const outcome: fc.Arbitrary<Outcome | null> = fc.oneof(
  fc.constant(null),
  fc.record({
    type: fc.constant("done" as const),
    columns: fc.array(text, { maxLength: 4 }),
    changes: u64,
    lastInsertRowid: fc.oneof(u64, fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })),
  }),
  fc.constant({ type: "writes" as const }),
  fc.record({ type: fc.constant("failed" as const), failure }),
);
const rows = fc.integer({ min: 1, max: 4 }).chain((columns) =>
  fc.array(fc.array(value, { minLength: columns, maxLength: columns }), { maxLength: 4 }),
);
const leader = fc.constantFrom(null, "a" as NodeId, "node-2.example" as NodeId);
const nodeMessage: fc.Arbitrary<NodeMessage> = fc.oneof(
  fc.record({ type: fc.constant("Located" as const), nonce: u64, term, leader, leads: fc.boolean() }),
  fc.record({ type: fc.constant("SessionOpened" as const), nonce: u64, term, session: u64 }),
  fc.record({ type: fc.constant("SessionRefused" as const), nonce: u64, failure }),
  fc.record({
    type: fc.constant("Answer" as const), term, session: u64, sequence: u64,
    index, part: fc.nat(), parts: fc.nat(), outcome, rows,
  }),
  fc.record({ type: fc.constant("SessionUnknown" as const), term, session: u64, sequence: u64 }),
  fc.record({
    type: fc.constant("QueryAnswer" as const), query: u64, execution: u64,
    index, part: fc.nat(), parts: fc.nat(), outcome, rows,
  }),
  fc.record({ type: fc.constant("QueryUnknown" as const), query: u64 }),
);

/** All laws of a codec on one example. */
function checkCodec<T>(
  message: T,
  encode: (message: T) => Uint8Array,
  decode: (bytes: Uint8Array) => Decoded<T>,
): void {
  const bytes = encode(message);
  expect(decode(bytes)).toEqual({ ok: true, value: message });
  for (let end = 0; end < bytes.length; end++) expect(decode(bytes.subarray(0, end)).ok).toBe(false);
  for (let bit = 0; bit < bytes.length * 8; bit++) {
    const flipped = bytes.slice();
    flipped[bit >> 3]! ^= 1 << (bit & 7);
    if (decode(flipped).ok) throw new Error(`flipped bit ${bit} was not noticed`);
  }
}

test("client messages keep the codec's laws", () => {
  const law = fc.property(clientMessage, (message) => checkCodec(message, encodeClientMessage, decodeClientMessage));
  fc.assert(law, examples(150));
});

test("node messages keep the codec's laws", () => {
  const law = fc.property(nodeMessage, (message) => checkCodec(message, encodeNodeMessage, decodeNodeMessage));
  fc.assert(law, examples(150));
});

test("bytes that are no message are refused, whatever they are", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
    expect(decodeClientMessage(bytes).ok).toBe(false);
    expect(decodeNodeMessage(bytes).ok).toBe(false);
  }), examples(150));
});

/** A stranger's checksum may be right and its content impossible: decoding answers with a value, and never throws. */
test("forged messages are answered with a value", () => {
  let refused = 0;
  let accepted = 0;
  const change = fc.tuple(fc.nat(), fc.nat({ max: 255 }));
  const changed = fc.array(change, { minLength: 1, maxLength: 4 });
  const law = fc.property(clientMessage, nodeMessage, changed, (a, b, changes) => {
    for (const bytes of [encodeClientMessage(a), encodeNodeMessage(b)]) {
      for (const [at, value] of changes) bytes[4 + (at % (bytes.length - 4))] = value;
      new DataView(bytes.buffer, bytes.byteOffset).setUint32(0, crc32c(bytes, 4), true);
      for (const decode of [decodeClientMessage, decodeNodeMessage]) {
        if (decode(bytes).ok) accepted++;
        else refused++;
      }
    }
  });
  fc.assert(law, examples(1500));
  expect(refused).toBeGreaterThan(0);
  expect(accepted).toBeGreaterThan(0);
});
