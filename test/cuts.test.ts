/**
 * Cuts and restores: which pages a cut has, that they stay what they are while writing goes on, and that a state put
 * together from cuts is the state that every entry has made. On both engines where both can.
 */
import { expect, test } from "vitest";
import { crc32c } from "../core/checksum.ts";
import type { Engine } from "../core/database/engine.ts";
import { lockBytePage, writtenPages } from "../core/pages/lock-byte-page.ts";
import type { StoredPage } from "../core/pages/page-cut.ts";
import { PageImage } from "../core/pages/page-image.ts";
import { PageOverlay } from "../core/pages/page-overlay.ts";
import { encodePayload } from "../core/wal/payload.ts";
import { modelEngineFactory } from "../sim/model/engine.ts";
import { SETUP_SCRIPT } from "../sim/workload/statements.ts";
import { pagesOf, restoreInto, stateOf } from "./engine-state.ts";
import {
  expectSameBytes, LIMITS, makeEngine, openUnmodified, replicate, rows, seedOf, write,
} from "./sqlite-fixture.ts";

const PAGE_SIZE = 4096;
const ENGINES = [
  ["SQLite", (seed: number) => makeEngine(seed)],
  ["the page model", (seed: number) => modelEngineFactory.create(seedOf(seed), LIMITS)],
] as const;

function page(number: number, digit = number): StoredPage {
  const bytes = new Uint8Array(PAGE_SIZE).fill(digit);
  return { number, bytes, crc: crc32c(bytes) };
}

/** An engine with some pages in its applied state. */
function written(make: (seed: number) => Engine): Engine {
  const engine = make(1);
  engine.script(SETUP_SCRIPT);
  replicate(engine);
  return engine;
}

/** Which pages a cut of now has, which is stored. */
function storeCut(engine: Engine): number[] {
  const { numbers } = engine.cut();
  engine.endCut(true);
  return [...numbers];
}

test("the lock-byte page holds the byte at 1 GiB, and is counted without being written", () => {
  const sizes = [512, 4096, 65536];
  expect(sizes.map(lockBytePage)).toEqual([2097153, 262145, 16385]);
  expect([262144, 262145, 262146].map((pageCount) => writtenPages(4096, pageCount))).toEqual([262144, 262144, 262145]);
});

test.each(ENGINES)("the first cut of %s has every page, the next one what has changed since", (_, make) => {
  const engine = written(make);
  const cut = engine.cut();
  const { pageSize, pageCount, numbers, crcs } = cut;
  expect([pageSize, cut.checksum]).toEqual([PAGE_SIZE, engine.checksum()]);
  expect([...numbers]).toEqual(Array.from({ length: pageCount }, (__, at) => at + 1));
  expect([...crcs]).toEqual([...numbers].map((___, place) => crc32c(cut.pageAt(place))));
  engine.endCut(true);
  expect(storeCut(engine)).toEqual([]);
  engine.run("writer", "INSERT INTO item (id, body) VALUES (7, zeroblob(10))", []);
  // Speculative: not in it.
  expect(storeCut(engine)).toEqual([]);
  engine.close();
});

test.each(ENGINES)("what was not stored is in the next cut of %s, and so is what was touched", (_, make) => {
  const engine = written(make);
  const all = [...engine.cut().numbers];
  engine.endCut(false);
  expect(storeCut(engine)).toEqual(all);
  engine.touch([2, 1, 2, all.length + 1, lockBytePage(PAGE_SIZE)]);
  expect([...engine.cut().numbers]).toEqual([1, 2]);
  engine.touch([2]);
  engine.endCut(true);
  expect(storeCut(engine)).toEqual([2]);
  engine.close();
});

test.each(ENGINES)("a cut of %s is taken one at a time, and read before it ends", (_, make) => {
  const engine = written(make);
  const cut = engine.cut();
  expect(() => engine.cut()).toThrow("one cut at a time is read");
  engine.endCut(true);
  expect(() => cut.pageAt(0)).toThrow("a page of a cut is read before the cut ends");
  expect(() => engine.endCut(true)).toThrow("a cut that ends was begun");
  engine.close();
});

test("a fresh node's first page is in its first cut: no entry ever wrote it", () => {
  const engine = makeEngine(1);
  expect(storeCut(engine)).toEqual([1]);
  expect(storeCut(engine)).toEqual([]);
  engine.close();
});

