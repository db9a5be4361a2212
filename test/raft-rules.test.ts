/**
 * Raft's rules that are functions of values, as tables: elections, quorums, commit, what a follower does with entries,
 * what no correct member says.
 */
import { expect, test } from "vitest";
import { judgeAppend } from "../core/raft/append.ts";
import { DEFAULT_LIMITS, DEFAULT_TIMING } from "../core/raft/boundary.ts";
import { followerCommitIndex, leaderCommitIndex } from "../core/raft/commit.ts";
import { foundingConfiguration, newMember, type Configuration } from "../core/raft/configuration.ts";
import { Durability } from "../core/raft/durability.ts";
import { electionDeadline, grantsVote, isAtLeastAsUpToDate, isSticky, wouldGrantVote } from "../core/raft/election.ts";
import { limitBatch, Log } from "../core/raft/log.ts";
import type { AppendEntries, RequestPreVote, RequestVote } from "../core/raft/message.ts";
import { brokenRule } from "../core/raft/plausibility.ts";
import { Quorum } from "../core/raft/quorum.ts";
import { Writes } from "../core/raft/writes.ts";
import { Random } from "../core/random.ts";
import { afterMs, NO_ENTRY, type Instant, type LogIndex, type MemberId, type Term } from "../core/types.ts";
import { entry, log, parseId, parseMessage, recoveredLog, showId, showMessage } from "./raft-notation.ts";

const index = (value: number): LogIndex => value as LogIndex;
const term = (value: number): Term => value as Term;
const member = (id: string): MemberId => id as MemberId;
const request = (text: string): AppendEntries => parseMessage(`AppendEntries ${text}`) as AppendEntries;

/** A log of these terms of which all up to an index has been compacted. */
function logBehind(base: number, terms: string): Log {
  const entries = log(terms);
  return new Log(recoveredLog(entries.slice(base), entries[base - 1] ?? NO_ENTRY));
}

/** `b c d | a b c`: joint, the voters that are being left behind the bar. */
function configuration(text: string): Configuration {
  const [incoming = [], outgoing = []] = text.split("|").map((half) => half.trim().split(" ").map(member));
  return { ...foundingConfiguration(incoming), outgoing: outgoing.map((id) => newMember(id, "voter")) };
}

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
  const given = votedFor === "nobody" ? null : member(votedFor);
  const voter = { currentTerm: term(currentTerm), votedFor: given, lastLog: parseId(last) };
  const vote = parseMessage("RequestVote term=2 last=1/1") as RequestVote;
  expect(grantsVote(voter, member("b"), vote)).toBe(expected);
});

test.each([
  [2, "1/1", true, "as far as the voter"],
  [1, "1/1", true, "the voter's term is earlier still"],
  [3, "1/1", false, "the candidate's term is over"],
  [2, "1/2", false, "the voter's log is longer"],
])("in term %s, with a log ending in %s, somebody with 1/1 would be voted for after term 2: %s (%s)", (
  currentTerm, last, expected,
) => {
  // To whom its vote of this term went does not matter: it is about the next one.
  const voter = { currentTerm: term(currentTerm), votedFor: member("c"), lastLog: parseId(last) };
  expect(wouldGrantVote(voter, parseMessage("RequestPreVote term=2 last=1/1") as RequestPreVote)).toBe(expected);
});

test.each([
  ["never", 0, false, "in this life"],
  ["at 0 ms", 0, true, "just now"],
  ["at 0 ms", 399, true, "within the shortest election timeout"],
  ["at 0 ms", 400, false, "and no longer"],
])("having heard a leader %s, at %s ms a voter does not listen to candidates: %s (%s)", (heard, at, expected) => {
  const heardAt = heard === "never" ? null : (0 as Instant);
  expect(isSticky(heardAt, afterMs(0 as Instant, at), DEFAULT_TIMING)).toBe(expected);
});

