/**
 * Random transactions on a leader that runs ahead of replication, two followers that apply its payloads, and readers
 * that keep snapshots open on all of them; commits are discarded, wholly and in part, WALs begin anew; cuts are taken,
 * and are read while all of this goes on. Always: the same bytes everywhere, neither a snapshot nor a cut ever changes,
 * what cuts have stored adds up to the state, and SQLite itself finds nothing wrong.
 */
import { expect, test } from "vitest";
import { Random } from "../core/random.ts";
import { FUZZ_SCALE, FUZZ_SEED } from "./chance.ts";
import { SqliteNode, type Client } from "../test/sqlite-node.ts";

const STEPS = 160 * FUZZ_SCALE;
const SUMMARY = "SELECT count(*), total(k), total(a), total(length(b)), total(length(c)) FROM t";

interface Reader {
  readonly client: Client;
  /** What it saw when it opened its snapshot; null: none is open. */
  snapshot: string | null;
}

class Torture {
  readonly reached = { commits: 0, rollbacks: 0, discards: 0, snapshots: 0, spills: 0 };
  private readonly random: Random;
  private readonly leader: SqliteNode;
  private readonly followers: readonly SqliteNode[];
  private writers: Client[];
  private readonly readers: readonly Reader[];
  /** Payloads taken from the leader and not replicated yet. */
  private payloads: Uint8Array[] = [];
  private tables = 0;

  constructor(seed: number, pageSize: number, checkpointFrames: number) {
    this.random = Random.fromNumber(seed);
    const [a, b, c] = [1, 2, 3].map((number) => new SqliteNode({ pageSize, checkpointFrames, seed: number })) as [
      SqliteNode,
      SqliteNode,
      SqliteNode,
    ];
    this.leader = a;
    this.followers = [b, c];
    this.writers = this.connectWriters();
    this.readers = [a, a, b, c].map((node) => ({ client: node.connect("applied", 10), snapshot: null }));
    this.write(
      "CREATE TABLE t (k INTEGER PRIMARY KEY, a, b TEXT, c BLOB); CREATE INDEX i ON t (a); CREATE TABLE log (x)",
    );
    this.replicate(Infinity);
  }

  step(): void {
    const { random } = this;
    const dice = random.integer(0, 99);
    if (dice < 70) this.write(this.transaction());
    else if (dice < 88) this.read(random.pick(this.readers));
    else if (dice < 93) this.discard();
    else this.compareViews();
    if (random.oneIn(8)) this.cut(random.pick(this.nodes));
    if (random.oneIn(4)) this.replicate(random.integer(0, 8));
  }

  /** Everything replicated: every node has the same bytes, and they are in order. */
  check(): void {
    this.replicate(Infinity);
    const image = this.leader.store.image();
    for (const node of this.nodes) {
      node.disk.end(this.random.oneIn(2));
      expect(Buffer.compare(node.store.image(), image)).toBe(0);
      expect(node.store.checksum()).toBe(this.leader.store.checksum());
      expect(node.checksumFromScratch()).toBe(node.store.checksum());
      // Every page buffer has exactly one owner.
      const { base, frames, buffers } = node.store;
      const inBase = Array.from({ length: base.pageCount }, (_, at) => base.page(at + 1)).filter(
        (page) => page !== undefined,
      );
      expect(buffers.outstanding).toBe(inBase.length + frames.count);
    }
    for (const { client } of this.readers) expect(client.rows("PRAGMA integrity_check")).toEqual([["ok"]]);
    expect(this.writers[0]!.rows("PRAGMA integrity_check")).toEqual([["ok"]]);
  }

  end(): Record<string, number> {
    for (const reader of this.readers) this.closeSnapshot(reader);
    this.write("INSERT INTO log VALUES ('end')");
    this.check();
    const counts = { checkpoints: 0, cuts: 0, abandoned: 0, damaged: 0, pagesLeftOut: 0 };
    for (const { store, disk } of this.nodes) {
      counts.checkpoints += store.checkpoints;
      counts.cuts += disk.reached.cuts;
      counts.abandoned += disk.reached.abandoned;
      counts.damaged += disk.reached.damaged;
      counts.pagesLeftOut += disk.reached.pagesLeftOut;
    }
    return counts;
  }

  private get nodes(): readonly SqliteNode[] {
    return [this.leader, ...this.followers];
  }

  private cut({ disk, store }: SqliteNode): void {
    const { random } = this;
    if (disk.isOpen) return disk.end(random.oneIn(2));
    if (random.oneIn(3)) disk.damage([1, random.integer(1, store.base.pageCount + 10)]);
    disk.begin();
  }

