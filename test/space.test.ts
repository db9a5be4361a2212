/**
 * A full disk, a directory that may not be written to, and a process that may not open one more file: what a node says
 * of it, what goes on, and that it comes back.
 */
import fs from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import { type Node, OpenError, QuorumliteError } from "../cli/index.ts";
import { openTuned } from "../cli/open.ts";
import { ChildNode, idsIn, insert, type Line, SCHEMA } from "./child-node.ts";
import { closing, Nodes, temporaryDirectory, until } from "./nodes.ts";
import { hasSmallDisks, SmallDisk } from "./small-disk.ts";
import { SMALL_LIMITS } from "./small-limits.ts";

const testWithSmallDisk = test.runIf(hasSmallDisks);
const linuxTest = test.runIf(process.platform === "linux");

function smallDisk(sizeKib: number): SmallDisk {
  const disk = new SmallDisk(sizeKib);
  closing.push(() => disk.remove());
  return disk;
}

/** Inserts from this id on until one is refused; returns the id of that one. Nothing else may fail. */
async function insertUntilFull(node: Node, from: number): Promise<number> {
  for (let id = from; id < from + 10_000; id++) {
    try {
      await insert(node.database(), id);
    } catch (error) {
      if (!(error instanceof QuorumliteError)) throw error;
      expect([error.code, error.message]).toEqual(["DiskFull", expect.stringContaining("space")]);
      return id;
    }
  }
  throw new Error("the disk was never full");
}

testWithSmallDisk("on a full disk writes are refused, reads go on, and writes do once there is space", async () => {
  const disk = smallDisk(4096);
  const events: string[] = [];
  const directory = path.join(disk.directory, "data");
  const onEvent = ({ type }: { readonly type: string }): void => void events.push(type);
  const node = await openTuned({ directory, onEvent, callTimeoutMs: 15_000 }, SMALL_LIMITS);
  closing.push(() => node.close());
  const database = node.database();
  await database.exec(SCHEMA);
  for (let id = 1; id <= 20; id++) await insert(database, id);
  expect(node.status().storage.hasSpace).toBe(true);
  disk.fill();
  const refused = await insertUntilFull(node, 21);
  const there = Array.from({ length: refused - 1 }, (_, at) => at + 1);
  expect(await idsIn(database)).toEqual(there);
  expect(node.status()).toMatchObject({ halted: null, storage: { hasSpace: false } });
  // It stays so for as long as there is none.
  await expect(insert(database, refused)).rejects.toMatchObject({ code: "DiskFull" });
  expect(events.filter((type) => type === "Halted")).toEqual([]);
  disk.free();
  await until(() => node.status().storage.hasSpace, "the node has space again");
  for (let id = refused; id < refused + 100; id++) await insert(database, id);
  // And all of it was durable.
  await node.close();
  const again = await openTuned({ directory }, SMALL_LIMITS);
  closing.push(() => again.close());
  expect(await idsIn(again.database())).toHaveLength(refused + 99);
});

testWithSmallDisk("a node whose disk is full when it starts reads, and writes once there is space", async () => {
  const disk = smallDisk(4096);
  const directory = path.join(disk.directory, "data");
  const node = await openTuned({ directory }, SMALL_LIMITS);
  await node.database().exec(SCHEMA);
  for (let id = 1; id <= 50; id++) await insert(node.database(), id);
  await node.close();
  disk.fill();
  const again = await openTuned({ directory }, SMALL_LIMITS);
  closing.push(() => again.close());
  expect(await idsIn(again.database())).toHaveLength(50);
  const refused = await insertUntilFull(again, 51);
  disk.free();
  await until(() => again.status().storage.hasSpace, "the node has space again");
  await insert(again.database(), refused);
  expect(await idsIn(again.database())).toHaveLength(refused);
});

