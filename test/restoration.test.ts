/** The stored snapshot on its way back, and what becomes of damage: in a restore, a transfer, a merge and a scrub. */
import { expect, test } from "vitest";
import { planMerge, writeMerge } from "../core/storage/merge.ts";
import { PageScrub } from "../core/storage/page-scrub.ts";
import type { PageFault } from "../core/storage/page-set.ts";
import { pageFileName, pageOffset } from "../core/storage/page-file.ts";
import { Restoration, type RestorationEffect } from "../core/storage/restoration.ts";
import { MemoryDisk } from "./memory-disk.ts";
import { LIMITS, PageDirectory, pointOf } from "./page-directory.ts";
import { PlainDatabase } from "./plain-database.ts";
import { configurationOf } from "./storage-run.ts";

const FIRST = PlainDatabase.of(20);
const SECOND = FIRST.changed([4, 5, 6, 13], 90);

/** As of the entries 10 and 20: 20 pages, of which four are overwritten. */
function twoFiles(): PageDirectory {
  const directory = PageDirectory.open();
  directory.checkpoint(10, FIRST.cut(null));
  directory.checkpoint(20, SECOND.cut(FIRST));
  return directory;
}

/** Where the page of a number stands in the file at a place of the snapshot's files. */
function offsetIn(directory: PageDirectory, at: number, number: number): { file: string; offset: number } {
  const file = directory.pages.stored!.files[at]!;
  return { file: pageFileName(file.sequence), offset: pageOffset(file, file.numbers.indexOf(number)) };
}

function flip(directory: PageDirectory, file: string, offset: number): void {
  const bytes = directory.disk.bytesOf(file)!.slice(offset, offset + 1);
  directory.disk.perform({ type: "write", file, offset, bytes: bytes.map((byte) => byte ^ 16) });
}

function flipPage(directory: PageDirectory, at: number, number: number): { file: string; offset: number } {
  const place = offsetIn(directory, at, number);
  flip(directory, place.file, place.offset + 17);
  return place;
}

/** Another one takes its place, of another size: it has many members. */
function replaceManifest(directory: PageDirectory): void {
  const voters = Array.from({ length: 60 }, (_, at) => `a-node-with-a-long-name-${at}`);
  const point = { ...pointOf(30), configuration: configurationOf(voters.toSorted()) };
  const written = directory.run(directory.writing(point, SECOND.cut(SECOND)))!;
  expect(directory.publish(written)).toBe(true);
}

/** A whole round of scrubbing, in steps of this size. */
function scrub(directory: PageDirectory, maxBytes = 1 << 20): PageFault[] {
  const scrubbing = new PageScrub();
  const whole = directory.bytes;
  const faults: PageFault[] = [];
  for (let read = 0; read < whole;) {
    const step = directory.run(scrubbing.next(directory, maxBytes));
    read += step.read;
    faults.push(...step.faults);
    if (step.manifest !== null) faults.push({ fault: step.manifest, numbers: [] });
  }
  return faults;
}

test("a restore reads each page that counts once, in chunks of a bounded size, one at a time, without a copy", () => {
  const directory = twoFiles();
  const restoration = new Restoration(directory, directory.pages.snapshot!, LIMITS);
  const effects: RestorationEffect[] = [...restoration.start()];
  const said: string[] = [];
  const buffers = new Set<ArrayBufferLike>();
  let bytes = 0;
  for (let effect = effects.shift(); effect !== undefined; effect = effects.shift()) {
    said.push(effect.type === "PagesRestored" ? effect.pages.map(({ number }) => number).join(" ") : effect.type);
    if (effect.type === "PagesRestored") for (const page of effect.pages) buffers.add(page.bytes.buffer);
    if (effect.type !== "Perform") continue;
    const { operation } = effect;
    expect(operation.type === "read" && operation.length).toBeLessThanOrEqual(LIMITS.maxWriteBytes);
    bytes += operation.type === "read" ? operation.length : 0;
    expect(effects.filter(({ type }) => type === "Perform")).toEqual([]);
    effects.push(...restoration.answered(directory.disk.perform(operation)));
  }
  expect(said.filter((word) => word !== "Perform")).toEqual([
    "RestoreStarted", "1 2 3", "7 8 9", "10 11 12", "14 15 16", "17 18 19", "20", "4 5 6", "13", "RestoreFinished",
  ]);
  expect(bytes).toBe(20 * 64);
  expect(buffers.size).toBe(said.filter((word) => word === "Perform").length);
});

test("a restore says what the database is, and nothing else where there are no pages", () => {
  const directory = PageDirectory.open();
  const none = new PlainDatabase(0, 0, new Map());
  directory.checkpoint(10, none.cut(null));
  const restoration = new Restoration(directory, directory.pages.snapshot!, LIMITS);
  const { entry } = directory.pages.snapshot!;
  expect(restoration.start()).toEqual([
    { type: "RestoreStarted", entry, pageSize: 0, pageCount: 0 },
    { type: "RestoreFinished", entry, checksum: none.checksum },
  ]);
  expect(directory.pages.hasUnused).toBe(false);
});