test("a cut of a database that has shrunk ends where the database does, and growth is a change again", () => {
  const engine = makeEngine(1);
  const fill = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 50) "
    + "INSERT INTO t SELECT randomblob(3000) FROM n";
  for (const sql of ["CREATE TABLE t(x)", fill, "DELETE FROM t", "VACUUM"]) write(engine, sql);
  replicate(engine);
  const shrunk = engine.cut();
  expect([shrunk.pageCount, [...shrunk.numbers]]).toEqual([2, [1, 2]]);
  engine.endCut(true);
  write(engine, fill);
  replicate(engine);
  const grown = engine.cut();
  expect(grown.pageCount).toBeGreaterThan(50);
  expect([...grown.numbers].slice(2)).toEqual(Array.from({ length: grown.pageCount - 2 }, (_, at) => at + 3));
  engine.close();
});

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
    expect(restoreInto(restored, stateOf(leader), seedOf(at))).toBe(null);
    expect(restored.checksum()).toBe(follower.checksum());
    expectSameBytes(restored.image(), follower.image());
    write(leader, sql);
    replicate(leader, follower, restored);
    expect(restored.checksum()).toBe(follower.checksum());
    expectSameBytes(restored.image(), follower.image());
  }
  // It is a whole engine: it can write, too, and what it writes others apply.
  write(restored, "INSERT INTO t VALUES (5000, 'after')");
  replicate(restored, leader, follower);
  expectSameBytes(leader.image(), follower.image());
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
  expect(restoreInto(old, stateOf(other), seedOf(3))).toBe(null);
  expect(rows(old, "reader", "SELECT x FROM t")).toEqual([["new"]]);
  expect(rows(old, "writer", "SELECT x FROM t")).toEqual([["new"]]);
  old.close();
  other.close();
});

test.each(ENGINES)("nothing of a restored %s is due in the next cut, but what was touched meanwhile", (_, make) => {
  const [engine, other] = [written(make), written(make)];
  const state = stateOf(other);
  expect(restoreInto(engine, state, seedOf(2))).toBe(null);
  expect(storeCut(engine)).toEqual([]);
  expect(engine.beginRestore(PAGE_SIZE, state.pageCount)).toBe(null);
  engine.touch([1]);
  expect(engine.restorePages(stateOf(other).pages)).toBe(null);
  expect(engine.finishRestore(state.checksum, seedOf(3))).toBe(null);
  expect(storeCut(engine)).toEqual([1]);
  engine.close();
  other.close();
});

test.each(ENGINES)("the end of a cut of %s from before a restore means nothing after it", (_, make) => {
  const [engine, other] = [written(make), written(make)];
  const cut = engine.cut();
  const before = pagesOf(cut);
  expect(engine.beginRestore(PAGE_SIZE, 1)).toBe(null);
  // It is still on its way to the disk.
  expect(pagesOf(cut)).toEqual(before);
  expect(restoreInto(engine, stateOf(other), seedOf(2))).toBe(null);
  expect(pagesOf(cut)).toEqual(before);
  engine.endCut(false);
  expect(storeCut(engine)).toEqual([]);
  engine.close();
  other.close();
});

test.each(ENGINES)("the old state of %s is gone as soon as a restore begins", (_, make) => {
  const engine = written(make);
  const before = engine.image().length;
  expect(engine.beginRestore(PAGE_SIZE, before / PAGE_SIZE)).toBe(null);
  expect(engine.image().length).toBeLessThan(before);
  expect(() => engine.cut()).toThrow("a whole state is cut");
  engine.close();
});

test.each(ENGINES)("a restore of %s that begins anew drops what had come", (_, make) => {
  const [engine, other] = [written(make), written(make)];
  const state = stateOf(other);
  expect(engine.beginRestore(PAGE_SIZE, 3)).toBe(null);
  expect(engine.restorePages([page(1), page(3)])).toBe(null);
  expect(restoreInto(engine, state, seedOf(2))).toBe(null);
  expectSameBytes(engine.image(), other.image());
  engine.close();
  other.close();
});

test.each(ENGINES)("%s refuses pages that do not belong together", (_, make) => {
  const engine = make(1);
  const fault = (pages: readonly StoredPage[], pageCount = 2): unknown => {
    return engine.beginRestore(PAGE_SIZE, pageCount) ?? engine.restorePages(pages)
      ?? engine.finishRestore(0, seedOf(2));
  };
  expect(engine.beginRestore(512, 2)?.rule).toContain("4096");
  expect(fault([page(1)])).toEqual({ rule: "every page of the database comes" });
  expect(fault([page(1), page(1)])).toEqual({ rule: "each page comes once" });
  expect(fault([page(1), page(0)])).toEqual({ rule: "no page lies beyond the database's size" });
  expect(fault([page(1), page(3)])).toEqual({ rule: "no page lies beyond the database's size" });
  expect(fault([{ ...page(1), bytes: new Uint8Array(512) }])).toEqual({ rule: "the page size is 4096" });
  expect(fault([page(1), page(2)])).toEqual({ rule: "the pages have the checksum that was given for them" });
  const lockByte = lockBytePage(PAGE_SIZE);
  const rule = "SQLite's lock-byte page is never written";
  expect(fault([page(lockByte, 1)], lockByte)).toEqual({ rule });
  engine.close();
});

test("SQLite needs a first page", () => {
  const engine = makeEngine(1);
  expect(engine.beginRestore(PAGE_SIZE, 0)).toEqual({ rule: "a database has at least one page" });
  engine.close();
});

