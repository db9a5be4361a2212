/**
 * Every SQL text that the workload says, so that the page model (sim/model) can recognise each one exactly.
 *
 * Three stories share the database:
 *
 *   bank   accounts whose total stays. A transfer leaves a row in `transfer`, so that the end of a run can tell which
 *   took
 *          place. One with `settled = 0` is a single statement: a trigger moves the money. One with `settled = 1` is a
 *          transaction whose client read both balances and computed the new ones. A balance never falls below zero.
 *   list   unique values appended to keys. `position` has no gaps, as nothing is ever deleted: it is the one final
 *   order. item   plain inserts with unique keys. The body is random: replicas are equal only because pages are
 *   replicated.
 */
export const ACCOUNT_COUNT = 8;
export const OPENING_BALANCE = 1000;
export const BANK_TOTAL = ACCOUNT_COUNT * OPENING_BALANCE;

const OPENING_ROWS = Array.from({ length: ACCOUNT_COUNT }, (_, at) => `(${at + 1}, ${OPENING_BALANCE})`).join(", ");

/** Creates everything, in one transaction; harmless when repeated: a client may repeat it until it is told "done". */
export const SETUP_SCRIPT = `
BEGIN;
CREATE TABLE IF NOT EXISTS account (id INTEGER PRIMARY KEY, balance INTEGER NOT NULL CHECK (balance >= 0));
CREATE TABLE IF NOT EXISTS transfer (
  id INTEGER PRIMARY KEY, source INTEGER NOT NULL, target INTEGER NOT NULL, amount INTEGER NOT NULL,
  settled INTEGER NOT NULL
);
CREATE TRIGGER IF NOT EXISTS settle AFTER INSERT ON transfer WHEN NEW.settled = 0 BEGIN
  UPDATE account SET balance = balance - NEW.amount WHERE id = NEW.source;
  UPDATE account SET balance = balance + NEW.amount WHERE id = NEW.target;
END;
CREATE TABLE IF NOT EXISTS list (position INTEGER PRIMARY KEY, key INTEGER NOT NULL, value INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS item (id INTEGER PRIMARY KEY, body BLOB NOT NULL);
INSERT OR IGNORE INTO account (id, balance) VALUES ${OPENING_ROWS};
COMMIT;
`;

export const STATEMENTS = {
  readAccounts: "SELECT id, balance FROM account ORDER BY id",
  readBalance: "SELECT balance FROM account WHERE id = ?",
  setBalance: "UPDATE account SET balance = ? WHERE id = ?",
  settleTransfer: "INSERT INTO transfer (id, source, target, amount, settled) VALUES (?, ?, ?, ?, 0)",
  recordTransfer: "INSERT INTO transfer (id, source, target, amount, settled) VALUES (?, ?, ?, ?, 1)",
  readTransfers: "SELECT id, source, target, amount FROM transfer ORDER BY id",
  append: "INSERT INTO list (key, value) VALUES (?, ?)",
  appendReturning: "INSERT INTO list (key, value) VALUES (?, ?) RETURNING position",
  readList: "SELECT position, value FROM list WHERE key = ? ORDER BY position",
  readLists: "SELECT position, key, value FROM list ORDER BY position",
  addItem: "INSERT INTO item (id, body) VALUES (?, randomblob(?))",
  readItem: "SELECT length(body) FROM item WHERE id = ?",
  readItems: "SELECT id FROM item ORDER BY id",
} as const;

export type StatementName = keyof typeof STATEMENTS;

/** The statement of this name with its parameters (all integers) written into it, for scripts. */
export function literal(name: StatementName, parameters: readonly number[]): string {
  let next = 0;
  return STATEMENTS[name].replaceAll("?", () => String(parameters[next++]));
}

/** Statements one after the other; `atomic`: in one transaction. */
export function scriptOf(statements: readonly string[], atomic: boolean): string {
  const all = atomic ? ["BEGIN", ...statements, "COMMIT"] : statements;
  return all.map((statement) => `${statement};`).join("\n");
}
