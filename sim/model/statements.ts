/**
 * What each statement of the workload does to the model's tables, with SQLite's answers and SQLite's errors. Every
 * handler judges before it changes anything, so that a refused statement has no effect.
 */
import { unreachable } from "../../core/invariant.ts";
import type { SqlValue } from "../../core/database/engine.ts";
import type { Random } from "../../core/random.ts";
import { STATEMENTS, type StatementName } from "../workload/statements.ts";
import type { Pages } from "./page-space.ts";
import * as tables from "./tables.ts";

export type Executed =
  | {
      readonly ok: true;
      readonly columns: readonly string[];
      readonly rows: readonly (readonly SqlValue[])[];
      readonly changes: number;
      /** 0: it is no INSERT. */
      readonly lastInsertRowid: number;
    }
  | { readonly ok: false; readonly code: string; readonly message: string };

export interface Recognised {
  readonly name: StatementName;
  readonly writes: boolean;
  readonly table: string;
}

const BY_TEXT = new Map<string, Recognised>(
  (Object.keys(STATEMENTS) as StatementName[]).map((name) => {
    const sql = STATEMENTS[name];
    const table = /(?:FROM|INTO|UPDATE) ([a-z]+)/.exec(sql)?.[1] ?? "";
    return [sql, { name, writes: !sql.startsWith("SELECT"), table }];
  }),
);

/** The same texts with integers in the place of parameters, as scripts have them. */
const BY_PATTERN = [...BY_TEXT].map(([sql, recognised]) => {
  const escaped = sql.replaceAll(/[()*+.]/g, (character) => `\\${character}`);
  return { recognised, pattern: new RegExp(`^${escaped.replaceAll("?", "(\\d+)")}$`) };
});

export function recognise(sql: string): Recognised | null {
  return BY_TEXT.get(sql) ?? null;
}

export interface RecognisedLiteral {
  readonly recognised: Recognised;
  readonly parameters: readonly number[];
}

export function recogniseLiteral(sql: string): RecognisedLiteral | null {
  for (const { recognised, pattern } of BY_PATTERN) {
    const match = pattern.exec(sql);
    if (match !== null) return { recognised, parameters: match.slice(1).map(Number) };
  }
  return null;
}

export function execute(
  { name, table }: Recognised, parameters: readonly number[], pages: Pages, random: Random,
): Executed {
  if (!tables.schemaExists(pages)) return refused("SQLITE_ERROR", `no such table: ${table}`);
  const [first = 0, second = 0, third = 0, fourth = 0] = parameters;
  switch (name) {
    case "readAccounts":
      return readAccounts(pages);
    case "readBalance": {
      const balance = tables.balanceOf(pages, first);
      return selected(["balance"], balance === null ? [] : [[balance]]);
    }
    case "setBalance":
      return setBalance(pages, first, second);
    case "settleTransfer":
      return transfer(pages, { id: first, source: second, target: third, amount: fourth }, 0);
    case "recordTransfer":
      return transfer(pages, { id: first, source: second, target: third, amount: fourth }, 1);
    case "readTransfers":
      return readTransfers(pages);
    case "append":
      return inserted(tables.appendToList(pages, first, second));
    case "appendReturning": {
      const position = tables.appendToList(pages, first, second);
      return { ...inserted(position), columns: ["position"], rows: [[position]] };
    }
    case "readList":
      return selected(["position", "value"], listRows(pages, first));
    case "readLists":
      return selected(["position", "key", "value"], allListRows(pages));
    case "addItem":
      return addItem(pages, first, second, random);
    case "readItem": {
      const size = tables.itemSize(pages, first);
      return selected(["length(body)"], size === null ? [] : [[size]]);
    }
    case "readItems":
      return selected(["id"], tables.itemIds(pages).map((id) => [id]));
    default:
      return unreachable(name);
  }
}

function readAccounts(pages: Pages): Executed {
  const rows: SqlValue[][] = [];
  for (let id = 1, balance; (balance = tables.balanceOf(pages, id)) !== null; id++) rows.push([id, balance]);
  return selected(["id", "balance"], rows);
}

function setBalance(pages: Pages, balance: number, id: number): Executed {
  if (tables.balanceOf(pages, id) === null) return changed(0);
  if (balance < 0) return overdrawn();
  tables.setBalance(pages, id, balance);
  return changed(1);
}

function transfer(pages: Pages, row: tables.TransferRow, settled: number): Executed {
  if (tables.transferOf(pages, row.id) !== null) return duplicate("transfer");
  const source = tables.balanceOf(pages, row.source);
  const target = tables.balanceOf(pages, row.target);
  if (settled === 0 && source !== null && source < row.amount) return overdrawn();
  tables.addTransfer(pages, row, settled);
  if (settled === 0 && source !== null) tables.setBalance(pages, row.source, source - row.amount);
  if (settled === 0 && target !== null) tables.setBalance(pages, row.target, target + row.amount);
  return inserted(row.id);
}

function readTransfers(pages: Pages): Executed {
  const rows = tables.transferIds(pages).map((id) => transferValues(pages, id));
  return selected(["id", "source", "target", "amount"], rows);
}

function addItem(pages: Pages, id: number, size: number, random: Random): Executed {
  if (tables.itemSize(pages, id) !== null) return duplicate("item");
  // SQLite's randomblob(n) gives one byte for n < 1.
  tables.addItem(pages, id, Math.max(1, size), random);
  return inserted(id);
}

function listRows(pages: Pages, wanted: number): SqlValue[][] {
  const rows: SqlValue[][] = [];
  tables.forEachListRow(pages, (position, key, value) => {
    if (key === wanted) rows.push([position, value]);
  });
  return rows;
}

function allListRows(pages: Pages): SqlValue[][] {
  const rows: SqlValue[][] = [];
  tables.forEachListRow(pages, (position, key, value) => rows.push([position, key, value]));
  return rows;
}

function transferValues(pages: Pages, id: number): SqlValue[] {
  const row = tables.transferOf(pages, id);
  return row === null ? [] : [row.id, row.source, row.target, row.amount];
}

function selected(columns: readonly string[], rows: readonly (readonly SqlValue[])[]): Executed {
  return { ok: true, columns, rows, changes: 0, lastInsertRowid: 0 };
}

function changed(changes: number): Executed {
  return { ok: true, columns: [], rows: [], changes, lastInsertRowid: 0 };
}

function inserted(rowid: number): Executed & { ok: true } {
  return { ok: true, columns: [], rows: [], changes: 1, lastInsertRowid: rowid };
}

function refused(code: string, message: string): Executed {
  return { ok: false, code, message };
}

function overdrawn(): Executed {
  return refused("SQLITE_CONSTRAINT_CHECK", "CHECK constraint failed: balance >= 0");
}

function duplicate(table: string): Executed {
  return refused("SQLITE_CONSTRAINT_PRIMARYKEY", `UNIQUE constraint failed: ${table}.id`);
}