test("an image is brought forward by payloads to the bytes and the checksum that the engine has", async () => {
  const engine = makeEngine(1);
  const images = [PageImage.ofEmptyDatabase(PAGE_SIZE)];
  const course = [
    "CREATE TABLE t(id INTEGER PRIMARY KEY, body)",
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 60) "
      + "INSERT INTO t SELECT i, randomblob(3000) FROM n",
    "DELETE FROM t WHERE id > 5",
    "VACUUM",
    "INSERT INTO t VALUES (100, 'last')",
  ];
  for (const sql of course) {
    write(engine, sql);
    for (const { payload } of engine.takeCommits()) {
      engine.advance();
      for (const image of images) expect(image.apply(payload)).toBe(null);
    }
    // From here on one more goes along, made of pages that come in any order.
    const { pageCount, pages } = stateOf(engine);
    const image = new PageImage(PAGE_SIZE, pageCount);
    for (const stored of [...pages].reverse()) expect(image.place(stored)).toBe(null);
    images.push(image);
    for (const one of images) {
      expect([one.isWhole, one.fault(engine.checksum())]).toEqual([true, null]);
      expectSameBytes(Buffer.concat([...one.filePages()]), engine.image());
    }
  }
  const query = await openUnmodified(Buffer.concat([...images[0]!.filePages()]));
  expect(query("PRAGMA integrity_check")).toEqual([["ok"]]);
  engine.close();
});

test("what payloads make of a database lies over its pages as they were", () => {
  const engine = makeEngine(1);
  const fill = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 60) "
    + "INSERT INTO t SELECT i, randomblob(3000) FROM n";
  write(engine, "CREATE TABLE t(id INTEGER PRIMARY KEY, body)");
  write(engine, fill);
  replicate(engine);
  const base = stateOf(engine);
  const overlay = new PageOverlay(PAGE_SIZE, base.pageCount);
  const course = [
    "UPDATE t SET body = 'x' WHERE id = 30", "DELETE FROM t WHERE id > 5", "VACUUM", "DELETE FROM t", fill,
  ];
  for (const sql of course) {
    write(engine, sql);
    for (const { payload } of engine.takeCommits()) {
      engine.advance();
      expect(overlay.apply(payload)).toBe(null);
    }
    const { pageCount, pages } = stateOf(engine);
    expect(overlay.pageCount).toBe(pageCount);
    expect(Math.max(...overlay.pages.keys())).toBeLessThanOrEqual(pageCount);
    const seen = pages.map(({ number }) => overlay.pages.get(number) ?? base.pages[number - 1]!);
    expect(seen.map(({ number, crc }) => [number, crc])).toEqual(pages.map(({ number, crc }) => [number, crc]));
    expectSameBytes(Buffer.concat(seen.map(({ bytes }) => bytes)), Buffer.concat(pages.map(({ bytes }) => bytes)));
  }
  expect(overlay.apply(new Uint8Array(3))?.rule).toBe("a payload begins with a header of 20 bytes");
  const { payload } = encodePayload(512, 1, [{ number: 1, bytes: new Uint8Array(512) }]);
  expect(overlay.apply(payload)?.rule).toBe("the page size is 4096");
  engine.close();
});

test("an image refuses a payload that does not fit, and stays as it was", () => {
  const image = PageImage.ofEmptyDatabase(PAGE_SIZE);
  const before = image.checksum();
  const payload = (pageSize: number, pageCount: number, numbers: readonly number[]): Uint8Array => {
    const pages = numbers.map((number) => ({ number, bytes: new Uint8Array(pageSize) }));
    return encodePayload(pageSize, pageCount, pages).payload;
  };
  const lockByte = lockBytePage(PAGE_SIZE);
  expect(image.apply(new Uint8Array(3))?.rule).toBe("a payload begins with a header of 20 bytes");
  expect(image.apply(payload(512, 1, [1]))?.rule).toBe("the page size is 4096");
  expect(image.apply(payload(PAGE_SIZE, lockByte, [lockByte]))?.rule).toBe("SQLite's lock-byte page is never written");
  const gap = "every page beyond the database's old size is in the payload";
  expect(image.apply(payload(PAGE_SIZE, 3, [1, 3]))?.rule).toBe(gap);
  expect(image.checksum()).toBe(before);
});

test("a file made of an image has zeros where SQLite's lock-byte page is", () => {
  const pageSize = 65536;
  const absent = lockBytePage(pageSize);
  const image = new PageImage(pageSize, absent + 1);
  const bytes = new Uint8Array(pageSize).fill(9);
  for (let number = 1; number <= absent + 1; number++) {
    if (number !== absent) expect(image.place({ number, bytes, crc: 1 })).toBe(null);
  }
  expect(image.isWhole).toBe(true);
  const digits = Array.from(image.filePages(), (one) => one[100]);
  expect([digits.length, digits[absent - 2], digits[absent - 1], digits[absent]]).toEqual([absent + 1, 9, 0, 9]);
  expect(bytes[18]).toBe(9);
});
