/** More bugs of replication, commitment, snapshots and reads. The first of them stand in raft.ts. */
import type { Mutant } from "../../cli/mutant.ts";
import { planted } from "./planting.ts";

const APPEND = "core/raft/append.ts";
const FOLLOWER = "core/raft/follower.ts";
const FOLLOWERS = "core/raft/followers.ts";
const PROGRESS = "core/raft/progress.ts";
const LEADER = "core/raft/leader.ts";

const OF_LOGS: readonly Mutant[] = [
  planted(
    "raft: what lies before the log's beginning counts as new",
    "willemt/raft #118",
    "A message that reaches back behind the snapshot is compared from its first entry on.",
    [
      APPEND,
      "  let held = isBehindBase ? Math.min(log.base.index - prevLog.index - 1, entries.length) : 0;",
      "  let held = 0;",
    ],
  ),
  planted(
    "raft: what is not known of a term is a match",
    "etcd/raft until 76f1249",
    "The place behind the end of the log has no term, and so none that contradicts the leader's.",
    [
      "core/term-runs.ts",
      "    if (entry.index < this.baseEntry.index || entry.index > this.lastEntry.index) return false;\n",
      "    if (entry.index < this.baseEntry.index) return true;\n"
        + "    if (entry.index > this.lastEntry.index) return false;\n",
    ],
  ),
  planted(
    "raft: what was compacted is taken for a conflict",
    "openraft until 71a290cd",
    "A message whose predecessor has left the log cuts all that follows.",
    [
      APPEND,
      "  if (!isBehindBase && !log.holds(prevLog)) return",
      "  if (isBehindBase && log.last.index > log.base.index) {\n"
        + '    return { type: "match", truncateTo: log.base.index, entries: [] };\n  }\n'
        + "  if (!isBehindBase && !log.holds(prevLog)) return",
    ],
  ),
  planted(
    "raft: what was read back is sent from wherever the follower stands by then",
    "kin: openraft until 19f2f037",
    "Entries go out behind a predecessor that is not theirs.",
    [
      FOLLOWERS,
      "    if (progress.nextIndex !== entries[0]?.index) return;\n",
      "    if (progress.nextIndex === null || entries.length === 0) return;\n",
    ],
  ),
  planted(
    "raft: an old acknowledgement takes a newer one back",
    "raftos #25, PySyncObj #167",
    "Acknowledgements that overtake each other make the match index fall.",
    [
      PROGRESS,
      "    if (matchIndex > this.matchIndex) this.matchIndex = matchIndex;",
      "    this.matchIndex = matchIndex;",
    ],
  ),
  planted(
    "raft: acknowledgements of an earlier term count",
    "openraft until cecb5de8",
    "What was acknowledged to this leader long ago, and has been cut since, is counted in its new term.",
    [
      "core/raft/raft.ts",
      "        if (message.term === node.currentTerm) this.leader?.received(from, message);",
      "        this.leader?.received(from, message);",
    ],
  ),
  planted(
    "raft: an old rejection leads back behind what is acknowledged",
    "kin: etcd/raft MaybeDecrTo, CCF #6000",
    "Rejections that come late make the leader look for a place that it has found already.",
    [
      PROGRESS,
      "    if (rejected <= this.matchIndex || rejected >= phase.nextIndex) return;",
      "    if (rejected >= phase.nextIndex) return;",
    ],
    [
      PROGRESS,
      "    const agreed = Math.max(this.matchIndex, log.lastAtMost(hint.index, hint.term).index);",
      "    const agreed = log.lastAtMost(hint.index, hint.term).index;",
    ],
  ),
  planted(
    "raft: any rejection is taken for the probe's",
    "openraft until 2bdfae5d",
    "A rejection of a heartbeat of before moves the probe that is under way.",
    [PROGRESS, '    if (phase.type === "probe" && rejected !== phase.nextIndex - 1) return;\n', ""],
  ),
  planted(
    "raft: what is counted is sorted only in part",
    "openraft until f076cf6f",
    "The first voter's value stays where it is: what only a minority has reached is committed.",
    ["core/raft/quorum.ts", "      for (; at > 0 && (sorted", "      for (; at > 1 && (sorted"],
  ),
  planted(
    "raft: a joint configuration is decided by the new voters alone",
    "openraft until 6c0ccaf3",
    "The old ones are asked for nothing: who has not heard of the change elects another leader.",
    [
      "core/raft/quorum.ts",
      "    return this.outgoing.length === 0 ? incoming : Math.min(incoming, this.reachedBy(this.outgoing, valueOf));",
      "    return incoming;",
    ],
  ),
  planted(
    "raft: entries that were cut stay in memory",
    "canonical/raft until 8be539d, redisraft until e0123a9",
    "The cache keeps what the log has lost: other entries are sent, and applied, than are there.",
    [
      "core/raft/log.ts",
      "    for (const cut of this.cache.splice(this.evicted + kept)) this.bytes -= cut.payload.length;\n",
      "    if (kept === 0) this.cache.splice(this.evicted);\n"
        + "    else this.cache.splice(this.evicted, this.cache.length - this.evicted - kept);\n",
    ],
  ),
  planted(
    "raft: all that is committed counts as applied at once",
    "openraft until 89bb48f8, canonical/raft until fcc4c8d",
    "Of what is read back only a part comes at a time; the rest is never handed out.",
    [
      "core/raft/delivery.ts",
      "    this.lastApplied = (this.lastApplied + entries.length) as LogIndex;",
      "    this.lastApplied = this.commitIndex;",
    ],
  ),
  planted(
    "raft: a probe is waited for, for ever",
    "etcd/raft until 49bac48",
    "It was lost, and while its answer is awaited nothing else is sent, heartbeats neither.",
    [
      FOLLOWERS,
      "    for (const progress of this.all) this.send(progress, NO_ENTRIES);",
      '    const isPaused = ({ phase }: Progress): boolean => phase.type === "probe" && phase.awaitingReply;\n'
        + "    for (const progress of this.all) if (!isPaused(progress)) this.send(progress, NO_ENTRIES);",
    ],
  ),
  planted(
    "raft: the hint of a conflict is always the log's end",
    "openraft until 6d53aa12",
    "It leads the leader back to where it was: the logs never come to agree.",
    [
      APPEND,
      "  return log.lastAtMost((prevLog.index - 1) as LogIndex, prevLog.term);",
      "  return log.last;",
    ],
  ),
  planted(
    "raft: what a step wants said is lost when the leader changes",
    "openraft until c37ac891",
    "The news of the leader leaves, and with it none of the step's messages.",
    [
      "core/raft/raft.ts",
      "    node.effects = [];\n    if (isReconfigured)",
      "    node.effects = [];\n    if (isNews) effects.length = 0;\n    if (isReconfigured)",
    ],
  ),
];