test.each([
  ["a", "a", true],
  ["a b c", "a", false],
  ["a b c", "a b", true],
  ["a b c d", "a b", false],
  ["a b c d", "a b d", true],
  ["a b c", "a x y", false],
  ["a b c d e", "c d e", true],
  ["b c d | a b c", "b c", true],
  ["b c d | a b c", "c d", false],
  ["b c d | a b c", "a b", false],
  ["c d e | a b c", "a b d e", true],
  ["c d e | a b c", "c d e", false],
  ["d | a b c", "a b c", false],
])("of %s, a quorum is %s: %s (M8, M106)", (voters, votes, expected) => {
  const votesOf = new Set(votes.split(" ").map(member));
  expect(new Quorum(configuration(voters)).isReached((id) => votesOf.has(id))).toBe(expected);
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
  ["a", "7", 7],
  ["a b", "7 3", 3],
  ["a b c", "7 3 5", 5],
  ["a b c", "0 0 9", 0],
  ["a b c", "9 9 0", 9],
  ["a b c d", "1 2 3 4", 2],
  ["a b c d e", "5 5 1 1 1", 1],
  ["a b c d e", "5 10 9 2 3", 5],
  ["b c d | a b c", "1 5 5 9", 5],
  ["b c d | a b c", "9 9 1 1", 1],
  ["c d e | a b c", "3 3 3 9 9", 3],
  ["d | a b c", "9 9 9 2", 2],
])("of %s, with a, b, c ... at %s, a quorum has reached %s", (voters, matches, expected) => {
  const values = new Map(matches.split(" ").map((value, at) => [member("abcde".charAt(at)), Number(value)]));
  const quorum = new Quorum(configuration(voters));
  expect(quorum.valueReached((id) => values.get(id) ?? 0)).toBe(expected);
  // Nothing is kept from one count to the next (M60).
  expect(quorum.valueReached(() => 4)).toBe(4);
  expect(quorum.valueReached((id) => values.get(id) ?? 0)).toBe(expected);
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

test.each([
  [2, "1 1 2 2", "prev=0/0", "append nothing"],
  [2, "1 1 2 2", "prev=1/2", "append nothing"],
  [2, "1 1 2 2", "prev=0/0 entries=[1/1]", "append nothing"],
  [2, "1 1 2 2", "prev=1/1 entries=[1/2 2/3 2/4 2/5]", "append 2/5"],
  [2, "1 1 2 2", "prev=1/1 entries=[1/2 2/3 3/4]", "cut to 3, append 3/4"],
  [2, "1 1 2 2", "prev=1/2 entries=[3/3]", "cut to 2, append 3/3"],
  [2, "1 1", "prev=1/2 entries=[1/3]", "append 1/3"],
  [2, "1 1", "prev=0/0 entries=[1/1 1/2 1/3]", "append 1/3"],
  // What lies before the base has no terms any more: it matches because it is committed, not because 0 is 0 (M43).
  [2, "1 1 2 2", "prev=7/1", "append nothing"],
  [2, "1 1 2 2", "prev=1/1 entries=[2/2]", "impossible"],
  [2, "1 1 2 2", "prev=0/0 entries=[2/1 2/2]", "impossible"],
  // The base is an entry as any other.
  [2, "1 1 2 2", "prev=2/2", "mismatch, perhaps 0/0"],
  [2, "1 1 2 2", "prev=2/5", "mismatch, perhaps 2/4"],
  [2, "1 1 3 3", "prev=2/4", "mismatch, perhaps 1/2"],
  [2, "3 3 3 3", "prev=2/4", "mismatch, perhaps 0/0"],
  [4, "1 1 2 2", "prev=2/6", "mismatch, perhaps 2/4"],
])("a follower that has compacted up to %s, with [%s] before, and is sent %s: %s", (base, terms, message, expected) => {
  expect(show(judgeAppend(logBehind(base, terms), index(base), request(`term=9 ${message}`)))).toBe(expected);
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
  "RequestPreVote term=0 last=0/0",
  "RequestPreVote term=2 last=2/9",
  "RequestPreVoteReply term=0 granted",
  "RequestVote term=1 last=0/0",
  "RequestVote term=2 last=1/9 transfer",
  "RequestVoteReply term=1 granted",
  "AppendEntries term=2 prev=1/1 entries=[1/2 2/3] commit=9 round=3",
  "AppendEntriesReply term=2 match=0",
  "AppendEntriesReply term=2 rejected=3 hint=1/2",
  "AppendEntriesReply term=2 rejected=0 hint=0/0",
  "InstallSnapshot term=2 snapshot=2/7 offset=0 bytes=0 size=10",
  "InstallSnapshot term=2 snapshot=1/7 offset=4 bytes=6 size=10",
  "InstallSnapshotReply term=2 snapshot=2/7 received=10 installed",
  "TimeoutNow term=1",
  "Leaving term=1",
  "ReadIndex term=1 request=1",
  "ReadIndexReply term=0 request=1 index=0",
])("a correct member may say %s", (text) => {
  expect(brokenRule(parseMessage(text))).toBeNull();
});

test.each([
  ["RequestPreVote term=2 last=3/9", "later term"],
  ["RequestPreVote term=2 last=0/9", "or neither"],
  ["RequestVote term=0 last=0/0", "in term 0"],
  ["RequestVote term=2 last=2/1", "no entry of the term it stands in"],
  ["RequestVote term=2 last=1/0", "or neither"],
  ["RequestVote term=1.5 last=1/1", "a term is an integer"],
  ["RequestVote term=9007199254740992 last=1/1", "a term is an integer"],
  ["RequestVoteReply term=0 granted", "in term 0"],
  ["AppendEntries term=0 prev=0/0", "in term 0"],
  ["AppendEntries term=2 prev=1/1 entries=[1/3]", "consecutive"],
  ["AppendEntries term=2 prev=2/1 entries=[1/2]", "terms never fall"],
  ["AppendEntries term=2 prev=0/0 entries=[0/1]", "terms never fall"],
  ["AppendEntries term=2 prev=1/1 entries=[3/2]", "later term"],
  ["AppendEntries term=2 prev=3/1", "later term"],
  ["AppendEntries term=2 prev=0/1", "or neither"],
  ["AppendEntries term=2 prev=0/0 commit=-1", "a count"],
  ["AppendEntries term=2 prev=0/0 round=-1", "a count"],
  ["AppendEntriesReply term=0 match=0", "in term 0"],
  ["AppendEntriesReply term=2 match=-1", "a count"],
  ["AppendEntriesReply term=2 match=1 round=-1", "a count"],
  ["AppendEntriesReply term=2 rejected=3 hint=1/3", "leads backwards"],
  ["AppendEntriesReply term=2 rejected=3 hint=3/2", "later term"],
  ["AppendEntriesReply term=2 rejected=3 hint=0/2", "or neither"],
  ["InstallSnapshot term=2 snapshot=0/0 offset=0 bytes=0 size=10", "or neither"],
  ["InstallSnapshot term=2 snapshot=3/7 offset=0 bytes=0 size=10", "later term"],
  ["InstallSnapshot term=2 snapshot=2/7 offset=0 bytes=0 size=0", "a count"],
  ["InstallSnapshot term=2 snapshot=2/7 offset=-1 bytes=0 size=10", "a count"],
  ["InstallSnapshot term=2 snapshot=2/7 offset=5 bytes=6 size=10", "within its snapshot"],
  ["InstallSnapshot term=2 snapshot=2/7 offset=0 bytes=0 size=10 config=[a@1 a@2]", "carries a configuration"],
  ["InstallSnapshotReply term=2 snapshot=0/0 received=0", "or neither"],
  ["InstallSnapshotReply term=2 snapshot=2/7 received=-1", "a count"],
  ["TimeoutNow term=0", "in term 0"],
  ["Leaving term=0", "in term 0"],
  ["ReadIndex term=1 request=-1", "a count"],
  ["ReadIndexReply term=1 request=1 index=-1", "a count"],
])("no correct member says %s (%s)", (text, rule) => {
  expect(brokenRule(parseMessage(text))).toContain(rule);
});

test.each([
  "RequestPreVote term=1 last=1/4",
  "RequestPreVoteReply term=1 granted",
  "RequestVote term=1 last=0/0",
  "RequestVote term=1 last=0/0 transfer",
  "RequestVoteReply term=1 granted",
  "RequestVoteReply term=1 refused",
  "AppendEntries term=2 prev=1/1 entries=[1/2 2/3] commit=9 round=3",
  "AppendEntries term=2 prev=0/0",
  "AppendEntriesReply term=2 match=7 round=1",
  "AppendEntriesReply term=2 rejected=3 hint=1/2",
  "InstallSnapshot term=2 snapshot=1/7 offset=4 bytes=6 size=10 config=[a b]",
  "InstallSnapshotReply term=2 snapshot=1/7 received=4",
  "InstallSnapshotReply term=2 snapshot=1/7 received=10 installed",
  "TimeoutNow term=2",
  "Leaving term=2",
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

test("writes are answered in the order of their orders: one that was skipped has not succeeded (M64, M66)", () => {
  const durability = new Durability(NO_ENTRY);
  durability.begin(parseId("1/1"), 0);
  const second = durability.begin(parseId("1/2"), 0);
  expect(() => durability.done(second)).toThrow("writes are acknowledged in order");
});

test("a write that was begun vouches for no more than what has been left of it since (M63, M67)", () => {
  const durability = new Durability(parseId("1/1"));
  const first = durability.begin(parseId("1/4"), 0);
  durability.truncate(parseId("1/2"));
  const second = durability.begin(parseId("2/3"), 0);
  durability.done(first);
  expect(showId(durability.durable)).toBe("1/2");
  durability.reset();
  durability.done(second);
  expect(showId(durability.durable)).toBe("0/0");
});

test("a snapshot that is installed in the step that cut its entry keeps nothing of what followed that", () => {
  const own = new Log(recoveredLog(log("1 1 2 2 2")));
  const writes = new Writes(own);
  writes.truncate(index(2));
  writes.install({ entry: parseId("2/3"), configuration: configuration("a"), size: 10, checksum: 0 });
  // On disk the log still holds 2/3, and would keep 2/4 and 2/5 behind it.
  expect(writes.take()).toMatchObject({ snapshot: { entry: parseId("2/3") }, truncateTo: 3, entries: [] });
  expect(showId(own.last)).toBe("2/3");
});
