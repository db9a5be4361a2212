/**
 * One Storage over a real directory, as a node's driver runs it, without the node: inputs one at a time, disk
 * operations performed in order. It counts what it hands to the disk.
 */
import fs from "node:fs";
import type { PageCut } from "../core/pages/page-cut.ts";
import { foundingConfiguration } from "../core/raft/configuration.ts";
import type { SnapshotId } from "../core/raft/message.ts";
import { DEFAULT_STORAGE_LIMITS, type PersistOrder, type StorageEffect } from "../core/storage/boundary.ts";
import type { DiskOrder } from "../core/storage/disk.ts";
import { Storage } from "../core/storage/storage.ts";
import { memberIdOf } from "../core/types.ts";
import type { Entry, EntryId, Identity, Incarnation, LogIndex, NodeId, Term, Ticket } from "../core/types.ts";
import { Disk } from "../io/disk.ts";

export type News = Exclude<StorageEffect, { readonly type: "Disk" }>;
type Of<T extends News["type"]> = Extract<News, { readonly type: T }>;

const NODE = "a" as NodeId;
const INCARNATION = "00112233445566aa" as Incarnation;
const MEMBER = memberIdOf(NODE, INCARNATION);
const IDENTITY: Identity = {
  node: NODE,
  incarnation: INCARNATION,
  cluster: { id: "c0".repeat(16) as never, founders: [{ node: NODE, incarnation: INCARNATION }] },
};
export const CONFIGURATION = foundingConfiguration([MEMBER]);
const TERM = 1 as Term;

export class StorageHost {
  readonly directory: string;
  /** Handed to the disk by writes into files of pages and manifests, and taken for them beforehand, in bytes. */
  pageBytes = 0;
  /** Operations on such files that are under way, and when the last one was. */
  private readonly pageOrders = new Set<Ticket>();
  private pagesTouchedAt = 0;
  private readonly storage: Storage;
  private readonly disk: Disk;
  private readonly ticks: NodeJS.Timeout;
  private inputs: ((storage: Storage) => readonly StorageEffect[])[] = [];
  private isStepping = false;
  private last: EntryId = { term: TERM, index: 0 as LogIndex };
  private lastTicket = 0;
  private readonly appends = new Map<Ticket, () => void>();
  private readonly waiting = new Map<News["type"], ((news: News) => void)[]>();
  /** Hears all news. */
  onNews: (news: News) => void = () => {};

  private constructor(directory: string) {
    this.directory = directory;
    this.storage = new Storage({ node: NODE, limits: DEFAULT_STORAGE_LIMITS });
    this.disk = new Disk(directory, (answer) => {
      if (this.pageOrders.delete(answer.ticket)) this.pagesTouchedAt = performance.now();
      this.input((storage) => storage.answered(answer));
    });
    this.ticks = setInterval(() => this.input((storage) => storage.tick()), DEFAULT_STORAGE_LIMITS.tickMs);
  }

  /** A member with nothing in its log. */
  static async create(directory: string): Promise<StorageHost> {
    fs.mkdirSync(directory, { recursive: true });
    const host = new StorageHost(directory);
    await host.ask("Recovered", (storage) => storage.start());
    for (const identity of [{ ...IDENTITY, cluster: null }, IDENTITY]) {
      await host.ask("IdentityWritten", (storage) => storage.writeIdentity(identity));
    }
    await host.persist({ hardState: { currentTerm: TERM, votedFor: null } });
    return host;
  }

  /** What a life before has left. */
  static async open(directory: string): Promise<{ readonly host: StorageHost; readonly recovered: Of<"Recovered"> }> {
    const host = new StorageHost(directory);
    const recovered = await host.ask("Recovered", (storage) => storage.start());
    host.last = recovered.recovered.log.last;
    return { host, recovered };
  }

  /** Resolves when it is durable. */
  append(payload: Uint8Array): Promise<void> {
    const index = (this.last.index + 1) as LogIndex;
    const entry: Entry = { term: TERM, index, kind: "payload", payload };
    this.last = { term: TERM, index };
    return this.persist({ entries: [entry] });
  }

