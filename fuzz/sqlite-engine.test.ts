/**
 * The engine beside a dumb twin: a table as a Map, and one copy of it for each state that it has been in. Statements,
 * transactions and scripts succeed and fail; commits are advanced, applied on a follower and discarded; cuts are taken,
 * and are read while all of this goes on. In one case SQLite's files fail at random, in another SQLite traps at random;
 * the engine may answer with an error, but what it shows, and what its cuts have stored, is always what the twin says.
 */
import { expect, test } from "vitest";
import type { Engine, StatementResult } from "../core/database/engine.ts";
import { Random } from "../core/random.ts";
import { IOERR } from "../core/sqlite/result-code.ts";
import { sqliteEngineFactory } from "../core/sqlite/factory.ts";
import type { SqlJsModule } from "../core/sqlite/sql-js.ts";
import { FUZZ_SCALE, FUZZ_SEED } from "./chance.ts";
import { CutTwin } from "../test/cut-twin.ts";
import { SQL_JS } from "../test/sqlite-fixture.ts";

type Call = (...values: number[]) => number;
type State = ReadonlyMap<number, string>;

const STEPS = 300 * FUZZ_SCALE;
const LIMITS = { maxPayloadBytes: 300_000, maxResultBytes: 1024 * 1024 };
const KEYS = 40;
const FAILING_METHODS = ["xRead", "xWrite", "xFileSize", "xShmMap"];

/** What goes wrong now: chances in 10,000 for each call. */
const trouble = { random: Random.fromNumber(FUZZ_SEED), files: 0, traps: 0, injected: 0 };

function strikes(chance: number): boolean {
  if (chance === 0 || trouble.random.integer(0, 9999) >= chance) return false;
  trouble.injected += 1;
  return true;
}

const module: SqlJsModule = {
  ...SQL_JS,
  compile: (binary) => {
    const link = SQL_JS.compile(binary);
    return ({ vfs }) => {
      const failing = FAILING_METHODS.map((name): [string, Call] => {
        const method = vfs![name] as Call;
        return [name, (...values) => (strikes(trouble.files) ? IOERR : method(...values))];
      });
      return link({ vfs: { ...vfs, ...Object.fromEntries(failing) } });
    };
  },
  instantiate: () => {
    const instance = SQL_JS.instantiate();
    const step = instance.exports["_sqlite3_step"] as Call;
    const trapping: Call = (statement) => step(strikes(trouble.traps) ? 0x7ffffff0 : statement!);
    return { ...instance, exports: { ...instance.exports, _sqlite3_step: trapping } };
  },
};
const factory = sqliteEngineFactory(module);

/** The twin and the engine. */
class Pair {
  readonly reached: Record<string, number> = { commits: 0, failures: 0, discards: 0, deaths: 0, endedBySqlite: 0 };
  private readonly random: Random;
  private readonly engine: Engine;
  private readonly follower: Engine;
  /** Stores the engine's cuts. */
  private readonly disk: CutTwin;
  /** The applied state, then the state after each speculative commit. */
  private states: State[] = [new Map()];
  /** What the open transaction has made of the last state; null: none is open. */
  private open: State | null = null;
  /** Taken from the engine, neither advanced nor discarded. */
  private payloads: Uint8Array[] = [];

  constructor(seed: number) {
    this.random = Random.fromNumber(seed);
    this.engine = factory.create(this.random.bytes(44), LIMITS);
    this.follower = factory.create(this.random.bytes(44), LIMITS);
    this.disk = new CutTwin(this.engine);
    expect(this.engine.script("CREATE TABLE kv (k INTEGER PRIMARY KEY, v TEXT); CREATE INDEX i ON kv (v)").type).toBe(
      "done",
    );
    this.states.push(new Map(), new Map());
    this.replicate(2);
  }

  step(): void {
    const { random } = this;
    const dice = random.integer(0, 99);
    if (dice < 60) this.statement();
    else if (dice < 68) this.begin();
    else if (dice < 76) this.end();
    else if (dice < 82) this.script();
    else if (dice < 94) this.replicate(random.integer(0, 5));
    else if (this.open === null) this.discard();
    if (random.oneIn(6)) this.cut();
    this.compare();
  }

