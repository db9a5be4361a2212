/**
 * A Storage machine over a disk in memory, driven one disk operation at a time, with everything it said kept for
 * inspection. The machine itself checks its laws after every input.
 */
import { invariant } from "../core/invariant.ts";
import type { PersistOrder, Recovered, StorageEffect, StorageFault, StorageOptions } from "../core/storage/boundary.ts";
import type { DiskFailure, DiskOrder } from "../core/storage/disk.ts";
import { Storage } from "../core/storage/storage.ts";
import {
  type ClusterId, type Entry, type HardState, type Identity, type Incarnation, type LogIndex, type NodeId, type Term,
  type Ticket, memberIdOf,
} from "../core/types.ts";
import { MemoryDisk } from "./memory-disk.ts";

export const NODE_A = "a" as NodeId;

/** Node a of a cluster of its own. */
export const IDENTITY: Identity = {
  node: NODE_A,
  incarnation: "00112233445566aa" as Incarnation,
  cluster: {
    id: "c0".repeat(16) as ClusterId,
    founders: [{ node: NODE_A, incarnation: "00112233445566aa" as Incarnation }],
  },
};

/** Small steps, so that little runs cross them. */
export const OPTIONS: StorageOptions = {
  node: NODE_A,
  limits: { preallocateBytes: 8192, maxWriteBytes: 2048 },
};

type News = Exclude<StorageEffect, { type: "Disk" }>;

export class StorageRun {
  readonly disk: MemoryDisk;
  readonly storage: Storage;
  /** Handed out, not performed yet. */
  readonly orders: DiskOrder[] = [];
  /** Everything but disk operations, in the order in which it was said. */
  readonly news: News[] = [];

  constructor(disk: MemoryDisk, options: StorageOptions = OPTIONS) {
    this.disk = disk;
    this.storage = new Storage(options);
  }

  /** Takes an input; what it leads to is queued or noted. */
  take(input: (storage: Storage) => readonly StorageEffect[]): this {
    for (const effect of input(this.storage)) {
      if (effect.type === "Disk") this.orders.push({ ticket: effect.ticket, operation: effect.operation });
      else this.news.push(effect);
    }
    return this;
  }

  /** Performs the oldest operation on the disk; its answer is the machine's next input. */
  perform(): DiskOrder {
    const order = this.orders.shift();
    invariant(order !== undefined, "there is something to perform");
    const result = this.disk.perform(order.operation);
    this.take((storage) => storage.answered({ type: "DiskDone", ticket: order.ticket, result }));
    return order;
  }

  /** Lets the oldest operation fail. */
  fail(failure: DiskFailure): DiskOrder {
    const order = this.orders.shift();
    invariant(order !== undefined, "there is something that may fail");
    this.take((storage) => storage.answered({ type: "DiskFailed", ticket: order.ticket, failure }));
    return order;
  }

  /** Performs everything, `afterEach` operation a look. */
  settle(afterEach: () => void = () => {}): this {
    while (this.orders.length > 0) {
      this.perform();
      afterEach();
    }
    return this;
  }

  start(): this {
    return this.take((storage) => storage.start()).settle();
  }

  persist(order: PersistOrder): this {
    return this.take((storage) => storage.persist(order));
  }

  /** The last news of a kind. */
  last<T extends News["type"]>(type: T): Extract<News, { type: T }> | undefined {
    return this.news.findLast((news): news is Extract<News, { type: T }> => news.type === type);
  }

  get recovered(): Recovered {
    const recovered = this.last("Recovered")?.recovered;
    invariant(recovered !== undefined, `recovery succeeded: ${JSON.stringify(this.last("Failed"))}`);
    return recovered;
  }

  get fault(): StorageFault | null {
    return this.last("Failed")?.fault ?? null;
  }

  get persisted(): readonly Ticket[] {
    return this.news.flatMap((news) => (news.type === "Persisted" ? [news.ticket] : []));
  }

  /** The whole log, read back from the disk. */
  readAll(): Entry[] {
    const end = (this.storage.state?.durableIndex ?? 0) + 1;
    const entries: Entry[] = [];
    while (entries.length + 1 < end) {
      const from = (entries.length + 1) as LogIndex;
      this.take((storage) => storage.requestRead({ type: "apply" }, from, end as LogIndex, 1000)).settle();
      const read = this.last("EntriesRead")?.entries ?? [];
      invariant(this.fault === null && read.length > 0, `entries are read back: ${JSON.stringify(this.fault)}`);
      entries.push(...read);
    }
    return entries;
  }
}

/** A member's disk as bootstrap leaves it. */
export function bootstrapped(options: StorageOptions = OPTIONS, identity = IDENTITY): StorageRun {
  const run = new StorageRun(new MemoryDisk(), options).start();
  run.take((storage) => storage.writeIdentity({ ...identity, cluster: null })).settle();
  return run.take((storage) => storage.writeIdentity(identity)).settle();
}

/** Storage started anew over what a crash left. */
export function restarted(disk: MemoryDisk, options: StorageOptions = OPTIONS): StorageRun {
  return new StorageRun(disk, options).start();
}

export function entry(term: number, index: number, payload: Uint8Array | null = null): Entry {
  return {
    term: term as Term, index: index as LogIndex,
    kind: payload === null ? "noop" : "payload", payload: payload ?? new Uint8Array(0),
  };
}

/** `votedFor`: a node's name. */
export function hardState(currentTerm: number, votedFor: string | null): HardState {
  const vote = votedFor === null ? null : memberIdOf(votedFor as NodeId, IDENTITY.incarnation);
  return { currentTerm: currentTerm as Term, votedFor: vote };
}

/** An order; what is not said is not ordered. */
export function order(
  ticket: number, parts: { hardState?: HardState; truncateTo?: number; entries?: readonly Entry[] },
): PersistOrder {
  return {
    ticket: ticket as Ticket,
    hardState: parts.hardState ?? null,
    snapshot: null,
    truncateTo: (parts.truncateTo ?? null) as LogIndex | null,
    entries: parts.entries ?? [],
  };
}
