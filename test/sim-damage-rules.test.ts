/** What of a directory may be damaged: by whole files of the product's own. */
import { expect, test } from "vitest";
import { IDENTITY_FILE, IDENTITY_SIZE } from "../core/storage/identity-file.ts";
import { recordSize } from "../core/storage/record.ts";
import { SEGMENT_HEADER_SIZE, segmentFile } from "../core/storage/segment-file.ts";
import { TERM_FILE } from "../core/storage/term-file.ts";
import { DamageRules } from "../sim/damage-rules.ts";
import { StorageBench } from "./sim-storage.ts";

const LOG = segmentFile(1);
const RECORD = recordSize(100);
const BLOCK = 4096;

const rulesOf = ({ disk }: StorageBench): DamageRules => new DamageRules(disk);
const at = (record: number): number => SEGMENT_HEADER_SIZE + record * RECORD;

test("the last group of the log may not be changed before something later vouches for it", () => {
  const bench = new StorageBench().appends(1).appends(1);
  expect(rulesOf(bench).change(LOG, at(0), at(0) + 1)).toBe("vital");
  expect(rulesOf(bench).change(LOG, at(1), at(1) + 1)).toBe("never");
  expect(rulesOf(bench).change(LOG, at(1) - 1, at(1) + 1)).toBe("never");
  bench.appends(1);
  expect(rulesOf(bench).change(LOG, at(1), at(1) + 1)).toBe("vital");
  bench.ticks();
  expect(rulesOf(bench).change(LOG, at(2), at(2) + 1)).toBe("vital");
});

test("what lies behind the log's end may be anything", () => {
  const bench = new StorageBench().appends(1);
  expect(rulesOf(bench).change(LOG, at(1), at(2))).toBe("mendable");
  expect(rulesOf(bench).change(segmentFile(2), 0, 9000)).toBe("mendable");
});

test("what a later segment begins behind is vouched for; where damage hides the end nothing may be changed", () => {
  const bench = new StorageBench().appends(1, 7000).appends(1, 7000);
  expect(bench.disk.durableFile(segmentFile(2))?.durableSize).toBeGreaterThan(0);
  expect(rulesOf(bench).change(LOG, SEGMENT_HEADER_SIZE, SEGMENT_HEADER_SIZE + 7000)).toBe("vital");
  expect(rulesOf(bench).change(segmentFile(2), SEGMENT_HEADER_SIZE, SEGMENT_HEADER_SIZE + 1)).toBe("never");
  bench.disk.durableFile(segmentFile(2))?.rot(SEGMENT_HEADER_SIZE + 8000, 1, false);
  expect(rulesOf(bench).change(segmentFile(2), SEGMENT_HEADER_SIZE + 8000, SEGMENT_HEADER_SIZE + 8001)).toBe("never");
});

test("one copy of what stands there twice may be damaged, not the other one as well", () => {
  const bench = new StorageBench().appends(1);
  const files = [[TERM_FILE, BLOCK], [IDENTITY_FILE, IDENTITY_SIZE / 2]] as const;
  for (const [file, distance] of files) {
    expect(rulesOf(bench).change(file, 20, 21)).toBe("mendable");
    expect(rulesOf(bench).change(file, 20, distance + 1)).toBe("never");
    bench.disk.durableFile(file)?.rot(20, 1, false);
    expect(rulesOf(bench).change(file, 21, 22)).toBe("mendable");
    expect(rulesOf(bench).change(file, distance + 21, distance + 22)).toBe("never");
  }
});

test("a block of the hard state that is unreadable in part counts as a whole", () => {
  const bench = new StorageBench().appends(1);
  expect(rulesOf(bench).change(TERM_FILE, 600, BLOCK + 512)).toBe("mendable");
  expect(rulesOf(bench).hide(TERM_FILE, 0, 512)).toBe("mendable");
  expect(rulesOf(bench).hide(TERM_FILE, 3584, BLOCK + 512)).toBe("never");
});

test("any part of the log may become unreadable, the last group too", () => {
  const bench = new StorageBench().appends(1);
  expect(rulesOf(bench).hide(LOG, at(0) - (at(0) % 512), at(0) + 512)).toBe("vital");
});

test("a read comes back wrong only where what it reads may be wrong", () => {
  const bench = new StorageBench().appends(1).appends(1);
  expect(rulesOf(bench).misread(LOG, at(0), at(1))).toBe(true);
  expect(rulesOf(bench).misread(LOG, at(0), at(2))).toBe(false);
  expect(rulesOf(bench).misread(LOG, 0, at(1))).toBe(false);
  expect(rulesOf(bench).misread(TERM_FILE, 0, 512)).toBe(false);
});

test("a write goes astray where both places may be damaged, and never from one copy to the other (seed 330026)", () => {
  const rules = rulesOf(new StorageBench().appends(1).appends(1));
  const place = (name: string, from: number, end: number) => ({ name, from, end });
  const second = IDENTITY_SIZE / 2;
  const copies = [place(IDENTITY_FILE, 0, 512), place(IDENTITY_FILE, second, second + 512)] as const;
  expect(rules.misdirect(place(LOG, at(0), at(1)), copies[0])).toBe(true);
  expect(rules.misdirect(copies[0], place(TERM_FILE, 0, 512))).toBe(true);
  expect(rules.misdirect(...copies)).toBe(false);
  expect(rules.misdirect(place(LOG, at(0), at(1)), place(LOG, at(0) + 8, at(1)))).toBe(false);
  expect(rules.misdirect(place(LOG, at(1), at(2)), copies[0])).toBe(false);
});