test("files that are being restored stay until it is over, and a restore that is given up says nothing more", () => {
  for (const givesUp of [true, false]) {
    const directory = twoFiles();
    const restoration = new Restoration(directory, directory.pages.snapshot!, LIMITS);
    const effects: RestorationEffect[] = [...restoration.start()];
    directory.checkpoint(30, SECOND.changed([...SECOND.pages.keys()], 91).cut(SECOND));
    directory.mergeAll();
    expect([directory.counts, directory.names.length]).toEqual([[20], 4]);
    if (givesUp) restoration.giveUp(directory);
    const restored = new Map<number, string>();
    for (let effect = effects.shift(); effect !== undefined; effect = effects.shift()) {
      const pages = effect.type === "PagesRestored" ? effect.pages : [];
      for (const { number, bytes } of pages) restored.set(number, bytes.join());
      if (effect.type === "Perform") effects.push(...restoration.answered(directory.disk.perform(effect.operation)));
    }
    expect(restored.size).toBe(givesUp ? 0 : 20);
    if (!givesUp) expect(restored.get(4)).toBe(SECOND.pages.get(4)!.join());
    expect(directory.pages.hasUnused).toBe(true);
  }
});

test("a restore of a snapshot that has been replaced says nothing; merged files are the same snapshot", () => {
  const directory = twoFiles();
  const older = directory.pages.snapshot!;
  const third = SECOND.changed([1, 2, 3, 4, 5, 6, 7, 8], 92);
  directory.checkpoint(30, third.cut(SECOND));
  expect(new Restoration(directory, older, LIMITS).start()).toEqual([]);
  const merged = directory.pages.snapshot!;
  expect(directory.merge()).toBe(true);
  expect(directory.pages.snapshot).not.toEqual(merged);
  expect(String(directory.restore(merged))).toBe(String(third));
});

test("a damaged page is located by file, offset and number, whether flipped, unreadable or cut off", () => {
  const directory = twoFiles();
  const place = flipPage(directory, 0, 8);
  const detail = "page 8 does not match its checksum";
  expect(() => directory.restore()).toThrow(JSON.stringify({ type: "corrupt", ...place, detail }));

  const unreadable = twoFiles();
  unreadable.trouble = (operation) => {
    const isHit = operation.type === "read" && operation.file === place.file
      && operation.offset <= place.offset && operation.offset + operation.length > place.offset;
    return isHit ? { code: "EIO", file: operation.file, message: "a bad sector" } : null;
  };
  const fault = { type: "corrupt", ...place, detail: "page 8 cannot be read" };
  expect(() => unreadable.restore()).toThrow(JSON.stringify(fault));

  const whole = twoFiles();
  const { file, offset } = offsetIn(whole, 1, 13);
  const files = Object.fromEntries(whole.names.map((name) => [name, whole.disk.bytesOf(name)!]));
  const shortened = new PageDirectory(
    MemoryDisk.of({ ...files, [file]: files[file]!.slice(0, offset + 5) }), whole.pages,
  );
  const short = JSON.stringify({ type: "corrupt", file, offset, detail: "page 13 ends after 5 of its 64 bytes" });
  expect(() => shortened.restore()).toThrow(short);
});

test("damage where a page does not count harms no restore", () => {
  const directory = twoFiles();
  flipPage(directory, 0, 5);
  expect(String(directory.restore())).toBe(String(SECOND));
});

test("a transfer never sends damage: the piece is null, the page is wanted anew, and other pieces go on", () => {
  const directory = twoFiles();
  const snapshot = directory.pages.snapshot!;
  const place = flipPage(directory, 0, 8);
  const at = snapshot.size - (8192 + 4 * 64) - (20 - 7) * 64;
  for (const offset of [at, at + 63, at - 64 + 40]) {
    expect(directory.read(snapshot, offset, 100)).toEqual([
      {
        type: "DamageFound", fault: { type: "corrupt", ...place, detail: "page 8 does not match its checksum" },
        remedy: "the pages are written anew, from memory",
      },
      { type: "PagesDamaged", numbers: [8] },
      { type: "SnapshotWanted", through: 0 },
      { type: "SnapshotRead", to: expect.anything(), snapshot, offset, bytes: null },
    ]);
  }
  expect(directory.piece(snapshot, at - 64, 64)).toEqual(SECOND.pages.get(7));
  expect(directory.piece(snapshot, at + 64, 64)).toEqual(SECOND.pages.get(9));
});

test("a header and a directory are sent as they were, though they are damaged on the disk", () => {
  const directory = twoFiles();
  const snapshot = directory.pages.snapshot!;
  const { file } = offsetIn(directory, 0, 1);
  const head = directory.disk.bytesOf(file)!.slice(0, 8192);
  flip(directory, file, 20);
  flip(directory, file, 4100);
  expect(directory.piece(snapshot, directory.pages.stored!.head.length, 8192)).toEqual(head);
});

