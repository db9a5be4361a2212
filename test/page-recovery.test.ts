/** What a start makes of files of pages that are not as they were: it says which, and where; it never guesses. */
import { expect, test } from "vitest";
import type { StorageFault } from "../core/storage/boundary.ts";
import type { DiskFailure, DiskOperation } from "../core/storage/disk.ts";
import { encodeManifest } from "../core/storage/manifest.ts";
import { pageFileName } from "../core/storage/page-file.ts";
import { recoverPages } from "../core/storage/page-recovery.ts";
import { SnapshotReads, type SnapshotReadEffect } from "../core/storage/snapshot-reads.ts";
import type { Incarnation, MemberId } from "../core/types.ts";
import { runOn } from "./disk-procedure.ts";
import { MemoryDisk } from "./memory-disk.ts";
import { OWNER, PageDirectory } from "./page-directory.ts";
import { PlainDatabase } from "./plain-database.ts";

const FIRST = PlainDatabase.of(20);
const SECOND = FIRST.changed([4, 5, 6], 90);

function twoFiles(): PageDirectory {
  const directory = PageDirectory.open();
  directory.checkpoint(10, FIRST.cut(null));
  directory.checkpoint(20, SECOND.cut(FIRST));
  return directory;
}

const DIRECTORY = twoFiles();
const [OLDER, NEWER] = DIRECTORY.pages.stored!.files.map(({ sequence }) => pageFileName(sequence)) as [string, string];

type Files = Record<string, Uint8Array>;

/** Its files, changed. */
function filesOf(change: (files: Files) => void): Files {
  const files = Object.fromEntries(DIRECTORY.names.map((name) => [name, DIRECTORY.disk.bytesOf(name)!]));
  change(files);
  return files;
}

/** What recovery says of such a directory; null: it is sound. */
function judge(
  change: (files: Files) => void, trouble: (operation: DiskOperation) => DiskFailure | null = () => null, owner = OWNER,
): StorageFault | null {
  const files = filesOf(change);
  const pages = runOn(MemoryDisk.of(files), recoverPages(owner, Object.keys(files)), trouble);
  return pages.ok ? null : pages.fault;
}

function badSector(file: string, offset: number): (operation: DiskOperation) => DiskFailure | null {
  return (operation) => {
    const isHit = operation.type === "read" && operation.file === file
      && operation.offset <= offset && operation.offset + operation.length > offset;
    return isHit ? { code: "EIO", file, message: "a bad sector" } : null;
  };
}

function flipAt(file: string, offset: number): (files: Files) => void {
  return (files) => {
    files[file]![offset]! ^= 1;
  };
}

test("a file that is missing, of another size, damaged in its head or unreadable there is named and located", () => {
  expect(judge(() => {})).toBeNull();
  const cases: readonly (readonly [StorageFault | null, number, string])[] = [
    [judge((files) => delete files[OLDER]), 0, "missing, although the manifest names it"],
    [judge((files) => (files[OLDER] = files[OLDER]!.slice(0, 9000))), 9000, "has 9000 bytes instead of 9472"],
    [judge((files) => (files[OLDER] = new Uint8Array(9500))), 9472, "has 9500 bytes instead of 9472"],
    [judge(flipAt(OLDER, 20)), 0, 'the rule "a block\'s checksum matches" is broken'],
    [judge(flipAt(OLDER, 4100)), 4096, 'the rule "a directory\'s checksum matches" is broken'],
    [judge(() => {}, badSector(OLDER, 4100)), 0, "the directory cannot be read"],
  ];
  for (const [fault, offset, detail] of cases) expect(fault).toEqual({ type: "corrupt", file: OLDER, offset, detail });
});

test("a file in the place of another is not taken for it (W24)", () => {
  const swapped = judge((files) => ([files[OLDER], files[NEWER]] = [files[NEWER]!, files[OLDER]!]));
  expect(swapped).toMatchObject({ type: "corrupt", file: OLDER });
  const older = twoFiles();
  older.checkpoint(10 + 10, SECOND.cut(SECOND, [4, 5, 7]));
  const { sequence } = older.pages.stored!.files[2]!;
  // Of the same size, and yet another one.
  const stale = judge((files) => (files[NEWER] = older.disk.bytesOf(pageFileName(sequence))!));
  expect(stale).toMatchObject({ type: "corrupt", file: NEWER, offset: 0 });
});

