/** Snapshots for a StorageRun: what is in the one of an entry follows from the entry. */
import { invariant } from "../core/invariant.ts";
import type { SnapshotId, SnapshotPoint } from "../core/raft/message.ts";
import type { EntryId } from "../core/types.ts";
import { PageDirectory } from "./page-directory.ts";
import { PlainDatabase } from "./plain-database.ts";
import { type StorageRun, configurationOf } from "./storage-run.ts";

/** A snapshot as of this entry. */
export function pointAt(entry: EntryId, voters: readonly string[] = ["a"]): SnapshotPoint {
  return { entry, configuration: configurationOf(voters) };
}

/** What it contains: a page or two. */
export function databaseAt({ term, index }: EntryId): PlainDatabase {
  return PlainDatabase.of(1 + (index % 2)).changed([1], term * 101 + index * 31);
}

/** A snapshot of the node's own; as far as handing out the operations. */
export function storeSnapshot(run: StorageRun, entry: EntryId, voters: readonly string[] = ["a"]): void {
  run.take((storage) => storage.checkpoint(pointAt(entry, voters), databaseAt(entry).cut(null)));
}

/** The snapshot of an entry as another member would send it. */
export function streamAt(entry: EntryId): { readonly snapshot: SnapshotId; readonly bytes: Uint8Array } {
  const other = PageDirectory.open();
  const written = other.run(other.writing(pointAt(entry), databaseAt(entry).cut(null)));
  invariant(written !== null && other.publish(written), "another member has a snapshot");
  const snapshot = other.pages.snapshot!;
  const bytes = new Uint8Array(snapshot.size);
  for (let at = 0; at < bytes.length; ) {
    const piece = other.piece(snapshot, at, bytes.length)!;
    bytes.set(piece, at);
    at += piece.length;
  }
  return { snapshot, bytes };
}

/** All of it comes in, in pieces of this size; how it is named. */
export function receiveSnapshot(run: StorageRun, entry: EntryId, pieceSize = 1000): SnapshotId {
  const { snapshot, bytes } = streamAt(entry);
  for (let at = 0; at < bytes.length; at += pieceSize) {
    run.take((storage) => storage.storeChunk(snapshot, at, bytes.slice(at, at + pieceSize)));
  }
  return snapshot;
}

/** The stored snapshot read back. */
export function restoreSnapshot(run: StorageRun, snapshot: SnapshotId): PlainDatabase {
  const heard = run.news.length;
  run.take((storage) => storage.restore(snapshot)).settle();
  const pages = new Map<number, Uint8Array>();
  let [pageSize, pageCount] = [0, 0];
  for (const news of run.news.slice(heard)) {
    if (news.type === "RestoreStarted") ({ pageSize, pageCount } = news);
    if (news.type === "PagesRestored") for (const { number, bytes } of news.pages) pages.set(number, bytes);
  }
  invariant(run.news.at(-1)?.type === "RestoreFinished", "a stored snapshot is restored");
  return new PlainDatabase(pageSize, pageCount, pages);
}
