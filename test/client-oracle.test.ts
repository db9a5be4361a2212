/** The clients' oracle: it passes what a linearizable database says, and finds each lie in a history that tells one. */
import { expect, test } from "vitest";
import { modelEngineFactory } from "../sim/model/engine.ts";
import { modelImageReader } from "../sim/model/image.ts";
import type { Violation } from "../sim/oracles/boundary.ts";
import { ClientOracle } from "../sim/oracles/client-oracle.ts";
import { type Attempt, type AttemptOutcome, History, type ListRow, type Write } from "../sim/workload/history.ts";
import { SETUP_SCRIPT, STATEMENTS } from "../sim/workload/statements.ts";
import { ENGINE_SEED_SIZE } from "../core/database/engine.ts";
import { DEFAULT_DATABASE_LIMITS } from "../core/database/boundary.ts";
import type { LogIndex, NodeId } from "../core/types.ts";

/** Tells a history in few words. */
class Teller {
  readonly history = new History();

  /** A transaction of its own, from the call to the answer. */
  write(outcome: AttemptOutcome, ...writes: readonly Write[]): Attempt {
    const attempt = this.asks(...writes);
    this.history.end(attempt, outcome);
    return attempt;
  }

  asks(...writes: readonly Write[]): Attempt {
    const attempt = this.history.begin("client");
    attempt.commitAsked = true;
    for (const write of writes) this.history.wrote(attempt, write);
    return attempt;
  }

  ends(attempt: Attempt, outcome: AttemptOutcome): void {
    this.history.end(attempt, outcome);
  }

  reads(key: number | null, rows: readonly ListRow[], own: readonly number[] = []): void {
    this.readEnds(this.history.beginRead(), key, rows, own);
  }

  readEnds(read: number, key: number | null, rows: readonly ListRow[], own: readonly number[] = []): void {
    this.history.endRead(read, "client", { type: "list", key, rows, own });
  }

  /** A read in a transaction that is open. */
  readsWithin(attempt: Attempt, rows: readonly ListRow[], key: number, own: readonly number[] = []): void {
    const seen = { type: "list", key, rows, own } as const;
    this.history.endRead(this.history.beginRead(), attempt.application, seen, "linearizable", attempt);
  }

  finds(id: number, found: boolean): void {
    this.history.endRead(this.history.beginRead(), "client", { type: "item", id, found });
  }

  /** Reads of consistency "session", by any application. */
  sees(application: string, rows: readonly ListRow[]): void {
    const seen = { type: "list", key: 1, rows, own: [] } as const;
    this.history.endRead(this.history.beginRead(), application, seen, "session");
  }

  seesItem(application: string, id: number, found: boolean): void {
    this.history.endRead(this.history.beginRead(), application, { type: "item", id, found }, "session");
  }
}

/** Acknowledged with the position where it stands. */
function stands(t: Teller, value: number, key: number, position: number): void {
  const attempt = t.asks(append(value, key));
  attempt.positions.set(value, position);
  t.ends(attempt, "committed");
}

const row = (value: number, key: number, position: number): ListRow => ({ position, key, value });
const append = (value: number, key = 1): Write => ({ type: "append", key, value });
const item = (id: number): Write => ({ type: "item", id });
/** Rows of key 1, unless told, at positions from 1 on. */
const rows = (...values: readonly number[]): ListRow[] => {
  return values.map((value, at) => ({ position: at + 1, key: 1, value }));
};

function judge(tell: (teller: Teller) => void): Violation | null {
  const teller = new Teller();
  tell(teller);
  return oracleOver(teller.history).stepped();
}

function oracleOver(history: History): ClientOracle {
  return new ClientOracle(history, { comparisons: 0, entriesCommitted: 0, elections: 0, clientReads: 0 });
}

