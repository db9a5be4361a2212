/**
 * The operators' functions over the directories of real nodes: what they see, what they find wrong, what they write.
 */
import { execFileSync } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { loadImageReader } from "../cli/image-reader.ts";
import {
  exportDatabase, importDatabase, inspectDirectory, listEntries, open, readLastEntry, recoverFromQuorumLoss,
  verifyDirectory,
} from "../cli/index.ts";
import type { Tuning } from "../cli/node.ts";
import { openTuned } from "../cli/open.ts";
import { SMALL_LIMITS } from "./small-limits.ts";

const directories: string[] = [];
afterAll(() => {
  for (const directory of directories) fs.rmSync(directory, { recursive: true, force: true });
});

function freshPath(name: string): string {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), "quorumlite-operator-"));
  directories.push(directory);
  return path.join(directory, name);
}

const THREE = [[1, "value 1"], [2, "value 2"], [3, "value 3"]];

/** A single node has written some rows, and closed. */
async function writtenDirectory(rows = 3, tuning: Tuning = {}): Promise<string> {
  const directory = freshPath("node");
  const node = await openTuned({ directory, id: "a" }, tuning);
  const database = node.database();
  await database.exec("CREATE TABLE kv (k INTEGER PRIMARY KEY, v)");
  for (let row = 1; row <= rows; row++) await database.run("INSERT INTO kv VALUES (?, ?)", [row, `value ${row}`]);
  await node.close();
  return directory;
}

/** Made once; whoever changes it makes a copy. */
let shared: string;
beforeAll(async () => {
  shared = await writtenDirectory();
});

function copyOf(directory: string): string {
  const copy = freshPath("copy");
  fs.cpSync(directory, copy, { recursive: true });
  return copy;
}

async function rowsOf(file: string): Promise<readonly (readonly unknown[])[]> {
  const image = (await loadImageReader()).open(fs.readFileSync(file));
  expect(image.integrityCheck()).toBe("ok");
  const rows = image.query("SELECT k, v FROM kv ORDER BY k");
  image.close();
  return rows;
}

test("a directory says whose it is, and what its log holds", async () => {
  const directory = shared;
  const inspection = await inspectDirectory(directory);
  expect(inspection).toMatchObject({ directory, id: "a", founders: ["a"], lost: null, faults: [] });
  expect(inspection.isQuarantined).toBe(false);
  expect(inspection.segments[0]).toMatchObject({ file: "log-0000000001", use: "log", first: 1 });
  expect(inspection.segments[0]!.last).toBe(inspection.last!.index);
  expect(JSON.parse(JSON.stringify(inspection))).toEqual(inspection);
  const listed = await listEntries(directory);
  expect(listed.map(({ index }) => index)).toEqual(listed.map((_, at) => at + 1));
  expect(await readLastEntry(directory)).toEqual(listed.at(-1));
});

test("what a node has written and closed is sound", async () => {
  const directory = shared;
  let heard = 0;
  const verification = await verifyDirectory(directory, { onProgress: ({ bytesRead }) => (heard = bytesRead) });
  expect(verification).toMatchObject({ ok: true, faults: [], remarks: [] });
  expect(verification.records).toBeGreaterThan(3);
  expect(heard).toBeGreaterThan(1000);
});

test("an exported file is an ordinary database", async () => {
  const directory = shared;
  const file = freshPath("export.db");
  const before = fs.readdirSync(directory);
  const report = await exportDatabase(directory, file);
  expect(await rowsOf(file)).toEqual(THREE);
  expect(report.bytes).toBe(fs.statSync(file).size);
  expect(fs.readdirSync(directory)).toEqual(before);
});

test("an imported file is a node's database, and goes on from there", async () => {
  const file = freshPath("export.db");
  await exportDatabase(shared, file);
  const directory = freshPath("imported");
  await importDatabase(file, directory, { id: "b" });
  expect((await verifyDirectory(directory)).faults).toEqual([]);
  const node = await open({ directory, id: "b" });
  await node.database().run("INSERT INTO kv VALUES (4, 'value 4')");
  expect(await node.database().all("SELECT k, v FROM kv ORDER BY k")).toHaveLength(4);
  await node.close();
  const again = freshPath("export.db");
  await exportDatabase(directory, again);
  expect(await rowsOf(again)).toEqual([...THREE, [4, "value 4"]]);
});

