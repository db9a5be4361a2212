/**
 * The page model against real SQLite: the same random course of the workload's statements, transactions, scripts,
 * replications, discards and restores on both, and every answer the same. A follower of each kind applies what its
 * leader commits, or is restored from its state; now and then the leader is restored itself.
 */
import fc from "fast-check";
import { expect, test } from "vitest";
import { DEFAULT_DATABASE_LIMITS } from "../core/database/boundary.ts";
import { type Engine, ENGINE_SEED_SIZE, type EngineFactory } from "../core/database/engine.ts";
import { sqliteEngineFactory } from "../core/sqlite/factory.ts";
import { loadSqlJs } from "../cli/sqljs.ts";
import { modelEngineFactory } from "../sim/model/engine.ts";
import { modelImageReader } from "../sim/model/image.ts";
import {
  ACCOUNT_COUNT, literal, scriptOf, SETUP_SCRIPT, STATEMENTS, type StatementName,
} from "../sim/workload/statements.ts";
import { restoreInto, stateOf } from "../test/engine-state.ts";
import { examples } from "./chance.ts";

type Step =
  | {
      readonly type: "run";
      readonly view: "writer" | "reader";
      readonly name: StatementName;
      readonly values: number[];
    }
  | { readonly type: "script"; readonly atomic: boolean; readonly rows: readonly (readonly [boolean, number])[] }
  | { readonly type: "setUp" | "begin" | "commit" | "rollback" | "advance" }
  | { readonly type: "restore"; readonly whom: "leader" | "follower" }
  | { readonly type: "discard"; readonly keep: number };

const sqlite = sqliteEngineFactory(loadSqlJs());

/** Small numbers, so that keys, ids and accounts meet. */
const small = fc.integer({ min: 1, max: ACCOUNT_COUNT + 2 });

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 8, arbitrary: fc.record({
    type: fc.constant("run" as const),
    view: fc.constantFrom("writer" as const, "writer" as const, "reader" as const),
    name: fc.constantFrom(...(Object.keys(STATEMENTS) as StatementName[])),
    values: fc.tuple(small, small, small, fc.integer({ min: 1, max: 900 })).map((tuple) => [...tuple]),
  }) },
  { weight: 2, arbitrary: fc.record({
    type: fc.constant("script" as const), atomic: fc.boolean(),
    rows: fc.array(fc.tuple(fc.boolean(), fc.integer({ min: 1, max: 12 })), { minLength: 1, maxLength: 3 }),
  }) },
  {
    weight: 4,
    arbitrary: fc.constantFrom("setUp", "begin", "commit", "rollback", "advance").map((type) => ({ type })),
  },
  { weight: 1, arbitrary: fc.record({ type: fc.constant("discard" as const), keep: fc.integer({ min: 0, max: 3 }) }) },
  { weight: 1, arbitrary: fc.record({
    type: fc.constant("restore" as const), whom: fc.constantFrom("leader" as const, "follower" as const),
  }) },
) as fc.Arbitrary<Step>;

/** A leader's engine with one follower's, and what was proposed and not yet replicated. */
class Pair {
  readonly leader: Engine;
  readonly follower: Engine;
  private payloads: Uint8Array[] = [];

  constructor(factory: EngineFactory) {
    this.leader = factory.create(new Uint8Array(ENGINE_SEED_SIZE).fill(1), DEFAULT_DATABASE_LIMITS);
    this.follower = factory.create(new Uint8Array(ENGINE_SEED_SIZE).fill(2), DEFAULT_DATABASE_LIMITS);
  }

  /** What the step shows to an observer. */
  take(step: Step): unknown {
    const answer = this.perform(step);
    this.payloads.push(...this.leader.takeCommits().map((commit) => commit.payload));
    return [answer, this.leader.speculative(), this.leader.inTransaction(), this.payloads.length];
  }

  close(): void {
    this.leader.close();
    this.follower.close();
  }

  private perform(step: Step): unknown {
    const { leader } = this;
    switch (step.type) {
      case "run": {
        const sql = STATEMENTS[step.name];
        const values = step.values.slice(0, sql.split("?").length - 1);
        return leader.run(step.view, sql, values);
      }
      case "setUp":
        return leader.inTransaction() ? null : leader.script(SETUP_SCRIPT);
      case "script": {
        const statements = step.rows.map(([isAppend, value]) => {
          return isAppend ? literal("append", [value, value]) : literal("addItem", [value, value]);
        });
        return leader.inTransaction() ? null : leader.script(scriptOf(statements, step.atomic));
      }
      case "begin":
        return leader.inTransaction() ? null : leader.begin();
      case "commit":
        return leader.inTransaction() ? leader.commit() : null;
      case "rollback":
        return leader.rollback();
      case "advance": {
        const payload = this.payloads.shift();
        if (payload === undefined) return null;
        leader.advance();
        const fault = this.follower.apply(payload);
        return [fault, this.follower.checksum() === leader.checksum()];
      }
      case "discard":
        if (leader.inTransaction() || step.keep > leader.speculative()) return null;
        this.payloads.length = step.keep;
        return leader.discard(step.keep);
      case "restore":
        return step.whom === "follower" ? this.restore(this.follower) : this.restoreLeader();
    }
  }

  private restoreLeader(): unknown {
    if (this.leader.inTransaction()) return null;
    this.payloads = [];
    this.leader.discard(0);
    return this.restore(this.leader);
  }

  /** From the other's snapshot, which is of the same state, whatever is speculative above it. */
  private restore(engine: Engine): unknown {
    const other = engine === this.leader ? this.follower : this.leader;
    const before = [engine.checksum(), engine.image(), stateOf(engine)];
    const fault = restoreInto(engine, stateOf(other), new Uint8Array(ENGINE_SEED_SIZE).fill(3));
    expect([engine.checksum(), engine.image(), stateOf(engine)]).toEqual(before);
    return fault;
  }
}

test("the page model answers the workload as SQLite does, statement by statement", { timeout: 60_000 }, () => {
  fc.assert(fc.property(fc.array(step, { minLength: 1, maxLength: 60 }), (steps) => {
    const [real, model] = [new Pair(sqlite), new Pair(modelEngineFactory)];
    // Half of the courses begin with the schema, or most would only hear that there is no table.
    const course: Step[] = steps.length % 2 === 0 ? [{ type: "setUp" }, ...steps] : steps;
    for (const [at, one] of course.entries()) {
      expect(model.take(one), `step ${at}: ${JSON.stringify(one)}`).toEqual(real.take(one));
    }
    const { checksum, image } = { checksum: model.leader.checksum(), image: model.leader.image() };
    model.leader.rollback();
    expect(model.follower.checksum()).toBe(checksum);
    expect(model.follower.image()).toEqual(image);
    expect(modelImageReader.open(image).integrityCheck()).toBe("ok");
    real.close();
    model.close();
  }), examples(25));
});