const GOOD: readonly (readonly [string, (teller: Teller) => void])[] = [
  ["what was acknowledged is read, in its order", (t) => {
    t.write("committed", append(1));
    t.write("committed", append(2));
    t.reads(1, rows(1, 2));
    t.reads(null, rows(1, 2));
  }],
  ["an append of unknown outcome may be there or not", (t) => {
    t.write("unknown", append(1));
    t.reads(1, []);
    t.reads(1, rows(1));
    t.write("unknown", append(2));
    t.reads(1, rows(1));
  }],
  ["a read that overlaps an append may miss it, and another see it", (t) => {
    const read = t.history.beginRead();
    const attempt = t.asks(append(1));
    t.reads(1, rows(1));
    t.ends(attempt, "committed");
    t.readEnds(read, 1, []);
  }],
  ["concurrent appends may stand in either order", (t) => {
    const [first, second] = [t.asks(append(1)), t.asks(append(2))];
    t.ends(first, "committed");
    t.ends(second, "committed");
    t.reads(1, rows(2, 1));
  }],
  ["a transaction reads its own appends, whatever becomes of them", (t) => {
    t.write("committed", append(1));
    const attempt = t.asks(append(2));
    attempt.commitAsked = false;
    t.reads(1, rows(1, 2), [2]);
    t.ends(attempt, "notExecuted");
    t.reads(1, rows(1));
  }],
  ["an item is found from its insert on", (t) => {
    t.finds(1, false);
    t.write("committed", item(1));
    t.finds(1, true);
  }],
  ["another's session may be behind, and see it later", (t) => {
    t.write("committed", append(1));
    t.write("committed", append(2));
    t.reads(1, rows(1, 2));
    t.sees("other", rows());
    t.sees("other", rows(1));
    t.sees("third", rows());
    t.sees("client", rows(1, 2));
    t.write("committed", item(3));
    t.finds(3, true);
    t.seesItem("other", 3, false);
    t.seesItem("other", 3, true);
  }],
  ["a transaction reads two keys of one state, and appends right behind it", (t) => {
    stands(t, 1, 1, 1);
    stands(t, 2, 2, 2);
    const attempt = t.asks(append(3, 1));
    t.readsWithin(attempt, [row(1, 1, 1)], 1);
    t.readsWithin(attempt, [row(2, 2, 2)], 2);
    t.readsWithin(attempt, [row(1, 1, 1), row(3, 1, 3)], 1, [3]);
    attempt.positions.set(3, 3);
    t.ends(attempt, "committed");
    stands(t, 4, 2, 4);
    t.reads(1, [row(1, 1, 1), row(3, 1, 3)]);
    t.reads(2, [row(2, 2, 2), row(4, 2, 4)]);
  }],
  ["of two appends under way, a read of one key may show the later and another key not the earlier yet", (t) => {
    const [first, second] = [t.asks(append(1, 1)), t.asks(append(2, 2))];
    const read = t.history.beginRead();
    t.reads(2, [row(2, 2, 2)]);
    t.readEnds(read, 1, []);
    t.ends(first, "committed");
    t.ends(second, "committed");
    t.reads(1, [row(1, 1, 1)]);
  }],
  ["the refused statement of a transaction that committed left nothing", (t) => {
    const attempt = t.asks(item(1), item(2));
    t.history.refused(attempt, attempt.writes[0] as Write);
    t.ends(attempt, "committed");
    t.finds(1, false);
    t.finds(2, true);
  }],
];

test.each(GOOD)("%s", (_name, tell) => {
  expect(judge(tell)).toBeNull();
});

