/**
 * A Storage machine over a disk in memory, driven one disk operation at a time, with everything it said kept for
 * inspection. The machine itself checks its laws after every input.
 */
import { invariant } from "../core/invariant.ts";
import { type Configuration, foundingConfiguration } from "../core/raft/configuration.ts";
import { encodeConfiguration } from "../core/raft/configuration-codec.ts";
import type { SnapshotId } from "../core/raft/message.ts";
import type { PersistOrder, Recovered, StorageEffect, StorageFault, StorageOptions } from "../core/storage/boundary.ts";
import type { DiskFailure, DiskOrder } from "../core/storage/disk.ts";
import { SEGMENT_HEADER_SIZE, isSegmentFile } from "../core/storage/segment-file.ts";
import { Storage } from "../core/storage/storage.ts";
import {
  type ClusterId, type Entry, type EntryId, type HardState, type Identity, type Incarnation, type LogIndex, type NodeId,
  type Term, type Ticket, memberIdOf,
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

/** Node a of a cluster of three: what its disk loses it can get from the others. */
export const OF_THREE: Identity = {
  ...IDENTITY,
  cluster: {
    id: IDENTITY.cluster!.id,
    founders: ["a", "b", "c"].map((node) => ({ node: node as NodeId, incarnation: IDENTITY.incarnation })),
  },
};

/** Small segments, of 4096 bytes of records, so that little runs cross them. */
export const OPTIONS: StorageOptions = {
  node: NODE_A,
  limits: {
    segmentBytes: SEGMENT_HEADER_SIZE + 4096, maxWriteBytes: 2048, maxLogBytes: 1_000_000, reserveBytes: 512,
    scrubBytes: 4096, tickMs: 1000,
  },
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

  /** Performs the oldest operation on the disk, or the one at a place; its answer is the machine's next input. */
  perform(at = 0): DiskOrder {
    const order = this.orders.splice(at, 1)[0];
    invariant(order !== undefined, "there is something to perform");
    const { ticket, operation } = order;
    const failure = this.disk.failureOf(operation);
    this.take((storage) => storage.answered(failure === null
      ? { type: "DiskDone", ticket, result: this.disk.perform(operation) }
      : { type: "DiskFailed", ticket, failure }));
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

  /** The whole log behind its base, read back from the disk. */
  readAll(): Entry[] {
    const base = this.storage.state?.base.index ?? 0;
    const end = (this.storage.state?.durableIndex ?? 0) + 1;
    const entries: Entry[] = [];
    while (base + entries.length + 1 < end) {
      const from = (base + entries.length + 1) as LogIndex;
      this.take((storage) => storage.requestRead({ type: "apply" }, from, end as LogIndex, 1000)).settle();
      const read = this.last("EntriesRead")?.entries ?? [];
      invariant(this.fault === null && read.length > 0, `entries are read back: ${JSON.stringify(this.fault)}`);
      entries.push(...read);
    }
    return entries;
  }

  compact(term: number, index: number): this {
    return this.take((storage) => storage.compact(id(term, index)));
  }

  /** A rest: what is due now and then is done. */
  tick(): this {
    return this.take((storage) => storage.tick()).settle();
  }

  close(): this {
    return this.take((storage) => storage.close()).settle();
  }

  /** The files of the log, ascending, those that stand ready included. */
  get segments(): string[] {
    return this.disk.names.filter(isSegmentFile);
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

export function id(term: number, index: number): EntryId {
  return { term: term as Term, index: index as LogIndex };
}

export function configurationOf(voters: readonly string[]): Configuration {
  return foundingConfiguration(voters.map((node) => memberIdOf(node as NodeId, IDENTITY.incarnation)));
}

export function configurationEntry(term: number, index: number, voters: readonly string[]): Entry {
  return { ...entry(term, index, encodeConfiguration(configurationOf(voters))), kind: "configuration" };
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
  ticket: number,
  parts: { hardState?: HardState; snapshot?: SnapshotId; truncateTo?: number; entries?: readonly Entry[] },
): PersistOrder {
  return {
    ticket: ticket as Ticket,
    hardState: parts.hardState ?? null,
    snapshot: parts.snapshot ?? null,
    truncateTo: (parts.truncateTo ?? null) as LogIndex | null,
    entries: parts.entries ?? [],
  };
}
