/** Checkpoints and merges: what is written, what it costs, what takes whose place, and what happens without space. */
import { expect, test } from "vitest";
import { writeCut } from "../core/storage/checkpoint.ts";
import { filesOf } from "../core/storage/disk-queue.ts";
import type { DiskOperation } from "../core/storage/disk.ts";
import { type WrittenMerge, planMerge, publishMerge, writeMerge } from "../core/storage/merge.ts";
import { fullAfter } from "./disk-procedure.ts";
import { LIMITS, OWNER, PageDirectory, pointOf } from "./page-directory.ts";
import { PlainDatabase } from "./plain-database.ts";

/** A directory with this database stored as of entry 10. */
function stored(database: PlainDatabase): PageDirectory {
  const directory = PageDirectory.open();
  expect(directory.checkpoint(10, database.cut(null))).toBe(true);
  return directory;
}

/** What a checkpoint of these changes writes, over a database of so many pages. */
function costOf(pageCount: number, changed: readonly number[]): number {
  const database = PlainDatabase.of(pageCount);
  const directory = stored(database);
  directory.writtenBytes = 0;
  expect(directory.checkpoint(20, database.changed(changed, 7).cut(database))).toBe(true);
  return directory.writtenBytes;
}

test("a checkpoint costs what has changed, however large the database is", () => {
  const [manifest, head, page] = [8192, 8192, 64];
  for (const pageCount of [100, 1000, 5000]) {
    expect(costOf(pageCount, [3, 50, 99])).toBe(manifest + head + 3 * page);
    expect(costOf(pageCount, [])).toBe(manifest);
  }
});

test("a write has at most so many bytes, and what is written is synced before more is", () => {
  const database = PlainDatabase.of(40);
  const directory = PageDirectory.open();
  const operations: DiskOperation[] = [];
  directory.trouble = (operation) => (operations.push(operation), null);
  directory.checkpoint(10, database.cut(null));
  let unsynced = 0;
  let most = 0;
  for (const operation of operations) {
    if (!("file" in operation) || !operation.file.startsWith("pages-")) continue;
    if (operation.type === "write") {
      expect(operation.bytes.length).toBeLessThanOrEqual(operation.offset >= 8192 ? LIMITS.maxWriteBytes : 4096);
      if (operation.offset >= 8192) most = Math.max(most, ++unsynced);
    }
    if (operation.type === "sync") unsynced = 0;
  }
  expect([most, unsynced]).toEqual([1, 0]);
});

test("files, sync, rename and directory come first, then the manifest in the same order (rule 15, W25)", () => {
  const directory = stored(PlainDatabase.of(2));
  const operations: string[] = [];
  directory.trouble = (operation) => {
    operations.push([operation.type, ...filesOf(operation)].join(" "));
    return null;
  };
  directory.checkpoint(20, PlainDatabase.of(2).changed([2], 9).cut(PlainDatabase.of(2).changed([], 9)));
  expect(operations.filter((operation) => !operation.startsWith("write"))).toEqual([
    "open manifest-3.new", "preallocate manifest-3.new",
    "open pages-0000000004.new", "sync pages-0000000004.new",
    "rename pages-0000000004.new pages-0000000004", "syncDirectory",
    "sync manifest-3.new", "rename manifest-3.new manifest", "syncDirectory",
  ]);
});

test("a page beyond the page count is absent, whatever older files hold; one that comes back is as it came", () => {
  const first = PlainDatabase.of(9);
  const directory = stored(first);
  const shrunk = first.changed([1], 7, 4);
  directory.checkpoint(20, shrunk.cut(first));
  expect(String(directory.restore())).toBe(String(shrunk));
  expect([4, 5].map((number) => directory.pages.stored!.locate(number) !== null)).toEqual([true, false]);
  const grown = shrunk.changed([2], 8, 6);
  directory.checkpoint(30, grown.cut(shrunk));
  expect(String(directory.restore())).toBe(String(grown));
  directory.mergeAll();
  expect(String(PageDirectory.open(directory.disk).restore())).toBe(String(grown));
});

test("a database without pages is stored, and one of another page size may follow it", () => {
  const none = new PlainDatabase(0, 0, new Map());
  const directory = stored(none);
  expect(directory.names).toEqual(["manifest"]);
  const small = PlainDatabase.of(3);
  directory.checkpoint(20, small.cut(none));
  directory.checkpoint(30, none.cut(small));
  expect(directory.names).toEqual(["manifest"]);
  const large = PlainDatabase.of(2, 512);
  directory.checkpoint(40, large.cut(none));
  const restarted = PageDirectory.open(directory.disk.killed());
  expect(String(restarted.restore())).toBe(String(large));
  expect(restarted.names.length).toBe(2);
});