const BAD: readonly (readonly [oracle: string, string, (teller: Teller) => void])[] = [
  ["stale-read", "a read misses what was acknowledged before it began", (t) => {
    t.write("committed", append(1));
    t.reads(1, []);
  }],
  ["stale-read", "a read goes back behind an earlier one", (t) => {
    t.write("unknown", append(1));
    t.reads(1, rows(1));
    t.reads(1, []);
  }],
  ["stale-read", "a session does not see its own write", (t) => {
    t.write("committed", append(1));
    t.sees("client", rows());
  }],
  ["stale-read", "a session goes back behind its own reads", (t) => {
    t.write("committed", append(1));
    t.sees("other", rows(1));
    t.sees("other", rows());
  }],
  ["stale-read", "a linearizable read goes back behind what a session has seen", (t) => {
    t.write("unknown", append(1));
    t.sees("other", rows(1));
    t.reads(1, rows());
  }],
  ["stale-read", "a session does not find its own item", (t) => {
    t.write("committed", item(1));
    t.seesItem("client", 1, false);
  }],
  ["stale-read", "a session does not find an item again", (t) => {
    t.write("committed", item(1));
    t.seesItem("other", 1, true);
    t.seesItem("other", 1, false);
  }],
  ["not-executed", "a session sees what was surely not executed", (t) => {
    t.write("notExecuted", append(1));
    t.sees("other", rows(1));
  }],
  ["list-order", "two reads show different orders", (t) => {
    t.asks(append(1));
    t.asks(append(2));
    t.reads(1, rows(1, 2));
    t.reads(1, rows(2, 1));
  }],
  ["list-order", "an append stands before one acknowledged before it was asked for", (t) => {
    t.write("committed", append(1));
    t.write("committed", append(2));
    t.reads(1, rows(2, 1));
  }],
  ["serial-order", "an append stands before one of another key that was acknowledged before it was asked for", (t) => {
    stands(t, 1, 1, 2);
    stands(t, 2, 2, 1);
  }],
  ["serial-order", "a read of one key lacks what stands before that of another key, which was acknowledged", (t) => {
    t.asks(append(1, 1));
    stands(t, 2, 2, 2);
    t.reads(1, []);
    t.reads(1, [row(1, 1, 1)]);
  }],
  ["serial-order", "a transaction sees two keys of two states", (t) => {
    t.asks(append(1, 1));
    t.asks(append(2, 2));
    const attempt = t.asks(append(3, 3));
    t.readsWithin(attempt, [], 1);
    t.readsWithin(attempt, [row(2, 2, 2)], 2);
    t.reads(1, [row(1, 1, 1)]);
  }],
  ["serial-order", "a transaction has seen the later of two, and the earlier turned up before", (t) => {
    t.asks(append(1, 1));
    t.asks(append(2, 2));
    const attempt = t.asks(append(3, 3));
    t.readsWithin(attempt, [], 1);
    t.reads(1, [row(1, 1, 1)]);
    t.readsWithin(attempt, [row(2, 2, 2)], 2);
  }],
  ["serial-order", "two transactions each lack what the other appended (write skew)", (t) => {
    const [first, second] = [t.asks(append(1, 1)), t.asks(append(2, 2))];
    t.readsWithin(first, [], 2);
    t.readsWithin(second, [], 1);
    first.positions.set(1, 1);
    second.positions.set(2, 2);
    t.ends(first, "committed");
    t.ends(second, "committed");
    t.reads(1, [row(1, 1, 1)]);
  }],
  ["serial-order", "a transaction has seen what stands behind its own append", (t) => {
    t.asks(append(1, 1));
    const attempt = t.asks(append(2, 2));
    t.readsWithin(attempt, [row(1, 1, 2)], 1);
    attempt.positions.set(2, 1);
    t.ends(attempt, "committed");
  }],
  ["serial-order", "a session's read lacks what stands before its own append to another key", (t) => {
    t.asks(append(1, 1));
    stands(t, 2, 2, 2);
    t.sees("client", []);
    t.sees("other", [row(1, 1, 1)]);
  }],
  ["list-order", "a position is missing", (t) => {
    t.write("committed", append(1));
    t.reads(null, [{ position: 2, key: 1, value: 1 }]);
  }],
  ["phantom-read", "a value comes from nowhere", (t) => t.reads(1, rows(1))],
  ["phantom-read", "a value is read before its commit was asked for", (t) => {
    t.asks(append(1)).commitAsked = false;
    t.reads(1, rows(1));
  }],
  ["not-executed", "a value is read that was surely not executed", (t) => {
    t.write("notExecuted", append(1));
    t.reads(1, rows(1));
  }],
  ["not-executed", "a value that was read is said not to be executed", (t) => {
    const attempt = t.asks(append(1));
    t.reads(1, rows(1));
    t.ends(attempt, "notExecuted");
  }],
  ["atomicity", "a read shows half of a transaction", (t) => {
    t.write("unknown", append(1), append(2, 2));
    t.reads(null, rows(1));
  }],
  ["answer", "a value stands twice", (t) => {
    t.write("committed", append(1));
    t.reads(1, rows(1, 1));
  }],
  ["answer", "an append was answered with another position", (t) => {
    const attempt = t.asks(append(1));
    attempt.positions.set(1, 7);
    t.ends(attempt, "committed");
    t.reads(1, rows(1));
  }],
  ["answer", "a transaction does not find its own append", (t) => {
    t.asks(append(1)).commitAsked = false;
    t.reads(1, [], [1]);
  }],
  ["answer", "an answer that nothing explains", (t) => t.history.surprise("client", "Misuse")],
  ["stale-read", "an item is not found after its insert", (t) => {
    t.write("committed", item(1));
    t.finds(1, false);
  }],
  ["stale-read", "an item is not found after it was found", (t) => {
    t.asks(item(1));
    t.finds(1, true);
    t.finds(1, false);
  }],
  ["phantom-read", "an item is found that nobody inserted", (t) => t.finds(1, true)],
  ["not-executed", "an item is found whose insert was refused", (t) => {
    t.write("notExecuted", item(1));
    t.finds(1, true);
  }],
  ["bank-total", "money is lost", (t) => {
    const balances = [1000, 1000, 1000, 1000, 1000, 1000, 1000, 999];
    t.history.endRead(t.history.beginRead(), "client", { type: "accounts", balances });
  }],
];

