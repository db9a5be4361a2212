/**
 * The files of storage, byte by byte. The golden files in test/golden/ are the formats as they are: a change of format
 * replaces them (REWRITE=1) and raises the format's version.
 */
import { expect, test } from "vitest";
import { decodeIdentity, encodeIdentity } from "../core/storage/identity-file.ts";
import { ownerOf } from "../core/storage/block.ts";
import { decodeRecordHeader } from "../core/storage/record.ts";
import { SLOT_SIZE, TERM_FILE_SIZE, decodeTermFile, encodeSlot, slotOffset } from "../core/storage/term-file.ts";
import { HEADER_COPY_SIZE, SEGMENT_HEADER_SIZE, decodeSegmentHeader } from "../core/storage/segment-file.ts";
import type { Identity, Incarnation, NodeId } from "../core/types.ts";
import {
  IDENTITY, bootstrapped, configurationEntry, entry, hardState, id, order, restarted,
} from "./storage-run.ts";
import { expectGolden } from "./golden-file.ts";
import { receiveSnapshot } from "./storage-snapshots.ts";

const FOUNDERS = ["a", "b.example", "c_3"].map((node, at) => ({
  node: node as NodeId, incarnation: `000000000000000${at}` as Incarnation,
}));
const FOUNDER: Identity = {
  node: "b.example" as NodeId, incarnation: FOUNDERS[1]!.incarnation,
  cluster: { id: IDENTITY.cluster!.id, founders: FOUNDERS },
};

const CONFIGURATION = configurationEntry(2, 2, ["a", "b.example"]);

test("the identity's format is the golden one", () => {
  expectGolden("storage-identity-alone", encodeIdentity({ ...FOUNDER, cluster: null }));
  expectGolden("storage-identity", encodeIdentity(FOUNDER));
});

test("an identity is decoded as it was encoded", () => {
  for (const identity of [FOUNDER, { ...FOUNDER, cluster: null }]) {
    const expected = { ok: true, value: { identity, damage: [], missingAt: [] } };
    expect(decodeIdentity(encodeIdentity(identity))).toEqual(expected);
  }
});

test("the formats of log and hard state are the golden ones, each kind of record included", () => {
  const run = bootstrapped();
  const payload = Uint8Array.from({ length: 11 }, (_, at) => at + 1);
  run.persist(order(1, { hardState: hardState(1, "a"), entries: [entry(1, 1), entry(1, 2, payload)] })).settle();
  run.persist(order(2, { hardState: hardState(2, null), truncateTo: 1, entries: [CONFIGURATION] })).settle();
  run.close();
  const log = run.disk.bytesOf("log-0000000001")!;
  const term = run.disk.bytesOf("term")!;
  expectGolden("storage-segment", log);
  expectGolden("storage-term", term);

  const slot = {
    generation: 4, hardState: hardState(2, null), lost: null, isQuarantined: false, mayVoteAlone: true,
    vouched: { through: run.storage.state!.end, last: id(2, 2) },
  };
  const expected = { ok: true, value: { slot, damage: [], torn: [], missingAt: [] } };
  expect(decodeTermFile(term, ownerOf(IDENTITY))).toEqual(expected);
  expect(kindsOf(log)).toEqual(["noop", "payload", "truncation", "configuration"]);
});

/** The kinds of a segment's records; its header belongs to the log of node a, in both copies. */
function kindsOf(segment: Uint8Array): string[] {
  const header = decodeSegmentHeader(segment, "log-0000000001", 0);
  if (!header.ok) throw new Error("the segment's header is intact");
  const copy = decodeSegmentHeader(segment.subarray(HEADER_COPY_SIZE), "log-0000000001", HEADER_COPY_SIZE);
  expect(copy).toEqual(header);
  expect(header.value.owner).toEqual(ownerOf(IDENTITY));
  const { start, seed } = header.value;
  const kinds: string[] = [];
  for (let at = SEGMENT_HEADER_SIZE; segment[at + 56] !== 0; ) {
    const record = decodeRecordHeader(segment.subarray(at), start + at - SEGMENT_HEADER_SIZE, seed);
    if (!record.ok) throw new Error(`record at ${at}: ${record.fault.rule}`);
    kinds.push(record.value.kind);
    at += 64 + Math.ceil(record.value.payloadSize / 8) * 8;
  }
  return kinds;
}

test("the format of a segment in which the log starts anew is the golden one", () => {
  const run = bootstrapped();
  run.persist(order(1, { hardState: hardState(2, "a"), entries: [entry(1, 1), entry(1, 2)] })).settle();
  const snapshot = receiveSnapshot(run, id(2, 9));
  run.persist(order(2, { snapshot })).settle();
  const segment = run.disk.bytesOf("log-0000000002")!;
  expectGolden("storage-segment-anew", segment);
  const header = decodeSegmentHeader(segment, "log-0000000002", 0);
  expect(header).toMatchObject({ value: { base: id(2, 9), start: 128, startsAnew: true, sequence: 2 } });
  expect(kindsOf(segment)).toEqual(["mark"]);
  expect(restarted(run.disk).recovered.log.base).toEqual(id(2, 9));
});

test.each([
  [true, false], [false, true], [true, true],
])("what a disk says of itself is kept, in both copies of a slot: quarantined %s, alone %s", (
  isQuarantined, mayVoteAlone,
) => {
  const slot = {
    generation: 7, hardState: hardState(3, "a"), lost: id(3, 40), isQuarantined, mayVoteAlone,
    vouched: { through: 4096, last: id(2, 30) },
  };
  const owner = ownerOf(IDENTITY);
  const file = new Uint8Array(TERM_FILE_SIZE);
  file.set(encodeSlot(owner, slot), slotOffset(7));
  expect(decodeTermFile(file, owner)).toEqual({ ok: true, value: { slot, damage: [], torn: [], missingAt: [] } });
  file.fill(0, slotOffset(7), slotOffset(7) + SLOT_SIZE);
  const expected = { ok: true, value: { slot, damage: [], torn: [], missingAt: [slotOffset(7)] } };
  expect(decodeTermFile(file, owner)).toEqual(expected);
});

test("a vote for the longest name there can be is kept", () => {
  const name = "n".repeat(63);
  const run = bootstrapped().persist(order(1, { hardState: hardState(1, name) })).settle();
  expect(restarted(run.disk).recovered.hardState).toEqual(hardState(1, name));
});
