/** The log, its terms by runs and the follower's rules, against twins that hold plain arrays and search them. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { judgeAppend } from "../core/raft/append.ts";
import { quorumIndex } from "../core/raft/commit.ts";
import { Log } from "../core/raft/log.ts";
import type { AppendEntries } from "../core/raft/message.ts";
import { NO_ENTRY, type Entry, type EntryId, type LogIndex, type Term } from "../core/types.ts";
import { entry, log, recoveredLog } from "../test/raft-notation.ts";
import { examples } from "./chance.ts";

/** Terms along a log: they never fall. */
const terms = fc.array(fc.integer({ min: 1, max: 5 }), { maxLength: 12 }).map((values) => values.sort((a, b) => a - b));
const logOf = (values: readonly number[]): readonly Entry[] => log(values.join(" "));
const idOf = (entries: readonly Entry[], index: number): EntryId => entries[index - 1] ?? NO_ENTRY;

test("a majority's index is the highest that so many voters have reached", () => {
  fc.assert(fc.property(fc.array(fc.integer({ min: 0, max: 9 }), { minLength: 1, maxLength: 7 }), (matches) => {
    let expected = 0;
    for (let index = 0; index <= 9; index++) {
      if (matches.filter((match) => match >= index).length * 2 > matches.length) expected = index;
    }
    expect(quorumIndex(matches as LogIndex[])).toBe(expected);
  }), examples(500));
});

test("terms by runs answer as an array of entries does", () => {
  fc.assert(fc.property(terms, fc.nat(14), fc.nat(6), (values, index, term) => {
    const entries = logOf(values);
    const own = new Log(recoveredLog(entries));
    const id = { term: term as Term, index: index as LogIndex };
    const there = index <= entries.length ? idOf(entries, index) : null;
    expect(own.holds(id)).toBe(there !== null && there.term === term);
    if (there !== null) expect(own.termAt(id.index)).toBe(there.term);
    const atMost = entries.filter((each) => each.index <= index && each.term <= term);
    const { term: lastTerm, index: lastIndex } = idOf(atMost, atMost.length);
    expect(own.lastAtMost(id.index, id.term)).toEqual({ term: lastTerm, index: lastIndex });
  }), examples(1000));
});

type Change =
  | { readonly type: "append"; readonly term: number; readonly size: number }
  | { readonly type: "truncate"; readonly keep: number }
  | { readonly type: "evict"; readonly through: number; readonly maxBytes: number };

const change: fc.Arbitrary<Change> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ type: fc.constant("append"), term: fc.nat(3), size: fc.nat(4) }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant("truncate"), keep: fc.nat(12) }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant("evict"), through: fc.nat(12), maxBytes: fc.nat(9) }) },
) as fc.Arbitrary<Change>;

test("appending, truncating and evicting leave what a plain array with a mark would hold", () => {
  fc.assert(fc.property(terms, fc.array(change, { maxLength: 40 }), (values, changes) => {
    let twin = [...logOf(values)];
    const own = new Log(recoveredLog(twin));
    /** Entries below are on disk only. */
    let firstCached = twin.length + 1;
    for (const step of changes) {
      if (step.type === "append") {
        const term = (twin[twin.length - 1]?.term ?? 1) + (step.term === 3 ? 1 : 0);
        const next = entry({ term, index: twin.length + 1 }, step.size);
        twin.push(next);
        own.append(next);
      } else if (step.type === "truncate") {
        const keep = Math.min(step.keep, twin.length);
        twin = twin.slice(0, keep);
        own.truncate(keep as LogIndex);
        firstCached = Math.min(firstCached, keep + 1);
      } else {
        own.evict(step.through as LogIndex, step.maxBytes);
        const bytes = (): number => twin.slice(firstCached - 1).reduce((sum, { payload }) => sum + payload.length, 0);
        while (bytes() > step.maxBytes && firstCached <= Math.min(step.through, twin.length)) firstCached += 1;
      }
      expect(own.firstCached).toBe(firstCached);
      expect(own.runs).toEqual(recoveredLog(twin).terms);
      expect(own.last).toEqual(recoveredLog(twin).last);
      const cached = twin.slice(firstCached - 1);
      expect(own.cachedBytes).toBe(cached.reduce((sum, { payload }) => sum + payload.length, 0));
      const end = (twin.length + 1) as LogIndex;
      if (cached.length > 0) expect(own.slice(firstCached as LogIndex, end)).toEqual(cached);
    }
  }), examples(300));
});

/** Figure 2, receiver's rules 2 to 4, word for word. */
function follow(own: readonly Entry[], request: AppendEntries): readonly Entry[] | null {
  const { prevLog, entries } = request;
  if (prevLog.index > 0 && own[prevLog.index - 1]?.term !== prevLog.term) return null;
  let result = [...own];
  for (const next of entries) {
    if (result[next.index - 1] !== undefined && result[next.index - 1]?.term !== next.term) {
      result = result.slice(0, next.index - 1);
    }
    if (next.index > result.length) result.push(next);
  }
  return result;
}

/** A leader's log and a follower's with a common beginning, as Log Matching has it, and a message from the leader. */
const pair = fc.record({ common: terms, own: terms, leaders: terms, from: fc.nat(24), count: fc.nat(8) });

test("a follower does with entries what figure 2 says, and its hint leads back to where the logs agree", () => {
  fc.assert(fc.property(pair, ({ common, own, leaders, from, count }) => {
    const base = common[common.length - 1] ?? 0;
    // Beyond the common part the terms of the two differ: odd here, even there.
    const ours = logOf([...common, ...own.map((term) => base + 2 * term - 1)]);
    const theirs = logOf([...common, ...leaders.map((term) => base + 2 * term)]);
    const prevIndex = Math.min(from, theirs.length);
    const prevLog = recoveredLog(theirs.slice(0, prevIndex)).last;
    const entries = theirs.slice(prevIndex, prevIndex + count);
    const told = { term: 99 as Term, leaderCommit: 0 as LogIndex, round: 0 };
    const request = { type: "AppendEntries", ...told, prevLog, entries } as const;
    const verdict = judgeAppend(new Log(recoveredLog(ours)), common.length as LogIndex, request);
    const expected = follow(ours, request);
    if (verdict.type === "match") {
      const kept = verdict.truncateTo === null ? ours : ours.slice(0, verdict.truncateTo);
      expect([...kept, ...verdict.entries]).toEqual(expected);
    } else {
      expect(verdict.type).toBe("mismatch");
      expect(expected).toBeNull();
      if (verdict.type !== "mismatch") return;
      const next = new Log(recoveredLog(theirs)).lastAtMost(verdict.hint.index, verdict.hint.term);
      // It goes back, but never behind what agrees.
      expect(next.index).toBeLessThan(prevIndex);
      expect(next.index).toBeGreaterThanOrEqual(common.length);
    }
  }), examples(1000));
});
