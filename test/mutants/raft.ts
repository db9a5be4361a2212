/** Bugs of consensus, each of which shipped somewhere. */
import type { Mutant, Patch } from "../../cli/mutant.ts";

const ELECTIONS = "core/raft/elections.ts";
const ELECTION = "core/raft/election.ts";
const FOLLOWER = "core/raft/follower.ts";
const FOLLOWERS = "core/raft/followers.ts";
const LEADER = "core/raft/leader.ts";
const MEMBERSHIP = "core/raft/membership.ts";
const QUORUM = "core/raft/quorum.ts";

function mutant(
  name: string, seenIn: string | null, story: string, file: string, before: string, after: string,
): Mutant {
  return patched(name, seenIn, story, [{ file, before, after }]);
}

function patched(name: string, seenIn: string | null, story: string, patches: readonly Patch[]): Mutant {
  return { name, story, seenIn, database: "model", isControl: false, patches };
}

export const RAFT_MUTANTS: readonly Mutant[] = [
  // Elections.
  mutant(
    "raft: speaks before it is durable",
    "nodedb #161",
    "Votes and acknowledgements leave with the step that made them, not with the disk's answer.",
    "core/raft/outbox.ts",
    "if (held.after <= through)",
    "if (held.after <= Math.max(begun, through))",
  ),
  mutant(
    "raft: counts votes of an earlier election",
    "xraft #33",
    "A vote that was delayed over two campaigns elects a candidate that nobody voted for in this term.",
    ELECTIONS,
    'if (this.candidacy?.type !== "candidate" || reply.term !== this.node.currentTerm || !reply.granted) return;',
    'if (this.candidacy?.type !== "candidate" || !reply.granted) return;',
  ),
  mutant(
    "raft: counts a vote twice",
    null,
    "A vote that the network duplicates counts for two, so that a minority elects.",
    ELECTIONS,
    "    this.candidacy.votes.add(from);\n  }\n\n  /** Our own vote is needed too",
    "    const { votes } = this.candidacy;\n"
      + "    const other = everybodyIn(this.node.configuration).find(({ id }) => !votes.has(id));\n"
      + "    votes.add(votes.has(from) && other !== undefined ? other.id : from);\n"
      + "  }\n\n  /** Our own vote is needed too",
  ),
  mutant(
    "raft: keeps the promises of pre-votes as votes",
    "raft-rs #83",
    "Votes collected as a pre-candidate are counted for the candidate: a node that promised two elects two.",
    ELECTIONS,
    'this.candidacy = { type: "candidate", votes: new Set() };',
    'this.candidacy = { type: "candidate", votes: this.candidacy?.votes ?? new Set() };',
  ),
  mutant(
    "raft: judges a candidate's log by its length first",
    "kin: openraft a48a3282",
    "A long log of an old term beats a shorter one that has what is committed (§5.4.1).",
    ELECTION,
    "  if (candidate.term !== own.term) return candidate.term > own.term;\n  return candidate.index >= own.index;",
    "  if (candidate.index !== own.index) return candidate.index > own.index;\n  return candidate.term >= own.term;",
  ),
  mutant(
    "raft: votes again in the same term",
    null,
    "The vote given is forgotten, so the next candidate of the term gets one too.",
    ELECTION,
    "  if (voter.votedFor !== null && voter.votedFor !== from) return false;\n",
    "",
  ),
  mutant(
    "raft: votes again for whom the leader asked to stand",
    "canonical/raft 9e6f7aa, daos-stack/raft #70",
    "The exception for leadership transfers stands where it skips the question whether the vote is given.",
    ELECTION,
    "  if (voter.votedFor !== null && voter.votedFor !== from) return false;\n",
    "  if (voter.votedFor !== null && voter.votedFor !== from && !request.isTransfer) return false;\n",
  ),
  mutant(
    "raft: a member that does not vote stands for election",
    "hashicorp/raft #483, openraft 39690593",
    "Whether it is a voter is not asked: a standby is elected by voters who know better.",
    "core/raft/configurations.ts",
    "    if (this.quorum.counts(id)) return true;\n",
    "    if (this.current.members.some((member) => member.id === id)) return true;\n",
  ),
  mutant(
    "raft: listens to candidates while it hears its leader",
    "TigerBeetle's liveness example, thesis §4.2.3",
    "Whoever was cut off, or removed, deposes a leader that everybody hears.",
    ELECTIONS,
    "    return leads || isSticky(this.heardAt, this.node.now, this.node.options.timing);",
    "    return leads && isSticky(this.heardAt, this.node.now, this.node.options.timing);",
  ),
  mutant(
    "raft: a leader without a quorum leads on",
    null,
    "Nobody answers, and it does not ask itself why: its clients wait for a leader that can commit nothing.",
    LEADER,
    "(now > afterMs(this.rounds.confirmedSince, patience) && !this.isEnough)",
    "(now > afterMs(this.rounds.confirmedSince, patience) && this.isEnough && now < patience)",
  ),
  mutant(
    "raft: hands over to one that lags behind",
    "openraft until d000ee20, cowsql until be9065fa",
    "The target is asked to stand at once; it cannot win, and the term of a leader that could is over.",
    LEADER,
    "    if (handover.target.matchIndex < node.log.last.index) return;\n",
    "",
  ),

  // Replication and commitment.
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
    FOLLOWERS,
    "return id === this.node.id ? this.node.writes.durable.index :",
    "return id === this.node.id ? this.node.log.last.index :",
  ),
  mutant(
    "raft: acknowledges up to the end of its log",
    "etcd/raft until 5fac53b, hashicorp/raft until 0f31a01",
    "The end may be a deposed leader's; the leader counts entries that the follower does not have.",
    FOLLOWER,
    "const verified = Math.max(request.prevLog.index + request.entries.length, node.log.base.index) as LogIndex;",
    "const verified = node.log.last.index;",
  ),
  mutant(
    "raft: answers a heartbeat for what its disk does not hold",
    null,
    "The answer does not wait for the disk, and vouches for entries that are on their way there.",
    FOLLOWER,
    "const matchIndex = Math.min(verified, node.writes.durable.index) as LogIndex;",
    "const matchIndex = verified;",
  ),
  mutant(
    "raft: commits beyond what the leader's message has verified",
    "canonical/raft until a3bc60b, cowsql until 000eacf2, willemt/raft #118",
    "A follower takes leaderCommit for its own log, whose end may be a deposed leader's.",
    FOLLOWER,
    "node.commit(followerCommitIndex(node.delivery.commitIndex, request));",
    "node.commit(Math.max(\n      node.delivery.commitIndex, Math.min(request.leaderCommit, node.log.last.index),\n"
      + "    ) as LogIndex);",
  ),
  mutant(
    "raft: an old message cuts what matches",
    "raftos #26",
    "A message that was overtaken ends before the log does; what stands behind it was acknowledged and is cut.",
    "core/raft/append.ts",
    "  if (held === entries.length) return NOTHING_NEW;\n",
    "  const end = Math.max(prevLog.index + entries.length, commitIndex) as LogIndex;\n"
      + "  if (held === entries.length) {\n"
      + '    return end < log.last.index ? { type: "match", truncateTo: end, entries: [] } : NOTHING_NEW;\n  }\n',
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
    "core/raft/node-state.ts",
    "    this.outbox.clear();\n",
    "",
  ),

  // Losses.
  mutant(
    "raft: votes in spite of a loss",
    null,
    "What the disk has lost is not asked for: a candidate without what was committed by that disk's word is elected.",
    "core/raft/loss.ts",
    "    return this.entry === null || isAtLeastAsUpToDate(last, this.entry) ? last : this.entry;",
    "    return this.entry === null || last.index >= 0 ? last : this.entry;",
  ),
  mutant(
    "raft: stands in spite of a loss",
    null,
    "It is elected by those who are behind, and leads without what it has acknowledged.",
    ELECTIONS,
    "    if (loss.entry !== null) return false;\n",
    "    if (loss.entry !== null && currentTerm < 0) return false;\n",
  ),
  mutant(
    "raft: forgets a loss too early",
    "kin: etcd/raft until 5fac53b",
    "As soon as a leader has found anything to agree, though what was lost is still missing.",
    "core/raft/loss.ts",
    "    if (index < log.base.index || !isAtLeastAsUpToDate(log.idAt(index), entry)) return false;",
    "    if (index < log.base.index || !isAtLeastAsUpToDate(entry, log.base)) return false;",
  ),
  mutant(
    "raft: a leader counts what was lost",
    null,
    "It does not take back what a member of its own term no longer has, and counts it, and never sends it again.",
    FOLLOWERS,
    "    progress.takeBack();\n",
    "",
  ),

  // Reads.
  mutant(
    "raft: a read is confirmed without asking",
    "openraft until d60f1e85, rqlite #1950",
    "A leader that was deposed and does not know it answers with a state of the past.",
    "core/raft/reads.ts",
    "if (batch === null || round < batch.round) return null;",
    "if (batch === null || round < 0) return null;",
  ),
  mutant(
    "raft: an answer to an earlier round confirms the latest",
    "etcd/raft #397",
    "A follower's answer to a question of before is counted for the read of now.",
    FOLLOWERS,
    "    if (round > progress.round) progress.round = round;",
    "    progress.round = this.rounds.latest;",
  ),
  mutant(
    "raft: reads before its term has committed",
    null,
    "A new leader's commitIndex may lag behind what its predecessor acknowledged.",
    LEADER,
    "    if (node.log.termAt(commitIndex) !== node.currentTerm) return;",
    "    if (node.log.last.index < commitIndex) return;",
  ),
  mutant(
    "raft: an old answer to a forwarded read is taken for the new one's",
    "kin: etcd/raft #397",
    "The number of the question is not compared: what was true when another read was asked for answers this one.",
    "core/raft/forwarded-reads.ts",
    "    if (this.asked?.request !== request) return;",
    "    if (this.asked === null || request < 0) return;",
  ),
  mutant(
    "raft: a lease lasts longer than the votes that it rests on",
    null,
    "Another leader is elected and writes, while this one still answers reads by itself.",
    "core/raft/lease.ts",
    "  return (since + timeout - drift - MAX_UNNOTICED_MS * MICROSECONDS_PER_MS) as Instant;",
    "  return (since + 4 * timeout - drift) as Instant;",
  ),

  // Membership.
  patched(
    "raft: a joint configuration is decided by a majority of all",
    "openraft until d882e743",
    "One majority of the union instead of one of each half: two halves decide without each other.",
    [
      {
        file: QUORUM,
        before: "    this.incoming = votersOf(configuration);",
        after: "    const outgoing = configuration.outgoing.map(({ id }) => id);\n"
          + "    this.incoming = [...new Set([...votersOf(configuration), ...outgoing])];",
      },
      {
        file: QUORUM,
        before: "    this.outgoing = configuration.outgoing.map(({ id }) => id);",
        after: "    this.outgoing = [];",
      },
    ],
  ),
  mutant(
    "raft: a configuration stays in force after its entry was cut",
    "canonical/raft #323, redisraft 619e623",
    "The truncation does not take it back: a node goes by a configuration that never was.",
    "core/raft/configurations.ts",
    "    if (this.index <= keep) return;\n",
    "    if (keep >= 0) return;\n",
  ),
  mutant(
    "raft: a standby is counted",
    "openraft until 4d58a51e, redisraft #48",
    "Members that do not vote make up the quorum.",
    QUORUM,
    "    this.incoming = votersOf(configuration);",
    '    this.incoming = configuration.members.filter(({ role }) => role !== "spare").map(({ id }) => id);\n'
      + "    invariant(votersOf(configuration).length > 0, \"somebody votes\");",
  ),
  mutant(
    "raft: a leader that removes itself counts itself",
    "canonical/raft until 7b500ab, openraft until 0023cff1",
    "Its own log stands for that of one of the remaining voters, who has not got the entry.",
    LEADER,
    "    const quorum = node.configurations.quorum.valueReached(followers.matchOf) as LogIndex;",
    "    let isLent = node.configurations.quorum.counts(node.id);\n"
      + "    const quorum = node.configurations.quorum.valueReached((id) => {\n"
      + "      if (isLent || followers.matchOf(id) >= node.writes.durable.index) return followers.matchOf(id);\n"
      + "      isLent = true;\n      return node.writes.durable.index;\n    }) as LogIndex;",
  ),
  mutant(
    "raft: a change begins before the one before is committed",
    null,
    "Two changes at once: the old and the new voters need not have a node in common.",
    MEMBERSHIP,
    'return this.isPending || isJoint(configuration) || proposals.isPaused ? "pending" : null;',
    'return isJoint(configuration) || proposals.isPaused ? "pending" : null;',
  ),
  mutant(
    "raft: a change begins before anything of the term is committed",
    "the bug in the thesis's single-server changes, raft-dev 2015",
    "A leader cannot know of a change that its predecessor began, and begins another one.",
    MEMBERSHIP,
    '    if (log.termAt(delivery.commitIndex) !== currentTerm) return "notReady";\n',
    '    if (log.termAt(delivery.commitIndex) > currentTerm) return "notReady";\n',
  ),
  mutant(
    "raft: a snapshot says who was of the cluster when the log began",
    "openraft dba24036, canonical/raft 0a0ffa4",
    "Whoever starts from it goes back to a configuration that was left long ago.",
    "core/raft/compaction.ts",
    "configuration: configurations.at(index) };",
    "configuration: configurations.at(log.base.index) };",
  ),

  // Snapshots.
  patched(
    "raft: an old snapshot takes the state back",
    "openraft ac3e5a89, §7",
    "Whether it is older than what is committed here is not asked.",
    [
      {
        file: FOLLOWER,
        before: "return log.holds(entry) || entry.index <= delivery.commitIndex;",
        after: "return log.holds(entry) || delivery.commitIndex < 0;",
      },
    ],
  ),
  mutant(
    "raft: a snapshot is acknowledged before it is durable",
    "cowsql e514f78f",
    "The leader counts entries that exist in nobody's log and on nobody's disk.",
    FOLLOWER,
    'received, installed: true }, "log");',
    'received, installed: true }, "term");',
  ),
  mutant(
    "raft: applies while a snapshot is being installed",
    "canonical/raft until 2edd2c6",
    "Entries behind the snapshot are handed out before the state is that of the snapshot.",
    "core/raft/delivery.ts",
    "    if (this.lastApplied === this.commitIndex || this.isRestoring) return;",
    "    if (this.lastApplied === this.commitIndex) return;",
  ),
];
