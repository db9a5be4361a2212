/** The files of the VFS, read and written in ways that SQLite rarely needs: in pieces, beyond the end, refused. */
import { expect, test } from "vitest";
import { PageStore } from "../core/pages/page-store.ts";
import { DatabaseFile } from "../core/sqlite/database-file.ts";
import { EngineMemory } from "../core/sqlite/memory.ts";
import { Notices } from "../core/sqlite/notices.ts";
import { BUSY, FULL, IOERR, IOERR_SHORT_READ, NOTFOUND, OK } from "../core/sqlite/result-code.ts";
import { TemporaryFile } from "../core/sqlite/temporary-file.ts";
import { WalFile } from "../core/sqlite/wal-file.ts";
import { SqliteNode } from "./sqlite-node.ts";

const PAGE = 512;
const FRAME = 24 + PAGE;

function setUp() {
  let end = 4096;
  const memory = new EngineMemory({ buffer: new ArrayBuffer(1 << 20) }, (size) => (end += size) - size);
  const store = PageStore.ofEmptyDatabase({ pageSize: PAGE, checkpointFrames: 10 });
  store.attach(memory);
  return { memory, store, notices: new Notices() };
}

test("a temporary file reads zeros beyond its end, and what was cut off does not come back", () => {
  const { memory } = setUp();
  const file = new TemporaryFile(memory);
  memory.u8.fill(7, 0, 100);
  expect(file.write(0, 100, 50)).toBe(OK);
  expect(file.size()).toBe(150);
  expect(file.read(200, 100, 100)).toBe(IOERR_SHORT_READ);
  expect([...memory.u8.subarray(248, 252)]).toEqual([7, 7, 0, 0]);
  expect(file.truncate(60)).toBe(OK);
  expect(file.truncate(80)).toBe(OK);
  expect(file.size()).toBe(60);
  expect(file.write(0, 10, 90)).toBe(OK);
  expect(file.read(200, 100, 0)).toBe(OK);
  expect([0, 49, 50, 59, 60, 89, 90, 99].map((at) => memory.u8[200 + at])).toEqual([0, 0, 7, 7, 0, 0, 7, 7]);
  memory.u8.fill(9, 200, 300);
  expect(file.read(200, 100, 1000)).toBe(IOERR_SHORT_READ);
  expect(memory.u8.subarray(200, 300).every((byte) => byte === 0)).toBe(true);
  expect([file.lock(1), file.control(0, 0), file.shmMap(0, true, 0), file.shmLock(0, 1, 0)]).toEqual([
    OK,
    NOTFOUND,
    IOERR,
    IOERR,
  ]);
});

test("a WAL is written and read in pieces of any size", () => {
  const { memory, store, notices } = setUp();
  const file = new WalFile(memory, store, notices, 3);
  const bytes = Uint8Array.from({ length: 32 + 2 * FRAME }, (_, at) => at * 31);
  memory.u8.set(bytes, 1000);
  expect(file.size()).toBe(0);
  for (let at = 0; at < bytes.length; at += 100)
    expect(file.write(1000 + at, Math.min(100, bytes.length - at), at)).toBe(OK);
  expect(file.size()).toBe(bytes.length);
  for (const [from, size] of [
    [0, bytes.length],
    [31, 30],
    [32 + 24, PAGE],
    [32 + 20, 10],
    [32 + FRAME - 1, 2],
  ] as const) {
    memory.u8.fill(0, 5000, 7000);
    expect(file.read(5000, size, from)).toBe(OK);
    expect(Buffer.compare(memory.u8.subarray(5000, 5000 + size), bytes.subarray(from, from + size))).toBe(0);
  }
  expect(file.read(5000, 100, bytes.length - 50)).toBe(IOERR_SHORT_READ);
  expect(Buffer.compare(memory.u8.subarray(5000, 5050), bytes.subarray(bytes.length - 50))).toBe(0);
  expect(memory.u8.subarray(5050, 5100).every((byte) => byte === 0)).toBe(true);
  expect(file.truncate(0)).toBe(OK);
  // The third frame is the last that the limit admits.
  expect([file.write(1000, FRAME, 32 + 2 * FRAME), notices.payloadExceeded]).toEqual([OK, false]);
  expect([file.write(1000, FRAME, 32 + 3 * FRAME), notices.payloadExceeded]).toEqual([FULL, true]);
  expect(() => file.write(1000, FRAME, 32 + 9 * FRAME)).not.toThrow();
});

test("frames are written without gaps", () => {
  const { memory, store, notices } = setUp();
  const file = new WalFile(memory, store, notices, 100);
  expect(() => file.write(1000, FRAME, 32 + FRAME)).toThrow("frames are written without gaps");
});

