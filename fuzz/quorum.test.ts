/** What a majority has reached, and what a leader may commit, against twins that count one by one. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { followerCommitIndex, leaderCommitIndex } from "../core/raft/commit.ts";
import { isVoter, type Configuration } from "../core/raft/configuration.ts";
import { Log } from "../core/raft/log.ts";
import { Quorum } from "../core/raft/quorum.ts";
import type { LogIndex, MemberId, Term } from "../core/types.ts";
import { log, recoveredLog } from "../test/raft-notation.ts";
import { examples } from "./chance.ts";
import { configuration, MEMBER_IDS } from "./member-samples.ts";

/** Thesis §4.3: of each half more than half of the voters. */
function hasMajorities({ members, outgoing }: Configuration, has: (id: MemberId) => boolean): boolean {
  const halves = [members.filter(({ role }) => role === "voter"), outgoing].filter((half) => half.length > 0);
  return halves.every((half) => half.filter(({ id }) => has(id)).length * 2 > half.length);
}

const values = fc.array(fc.nat(9), { minLength: MEMBER_IDS.length, maxLength: MEMBER_IDS.length });

test("a quorum is a majority of each half, and counts only those who vote", () => {
  fc.assert(fc.property(configuration, fc.subarray(MEMBER_IDS), (current, present) => {
    const quorum = new Quorum(current);
    expect(quorum.isReached((id) => present.includes(id))).toBe(hasMajorities(current, (id) => present.includes(id)));
    for (const id of MEMBER_IDS) expect(quorum.counts(id)).toBe(isVoter(current, id));
  }), examples(500));
});

test("the value reached is the highest that majorities have, however often it is asked", () => {
  fc.assert(fc.property(configuration, fc.array(values, { minLength: 1, maxLength: 3 }), (current, rows) => {
    const quorum = new Quorum(current);
    for (const row of rows) {
      const valueOf = (id: MemberId): number => row[MEMBER_IDS.indexOf(id)] as number;
      let expected = 0;
      for (let value = 1; value <= 9; value++) {
        if (hasMajorities(current, (id) => valueOf(id) >= value)) expected = value;
      }
      expect(quorum.valueReached(valueOf)).toBe(expected);
    }
  }), examples(500));
});

/** Terms along a log: they never fall. */
const terms = fc.array(fc.integer({ min: 1, max: 4 }), { maxLength: 9 }).map((all) => all.sort((a, b) => a - b));

test("a leader commits up to the last entry of its own term that majorities hold", () => {
  const marks = { commit: fc.nat(9), compacted: fc.nat(9) };
  const leading = fc.record({ current: configuration, row: values, along: terms, ...marks });
  fc.assert(fc.property(leading, ({ current, row, along, commit, compacted }) => {
    const entries = log(along.join(" "));
    const currentTerm = 4 as Term;
    const commitIndex = Math.min(commit, entries.length) as LogIndex;
    const matchOf = (id: MemberId): number => Math.min(row[MEMBER_IDS.indexOf(id)] as number, entries.length);
    const quorum = new Quorum(current).valueReached(matchOf) as LogIndex;
    const baseIndex = Math.min(compacted, commitIndex);
    const base = recoveredLog(entries.slice(0, baseIndex)).last;
    const own = new Log(recoveredLog(entries.slice(baseIndex), base));
    // Figure 2, leaders: if there exists an N such that N > commitIndex, a majority has it, and log[N].term is ours.
    let expected: number = commitIndex;
    for (const { index, term } of entries) {
      const isReached = hasMajorities(current, (id) => matchOf(id) >= index);
      if (index > commitIndex && term === currentTerm && isReached) expected = index;
    }
    expect(leaderCommitIndex(commitIndex, quorum, currentTerm, own)).toBe(expected);
  }), examples(1000));
});

test("a follower commits what it was told, as far as it was found to agree, and never goes back", () => {
  const index = fc.nat(12) as fc.Arbitrary<LogIndex>;
  fc.assert(fc.property(index, index, fc.nat(9), terms, (commitIndex, leaderCommit, prevIndex, along) => {
    const all = log([...Array.from({ length: prevIndex }, () => 1), ...along].join(" "));
    const prevLog = recoveredLog(all.slice(0, prevIndex)).last;
    const entries = all.slice(prevIndex);
    const request = { type: "AppendEntries", term: 9 as Term, prevLog, entries, leaderCommit, round: 0 } as const;
    // Whatever stands in the message, and all before it, is known to agree.
    let told = 0;
    for (let agreed = 0; agreed <= all.length; agreed++) if (agreed <= leaderCommit) told = agreed;
    expect(followerCommitIndex(commitIndex, request)).toBe(Math.max(commitIndex, told));
  }), examples(500));
});
