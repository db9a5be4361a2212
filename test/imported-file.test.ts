/** Which database files can be imported as they are, and what is said of the others. */
import { expect, test } from "vitest";
import { markAsRollbackJournal, writeFirstPage } from "../core/pages/first-page.ts";
import { adoptFirstPage, judgeImport } from "../core/pages/imported-file.ts";

const PAGE_SIZE = 4096;

/** The first page of a file as SQLite leaves it, changed at one place. */
function firstPage(at = 0, bytes: readonly number[] = []): Uint8Array {
  const page = new Uint8Array(PAGE_SIZE);
  writeFirstPage(page);
  markAsRollbackJournal(page);
  page.set(bytes, at);
  return page;
}

const whole = (page: Uint8Array, fileSize = PAGE_SIZE) => judgeImport(page.subarray(0, 100), fileSize, PAGE_SIZE);

test("a database of our page size is taken as it is, in either journal mode", () => {
  expect(whole(firstPage())).toEqual({ ok: true, pageCount: 1 });
  expect(whole(firstPage(18, [2, 2]))).toEqual({ ok: true, pageCount: 1 });
});

test.each([
  ["an empty file", new Uint8Array(0), 0, /is empty/, false],
  ["a text", new Uint8Array(PAGE_SIZE).fill(65), PAGE_SIZE, /is no SQLite database/, false],
  ["a header cut short", firstPage().subarray(0, 99), 99, /is no SQLite database/, false],
  ["another page size", firstPage(16, [0x20, 0]), 8192, /has pages of 8192 bytes, and here they have 4096/, true],
  ["the largest page size", firstPage(16, [0, 1]), 65536, /has pages of 65536 bytes/, true],
  ["auto_vacuum", firstPage(52, [0, 0, 0, 3]), PAGE_SIZE, /auto_vacuum/, true],
  ["an unknown write version", firstPage(18, [3, 1]), PAGE_SIZE, /format 3\/1/, false],
  ["an unknown schema format", firstPage(44, [0, 0, 0, 5]), PAGE_SIZE, /schema format 5/, false],
  ["fewer pages than it names", firstPage(28, [0, 0, 0, 2]), PAGE_SIZE, /cut short: it names 2 pages/, false],
])("%s is refused with its reason", (_, page, fileSize, reason, byVacuum) => {
  expect(whole(page, fileSize)).toEqual({ ok: false, reason: expect.stringMatching(reason), byVacuum });
});

test("the size in the header counts only if it belongs to the last change, as SQLite has it", () => {
  // The change counter has moved on: who wrote last knew nothing of the size in the header.
  expect(whole(firstPage(24, [0, 0, 0, 9]), 3 * PAGE_SIZE)).toEqual({ ok: true, pageCount: 3 });
  expect(whole(firstPage(), 3 * PAGE_SIZE)).toEqual({ ok: true, pageCount: 1 });
});

test("an adopted page is in WAL mode and names its size", () => {
  const page = firstPage(24, [0, 0, 0, 9]);
  adoptFirstPage(page, 3);
  expect([...page.subarray(18, 20)]).toEqual([2, 2]);
  expect([...page.subarray(24, 32)]).toEqual([0, 0, 0, 9, 0, 0, 0, 3]);
  expect([...page.subarray(92, 96)]).toEqual([0, 0, 0, 9]);
});
