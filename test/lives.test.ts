/** What a node does by itself when its disk fails, and when a majority has found that its state is wrong. */
import fs from "node:fs";
import { setTimeout } from "node:timers/promises";
import { expect, test } from "vitest";
import { connect, type Node, open, type OpenOptions, QuorumliteError } from "../cli/index.ts";
import { freePorts } from "../cli/process-cluster.ts";
import type { NodeInput } from "../core/node/boundary.ts";
import { ENGINE_SEED_SIZE } from "../core/database/engine.ts";
import type { LogIndex } from "../core/types.ts";
import { FlippableEngines } from "../sim/memory-flip.ts";
import { idsIn, insert, SCHEMA } from "./child-node.ts";
import { closing, Nodes, temporaryDirectory, until } from "./nodes.ts";
import { SMALL_LIMITS } from "./small-limits.ts";

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

test("a node whose memory is wrong is found by the others, and ends with the same bytes as they", async () => {
  const nodes = await Nodes.create(3, { ...SMALL_LIMITS, digestEvery: 16 });
  await nodes.found("a", "b", "c");
  const leader = await nodes.leader();
  await leader.database().exec(`${SCHEMA} CREATE TABLE ticks (n); INSERT INTO ticks VALUES (0);`);
  const wrong = [...nodes.running.values()].find((node) => node !== leader)!;
  const first = wrong["lives"].driver;
  const engineOf = (node: Node) => node["lives"].driver["node"].database.engine;
  const engines = new FlippableEngines({ create: () => engineOf(wrong) });
  engines.create(new Uint8Array(ENGINE_SEED_SIZE), { maxPayloadBytes: 0, maxResultBytes: 0 });
  let count = 0;
  while (count < 20) await insert(leader.database(), ++count);
  await until(() => engines.flip(new Uint8Array(ENGINE_SEED_SIZE)), "a bit of its first page flips");
  await until(async () => {
    // What makes the database grow would write its first page anew.
    await leader.database().run("UPDATE ticks SET n = n + 1");
    return wrong["lives"].driver !== first && wrong["lives"].living !== null;
  }, "it begins anew");
  await insert(leader.database(), ++count);
  await until(() => {
    const states = [...nodes.running.values()].map((node) => node.status());
    return new Set(states.map(({ appliedIndex }) => appliedIndex)).size === 1 && wrong.status().storage.lost === null;
  }, "it has caught up");
  expect(await idsIn(wrong.database())).toEqual(Array.from({ length: count }, (_, at) => at + 1));
  const images = [...nodes.running.values()].map((node) => engineOf(node).image());
  for (const image of images) expect(Buffer.compare(image, images[0]!)).toBe(0);
  expect(leader.status().leader).toBe(leader.status().id);
  expect([...nodes.running.values()].map((node) => node.status().halted)).toEqual([null, null, null]);
});
