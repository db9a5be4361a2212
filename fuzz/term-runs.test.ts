/** The terms of a log by runs, against a twin that keeps a plain array of entries and searches it. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { TermRuns } from "../core/term-runs.ts";
import { NO_ENTRY, type EntryId, type LogIndex, type Term } from "../core/types.ts";
import { examples } from "./chance.ts";

type Change =
  | { readonly type: "append"; readonly rise: number }
  | { readonly type: "truncate" | "compact"; readonly at: number }
  | { readonly type: "reset"; readonly term: number; readonly skip: number };

const change: fc.Arbitrary<Change> = fc.oneof(
  { weight: 10, arbitrary: fc.record({ type: fc.constant("append" as const), rise: fc.integer({ min: -4, max: 2 }) }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constantFrom("truncate" as const, "compact" as const), at: fc.nat() }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant("reset" as const), term: fc.nat(3), skip: fc.nat(3) }) },
);

/** Every entry behind the base, and the base. */
interface Twin {
  readonly base: EntryId;
  readonly entries: readonly EntryId[];
}

const id = (term: number, index: number): EntryId => ({ term: term as Term, index: index as LogIndex });

function withBase({ base, entries }: Twin): readonly EntryId[] {
  return [base, ...entries];
}

function lastOf(twin: Twin): EntryId {
  return withBase(twin)[twin.entries.length] as EntryId;
}

/** Does the same to both. */
function apply(twin: Twin, own: TermRuns, step: Change): Twin {
  const { base, entries } = twin;
  const last = lastOf(twin);
  switch (step.type) {
    case "append": {
      const next = id(Math.max(1, last.term + Math.max(0, step.rise)), last.index + 1);
      own.append(next);
      return { base, entries: [...entries, next] };
    }
    case "truncate": {
      const count = step.at % (entries.length + 1);
      own.truncate((base.index + count) as LogIndex);
      return { base, entries: entries.slice(0, count) };
    }
    case "compact": {
      const count = step.at % (entries.length + 1);
      const through = withBase(twin)[count] as EntryId;
      own.compact(through);
      return { base: through, entries: entries.slice(count) };
    }
    case "reset": {
      const next = id(last.term + step.term, last.index + step.skip);
      own.reset(next);
      return { base: next, entries: [] };
    }
    default:
      throw step;
  }
}

/** Every question, about every entry near the log. */
function expectSame(own: TermRuns, twin: Twin): void {
  const all = withBase(twin);
  const last = lastOf(twin);
  expect([own.base, own.last]).toEqual([twin.base, last]);
  const previous = (at: number): number | undefined => (at === 0 ? undefined : twin.entries[at - 1]?.term);
  expect(own.runs).toEqual(twin.entries.filter(({ term }, at) => term !== previous(at)));
  for (const each of all) {
    expect(own.idAt(each.index)).toEqual(each);
    expect(own.termAt(each.index)).toBe(each.term);
  }
  for (let index = Math.max(0, twin.base.index - 2); index <= last.index + 2; index++) {
    for (let term = Math.max(0, twin.base.term - 1); term <= last.term + 1; term++) {
      const asked = id(term, index);
      expect(own.holds(asked)).toBe(all.some((each) => each.index === index && each.term === term));
      const atMost = all.filter((each) => each.index <= index && each.term <= term);
      expect(own.lastAtMost(asked.index, asked.term)).toEqual(atMost[atMost.length - 1] ?? NO_ENTRY);
    }
  }
}

test("terms by runs answer as a plain array does, whatever was appended, cut and compacted", () => {
  fc.assert(fc.property(fc.array(change, { maxLength: 30 }), (changes) => {
    const own = new TermRuns([], NO_ENTRY);
    let twin: Twin = { base: NO_ENTRY, entries: [] };
    for (const step of changes) {
      const kept = own.runs;
      const copy = [...kept];
      twin = apply(twin, own, step);
      expectSame(own, twin);
      expect(kept, "an array of runs that was handed out stays as it is").toEqual(copy);
      expectSame(new TermRuns(own.runs, own.last, own.base), twin);
    }
  }), examples(150));
});
