/**
 * Files of pages against the dumb twin: cuts that grow and shrink, merges, restarts and transfers in any order, between
 * two members. Whatever happens, what is read back is the database as of the stored snapshot.
 */
import fc from "fast-check";
import { expect, test } from "vitest";
import { PageDirectory } from "../test/page-directory.ts";
import { PlainDatabase } from "../test/plain-database.ts";
import { examples } from "./chance.ts";

type Side = "left" | "right";

interface Write {
  readonly type: "write";
  readonly side: Side;
  readonly numbers: readonly number[];
  readonly pageCount: number | null;
}

type Action =
  /** Pages change, the database has so many then (null: as before), and is stored. */
  | Write
  | { readonly type: "idle"; readonly side: Side }
  | { readonly type: "repair"; readonly side: Side; readonly numbers: readonly number[] }
  | { readonly type: "merge" | "restart" | "restore"; readonly side: Side }
  /** A cut is written, files are merged, then it is published. */
  | { readonly type: "mergeUnderCut"; readonly side: Side; readonly numbers: readonly number[] }
  | { readonly type: "send"; readonly side: Side; readonly maxBytes: number; readonly upTo: number }
  | { readonly type: "mergeWhileSending"; readonly side: Side; readonly maxBytes: number };

const side = fc.constantFrom<Side>("left", "right");
const numbers = fc.uniqueArray(fc.integer({ min: 1, max: 24 }), { maxLength: 8 });
// Mostly it stays as it is: what shrinks and grows all the time has nothing to be merged.
const pageCount = fc.oneof(
  { weight: 4, arbitrary: fc.constant(null) }, { weight: 1, arbitrary: fc.constant(24) },
  { weight: 1, arbitrary: fc.integer({ min: 0, max: 24 }) },
);
const maxBytes = fc.constantFrom(50, 4096, 5000, 100_000);
const upTo = fc.integer({ min: 1, max: 30 });
const action: fc.Arbitrary<Action> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ type: fc.constant("write"), side, numbers, pageCount }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant("idle"), side }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant("repair"), side, numbers }) },
  { weight: 4, arbitrary: fc.record({ type: fc.constantFrom("merge", "restart", "restore"), side }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant("mergeUnderCut"), side, numbers }) },
  { weight: 4, arbitrary: fc.record({ type: fc.constant("send"), side, maxBytes, upTo }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant("mergeWhileSending"), side, maxBytes }) },
) as fc.Arbitrary<Action>;

/** A member: its files, what it has applied, and what of that is stored. */
class Member {
  directory = PageDirectory.open();
  index = 0;
  applied = PlainDatabase.of(0);
  stored: { readonly index: number; readonly database: PlainDatabase } | null = null;
}

/** One history, which both members go through, the one sooner than the other. */
class World {
  private readonly members: Readonly<Record<Side, Member>> = { left: new Member(), right: new Member() };
  /** The database as of each index. */
  private readonly history: PlainDatabase[] = [PlainDatabase.of(0)];
  private digit = 0;

  act(action: Action): void {
    const member = this.members[action.side];
    const other = this.members[action.side === "left" ? "right" : "left"];
    switch (action.type) {
      case "write":
        this.advance(member, action.numbers, action.pageCount);
        return this.checkpoint(member);
      case "idle":
        this.advance(member, [], null);
        return this.checkpoint(member);
      case "repair":
        return this.checkpoint(member, action.numbers);
      case "merge":
        member.directory.merge();
        return this.judge(member);
      case "restart":
        member.directory = PageDirectory.open(member.directory.disk.killed());
        member.applied = this.history[member.index = member.stored?.index ?? 0]!;
        return this.judge(member);
      case "restore":
        return this.judge(member);
      case "mergeUnderCut": {
        this.advance(member, action.numbers, null);
        if (member.index === 0) return;
        const written = member.directory.write(member.index, member.applied.cut(member.stored?.database ?? null));
        member.directory.merge();
        expect(member.directory.publish(written!)).toBe(true);
        return this.isStored(member);
      }
      case "send":
        return this.send(member, other, action.maxBytes, action.upTo, false);
      case "mergeWhileSending":
        return this.send(member, other, action.maxBytes, Infinity, true);
    }
  }

  /** The member applies what the history says next; where it says nothing yet, this. */
  private advance(member: Member, changed: readonly number[], pageCount: number | null): void {
    if (member.index === this.history.length - 1) {
      const count = pageCount ?? member.applied.pageCount;
      const numbers = changed.filter((number) => number <= count);
      this.history.push(member.applied.changed(numbers, ++this.digit, count));
    }
    member.applied = this.history[++member.index]!;
  }

  private checkpoint(member: Member, also: readonly number[] = []): void {
    if (member.index === 0) return;
    const cut = member.applied.cut(member.stored?.database ?? null, also);
    expect(member.directory.checkpoint(member.index, cut)).toBe(true);
    this.isStored(member);
  }

  private isStored(member: Member): void {
    member.stored = { index: member.index, database: member.applied };
    this.judge(member);
  }

  /** Sends so many pieces, perhaps not all; the next time it goes on, or another snapshot begins. */
  private send(from: Member, to: Member, size: number, upTo: number, merges: boolean): void {
    if (from.stored === null || to.index >= from.stored.index) return;
    const snapshot = from.directory.pages.snapshot!;
    from.directory.pages.pin(snapshot);
    let end = 0;
    for (let count = 0; count < upTo && end < snapshot.size; count++) {
      end = to.directory.fetch(from.directory, snapshot, end, size)!;
      if (merges && count % 2 === 0) from.directory.merge();
      if (merges && count % 3 === 0) to.directory.merge();
    }
    from.directory.pages.release(snapshot);
    if (end < snapshot.size) return;
    to.directory.install(snapshot);
    to.index = from.stored.index;
    to.applied = from.stored.database;
    this.isStored(to);
  }

  private judge({ directory, stored }: Member): void {
    expect(directory.pages.snapshot?.entry.index ?? 0).toBe(stored?.index ?? 0);
    if (stored === null) return;
    expect(String(directory.restore())).toBe(String(stored.database));
  }

  /** What is left of it in the end. */
  finish(): void {
    for (const member of Object.values(this.members)) {
      member.directory = PageDirectory.open(member.directory.disk);
      this.judge(member);
      member.directory.mergeAll();
      this.judge(member);
      const { pages, counts, names } = member.directory;
      const total = counts.reduce((sum, count) => sum + count, 0);
      expect(total).toBeLessThanOrEqual(2 * (pages.stored?.state.pageCount ?? 0));
      expect(names.length).toBe(counts.length + (pages.stored === null ? 0 : 1));
    }
  }
}

test("whatever is cut, merged, sent and restarted, what is read back is the database", () => {
  fc.assert(
    fc.property(fc.array(action, { maxLength: 40, size: "max" }), (actions) => {
      const world = new World();
      for (const one of actions) world.act(one);
      world.finish();
    }),
    examples(150),
  );
});
