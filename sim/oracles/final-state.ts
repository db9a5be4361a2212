/**
 * What must be in the database when all is over: every acknowledged transaction, no other that surely was not executed,
 * each wholly or not at all, each once; and the money.
 */
import type { Attempt, ListRow, Write } from "../workload/history.ts";
import { ACCOUNT_COUNT, BANK_TOTAL, OPENING_BALANCE, STATEMENTS } from "../workload/statements.ts";
import type { OpenImage, Violation } from "./boundary.ts";
import { violation } from "./violation.ts";

export interface FinalState {
  readonly lists: readonly ListRow[];
  readonly items: readonly number[];
  readonly transfers: readonly (readonly number[])[];
  readonly balances: readonly number[];
}

/** null for `image`: nothing was ever written, not even the schema. */
export function readFinalState(image: OpenImage | null): FinalState {
  if (image === null) return { lists: [], items: [], transfers: [], balances: [] };
  const numbers = (sql: string): number[][] => image.query(sql).map((row) => row.map(Number));
  return {
    lists: numbers(STATEMENTS.readLists).map(([position = 0, key = 0, value = 0]) => ({ position, key, value })),
    items: numbers(STATEMENTS.readItems).map(([id = 0]) => id),
    transfers: numbers(STATEMENTS.readTransfers),
    balances: numbers(STATEMENTS.readAccounts).map(([, balance = 0]) => balance),
  };
}

export function judgeFinalState(attempts: Iterable<Attempt>, state: FinalState): Violation | null {
  const present = new Set<string>();
  for (const key of keysOf(state)) {
    if (present.has(key)) return violation("answer", `${key} is there twice`);
    present.add(key);
  }
  const asked = new Set<string>();
  for (const attempt of attempts) {
    for (const write of attempt.writes) asked.add(keyOf(write));
    const found = judgeAttempt(attempt, present);
    if (found !== null) return found;
  }
  for (const key of present) {
    if (!asked.has(key)) return violation("phantom-read", `${key} is there, and nobody asked for it`);
  }
  return judgeMoney(state);
}

function judgeAttempt(attempt: Attempt, present: ReadonlySet<string>): Violation | null {
  const there = attempt.writes.filter((write) => present.has(keyOf(write)));
  const who = `attempt ${attempt.number} of ${attempt.application}`;
  if (attempt.outcome === "committed" && there.length < attempt.writes.length) {
    const lost = attempt.writes.find((write) => !there.includes(write)) as Write;
    return violation("acknowledged", `${who} was acknowledged, but ${keyOf(lost)} is not there`);
  }
  if (attempt.outcome === "notExecuted" && there.length > 0) {
    return violation("not-executed", `${who} was surely not executed, but ${keyOf(there[0] as Write)} is there`);
  }
  if (there.length > 0 && there.length < attempt.writes.length) {
    return violation("atomicity", `${there.length} of the ${attempt.writes.length} writes of ${who} are there`);
  }
  return null;
}

function judgeMoney({ balances, transfers }: FinalState): Violation | null {
  if (balances.length === 0) return null;
  const total = judgeTotal(balances);
  if (total !== null) return total;
  const expected = Array.from({ length: ACCOUNT_COUNT }, () => OPENING_BALANCE);
  for (const [, source = 1, target = 1, amount = 0] of transfers) {
    expected[source - 1] = (expected[source - 1] ?? 0) - amount;
    expected[target - 1] = (expected[target - 1] ?? 0) + amount;
  }
  for (const [at, balance] of balances.entries()) {
    if (balance === expected[at]) continue;
    return violation("bank-total", `account ${at + 1} ended with ${balance}, its transfers give ${expected[at]}`);
  }
  return null;
}

export function judgeTotal(balances: readonly number[]): Violation | null {
  const total = balances.reduce((sum, balance) => sum + balance, 0);
  const isWhole = balances.length === ACCOUNT_COUNT && balances.every((balance) => balance >= 0);
  if (isWhole && total === BANK_TOTAL) return null;
  return violation("bank-total", `the balances [${balances.join(" ")}] add up to ${total}, not ${BANK_TOTAL}`);
}

function keysOf({ lists, items, transfers }: FinalState): string[] {
  return [
    ...lists.map(({ key, value }) => keyOf({ type: "append", key, value })),
    ...items.map((id) => keyOf({ type: "item", id })),
    ...transfers.map(([id = 0, source = 0, target = 0, amount = 0]) => {
      return keyOf({ type: "transfer", id, source, target, amount });
    }),
  ];
}

function keyOf(write: Write): string {
  switch (write.type) {
    case "append":
      return `value ${write.value} of key ${write.key}`;
    case "item":
      return `item ${write.id}`;
    case "transfer":
      return `transfer ${write.id} of ${write.amount} from ${write.source} to ${write.target}`;
  }
}
