/**
 * Storage against its dumb twin (test/storage-twin.ts): random orders, snapshots and compactions, operations performed
 * a few at a time and in any order between files, kills, losses of power and clean closes, over and over on the same
 * disk. After each restart the twin must allow what was found, and every entry comes back as it was given.
 */
import { expect, test } from "vitest";
import fc from "fast-check";
import { Random } from "../core/random.ts";
import type { SnapshotId } from "../core/raft/message.ts";
import { filesOf } from "../core/storage/disk-queue.ts";
import type { DiskOrder } from "../core/storage/disk.ts";
import { isSegmentFile } from "../core/storage/segment-file.ts";
import { type Entry, type EntryId, type HardState, NO_ENTRY } from "../core/types.ts";
import {
  type StorageRun, NODE_A, OPTIONS, bootstrapped, entry, hardState, id, order, restarted,
} from "../test/storage-run.ts";
import { streamAt } from "../test/storage-snapshots.ts";
import { StorageTwin, TwinRun, foundIn } from "../test/storage-twin.ts";
import { examples } from "./chance.ts";

type Action =
  | { readonly type: "append"; readonly sizes: readonly number[]; readonly newTerm: boolean }
  | { readonly type: "replace"; readonly keep: number; readonly sizes: readonly number[] }
  | { readonly type: "vote" }
  /** A snapshot of the node's own, so many entries before the last that is durable. */
  | { readonly type: "store"; readonly before: number }
  /** So many entries before what the stored snapshot has. */
  | { readonly type: "compact"; readonly before: number }
  /** A snapshot from elsewhere: so many entries before or behind the last one. */
  | { readonly type: "install"; readonly from: number; readonly newTerm: boolean }
  | { readonly type: "perform"; readonly count: number }
  | { readonly type: "powerLoss" | "kill" | "close" };

const ENDS = ["powerLoss", "kill", "close"] as const;
const sizes = fc.array(fc.oneof(fc.constant(-1), fc.nat(100), fc.nat(1500)), { minLength: 1, maxLength: 4 });
const action: fc.Arbitrary<Action> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ type: fc.constant("append" as const), sizes, newTerm: fc.boolean() }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant("replace" as const), keep: fc.nat(99), sizes }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant("vote" as const) }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant("store" as const), before: fc.nat(3) }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant("compact" as const), before: fc.nat(3) }) },
  { weight: 1, arbitrary: fc.record({
    type: fc.constant("install" as const), from: fc.integer({ min: -3, max: 3 }),
    newTerm: fc.boolean(),
  }) },
  { weight: 6, arbitrary: fc.record({ type: fc.constant("perform" as const), count: fc.nat(9) }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constantFrom(...ENDS) }) },
);

/** One node's disk through several process lives. */
class Lives {
  /** Restarts that found a torn tail: a run that tears nothing tests little. */
  torn = 0;
  /** Restarts that found a log behind a base, and installed snapshots that replaced it. */
  compacted = 0;
  installed = 0;
  private life = new TwinRun(bootstrapped(SMALL));
  /** What is in the log once all orders are performed, and what it begins behind. */
  private entries: Entry[] = [];
  private base: EntryId = NO_ENTRY;
  private hardState: HardState = hardState(0, null);
  /** The newest snapshot once everything is performed. */
  private snapshot: EntryId | null = null;
  private isStoring = false;
  private readonly random: Random;

  constructor(seed: number) {
    this.random = Random.fromNumber(seed);
  }

  private get run(): StorageRun {
    return this.life.run;
  }

  take(action: Action): void {
    switch (action.type) {
      case "append":
        return this.append(null, action.sizes, action.newTerm || this.hardState.currentTerm === 0);
      case "replace":
        // Only a new leader's entries replace others, and never what a snapshot has.
        return this.append(Math.max(this.snapshotIndex, Math.min(action.keep, this.lastIndex)), action.sizes, true);
      case "vote":
        if (this.hardState.votedFor === null) this.hardState = hardState(this.hardState.currentTerm, NODE_A);
        return this.give({ hardState: this.hardState });
      case "store":
        return this.store(this.lastIndex - action.before);
      case "compact":
        return this.compact(this.snapshotIndex - action.before);
      case "install":
        return this.install(Math.max(1, this.lastIndex + action.from), action.newTerm);
      case "perform":
        for (let count = 0; count < action.count && this.run.orders.length > 0; count++) this.performAny();
        return this.note();
      case "powerLoss":
        this.performSome();
        return this.restart(restarted(this.run.disk.randomImage(this.random), SMALL));
      case "kill":
        return this.restart(restarted(this.run.disk.killed(), SMALL));
      case "close":
        this.run.take((storage) => storage.close());
        this.life.settle();
        this.note();
        expect(this.life.twin.acknowledged, "closing finishes every order").toBe(this.life.twin.orders.length);
        return this.restart(restarted(this.run.disk.randomImage(this.random), SMALL));
    }
  }

  private get lastIndex(): number {
    return this.base.index + this.entries.length;
  }

  private get snapshotIndex(): number {
    return this.snapshot?.index ?? 0;
  }

  /** The term of an entry of the log, or of its base; null: it is neither. */
  private termAt(index: number): number | null {
    if (index === this.base.index) return this.base.term;
    return this.entries[index - this.base.index - 1]?.term ?? null;
  }