test.each(BAD)("%s: %s", (oracle, _name, tell) => {
  expect(judge(tell)?.oracle).toBe(oracle);
});

// What is in the database at the end.

/** The image of a database in which these statements were executed. */
function imageOf(statements: readonly (readonly [string, readonly number[]])[]): Uint8Array {
  const engine = modelEngineFactory.create(new Uint8Array(ENGINE_SEED_SIZE), DEFAULT_DATABASE_LIMITS);
  engine.script(SETUP_SCRIPT);
  for (const [sql, parameters] of statements) expect(engine.run("writer", sql, parameters).type).toBe("done");
  for (const _ of engine.takeCommits()) engine.advance();
  return engine.image();
}

function judgeEnd(image: Uint8Array, tell: (teller: Teller) => void): Violation | null {
  const teller = new Teller();
  tell(teller);
  const oracle = oracleOver(teller.history);
  const node = { node: "a" as NodeId, appliedIndex: 1 as LogIndex, checksum: 1, image };
  return oracle.stepped() ?? oracle.finished([node], modelImageReader);
}

const transfer: Write = { type: "transfer", id: 9, source: 1, target: 2, amount: 50 };

test("a database that holds what was acknowledged, and no more, is right", () => {
  const { append: appendValue, addItem, settleTransfer } = STATEMENTS;
  const image = imageOf([[appendValue, [1, 5]], [addItem, [6, 10]], [settleTransfer, [9, 1, 2, 50]]]);
  const story = (t: Teller): void => {
    t.write("committed", append(5));
    t.write("unknown", item(6), transfer);
    t.write("unknown", item(7), append(8));
    t.write("notExecuted", item(10));
  };
  expect(judgeEnd(image, story)).toBeNull();
});

test("a database to which nothing was ever written is right if nothing was acknowledged", () => {
  expect(judgeEnd(new Uint8Array(0), (t) => void t.write("unknown", item(1)))).toBeNull();
  expect(judgeEnd(new Uint8Array(0), (t) => void t.write("committed", item(1)))?.oracle).toBe("acknowledged");
});

test.each([
  ["acknowledged", "lost", (t: Teller) => void t.write("committed", item(6), item(7))],
  ["not-executed", "there although it was refused", (t: Teller) => void t.write("notExecuted", item(6))],
  ["atomicity", "half there", (t: Teller) => void t.write("unknown", item(6), item(7))],
  ["phantom-read", "there, and nobody asked for it", () => undefined],
])("%s: what is %s is found at the end", (oracle, _name, tell) => {
  expect(judgeEnd(imageOf([[STATEMENTS.addItem, [6, 10]]]), tell)?.oracle).toBe(oracle);
});

test("bank-total: balances have to follow from the transfers that are there", () => {
  const image = imageOf([[STATEMENTS.recordTransfer, [9, 1, 2, 50]]]);
  expect(judgeEnd(image, (t) => void t.write("committed", transfer))?.oracle).toBe("bank-total");
});