testWithSmallDisk("a leader whose disk is full hands over, and the cluster takes writes", async () => {
  const disk = smallDisk(4096);
  const nodes = await Nodes.create(3, SMALL_LIMITS);
  fs.symlinkSync(disk.directory, nodes.directoryOf("a"));
  await nodes.found("a", "b", "c");
  await nodes.ask((leader) => leader.status().id === "a" ? Promise.resolve() : leader.transferLeadership("a"));
  const full = nodes.running.get("a")!;
  await full.database().exec(SCHEMA);
  await insert(full.database(), 1);
  disk.fill();
  let id = 1;
  // What is refused is refused by the old leader, until another one leads.
  await until(async () => {
    await insert(full.database(), id + 1).then(() => id++, (error: unknown) => {
      if (!(error instanceof QuorumliteError) || error.code === "OutcomeUnknown") throw error;
    });
    return !full.status().storage.hasSpace && full.status().leader !== "a" && full.status().leader !== null;
  }, "another node leads");
  for (const end = id + 20; id < end; id++) await insert(full.database(), id + 1);
  disk.free();
  await until(() => full.status().storage.hasSpace, "there is space again");
  const leader = await nodes.leader();
  await until(() => full.status().appliedIndex >= leader.status().commitIndex, "it has caught up");
  expect(await idsIn(full.database())).toHaveLength(id);
});

testWithSmallDisk("a directory on a disk that is read-only is refused by name, with what to do", async () => {
  const disk = smallDisk(2048);
  const directory = path.join(disk.directory, "data");
  const node = await openTuned({ directory }, SMALL_LIMITS);
  await node.database().exec(SCHEMA);
  await node.close();
  disk.refuseWrites();
  const error = await openTuned({ directory }, SMALL_LIMITS).then(() => null, (thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(OpenError);
  expect(["DirectoryUnusable", "DiskFailed"]).toContain((error as OpenError).code);
  expect((error as OpenError).message).toMatch(/EROFS.*mount it for writing, then start the node again/);
});

/** Writes until the node has ended for good; returns what it said. */
async function haltedBy(child: ChildNode, first: number): Promise<Extract<Line, { type: "event" }>> {
  child.tell({ do: "insert", from: first, count: null, atOnce: 1 });
  const halted = (): Extract<Line, { type: "event" }> | undefined => child.events.find(({ name }) => name === "Halted");
  await child.until(() => halted() !== undefined);
  return halted()!;
}

/** What was acknowledged is there, in this process. */
async function expectAllIn(directory: string, child: ChildNode): Promise<void> {
  const node = await openTuned({ directory }, SMALL_LIMITS);
  closing.push(() => node.close());
  const there = new Set(await idsIn(node.database()));
  expect(child.acknowledged.length).toBeGreaterThan(0);
  expect(child.acknowledged.filter((id) => !there.has(id))).toEqual([]);
}

linuxTest("a directory in which nothing may be made any more ends the node, which says what to do", async () => {
  const directory = temporaryDirectory();
  const child = new ChildNode();
  closing.push(() => child.kill());
  // Once as root, so that all is loaded that nobody may not read.
  const other = path.join(directory, "other");
  expect(await child.ask({ do: "open", nodes: [{ directory: other }] })).toMatchObject({ type: "done" });
  await child.ask({ do: "close" });
  const own = path.join(directory, "own");
  fs.mkdirSync(own);
  fs.chmodSync(directory, 0o755);
  if (process.getuid!() === 0) {
    fs.chownSync(own, 65534, 65534);
    await child.ask({ do: "unprivileged" });
  }
  expect(await child.ask({ do: "open", nodes: [{ directory: own }] })).toMatchObject({ type: "done" });
  fs.chmodSync(own, 0o555);
  const { text } = await haltedBy(child, 1);
  expect(text).toMatch(new RegExp(`the disk failed at ${own}\\S* \\(EACCES: .*\\): give this user the right`));
  await child.kill();
  fs.chmodSync(own, 0o755);
  await expectAllIn(own, child);
});

linuxTest("a process that may open no more files ends the node, which says what to do", async () => {
  const directory = temporaryDirectory();
  const child = new ChildNode(100);
  closing.push(() => child.kill());
  expect(await child.ask({ do: "open", nodes: [{ directory }] })).toMatchObject({ type: "done" });
  await child.ask({ do: "exhaust" });
  const { text } = await haltedBy(child, 1);
  expect(text).toMatch(/the disk failed at .*\(EMFILE: .*\): .* raise its limit \(ulimit -n\)/);
  // In the same process a node starts once there are descriptors, and not before.
  await child.ask({ do: "close" });
  await child.ask({ do: "exhaust" });
  const refusal = await child.ask({ do: "open", nodes: [{ directory }] });
  expect(refusal).toMatchObject({ type: "failed", message: expect.stringContaining("ulimit -n") as string });
  await child.ask({ do: "release" });
  expect(await child.ask({ do: "open", nodes: [{ directory }] })).toMatchObject({ type: "done" });
  await child.kill();
  await expectAllIn(directory, child);
});
