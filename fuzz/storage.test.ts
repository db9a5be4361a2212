/**
 * Storage against its dumb twin (test/storage-twin.ts): random orders, operations performed a few at a time, kills,
 * losses of power and clean closes, over and over on the same disk. After each restart the twin must allow what was
 * found, and every entry comes back as it was given.
 */
import { expect, test } from "vitest";
import fc from "fast-check";
import { Random } from "../core/random.ts";
import type { PersistOrder } from "../core/storage/boundary.ts";
import type { Entry, HardState } from "../core/types.ts";
import { type StorageRun, NODE_A, OPTIONS, bootstrapped, entry, hardState, order, restarted } from "../test/storage-run.ts";
import { StorageTwin, logOf, wordOf } from "../test/storage-twin.ts";
import { examples } from "./chance.ts";

type Action =
  | { readonly type: "append"; readonly sizes: readonly number[]; readonly newTerm: boolean }
  | { readonly type: "replace"; readonly keep: number; readonly sizes: readonly number[] }
  | { readonly type: "vote" }
  | { readonly type: "perform"; readonly count: number }
  | { readonly type: "powerLoss" | "kill" | "close" };

const ENDS = ["powerLoss", "kill", "close"] as const;
const sizes = fc.array(fc.oneof(fc.constant(-1), fc.nat(100), fc.nat(1500)), { minLength: 1, maxLength: 4 });
const action: fc.Arbitrary<Action> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ type: fc.constant("append" as const), sizes, newTerm: fc.boolean() }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant("replace" as const), keep: fc.nat(99), sizes }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant("vote" as const) }) },
  { weight: 6, arbitrary: fc.record({ type: fc.constant("perform" as const), count: fc.nat(5) }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constantFrom(...ENDS) }) },
);

/** One node's disk through several process lives. */
class Lives {
  /** Restarts that found a torn tail: a run that tears nothing tests little. */
  torn = 0;
  private run: StorageRun = bootstrapped(SMALL);
  private twin = new StorageTwin();
  /** What is in the log once all orders are performed. */
  private entries: Entry[] = [];
  private hardState: HardState = hardState(0, null);
  private readonly random: Random;

  constructor(seed: number) {
    this.random = Random.fromNumber(seed);
  }

  take(action: Action): void {
    switch (action.type) {
      case "append":
        return this.append(null, action.sizes, action.newTerm || this.hardState.currentTerm === 0);
      case "replace":
        // Only a new leader's entries replace others.
        return this.append(Math.min(action.keep, this.entries.length), action.sizes, true);
      case "vote":
        if (this.hardState.votedFor === null) this.hardState = hardState(this.hardState.currentTerm, NODE_A);
        return this.give(order(this.nextTicket(), { hardState: this.hardState }));
      case "perform":
        for (let count = 0; count < action.count && this.run.orders.length > 0; count++) this.run.perform();
        return this.note();
      case "powerLoss":
        return this.restart(restarted(this.run.disk.randomImage(this.random), SMALL));
      case "kill":
        return this.restart(restarted(this.run.disk.killed(), SMALL));
      case "close":
        this.run.take((storage) => storage.close()).settle();
        this.note();
        expect(this.twin.acknowledged, "closing finishes every order").toBe(this.twin.orders.length);
        return this.restart(restarted(this.run.disk.randomImage(this.random), SMALL));
    }
  }

  private append(truncateTo: number | null, payloadSizes: readonly number[], newTerm: boolean): void {
    if (newTerm) this.hardState = hardState(this.hardState.currentTerm + 1, null);
    const term = this.hardState.currentTerm;
    if (truncateTo !== null) this.entries = this.entries.slice(0, truncateTo);
    const from = this.entries.length + 1;
    const added = payloadSizes.map((size, at) => entry(term, from + at, size < 0 ? null : this.random.bytes(size)));
    this.entries = [...this.entries, ...added];
    const parts = { ...(newTerm ? { hardState: this.hardState } : {}), ...(truncateTo === null ? {} : { truncateTo }) };
    this.give(order(this.nextTicket(), { ...parts, entries: added }));
  }

  private nextTicket(): number {
    return this.twin.orders.length + 1;
  }

  private give(given: PersistOrder): void {
    this.twin.orders.push(given);
    this.run.persist(given);
    this.note();
  }

  private note(): void {
    this.twin.acknowledged = this.run.persisted.length;
    expect(this.run.persisted, "tickets are answered in order").toEqual(this.run.persisted.map((_, at) => at + 1));
  }

  private restart(next: StorageRun): void {
    expect(next.fault).toBeNull();
    const found = logOf(next);
    expect(this.twin.judge(found, next.recovered.hardState)).toBeNull();
    if (next.recovered.tornBytes > 0) this.torn++;
    this.run = next;
    this.entries = next.readAll();
    expect(this.entries.map(wordOf)).toEqual(found);
    this.hardState = next.recovered.hardState;
    // The next life begins with what was found, as if it were one order that is acknowledged.
    this.twin = new StorageTwin(this.entries, this.hardState);
  }
}

const SMALL = { ...OPTIONS, limits: { preallocateBytes: 2048, maxWriteBytes: 1500 } };

test("after any crashes storage holds what was acknowledged, and nothing that was not ordered", () => {
  let torn = 0;
  const story = fc.array(action, { minLength: 5, maxLength: 60, size: "max" });
  const property = fc.property(story, fc.nat(), (actions, seed) => {
    const lives = new Lives(seed);
    for (const one of actions) lives.take(one);
    lives.take({ type: "powerLoss" });
    torn += lives.torn;
  });
  fc.assert(property, examples(120));
  expect(torn, "restarts that found a torn tail").toBeGreaterThan(5);
});
