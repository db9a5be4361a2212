/**
 * The tables of the workload, laid out on pages. Not a database: every row has its place by its number, so that finding
 * one is arithmetic. Little-endian u32 throughout.
 *
 *   page 1   0 magic "QLPM"   4 rows in `list`
 *   page 2   accounts: balance of account n at 4 (n - 1)
 *   page 3   directory of `list`: page number of rows [512 k, 512 k + 512) at 4 k, 0: none yet
 *              row: 0 key, 4 value; the row of position p is number p - 1
 *   page 4   directory of `item`: as above, by id
 *              row: 0 size of the body plus 1 (0: no such item), 4 random
 *   page 5   directory of `transfer`: page number of rows [256 k, 256 k + 256) at 4 k
 *              row: 0 source (0: no such transfer), 4 target, 8 amount, 12 settled
 *
 * A body larger than half a page takes pages of its own, so that transactions weigh about what they weigh in SQLite.
 */
import { invariant } from "../../core/invariant.ts";
import type { Random } from "../../core/random.ts";
import { ACCOUNT_COUNT, OPENING_BALANCE } from "../workload/statements.ts";
import { MODEL_PAGE_SIZE, type Pages } from "./page-space.ts";

const MAGIC = 0x4d504c51;
const HEADER_PAGE = 1;
const ACCOUNT_PAGE = 2;
const LIST_DIRECTORY = 3;
const ITEM_DIRECTORY = 4;
const TRANSFER_DIRECTORY = 5;
const FIRST_FREE_PAGE = 6;
const LIST_COUNT_AT = 4;

const LIST_ROW_SIZE = 8;
const ITEM_ROW_SIZE = 8;
const TRANSFER_ROW_SIZE = 16;
const DIRECTORY_SIZE = MODEL_PAGE_SIZE / 4;

export interface TransferRow {
  readonly id: number;
  readonly source: number;
  readonly target: number;
  readonly amount: number;
}

export function schemaExists(pages: Pages): boolean {
  return pages.count > 0;
}

export function createSchema(pages: Pages): void {
  for (let number = HEADER_PAGE; number < FIRST_FREE_PAGE; number++) pages.allocate();
  setU32(pages.write(HEADER_PAGE), 0, MAGIC);
  for (let id = 1; id <= ACCOUNT_COUNT; id++) setBalance(pages, id, OPENING_BALANCE);
}

/** null: no such account. */
export function balanceOf(pages: Pages, id: number): number | null {
  return id >= 1 && id <= ACCOUNT_COUNT ? getU32(pages.read(ACCOUNT_PAGE), 4 * (id - 1)) : null;
}

export function setBalance(pages: Pages, id: number, balance: number): void {
  setU32(pages.write(ACCOUNT_PAGE), 4 * (id - 1), balance);
}

/** Returns the position. */
export function appendToList(pages: Pages, key: number, value: number): number {
  const count = listSize(pages);
  const { page, at } = writeRow(pages, LIST_DIRECTORY, LIST_ROW_SIZE, count);
  setU32(page, at, key);
  setU32(page, at + 4, value);
  setU32(pages.write(HEADER_PAGE), LIST_COUNT_AT, count + 1);
  return count + 1;
}

export function listSize(pages: Pages): number {
  return getU32(pages.read(HEADER_PAGE), LIST_COUNT_AT);
}

/** All rows in the order of their positions. */
export function forEachListRow(pages: Pages, visit: (position: number, key: number, value: number) => void): void {
  const count = listSize(pages);
  const perPage = MODEL_PAGE_SIZE / LIST_ROW_SIZE;
  const directory = pages.read(LIST_DIRECTORY);
  for (let from = 0; from < count; from += perPage) {
    const page = pages.read(getU32(directory, 4 * (from / perPage)));
    const rows = Math.min(perPage, count - from);
    for (let row = 0; row < rows; row++) {
      visit(from + row + 1, getU32(page, row * LIST_ROW_SIZE), getU32(page, row * LIST_ROW_SIZE + 4));
    }
  }
}

/** null: no such item. */
export function itemSize(pages: Pages, id: number): number | null {
  const found = findRow(pages, ITEM_DIRECTORY, ITEM_ROW_SIZE, id);
  const stored = found === null ? 0 : getU32(found.page, found.at);
  return stored === 0 ? null : stored - 1;
}

