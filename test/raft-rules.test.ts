/** Raft's rules that are functions of values, as tables: elections, commit, and what a follower does with entries. */
import { expect, test } from "vitest";
import { judgeAppend } from "../core/raft/append.ts";
import { DEFAULT_LIMITS, DEFAULT_TIMING } from "../core/raft/boundary.ts";
import { followerCommitIndex, leaderCommitIndex, quorumIndex } from "../core/raft/commit.ts";
import { electionDeadline, electsLeader, grantsVote, isAtLeastAsUpToDate } from "../core/raft/election.ts";
import { limitBatch, Log } from "../core/raft/log.ts";
import type { AppendEntries, RequestVote } from "../core/raft/message.ts";
import { isPlausible } from "../core/raft/plausibility.ts";
import { Random } from "../core/random.ts";
import { afterMs, NO_ENTRY, type Instant, type LogIndex, type NodeId, type Term } from "../core/types.ts";
import { entry, log, parseId, parseMessage, recoveredLog, showId, showMessage } from "./raft-notation.ts";

const index = (value: number): LogIndex => value as LogIndex;
const term = (value: number): Term => value as Term;
const node = (id: string): NodeId => id as NodeId;
const request = (text: string): AppendEntries => parseMessage(`AppendEntries ${text}`) as AppendEntries;

test.each([
  ["3/7", "3/7", true, "equal logs"],
  ["3/8", "3/7", true, "same term, longer"],
  ["3/6", "3/7", false, "same term, shorter"],
  ["4/1", "3/7", true, "later term, though shorter"],
  ["2/9", "3/7", false, "earlier term, though longer"],
  ["0/0", "0/0", true, "both empty"],
  ["0/0", "1/1", false, "empty against one entry"],
])("a log that ends in %s is up to date against %s: %s (%s)", (candidate, own, expected) => {
  expect(isAtLeastAsUpToDate(parseId(candidate), parseId(own))).toBe(expected);
});

test.each([
  [2, "nobody", "1/1", true, "no vote given yet"],
  [2, "b", "1/1", true, "asked again by the same candidate"],
  [2, "c", "1/1", false, "another has the vote"],
  [3, "nobody", "1/1", false, "the candidate's term is over"],
  [2, "nobody", "1/2", false, "the voter's log is longer"],
])("in term %s, having voted for %s, with a log ending in %s, a vote for b in term 2 is granted: %s (%s)", (
  currentTerm, votedFor, last, expected,
) => {
  const given = votedFor === "nobody" ? null : node(votedFor);
  const voter = { currentTerm: term(currentTerm), votedFor: given, lastLog: parseId(last) };
  const vote = parseMessage("RequestVote term=2 last=1/1") as RequestVote;
  expect(grantsVote(voter, node("b"), vote)).toBe(expected);
});

test.each([
  ["a", "a", true],
  ["a b c", "a", false],
  ["a b c", "a b", true],
  ["a b c d", "a b", false],
  ["a b c d", "a b d", true],
  ["a b c", "a x y", false],
  ["a b c d e", "c d e", true],
])("among %s the votes of %s elect: %s", (voters, votes, expected) => {
  expect(electsLeader(new Set(votes.split(" ").map(node)), voters.split(" ").map(node))).toBe(expected);
});

test("election timeouts are spread over [t, 2t), each drawn anew", () => {
  const random = Random.fromNumber(1);
  const now = 5_000_000 as Instant;
  const draws = Array.from({ length: 2000 }, () => electionDeadline(now, DEFAULT_TIMING, random));
  expect(Math.min(...draws)).toBeGreaterThanOrEqual(afterMs(now, 400));
  expect(Math.max(...draws)).toBeLessThan(afterMs(now, 800));
  expect(Math.min(...draws)).toBeLessThan(afterMs(now, 405));
  expect(Math.max(...draws)).toBeGreaterThan(afterMs(now, 795));
  // In microseconds: two of them hardly ever coincide.
  expect(new Set(draws).size).toBeGreaterThan(1980);
});