test("scrubbing finds every kind of damage, in steps of any size, and nothing where there is none", () => {
  for (const maxBytes of [61, 1000, 1 << 20]) {
    const directory = twoFiles();
    expect(scrub(directory, maxBytes)).toEqual([]);
    const counts = flipPage(directory, 0, 8);
    const dead = flipPage(directory, 0, 5);
    const { file } = offsetIn(directory, 1, 4);
    flip(directory, file, 4096 + 9);
    flip(directory, "manifest", 5000);
    const half = directory.disk.bytesOf("manifest")!.length / 2;
    const rule = 'the rule "a block\'s checksum matches" is broken';
    expect(scrub(directory, maxBytes)).toEqual([
      { fault: { type: "corrupt", ...dead, detail: "page 5 does not match its checksum" }, numbers: [] },
      { fault: { type: "corrupt", ...counts, detail: "page 8 does not match its checksum" }, numbers: [8] },
      { fault: { type: "corrupt", file, offset: 4105, detail: "header or directory is not what it was" }, numbers: [] },
      { fault: { type: "corrupt", file: "manifest", offset: half > 5000 ? 0 : half, detail: rule }, numbers: [] },
    ]);
  }
});

test("scrubbing reads what cannot be read as damage, and goes on over a merge", () => {
  const directory = twoFiles();
  const { file } = offsetIn(directory, 0, 1);
  directory.trouble = (operation) => {
    if (operation.type !== "read" || operation.offset >= 4096) return null;
    const isHit = operation.file === file || operation.file === "manifest";
    return isHit ? { code: "EIO", file: operation.file, message: "a bad sector" } : null;
  };
  expect(scrub(directory).map(({ fault }) => fault)).toEqual([
    { type: "corrupt", file, offset: 0, detail: "header and directory cannot be read" },
    { type: "corrupt", file: "manifest", offset: 0, detail: 'does not begin with "qlitemft"' },
  ]);

  const other = twoFiles();
  const scrubbing = new PageScrub();
  expect(other.run(scrubbing.next(other, 8192 + 64))).toEqual({ read: 8192 + 64, faults: [], manifest: null });
  const third = SECOND.changed(Array.from({ length: 12 }, (_, at) => at + 1), 93);
  other.checkpoint(30, third.cut(SECOND));
  other.mergeAll();
  const rest = other.run(scrubbing.next(other, 1 << 20));
  expect(rest).toEqual({ read: 8192 + 20 * 64 + 8192, faults: [], manifest: null });
  const nothing = { read: 0, faults: [], manifest: null };
  expect(PageDirectory.open().run(scrubbing.next(PageDirectory.open(), 100))).toEqual(nothing);
});

test("a manifest that is replaced while it is read is no damage", () => {
  const directory = twoFiles();
  const steps = new PageScrub().next(directory, 1 << 20);
  let step = steps.next();
  while (!step.done) {
    const { value: operation } = step;
    const answer = directory.disk.perform(operation);
    const isFirstHalf = operation.type === "read" && operation.file === "manifest" && operation.offset === 0;
    if (isFirstHalf) replaceManifest(directory);
    step = steps.next(answer);
  }
  expect(step.value.faults).toEqual([]);
});

test("a page that is damaged where it counts is not merged: it is written anew, then damage is merged away", () => {
  const directory = twoFiles();
  flipPage(directory, 0, 8);
  const third = SECOND.changed([1, 2, 3, 4, 5, 6, 7], 94);
  directory.checkpoint(30, third.cut(SECOND));
  // The merge meets the damage, gives up, and is not tried over and over.
  const names = directory.names;
  expect(directory.run(writeMerge(directory, planMerge(directory.pages)!, LIMITS))).toEqual({
    faults: [{ fault: expect.objectContaining({ detail: "page 8 does not match its checksum" }), numbers: [8] }],
  });
  expect(directory.names).toEqual(names);
  let tried = 0;
  directory.trouble = () => (tried++, null);
  expect(directory.merge()).toBe(false);
  expect(tried).toBe(0);
  expect(() => directory.restore()).toThrow("page 8");
  directory.checkpoint(30, third.cut(third, [8]));
  expect(String(directory.restore())).toBe(String(third));
  expect(directory.merge()).toBe(true);
  expect(directory.counts).toEqual([20]);
  expect(scrub(directory)).toEqual([]);
});

test("damage that does not count, and damaged directories, are merged away at once, whatever the sizes are", () => {
  const dead = twoFiles();
  flipPage(dead, 0, 5);
  scrub(dead);
  expect(dead.counts).toEqual([20, 4]);
  expect(dead.merge()).toBe(true);
  const single = PageDirectory.open();
  single.checkpoint(10, FIRST.cut(null));
  flip(single, offsetIn(single, 0, 1).file, 4100);
  scrub(single);
  expect(single.merge()).toBe(true);
  for (const directory of [dead, single]) {
    expect(directory.counts).toEqual([20]);
    expect(scrub(directory)).toEqual([]);
    expect(directory.merge()).toBe(false);
    PageDirectory.open(directory.disk.killed()).restore();
  }
});