const OF_SNAPSHOTS: readonly Mutant[] = [
  planted(
    "raft: the log is compacted before the snapshot is stored",
    "kin: dqlite until f1311ade",
    "What the new snapshot is to have leaves the log; if it never comes about, nobody has it.",
    [
      "core/raft/compaction.ts",
      "    this.stores = log.idAt(index);\n    return",
      "    this.stores = log.idAt(index);\n"
        + "    this.node.compact(Math.min(index, this.node.writes.durable.index) as LogIndex);\n    return",
    ],
  ),
  planted(
    "raft: a chunk is written behind the one before, whichever it is",
    "redisraft until 6afb480, openraft until 2eccb9e1",
    "A chunk that comes twice is stored twice.",
    [
      FOLLOWER,
      "    if (offset !== reception.received || bytes.length === 0) return this.goOn(from, reception);",
      "    if (bytes.length === 0) return this.goOn(from, reception);",
    ],
    [
      FOLLOWER,
      "    reception.storing = offset + bytes.length;",
      "    reception.storing = reception.received + bytes.length;",
    ],
    [
      FOLLOWER,
      'type: "StoreChunk", snapshot: reception.snapshot, offset, bytes',
      'type: "StoreChunk", snapshot: reception.snapshot, offset: reception.received, bytes',
    ],
  ),
  planted(
    "raft: one snapshot fewer is sent than may be",
    "openraft until cf4badd0",
    "Where one at a time is allowed none is ever sent.",
    [
      FOLLOWERS,
      "    if (this.transferCount >= options.limits.maxSnapshotTransfers) return;",
      "    if (this.transferCount + 1 >= options.limits.maxSnapshotTransfers) return;",
    ],
  ),
];

const OF_READS_AND_MEMBERS: readonly Mutant[] = [
  planted(
    "raft: a leader does not count itself among those who answer",
    "etcd/raft until cb7538b",
    "It resigns although it and one other are a majority.",
    [FOLLOWERS, "    return id === this.node.id ? this.rounds.latest : (", "    return id === this.node.id ? 0 : ("],
  ),
  planted(
    "raft: a member that lags behind becomes a voter",
    "canonical/raft until b9a8de2",
    "Until it has caught up nothing can be committed without all of the others.",
    [
      "core/raft/membership.ts",
      '      if (!isAlive || !isCaughtUp) return "notCaughtUp";',
      '      if (!isAlive && isCaughtUp) return "notCaughtUp";',
    ],
  ),
  planted(
    "raft: reads are confirmed by those who voted when the term began",
    "etcd/raft until 77ae04b",
    "Members that have been removed since confirm that the leader leads.",
    [
      LEADER,
      "    this.rounds = new Rounds(node.now);\n",
      "    this.rounds = new Rounds(node.now);\n    this.electors = node.configurations.quorum;\n",
    ],
    [
      LEADER,
      "  private readonly reads = new Reads();\n",
      "  private readonly reads = new Reads();\n"
        + '  private readonly electors: NodeState["configurations"]["quorum"];\n',
    ],
    [
      LEADER,
      "    rounds.confirm(node.configurations.quorum.valueReached(this.followers.roundOf));",
      "    rounds.confirm(this.electors.valueReached(this.followers.roundOf));",
    ],
  ),
];

export const REPLICATION_MUTANTS: readonly Mutant[] = [...OF_LOGS, ...OF_SNAPSHOTS, ...OF_READS_AND_MEMBERS];