test("a page that no file holds is not restored: the lock-byte page is none (W15)", () => {
  const { pages } = PlainDatabase.of(5);
  const database = new PlainDatabase(64, 5, new Map([...pages].filter(([number]) => number !== 3)));
  const directory = stored(database);
  expect([...directory.restore().pages.keys()]).toEqual([1, 2, 4, 5]);
  const changed = database.changed([1, 2, 4], 9);
  directory.checkpoint(20, changed.cut(database));
  expect(directory.merge()).toBe(true);
  expect([...directory.restore().pages.keys()]).toEqual([1, 2, 4, 5]);
});

test("a cut of the same entry is stored again: that is how damaged pages are mended", () => {
  const database = PlainDatabase.of(4);
  const directory = stored(database);
  expect(directory.checkpoint(10, database.cut(database, [2, 3]))).toBe(true);
  expect(directory.counts).toEqual([4, 2]);
  expect(String(directory.restore())).toBe(String(database));
});

test("a cut that a newer snapshot has overtaken leaves nothing behind (W24)", () => {
  const database = PlainDatabase.of(4);
  const sender = stored(database);
  const newer = database.changed([1, 2], 8);
  sender.checkpoint(30, newer.cut(database));
  const directory = stored(database);
  const written = directory.write(20, database.changed([4], 9).cut(database))!;
  directory.receive(sender);
  expect(directory.publish(written)).toBe(false);
  expect(directory.pages.snapshot?.entry.index).toBe(30);
  expect(String(directory.restore())).toBe(String(newer));
  expect(directory.names.length).toBe(1 + directory.counts.length);
});

test("a first cut that was overtaken by an installed snapshot leaves nothing behind", () => {
  const sender = stored(PlainDatabase.of(4));
  const directory = PageDirectory.open();
  const written = directory.write(20, PlainDatabase.of(2).cut(null))!;
  directory.receive(sender);
  expect(directory.publish(written)).toBe(false);
  expect(String(directory.restore())).toBe(String(PlainDatabase.of(4)));
});

test("files are merged as soon as one has less than twice the pages of all newer ones", () => {
  let database = PlainDatabase.of(40);
  const directory = stored(database);
  const sizes: string[] = [];
  for (let index = 20; index <= 90; index += 10) {
    const changed = database.changed([1, 2, 3, 4].map((number) => (number * index) % 40 + 1), index);
    directory.checkpoint(index, changed.cut(database));
    database = changed;
    const before = directory.counts.join("+");
    directory.mergeAll();
    sizes.push(directory.counts.join("+") === before ? before : `${before} -> ${directory.counts.join("+")}`);
    expect(String(directory.restore())).toBe(String(database));
  }
  expect(sizes).toMatchInlineSnapshot(`
    [
      "40+2",
      "40+2+4 -> 40+4",
      "40+4+1",
      "40+4+1+4 -> 40+4",
      "40+4+2",
      "40+4+2+4 -> 40+4",
      "40+4+1",
      "40+4+1+4 -> 40+4",
    ]
  `);
});

test("a merge leaves out what is overwritten or beyond the page count, and keeps what came while it went on", () => {
  const database = PlainDatabase.of(8);
  const directory = stored(database);
  const second = database.changed([1, 2, 3, 4, 5], 9, 6);
  directory.checkpoint(20, second.cut(database));
  const merge = planMerge(directory.pages)!;
  const written = directory.run(writeMerge(directory, merge, LIMITS)) as WrittenMerge;
  const third = second.changed([1], 11, 7);
  directory.checkpoint(30, third.cut(second));
  expect(directory.run(publishMerge(directory, written))).toBeNull();
  expect(directory.counts).toEqual([6, 2]);
  expect(directory.pages.snapshot?.entry.index).toBe(30);
  expect(String(directory.restore())).toBe(String(third));
});

test("a merge whose files have gone meanwhile leaves nothing behind, and no file is missed", () => {
  const database = PlainDatabase.of(8);
  const directory = stored(database);
  const second = database.changed([1, 2, 3, 4, 5], 9);
  directory.checkpoint(20, second.cut(database));
  const sender = PageDirectory.open();
  sender.checkpoint(40, second.cut(null));
  const steps = writeMerge(directory, planMerge(directory.pages)!, LIMITS);
  let step = steps.next();
  for (let count = 0; count < 8 && !step.done; count++) step = steps.next(directory.disk.perform(step.value));
  // Its inputs are held: the snapshot that replaces them removes nothing that it still reads.
  directory.receive(sender);
  while (!step.done) step = steps.next(directory.disk.perform(step.value));
  expect(directory.run(publishMerge(directory, step.value as WrittenMerge))).toBeNull();
  directory.checkpoint(50, second.cut(second));
  expect(directory.counts).toEqual([8]);
  expect(directory.names.length).toBe(2);
  expect(String(directory.restore())).toBe(String(second));
});

