/** The snapshot that a disk would give back, as the judge sees it: files are what they were when they were named. */
import { expect, test } from "vitest";
import { MANIFEST_FILE } from "../core/storage/manifest.ts";
import { pageFileName } from "../core/storage/page-file.ts";
import type { DurableDisk } from "../sim/oracles/boundary.ts";
import { SnapshotReader } from "../sim/oracles/durable-snapshot.ts";
import { OWNER, PageDirectory } from "./page-directory.ts";
import { PlainDatabase } from "./plain-database.ts";
import { id } from "./storage-run.ts";

const DIRECTORY = PageDirectory.open();
DIRECTORY.checkpoint(7, PlainDatabase.of(9).cut(null));
const PAGES = pageFileName(DIRECTORY.pages.stored!.files[0]!.sequence);
const WHOLE = DIRECTORY.disk.bytesOf(PAGES)!;
const DAMAGED = WHOLE.map((byte, at) => (at === WHOLE.length - 1 ? byte ^ 1 : byte));
const MANIFEST = DIRECTORY.disk.bytesOf(MANIFEST_FILE)!;

function diskOf(files: Readonly<Record<string, Uint8Array>>): DurableDisk {
  return { durable: (name) => files[name] ?? null, listDurable: () => Object.keys(files).sort(), isDamaged: false };
}

test("a snapshot is there once its manifest and all of its files are", () => {
  const reader = new SnapshotReader();
  expect(reader.read(OWNER, diskOf({ [PAGES]: WHOLE }))).toBeNull();
  expect(reader.read(OWNER, diskOf({ [MANIFEST_FILE]: MANIFEST }))).toBeNull();
  expect(reader.read(OWNER, diskOf({ [MANIFEST_FILE]: MANIFEST, [PAGES]: DAMAGED }))).toBeNull();
  expect(reader.read(OWNER, diskOf({ [MANIFEST_FILE]: MANIFEST, [PAGES]: WHOLE }))?.entry).toEqual(id(1, 7));
});

test("a file that is damaged between its own name and its manifest's was whole", () => {
  const reader = new SnapshotReader();
  reader.directorySynced(diskOf({ [PAGES]: WHOLE }));
  const disk = diskOf({ [MANIFEST_FILE]: MANIFEST, [PAGES]: DAMAGED });
  expect(reader.read(OWNER, disk)?.entry).toEqual(id(1, 7));
});
