/**
 * The operators' functions over the directories of real nodes: what they see, what they find wrong, what they write.
 */
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterAll, expect, test } from "vitest";
import { loadImageReader } from "../cli/image-reader.ts";
import {
  exportDatabase, importDatabase, inspectDirectory, listEntries, open, readLastEntry, recoverFromQuorumLoss,
  verifyDirectory,
} from "../cli/index.ts";

const root = fs.mkdtempSync(path.join(os.tmpdir(), "quorumlite-operator-"));
afterAll(() => fs.rmSync(root, { recursive: true, force: true }));
let made = 0;

function freshPath(name: string): string {
  made += 1;
  return path.join(root, `${name}-${made}`);
}

/** A single node has written some rows, and closed. */
async function writtenDirectory(rows = 3): Promise<string> {
  const directory = freshPath("node");
  const node = await open({ directory, id: "a" });
  const database = node.database();
  await database.exec("CREATE TABLE kv (k INTEGER PRIMARY KEY, v)");
  for (let row = 1; row <= rows; row++) await database.run("INSERT INTO kv VALUES (?, ?)", [row, `value ${row}`]);
  await node.close();
  return directory;
}

async function rowsOf(file: string): Promise<readonly (readonly unknown[])[]> {
  const image = (await loadImageReader()).open(fs.readFileSync(file));
  expect(image.integrityCheck()).toBe("ok");
  const rows = image.query("SELECT k, v FROM kv ORDER BY k");
  image.close();
  return rows;
}

const THREE = [[1, "value 1"], [2, "value 2"], [3, "value 3"]];

test("a directory says whose it is, and what its log holds", async () => {
  const directory = await writtenDirectory();
  const inspection = await inspectDirectory(directory);
  expect(inspection).toMatchObject({ directory, id: "a", founders: ["a"], lost: null, isQuarantined: false, faults: [] });
  expect(inspection.segments[0]).toMatchObject({ file: "log-0000000001", use: "log", first: 1 });
  expect(inspection.segments[0]!.last).toBe(inspection.last!.index);
  expect(JSON.parse(JSON.stringify(inspection))).toEqual(inspection);
  const listed = await listEntries(directory);
  expect(listed.map(({ index }) => index)).toEqual(listed.map((_, at) => at + 1));
  expect(await readLastEntry(directory)).toEqual(listed.at(-1));
});

test("what a node has written and closed is sound", async () => {
  const directory = await writtenDirectory();
  let heard = 0;
  const verification = await verifyDirectory(directory, { onProgress: ({ bytesRead }) => (heard = bytesRead) });
  expect(verification).toMatchObject({ ok: true, faults: [], remarks: [] });
  expect(verification.records).toBeGreaterThan(3);
  expect(heard).toBeGreaterThan(1000);
});

test("an exported file is an ordinary database", async () => {
  const directory = await writtenDirectory();
  const file = freshPath("export.db");
  const before = fs.readdirSync(directory);
  const report = await exportDatabase(directory, file);
  expect(await rowsOf(file)).toEqual(THREE);
  expect(report.bytes).toBe(fs.statSync(file).size);
  expect(fs.readdirSync(directory)).toEqual(before);
});

test("an imported file is a node's database, and goes on from there", async () => {
  const file = freshPath("export.db");
  await exportDatabase(await writtenDirectory(), file);
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

test("a node that needs no other is not recovered", async () => {
  await expect(recoverFromQuorumLoss(await writtenDirectory())).rejects.toMatchObject({ code: "NothingToRecover" });
});
