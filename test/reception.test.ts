/** Snapshots on their way from one member to another: what is sent, what is left out, and what ends it. */
import { expect, test } from "vitest";
import type { SnapshotId } from "../core/raft/message.ts";
import { publishCut } from "../core/storage/checkpoint.ts";
import { fullAfter } from "./disk-procedure.ts";
import { OWNER, PageDirectory } from "./page-directory.ts";
import { PlainDatabase } from "./plain-database.ts";

const FIRST = PlainDatabase.of(40);
const SECOND = FIRST.changed([1, 2, 3], 50);
const THIRD = SECOND.changed([3, 4], 60, 38);

/** Has three snapshots, as of the entries 10, 20 and 30. */
function sender(): PageDirectory {
  const directory = PageDirectory.open();
  directory.checkpoint(10, FIRST.cut(null));
  directory.checkpoint(20, SECOND.cut(FIRST));
  directory.checkpoint(30, THIRD.cut(SECOND));
  return directory;
}

/** The stream of a snapshot, read in pieces of this size. */
function streamOf(from: PageDirectory, maxBytes: number, snapshot = from.pages.snapshot!): Uint8Array {
  const stream: number[] = [];
  while (stream.length < snapshot.size) stream.push(...from.piece(snapshot, stream.length, maxBytes)!);
  return Uint8Array.from(stream);
}

function store(to: PageDirectory, snapshot: SnapshotId, stream: Uint8Array, from: number, end: number): number | null {
  return to.store({ snapshot, offset: from, bytes: stream.slice(from, end) });
}

/** Nothing but what the stored snapshot needs is there. */
function expectTidy(directory: PageDirectory): void {
  expect(directory.names.length).toBe(directory.counts.length + (directory.pages.stored === null ? 0 : 1));
}

test("a stream is the same bytes in whatever pieces it is read, and each piece is within one of its parts", () => {
  const from = sender();
  const whole = streamOf(from, 1 << 20);
  expect(whole.length).toBe(from.pages.snapshot!.size);
  for (const maxBytes of [63, 64, 4097]) {
    expect(Buffer.compare(streamOf(from, maxBytes), whole)).toBe(0);
  }
  expect(from.piece(from.pages.snapshot!, whole.length, 5)).toEqual(new Uint8Array(0));
  const names = from.pages.stored!.files.map(({ sequence }) => `pages-${String(sequence).padStart(10, "0")}`);
  const files = names.flatMap((name) => [...from.disk.bytesOf(name)!]);
  expect(Buffer.compare(whole.subarray(whole.length - files.length), Uint8Array.from(files))).toBe(0);
});

test("an empty member gets all of it, in pieces of any size, and can send it on", () => {
  const from = sender();
  for (const maxBytes of [100, 4096, 1 << 20]) {
    const to = PageDirectory.open();
    expect(to.receive(from, undefined, maxBytes)).toBe(from.pages.snapshot!.size);
    expect(to.pages.snapshot).toEqual(from.pages.snapshot);
    expect(String(to.restore())).toBe(String(THIRD));
    expectTidy(to);
    const third = PageDirectory.open();
    third.receive(to);
    expect(String(PageDirectory.open(third.disk.killed()).restore())).toBe(String(THIRD));
  }
});

test("a member that lags behind gets only the files that are newer than what it has", () => {
  const from = sender();
  const [head, first, second, third] = [from.pages.stored!.head.length, 8192 + 40 * 64, 8192 + 3 * 64, 8192 + 2 * 64];
  expect(from.pages.snapshot!.size).toBe(head + first + second + third);
  const cases = [[10, FIRST, second + third], [20, SECOND, third], [25, SECOND, third]] as const;
  for (const [index, database, sent] of cases) {
    const to = PageDirectory.open();
    to.checkpoint(index, database.cut(null));
    expect(to.receive(from)).toBe(head + sent);
    expect(String(to.restore())).toBe(String(THIRD));
    expectTidy(to);
    // What it made of it is a snapshot as any other, of other files.
    to.mergeAll();
    const next = PageDirectory.open(to.disk.killed());
    expect(String(next.restore())).toBe(String(THIRD));
    const other = PageDirectory.open();
    other.receive(next);
    expect(String(other.restore())).toBe(String(THIRD));
  }
});

test("what has not changed since is not sent at all", () => {
  const from = PageDirectory.open();
  from.checkpoint(10, FIRST.cut(null));
  from.checkpoint(30, FIRST.cut(FIRST));
  const to = PageDirectory.open();
  to.checkpoint(15, FIRST.cut(null));
  expect(to.receive(from)).toBe(from.pages.stored!.head.length);
  expect(to.pages.snapshot?.entry.index).toBe(30);
  expect(String(to.restore())).toBe(String(FIRST));
});

