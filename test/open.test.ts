/** open() and connect() on this machine: what they refuse and how they say it, and the database that they give. */
import fs from "node:fs";
import net from "node:net";
import os from "node:os";
import path from "node:path";
import { setTimeout } from "node:timers/promises";
import { afterAll, afterEach, expect, test } from "vitest";
import { connect, type Database, open, OpenError, type OpenOptions, QuorumliteError } from "../cli/index.ts";
import { freePorts } from "../cli/process-cluster.ts";

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

function temporaryDirectory(): string {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), "quorumlite-open-"));
  closing.push(() => fs.rmSync(directory, { recursive: true, force: true }));
  return directory;
}

async function openForTest(options: OpenOptions): ReturnType<typeof open> {
  const node = await open(options);
  closing.push(() => node.close());
  return node;
}

async function openDatabase(): Promise<Database> {
  return (await openForTest({ directory: temporaryDirectory() })).database();
}

let shared: Promise<Database> | null = null;
const sharedDirectory = fs.mkdtempSync(path.join(os.tmpdir(), "quorumlite-open-"));
afterAll(async () => {
  await closeShared();
  fs.rmSync(sharedDirectory, { recursive: true });
});
let closeShared: () => Promise<void> = async () => {};

/** One for all tests that leave no trace in it: with the row (k, 1) in the table kv. */
function sharedDatabase(): Promise<Database> {
  shared ??= (async () => {
    const node = await open({ directory: sharedDirectory });
    closeShared = () => node.close();
    await node.database().exec("CREATE TABLE kv (k TEXT PRIMARY KEY, v); INSERT INTO kv VALUES ('k', 1);");
    return node.database();
  })();
  return shared;
}

