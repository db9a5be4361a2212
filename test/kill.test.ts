/**
 * SIGKILL in loops, while transactions are written: whatever was acknowledged is there after each restart, whatever was
 * refused is not, and no transaction is there in part. One node, and a cluster of three of which all die at once.
 */
import path from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { expect, test } from "vitest";
import { open, type OpenOptions } from "../cli/index.ts";
import { freePorts } from "../cli/process-cluster.ts";
import { ChildNode, idsIn } from "./child-node.ts";
import { temporaryDirectory } from "./nodes.ts";
import { roundsOf, seededCase } from "./seed.ts";

const AT_ONCE = 6;

/** What is known of each id that was ever asked for, over all lives. */
class Ledger {
  private readonly acknowledged = new Set<number>();
  private readonly refused = new Set<number>();
  private last = 0;

  get next(): number {
    return this.last + 1;
  }

  /** A life is over. */
  add(child: ChildNode): void {
    for (const id of child.acknowledged) this.acknowledged.add(id);
    for (const { id, code } of child.refused) if (code !== "OutcomeUnknown") this.refused.add(id);
    // At most so many more were under way, and may be there.
    const answered = [...child.acknowledged, ...child.refused.map(({ id }) => id)];
    this.last = Math.max(this.last, ...answered) + AT_ONCE;
  }

  expectIn(ids: readonly number[], round: string): void {
    const there = new Set(ids);
    expect([...this.acknowledged].filter((id) => !there.has(id)), `acknowledged and gone in ${round}`).toEqual([]);
    expect(ids.filter((id) => this.refused.has(id)), `refused and there in ${round}`).toEqual([]);
    expect(ids.filter((id) => id > this.last), `never asked for and there in ${round}`).toEqual([]);
  }

  get size(): number {
    return this.acknowledged.size;
  }
}

async function killInLoops(nodes: readonly OpenOptions[], rounds: number, maxMs: number): Promise<Ledger> {
  const ledger = new Ledger();
  for (let round = 0; round <= rounds; round++) {
    const { random, repeat } = seededCase("test/kill.test.ts", round);
    const child = new ChildNode();
    try {
      expect(await child.ask({ do: "open", nodes }), repeat).toMatchObject({ type: "done" });
      const found = await child.ask({ do: "ids" });
      expect(found, repeat).toMatchObject({ type: "done" });
      if (found.type === "done") ledger.expectIn(found.ids!, repeat);
      if (round === rounds) break;
      child.tell({ do: "insert", from: ledger.next, count: null, atOnce: AT_ONCE });
      const count = random.integer(1, 40);
      await child.until(() => child.acknowledged.length >= count);
      await pause(random.integer(0, maxMs));
    } finally {
      await child.kill();
    }
    ledger.add(child);
  }
  return ledger;
}

test("a node that is killed in loops has all that it acknowledged", async () => {
  const directory = temporaryDirectory();
  const ledger = await killInLoops([{ directory, callTimeoutMs: 20_000 }], roundsOf(3), 200);
  expect(ledger.size).toBeGreaterThan(20);
}, 60_000 + 10_000 * roundsOf(0));

test("three nodes that are killed in loops, all at once, have all that they acknowledged", async () => {
  const directory = temporaryDirectory();
  const ids = ["a", "b", "c"];
  const ports = await freePorts(3);
  const cluster = Object.fromEntries(ids.map((id, at) => [id, `127.0.0.1:${ports[at]}`]));
  const nodes = ids.map((id) => ({ directory: path.join(directory, id), id, cluster, callTimeoutMs: 20_000 }));
  const ledger = await killInLoops(nodes, roundsOf(2), 300);
  expect(ledger.size).toBeGreaterThan(10);
}, 60_000 + 10_000 * roundsOf(0));

test("a directory that another process has open is refused by its name, and free once that is killed", async () => {
  const directory = temporaryDirectory();
  const child = new ChildNode();
  try {
    expect(await child.ask({ do: "open", nodes: [{ directory }] })).toMatchObject({ type: "done" });
    expect(await child.ask({ do: "insert", from: 1, count: 3, atOnce: 1 })).toMatchObject({ type: "done" });
    const refusal: unknown = await open({ directory }).then(() => null, (error: unknown) => error);
    expect(refusal).toMatchObject({ name: "OpenError", code: "DirectoryInUse", option: "directory" });
    expect(String(refusal)).toContain(`directory ${directory} is in use by process ${child.processId}`);
  } finally {
    await child.kill();
  }
  const node = await open({ directory });
  expect(await idsIn(node.database())).toEqual([1, 2, 3]);
  await node.close();
});