test("a member whose pages have another size, or none, builds on nothing of its own", () => {
  const from = sender();
  for (const own of [PlainDatabase.of(2, 128), new PlainDatabase(64, 0, new Map())]) {
    const to = PageDirectory.open();
    to.checkpoint(15, own.cut(null));
    expect(to.receive(from)).toBe(from.pages.snapshot!.size);
    expect(String(to.restore())).toBe(String(THIRD));
    expectTidy(to);
  }
});

test("the files of its own that a reception builds on stay, though they are merged meanwhile", () => {
  const from = sender();
  const to = PageDirectory.open();
  to.checkpoint(5, PlainDatabase.of(40).changed([9], 3).cut(null));
  to.checkpoint(10, FIRST.cut(PlainDatabase.of(40).changed([9], 3)));
  const snapshot = from.pages.snapshot!;
  let end = to.fetch(from, snapshot, 0, 300)!;
  expect(to.merge()).toBe(true);
  const both = to.names.filter((name) => /^pages-\d+$/.test(name)).length;
  expect(both).toBe(3);
  while (end < snapshot.size) end = to.fetch(from, snapshot, end, 3000)!;
  to.install(snapshot);
  expect(String(to.restore())).toBe(String(THIRD));
  expectTidy(to);
});

test("a chunk that comes twice, late or too early changes nothing (M99)", () => {
  const from = sender();
  const snapshot = from.pages.snapshot!;
  const stream = streamOf(from, 4096);
  const to = PageDirectory.open();
  let end = 0;
  for (let next = 0; end < snapshot.size; next = end) {
    end = store(to, snapshot, stream, next, next + 900)!;
    expect(end).toBe(Math.min(next + 900, stream.length));
    expect(store(to, snapshot, stream, next, next + 900), "again").toBe(end);
    expect(store(to, snapshot, stream, next, next), "nothing").toBe(end);
    expect(store(to, snapshot, stream, 0, 500), "from the start").toBe(end);
    expect(store(to, snapshot, stream, end + 1, end + 100), "ahead").toBe(end);
    if (end === stream.length) continue;
    end = store(to, snapshot, stream, next + 450, next + 950)!;
    expect(end, "some of it again").toBe(Math.min(next + 950, stream.length));
  }
  to.install(snapshot);
  expect(String(to.restore())).toBe(String(THIRD));
});

test("a transfer that broke off goes on where it was", () => {
  const from = sender();
  const snapshot = from.pages.snapshot!;
  const to = PageDirectory.open();
  const end = to.fetch(from, snapshot, 0, 100_000)!;
  const further = to.fetch(from, snapshot, end, 5000)!;
  expect(further).toBe(end + 5000);
  expect(to.store({ snapshot, offset: 0, bytes: new Uint8Array(0) })).toBe(further);
});

test("of a stream that is given up, files that the next one has, too, are not fetched again", () => {
  const from = sender();
  const to = PageDirectory.open();
  const older = from.pages.snapshot!;
  from.pages.pin(older);
  let end = 0;
  while (end < older.size - 100) end = to.fetch(from, older, end, 4096)!;
  // The sender has come further: the third file is another one, the other two are the same.
  const fourth = THIRD.changed([7, 8], 70);
  from.checkpoint(40, fourth.cut(THIRD));
  from.mergeAll();
  expect(from.counts).toEqual([40, 6]);
  const head = from.pages.stored!.head.length;
  expect(to.receive(from)).toBe(head + 8192 + 6 * 64);
  expect(String(to.restore())).toBe(String(fourth));
  expectTidy(to);
});

test("a file that has come in part goes on in the next stream that has it", () => {
  const from = sender();
  const to = PageDirectory.open();
  const older = from.pages.snapshot!;
  from.pages.pin(older);
  const head = to.fetch(from, older, 0, 4096)!;
  to.fetch(from, older, head, 9000);
  const fetched = to.store({ snapshot: older, offset: 0, bytes: new Uint8Array(0) })! - head;
  from.checkpoint(40, THIRD.cut(THIRD));
  const newer = from.pages.snapshot!;
  expect(to.fetch(from, newer, 0, 4096)).toBe(from.pages.stored!.head.length + fetched);
  expect(to.receive(from, newer)).toBeLessThan(newer.size - fetched + 4096);
  expect(String(to.restore())).toBe(String(THIRD));
  expectTidy(to);
});

