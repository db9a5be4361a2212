/**
 * Raft's figure 2, sentence by sentence: each test is named after one, in our words, with its place in the figure. What
 * the figure leaves to the text (hints, batching, durability by tickets) is in the scenarios; where pre-vote and
 * stickiness (thesis §9.6, §4.2.3) change a sentence, the test's name says so.
 */
import { expect, test } from "vitest";
import { Interaction } from "./interaction.ts";

/** A cluster after these commands. */
function after(...commands: readonly string[]): Interaction {
  const cluster = new Interaction();
  for (const command of commands) cluster.command(command);
  return cluster;
}

/** Three nodes, a leading term 1, everything settled: one no-op everywhere. */
const led = (...commands: readonly string[]): Interaction => after("nodes a b c", "stand a", "settle", ...commands);

/** The answer without the line about the timer. */
function told(cluster: Interaction, command: string): readonly string[] {
  return cluster.command(command).filter((line) => !line.includes("SetTimer"));
}

test("persistent state: currentTerm and votedFor are on stable storage before any answer (state)", () => {
  const cluster = after("nodes a b c");
  expect(told(cluster, "forge a→b RequestVote term=1 last=0/0")).toEqual(["b term 0→1", "b Persist #1 vote=a"]);
  expect(told(cluster, "disk b")).toEqual(["b Persisted #1", "b→a RequestVoteReply term=1 granted"]);
});

test("persistent state: entries are on stable storage before they are acknowledged (state)", () => {
  const cluster = led("propose a");
  expect(told(cluster, "deliver a→b")).toEqual(["b Persist #3 entries=[1/2]"]);
  expect(told(cluster, "disk b")).toEqual(["b Persisted #3", "b→a AppendEntriesReply term=1 match=2"]);
});

test("persistent state: term and vote survive a restart (state)", () => {
  const cluster = led("crash b", "restart b");
  expect(told(cluster, "state b")).toEqual(["b follower term=1 vote=a log=[1]"]);
});

test("volatile state: commitIndex and lastApplied begin at 0 in each life (state)", () => {
  const cluster = led();
  expect(told(cluster, "state b")).toEqual(["b follower term=1 vote=a leader=a log=[1] commit=1"]);
  cluster.command("crash b");
  expect(told(cluster, "restart b")).toEqual(["b follower term=1 vote=a log=[1]"]);
});

test("volatile state on leaders: nextIndex begins behind the leader's last entry (state)", () => {
  const cluster = after("nodes a=[1 1 1] b=[1 1 1] c=[1]", "stand a", "disk a", "deliver a→b", "disk b");
  // prevLog is nextIndex - 1, for a follower with the whole log and for one without.
  expect(told(cluster, "deliver b→a").filter((line) => line.includes("AppendEntries"))).toEqual([
    "a→b AppendEntries term=2 prev=1/3 entries=[2/4]",
    "a→c AppendEntries term=2 prev=1/3 entries=[2/4]",
  ]);
});

test("volatile state on leaders: matchIndex begins at 0, whatever was acknowledged before (state)", () => {
  const cluster = after("nodes a=[1 1 1] b=[1 1 1] c=[1 1 1]", "stand a", "disk a", "deliver a→b", "disk b");
  cluster.command("deliver b→a");
  cluster.command("disk a");
  expect(told(cluster, "state a")).toEqual(["a leader term=2 vote=a log=[1 1 1 2]"]);
});

test("AppendEntries 1: a request of an earlier term is rejected", () => {
  const cluster = led("wait 400", "forge c→b RequestVote term=5 last=0/0", "disk b");
  expect(told(cluster, "forge a→b AppendEntries term=4 prev=1/1")).toEqual([
    "b→a AppendEntriesReply term=5 rejected=1 hint=0/0",
  ]);
});

test("AppendEntries 2: it is rejected if the log has no entry at prevLogIndex of prevLogTerm", () => {
  const cluster = after("nodes a b=[1 1] c", "forge a→b AppendEntries term=3 prev=0/0", "disk b");
  expect(told(cluster, "forge a→b AppendEntries term=3 prev=1/3")).toEqual([
    "b→a AppendEntriesReply term=3 rejected=3 hint=1/2",
  ]);
  expect(told(cluster, "forge a→b AppendEntries term=3 prev=2/2")).toEqual([
    "b→a AppendEntriesReply term=3 rejected=2 hint=1/1",
  ]);
});

test("AppendEntries 3: an entry that conflicts is deleted with all that follow it", () => {
  const cluster = after("nodes a b=[1 2 2 2] c", "forge a→b AppendEntries term=3 prev=0/0", "disk b");
  expect(told(cluster, "forge a→b AppendEntries term=3 prev=1/1 entries=[3/2]")).toEqual([
    "b Persist #2 truncateTo=1 entries=[3/2]",
  ]);
  expect(told(cluster, "state b")).toEqual(["b follower term=3 leader=a log=[1 3] durable=1"]);
});

test("AppendEntries 3: an entry that does not conflict deletes nothing", () => {
  const cluster = after("nodes a b=[1 1 1] c", "forge a→b AppendEntries term=1 prev=0/0 entries=[1/1]");
  expect(told(cluster, "state b")).toEqual(["b follower term=1 leader=a log=[1 1 1]"]);
});

