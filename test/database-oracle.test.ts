/**
 * The databases' oracle: replicas that agree pass, each way of differing is found, and so is a run without comparison.
 */
import { expect, test } from "vitest";
import type { FinalNode, ImageReader, Violation } from "../sim/oracles/boundary.ts";
import { DatabaseOracle } from "../sim/oracles/database-oracle.ts";
import type { LogIndex, NodeId } from "../core/types.ts";

const [A, B] = ["a" as NodeId, "b" as NodeId];
/** Nodes tell each other of each fourth state. */
const DIGEST_EVERY = 4;

function reader(verdict: string): ImageReader {
  return { open: () => ({ query: () => [], integrityCheck: () => verdict, close: () => undefined }) };
}

function oracle(): { readonly oracle: DatabaseOracle; readonly counts: { comparisons: number } } {
  const counts = { comparisons: 0, entriesCommitted: 0, elections: 0, clientReads: 0 };
  return { oracle: new DatabaseOracle(counts, DIGEST_EVERY), counts };
}

/** Each step: node, applied index, checksum. */
function play(steps: readonly (readonly [NodeId, number, number])[], judge = oracle()): Violation | null {
  for (const [node, index, checksum] of steps) {
    const seen = { appliedIndex: index as LogIndex, checksum };
    const found = judge.oracle.stepped(node, seen, 100 as LogIndex, 0 as LogIndex);
    if (found !== null) return found;
  }
  return null;
}

function end(node: NodeId, appliedIndex: number, checksum: number, bytes: readonly number[]): FinalNode {
  return { node, appliedIndex: appliedIndex as LogIndex, checksum, image: Uint8Array.from(bytes) };
}

test("equal checksums at equal indexes pass, and are counted once each time that a node arrives", () => {
  const judge = oracle();
  expect(play([[A, 1, 10], [A, 2, 20], [B, 2, 20], [B, 2, 20], [A, 2, 20]], judge)).toBeNull();
  expect(judge.counts.comparisons).toBe(1);
});

test("different checksums at one index are found, even of one node before and after a restart", () => {
  expect(play([[A, 2, 20], [B, 2, 21]])).toMatchObject({ oracle: "checksum", nodes: [A, B], index: 2 });
  const judge = oracle();
  expect(play([[A, 2, 20]], judge)).toBeNull();
  judge.oracle.started(A);
  expect(play([[A, 2, 21]], judge)?.oracle).toBe("checksum");
});

test("an applied state neither falls nor runs ahead of what was handed out", () => {
  expect(play([[A, 2, 20], [A, 1, 10]])?.oracle).toBe("monotonic");
  const { oracle: databases } = oracle();
  const seen = { appliedIndex: 3 as LogIndex, checksum: 0 };
  expect(databases.stepped(A, seen, 2 as LogIndex, 0 as LogIndex)?.oracle).toBe("order");
});

test.each([
  ["checksum", "checksums", [end(A, 2, 20, [1]), end(B, 2, 21, [1])], "ok"],
  ["checksum", "applied indexes", [end(A, 2, 20, [1]), end(B, 3, 20, [1])], "ok"],
  ["image", "bytes", [end(A, 2, 20, [1, 2]), end(B, 2, 20, [1, 3])], "ok"],
  ["image", "lengths", [end(A, 2, 20, [1, 2]), end(B, 2, 20, [1])], "ok"],
  ["integrity", "nothing, but are broken", [end(A, 2, 20, [1]), end(B, 2, 20, [1])], "row 3 missing from index"],
  ["image", "being there at all", [], "ok"],
])("%s: databases that differ at the end in %s are found", (name, _what, nodes, verdict) => {
  const judge = oracle();
  expect(play([[A, 1, 10], [B, 1, 10]], judge)).toBeNull();
  expect(judge.oracle.finished(nodes, reader(verdict))?.oracle).toBe(name);
});

test("equal databases pass at the end, unless nothing was ever compared", () => {
  const nodes = [end(A, 2, 20, [1]), end(B, 2, 20, [1])];
  const judge = oracle();
  play([[A, 1, 10], [B, 1, 10]], judge);
  expect(judge.oracle.finished(nodes, reader("ok"))).toBeNull();
  expect(oracle().oracle.finished(nodes, reader("ok"))?.oracle).toBe("checksum");
  expect(oracle().oracle.finished(nodes.slice(0, 1), reader("ok"))).toBeNull();
});

/** A's states are those of the table, with what is stored of them; a flip befalls it after the first. */
function flipAndPlay(steps: readonly (readonly [number, number, number])[]): DatabaseOracle {
  const judge = oracle();
  play(Array.from({ length: 20 }, (_, at) => [B, at + 1, 10 * (at + 1)] as const), judge);
  steps.forEach(([index, checksum, stored], at) => {
    const seen = { appliedIndex: index as LogIndex, checksum };
    expect(judge.oracle.stepped(A, seen, 100 as LogIndex, stored as LogIndex)).toBeNull();
    if (at === 0) judge.oracle.flipped(A);
  });
  return judge.oracle;
}

test("a changed state is excused until it is right, and until what is stored of it is", () => {
  expect(flipAndPlay([[1, 10, 0], [2, 21, 0], [3, 30, 0]]).isFlipped(A)).toBe(true);
  expect(flipAndPlay([[1, 10, 0], [2, 21, 0], [3, 30, 3]]).isFlipped(A)).toBe(false);
  expect(flipAndPlay([[1, 10, 0], [2, 21, 0], [3, 30, 3], [4, 40, 3]]).isFlipped(A)).toBe(false);
});

test("what a changed state has told others may be held against it for as long as it lives (model seed 141024)", () => {
  const told = flipAndPlay([[1, 10, 0], [5, 50, 5], [9, 90, 9]]);
  expect(told.isFlipped(A)).toBe(true);
  told.started(A);
  told.stepped(A, { appliedIndex: 9 as LogIndex, checksum: 90 }, 100 as LogIndex, 9 as LogIndex);
  expect(told.isFlipped(A)).toBe(false);
});

test("what a later life tells of a changed state is held against that life", () => {
  const changed = flipAndPlay([[1, 10, 0], [3, 31, 3]]);
  const step = (index: number, checksum: number): void => {
    changed.stepped(A, { appliedIndex: index as LogIndex, checksum }, 100 as LogIndex, index as LogIndex);
  };
  changed.started(A);
  step(3, 31);
  step(4, 41);
  step(5, 50);
  expect(changed.isFlipped(A)).toBe(true);
  changed.started(A);
  step(5, 50);
  expect(changed.isFlipped(A)).toBe(false);
});

test("a changed state that came to no comparison is left out at the end, one that did is not (seed 500052)", () => {
  const play3 = (last: number): Violation | null => {
    const judge = oracle();
    expect(play([[A, 5, 50], [B, 5, 50]], judge)).toBeNull();
    judge.oracle.flipped(B);
    expect(play([[A, last, 90], [B, last, 91]], judge)).toBeNull();
    return judge.oracle.finished([end(A, last, 90, [1]), end(B, last, 91, [2])], reader("ok"));
  };
  expect(play3(7)).toBeNull();
  expect(play3(8)?.oracle).toBe("checksum");
});
