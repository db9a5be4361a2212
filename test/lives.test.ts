/** What a node does by itself when its disk fails, and when a majority has found that its state is wrong. */
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { setTimeout } from "node:timers/promises";
import { afterEach, expect, test } from "vitest";
import { connect, type Node, open, type OpenOptions, QuorumliteError } from "../cli/index.ts";
import { freePorts } from "../cli/process-cluster.ts";
import type { NodeInput } from "../core/node/boundary.ts";
import type { LogIndex } from "../core/types.ts";

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

function temporaryDirectory(): string {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), "quorumlite-lives-"));
  closing.push(() => fs.rmSync(directory, { recursive: true, force: true }));
  return directory;
}

async function openForTest(options: OpenOptions): Promise<Node> {
  const node = await open(options);
  closing.push(() => node.close());
  return node;
}

async function failureOf(promise: Promise<unknown>): Promise<QuorumliteError> {
  const error = await promise.then(() => null, (thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(QuorumliteError);
  return error as QuorumliteError;
}

const linuxTest = test.runIf(process.platform === "linux");

/** What is written to the open file fails from now on. */
function breakFile(node: Node, name: string): void {
  const files = node["lives"].driver["disk"]["descriptors"]["files"];
  const file = files.get(name)!;
  fs.closeSync(file.descriptor);
  files.set(name, { ...file, descriptor: fs.openSync("/dev/full", "r+") });
}

linuxTest("a disk that fails ends the node, and every call with what is known", async () => {
  const directory = temporaryDirectory();
  const node = await openForTest({ directory });
  const db = node.database();
  await db.exec("CREATE TABLE t (v)");
  // From now on the log's place takes nothing.
  const log = "log-0000000001";
  breakFile(node, log);
  expect((await failureOf(db.run("INSERT INTO t VALUES (1)"))).code).toBe("OutcomeUnknown");
  const sentence = new RegExp(`the disk failed at ${directory}/${log} \\(ENOSPC: .*\\): it is full: free space`);
  for (const call of [db.run("INSERT INTO t VALUES (2)"), db.get("SELECT * FROM t"), node.ready()]) {
    const error = await failureOf(call);
    expect(error.code).toBe("Closed");
    expect(error.message).toMatch(sentence);
  }
  expect(node.status().halted).toMatch(sentence);
  await node.close();
  // What was durable is there.
  const again = await openForTest({ directory });
  expect(await again.database().all("SELECT * FROM t")).toEqual([]);
});

test("a node that a majority has found wrong ends and begins anew, and nobody has to do anything", async () => {
  const events: string[] = [];
  const [port] = await freePorts(1);
  const address = `127.0.0.1:${port}`;
  const onEvent = ({ type }: { readonly type: string }): void => void events.push(type);
  const node = await openForTest({ directory: temporaryDirectory(), address, onEvent });
  const db = node.database();
  await db.exec("CREATE TABLE t (v)");
  const outside = await connect(address);
  closing.push(() => outside.close());
  await outside.run("INSERT INTO t VALUES (1)");
  const first = node["lives"].driver;
  quarantine(node);
  // Reads wait for the next life, from inside and from outside; of a write in the session of the last one nobody knows.
  const seen = [db.get("SELECT v FROM t"), outside.get("SELECT v FROM t")];
  expect((await failureOf(db.run("DELETE FROM t WHERE v = 0"))).code).toBe("OutcomeUnknown");
  expect(await Promise.all(seen)).toEqual([{ v: 1 }, { v: 1 }]);
  await db.run("INSERT INTO t VALUES (2)");
  expect(await db.all("SELECT v FROM t ORDER BY v")).toEqual([{ v: 1 }, { v: 2 }]);
  expect(node["lives"].driver).not.toBe(first);
  expect(node.status()).toMatchObject({ halted: null, leader: "node", address });
  expect(events.filter((type) => ["Restarting", "Recovered", "Halted", "Closed"].includes(type)))
    .toEqual(["Recovered", "Restarting", "Recovered"]);
  expect(await node.ready()).toBeUndefined();
  // The next one would begin after a pause: it is not waited for.
  quarantine(node);
  await setTimeout(20);
  await node.close();
  expect(events.at(-1)).toBe("Restarting");
});

/** As if a majority had said so. */
function quarantine(node: Node): void {
  const { driver } = node["lives"];
  const reason = { type: "quarantined", index: 1 as LogIndex, detail: "planted" } as const;
  driver["node"].step = () => [{ type: "Halt", reason }];
  driver["input"]({ type: "TimerFired" } satisfies NodeInput);
}