  private append(truncateTo: number | null, payloadSizes: readonly number[], newTerm: boolean): void {
    if (newTerm) this.hardState = hardState(this.hardState.currentTerm + 1, null);
    const term = this.hardState.currentTerm;
    if (truncateTo !== null) this.entries = this.entries.slice(0, truncateTo - this.base.index);
    const from = this.lastIndex + 1;
    const added = payloadSizes.map((size, at) => entry(term, from + at, size < 0 ? null : this.random.bytes(size)));
    this.entries = [...this.entries, ...added];
    const parts = { ...(newTerm ? { hardState: this.hardState } : {}), ...(truncateTo === null ? {} : { truncateTo }) };
    this.give({ ...parts, entries: added });
  }

  private store(index: number): void {
    const term = this.termAt(index);
    if (this.isStoring || term === null || index <= this.snapshotIndex) return;
    this.isStoring = true;
    this.snapshot = id(term, index);
    this.life.store(this.snapshot);
  }

  private compact(index: number): void {
    const term = this.termAt(index);
    // Nothing is compacted before the snapshot that has it is acknowledged.
    if (term === null || index <= this.base.index || this.isStoring) return;
    this.life.compact(id(term, index));
    this.entries = this.entries.slice(index - this.base.index);
    this.base = id(term, index);
  }

  private install(index: number, newTerm: boolean): void {
    if (index <= this.snapshotIndex) return;
    const held = newTerm ? null : this.termAt(index);
    if (held === null) this.hardState = hardState(this.hardState.currentTerm + 1, null);
    const entry = id(held ?? this.hardState.currentTerm, index);
    const snapshot = this.receive(entry);
    this.snapshot = entry;
    if (held === null) [this.base, this.entries] = [entry, []];
    if (held === null) this.installed++;
    this.give({ ...(held === null ? { hardState: this.hardState } : {}), snapshot });
  }

  /** All of it, in pieces that overlap and come again, each once the one before is stored; never with a hole. */
  private receive(entry: EntryId): SnapshotId {
    const { snapshot, bytes } = streamAt(entry);
    for (let there = 0; there < snapshot.size;) {
      const from = this.random.oneIn(3) ? this.random.integer(0, there) : there;
      const end = Math.min(snapshot.size, from + this.random.integer(100, 3000));
      const heard = this.run.news.length;
      this.run.take((storage) => storage.storeChunk(snapshot, from, bytes.slice(from, end)));
      let stored = undefined;
      while (stored === undefined) {
        stored = this.run.news.slice(heard).find((news) => news.type === "ChunkStored");
        if (stored === undefined) this.performAny();
      }
      there = stored.end ?? 0;
    }
    return snapshot;
  }

  /** Perhaps as much as to leave a write to the log that no sync has followed. */
  private performSome(): void {
    let isWritten = this.random.oneIn(2);
    while (!isWritten && this.run.orders.length > 0) {
      const { operation } = this.performAny();
      isWritten = operation.type === "write" && isSegmentFile(operation.file);
    }
  }

  /** Performs the next operation of any file. */
  private performAny(): DiskOrder {
    const files = this.run.orders.map(({ operation }) => filesOf(operation));
    const ready = files.flatMap((names, at) => {
      const waits = files.slice(0, at).some((before) => before.some((name) => names.includes(name)));
      return waits ? [] : [at];
    });
    return this.life.perform(this.random.pick(ready));
  }

  private give(parts: Parameters<typeof order>[1]): void {
    this.life.persist(order(this.life.twin.orders.length + 1, parts));
    this.note();
  }

  private note(): void {
    expect(this.run.fault).toBeNull();
    expect(this.run.persisted, "tickets are answered in order").toEqual(this.run.persisted.map((_, at) => at + 1));
    this.isStoring &&= this.life.twin.stored.length < this.life.twin.stores;
  }

  private restart(next: StorageRun): void {
    expect(next.fault).toBeNull();
    const found = foundIn(next);
    expect(this.life.twin.judge(found)).toBeNull();
    if (next.recovered.tornBytes > 0) this.torn++;
    if (found.base.index > 0) this.compacted++;
    // The next life begins with what was found.
    this.life = new TwinRun(next, new StorageTwin(found));
    this.entries = next.readAll();
    this.base = found.base;
    this.hardState = found.hardState;
    this.snapshot = found.snapshot?.entry ?? null;
    this.isStoring = false;
  }
}

const SMALL = { ...OPTIONS, limits: { ...OPTIONS.limits, maxWriteBytes: 1500 } };

test("after any crashes storage holds what was acknowledged, and nothing that was not ordered", () => {
  const tally = { torn: 0, compacted: 0, installed: 0 };
  const story = fc.array(action, { minLength: 5, maxLength: 60, size: "max" });
  const property = fc.property(story, fc.nat(), (actions, seed) => {
    const lives = new Lives(seed);
    for (const one of actions) lives.take(one);
    lives.take({ type: "powerLoss" });
    tally.torn += lives.torn;
    tally.compacted += lives.compacted;
    tally.installed += lives.installed;
  });
  fc.assert(property, examples(100));
  expect(tally.torn, "restarts that found a torn tail").toBeGreaterThan(5);
  expect(tally.compacted, "restarts that found a log behind a base").toBeGreaterThan(20);
  expect(tally.installed, "snapshots that replaced the log").toBeGreaterThan(20);
});
