/**
 * The files of storage, byte by byte. The golden files in test/golden/ are the formats as they are: a change of format
 * replaces them (REWRITE=1) and raises the format's version.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { expect, test } from "vitest";
import { decodeIdentity, encodeIdentity } from "../core/storage/identity-file.ts";
import { ownerOf } from "../core/storage/block.ts";
import { decodeRecordHeader } from "../core/storage/record.ts";
import { decodeTermFile } from "../core/storage/term-file.ts";
import { decodeLogHeader } from "../core/storage/log-file.ts";
import { type Identity, type Incarnation, NO_ENTRY, type NodeId } from "../core/types.ts";
import {
  IDENTITY, bootstrapped, configurationEntry, entry, hardState, id, order, restarted, snapshotOf,
} from "./storage-run.ts";

const FOUNDERS = ["a", "b.example", "c_3"].map((node, at) => ({
  node: node as NodeId, incarnation: `000000000000000${at}` as Incarnation,
}));
const FOUNDER: Identity = {
  node: "b.example" as NodeId, incarnation: FOUNDERS[1]!.incarnation,
  cluster: { id: IDENTITY.cluster!.id, founders: FOUNDERS },
};

const CONFIGURATION = configurationEntry(2, 2, ["a", "b.example"]);

/** 32 bytes a line with their offset; lines of zeros are left out; last the size. */
function dump(bytes: Uint8Array): string {
  const lines: string[] = [];
  for (let at = 0; at < bytes.length; at += 32) {
    const line = Buffer.from(bytes.subarray(at, at + 32)).toString("hex");
    if (/[^0]/.test(line)) lines.push(`${String(at).padStart(6)}  ${line.replace(/.{16}(?=.)/g, "$& ")}`);
  }
  return [...lines, `${bytes.length} bytes`, ""].join("\n");
}

function expectGolden(name: string, bytes: Uint8Array): void {
  const file = new URL(`golden/${name}.hex`, import.meta.url);
  if (process.env["REWRITE"] === "1") writeFileSync(file, dump(bytes));
  expect(dump(bytes)).toBe(readFileSync(file, "utf8"));
}

test("the identity's format is the golden one", () => {
  expectGolden("storage-identity-alone", encodeIdentity({ ...FOUNDER, cluster: null }));
  expectGolden("storage-identity", encodeIdentity(FOUNDER));
});

test("an identity is decoded as it was encoded", () => {
  for (const identity of [FOUNDER, { ...FOUNDER, cluster: null }]) {
    expect(decodeIdentity(encodeIdentity(identity))).toEqual({ ok: true, value: identity });
  }
});

test("the formats of log and hard state are the golden ones, each kind of record included", () => {
  const run = bootstrapped();
  const payload = Uint8Array.from({ length: 11 }, (_, at) => at + 1);
  run.persist(order(1, { hardState: hardState(1, "a"), entries: [entry(1, 1), entry(1, 2, payload)] })).settle();
  run.persist(order(2, { hardState: hardState(2, null), truncateTo: 1, entries: [CONFIGURATION] })).settle();
  run.take((storage) => storage.close()).settle();
  const log = run.disk.bytesOf("log")!;
  const term = run.disk.bytesOf("term")!;
  expectGolden("storage-log", log);
  expectGolden("storage-term", term);

  const owner = ownerOf(IDENTITY);
  expect(decodeTermFile(term, owner)).toEqual({ ok: true, value: { generation: 3, hardState: hardState(2, null) } });
  const header = decodeLogHeader(log.subarray(0, 4096), owner);
  if (!header.ok) throw new Error("the log's header is intact");
  const kinds: string[] = [];
  expect(header.value.base).toEqual(NO_ENTRY);
  for (let at = 4096; log[at + 56] !== 0; ) {
    const record = decodeRecordHeader(log.subarray(at), at, header.value.seed);
    if (!record.ok) throw new Error(`record at ${at}: ${record.fault.rule}`);
    kinds.push(record.value.kind);
    at += 64 + Math.ceil(record.value.payloadSize / 8) * 8;
  }
  expect(kinds).toEqual(["noop", "payload", "mark", "truncation", "configuration", "mark"]);
});

test("the formats of a snapshot and of the log behind it are the golden ones", () => {
  const snapshot = snapshotOf(1, 2, 40, ["a", "c_3"]);
  const run = bootstrapped();
  run.persist(order(1, { hardState: hardState(1, "a"), entries: [entry(1, 1), entry(1, 2), entry(1, 3)] })).settle();
  run.store(snapshot).settle().compact(1, 2).settle();
  const log = run.disk.bytesOf("log")!;
  expectGolden("storage-snapshot", run.disk.bytesOf("snapshot")!);
  expectGolden("storage-log-compacted", log);
  const header = decodeLogHeader(log.subarray(0, 4096), ownerOf(IDENTITY));
  expect(header.ok && header.value.base).toEqual(id(1, 2));
  expect(restarted(run.disk).recovered.snapshot).toEqual(snapshot);
});

test("a vote for the longest name there can be is kept", () => {
  const name = "n".repeat(63);
  const run = bootstrapped().persist(order(1, { hardState: hardState(1, name) })).settle();
  expect(restarted(run.disk).recovered.hardState).toEqual(hardState(1, name));
});
