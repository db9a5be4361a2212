/** What passes between Raft and its storage: the orders of the one, and the news of the other while Raft runs. */
import { unreachable } from "../invariant.ts";
import type { RaftEffect } from "../raft/boundary.ts";
import type { StorageEffect } from "../storage/boundary.ts";
import type { Storage } from "../storage/storage.ts";

/** What storage says to Raft alone. */
const FOR_RAFT = [
  "Persisted", "EntriesRead", "SnapshotStored", "SnapshotRewritten", "SnapshotAbandoned", "ChunkStored", "SnapshotRead",
  "SnapshotWanted",
] as const;
/** What it says while Raft runs. */
const NEWS = [
  ...FOR_RAFT, "SpaceChanged", "RestoreStarted", "PagesRestored", "RestoreFinished", "CutEnded", "PagesDamaged",
  "DamageFound", "SnapshotDamaged", "MemoryDamaged", "Quarantined",
] as const;
export type StorageNews = Extract<StorageEffect, { readonly type: (typeof NEWS)[number] }>;

const STORAGE_ORDERS = [
  "Persist", "ReadEntries", "StoreChunk", "ReadSnapshot", "PinSnapshot", "ReleaseSnapshot", "Compact", "ForgetLoss",
] as const;
export type StorageOrder = Extract<RaftEffect, { readonly type: (typeof STORAGE_ORDERS)[number] }>;

/** Gives the order to storage; what that leads to. */
export function carryOut(storage: Storage, order: StorageOrder): readonly StorageEffect[] {
  switch (order.type) {
    case "Persist":
      return storage.persist(order);
    case "ReadEntries":
      return storage.requestRead(order.purpose, order.from, order.end, order.maxBytes);
    case "StoreChunk":
      return storage.storeChunk(order.snapshot, order.offset, order.bytes);
    case "ReadSnapshot":
      return storage.readSnapshot(order.to, order.snapshot, order.offset, order.maxBytes);
    case "PinSnapshot":
      storage.pinSnapshot(order.snapshot);
      return [];
    case "ReleaseSnapshot":
      return storage.releaseSnapshot(order.snapshot);
    case "Compact":
      return storage.compact(order.through);
    case "ForgetLoss":
      return storage.forgetLoss();
    default:
      return unreachable(order);
  }
}

export function isForStorage(effect: RaftEffect): effect is StorageOrder {
  return (STORAGE_ORDERS as readonly string[]).includes(effect.type);
}

export function isForRaft(
  news: StorageNews,
): news is StorageNews & { readonly type: (typeof FOR_RAFT)[number] } {
  return (FOR_RAFT as readonly string[]).includes(news.type);
}

export function isNews(effect: StorageEffect): effect is StorageNews {
  return effect.type !== "Disk" && (NEWS as readonly string[]).includes(effect.type);
}