test("the main file is read from the base image, and never written or locked for writing", () => {
  const { memory, store, notices } = setUp();
  const file = new DatabaseFile(memory, store, "applied", notices);
  expect(file.size()).toBe(PAGE);
  expect([file.read(1000, 16, 0), memory.cString(1000)]).toEqual([OK, "SQLite format 3"]);
  expect([file.read(1000, PAGE, PAGE), file.read(1000, 100, PAGE - 50)]).toEqual([IOERR_SHORT_READ, IOERR_SHORT_READ]);
  expect([file.write(1000, PAGE, 0), file.truncate(0)]).toEqual([IOERR, IOERR]);
  expect([1, 2, 3, 4].map((level) => file.lock(level))).toEqual([OK, BUSY, BUSY, BUSY]);
});

test("the wal-index is mapped region by region", () => {
  const { memory, store, notices } = setUp();
  const file = new DatabaseFile(memory, store, "speculative", notices);
  const mapped = (region: number, extend: boolean): number => {
    expect(file.shmMap(region, extend, 8)).toBe(OK);
    return memory.word(8);
  };
  expect(mapped(1, false)).toBe(0);
  expect(mapped(0, false)).toBe(store.index.region(0));
  expect(mapped(1, true)).toBe(store.index.region(1));
  expect(mapped(1, false)).toBe(store.index.region(1));
  expect(() => mapped(3, true)).toThrow("SQLite maps the wal-index region by region");
});

const [UNLOCK, LOCK, SHARED, EXCLUSIVE] = [1, 2, 4, 8];

test("WAL locks exclude each other, and the page store's own are never given", () => {
  const { memory, store, notices } = setUp();
  const writer = new DatabaseFile(memory, store, "speculative", notices);
  const reader = new DatabaseFile(memory, store, "applied", notices);
  expect(writer.shmLock(0, 1, LOCK | EXCLUSIVE)).toBe(OK);
  expect([reader.shmLock(0, 1, LOCK | EXCLUSIVE), notices.writeRefused]).toEqual([BUSY, true]);
  for (const own of [1, 2]) {
    expect(writer.shmLock(own, 1, LOCK | EXCLUSIVE)).toBe(BUSY);
    expect(writer.shmLock(own, 1, LOCK | SHARED)).toBe(BUSY);
  }
  expect(writer.shmLock(4, 4, LOCK | EXCLUSIVE)).toBe(BUSY);
  expect([reader.shmLock(3, 1, LOCK | SHARED), reader.shmLock(3, 1, LOCK | SHARED)]).toEqual([OK, OK]);
  expect([writer.shmLock(3, 1, LOCK | SHARED), writer.shmLock(3, 1, LOCK | EXCLUSIVE)]).toEqual([OK, BUSY]);
  expect([writer.shmLock(4, 1, LOCK | EXCLUSIVE), reader.shmLock(4, 1, LOCK | SHARED)]).toEqual([OK, BUSY]);
  expect(store.locks.idle).toBe(false);
  for (const file of [writer, reader]) {
    file.shmLock(3, 1, UNLOCK | SHARED);
    file.shmLock(3, 1, UNLOCK | SHARED);
    file.shmLock(0, 8, UNLOCK | EXCLUSIVE);
  }
  expect(store.locks.idle).toBe(true);
});

test("no file but the database, its WAL and temporary ones can be opened", () => {
  const node = new SqliteNode({ pageSize: 4096, checkpointFrames: 1000, seed: 1 });
  const client = node.connect("speculative", 5);
  expect(client.execute("ATTACH 'other.db' AS other")).toBe("unable to open database: other.db");
  expect(node.runtime.notices.refusal).toMatch(/^the file other.db cannot be opened: ATTACH and VACUUM INTO/);
  expect(client.execute("VACUUM INTO 'other.db'")).toBe("unable to open database: other.db");
  expect(client.execute(`ATTACH '${"x".repeat(600)}' AS other`)).toMatch(/^unable to open database: xxx/);
  // A sort of more than the cache goes through a temporary file.
  client.execute("CREATE TABLE t (a)");
  const numbers = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 20000)";
  expect(client.execute(`${numbers} INSERT INTO t SELECT hex(x * 7919 % 20011) FROM n ORDER BY 1 DESC`)).toBe(null);
  expect(client.rows("SELECT count(*), max(a) FROM (SELECT a FROM t ORDER BY a || 'z' LIMIT 20000)")).toEqual([
    [20000, "39393939"],
  ]);
});
