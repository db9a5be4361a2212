/**
 * Directories in memory as a member leaves them: entries whose payloads change pages of a small database, with a
 * snapshot somewhere in between. Made by Storage itself, so that what is read offline is what is written online.
 */
import { crc32c } from "../core/checksum.ts";
import { invariant } from "../core/invariant.ts";
import type { PageCut } from "../core/pages/page-cut.ts";
import { PageImage } from "../core/pages/page-image.ts";
import { foundingConfiguration } from "../core/raft/configuration.ts";
import type { PersistOrder, StorageEffect, StorageLimits } from "../core/storage/boundary.ts";
import { Storage } from "../core/storage/storage.ts";
import {
  type ClusterId, type Entry, type EntryId, type Identity, type Incarnation, type LogIndex, type NodeId, type Term,
  type Ticket, memberIdOf,
} from "../core/types.ts";
import { encodePayload } from "../core/wal/payload.ts";
import { MemoryDisk } from "./memory-disk.ts";

export const PAGE_SIZE = 512;

/** Small steps, so that little databases cross them. */
export const LIMITS: StorageLimits = {
  segmentBytes: 16 * 1024, maxWriteBytes: 2048, maxLogBytes: 1024 * 1024, reserveBytes: 4096, scrubBytes: 4096,
  tickMs: 1000,
};

const founder = (node: string, incarnation: string) => {
  return { node: node as NodeId, incarnation: incarnation.repeat(8) as Incarnation };
};

/** Node a of a cluster of three. */
export const IDENTITY: Identity = {
  ...founder("a", "aa"),
  cluster: { id: "c0".repeat(16) as ClusterId, founders: [founder("a", "aa"), founder("b", "bb"), founder("c", "cc")] },
};

export const CONFIGURATION = foundingConfiguration(
  IDENTITY.cluster!.founders.map(({ node, incarnation }) => memberIdOf(node, incarnation)),
);

export function entryId(term: number, index: number): EntryId {
  return { term: term as Term, index: index as LogIndex };
}

/** Its page `number` consists of this byte. */
function filled(byte: number): Uint8Array {
  return new Uint8Array(PAGE_SIZE).fill(byte);
}

/** Entry `index` fills pages 1 and 2 + index % 5 with its index: the database has as many pages as that takes. */
export function entryAt(term: number, index: number): Entry {
  const pageCount = Math.min(index + 1, 6);
  const numbers = index < 6 ? [1, pageCount] : [1, 2 + (index % 5)];
  const pages = numbers.map((number) => ({ number, bytes: filled(index) }));
  const { payload } = encodePayload(PAGE_SIZE, pageCount, pages);
  return { ...entryId(term, index), kind: "payload", payload };
}

/** What the first entries make of an empty database. */
export function imageAfter(last: number): PageImage {
  const image = PageImage.ofEmptyDatabase(PAGE_SIZE);
  for (let index = 1; index <= last; index++) invariant(image.apply(entryAt(1, index).payload) === null, "it applies");
  return image;
}

/** All pages of an image, as a checkpoint takes them. */
function cutOf(image: PageImage): PageCut {
  const pages = image.pages.map((bytes, at) => ({ number: at + 1, bytes: bytes as Uint8Array }));
  return {
    pageSize: PAGE_SIZE, pageCount: image.pageCount, checksum: image.checksum(),
    numbers: Uint32Array.from(pages, ({ number }) => number),
    crcs: Uint32Array.from(pages, ({ bytes }) => crc32c(bytes)),
    pageAt: (place) => (pages[place] as { bytes: Uint8Array }).bytes,
  };
}

/** A member whose storage works on a disk in memory, each operation at once. */
export class OfflineFixture {
  readonly disk = new MemoryDisk();
  readonly news: StorageEffect[] = [];
  private readonly storage = new Storage({ node: IDENTITY.node, limits: LIMITS });
  private readonly afterEach: (disk: MemoryDisk) => void;
  private ticket = 0;
  private last = 0;

  /** @param afterEach sees the disk after each operation, once this is a member */
  constructor(afterEach: (disk: MemoryDisk) => void = () => {}) {
    this.afterEach = () => {};
    this.take(this.storage.start());
    this.take(this.storage.writeIdentity({ ...IDENTITY, cluster: null }));
    this.take(this.storage.writeIdentity(IDENTITY));
    this.afterEach = afterEach;
  }

  /** Entries of term 1, each in a write of its own; as durable as they ever are. */
  write(count: number): this {
    for (let written = 0; written < count; written++) {
      this.last += 1;
      const hardState = { currentTerm: 1 as Term, votedFor: memberIdOf(IDENTITY.node, IDENTITY.incarnation) };
      this.persist({ hardState: this.last === 1 ? hardState : null, entries: [entryAt(1, this.last)] });
    }
    return this;
  }

  /** A snapshot as of the last entry. */
  checkpoint(): this {
    this.take(this.storage.tick());
    const entry = entryId(1, this.last);
    this.take(this.storage.checkpoint({ entry, configuration: CONFIGURATION }, cutOf(imageAfter(this.last))));
    invariant(this.news.some(({ type }) => type === "SnapshotStored"), "the snapshot is stored");
    return this;
  }

  compact(through: number): this {
    this.take(this.storage.compact(entryId(1, through)));
    return this;
  }

  /** What it has is wrong: the next start is to discard it. */
  quarantine(): MemoryDisk {
    this.take(this.storage.quarantine());
    return this.disk.killed();
  }

  close(): MemoryDisk {
    this.take(this.storage.close());
    invariant(this.news.at(-1)?.type === "Closed", "storage closes");
    return this.disk.killed();
  }

  private persist(order: Pick<PersistOrder, "hardState" | "entries">): void {
    this.ticket += 1;
    this.take(this.storage.persist({ ticket: this.ticket as Ticket, snapshot: null, truncateTo: null, ...order }));
    invariant(this.news.at(-1)?.type === "Persisted", "an order is performed");
  }

  private take(effects: readonly StorageEffect[]): void {
    const queue = [...effects];
    for (let effect = queue.shift(); effect !== undefined; effect = queue.shift()) {
      if (effect.type !== "Disk") {
        this.news.push(effect);
        continue;
      }
      const result = this.disk.perform(effect.operation);
      this.afterEach(this.disk);
      queue.push(...this.storage.answered({ type: "DiskDone", ticket: effect.ticket, result }));
    }
  }
}
