/** The log in memory and the follower's rules, against twins that hold plain arrays and search them. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { judgeAppend } from "../core/raft/append.ts";
import { Log } from "../core/raft/log.ts";
import type { AppendEntries } from "../core/raft/message.ts";
import { NO_ENTRY, type Entry, type EntryId, type LogIndex, type Term } from "../core/types.ts";
import { entry, log, recoveredLog } from "../test/raft-notation.ts";
import { examples } from "./chance.ts";

/** Terms along a log: they never fall. */
const terms = fc.array(fc.integer({ min: 1, max: 5 }), { maxLength: 12 }).map((values) => values.sort((a, b) => a - b));
const logOf = (values: readonly number[]): readonly Entry[] => log(values.join(" "));

type Change =
  | { readonly type: "append"; readonly term: number; readonly size: number }
  | { readonly type: "truncate"; readonly keep: number }
  | { readonly type: "compact"; readonly through: number }
  | { readonly type: "reset"; readonly skip: number }
  | { readonly type: "evict"; readonly through: number; readonly maxBytes: number };

const change: fc.Arbitrary<Change> = fc.oneof(
  { weight: 12, arbitrary: fc.record({ type: fc.constant("append"), term: fc.nat(3), size: fc.nat(4) }) },
  { weight: 3, arbitrary: fc.record({ type: fc.constant("truncate"), keep: fc.nat(9) }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant("compact"), through: fc.nat(9) }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant("reset"), skip: fc.nat(3) }) },
  { weight: 4, arbitrary: fc.record({ type: fc.constant("evict"), through: fc.nat(20), maxBytes: fc.nat(9) }) },
) as fc.Arbitrary<Change>;

/** A plain array behind a base, with a mark: entries below it are on disk only. */
interface Twin {
  base: EntryId;
  entries: readonly Entry[];
  firstCached: number;
}

const lastOf = ({ base, entries }: Twin): EntryId => entries[entries.length - 1] ?? base;
const cachedIn = ({ entries, firstCached }: Twin): readonly Entry[] =>
  entries.filter(({ index }) => index >= firstCached);
const bytesOf = (entries: readonly Entry[]): number => entries.reduce((sum, { payload }) => sum + payload.length, 0);

function applyBoth(twin: Twin, own: Log, step: Change): void {
  const last = lastOf(twin);
  const within = (offset: number): EntryId =>
    offset === 0 ? twin.base : (twin.entries[Math.min(offset, twin.entries.length) - 1] ?? twin.base);
  switch (step.type) {
    case "append": {
      const term = Math.max(1, last.term) + (step.term === 3 ? 1 : 0);
      const next = entry({ term, index: last.index + 1 }, step.size);
      twin.entries = [...twin.entries, next];
      return own.append(next);
    }
    case "truncate": {
      const { index } = within(step.keep);
      twin.entries = twin.entries.filter((each) => each.index <= index);
      twin.firstCached = Math.min(twin.firstCached, index + 1);
      return own.truncate(index);
    }
    case "compact": {
      const { term, index } = within(step.through);
      twin.base = { term, index };
      twin.entries = twin.entries.filter((each) => each.index > index);
      twin.firstCached = Math.max(twin.firstCached, index + 1);
      return own.compact(twin.base);
    }
    case "reset": {
      twin.base = { term: last.term, index: (last.index + step.skip) as LogIndex };
      twin.entries = [];
      twin.firstCached = twin.base.index + 1;
      return own.reset(twin.base);
    }
    case "evict": {
      const through = Math.min(step.through, last.index);
      while (bytesOf(cachedIn(twin)) > step.maxBytes && twin.firstCached <= through) twin.firstCached += 1;
      return own.evict(through as LogIndex, step.maxBytes);
    }
    default:
      step satisfies never;
  }
}

test("appending, cutting, compacting and evicting leave what a plain array with a mark would hold", () => {
  fc.assert(fc.property(terms, fc.array(change, { maxLength: 40 }), (values, changes) => {
    const entries = logOf(values);
    const own = new Log(recoveredLog(entries));
    const twin: Twin = { base: NO_ENTRY, entries, firstCached: entries.length + 1 };
    for (const step of changes) {
      applyBoth(twin, own, step);
      const { term, index } = lastOf(twin);
      const cached = cachedIn(twin);
      expect([own.base, own.last, own.firstCached, own.cachedBytes])
        .toEqual([twin.base, { term, index }, twin.firstCached, bytesOf(cached)]);
      expect(own.runs).toEqual(recoveredLog(twin.entries).terms);
      const end = (index + 1) as LogIndex;
      if (cached.length > 0) expect(own.slice(twin.firstCached as LogIndex, end)).toEqual(cached);
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
const pair = fc.record({
  common: terms, own: terms, leaders: terms, from: fc.nat(24), count: fc.nat(8), compacted: fc.nat(12),
});

test("a follower does with entries what figure 2 says, and its hint leads back to where the logs agree", () => {
  const seen = new Set<string>();
  fc.assert(fc.property(pair, ({ common, own, leaders, from, count, compacted }) => {
    const last = common[common.length - 1] ?? 0;
    // Beyond the common part the terms of the two differ: odd here, even there.
    const ours = logOf([...common, ...own.map((term) => last + 2 * term - 1)]);
    const theirs = logOf([...common, ...leaders.map((term) => last + 2 * term)]);
    const baseIndex = Math.min(compacted, common.length);
    const base = recoveredLog(ours.slice(0, baseIndex)).last;
    const prevIndex = Math.min(from, theirs.length);
    const prevLog = recoveredLog(theirs.slice(0, prevIndex)).last;
    const entries = theirs.slice(prevIndex, prevIndex + count);
    const told = { term: 99 as Term, leaderCommit: 0 as LogIndex, round: 0 };
    const request = { type: "AppendEntries", ...told, prevLog, entries } as const;
    const log = new Log(recoveredLog(ours.slice(baseIndex), base));
    const verdict = judgeAppend(log, common.length as LogIndex, request);
    seen.add(`${verdict.type}${prevIndex < baseIndex ? " behind the base" : ""}`);
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
  expect([...seen].sort()).toEqual(["match", "match behind the base", "mismatch"]);
});

test("nothing that is committed is ever replaced, whatever a leader asks for", () => {
  fc.assert(fc.property(pair, fc.nat(24), ({ common, own, leaders, from, count }, commit) => {
    const last = common[common.length - 1] ?? 0;
    const ours = logOf([...common, ...own.map((term) => last + 2 * term - 1)]);
    const theirs = logOf([...common, ...leaders.map((term) => last + 2 * term)]);
    const commitIndex = Math.min(commit, ours.length) as LogIndex;
    const prevIndex = Math.min(from, theirs.length);
    const prevLog = recoveredLog(theirs.slice(0, prevIndex)).last;
    const entries = theirs.slice(prevIndex, prevIndex + count);
    const told = { term: 99 as Term, leaderCommit: 0 as LogIndex, round: 0 };
    const request = { type: "AppendEntries", ...told, prevLog, entries } as const;
    const verdict = judgeAppend(new Log(recoveredLog(ours)), commitIndex, request);
    const conflict = entries.find(({ index, term }) => (ours[index - 1]?.term ?? term) !== term);
    const holdsPrev = prevIndex === 0 || ours[prevIndex - 1]?.term === prevLog.term;
    const isImpossible = holdsPrev && conflict !== undefined && conflict.index <= commitIndex;
    expect(verdict.type === "impossible").toBe(isImpossible);
    if (verdict.type === "match") expect(verdict.truncateTo ?? commitIndex).toBeGreaterThanOrEqual(commitIndex);
  }), examples(500));
});
