/**
 * Snapshots of a database: the format, and that a state restored from one is the state that every entry has made. The
 * golden file in test/golden/ is the format as it is: a change of format replaces it (REWRITE=1) and raises its
 * version.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { expect, test } from "vitest";
import { crc32c } from "../core/checksum.ts";
import type { Engine } from "../core/database/engine.ts";
import { lockBytePage, writtenPages } from "../core/pages/lock-byte-page.ts";
import { decodeSnapshot, encodeSnapshot } from "../core/pages/snapshot-format.ts";
import { modelEngineFactory } from "../sim/model/engine.ts";
import {
  expectSameBytes, LIMITS, makeEngine, openUnmodified, replicate, rows, seedOf, write,
} from "./sqlite-fixture.ts";

const GOLDEN = new URL("golden/snapshot.hex", import.meta.url);
const PAGES = [1, 2, 3].map((digit) => new Uint8Array(512).fill(digit));

function encodePages(pages: readonly Uint8Array[] = PAGES): Uint8Array {
  const contents = pages.map((bytes) => ({ bytes, crc: crc32c(bytes) }));
  return encodeSnapshot(512, pages.length, (number) => contents[number - 1]!);
}

/** The checksum of header and directory made right again, as whoever forges a snapshot would. */
function forge(change: (view: DataView) => void): Uint8Array {
  const bytes = encodePages();
  const view = new DataView(bytes.buffer);
  change(view);
  view.setUint32(12, crc32c(bytes, 16, 16 + 4 * PAGES.length, crc32c(bytes, 0, 12)), true);
  return bytes;
}

test("the format of a snapshot is the golden one", () => {
  const dump = `${Buffer.from(encodePages()).toString("hex").replace(/.{64}/g, "$&\n")}\n`;
  if (process.env["REWRITE"] === "1") writeFileSync(GOLDEN, dump);
  expect(dump).toBe(readFileSync(GOLDEN, "utf8"));
});

test("a snapshot is decoded as it was encoded, the empty one too", () => {
  const pages = PAGES.map((bytes, at) => ({ number: at + 1, crc: crc32c(bytes), bytes }));
  expect(decodeSnapshot(encodePages())).toEqual({ ok: true, value: { pageSize: 512, pageCount: 3, pages } });
  expect(decodeSnapshot(encodePages([]))).toEqual({ ok: true, value: { pageSize: 512, pageCount: 0, pages: [] } });
});

test("every cut and every changed byte is noticed", () => {
  const bytes = encodePages();
  for (let end = 0; end < bytes.length; end++) expect(decodeSnapshot(bytes.subarray(0, end)).ok).toBe(false);
  for (let at = 0; at < bytes.length; at++) {
    const changed = bytes.slice();
    changed[at]! ^= 0x10;
    if (decodeSnapshot(changed).ok) throw new Error(`a change of byte ${at} was not noticed`);
  }
  expect(decodeSnapshot(new Uint8Array([...bytes, 0])).ok).toBe(false);
});

test.each([
  ["another version", 0, 2, "the snapshot's version is 1, not 2"],
  ["a page size that is no power of two", 4, 513, "a page size is a power of two from 512 to 65536"],
  ["more pages than there are", 8, 0xffffffff, "a snapshot is as long as the database's size says"],
  ["fewer pages than there are", 8, 2, "a snapshot is as long as the database's size says"],
])("a snapshot with %s is refused by name", (_, at, value, rule) => {
  const forged = forge((view) => view.setUint32(at, value, true));
  expect(decodeSnapshot(forged)).toEqual({ ok: false, fault: { rule, offset: at } });
});

test("the lock-byte page holds the byte at 1 GiB, and is counted without being written", () => {
  const sizes = [512, 4096, 65536];
  expect(sizes.map(lockBytePage)).toEqual([2097153, 262145, 16385]);
  expect([262144, 262145, 262146].map((pageCount) => writtenPages(4096, pageCount))).toEqual([262144, 262144, 262145]);
});

/** What may not differ between a node that was restored and one that applied every entry. */
function expectSameState(a: Engine, b: Engine): void {
  expect(a.checksum()).toBe(b.checksum());
  expectSameBytes(a.image(), b.image());
  expectSameBytes(a.snapshot(), b.snapshot());
}

test("a restored engine is the one that applied every entry, over checkpoints and shrinking", async () => {
  const [leader, follower, restored] = [makeEngine(1), makeEngine(2), makeEngine(3)];
  write(leader, "CREATE TABLE t(id INTEGER PRIMARY KEY, body)");
  replicate(leader, follower);
  const course = [
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 400) "
      + "INSERT INTO t SELECT i, zeroblob(3000) FROM n",
    "UPDATE t SET body = randomblob(3000)",
    "UPDATE t SET body = randomblob(2900)",
    "UPDATE t SET body = randomblob(2800)",
    "DELETE FROM t WHERE id > 20",
    "VACUUM",
    "INSERT INTO t SELECT id + 1000, randomblob(2000) FROM t",
  ];
  for (const [at, sql] of course.entries()) {
    expect(restored.restore(leader.snapshot(), seedOf(at))).toBe(null);
    expectSameState(restored, follower);
    write(leader, sql);
    replicate(leader, follower, restored);
    expectSameState(restored, follower);
  }
  // It is a whole engine: it can write, too, and what it writes others apply.
  write(restored, "INSERT INTO t VALUES (5000, 'after')");
  replicate(restored, leader, follower);
  expectSameState(leader, follower);
  const query = await openUnmodified(restored.image());
  expect(query("PRAGMA integrity_check")).toEqual([["ok"]]);
  expect(query("SELECT count(*) FROM t")).toEqual([[41]]);
  for (const engine of [leader, follower, restored]) engine.close();
});

test("connections of a restored engine know nothing of the state before", () => {
  const [old, other] = [makeEngine(1), makeEngine(2)];
  write(old, "CREATE TABLE t(x)");
  write(old, "INSERT INTO t VALUES ('old')");
  replicate(old);
  expect(rows(old, "reader", "SELECT x FROM t")).toEqual([["old"]]);
  // The same schema cookie and the same number of pages: only a fresh cache tells the two states apart.
  write(other, "CREATE TABLE t(x)");
  write(other, "INSERT INTO t VALUES ('new')");
  replicate(other);
  expect(old.restore(other.snapshot(), seedOf(3))).toBe(null);
  expect(rows(old, "reader", "SELECT x FROM t")).toEqual([["new"]]);
  expect(rows(old, "writer", "SELECT x FROM t")).toEqual([["new"]]);
  old.close();
  other.close();
});

test.each([
  ["SQLite", (seed: number) => makeEngine(seed)],
  ["the page model", (seed: number) => modelEngineFactory.create(seedOf(seed), LIMITS)],
])("%s refuses what is no snapshot of its kind, and stays as it was", (_, make) => {
  const engine = make(1);
  const before = engine.snapshot();
  const rule = "a snapshot begins with a header of 16 bytes";
  expect(engine.restore(new Uint8Array(3), seedOf(2))).toEqual({ rule, offset: 0 });
  expect(engine.restore(encodePages(), seedOf(2))?.offset).toBe(4);
  expectSameBytes(engine.snapshot(), before);
  engine.close();
});

test("SQLite needs a first page", () => {
  const engine = makeEngine(1);
  const empty = modelEngineFactory.create(seedOf(1), LIMITS).snapshot();
  expect(engine.restore(empty, seedOf(2))).toEqual({ rule: "a database has at least one page", offset: 8 });
  engine.close();
});