test("a pinned snapshot stays readable whatever takes its place, and goes once it is released as often", () => {
  const from = sender();
  const snapshot = from.pages.snapshot!;
  const whole = streamOf(from, 4096);
  from.pages.pin(snapshot);
  from.pages.pin(snapshot);
  from.checkpoint(40, THIRD.changed([...THIRD.pages.keys()], 80).cut(THIRD));
  from.mergeAll();
  expect(from.counts).toEqual([38]);
  expect(Buffer.compare(streamOf(from, 999, snapshot), whole)).toBe(0);
  from.pages.release(snapshot);
  expect(from.pages.hasUnused).toBe(false);
  expect(from.piece(snapshot, 0, 10)).not.toBeNull();
  from.pages.release(snapshot);
  expect(from.pages.hasUnused).toBe(true);
  expect(from.piece(snapshot, 0, 10)).toBeNull();
  // What is not there cannot be pinned, or released.
  from.pages.pin(snapshot);
  from.pages.release(snapshot);
  expect(from.piece(snapshot, 0, 10)).toBeNull();
});

test("without space a reception is given up, and nothing is left of it, wherever it ends", () => {
  const from = sender();
  const snapshot = from.pages.snapshot!;
  const stream = streamOf(from, 4096);
  let abandoned = 0;
  for (let allowed = 0, isDone = false; !isDone; allowed++) {
    const to = PageDirectory.open();
    to.checkpoint(10, FIRST.cut(null));
    const names = to.names;
    to.trouble = fullAfter(allowed);
    let end: number | null = 0;
    while (end !== null && end < snapshot.size) end = store(to, snapshot, stream, end, end + 3000);
    to.trouble = () => null;
    isDone = end !== null;
    if (!isDone) {
      abandoned++;
      expect(to.names).toEqual(names);
      to.receive(from);
    } else to.install(snapshot);
    expect(String(to.restore())).toBe(String(THIRD));
    expectTidy(to);
  }
  expect(abandoned).toBeGreaterThan(10);
});

test("a stream with a flipped bit is given up as soon as that can be known, wherever it is", () => {
  const from = sender();
  const snapshot = from.pages.snapshot!;
  const stream = streamOf(from, 4096);
  for (let at = 0; at < stream.length; at += 331) {
    const flipped = stream.slice();
    flipped[at]! ^= 4;
    const to = PageDirectory.open();
    let end: number | null = 0;
    while (end !== null && end < snapshot.size) end = store(to, snapshot, flipped, end, end + 2500);
    expect([at, end]).toEqual([at, null]);
    expect(to.names).toEqual([]);
  }
});

test("a snapshot is installed once it was received as a whole, and takes the place of an older one only (M97)", () => {
  const from = sender();
  const snapshot = from.pages.snapshot!;
  const to = PageDirectory.open();
  expect(() => to.install(snapshot)).toThrow("was received");
  to.fetch(from, snapshot, 0, 1000);
  expect(() => to.install(snapshot)).toThrow("all of it");
  expect(() => to.install({ ...snapshot, checksum: 1 })).toThrow("was received");
  let end = to.fetch(from, snapshot, 0, 1000)!;
  while (end < snapshot.size) end = to.fetch(from, snapshot, end, 1 << 20)!;
  const written = to.write(30, THIRD.cut(null))!;
  expect(to.run(publishCut(to, written))).toBeNull();
  expect(() => to.install(snapshot)).toThrow("a newer one only");
});

test("files of another cluster are refused", () => {
  const from = sender();
  const to = PageDirectory.open(undefined, { ...OWNER, cluster: "ee".repeat(16) as typeof OWNER.cluster });
  const stream = streamOf(from, 4096);
  expect(store(to, from.pages.snapshot!, stream, 0, stream.length)).toBeNull();
});

test("what has come of a snapshot is dropped once an own one is as new", () => {
  const from = sender();
  const snapshot = from.pages.snapshot!;
  for (const [index, isDropped] of [[20, false], [30, true]] as const) {
    const to = PageDirectory.open();
    to.checkpoint(10, FIRST.cut(null));
    let end = to.fetch(from, snapshot, 0, 4096)!;
    end = to.fetch(from, snapshot, end, 100)!;
    expect(to.checkpoint(index, SECOND.cut(FIRST))).toBe(true);
    expect(to.names.some((name) => name.endsWith(".part"))).toBe(!isDropped);
    expect(to.store({ snapshot, offset: end, bytes: new Uint8Array(0) })).toBe(isDropped ? 0 : end);
  }
});

test("a member whose own pages are damaged where they count builds on nothing of its own", () => {
  const from = sender();
  const to = PageDirectory.open();
  to.checkpoint(10, FIRST.cut(null));
  const file = to.pages.stored!.files[0]!;
  const fault = { type: "corrupt", file: "pages-0000000002", offset: 8192, detail: "page 1 cannot be read" } as const;
  to.pages.noteDamage([{ fault, file, number: 1 }]);
  expect(to.receive(from)).toBe(from.pages.snapshot!.size);
});