  private transaction(): string {
    const { random } = this;
    const n = (max: number): number => random.integer(0, max);
    const put = (): string =>
      `INSERT OR REPLACE INTO t VALUES (${n(3000)}, ${n(1000)}, hex(randomblob(${n(60)})), randomblob(${n(50)}))`;
    switch (random.integer(0, 13)) {
      case 0:
        return `UPDATE t SET a = a + 1, b = b || 'q' WHERE k % ${1 + n(20)} = 0`;
      case 1:
        return `DELETE FROM t WHERE k % ${2 + n(50)} = ${n(5)}`;
      case 2:
        return `INSERT OR REPLACE INTO t VALUES (${n(3000)}, 1, 'big', randomblob(${n(100000)}))`;
      case 3:
        return this.withSavepoints(put);
      case 4:
        // More pages than the smaller caches hold: SQLite writes frames before the commit.
        this.reached.spills += 1;
        return (
          `BEGIN; INSERT OR REPLACE INTO t SELECT k + ${n(100)}, a, b, c FROM t LIMIT ${n(500)}; ` +
          `WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < ${n(800)}) ` +
          `INSERT OR REPLACE INTO t SELECT x, x, hex(randomblob(20)), null FROM n; ${this.ending()}`
        );
      case 5: {
        const name = `n${this.tables++}`;
        return (
          `CREATE TABLE ${name} (a, b DEFAULT 5); INSERT INTO ${name} SELECT k, b FROM t LIMIT 50; ` +
          `ALTER TABLE ${name} ADD COLUMN z; ` +
          `ALTER TABLE ${name} DROP COLUMN b${random.oneIn(2) ? `; DROP TABLE ${name}` : ""}`
        );
      }
      case 6:
        return random.oneIn(3) ? "VACUUM" : put();
      case 7:
        return random.oneIn(3) ? "DELETE FROM t WHERE k > 300" : put();
      case 8:
        return "INSERT INTO t (k, b) VALUES (-1, 'fails'), (-1, 'fails')";
      case 9:
        return `INSERT INTO log VALUES (hex(randomblob(${n(100)})))`;
      default:
        return put();
    }
  }

  private withSavepoints(put: () => string): string {
    const { random } = this;
    const statements = ["BEGIN IMMEDIATE"];
    const count = random.integer(0, 20);
    for (let at = 0; at < count; at++) {
      if (at % 7 === 3) statements.push(`SAVEPOINT s${at}`);
      statements.push(put());
      if (at % 7 === 5 && random.oneIn(2)) statements.push(`ROLLBACK TO s${at - 2}`);
    }
    return [...statements, this.ending()].join("; ");
  }

  private ending(): string {
    if (this.random.integer(0, 2) > 0) return "COMMIT";
    this.reached.rollbacks += 1;
    return "ROLLBACK";
  }

  private write(script: string): void {
    const writer = this.random.pick(this.writers);
    const error = writer.execute(script);
    if (error !== null) {
      expect([error, script]).toEqual([
        "UNIQUE constraint failed: t.k",
        "INSERT INTO t (k, b) VALUES (-1, 'fails'), (-1, 'fails')",
      ]);
    }
    this.payloads.push(...this.leader.store.takeCommits());
    this.leader.store.checkpointIfDue();
  }

  private replicate(count: number): void {
    for (const payload of this.payloads.splice(0, count)) {
      this.leader.store.advance();
      for (const { store } of this.followers) expect(store.apply(payload)).toBe(null);
      this.reached.commits += 1;
    }
  }

  private discard(): void {
    const keep = this.random.integer(0, this.payloads.length);
    const { store } = this.leader;
    if (keep < this.payloads.length) this.reached.discards += 1;
    const cookie = store.schemaCookie();
    store.discard(keep);
    this.payloads.length = keep;
    if (store.schemaCookie() === cookie) return;
    for (const writer of this.writers) writer.close();
    this.writers = this.connectWriters();
  }

  private read(reader: Reader): void {
    if (reader.snapshot === null) {
      expect(reader.client.execute("BEGIN")).toBe(null);
      reader.snapshot = JSON.stringify(reader.client.rows(SUMMARY));
    } else {
      this.closeSnapshot(reader);
    }
  }

  private closeSnapshot(reader: Reader): void {
    if (reader.snapshot === null) return;
    expect(JSON.stringify(reader.client.rows(SUMMARY))).toBe(reader.snapshot);
    expect(reader.client.execute("COMMIT")).toBe(null);
    reader.snapshot = null;
    this.reached.snapshots += 1;
  }

  /** Readers without a snapshot see the same everywhere, as all nodes have applied the same. */
  private compareViews(): void {
    const seen = this.readers
      .filter(({ snapshot }) => snapshot === null)
      .map(({ client }) => JSON.stringify(client.rows(SUMMARY)));
    expect(new Set(seen).size).toBeLessThanOrEqual(1);
  }

  private connectWriters(): Client[] {
    return [this.leader.connect("speculative", 5), this.leader.connect("speculative", -2000)];
  }
}

const CASES = [
  { pageSize: 512, checkpointFrames: 50 },
  { pageSize: 1024, checkpointFrames: 1000 },
  { pageSize: 4096, checkpointFrames: 100 },
  { pageSize: 65536, checkpointFrames: 20 },
];

const reached: Record<string, number> = {};

test.each(CASES)(
  "leader and followers stay byte-identical, pages of $pageSize bytes",
  ({ pageSize, checkpointFrames }) => {
    const torture = new Torture(FUZZ_SEED * 1000 + pageSize, pageSize, checkpointFrames);
    for (let step = 1; step <= STEPS; step++) {
      torture.step();
      if (step % 40 === 0) torture.check();
    }
    const counts = { ...torture.reached, ...torture.end() };
    for (const [what, count] of Object.entries(counts)) reached[what] = (reached[what] ?? 0) + count;
  },
);

test("the torture reached everything that it is for", () => {
  const never = Object.entries(reached).filter(([, count]) => count === 0);
  expect([`FUZZ_SEED=${FUZZ_SEED}`, Object.keys(reached).length, never]).toEqual([`FUZZ_SEED=${FUZZ_SEED}`, 10, []]);
});