async function refusal(promise: Promise<unknown>): Promise<OpenError> {
  const error = await promise.then(() => null, (thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(OpenError);
  return error as OpenError;
}

async function failureOf(promise: Promise<unknown>): Promise<QuorumliteError> {
  const error = await promise.then(() => null, (thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(QuorumliteError);
  return error as QuorumliteError;
}

test("directories above the directory are made, and one that cannot be made is named", async () => {
  const above = temporaryDirectory();
  await openForTest({ directory: path.join(above, "x", "y", "data") });
  const file = path.join(above, "file");
  fs.writeFileSync(file, "");
  // Below /proc, mkdir says that the directory above is missing, though it is there.
  for (const directory of [path.join(file, "data"), file, "/proc/nowhere/data"]) {
    const error = await refusal(open({ directory }));
    expect([error.code, error.option]).toEqual(["DirectoryUnusable", "directory"]);
    expect(error.message).toContain(directory);
  }
});

test("a directory in use is refused and its holder not disturbed; after close it is free", async () => {
  const directory = temporaryDirectory();
  const node = await openForTest({ directory });
  const error = await refusal(open({ directory }));
  expect(error.code).toBe("DirectoryInUse");
  expect(error.message).toContain(`directory ${directory} is in use by this very process`);
  await node.database().exec("CREATE TABLE kv (k)");
  await node.close();
  const again = await openForTest({ directory });
  expect(await again.database().all("SELECT * FROM kv")).toEqual([]);
});

test("an address in use is refused, and nothing is left open", async () => {
  const server = net.createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const address = `127.0.0.1:${(server.address() as net.AddressInfo).port}`;
  const directory = temporaryDirectory();
  const error = await refusal(open({ directory, address }));
  expect([error.code, error.option]).toEqual(["AddressInUse", "address"]);
  expect(error.message).toContain(address);
  await new Promise((resolve) => server.close(resolve));
  await openForTest({ directory, address });
});

test("an address of another machine is refused", async () => {
  const error = await refusal(open({ directory: temporaryDirectory(), address: "192.0.2.1:7001" }));
  expect([error.code, error.option]).toEqual(["AddressUnusable", "address"]);
});

test("a directory of another node is refused by name", async () => {
  const directory = temporaryDirectory();
  const node = await open({ directory, id: "a" });
  await node.ready();
  await node.close();
  const error = await refusal(open({ directory, id: "b" }));
  expect([error.code, error.option]).toEqual(["WrongDirectory", "directory"]);
  expect(error.message).toContain(`${directory}/identity`);
});

test("once founded, a cluster is who its log says, whatever the options list", async () => {
  const directory = temporaryDirectory();
  const node = await open({ directory, id: "a" });
  await node.database().exec("CREATE TABLE t (v)");
  const { cluster } = node.status();
  await node.close();
  const [own, other] = await freePorts(2);
  const nodes = { a: `127.0.0.1:${own}`, b: `127.0.0.1:${other}` };
  const again = await openForTest({ directory, id: "a", cluster: nodes });
  expect(await again.database().all("SELECT * FROM t")).toEqual([]);
  const member = { id: "a", role: "voter", address: nodes.a, failureDomain: "", priority: 100, alive: true };
  expect(again.status()).toMatchObject({ cluster, leader: "a", members: [member] });
});

test("files of another version are refused by name", async () => {
  const directory = temporaryDirectory();
  await (await open({ directory })).close();
  fs.writeFileSync(path.join(directory, "identity"), "not written by us, whoever it was");
  expect(["CorruptData", "WrongVersion"]).toContain((await refusal(open({ directory }))).code);
});

test.each<[string, string, unknown, Partial<QuorumliteError>, RegExp]>([
  ["bad SQL", "SELEKT 1", [], { code: "SqlError", sqlCode: "SQLITE_ERROR" }, /near "SELEKT": syntax error/],
  ["a missing table", "SELECT * FROM nowhere", [], { code: "SqlError" }, /no such table: nowhere/],
  [
    "a broken constraint", "INSERT INTO kv VALUES ('k', 2)", [],
    { code: "SqlError", sqlCode: "SQLITE_CONSTRAINT_PRIMARYKEY" }, /UNIQUE constraint failed: kv.k/,
  ],
  ["SQL that is no string", 7 as unknown as string, [], { code: "Misuse", sqlCode: null }, /pass SQL as a string/],
  ["a parameter that is undefined", "SELECT ?", [undefined], { code: "Misuse" }, /undefined/],
  ["a parameter that is a date", "SELECT ?", [new Date(0)], { code: "Misuse" }, /parameter/],
  ["a parameter that is a function", "SELECT :f", { f: () => {} }, { code: "Misuse" }, /f/],
  ["an integer beyond 64 bits", "SELECT ?", [2n ** 63n], { code: "Misuse" }, /parameter/],
  ["too many parameters", "SELECT ?", [1, 2], { code: "Misuse" }, /parameter/],
  ["a name that the statement has not", "SELECT :a", { a: 1, b: 2 }, { code: "Misuse" }, /b/],
  ["BEGIN as a statement", "BEGIN", [], { code: "Misuse" }, /transaction/i],
  ["two statements", "SELECT 1; SELECT 2", [], { code: "Misuse" }, /statement/],
  ["a statement of more than a megabyte", `SELECT '${"x".repeat(1024 * 1024)}'`, [], { code: "TooLarge" }, /limit/],
])("a statement is refused for %s, and the next one runs", async (_name, sql, parameters, expected, message) => {
  const db = await sharedDatabase();
  for (const call of [() => db.run(sql, parameters as []), () => db.all(sql, parameters as [])]) {
    const error = await failureOf(call());
    expect(error).toMatchObject(expected);
    expect(error.message).toMatch(message);
  }
  expect(await db.all("SELECT * FROM kv")).toEqual([{ k: "k", v: 1 }]);
});

test("values of every kind come back as they went in", async () => {
  const db = await openDatabase();
  await db.exec("CREATE TABLE t (id INTEGER PRIMARY KEY, v)");
  const blobs = [new Uint8Array(0), new Uint8Array([0, 255])];
  const values = [null, 0, -1, 2 ** 53 - 1, 2n ** 62n, 1.5, "", "naïve 🙂", ...blobs];
  for (const value of values) await db.run("INSERT INTO t (v) VALUES (?)", [value]);
  expect((await db.all("SELECT v FROM t ORDER BY id")).map(({ v }) => v)).toEqual(values);
  expect(await db.get('SELECT 1 AS "__proto__", 2 AS b')).toEqual(Object.fromEntries([["__proto__", 1], ["b", 2]]));
  expect(await db.get("SELECT v FROM t WHERE id = 99")).toBeUndefined();
});

test("a transaction is committed as a whole, or leaves no trace", async () => {
  const db = await openDatabase();
  await db.exec("CREATE TABLE t (v UNIQUE)");
  const result = await db.transaction(async (tx) => {
    expect(await tx.run("INSERT INTO t VALUES (1)")).toEqual({ changes: 1, lastInsertRowid: 1 });
    // It sees its own writes; others do not.
    expect(await tx.get("SELECT count(*) AS n FROM t")).toEqual({ n: 1 });
    expect(await db.get("SELECT count(*) AS n FROM t")).toEqual({ n: 0 });
    // A failed statement leaves the transaction open.
    expect((await failureOf(tx.run("INSERT INTO t VALUES (1)"))).code).toBe("SqlError");
    return "done";
  });
  expect(result).toBe("done");
  const oops = new Error("oops");
  await expect(db.transaction(async (tx) => {
    await tx.run("INSERT INTO t VALUES (2)");
    throw oops;
  })).rejects.toBe(oops);
  expect(await db.all("SELECT v FROM t")).toEqual([{ v: 1 }]);
});

test("statements of a transaction that are not waited for run in order, before its commit", async () => {
  const db = await openDatabase();
  await db.exec("CREATE TABLE t (v)");
  await db.transaction((tx) => {
    for (let v = 0; v < 5; v++) void tx.run("INSERT INTO t VALUES (?)", [v]);
  });
  expect((await db.all("SELECT v FROM t ORDER BY rowid")).map(({ v }) => v)).toEqual([0, 1, 2, 3, 4]);
});

test("what would wait for itself, and what comes too late, is refused at once", async () => {
  const db = await openDatabase();
  await db.exec("CREATE TABLE t (v)");
  let late: { run(sql: string): Promise<unknown> } | null = null;
  await db.transaction(async (tx) => {
    late = tx;
    const sql = "INSERT INTO t VALUES (1)";
    for (const call of [() => db.transaction(() => {}), () => db.run(sql), () => db.exec(sql)]) {
      const error = await failureOf(call());
      expect(error.code).toBe("Misuse");
      expect(error.message).toMatch(/inside of a transaction, which it would wait for/);
    }
  });
  const error = await failureOf(late!.run("INSERT INTO t VALUES (2)"));
  expect(error.code).toBe("Misuse");
  expect(error.message).toMatch(/the transaction is over/);
  expect(await db.all("SELECT * FROM t")).toEqual([]);
});

test("calls after close are refused, and open ones end first", async () => {
  const directory = temporaryDirectory();
  const node = await open({ directory });
  const db = node.database();
  await db.exec("CREATE TABLE t (v)");
  const open20 = Promise.all(Array.from({ length: 20 }, (_, v) => db.run("INSERT INTO t VALUES (?)", [v])));
  await Promise.all([node.close(), node.close()]);
  expect(await open20).toHaveLength(20);
  for (const call of [db.run("INSERT INTO t VALUES (1)"), db.get("SELECT 1"), node.ready()]) {
    expect((await failureOf(call)).code).toBe("Closed");
  }
});

test("a node closes though the application goes on calling", async () => {
  const node = await open({ directory: temporaryDirectory() });
  const db = node.database();
  await db.exec("CREATE TABLE t (v)");
  let closed = false;
  const callOn = async (): Promise<void> => {
    while (!closed) await db.run("INSERT INTO t VALUES (1)").catch(() => setTimeout(1));
  };
  const callers = Array.from({ length: 8 }, callOn);
  const end = await Promise.race([node.close().then(() => "closed"), setTimeout(2000, "still open")]);
  closed = true;
  await Promise.all(callers);
  expect(end).toBe("closed");
});

test("an error of the application in onEvent is the application's, and harms no node", async () => {
  const thrown: unknown[] = [];
  const listeners = process.listeners("uncaughtException");
  process.removeAllListeners("uncaughtException");
  process.on("uncaughtException", (error) => thrown.push(error));
  closing.push(() => {
    process.removeAllListeners("uncaughtException");
    for (const listener of listeners) process.on("uncaughtException", listener);
  });
  const oops = new Error("oops");
  const node = await openForTest({
    directory: temporaryDirectory(),
    onEvent: () => {
      throw oops;
    },
  });
  expect(await node.database().get("SELECT 1 AS one")).toEqual({ one: 1 });
  await node.close();
  await setTimeout(1);
  expect(thrown.length).toBeGreaterThan(1);
  expect(thrown.every((error) => error === oops)).toBe(true);
});

test("a node without its majority says so in time, and its status why", async () => {
  const [own, other] = await freePorts(2);
  const cluster = { a: `127.0.0.1:${own}`, b: `127.0.0.1:${other}` };
  const node = await openForTest({ directory: temporaryDirectory(), id: "a", cluster, callTimeoutMs: 300 });
  const error = await failureOf(node.database().run("SELECT 1"));
  expect(error.code).toBe("Timeout");
  expect(error.message).toMatch(/within 300 ms from a leader.*: it was not executed/);
  expect(node.status()).toMatchObject({
    id: "a", address: cluster.a, cluster: null, leader: null,
    peers: [{ id: "b", address: cluster.b, connected: false }],
  });
});

test("a machine that slept is noticed, and said before anything else", async () => {
  const node = await openForTest({ directory: temporaryDirectory() });
  await node.ready();
  const { clock, trace } = node["lives"].driver as unknown as { clock: { wallMs: number }; trace: readonly string[] };
  expect(trace).not.toContain("ClockStopped");
  // By the wall clock a minute has gone by that the other one knows nothing of.
  clock.wallMs -= 60_000;
  await node.database().get("SELECT 1");
  expect(trace.filter((type) => type === "ClockStopped")).toHaveLength(1);
  expect(trace.indexOf("ClockStopped")).toBeLessThan(trace.indexOf("ClientReceived"));
});

test("a client from outside uses the database of a node, and shares it", async () => {
  const [port] = await freePorts(1);
  const address = `127.0.0.1:${port}`;
  const node = await openForTest({ directory: temporaryDirectory(), address });
  const db = await connect(address);
  await db.exec("CREATE TABLE t (v)");
  await db.transaction(async (tx) => void (await tx.run("INSERT INTO t VALUES (7)")));
  expect(await node.database().all("SELECT v FROM t")).toEqual([{ v: 7 }]);
  // Rows in parts: far more than one frame carries.
  const numbers = "WITH RECURSIVE n(i) AS (VALUES(1) UNION ALL SELECT i + 1 FROM n WHERE i < 5000)";
  const rows = await db.all<{ i: number }>(`${numbers} SELECT i, hex(zeroblob(200)) AS text FROM n`);
  expect(rows.map(({ i }) => i)).toEqual(Array.from({ length: 5000 }, (_, at) => at + 1));
  // A column without a name is called by its text.
  const text = "x".repeat(100_000);
  expect(await db.get(`SELECT '${text}'`)).toEqual({ [`'${text}'`]: text });
  await db.close();
  expect((await failureOf(db.get("SELECT 1"))).code).toBe("Closed");
});