test.each([
  [[7], 7],
  [[7, 3], 3],
  [[7, 3, 5], 5],
  [[0, 0, 9], 0],
  [[9, 9, 0], 9],
  [[1, 2, 3, 4], 2],
  [[5, 5, 1, 1, 1], 1],
  [[5, 10, 9, 2, 3], 5],
])("of voters at %s a majority has reached %s", (matches, expected) => {
  expect(quorumIndex(matches.map(index))).toBe(expected);
});

test.each([
  ["1 1 2 2", 1, 4, 2, 4, "an entry of the current term, and all before it"],
  ["1 1 2 2", 1, 2, 2, 1, "a majority has only entries of an older term (figure 8)"],
  ["1 1 2 2", 3, 2, 2, 3, "what is committed stays"],
  ["", 0, 0, 1, 0, "an empty log"],
])("with log [%s], committed %s and a quorum at %s, a leader of term %s commits %s: %s", (
  terms, commitIndex, quorum, currentTerm, expected,
) => {
  const own = new Log(recoveredLog(log(terms)));
  expect(leaderCommitIndex(index(commitIndex), index(quorum), term(currentTerm), own)).toBe(expected);
});

test.each([
  [0, "prev=1/2 entries=[1/3 1/4] commit=9", 4, "no further than the last new entry"],
  [0, "prev=1/2 entries=[1/3 1/4] commit=3", 3, "no further than the leader"],
  [0, "prev=1/2 commit=9", 2, "a heartbeat verifies prevLog and nothing after it"],
  [3, "prev=1/1 commit=9", 3, "an old message takes nothing back"],
  [0, "prev=0/0 commit=9", 0, "nothing is verified, nothing committed"],
])("committed %s, a follower told %s commits %s: %s", (commitIndex, message, expected) => {
  expect(followerCommitIndex(index(commitIndex), request(`term=1 ${message}`))).toBe(expected);
});

test.each([
  ["1 1", "prev=1/2 entries=[2/3]", "append 2/3"],
  ["1 1", "prev=1/1 entries=[1/2 1/3]", "append 1/3"],
  ["1 1 1", "prev=1/1 entries=[1/2]", "append nothing"],
  ["1 1 1", "prev=1/3", "append nothing"],
  ["1 1 1", "prev=0/0 entries=[1/1 2/2]", "cut to 1, append 2/2"],
  ["1 1 2 2", "prev=1/1 entries=[1/2 3/3 3/4]", "cut to 2, append 3/3 3/4"],
  ["", "prev=0/0 entries=[1/1]", "append 1/1"],
  ["", "prev=4/7", "mismatch, perhaps 0/0"],
  ["1 1", "prev=1/3", "mismatch, perhaps 1/2"],
  ["1 1 2 2 2", "prev=3/5", "mismatch, perhaps 2/4"],
  ["1 1 4 4 4", "prev=3/5", "mismatch, perhaps 1/2"],
  ["4 4 4 4 4", "prev=3/5", "mismatch, perhaps 0/0"],
])("a follower with log [%s] that is sent %s: %s", (terms, message, expected) => {
  const verdict = judgeAppend(new Log(recoveredLog(log(terms))), index(0), request(`term=9 ${message}`));
  expect(show(verdict)).toBe(expected);
});

test("a follower replaces no committed entry", () => {
  const own = new Log(recoveredLog(log("1 1 1")));
  expect(judgeAppend(own, index(2), request("term=2 prev=1/1 entries=[2/2]"))).toEqual({ type: "impossible" });
  expect(show(judgeAppend(own, index(2), request("term=2 prev=1/2 entries=[2/3]")))).toBe("cut to 2, append 2/3");
});

