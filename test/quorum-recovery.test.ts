/** A majority is gone for good: one survivor of three real nodes becomes a cluster of its own, and grows again. */
import fs from "node:fs";
import { expect, test } from "vitest";
import { inspectDirectory, open, readLastEntry, recoverFromQuorumLoss, verifyDirectory } from "../cli/index.ts";
import { closing, Nodes, until } from "./nodes.ts";

/** Three nodes that have stored the rows 1 to 20 and closed; of a and b the disks are gone. */
async function survivor(): Promise<Nodes> {
  const nodes = await Nodes.create(3);
  await nodes.found("a", "b", "c");
  const database = (await nodes.leader()).database();
  await database.exec("CREATE TABLE t (x INTEGER PRIMARY KEY)");
  for (let x = 1; x <= 20; x++) await database.run("INSERT INTO t VALUES (?)", [x]);
  const { lastIndex } = (await nodes.leader()).status();
  await until(() => nodes.running.get("c")!.status().appliedIndex >= lastIndex, "c has all of it");
  for (const id of ["a", "b", "c"]) await nodes.close(id);
  for (const id of ["a", "b"]) nodes.wipe(id);
  return nodes;
}

test("a survivor of three goes on alone with all that it has, and the others come back empty", async () => {
  const nodes = await survivor();
  const directory = nodes.directoryOf("c");
  const before = await inspectDirectory(directory);
  expect(await readLastEntry(directory)).toMatchObject({ ...before.last });
  const report = await recoverFromQuorumLoss(directory);
  const { cluster: oldCluster, last } = before;
  expect(report).toMatchObject({ directory, id: "c", oldCluster, last, lost: null, damage: [] });
  expect(report.leftOut.map(({ id, role }) => `${id} ${role}`)).toEqual(["a voter", "b voter"]);
  expect(report.newCluster).not.toBe(before.cluster);
  expect(await verifyDirectory(directory)).toMatchObject({ ok: true, remarks: [] });
  await expect(recoverFromQuorumLoss(directory)).rejects.toMatchObject({ code: "NothingToRecover" });

  const c = await nodes.open("c", {});
  await c.database().run("INSERT INTO t VALUES (21)");
  for (const id of ["a", "b"]) {
    await nodes.open(id, { join: nodes.among("c") });
    await nodes.ask((leader) => leader.addMember({ id }));
  }
  await nodes.agree("a voter, b voter, c voter");
  for (const node of nodes.running.values()) {
    expect(node.status().cluster).toBe(report.newCluster);
    expect(await node.database().get("SELECT count(*) AS n, max(x) AS x FROM t")).toEqual({ n: 21, x: 21 });
  }
});

test("a running node is not recovered, and none starts while it is", async () => {
  const nodes = await Nodes.create(1);
  await (await nodes.open("a", {})).ready();
  await expect(recoverFromQuorumLoss(nodes.directoryOf("a"))).rejects.toMatchObject({
    code: "DirectoryInUse", message: expect.stringContaining("this very process"),
  });
  await nodes.close("a");
  const recovering = recoverFromQuorumLoss(nodes.directoryOf("a")).catch((error: Error) => error);
  await expect(open({ directory: nodes.directoryOf("a"), id: "a" })).rejects.toMatchObject({ code: "DirectoryInUse" });
  expect(await recovering).toMatchObject({ code: "NothingToRecover" });
});

test("the old majority and the recovered survivor never hear each other", async () => {
  const nodes = await Nodes.create(3);
  await nodes.found("a", "b", "c");
  await (await nodes.leader()).database().exec("CREATE TABLE t (x INTEGER PRIMARY KEY)");
  for (const id of ["a", "b", "c"]) await nodes.close(id);
  const { newCluster, oldCluster } = await recoverFromQuorumLoss(nodes.directoryOf("c"));
  const cluster = nodes.among("a", "b", "c");
  const all = await Promise.all(["a", "b", "c"].map((id) => nodes.open(id, { cluster })));
  await Promise.all(all.map((node) => node.ready()));
  expect(all.map((node) => node.status().cluster)).toEqual([oldCluster, oldCluster, newCluster]);
  expect(all[2]!.status()).toMatchObject({ leader: "c", members: [{ id: "c", role: "voter" }] });
  for (const node of [all[0]!, all[2]!]) await node.database().run("INSERT INTO t VALUES (1)");
});

test("what a damaged log has lost is said, and only accepted in so many words", async () => {
  const nodes = await survivor();
  const directory = nodes.directoryOf("c");
  const sound = (await inspectDirectory(directory)).last!;
  const log = fs.openSync(`${directory}/log-0000000001`, "r+");
  closing.push(() => fs.closeSync(log));
  // Somewhere in the middle of the entries.
  fs.writeSync(log, new Uint8Array(4096).fill(7), 0, 4096, 64 * 1024);
  const refused = await recoverFromQuorumLoss(directory).catch((error: Error) => error);
  expect(refused).toMatchObject({ code: "LossNotAccepted", option: "acceptLoss" });
  expect((refused as Error).message).toMatch(/log-0000000001 is damaged at offset \d+/);
  const report = await recoverFromQuorumLoss(directory, { acceptLoss: true });
  expect(report.last.index).toBeLessThan(sound.index);
  expect(report.lost!.index).toBeGreaterThanOrEqual(sound.index);
  expect(report.damage).toEqual([expect.stringContaining("log-0000000001")]);
  const c = await nodes.open("c", {});
  const { n } = (await c.database().get<{ n: number }>("SELECT count(*) AS n FROM t"))!;
  expect(n).toBeGreaterThan(0);
  expect(n).toBeLessThan(20);
  expect(await c.database().get("PRAGMA integrity_check")).toEqual({ integrity_check: "ok" });
  await nodes.close("c");

  // And nothing is made of a directory that does not say whose it is.
  fs.truncateSync(`${directory}/identity`, 100);
  const files = fs.readdirSync(directory).sort();
  await expect(recoverFromQuorumLoss(directory, { acceptLoss: true })).rejects.toMatchObject({
    code: "CorruptData", message: expect.stringContaining("identity"),
  });
  expect(fs.readdirSync(directory).sort()).toEqual(files);
});
