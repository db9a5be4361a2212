/**
 * The page model against real SQLite: the same random course of the workload's statements, transactions, scripts,
 * replications, discards, cuts and restores on both, and every answer the same. A follower of each kind applies what
 * its leader commits, or is restored from the cuts that it has stored; now and then the leader is restored itself.
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
import { CutTwin } from "../test/cut-twin.ts";
import { restoreInto } from "../test/engine-state.ts";
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
  /** Takes a cut, or ends the one that is open. */
  | { readonly type: "cut"; readonly whom: "leader" | "follower"; readonly isStored: boolean }
  | { readonly type: "discard"; readonly keep: number };

const sqlite = sqliteEngineFactory(loadSqlJs());

/** Small numbers, so that keys, ids and accounts meet. */
const small = fc.integer({ min: 1, max: ACCOUNT_COUNT + 2 });

const either = fc.constantFrom("leader" as const, "follower" as const);

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
  { weight: 1, arbitrary: fc.record({ type: fc.constant("restore" as const), whom: either }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant("cut" as const), whom: either, isStored: fc.boolean() }) },
) as fc.Arbitrary<Step>;

/** A leader's engine with one follower's, and what was proposed and not yet replicated. */
class Pair {
  readonly leader: Engine;
  readonly follower: Engine;
  private payloads: Uint8Array[] = [];
  /** A disk for each, which stores its cuts. */
  private readonly disks: { readonly leader: CutTwin; readonly follower: CutTwin };

  constructor(factory: EngineFactory) {
    this.leader = factory.create(new Uint8Array(ENGINE_SEED_SIZE).fill(1), DEFAULT_DATABASE_LIMITS);
    this.follower = factory.create(new Uint8Array(ENGINE_SEED_SIZE).fill(2), DEFAULT_DATABASE_LIMITS);
    this.disks = { leader: new CutTwin(this.leader), follower: new CutTwin(this.follower) };
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
        return step.whom === "follower" ? this.restore("follower") : this.restoreLeader();
      case "cut":
        return this.cut(step.whom, step.isStored);
    }
  }

  private cut(whom: "leader" | "follower", isStored: boolean): null {
    const disk = this.disks[whom];
    if (disk.isOpen) disk.end(isStored);
    else disk.begin();
    return null;
  }

  private restoreLeader(): unknown {
    if (this.leader.inTransaction()) return null;
    this.payloads = [];
    this.leader.discard(0);
    return this.restore("leader");
  }

  /** From the cuts that the other's disk has stored, which are of the same state, whatever is speculative above it. */
  private restore(whom: "leader" | "follower"): unknown {
    const engine = this[whom];
    const other = this.disks[whom === "leader" ? "follower" : "leader"];
    other.end(true);
    other.begin();
    other.end(true);
    const before = [engine.checksum(), engine.image()];
    const state = other.state(4096);
    const fault = restoreInto(engine, state, new Uint8Array(ENGINE_SEED_SIZE).fill(3));
    expect([engine.checksum(), engine.image()]).toEqual(before);
    this.disks[whom].restored(other.state(4096));
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
