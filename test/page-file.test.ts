/** Files of pages, byte by byte: what is written, and what is refused. */
import { expect, test } from "vitest";
import { crc32c } from "../core/checksum.ts";
import { sealBlock, beginBlock, type Refused } from "../core/storage/block.ts";
import { PageFileJudge } from "../core/storage/page-file-judge.ts";
import {
  MAX_PAGES, checksumOfDirectory, decodePageDirectory, decodePageFileHeader, encodePageFileHead, isPageFile,
  pageFileName, pageFileSize, pagesAtOf, placeOf, sequenceOfPageFile,
} from "../core/storage/page-file.ts";
import { readPageFile } from "../core/storage/page-recovery.ts";
import type { LogIndex } from "../core/types.ts";
import { runOn } from "./disk-procedure.ts";
import { expectGolden, flippedBits, truncations } from "./golden-file.ts";
import { MemoryDisk } from "./memory-disk.ts";
import { OWNER, PageDirectory } from "./page-directory.ts";
import { PlainDatabase } from "./plain-database.ts";

const NAME = pageFileName(1);

/** Three pages as of entry 7, of which a checkpoint made a file. */
function written(): PageDirectory {
  const directory = PageDirectory.open();
  const database = PlainDatabase.of(9);
  const { numbers, crcs, pageAt, ...rest } = database.cut(null);
  const places = [0, 3, 8];
  const cut = {
    ...rest, numbers: Uint32Array.from(places, (at) => numbers[at]!), crcs: Uint32Array.from(places, (at) => crcs[at]!),
    pageAt: (place: number) => pageAt(places[place]!),
  };
  expect(directory.checkpoint(7, cut)).toBe(true);
  return directory;
}

const DIRECTORY = written();
const FILE = DIRECTORY.pages.stored!.files[0]!;
const BYTES = DIRECTORY.disk.bytesOf(pageFileName(FILE.sequence))!;
const EXPECTED = { cluster: OWNER.cluster, pageSize: 64, traits: FILE };

/** Judges the file as recovery does, then its pages as whoever receives it. */
function judge(bytes: Uint8Array, step = 1000): Refused["fault"] | null {
  const found = runOn(MemoryDisk.of({ [NAME]: bytes }), readPageFile({ ...FILE, sequence: 1 }, OWNER.cluster, 64));
  const judged = new PageFileJudge(NAME, EXPECTED);
  for (let at = 0; at < bytes.length; at += step) {
    const refused = judged.take(bytes.subarray(at, at + step));
    if (refused !== null) return refused.fault;
  }
  expect(judged.isWhole, "whoever reads the directory and whoever receives the file agree").toBe(found.ok);
  return found.ok ? null : found.fault;
}

test("the format of a file of pages is the golden one", () => {
  expectGolden("storage-pages", BYTES);
  expect(BYTES.length).toBe(pageFileSize(3, 64));
});

test("a file of pages is decoded as it was written", () => {
  const file = runOn(DIRECTORY.disk, readPageFile(FILE, OWNER.cluster, 64));
  expect(file).toEqual({ ok: true, value: FILE });
  expect([...FILE.numbers]).toEqual([1, 4, 9]);
  for (const [place, crc] of FILE.crcs.entries()) {
    expect(crc32c(BYTES, pagesAtOf(3) + place * 64, pagesAtOf(3) + place * 64 + 64)).toBe(crc);
  }
  for (const step of [1, 63, 64, 4096, 100_000]) expect(judge(BYTES, step)).toBeNull();
});

test("every flipped bit of a file of pages is located, every truncation refused", () => {
  let looked = 0;
  for (const { bytes, at } of flippedBits(BYTES)) {
    const fault = judge(bytes);
    expect(fault).toMatchObject({ type: "corrupt", file: NAME });
    const offset = (fault as { offset: number }).offset;
    expect(offset, `of the flip at ${at}`).toBeLessThanOrEqual(at);
    const page = pagesAtOf(3) + Math.floor((at - pagesAtOf(3)) / 64) * 64;
    expect(offset).toBe(at < 4096 ? 0 : at < pagesAtOf(3) ? 4096 : page);
    looked++;
  }
  expect(looked).toBeGreaterThan(2000);
  for (const bytes of truncations(BYTES)) expect(judge(bytes)).toMatchObject({ type: "corrupt" });
});

test("a header of another version is refused by name, of another cluster as foreign, of another file as damage", () => {
  const fields = (version: number, cluster: string, through = 7, count = 3): Uint8Array => {
    const writer = beginBlock({ file: NAME, offset: 0, magic: "qlitepag", version }).hex(cluster).u64(through);
    const bytes = BYTES.slice();
    bytes.set(sealBlock(writer.u32(64).u32(count).raw(BYTES.subarray(48, 52)), 4096));
    return bytes;
  };
  expect(judge(fields(1, OWNER.cluster))).toBeNull();
  expect(judge(fields(2, OWNER.cluster))).toEqual({ type: "wrongVersion", file: NAME, found: 2, expected: 1 });
  const other = "ab".repeat(16);
  expect(judge(fields(1, other))).toMatchObject({ type: "wrongIdentity", found: `cluster ${other}` });
  const refused = (through: number, count: number, detail: string): void => {
    const fault = judge(fields(1, OWNER.cluster, through, count));
    expect(fault).toMatchObject({ type: "corrupt", detail: expect.stringContaining(detail) });
  };
  refused(8, 3, "manifest");
  refused(0, 3, "as of an entry");
  // Judged before anything is made room for.
  refused(7, MAX_PAGES + 1, "at most");
  refused(7, 0, "at most");
});

test("a directory whose numbers do not ascend is refused, whatever its checksum says", () => {
  for (const numbers of [[0, 1], [2, 2], [3, 1]]) {
    const directory = { numbers: Uint32Array.from(numbers), crcs: new Uint32Array(2) };
    const fields = { cluster: OWNER.cluster, through: 1 as LogIndex, pageSize: 64, count: 2 };
    const head = encodePageFileHead({ ...fields, ...directory, directoryChecksum: checksumOfDirectory(directory) });
    const header = decodePageFileHeader(NAME, head);
    if (!header.ok) throw new Error("the header is right");
    const decoded = decodePageDirectory(NAME, header.value, head.subarray(4096));
    expect(decoded).toMatchObject({ ok: false, fault: { detail: expect.stringContaining("ascend") } });
    expect(decodePageDirectory(NAME, header.value, head.subarray(4096, 5000)).ok).toBe(false);
  }
});

test("a name is that of a file of pages if it could have been made by us", () => {
  expect([1, 12345678901].map(pageFileName)).toEqual(["pages-0000000001", "pages-12345678901"]);
  expect(["pages-0000000012", "pages-12345678901"].map(sequenceOfPageFile)).toEqual([12, 12345678901]);
  const others = ["pages-12", "pages-", "pages-00000000001", "page-0000000001", "pages-0000000001.new", "manifest"];
  for (const name of others) {
    expect([name, isPageFile(name)]).toEqual([name, false]);
  }
});

test("a page is found in its directory, and none that is not there", () => {
  const found = Array.from({ length: 11 }, (_, number) => placeOf(FILE, number));
  expect(found).toEqual([null, 0, null, null, 1, null, null, null, null, 2, null]);
});