test("a damaged page is found when it is read, not by a start", () => {
  expect(judge(flipAt(OLDER, 8192))).toBeNull();
});

test("a manifest is of use while either half of it can be read, and is mended where there is space", () => {
  const size = DIRECTORY.disk.bytesOf("manifest")!.length;
  for (const offset of [100, size - 100]) {
    expect(judge(flipAt("manifest", offset))).toBeNull();
    expect(judge(() => {}, badSector("manifest", offset))).toBeNull();
    const disk = MemoryDisk.of(filesOf(flipAt("manifest", offset)));
    const full = runOn(disk, recoverPages(OWNER, DIRECTORY.names), (operation) => {
      return operation.type === "preallocate" ? { code: "ENOSPC", file: null, message: "no space" } : null;
    });
    const damage = [{ type: "corrupt", file: "manifest", offset: offset < size / 2 ? 0 : size / 2 }];
    expect(full).toMatchObject({ ok: true, value: { damage } });
    expect(PageDirectory.open(disk).pages.damage).toMatchObject(damage);
    expect(PageDirectory.open(disk).pages.damage).toEqual([]);
  }
  const both = judge((files) => {
    flipAt("manifest", 100)(files);
    flipAt("manifest", size - 100)(files);
  });
  expect(both).toMatchObject({ type: "corrupt", file: "manifest" });
  const unreadable = judge(() => {}, (operation) => {
    return badSector("manifest", 100)(operation) ?? badSector("manifest", size - 1)(operation);
  });
  expect(unreadable).toMatchObject({ type: "corrupt", file: "manifest" });
  const empty = judge((files) => (files["manifest"] = new Uint8Array(0)));
  expect(empty).toMatchObject({ type: "corrupt", file: "manifest" });
  const large = judge((files) => (files["manifest"] = new Uint8Array(3 << 20)));
  expect(large).toMatchObject({ type: "corrupt", detail: expect.stringContaining("more than a manifest can have") });
});

test("the files of another node are refused as foreign, not as damaged", () => {
  const other = { ...OWNER, incarnation: "ffffffffffffffff" as Incarnation };
  expect(judge(() => {}, undefined, other)).toMatchObject({ type: "wrongIdentity", file: "manifest" });
  const { state } = DIRECTORY.pages.stored!;
  const cluster = "ee".repeat(16) as typeof OWNER.cluster;
  const rows = DIRECTORY.pages.stored!.files;
  const mixed = judge((files) => {
    files["manifest"] = encodeManifest({ ...OWNER, cluster }, { state, files: rows });
  }, undefined, { ...OWNER, cluster });
  expect(mixed).toMatchObject({ type: "wrongIdentity", file: OLDER });
});

test("without a manifest nothing is stored, and files without one are not used, nor are their numbers", () => {
  const files = filesOf((all) => delete all["manifest"]);
  const pages = runOn(MemoryDisk.of(files), recoverPages(OWNER, Object.keys(files)));
  if (!pages.ok) throw new Error("an empty set is sound");
  expect([pages.value.snapshot, pages.value.hasUnused]).toEqual([null, true]);
  expect(pageFileName(pages.value.takeSequence()) > NEWER).toBe(true);
});

test("pieces are read one at a time, in the order in which they were asked for; what waits may be given up", () => {
  const reads = new SnapshotReads(DIRECTORY);
  const snapshot = DIRECTORY.pages.snapshot!;
  const ask = (node: string, offset: number): readonly SnapshotReadEffect[] => {
    return reads.request({ to: `${node}@00` as MemberId, snapshot, offset, maxBytes: 64 });
  };
  const effects: SnapshotReadEffect[] = [];
  effects.push(...ask("b", snapshot.size - 64), ...ask("c", 0), ...ask("d", snapshot.size - 128), ...ask("e", 5));
  const said: string[] = [];
  let performed = 0;
  for (let effect = effects.shift(); effect !== undefined; effect = effects.shift()) {
    if (effect.type === "SnapshotRead") said.push(`${effect.to} ${effect.offset - snapshot.size}`);
    if (effect.type !== "Perform") continue;
    expect(effects.some(({ type }) => type === "Perform")).toBe(false);
    if (++performed === 2) reads.close();
    effects.push(...reads.answered(DIRECTORY.disk.perform(effect.operation)));
  }
  expect(said).toEqual(["b@00 -64", `c@00 ${-snapshot.size}`, "d@00 -128"]);
});
