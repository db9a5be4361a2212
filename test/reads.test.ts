/** Reads on every node of a real cluster, with and without a leader. */
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { expect, test } from "vitest";
import { connect, type Node, open, QuorumliteError } from "../cli/index.ts";
import { freePorts } from "../cli/process-cluster.ts";

const COUNT = "SELECT count(*) AS n FROM t";

async function withCluster(body: (nodes: readonly Node[], addresses: readonly string[]) => Promise<void>) {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), "quorumlite-reads-"));
  const ports = await freePorts(3);
  const addresses = ports.map((port) => `127.0.0.1:${port}`);
  const cluster = Object.fromEntries(["a", "b", "c"].map((id, at) => [id, addresses[at]!]));
  const nodes: Node[] = [];
  for (const [id, address] of Object.entries(cluster)) {
    nodes.push(await open({ directory: path.join(directory, id), id, address, cluster, callTimeoutMs: 1500 }));
  }
  await Promise.all(nodes.map((node) => node.ready()));
  try {
    await body(nodes, addresses);
  } finally {
    for (const node of nodes) await node.close();
    fs.rmSync(directory, { recursive: true });
  }
}

test("every node sees every acknowledged write; alone it still answers reads of its session", async () => {
  await withCluster(async (nodes, addresses) => {
    const [first, ...others] = nodes as [Node, ...Node[]];
    await first.database().exec("CREATE TABLE t (v)");
    for (let v = 0; v < 5; v++) {
      const [writer, ...readers] = [...nodes.slice(v % 3), ...nodes.slice(0, v % 3)] as [Node, ...Node[]];
      await writer.database().run("INSERT INTO t VALUES (?)", [v]);
      expect(await writer.database().get(COUNT, [], { consistency: "session" })).toEqual({ n: v + 1 });
      for (const reader of readers) expect(await reader.database().get(COUNT)).toEqual({ n: v + 1 });
    }
    const outside = await connect(addresses, { callTimeoutMs: 1500 });
    expect(await outside.all("SELECT v FROM t ORDER BY v")).toHaveLength(5);
    // Tried as a read, it turns out to write.
    expect(await outside.get("INSERT INTO t VALUES (5) RETURNING v")).toEqual({ v: 5 });
    await outside.close();
    expect(await first.database().get(COUNT)).toEqual({ n: 6 });

    for (const other of others) await other.close();
    expect(await first.database().get(COUNT, [], { consistency: "session" })).toEqual({ n: 6 });
    const failure = await first.database().get(COUNT).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(QuorumliteError);
    expect(failure).toMatchObject({ code: "Timeout" });
  });
});

test("a consistency that there is not is refused", async () => {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), "quorumlite-reads-"));
  const node = await open({ directory });
  const read = node.database().all("SELECT 1", [], { consistency: "eventual" as "session" });
  await expect(read).rejects.toThrow(/consistency is "eventual": pass "linearizable" or "session"/);
  await node.close();
  fs.rmSync(directory, { recursive: true });
});