  /** Without trouble: SQLite finds nothing wrong, and the follower has the same bytes. */
  check(): void {
    quietly(() => {
      if (this.open !== null) this.engine.rollback();
      this.open = null;
      this.replicate(this.states.length - 1);
      for (const engine of [this.engine, this.follower]) {
        expect(engine.run("reader", "PRAGMA integrity_check", [])).toMatchObject({ rows: { rows: [["ok"]] } });
      }
      expect(this.follower.checksum()).toBe(this.engine.checksum());
      expect(Buffer.compare(this.follower.image(), this.engine.image())).toBe(0);
    });
  }

  private cut(): void {
    if (this.disk.isOpen) this.disk.end(this.random.oneIn(2));
    else this.disk.begin();
  }

  private get current(): State {
    return this.open ?? this.states.at(-1)!;
  }

  private statement(): void {
    const { random } = this;
    const key = random.integer(1, KEYS);
    const text = `${random.u32()}`.repeat(random.oneIn(5) ? 500 : 1);
    const after = new Map(this.current);
    switch (random.integer(0, 6)) {
      case 0:
        for (const each of [...after.keys()]) if (each % 5 === key % 5) after.delete(each);
        return this.run("DELETE FROM kv WHERE k % 5 = ?", [key % 5], after);
      case 1:
        for (const [each, value] of after) if (each > key) after.set(each, `${value.slice(0, 9)}!`);
        return this.run("UPDATE kv SET v = substr(v, 1, 9) || '!' WHERE k > ? RETURNING v", [key], after);
      case 2:
      case 3: {
        // Works until it meets the key, and keeps or undoes that, or ends the transaction.
        const clause = random.pick(["OR FAIL", "OR ABORT", "OR ROLLBACK", "OR ROLLBACK"]);
        const fails = [0, 1, 2].some((offset) => after.has(key + offset));
        for (const offset of [0, 1, 2]) after.set(key + offset, text);
        const sql = `INSERT ${clause} INTO kv VALUES (?1, ?2), (?1 + 1, ?2), (?1 + 2, ?2)`;
        return this.run(sql, [key, text], fails ? null : after);
      }
      case 4:
        // Too large for a payload; inside a transaction only the commit would find out.
        return this.open === null ? this.run("INSERT INTO kv VALUES (999, zeroblob(400000))", [], null) : undefined;
      default:
        return this.run("INSERT OR REPLACE INTO kv VALUES (?, ?)", [key, text], after.set(key, text));
    }
  }

  /** `after`: what the statement makes of the state; null: it must fail. */
  private run(sql: string, parameters: (number | string)[], after: State | null): void {
    const before = this.engine.speculative();
    const result = this.engine.run("writer", sql, parameters);
    if (this.failed(result)) return;
    expect([sql, after === null]).toEqual([sql, false]);
    if (this.open !== null) this.open = after;
    else if (this.engine.speculative() > before) this.states.push(after!);
    else expect([...after!]).toEqual([...this.current]);
  }

  private begin(): void {
    const result = this.engine.begin();
    if (this.open !== null) expect(result.type).toBe("misuse");
    else if (!this.failed(result)) this.open = this.current;
  }

  private end(): void {
    if (this.random.oneIn(3)) {
      this.engine.rollback();
      this.open = null;
      this.reviveIfDead();
      return;
    }
    const before = this.engine.speculative();
    const result = this.engine.commit();
    if (this.open === null) return expect(result.type).toBe("misuse");
    const after = this.open;
    if (this.failed(result)) return expect(this.open).toBe(null);
    if (this.engine.speculative() > before) this.states.push(after);
    this.open = null;
  }