  persist(parts: Partial<PersistOrder>): Promise<void> {
    const ticket = ++this.lastTicket as Ticket;
    const order = { ticket, hardState: null, snapshot: null, truncateTo: null, entries: [], ...parts };
    return new Promise((resolve) => {
      this.appends.set(ticket, resolve);
      this.input((storage) => storage.persist(order));
    });
  }

  /** Resolves when the state as of the last entry is stored. */
  async checkpoint(cut: PageCut): Promise<SnapshotId> {
    const point = { entry: this.last, configuration: CONFIGURATION };
    const { snapshot } = await this.ask("SnapshotStored", (storage) => storage.checkpoint(point, cut));
    return snapshot;
  }

  compact(through: EntryId): void {
    this.input((storage) => storage.compact(through));
  }

  pin(snapshot: SnapshotId): void {
    this.storage.pinSnapshot(snapshot);
  }

  release(snapshot: SnapshotId): void {
    this.input((storage) => storage.releaseSnapshot(snapshot));
  }

  readSnapshot(snapshot: SnapshotId, offset: number, maxBytes: number): Promise<Of<"SnapshotRead">> {
    return this.ask("SnapshotRead", (storage) => storage.readSnapshot(MEMBER, snapshot, offset, maxBytes));
  }

  storeChunk(snapshot: SnapshotId, offset: number, bytes: Uint8Array): Promise<Of<"ChunkStored">> {
    return this.ask("ChunkStored", (storage) => storage.storeChunk(snapshot, offset, bytes));
  }

  restore(snapshot: SnapshotId): Promise<Of<"RestoreFinished">> {
    return this.ask("RestoreFinished", (storage) => storage.restore(snapshot));
  }

  read(from: LogIndex, end: LogIndex, maxBytes: number): Promise<Of<"EntriesRead">> {
    return this.ask("EntriesRead", (storage) => storage.requestRead({ type: "apply" }, from, end, maxBytes));
  }

  /** Resolves when no file of pages has been touched for a while: what was to be merged is merged. */
  async rest(): Promise<void> {
    const isTouched = (): boolean => this.pageOrders.size > 0 || performance.now() - this.pagesTouchedAt < 50;
    while (isTouched()) await new Promise((resolve) => setTimeout(resolve, 10));
  }

  async close(): Promise<void> {
    clearInterval(this.ticks);
    await this.ask("Closed", (storage) => storage.close());
    await this.disk.close();
  }

  /** The next news of a kind after this input. */
  private ask<T extends News["type"]>(
    type: T, input: (storage: Storage) => readonly StorageEffect[],
  ): Promise<Of<T>> {
    return new Promise((resolve) => {
      const heard = resolve as (news: News) => void;
      this.waiting.set(type, [...(this.waiting.get(type) ?? []), heard]);
      this.input(input);
    });
  }

  private input(input: (storage: Storage) => readonly StorageEffect[]): void {
    this.inputs.push(input);
    if (this.isStepping) return;
    this.isStepping = true;
    for (let next = this.inputs.shift(); next !== undefined; next = this.inputs.shift()) {
      for (const effect of next(this.storage)) this.perform(effect);
    }
    this.isStepping = false;
  }

  private perform(effect: StorageEffect): void {
    if (effect.type === "Disk") return this.hand(effect);
    if (effect.type === "Failed") throw new Error(`storage failed: ${JSON.stringify(effect.fault)}`);
    this.onNews(effect);
    if (effect.type === "Persisted") {
      this.appends.get(effect.ticket)!();
      this.appends.delete(effect.ticket);
      return;
    }
    const [heard, ...others] = this.waiting.get(effect.type) ?? [];
    this.waiting.set(effect.type, others);
    heard?.(effect);
  }

  private hand(order: DiskOrder): void {
    const { operation } = order;
    if ("file" in operation && /^(pages|manifest)/.test(operation.file)) {
      this.pageOrders.add(order.ticket);
      if (operation.type === "write") this.pageBytes += operation.bytes.length;
      if (operation.type === "preallocate") this.pageBytes += operation.size;
    }
    this.disk.perform(order);
  }
}
