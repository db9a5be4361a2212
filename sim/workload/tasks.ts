/** What actors do: one generator for each story of the workload. */
import { invariant, unreachable } from "../../core/invariant.ts";
import { type Actor, type OpenTransaction, type Task, execute, query } from "./actor.ts";
import type { Write } from "./history.ts";
import type { TaskName } from "./options.ts";
import { literal, scriptOf, SETUP_SCRIPT } from "./statements.ts";

/** A balance may not fall below zero: the server says so, and it is a fair answer. */
const OVERDRAWN = ["SQLITE_CONSTRAINT_CHECK"];
const DUPLICATE = ["SQLITE_CONSTRAINT_PRIMARYKEY"];

/** Creates the schema, again and again until the answer is "done": it is harmless when repeated. */
export function* setUp(actor: Actor): Task {
  for (;;) {
    const result = yield { type: "script", sql: SETUP_SCRIPT };
    actor.judge(result, []);
    if (result.ok) return;
    yield { type: "pause", ms: actor.random.integer(1, 100) };
  }
}

export function startTask(name: TaskName, actor: Actor): Task {
  switch (name) {
    case "transferInteractive": return transferInteractive(actor, "commit");
    case "transferRolledBack": return transferInteractive(actor, "rollback");
    case "transferLingering": return transferInteractive(actor, "linger");
    case "transferStatement": return transferStatement(actor);
    case "append": return append(actor);
    case "appendMany": return appendMany(actor);
    case "addItem": return addItem(actor);
    case "addItems": return addItems(actor);
    case "addDuplicate": return addDuplicate(actor);
    case "scriptAtomic": return runScript(actor, true);
    case "scriptPlain": return runScript(actor, false);
    case "scriptFailing": return runFailingScript(actor);
    case "readList": return dropResult(actor.read("readList", [drawKey(actor)]));
    case "readSeveral": return readSeveral(actor);
    case "readLists": return dropResult(actor.read("readLists", []));
    case "readItem": return readItem(actor);
    case "readAccounts": return dropResult(actor.read("readAccounts", []));
    default: return unreachable(name);
  }
}

/** Reads both balances, computes, writes both back: a lost update would make or destroy money. */
function transferInteractive(actor: Actor, decision: "commit" | "rollback" | "linger"): Task {
  const write = drawTransfer(actor);
  return actor.interactive(function* (open) {
    const source = yield* readBalance(open, write.source);
    yield* actor.pause();
    const target = yield* readBalance(open, write.target);
    if (source === null || target === null) return "rollback";
    const taken = yield* open.write("setBalance", [source - write.amount, write.source], null, OVERDRAWN);
    if (!taken) return "rollback";
    yield* actor.pause();
    const given = yield* open.write("setBalance", [target + write.amount, write.target], null);
    if (!given) return "rollback";
    const recorded = yield* open.write("recordTransfer", [write.id, write.source, write.target, write.amount], write);
    return recorded ? decision : "rollback";
  });
}

function* transferStatement(actor: Actor): Task {
  const write = drawTransfer(actor);
  const parameters = [write.id, write.source, write.target, write.amount];
  yield* actor.alone(execute("settleTransfer", parameters, null), [write], OVERDRAWN);
}

function* append(actor: Actor): Task {
  const write = drawAppend(actor);
  const parameters = [write.key, write.value];
  const isTriedAsRead = actor.random.chance(30);
  const operation = isTriedAsRead
    ? query("appendReturning", parameters, "linearizable")
    : execute("append", parameters, null);
  yield* actor.alone(operation, [write]);
}

/** Appends to several keys in one transaction, sometimes reading in between: all of it or nothing is ever seen. */
function appendMany(actor: Actor): Task {
  const count = actor.random.integer(2, 4);
  return actor.interactive(function* (open) {
    for (let done = 0; done < count; done++) {
      if (actor.random.chance(40)) {
        const seen = yield* open.read("readList", [drawKey(actor)]);
        if (!seen.ok) return "rollback";
      }
      const write = drawAppend(actor);
      if (!(yield* open.write("append", [write.key, write.value], write))) return "rollback";
      yield* actor.pause();
    }
    return actor.random.chance(80) ? "commit" : "rollback";
  });
}

/** Looks at one key after the other, and changes nothing: whatever others do meanwhile, it sees one state. */
function readSeveral(actor: Actor): Task {
  const count = actor.random.integer(2, 4);
  return actor.interactive(function* (open) {
    for (let done = 0; done < count; done++) {
      const seen = yield* open.read("readList", [drawKey(actor)]);
      if (!seen.ok) return "rollback";
      yield* actor.pause();
    }
    return actor.random.oneIn(2) ? "commit" : "rollback";
  });
}