test("a directory of many segments, snapshots and merges is sound, and exported whole", async () => {
  const directory = await writtenDirectory(120, SMALL_LIMITS);
  const { segments, snapshot, last } = await inspectDirectory(directory);
  expect(segments.filter(({ use }) => use === "log")[0]!.first).toBeGreaterThan(1);
  expect(snapshot!.entry.index).toBeLessThan(last!.index);
  expect(await verifyDirectory(directory)).toMatchObject({ ok: true, faults: [] });
  const file = freshPath("export.db");
  const report = await exportDatabase(directory, file);
  expect(report).toMatchObject({ through: last, committed: snapshot!.entry });
  expect(await rowsOf(file)).toHaveLength(120);
  // As of the snapshot there are fewer; before it there is nothing to go by.
  await exportDatabase(directory, file, { through: snapshot!.entry.index, overwrite: true });
  expect((await rowsOf(file)).length).toBeLessThan(120);
  await expect(exportDatabase(directory, file, { through: 3, overwrite: true })).rejects.toMatchObject({
    code: "NoSuchEntry", option: "through",
  });
  await expect(listEntries(directory, { from: 1 })).rejects.toMatchObject({ code: "NoSuchEntry", option: "from" });
  expect(await listEntries(directory, { from: last!.index + 1 })).toEqual([]);
});

test("Python's SQLite opens what is exported, and what it writes is imported", async (context) => {
  const python = (script: string, ...args: string[]): string => {
    return execFileSync("python3", ["-c", script, ...args], { encoding: "utf8" }).trim();
  };
  try {
    python("import sqlite3");
  } catch {
    return context.skip("there is no Python with sqlite3 here");
  }
  const file = freshPath("export.db");
  await exportDatabase(shared, file);
  const read = "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); " +
    "print(c.execute('PRAGMA journal_mode').fetchone()[0], c.execute('PRAGMA integrity_check').fetchone()[0], " +
    "c.execute('SELECT group_concat(v) FROM kv').fetchone()[0])";
  expect(python(read, file)).toBe("delete ok value 1,value 2,value 3");
  const written = freshPath("python.db");
  const write = "import sqlite3, sys; c = sqlite3.connect(sys.argv[1], isolation_level=None); " +
    "c.execute('PRAGMA journal_mode=wal'); c.execute('CREATE TABLE kv (k INTEGER PRIMARY KEY, v)'); " +
    "c.execute('INSERT INTO kv VALUES (1, zeroblob(100000))'); c.close()";
  python(write, written);
  const directory = freshPath("imported");
  await importDatabase(written, directory);
  const node = await open({ directory });
  await node.database().run("DELETE FROM kv WHERE k = 2");
  expect(await node.database().get("SELECT length(v) AS n FROM kv")).toEqual({ n: 100_000 });
  await node.close();
});

test("a database that cannot be imported as it is is refused with what to do, and nothing is made", async () => {
  const file = freshPath("export.db");
  await exportDatabase(shared, file);
  const bytes = fs.readFileSync(file);
  const changed = (at: number, value: number): Buffer => {
    const copy = Buffer.from(bytes);
    copy[at] = value;
    return copy;
  };
  const other = freshPath("other.db");
  const directory = freshPath("imported");
  for (const [content, message] of [
    [changed(16, 0x20), /has pages of 8192 bytes.*VACUUM INTO/],
    [changed(55, 1), /auto_vacuum.*VACUUM INTO/],
    [Buffer.from("no database"), /is no SQLite database/],
    [bytes.subarray(0, 4096), /is cut short/],
  ] as const) {
    fs.writeFileSync(other, content);
    await expect(importDatabase(other, directory)).rejects.toMatchObject({
      code: "NotImportable", option: "file", message: expect.stringMatching(message),
    });
  }
  fs.writeFileSync(other, bytes);
  fs.writeFileSync(`${other}-wal`, "something");
  await expect(importDatabase(other, directory)).rejects.toMatchObject({
    code: "NotImportable", message: expect.stringContaining("-wal beside it"),
  });
  expect(fs.existsSync(directory)).toBe(false);
  await expect(importDatabase(file, shared)).rejects.toMatchObject({ code: "DirectoryNotEmpty", option: "directory" });
  await expect(importDatabase(freshPath("nowhere.db"), directory)).rejects.toMatchObject({ code: "FileUnusable" });
});

test("damage on the disk is reported with file, offset, entry and page", async () => {
  const directory = copyOf(await writtenDirectory(120, SMALL_LIMITS));
  const { snapshot, segments } = await inspectDirectory(directory);
  const pages = snapshot!.files.at(-1)!;
  const log = segments.find(({ use }) => use === "log")!;
  flip(path.join(directory, pages.file), pages.bytes - 100);
  flip(path.join(directory, log.file), 8192 + 100);
  flip(path.join(directory, "manifest"), 20);
  const { ok, faults } = await verifyDirectory(directory);
  expect(ok).toBe(false);
  const found = Object.fromEntries(faults.map((fault) => [fault.file, fault]));
  expect(found[pages.file]).toMatchObject({ offset: pages.bytes - 4096, page: expect.any(Number), entry: null });
  expect(found[log.file]).toMatchObject({ entry: log.first, page: null, detail: expect.stringContaining("checksum") });
  expect(found["manifest"]).toMatchObject({ offset: 0 });
  // Which pages the export needs decides whether it can be made.
  const file = freshPath("export.db");
  await expect(exportDatabase(directory, file)).rejects.toMatchObject({
    code: "CorruptData", message: expect.stringContaining(pages.file),
  });
  expect(fs.readdirSync(path.dirname(file))).toEqual([]);
});

