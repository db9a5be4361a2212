/**
 * How a snapshot comes into force: its files are durable under their names, a new manifest is written beside the one
 * there is, synced, and renamed over it (rule 15). Only then is anything removed, and not here (page-set.ts).
 *
 * Space is taken before it is needed: the manifest's file is there, as large as it has to be, before the files that it
 * will name are written. So nothing that is about to come into force can fail for want of space.
 */
import type { Configuration } from "../raft/configuration.ts";
import type { Owner, Refused } from "./block.ts";
import { hadSpace, refusedBy } from "./disk-result.ts";
import type { DiskProcedure } from "./file-window.ts";
import { MANIFEST_FILE, encodeManifest, preparedManifestSize } from "./manifest.ts";
import type { PageFiles, StoredSnapshot } from "./page-set.ts";

/** The space for a manifest. */
export interface PreparedManifest {
  readonly file: string;
  readonly size: number;
}

/** null: there is no space; nothing is left of the attempt. */
export function* prepareManifest(
  { pages }: PageFiles, configuration: Configuration, fileCount: number,
): DiskProcedure<PreparedManifest | null> {
  const file = `${MANIFEST_FILE}-${pages.takeSequence()}.new`;
  const size = preparedManifestSize(configuration, fileCount);
  if (!hadSpace(yield { type: "open", file, create: true })) return null;
  if (hadSpace(yield { type: "preallocate", file, size })) return { file, size };
  yield { type: "unlink", file };
  return null;
}

/** The same snapshot in a manifest that is written anew. Where there is no space the old one stays as it is. */
export function* renewManifest(files: PageFiles & { readonly owner: Owner }): DiskProcedure<Refused | null> {
  const { stored } = files.pages;
  if (stored === null) return null;
  const manifest = yield* prepareManifest(files, stored.state.configuration, stored.files.length);
  return manifest === null ? null : yield* publish(files, manifest, stored);
}

/** Makes the snapshot, whose files are all durable, the one in force. */
export function* publish(
  files: PageFiles & { readonly owner: Owner }, { file, size }: PreparedManifest, stored: StoredSnapshot,
): DiskProcedure<Refused | null> {
  const bytes = encodeManifest(files.owner, stored, size);
  const written = yield { type: "write", file, offset: 0, bytes };
  if (written.type === "failed") return refusedBy(written.failure);
  const synced = yield { type: "sync", file };
  if (synced.type === "failed") return refusedBy(synced.failure);
  files.pages.beginPublication();
  yield { type: "rename", from: file, to: MANIFEST_FILE };
  yield { type: "syncDirectory" };
  files.pages.put(stored);
  return null;
}