function* addItem(actor: Actor): Task {
  const id = actor.unique();
  yield* actor.alone(execute("addItem", [id, drawBodySize(actor)], null), [{ type: "item", id }]);
}

/** Several rows, and now and then one that SQL refuses: the others of its transaction still count. */
function addItems(actor: Actor): Task {
  const count = actor.random.integer(2, 6);
  return actor.interactive(function* (open) {
    for (let done = 0; done < count; done++) {
      const known = actor.random.chance(10) ? drawKnownItem(actor) : null;
      if (known !== null) {
        const again = yield* open.write("addItem", [known, 1], null, DUPLICATE);
        if (again) actor.shared.history.surprise(actor.application, `item ${known} went in twice`);
      }
      const id = actor.unique();
      if (!(yield* open.write("addItem", [id, drawBodySize(actor)], { type: "item", id }))) return "rollback";
      yield* actor.pause();
    }
    return actor.random.chance(85) ? "commit" : "rollback";
  });
}

/** What was acknowledged must be there: so its key is taken. */
function* addDuplicate(actor: Actor): Task {
  const id = drawKnownItem(actor);
  if (id === null) return;
  const result = yield* actor.alone(execute("addItem", [id, 1], null), [], DUPLICATE);
  if (result.ok) actor.shared.history.surprise(actor.application, `item ${id} went in twice`);
}

function* runScript(actor: Actor, atomic: boolean): Task {
  const writes: Write[] = [];
  const statements: string[] = [];
  for (let count = actor.random.integer(1, 3); count > 0; count--) {
    const write = actor.random.chance(50) ? drawAppend(actor) : ({ type: "item", id: actor.unique() } as const);
    writes.push(write);
    statements.push(statementOf(write, actor));
  }
  // Not atomic: a lost leader may leave the first statements and not the last. One write keeps the judgement simple.
  const kept = atomic ? statements.length : 1;
  yield* actor.alone({ type: "script", sql: scriptOf(statements.slice(0, kept), atomic) }, writes.slice(0, kept));
}

/** A script whose last statement is refused inside its transaction: nothing of it may stay. */
function* runFailingScript(actor: Actor): Task {
  const known = drawKnownItem(actor);
  if (known === null) return;
  const write = drawAppend(actor);
  const statements = [statementOf(write, actor), literal("addItem", [known, 1])];
  const result = yield* actor.alone({ type: "script", sql: scriptOf(statements, true) }, [write], DUPLICATE);
  if (result.ok) actor.shared.history.surprise(actor.application, `item ${known} went in twice, by a script`);
}

function* readItem(actor: Actor): Task {
  // Ids of all kinds: known, tried, and not yet given out.
  const known = actor.random.chance(50) ? drawKnownItem(actor) : null;
  yield* actor.read("readItem", [known ?? actor.random.integer(1, actor.shared.lastUnique + 2)]);
}

/** null: the transaction must end. */
function* readBalance(open: OpenTransaction, account: number): Task<number | null> {
  const result = yield* open.read("readBalance", [account]);
  return result.ok ? Number(result.rows.rows[0]?.[0]) : null;
}

function* dropResult(task: Task<unknown>): Task {
  yield* task;
}

function drawKey(actor: Actor): number {
  return actor.random.integer(1, actor.shared.options.keys);
}

function drawAppend(actor: Actor): Write & { type: "append" } {
  return { type: "append", key: drawKey(actor), value: actor.unique() };
}

function drawBodySize(actor: Actor): number {
  return actor.random.integer(1, actor.shared.options.maxBodyBytes);
}

/** null: none is known yet. Mostly a recent one. */
function drawKnownItem(actor: Actor): number | null {
  const { knownItems } = actor.shared;
  if (knownItems.length === 0) return null;
  const from = actor.random.chance(50) ? Math.max(0, knownItems.length - 5) : 0;
  return knownItems[actor.random.integer(from, knownItems.length - 1)] ?? null;
}

function drawTransfer(actor: Actor): Write & { type: "transfer" } {
  const { accounts } = actor.shared.options;
  const source = actor.random.integer(1, accounts);
  const target = 1 + ((source - 1 + actor.random.integer(1, accounts - 1)) % accounts);
  return { type: "transfer", id: actor.unique(), source, target, amount: actor.random.integer(1, 300) };
}

function statementOf(write: Write, actor: Actor): string {
  invariant(write.type !== "transfer", "scripts append and add items");
  if (write.type === "append") return literal("append", [write.key, write.value]);
  return literal("addItem", [write.id, drawBodySize(actor)]);
}
