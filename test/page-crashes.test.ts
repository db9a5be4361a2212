/**
 * Crashes of checkpoints, merges and receptions after every single disk operation, into every legal image: a start
 * finds the old snapshot or the new one, whole, and nothing that nobody refers to is left.
 */
import { expect, test } from "vitest";
import { publishCut } from "../core/storage/checkpoint.ts";
import type { DiskProcedure } from "../core/storage/file-window.ts";
import { type WrittenMerge, planMerge, publishMerge, writeMerge } from "../core/storage/merge.ts";
import { removeUnused } from "../core/storage/page-set.ts";
import { crashesOf, killsOf, runOn } from "./disk-procedure.ts";
import { MemoryDisk } from "./memory-disk.ts";
import { PageDirectory, opened, pointOf } from "./page-directory.ts";
import { PlainDatabase } from "./plain-database.ts";

/** Few operations, as a crash comes after each. */
const LIMITS = { maxWriteBytes: 8192 };
const FIRST = PlainDatabase.of(7);
const SECOND = FIRST.changed([1, 2, 3, 4], 50);
const THIRD = SECOND.changed([1, 2, 3, 6], 60, 6);

/** What is durable at the least, by the index of its entry, and what may be on its way. */
class Progress {
  acknowledged: number;
  ordered: number;

  constructor(index: number) {
    this.acknowledged = index;
    this.ordered = index;
  }
}

type Story = (directory: PageDirectory, progress: Progress) => DiskProcedure<void>;

/** How many images were looked at, and which states they held. */
interface Findings {
  images: number;
  readonly states: Set<number>;
}

/** Crashes the story everywhere, from a disk on; `states`: what the database is as of an index. */
function enumerate(start: MemoryDisk, states: ReadonlyMap<number, PlainDatabase>, story: Story): Findings {
  const found = PageDirectory.open(start.killed()).pages.snapshot?.entry.index ?? 0;
  let progress = new Progress(found);
  const findings: Findings = { images: 0, states: new Set() };
  /** What a start finds, by the image: most are the same. */
  const judged = new Map<string, number>();
  const find = (image: MemoryDisk): number => {
    const digest = image.digest();
    const known = judged.get(digest);
    if (known !== undefined) return known;
    const index = judge(image.killed(), states);
    judged.set(digest, index);
    // Whatever becomes of that start, the next one finds the same.
    for (const again of crashesOf(image, () => opened(image))) expect(find(again.image)).toBe(index);
    return index;
  };
  function* whole(): DiskProcedure<void> {
    progress = new Progress(found);
    const directory = yield* opened(start);
    yield* story(directory, progress);
  }
  for (const { image } of crashesOf(start, whole)) {
    findings.images++;
    const index = find(image);
    findings.states.add(index);
    const { acknowledged, ordered } = progress;
    expect(index >= acknowledged && index <= ordered, `${index} is from ${acknowledged} to ${ordered}`).toBe(true);
  }
  for (const killed of killsOf(start, whole)) {
    const index = judge(killed.killed(), states);
    const { acknowledged, ordered } = progress;
    expect(index >= acknowledged && index <= ordered, `${index} is from ${acknowledged} to ${ordered}`).toBe(true);
    // What its successor has found survives any further crash, and nothing is removed too early.
    const successor = killed.killed();
    runOn(successor, opened(successor));
    for (const image of successor.images()) expect(find(image)).toBe(index);
  }
  return findings;
}

/** As of which entry the start finds the snapshot, which is that of the entry. */
function judge(disk: MemoryDisk, states: ReadonlyMap<number, PlainDatabase>): number {
  const directory = runOn(disk, opened(disk));
  const { snapshot } = directory.pages;
  const files = directory.pages.stored?.files ?? [];
  expect(directory.names.length).toBe(files.length + (snapshot === null ? 0 : 1));
  if (snapshot === null) return 0;
  const { index } = snapshot.entry;
  const expected = states.get(index);
  const restored = new PageDirectory(disk, directory.pages).restore();
  expect(String(restored)).toBe(String(expected));
  return index;
}

function* checkpoint(
  directory: PageDirectory, progress: Progress, index: number, database: PlainDatabase, base: PlainDatabase | null,
): DiskProcedure<void> {
  progress.ordered = index;
  const written = yield* directory.writing(pointOf(index), database.cut(base));
  expect(yield* publishCut(directory, written!)).toBeNull();
  progress.acknowledged = index;
  yield* removeUnused(directory);
}