test("AppendEntries 4: entries that are not in the log are appended, and only those", () => {
  const cluster = after("nodes a b=[1 1] c");
  expect(told(cluster, "forge a→b AppendEntries term=1 prev=1/1 entries=[1/2 1/3 1/4]")).toEqual([
    "b Persist #1 entries=[1/3 1/4]",
    "b LeadershipChanged leader=a",
  ]);
});

test("AppendEntries 5: commitIndex becomes min(leaderCommit, index of the last new entry)", () => {
  const cluster = after("nodes a b c");
  cluster.command("forge a→b AppendEntries term=1 prev=0/0 entries=[1/1 1/2] commit=1");
  expect(told(cluster, "state b")).toEqual(["b follower term=1 leader=a log=[1 1] durable=0 commit=1"]);
  cluster.command("forge a→b AppendEntries term=1 prev=1/2 entries=[1/3] commit=9");
  expect(told(cluster, "state b")).toEqual(["b follower term=1 leader=a log=[1 1 1] durable=0 commit=3"]);
});

test("RequestVote 1: no vote for a candidate of an earlier term", () => {
  const cluster = led("wait 400", "forge c→b RequestVote term=5 last=0/0", "disk b");
  expect(told(cluster, "forge c→b RequestVote term=4 last=3/9")).toEqual(["b→c RequestVoteReply term=5 refused"]);
});

test("RequestVote 2: a vote is granted if none was given, or to the same candidate, and its log is up to date", () => {
  const cluster = after("nodes a b=[1 1] c", "forge a→b RequestVote term=2 last=1/1", "disk b");
  // a's log is behind: the vote is still free.
  expect(told(cluster, "state b")).toEqual(["b follower term=2 log=[1 1]"]);
  expect(told(cluster, "forge c→b RequestVote term=2 last=1/2")).toEqual(["b Persist #2 vote=c"]);
  expect(told(cluster, "disk b")).toEqual(["b Persisted #2", "b→c RequestVoteReply term=2 granted"]);
  expect(told(cluster, "forge c→b RequestVote term=2 last=1/2")).toEqual(["b→c RequestVoteReply term=2 granted"]);
  expect(told(cluster, "forge a→b RequestVote term=2 last=1/2")).toEqual(["b→a RequestVoteReply term=2 refused"]);
});

test("all servers: what is committed is applied, in order", () => {
  const cluster = after("nodes a b c");
  expect(told(cluster, "forge a→b AppendEntries term=1 prev=0/0 entries=[1/1 1/2 1/3] commit=2")).toContain(
    "b Apply [1/1 1/2]",
  );
  expect(told(cluster, "forge a→b AppendEntries term=1 prev=1/3 commit=3")).toContain("b Apply [1/3]");
});

test.each([
  ["RequestVote term=7 last=0/0 transfer"],
  ["RequestVoteReply term=7 refused"],
  ["AppendEntries term=7 prev=9/9"],
  ["AppendEntriesReply term=7 rejected=1 hint=0/0"],
])("all servers: a later term is adopted and makes a follower: %s", (message) => {
  const leader = led();
  expect(told(leader, `forge c→a ${message.replace("9/9", "6/9")}`)).toContain("a leader→follower term=7");
  const candidate = after("nodes a b c", "stand a");
  expect(told(candidate, `forge c→a ${message.replace("9/9", "6/9")}`)).toContain("a candidate→follower term=7");
});

test("all servers: who has heard a leader lately does not listen to a candidate's later term (thesis §4.2.3)", () => {
  expect(told(led(), "forge c→a RequestVote term=7 last=6/9")).toEqual([]);
  expect(told(led(), "forge c→b RequestVote term=7 last=6/9")).toEqual([]);
  expect(told(led("wait 400"), "forge c→b RequestVote term=7 last=6/9")).toContain("b term 1→7");
});

test("followers: without word of a leader for an election timeout, one becomes a candidate if it is welcome", () => {
  const cluster = after("nodes a b c");
  expect(told(cluster, "timeout b")).toContain("b follower→preCandidate term=0");
  expect(told(cluster, "forge c→b RequestPreVoteReply term=0 granted")).toContain("b preCandidate→candidate term=1");
});

test("followers: a leader's message puts the election off, and so does a vote that was granted", () => {
  for (const news of ["AppendEntries term=1 prev=0/0", "RequestVote term=1 last=0/0"]) {
    const cluster = after("nodes a b c", "stand a", "timeout c", `forge a→b ${news}`);
    // Two others have waited for a whole timeout since; b's timer is early, and only armed again.
    expect(cluster.command("fire b")).toEqual([expect.stringMatching(/^b SetTimer \+[1-7]\d\dms$/)]);
  }
});

test("followers: a vote that was refused does not put the election off", () => {
  const cluster = after("nodes a=[1] b=[1] c", "forge c→b RequestVote term=2 last=0/0");
  expect(told(cluster, "fire b")).toContain("b follower→preCandidate term=2");
});