test("a checkpoint and a merge without space leave nothing behind, wherever it ends, and harm nothing", () => {
  const database = PlainDatabase.of(9);
  const changed = database.changed([1, 2, 3, 4, 5], 9);
  let abandoned = 0;
  for (const isMerge of [false, true]) {
    for (let allowed = 0, isDone = false; !isDone; allowed++) {
      const directory = stored(database);
      if (isMerge) directory.checkpoint(20, changed.cut(database));
      const names = directory.names;
      directory.trouble = fullAfter(allowed);
      const merge = planMerge(directory.pages);
      isDone = isMerge
        ? directory.run(writeMerge(directory, merge!, LIMITS)) !== null
        : directory.write(20, changed.cut(database)) !== null;
      if (isDone) continue;
      abandoned++;
      expect(directory.names).toEqual(names);
      directory.trouble = () => null;
      expect(isMerge ? directory.merge() : directory.checkpoint(20, changed.cut(database))).toBe(true);
      expect(String(directory.restore())).toBe(String(changed));
    }
  }
  expect(abandoned).toBeGreaterThan(15);
});

test("space that was taken and yet is not there ends the process, as any other failure", () => {
  const database = PlainDatabase.of(3);
  for (const type of ["write", "sync"]) {
    const directory = stored(database);
    const written = directory.write(20, database.cut(database))!;
    directory.trouble = (operation) => {
      return operation.type === type ? { code: "ENOSPC", file: "manifest", message: "no space" } : null;
    };
    expect(() => directory.publish(written)).toThrow("can be published");
    expect(directory.pages.snapshot?.entry.index).toBe(10);
  }
});

test("files take at most twice the database at rest, and the newest cut beside", () => {
  const pageSize = 512;
  let database = PlainDatabase.of(64, pageSize);
  const directory = PageDirectory.open();
  directory.checkpoint(10, database.cut(null));
  const head = 8192;
  let peak = 0;
  for (let round = 0; round < 120; round++) {
    const width = [1, 3, 9, 27][round % 4]!;
    const numbers = Array.from({ length: width }, (_, at) => ((at * 7 + round * 5) % database.pageCount) + 1);
    const pageCount = round === 60 ? 16 : round === 90 ? 64 : database.pageCount;
    const changed = database.changed(numbers.filter((number) => number <= pageCount), round, pageCount);
    const cut = changed.cut(database);
    const allowed = 2 * database.pageCount * pageSize + cut.numbers.length * pageSize;
    directory.checkpoint(20 + round, cut);
    expect(directory.bytes).toBeLessThanOrEqual(allowed + directory.counts.length * head + 8192);
    database = changed;
    directory.mergeAll();
    expect(directory.bytes).toBeLessThanOrEqual(2 * pageCount * pageSize + directory.counts.length * head + 8192);
    // Sizes are geometric: few files.
    expect(directory.counts.length).toBeLessThanOrEqual(7);
    peak = Math.max(peak, directory.bytes);
  }
  expect(peak).toBeGreaterThan(64 * pageSize);
  expect(String(directory.restore())).toBe(String(database));
});

test("a cut breaks no law of its own: ascending pages within the page count, each with a checksum", () => {
  const cut = PlainDatabase.of(3).cut(null);
  const wrong = [
    { ...cut, numbers: Uint32Array.from([2, 1, 3]) }, { ...cut, pageCount: 2 }, { ...cut, crcs: new Uint32Array(2) },
    { ...cut, pageAt: () => new Uint8Array(63) },
  ];
  for (const one of wrong) expect(() => PageDirectory.open().write(1, one)).toThrow(/page/);
});

test("a page that is not what its checksum says any more is named, and nothing of the cut is on the disk", () => {
  const directory = stored(PlainDatabase.of(1));
  const before = directory.names;
  const cut = PlainDatabase.of(3).cut(null);
  const changed = Uint8Array.from(cut.pageAt(1), (byte, at) => (at === 17 ? byte ^ 1 : byte));
  const harmed = { ...cut, pageAt: (place: number) => (place === 1 ? changed : cut.pageAt(place)) };
  expect(directory.run(writeCut(directory, pointOf(20), harmed, LIMITS))).toEqual({ damagedPage: 2 });
  expect(directory.names).toEqual(before);
  expect(PageDirectory.open(directory.disk.killed()).pages.snapshot).toMatchObject(pointOf(10));
});

test("an owner and a point are what the manifest says after a restart", () => {
  const directory = stored(PlainDatabase.of(1));
  const { pages } = PageDirectory.open(directory.disk.killed(), OWNER);
  expect(pages.snapshot).toEqual(directory.pages.snapshot);
  expect(pages.snapshot).toMatchObject(pointOf(10));
});