function flip(file: string, at: number): void {
  const handle = fs.openSync(file, "r+");
  const byte = Buffer.alloc(1);
  fs.readSync(handle, byte, 0, 1, at);
  fs.writeSync(handle, Uint8Array.of(byte[0]! ^ 1), 0, 1, at);
  fs.closeSync(handle);
}

test("an existing file is only replaced when that is asked for, and never one that SQLite has open", async () => {
  const file = freshPath("export.db");
  fs.writeFileSync(file, "dear");
  await expect(exportDatabase(shared, file)).rejects.toMatchObject({ code: "FileExists", option: "file" });
  expect(fs.readFileSync(file, "utf8")).toBe("dear");
  await exportDatabase(shared, file, { overwrite: true });
  expect(await rowsOf(file)).toEqual(THREE);
  fs.writeFileSync(`${file}-wal`, "");
  await expect(exportDatabase(shared, file, { overwrite: true })).rejects.toMatchObject({ code: "FileExists" });
  const missing = path.join(freshPath("missing"), "export.db");
  await expect(exportDatabase(shared, missing)).rejects.toMatchObject({ code: "FileUnusable" });
});

test("arguments are judged before anything is touched", async () => {
  const refused = async (call: Promise<unknown>, option: string | null, message: RegExp): Promise<void> => {
    const text = expect.stringMatching(message);
    await expect(call).rejects.toMatchObject({ code: "InvalidOption", option, message: text });
  };
  const any = (value: unknown): never => value as never;
  await refused(inspectDirectory(any(7)), "directory", /directory is 7 \(number\): pass a path/);
  await refused(verifyDirectory(shared, any({ onProgress: 1 })), "onProgress", /pass a function/);
  await refused(verifyDirectory(shared, any({ repair: true })), "repair", /there is no option "repair"/);
  await refused(exportDatabase(shared, ""), "file", /file is "": pass a path/);
  await refused(exportDatabase(shared, "x.db", any({ through: -1 })), "through", /at least 0/);
  await refused(exportDatabase(shared, "x.db", any({ overwrite: "yes" })), "overwrite", /pass true or false/);
  await refused(importDatabase("x.db", shared, { id: "@" }), "id", /id is "@"/);
  await refused(listEntries(shared, { limit: 0 }), "limit", /at least 1/);
  await refused(recoverFromQuorumLoss(shared, any(null)), null, /was given null/);
});

test("a directory that is missing, in use or without data is refused by name", async () => {
  const nowhere = freshPath("nowhere");
  for (const call of [inspectDirectory(nowhere), verifyDirectory(nowhere), recoverFromQuorumLoss(nowhere)]) {
    await expect(call).rejects.toMatchObject({ code: "DirectoryUnusable", option: "directory" });
  }
  const empty = path.dirname(freshPath("empty"));
  expect(await inspectDirectory(empty)).toMatchObject({ id: null, last: null, segments: [], bytes: 0 });
  for (const call of [verifyDirectory, readLastEntry, recoverFromQuorumLoss]) {
    await expect(call(empty)).rejects.toMatchObject({ code: "NoData", message: expect.stringContaining(empty) });
  }
  const node = await open({ directory: empty });
  await expect(verifyDirectory(empty)).rejects.toMatchObject({ code: "DirectoryInUse" });
  await node.close();
});

test("a lone node whose log is damaged goes on with what lies before, once that is accepted", async () => {
  const directory = copyOf(shared);
  // The last insert is of the last entry.
  const file = path.join(directory, "log-0000000001");
  const end = fs.readFileSync(file).lastIndexOf("value 3");
  flip(file, end);
  await expect(open({ directory, id: "a" })).rejects.toMatchObject({
    code: "CorruptData", message: expect.stringContaining("log-0000000001"),
  });
  await expect(recoverFromQuorumLoss(directory)).rejects.toMatchObject({ code: "LossNotAccepted" });
  const { lost, last, leftOut } = await recoverFromQuorumLoss(directory, { acceptLoss: true });
  expect([lost!.index > last.index, leftOut]).toEqual([true, []]);
  const node = await open({ directory, id: "a" });
  expect(await node.database().all("SELECT k FROM kv ORDER BY k")).toEqual([{ k: 1 }, { k: 2 }]);
  await node.close();
});

test("a directory is read without being written to, even where that could not be", async () => {
  const directory = copyOf(shared);
  for (const file of fs.readdirSync(directory)) fs.chmodSync(path.join(directory, file), 0o444);
  fs.chmodSync(directory, 0o555);
  const before = fs.readdirSync(directory).map((file) => fs.statSync(path.join(directory, file)).mtimeMs);
  expect((await verifyDirectory(directory)).ok).toBe(true);
  await inspectDirectory(directory);
  expect(fs.readdirSync(directory).map((file) => fs.statSync(path.join(directory, file)).mtimeMs)).toEqual(before);
  fs.chmodSync(directory, 0o755);
});