function* merge(directory: PageDirectory): DiskProcedure<void> {
  const written = yield* writeMerge(directory, planMerge(directory.pages)!, LIMITS);
  expect(yield* publishMerge(directory, written as WrittenMerge)).toBeNull();
  yield* removeUnused(directory);
}

const STATES = new Map([[10, FIRST], [20, SECOND], [30, THIRD]]);

test("checkpoints and a merge crash anywhere: the old snapshot or the new one, never a mix (M85)", () => {
  const findings = enumerate(new MemoryDisk(), STATES, function* story(directory, progress) {
    yield* checkpoint(directory, progress, 10, FIRST, null);
    yield* checkpoint(directory, progress, 20, SECOND, FIRST);
    yield* merge(directory);
    yield* checkpoint(directory, progress, 30, THIRD, SECOND);
    yield* merge(directory);
  });
  expect([...findings.states].sort()).toEqual([0, 10, 20, 30]);
  expect(findings.images).toBeGreaterThan(150);
});

test("a checkpoint of nothing, and one of a database that is gone, crash anywhere", () => {
  const none = new PlainDatabase(64, 0, new Map());
  const states = new Map([[10, FIRST], [20, FIRST], [30, none]]);
  const findings = enumerate(new MemoryDisk(), states, function* story(directory, progress) {
    yield* checkpoint(directory, progress, 10, FIRST, null);
    yield* checkpoint(directory, progress, 20, FIRST, FIRST);
    yield* checkpoint(directory, progress, 30, none, FIRST);
  });
  expect([...findings.states].sort()).toEqual([0, 10, 20, 30]);
});

/** Has all three snapshots. */
function sender(): PageDirectory {
  const from = PageDirectory.open();
  from.checkpoint(10, FIRST.cut(null));
  from.checkpoint(20, SECOND.cut(FIRST));
  from.checkpoint(30, THIRD.cut(SECOND));
  return from;
}

/** Receives the sender's snapshot, then it takes the place of the own one. */
function* reception(directory: PageDirectory, progress: Progress, from: PageDirectory): DiskProcedure<void> {
  const snapshot = from.pages.snapshot!;
  for (let end = 0; end < snapshot.size;) {
    const bytes = from.piece(snapshot, end, 9000)!;
    const chunk = { snapshot, offset: end, bytes };
    end = (yield* directory.reception.storeChunk(directory, chunk, LIMITS.maxWriteBytes))!;
  }
  progress.ordered = snapshot.entry.index;
  expect(yield* directory.reception.install(directory, snapshot)).toBeNull();
  progress.acknowledged = snapshot.entry.index;
  yield* removeUnused(directory);
}

test.each([["nothing of its own", null, 0], ["an older snapshot of its own", FIRST, 10]] as const)(
  "an installation over %s crashes anywhere: it has taken place, or nothing has (M79, M94, M96)",
  (_, own, index) => {
    const from = sender();
    const disk = new MemoryDisk();
    const to = PageDirectory.open(disk);
    if (own !== null) to.checkpoint(index, own.cut(null));
    const findings = enumerate(disk, STATES, (directory, progress) => reception(directory, progress, from));
    expect([...findings.states].sort()).toEqual([index, 30]);
    expect(findings.images).toBeGreaterThan(50);
  },
);

test("a manifest of which one half is lost is mended, at every crash", () => {
  const from = sender();
  const bytes = from.disk.bytesOf("manifest")!;
  const disk = MemoryDisk.of({
    ...Object.fromEntries(from.names.map((name) => [name, from.disk.bytesOf(name)!])), manifest: bytes.fill(0, 0, 500),
  });
  const findings = enumerate(disk, STATES, function* story() {});
  expect([...findings.states]).toEqual([30]);
  expect(PageDirectory.open(disk).pages.damage).toMatchObject([{ type: "corrupt", file: "manifest", offset: 0 }]);
  expect(PageDirectory.open(disk).pages.damage).toEqual([]);
});

test("what a crash of a transfer leaves is of no use to the next start, and gone", () => {
  const from = sender();
  const to = PageDirectory.open();
  to.fetch(from, from.pages.snapshot!, 0, 1 << 20);
  to.fetch(from, from.pages.snapshot!, from.pages.stored!.head.length, 5000);
  expect(to.names.length).toBeGreaterThan(3);
  expect(PageDirectory.open(to.disk.killed()).names).toEqual([]);
});