test("candidates: on conversion the term rises, it votes for itself, waits anew and asks all others", () => {
  const cluster = after("nodes a b c", "timeout a");
  expect(cluster.command("forge b→a RequestPreVoteReply term=0 granted")).toEqual([
    "a preCandidate→candidate term=1",
    "a Persist #1 vote=a",
    expect.stringMatching(/^a SetTimer \+[4-7]\d\dms$/),
  ]);
  expect(cluster.command("disk a")).toEqual([
    "a Persisted #1",
    "a→b RequestVote term=1 last=0/0",
    "a→c RequestVote term=1 last=0/0",
  ]);
});

test("candidates: the votes of a majority make a leader", () => {
  const cluster = after("nodes a b c d e", "stand a", "disk a", "forge b→a RequestVoteReply term=1 granted");
  expect(told(cluster, "state a")).toEqual(["a candidate term=1 vote=a log=[]"]);
  cluster.command("forge c→a RequestVoteReply term=1 refused");
  expect(told(cluster, "state a")).toEqual(["a candidate term=1 vote=a log=[]"]);
  expect(told(cluster, "forge d→a RequestVoteReply term=1 granted")).toContain("a candidate→leader term=1");
});

test("candidates: word of a leader of the term makes a follower", () => {
  const cluster = after("nodes a b c", "stand a", "disk a");
  expect(told(cluster, "forge b→a AppendEntries term=1 prev=0/0")).toContain("a candidate→follower term=1");
});

test("candidates: an election timeout begins a new election", () => {
  const cluster = after("nodes a b c", "stand a", "disk a");
  expect(told(cluster, "timeout a")).toContain("a candidate→preCandidate term=1");
  expect(told(cluster, "forge b→a RequestPreVoteReply term=1 granted")).toEqual([
    "a preCandidate→candidate term=2",
    "a Persist #2 vote=a",
  ]);
});

test("leaders: on election a message goes to everybody at once (it carries the no-op of §8)", () => {
  const cluster = after("nodes a b c", "stand a", "disk a");
  expect(told(cluster, "forge b→a RequestVoteReply term=1 granted")).toEqual([
    "a candidate→leader term=1",
    "a Persist #2 entries=[1/1]",
    "a LeadershipChanged leader=a",
    "a→b AppendEntries term=1 prev=0/0 entries=[1/1]",
    "a→c AppendEntries term=1 prev=0/0 entries=[1/1]",
  ]);
});

test("leaders: when idle they send empty messages well within an election timeout", () => {
  const cluster = led();
  expect(cluster.command("timeout a")).toEqual([
    "a→b AppendEntries term=1 prev=1/1 commit=1 round=1",
    "a→c AppendEntries term=1 prev=1/1 commit=1 round=1",
    "a SetTimer +100ms",
  ]);
});

test("leaders: a client's command is appended, and answered once its entry is committed", () => {
  const cluster = led();
  expect(told(cluster, "propose a").slice(0, 2)).toEqual(["a Persist #3 entries=[1/2]", "a Accept #1 1/2"]);
  cluster.command("disk a");
  expect(told(cluster, "forge b→a AppendEntriesReply term=1 match=2").slice(0, 2)).toEqual([
    "a Resolve #1 committed 1/2",
    "a Apply [1/2]",
  ]);
});

test("leaders: entries from nextIndex on go to a follower that lacks them", () => {
  const cluster = led("propose a", "propose a", "crash b", "restart b", "drop b", "timeout a", "deliver a→b");
  expect(told(cluster, "deliver b→a")).toEqual([
    "a→b AppendEntries term=1 prev=1/1 entries=[1/2 1/3] commit=1 round=1",
  ]);
});

test("leaders: success moves nextIndex and matchIndex on", () => {
  const cluster = led("propose a", "disk a");
  expect(told(cluster, "forge b→a AppendEntriesReply term=1 match=2")).toContain("a Apply [1/2]");
  expect(told(cluster, "timeout a")[0]).toBe("a→b AppendEntries term=1 prev=1/2 commit=2 round=1");
});

test("leaders: an inconsistency moves nextIndex back, and it is tried again", () => {
  const cluster = led("propose a", "propose a", "propose a");
  expect(told(cluster, "forge b→a AppendEntriesReply term=1 rejected=3 hint=1/2")).toEqual([
    "a→b AppendEntries term=1 prev=1/2 entries=[1/3 1/4] commit=1",
  ]);
});

test("leaders: what a majority has is committed if it is of the current term, and all before it with it", () => {
  const cluster = after("nodes a=[1 1] b=[1 1] c=[1 1]", "stand a", "disk a", "deliver a→b", "disk b");
  cluster.command("deliver b→a");
  cluster.command("disk a");
  cluster.command("forge b→a AppendEntriesReply term=2 match=2");
  cluster.command("forge c→a AppendEntriesReply term=2 match=2");
  expect(told(cluster, "state a")).toEqual(["a leader term=2 vote=a log=[1 1 2]"]);
  cluster.command("forge b→a AppendEntriesReply term=2 match=3");
  expect(told(cluster, "state a")).toEqual(["a leader term=2 vote=a log=[1 1 2] commit=3 applied=0"]);
});