export function addItem(pages: Pages, id: number, size: number, random: Random): void {
  const { page, at } = writeRow(pages, ITEM_DIRECTORY, ITEM_ROW_SIZE, id);
  setU32(page, at, size + 1);
  setU32(page, at + 4, random.u32());
  if (size <= MODEL_PAGE_SIZE / 2) return;
  for (let left = size; left > 0; left -= MODEL_PAGE_SIZE) setU32(pages.write(pages.allocate()), 0, random.u32());
}

export function itemIds(pages: Pages): number[] {
  return rowNumbers(pages, ITEM_DIRECTORY, ITEM_ROW_SIZE);
}

/** null: no such transfer. */
export function transferOf(pages: Pages, id: number): TransferRow | null {
  const found = findRow(pages, TRANSFER_DIRECTORY, TRANSFER_ROW_SIZE, id);
  if (found === null || getU32(found.page, found.at) === 0) return null;
  const { page, at } = found;
  return { id, source: getU32(page, at), target: getU32(page, at + 4), amount: getU32(page, at + 8) };
}

export function addTransfer(pages: Pages, row: TransferRow, settled: number): void {
  const { page, at } = writeRow(pages, TRANSFER_DIRECTORY, TRANSFER_ROW_SIZE, row.id);
  setU32(page, at, row.source);
  setU32(page, at + 4, row.target);
  setU32(page, at + 8, row.amount);
  setU32(page, at + 12, settled);
}

export function transferIds(pages: Pages): number[] {
  return rowNumbers(pages, TRANSFER_DIRECTORY, TRANSFER_ROW_SIZE);
}

/** "ok", or what is broken: the twin of PRAGMA integrity_check. */
export function checkTables(pages: Pages): string {
  if (!schemaExists(pages)) return "ok";
  if (getU32(pages.read(HEADER_PAGE), 0) !== MAGIC) return "page 1 has no magic";
  for (const directory of [LIST_DIRECTORY, ITEM_DIRECTORY, TRANSFER_DIRECTORY]) {
    for (let at = 0; at < MODEL_PAGE_SIZE; at += 4) {
      const number = getU32(pages.read(directory), at);
      const isSound = number === 0 || (number >= FIRST_FREE_PAGE && number <= pages.count);
      if (!isSound) return `page ${directory} names page ${number}`;
    }
  }
  const rows = listSize(pages);
  for (let row = 0; row < rows; row++) {
    if (findRow(pages, LIST_DIRECTORY, LIST_ROW_SIZE, row) === null) return `row ${row} of list has no page`;
  }
  return "ok";
}

interface RowPlace {
  readonly page: Uint8Array;
  readonly at: number;
}

function findRow(pages: Pages, directory: number, rowSize: number, row: number): RowPlace | null {
  const perPage = MODEL_PAGE_SIZE / rowSize;
  const slot = Math.floor(row / perPage);
  const number = slot < DIRECTORY_SIZE ? getU32(pages.read(directory), 4 * slot) : 0;
  return number === 0 ? null : { page: pages.read(number), at: (row % perPage) * rowSize };
}

function writeRow(pages: Pages, directory: number, rowSize: number, row: number): RowPlace {
  const perPage = MODEL_PAGE_SIZE / rowSize;
  const slot = Math.floor(row / perPage);
  invariant(slot < DIRECTORY_SIZE, "the model's tables are large enough for a run");
  let number = getU32(pages.read(directory), 4 * slot);
  if (number === 0) {
    number = pages.allocate();
    setU32(pages.write(directory), 4 * slot, number);
  }
  return { page: pages.write(number), at: (row % perPage) * rowSize };
}

/** The numbers of rows whose first field is not 0, ascending. */
function rowNumbers(pages: Pages, directory: number, rowSize: number): number[] {
  const perPage = MODEL_PAGE_SIZE / rowSize;
  const numbers: number[] = [];
  for (let slot = 0; slot < DIRECTORY_SIZE; slot++) {
    const number = getU32(pages.read(directory), 4 * slot);
    if (number === 0) continue;
    const page = pages.read(number);
    for (let row = 0; row < perPage; row++) if (getU32(page, row * rowSize) !== 0) numbers.push(slot * perPage + row);
  }
  return numbers;
}

function getU32(page: Uint8Array, at: number): number {
  return (page[at]! | (page[at + 1]! << 8) | (page[at + 2]! << 16) | (page[at + 3]! << 24)) >>> 0;
}

function setU32(page: Uint8Array, at: number, value: number): void {
  page[at] = value;
  page[at + 1] = value >>> 8;
  page[at + 2] = value >>> 16;
  page[at + 3] = value >>> 24;
}
