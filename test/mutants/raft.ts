/** Bugs of consensus, each of which shipped somewhere. */
import type { Mutant } from "../../cli/mutant.ts";

const RAFT = "core/raft/raft.ts";

function mutant(
  name: string, seenIn: string | null, story: string, file: string, before: string, after: string,
): Mutant {
  return { name, story, seenIn, database: "model", isControl: false, patches: [{ file, before, after }] };
}

export const RAFT_MUTANTS: readonly Mutant[] = [
  {
    name: "control: a comment is changed",
    seenIn: null,
    story: "Nothing happens: what finds it finds itself.",
    database: "model",
    isControl: true,
    patches: [
      { file: "core/raft/commit.ts", before: "How far the log is committed", after: "How much of it is committed" },
    ],
  },
  mutant(
    "raft: speaks before it is durable",
    "nodedb #161",
    "Votes and acknowledgements leave with the step that made them, not with the disk's answer.",
    RAFT,
    "this.outbox.release(writes.begun, writes.through, this.effects);",
    "this.outbox.release(writes.begun, writes.begun, this.effects);",
  ),
  mutant(
    "raft: commits an entry of an older term by counting",
    "canonical/raft until 524f735, PySyncObj #169, logcabin #44",
    "Such an entry can stand on a majority and still be overwritten by a leader of a term in between (figure 8).",
    "core/raft/commit.ts",
    "return log.termAt(quorum) === currentTerm ? quorum : commitIndex;",
    "return log.termAt(quorum) <= currentTerm ? quorum : commitIndex;",
  ),
  mutant(
    "raft: a leader counts its own entries before they are durable",
    null,
    "With one follower's acknowledgement a majority is counted of which only a minority holds the entry.",
    RAFT,
    "quorumIndex(leader.matchIndexes(this.writes.durable.index))",
    "quorumIndex(leader.matchIndexes(this.log.last.index))",
  ),
  mutant(
    "raft: counts votes of an earlier election",
    "xraft #33",
    "A vote that was delayed over two campaigns elects a candidate that nobody voted for in this term.",
    RAFT,
    'if (reply.term !== this.currentTerm || this.role.type !== "candidate" || !reply.granted) return;',
    'if (this.role.type !== "candidate" || !reply.granted) return;',
  ),
  {
    name: "raft: counts a vote twice",
    seenIn: null,
    story: "A vote that the network duplicates counts for two, so that a minority elects.",
    database: "model",
    isControl: false,
    patches: [
      {
        file: RAFT,
        before: "    votes.add(from);",
        after: "    votes.add(votes.has(from) ? (`${from}2` as NodeId) : from);",
      },
      {
        file: "core/raft/election.ts",
        before: "  return count >= majority(voters.length);",
        after: "  return Math.max(count, votes.size) >= majority(voters.length);",
      },
    ],
  },
  mutant(
    "raft: judges a candidate's log by its length first",
    "kin: openraft a48a3282",
    "A long log of an old term beats a shorter one that has what is committed (§5.4.1).",
    "core/raft/election.ts",
    "  if (candidate.term !== own.term) return candidate.term > own.term;\n  return candidate.index >= own.index;",
    "  if (candidate.index !== own.index) return candidate.index > own.index;\n  return candidate.term >= own.term;",
  ),
  mutant(
    "raft: votes again in the same term",
    null,
    "The vote given is forgotten, so the next candidate of the term gets one too.",
    "core/raft/election.ts",
    "  if (voter.votedFor !== null && voter.votedFor !== from) return false;\n",
    "",
  ),
  mutant(
    "raft: acknowledges up to the end of its log",
    "etcd/raft until 5fac53b, hashicorp/raft until 0f31a01",
    "The end may be a deposed leader's; the leader counts entries that the follower does not have.",
    RAFT,
    "const matchIndex = (request.prevLog.index + request.entries.length) as LogIndex;",
    "const matchIndex = this.log.last.index;",
  ),
  mutant(
    "raft: commits beyond what the leader's message has verified",
    "canonical/raft until a3bc60b, cowsql until 000eacf2, willemt/raft #118",
    "A follower takes leaderCommit for its own log, whose end may be a deposed leader's.",
    RAFT,
    "this.commit(followerCommitIndex(this.delivery.commitIndex, request));",
    "this.commit(Math.max(this.delivery.commitIndex, Math.min(request.leaderCommit, this.log.last.index)) as "
      + "LogIndex);",
  ),
  mutant(
    "raft: an old message cuts what matches",
    "raftos #26",
    "A message that was overtaken ends before the log does; what stands behind it was acknowledged and is cut.",
    "core/raft/append.ts",
    '  if (held === -1) return { type: "match", truncateTo: null, entries: [] };',
    "  const end = Math.max(prevLog.index + entries.length, commitIndex) as LogIndex;\n"
      + '  if (held === -1) return { type: "match", truncateTo: end < log.last.index ? end : null, entries: [] };',
  ),
  mutant(
    "raft: a write vouches for what was cut after it began",
    "etcd/raft until 897e1cf",
    "The same index was written, truncated and written again: the first write's answer makes the second durable (ABA).",
    "core/raft/durability.ts",
    "    for (const write of this.inFlight) if (write.last.index > keep.index) write.last = keep;\n",
    "",
  ),
  mutant(
    "raft: a read is confirmed without asking",
    "openraft until d60f1e85, rqlite #1950",
    "A leader that was deposed and does not know it answers with a state of the past.",
    "core/raft/reads.ts",
    "    if (count < majority(answered.length + 1)) return;\n",
    "",
  ),
  mutant(
    "raft: reads before its term has committed",
    null,
    "A new leader's commitIndex may lag behind what its predecessor acknowledged.",
    "core/raft/leader.ts",
    "    if (this.log.termAt(commitIndex) !== this.term || !this.reads.begin(commitIndex)) return;",
    "    if (!this.reads.begin(commitIndex)) return;",
  ),
  mutant(
    "raft: accepts a proposal whose predecessor was refused",
    null,
    "The transaction was executed on a state that never came to be: its pages overwrite what stands there instead.",
    "core/raft/proposals.ts",
    '    if (this.awaitingRollback || predecessor !== this.lastAccepted) return "outOfOrder";\n',
    "    if (predecessor < 0) return null;\n",
  ),
  mutant(
    "raft: keeps what it held back when the term moves on",
    "kin: canonical/raft until 634cb11",
    "An acknowledgement that waited for the disk leaves after its entry was cut, and the deposed leader counts it.",
    RAFT,
    "    this.setHardState(term, votedFor);\n    this.outbox.clear();\n",
    "    this.setHardState(term, votedFor);\n",
  ),
];