function show(verdict: ReturnType<typeof judgeAppend>): string {
  if (verdict.type === "impossible") return "impossible";
  if (verdict.type === "mismatch") return `mismatch, perhaps ${showId(verdict.hint)}`;
  const cut = verdict.truncateTo === null ? "" : `cut to ${verdict.truncateTo}, `;
  return `${cut}append ${verdict.entries.map(showId).join(" ") || "nothing"}`;
}

test.each([
  [[1, 1, 1], 2, 9, 2, "as many bytes as fit"],
  [[5, 1, 1], 2, 9, 1, "one entry that is larger than the limit goes alone"],
  [[1, 5, 1], 2, 9, 1, "a large one does not join a small one"],
  [[0, 0, 0], 2, 2, 2, "no more entries than the limit, though they are empty"],
  [[1, 1], 9, 9, 2, "all of them"],
])("of payloads of %s bytes, with limits of %s bytes and %s entries, a message carries %s: %s", (
  sizes, maxMessageBytes, maxMessageEntries, expected,
) => {
  const entries = sizes.map((size, at) => entry({ term: 1, index: at + 1 }, size));
  const limits = { ...DEFAULT_LIMITS, maxMessageBytes, maxMessageEntries };
  expect(limitBatch(entries, limits).length).toBe(expected);
});

test.each([
  ["RequestVote term=1 last=0/0", true],
  ["RequestVote term=0 last=0/0", false],
  ["RequestVote term=2 last=2/1", false],
  ["RequestVote term=2 last=1/0", false],
  ["RequestVote term=1.5 last=1/1", false],
  ["RequestVoteReply term=1 granted", true],
  ["AppendEntries term=2 prev=1/1 entries=[1/2 2/3] commit=9 round=3", true],
  ["AppendEntries term=2 prev=1/1 entries=[1/3]", false],
  ["AppendEntries term=2 prev=2/1 entries=[1/2]", false],
  ["AppendEntries term=2 prev=1/1 entries=[3/2]", false],
  ["AppendEntries term=2 prev=0/0 entries=[0/1]", false],
  ["AppendEntries term=2 prev=3/1", false],
  ["AppendEntries term=2 prev=0/1", false],
  ["AppendEntries term=2 prev=0/0 commit=-1", false],
  ["AppendEntries term=2 prev=0/0 round=-1", false],
  ["AppendEntriesReply term=2 match=0", true],
  ["AppendEntriesReply term=2 match=-1", false],
  ["AppendEntriesReply term=2 match=1 round=-1", false],
  ["AppendEntriesReply term=2 rejected=3 hint=1/2", true],
  ["AppendEntriesReply term=2 rejected=3 hint=1/3", false],
  ["AppendEntriesReply term=2 rejected=3 hint=3/2", false],
  ["AppendEntriesReply term=2 rejected=0 hint=0/0", true],
])("a correct peer may say %s: %s", (text, expected) => {
  expect(isPlausible(parseMessage(text))).toBe(expected);
});

test.each([
  "RequestVote term=1 last=0/0",
  "RequestVoteReply term=1 granted",
  "RequestVoteReply term=1 refused",
  "AppendEntries term=2 prev=1/1 entries=[1/2 2/3] commit=9 round=3",
  "AppendEntries term=2 prev=0/0",
  "AppendEntriesReply term=2 match=7 round=1",
  "AppendEntriesReply term=2 rejected=3 hint=1/2",
])("the tests' notation shows what it parses: %s", (text) => {
  expect(showMessage(parseMessage(text))).toBe(text);
});

test("what precedes the first entry is in every log, and nothing is beyond its end", () => {
  const own = new Log(recoveredLog(log("1 2")));
  expect(own.holds(NO_ENTRY)).toBe(true);
  // Nor does an absent term match an absent term (M43).
  expect(own.holds({ term: term(0), index: index(3) })).toBe(false);
  expect(own.holds({ term: term(0), index: index(1) })).toBe(false);
});
