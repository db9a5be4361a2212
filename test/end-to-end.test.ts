/**
 * Three real processes, as compiled in dist/: what was acknowledged is there after a SIGKILL of the leader, its
 * restart, and a SIGKILL of all; and what a hostile caller sends to their ports hurts nobody.
 */
import fs from "node:fs";
import net from "node:net";
import os from "node:os";
import path from "node:path";
import { expect, test } from "vitest";
import { connect, type Database, QuorumliteError } from "../cli/index.ts";
import { ProcessCluster } from "../cli/process-cluster.ts";

const program = path.join(import.meta.dirname, "../dist/cli/quorumlite.js");

async function withCluster(body: (cluster: ProcessCluster, database: Database) => Promise<void>): Promise<void> {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), "quorumlite-e2e-"));
  const deaths: string[] = [];
  const cluster = await ProcessCluster.create(directory, program, {
    leads: () => {},
    died: (node, detail) => deaths.push(`${node}: ${detail}`),
  });
  for (const id of cluster.ids) cluster.start(id);
  const database = await connect(cluster.addresses, { callTimeoutMs: 15_000 });
  try {
    await body(cluster, database);
  } finally {
    await database.close();
    await cluster.killAll();
    fs.rmSync(directory, { recursive: true });
  }
  expect(deaths).toEqual([]);
}

const idsIn = async (database: Database): Promise<number[]> =>
  (await database.all<{ id: number }>("SELECT id FROM journal ORDER BY id")).map(({ id }) => id);

test("acknowledged inserts outlive the leader, and all three", async () => {
  await withCluster(async (cluster, database) => {
    await database.exec("CREATE TABLE journal (id INTEGER PRIMARY KEY, chance INTEGER)");
    const acknowledged: number[] = [];
    const unknown: number[] = [];
    const insert = async (id: number): Promise<void> => {
      try {
        await database.run("INSERT INTO journal VALUES (?, random())", [id]);
        acknowledged.push(id);
      } catch (error) {
        if (!(error instanceof QuorumliteError) || error.code !== "OutcomeUnknown") throw error;
        unknown.push(id);
      }
    };
    for (let id = 1; id <= 50; id++) await insert(id);
    const leader = cluster.leader!;
    const underWay = Array.from({ length: 8 }, (_, at) => insert(100 + at));
    await cluster.kill(leader);
    await Promise.all(underWay);
    await insert(200);
    cluster.start(leader);
    await insert(201);
    expect(cluster.leader).not.toBe(leader);
    expect(await cluster.converged(10_000)).toBe(true);
    await cluster.killAll();
    for (const id of cluster.ids) cluster.start(id);
    const ids = await idsIn(database);
    expect(acknowledged.filter((id) => !ids.includes(id))).toEqual([]);
    expect(ids.filter((id) => !acknowledged.includes(id) && !unknown.includes(id))).toEqual([]);
    expect(acknowledged.length).toBeGreaterThanOrEqual(52);
  });
});

test("garbage, an oversized frame and a silent caller on every port hurt nobody", async () => {
  await withCluster(async (cluster, database) => {
    await database.exec("CREATE TABLE journal (id INTEGER PRIMARY KEY)");
    const garbage = Buffer.alloc(100_000, "GET / HTTP/1.1\r\n");
    const oversized = Buffer.from("716c6631ffffffff0000000000000000", "hex");
    for (const id of cluster.ids) {
      for (const bytes of [garbage, oversized, Buffer.alloc(0)]) {
        const socket = net.connect(cluster.portOf(id), "127.0.0.1");
        socket.on("error", () => {});
        socket.write(bytes);
        if (bytes.length > 0) await new Promise((resolve) => socket.on("close", resolve));
        else socket.unref();
      }
    }
    for (let id = 1; id <= 20; id++) await database.run("INSERT INTO journal VALUES (?)", [id]);
    expect(await idsIn(database)).toHaveLength(20);
    for (const id of cluster.ids) expect(cluster.isAlive(id)).toBe(true);
  });
});
