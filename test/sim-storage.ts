/** The product's own storage over a simulated disk, one operation after the other: what tests of disks have on them. */
import type { StorageEffect, StorageLimits } from "../core/storage/boundary.ts";
import type { DiskOrder } from "../core/storage/disk.ts";
import { Storage } from "../core/storage/storage.ts";
import type { Entry, HardState, LogIndex, NodeId, Term, Ticket } from "../core/types.ts";
import { Chance } from "../sim/chance.ts";
import { SimulatedDisk } from "../sim/disk.ts";
import { Tally } from "../sim/tally.ts";
import { CLUSTER, INCARNATION } from "./durable-disks.ts";

export const A = "a" as NodeId;
const OTHERS = ["b", "c"] as NodeId[];
const KIB = 1024;
export const SMALL: StorageLimits = {
  segmentBytes: 16 * KIB, maxWriteBytes: 16 * KIB, maxLogBytes: 1024 * KIB, reserveBytes: 4 * KIB, scrubBytes: 64 * KIB,
  tickMs: 100,
};

/** A node of a cluster of three. */
export class StorageBench {
  readonly disk = new SimulatedDisk({ accessUs: 1, syncUs: 1, isSteady: false }, new Chance(1), new Tally(), true);
  readonly storage = new Storage({ node: A, limits: SMALL });
  /** What it said beside its orders. */
  readonly news: StorageEffect[] = [];
  private readonly orders: DiskOrder[] = [];
  private ticket = 0;
  private last = 0;

  constructor() {
    this.settle(this.storage.start());
    this.settle(this.storage.writeIdentity({ node: A, incarnation: INCARNATION, cluster: null }));
    const founders = [A, ...OTHERS].map((node) => ({ node, incarnation: INCARNATION }));
    const cluster = { id: CLUSTER, founders };
    this.settle(this.storage.writeIdentity({ node: A, incarnation: INCARNATION, cluster }));
  }

  /** One group of entries of term 1, each of one byte over and over; null: of its index. */
  appends(count: number, payloadSize = 100, payload: number | null = null): this {
    const entries = Array.from({ length: count }, (): Entry => {
      const index = ++this.last as LogIndex;
      return { term: 1 as Term, index, kind: "payload", payload: new Uint8Array(payloadSize).fill(payload ?? index) };
    });
    const hardState: HardState = { currentTerm: 1 as Term, votedFor: null };
    const ticket = ++this.ticket as Ticket;
    this.settle(this.storage.persist({ ticket, hardState, snapshot: null, truncateTo: null, entries }));
    return this;
  }

  /** Another leader's log goes on behind this entry, in term 2. */
  cutsTo(kept: number): this {
    const ticket = ++this.ticket as Ticket;
    const noop: Entry = { term: 2 as Term, index: (kept + 1) as LogIndex, kind: "noop", payload: new Uint8Array(0) };
    const hardState: HardState = { currentTerm: 2 as Term, votedFor: null };
    const order = { ticket, hardState, snapshot: null, truncateTo: kept as LogIndex, entries: [noop] };
    this.settle(this.storage.persist(order));
    this.last = kept + 1;
    return this;
  }

  /** The log rests. */
  ticks(): this {
    this.settle(this.storage.tick());
    return this;
  }

  private settle(effects: readonly StorageEffect[]): void {
    this.take(effects);
    for (let order; (order = this.orders.shift()) !== undefined;) {
      const { ticket, operation } = order;
      const outcome = this.disk.perform(this.disk.begin(0, operation));
      if (outcome.ok) this.take(this.storage.answered({ type: "DiskDone", ticket, result: outcome.result }));
      else this.take(this.storage.answered({ type: "DiskFailed", ticket, failure: outcome.failure }));
    }
  }

  private take(effects: readonly StorageEffect[]): void {
    for (const effect of effects) {
      if (effect.type === "Disk") this.orders.push(effect);
      else this.news.push(effect);
    }
  }
}