  private script(): void {
    if (this.open !== null) return expect(this.engine.script("SELECT 1").type).toBe("misuse");
    const key = this.random.integer(1, KEYS);
    const first = new Map(this.current).set(key, "script");
    const second = new Map(first).set(key + 1, "script");
    const put = (at: number): string => `INSERT OR REPLACE INTO kv VALUES (${at}, 'script')`;
    const before = this.engine.speculative();
    const ending = this.random.pick(["COMMIT", "ROLLBACK", "SELECT 1", "SELECT nowhere"]);
    const result = this.engine.script(`${put(key)}; BEGIN; ${put(key + 1)}; ${ending}`);
    if (result.type === "done" && ending !== "COMMIT") expect(ending).toBe("ROLLBACK");
    const committed = [first, second].slice(0, this.engine.speculative() - before);
    if (!this.failed(result)) expect(committed.length).toBe(ending === "COMMIT" ? 2 : 1);
    this.states.push(...committed);
  }

  private replicate(count: number): void {
    const payloads = this.engine.takeCommits();
    this.payloads.push(...payloads.map(({ payload }) => payload));
    for (const payload of this.payloads.splice(0, count)) {
      this.engine.advance();
      expect(this.follower.apply(payload)).toBe(null);
      this.states.shift();
      this.reached["commits"]! += 1;
    }
  }

  private discard(): void {
    const keep = this.random.integer(0, this.engine.speculative());
    if (keep < this.engine.speculative()) this.reached["discards"]! += 1;
    this.payloads.push(...this.engine.takeCommits().map(({ payload }) => payload));
    this.engine.discard(keep);
    this.payloads.length = keep;
    this.states.length = keep + 1;
    this.reviveIfDead();
  }

  /** Whether a statement failed; what the twin has to know of it is done. */
  private failed(result: StatementResult): boolean {
    if (result.type === "done") return false;
    this.reached["failures"]! += 1;
    if (result.type === "died") this.reviveIfDead();
    if (this.open !== null && !this.engine.inTransaction()) {
      this.reached["endedBySqlite"]! += 1;
      this.open = null;
    }
    return true;
  }

  private reviveIfDead(): void {
    quietly(() => {
      if (this.engine.run("reader", "SELECT 1", []).type !== "died") return;
      this.reached["deaths"]! += 1;
      this.engine.revive(this.random.bytes(44));
    });
  }

  private compare(): void {
    expect(this.engine.inTransaction()).toBe(this.open !== null);
    expect(this.engine.speculative()).toBe(this.states.length - 1);
    quietly(() => {
      this.expectState("writer", this.current);
      this.expectState("reader", this.states[0]!);
    });
  }

  private expectState(view: "writer" | "reader", state: State): void {
    const result = this.engine.run(view, "SELECT k, v FROM kv ORDER BY k", []);
    const expected = [...state].sort(([a], [b]) => a - b);
    expect([view, result.type === "done" ? result.rows.rows : result]).toEqual([view, expected]);
  }
}

function quietly(body: () => void): void {
  const { files, traps } = trouble;
  Object.assign(trouble, { files: 0, traps: 0 });
  body();
  Object.assign(trouble, { files, traps });
}

test.each([
  { name: "without trouble", files: 0, traps: 0, reached: ["commits", "failures", "discards", "endedBySqlite"] },
  { name: "with failing files", files: 200, traps: 0, reached: ["commits", "failures", "discards", "endedBySqlite"] },
  { name: "with traps", files: 0, traps: 150, reached: ["commits", "failures", "discards", "deaths"] },
])("the engine shows what its twin says, $name", ({ files, traps, reached }) => {
  const pair = new Pair(FUZZ_SEED * 100 + files + traps);
  Object.assign(trouble, { files, traps, injected: 0 });
  for (let step = 1; step <= STEPS; step++) {
    pair.step();
    if (step % 50 === 0) pair.check();
  }
  Object.assign(trouble, { files: 0, traps: 0 });
  pair.check();
  if (files + traps > 0) expect(trouble.injected).toBeGreaterThan(0);
  const never = reached.filter((what) => pair.reached[what] === 0);
  expect([FUZZ_SEED, never]).toEqual([FUZZ_SEED, []]);
});
