/** What a node's disk vouches for, as the judge follows it. */
import { expect, test } from "vitest";
import type { LogIndex, Term } from "../core/types.ts";
import { DurableNode } from "../sim/oracles/durable-node.ts";
import { isSegmentFile } from "../core/storage/segment-file.ts";
import { StorageBench } from "./sim-storage.ts";

const entry = (term: number, index: number) => ({ term: term as Term, index: index as LogIndex });

test("what a start has to find may be cut by what a crash has left in the cache (seed 400160)", () => {
  const bench = new StorageBench().appends(3, 100);
  const node = new DurableNode();
  node.started(bench.disk);
  expect(node.lastBefore).toEqual(entry(1, 3));
  bench.cutsTo(2);
  for (const name of bench.disk.listDurable().filter(isSegmentFile)) node.synced(name, bench.disk);
  expect(node.lastBefore).toEqual(entry(1, 2));
  expect(node.hasLost).toBe(false);
});
