/** The crash shadow: images of a sound disk vouch for what it vouches for; each way in which one does not is found. */
import { expect, test } from "vitest";
import { foundingConfiguration } from "../core/raft/configuration.ts";
import type { Recovered } from "../core/storage/boundary.ts";
import { MANIFEST_FILE } from "../core/storage/manifest.ts";
import type { EntryId, LogIndex, NodeId, Term } from "../core/types.ts";
import { NO_ENTRY } from "../core/types.ts";
import { Chance } from "../sim/chance.ts";
import { CrashShadow } from "../sim/crash-shadow.ts";
import type { RaftObservation } from "../sim/oracles/boundary.ts";
import { DurableNode } from "../sim/oracles/durable-node.ts";
import { judgeImage, type Shadow } from "../sim/oracles/shadow.ts";
import { memberOf } from "./durable-disks.ts";
import { A, SMALL, StorageBench } from "./sim-storage.ts";

const entry = (index: number, term = 1): EntryId => ({ term: term as Term, index: index as LogIndex });

/** A node whose log, in memory, ends here. */
function shown(last: EntryId): RaftObservation {
  const id = memberOf(A);
  return {
    id, role: "follower", currentTerm: 1 as Term, votedFor: null, base: NO_ENTRY, snapshot: NO_ENTRY, last,
    commitIndex: 0 as LogIndex, lastApplied: 0 as LogIndex, terms: last.index === 0 ? [] : [entry(1)],
    configuration: foundingConfiguration([id, memberOf("b" as NodeId)]), configurationIndex: 0 as LogIndex,
    isTransferring: false, lost: null, hasSpace: true,
  };
}

function shadowOf(bench: StorageBench, last: EntryId, isDamaged = false): Shadow {
  const disk = new DurableNode();
  disk.started(bench.disk);
  return { disk, shown: shown(last), isDamaged };
}

function imagesOf(bench: StorageBench, seed: number) {
  return [...new CrashShadow(SMALL).imagesOf(A, bench.disk, new Chance(seed).stream("shadow").next())];
}

test("every image of a disk whose writes are synced vouches for all of them", () => {
  const bench = new StorageBench().appends(3).appends(2);
  const shadow = shadowOf(bench, entry(5));
  for (let seed = 1; seed <= 5; seed++) {
    const images = imagesOf(bench, seed);
    expect(images.length).toBeGreaterThan(6);
    expect(images.map((image) => judgeImage(shadow, image))).toEqual(images.map(() => null));
  }
});

test("images of a disk with writes that are not synced vouch for what came before", () => {
  const bench = new StorageBench().appends(3);
  const shadow = shadowOf(bench, entry(9));
  const { disk } = bench;
  const bytes = new Uint8Array(700).fill(9);
  disk.perform(disk.begin(0, { type: "write", file: "log-0000000001", offset: 9000, bytes }));
  disk.begin(0, { type: "unlink", file: "reserve" });
  for (let seed = 1; seed <= 10; seed++) {
    const images = imagesOf(bench, seed);
    const judged = images.map((image) => [image.fate, judgeImage(shadow, image)]);
    expect(judged).toEqual(images.map(({ fate }) => [fate, null]));
  }
});

test("the shadow leaves the disk as it was", () => {
  const bench = new StorageBench().appends(3);
  const before = bench.disk.listDurable().map((name) => [name, [...bench.disk.durable(name)!]]);
  imagesOf(bench, 1);
  expect(bench.disk.listDurable().map((name) => [name, [...bench.disk.durable(name)!]])).toEqual(before);
});

/** What a start would have to say of the bench's disk. */
function sound(bench: StorageBench): Recovered {
  const [image] = imagesOf(bench, 1);
  if (image?.outcome.type !== "recovered") throw new Error("a sound disk is recovered");
  return image.outcome.recovered;
}

const BROKEN: readonly (readonly [string, (recovered: Recovered) => Partial<Recovered>])[] = [
  ["remembers term 0", () => ({ hardState: { currentTerm: 0 as Term, votedFor: null } })],
  ["ends at 1/2", ({ log }) => ({ log: { ...log, last: entry(2) } })],
  ["finds damage where there is none", () => {
    return { damage: [{ type: "corrupt", file: MANIFEST_FILE, offset: 0, detail: "" }] };
  }],
  ["says that all up to 1/9 is lost", () => ({ lost: entry(9) })],
  ["has no cluster", () => ({ identity: null })],
];

test.each(BROKEN)("an image that %s is found", (what, change) => {
  const bench = new StorageBench().appends(3);
  const recovered = sound(bench);
  const outcome = { type: "recovered", recovered: { ...recovered, ...change(recovered) }, restored: null } as const;
  expect(judgeImage(shadowOf(bench, entry(3)), { fate: "", outcome })).toContain(what);
});

test("an image that is refused, or cannot be restored, is found, unless the disk is damaged", () => {
  const bench = new StorageBench().appends(3);
  const fault = { type: "corrupt", file: "log-0000000001", offset: 0, detail: "" } as const;
  const refused = { fate: "", outcome: { type: "failed", fault } } as const;
  expect(judgeImage(shadowOf(bench, entry(3)), refused)).toContain("is refused");
  expect(judgeImage(shadowOf(bench, entry(3), true), refused)).toBeNull();
  const outcome = { type: "recovered", recovered: sound(bench), restored: "it is damaged" } as const;
  expect(judgeImage(shadowOf(bench, entry(3)), { fate: "", outcome })).toContain("cannot restore");
});

test("a damaged disk may have lost entries, if it says how far", () => {
  const bench = new StorageBench().appends(3);
  const recovered = sound(bench);
  const image = (lost: EntryId | null) => {
    const less = { ...recovered, lost, log: { ...recovered.log, last: entry(1) } };
    return { fate: "", outcome: { type: "recovered", recovered: less, restored: null } } as const;
  };
  expect(judgeImage(shadowOf(bench, entry(3), true), image(entry(3)))).toBeNull();
  expect(judgeImage(shadowOf(bench, entry(3), true), image(entry(2)))).toContain("its disk held 1/3");
});

test("what the node has cut from its log in memory may be gone from an image", () => {
  const bench = new StorageBench().appends(3);
  const recovered = sound(bench);
  const less = { ...recovered, log: { ...recovered.log, last: entry(2) } };
  const image = { fate: "", outcome: { type: "recovered", recovered: less, restored: null } } as const;
  expect(judgeImage(shadowOf(bench, entry(2)), image)).toBeNull();
});
