/** More bugs of elections: of votes, of who stands and when, of terms. The first of them stand in raft.ts. */
import type { Mutant } from "../../cli/mutant.ts";
import { planted } from "./planting.ts";

const ELECTIONS = "core/raft/elections.ts";
const ELECTION = "core/raft/election.ts";

export const ELECTION_MUTANTS: readonly Mutant[] = [
  planted(
    "raft: forgets its vote when it asks whether to stand",
    "canonical/raft from 9c70d96 until 98d8f51",
    "A pre-candidate has voted for nobody, though its term is the one in which it has: it votes a second time.",
    [
      ELECTIONS,
      '    this.candidacy = { type: "preCandidate", votes: new Set() };\n',
      '    this.candidacy = { type: "preCandidate", votes: new Set() };\n    node.vote(null);\n',
    ],
  ),
  planted(
    "raft: half of the voters are enough",
    "kin: hashicorp/raft until 163a55f",
    "Of four voters two elect a leader, and the other two another one.",
    [
      "core/raft/quorum.ts",
      "  return count >= majority(voters.length);",
      "  return count >= Math.ceil(voters.length / 2);",
    ],
  ),
  planted(
    "raft: a candidate asks with a log that is not durable",
    "canonical/raft until a54636b",
    "It is elected for entries that a crash takes away from it, and commits what builds on them.",
    [
      ELECTIONS,
      'this.node.post(member.id, request, "log");',
      'this.node.post(member.id, request, "term");',
    ],
  ),
  planted(
    "raft: leads while a snapshot is being restored",
    "canonical/raft until 4fbd3c0",
    "A leader without a state yet: what it executes is executed on nothing.",
    [ELECTIONS, " || node.delivery.isRestoring) return false;", ") return false;"],
  ),
  planted(
    "raft: whoever is asked to stand does",
    "etcd/raft until 816fc51",
    "A member that was removed, or has lost what it acknowledged, is told to stand, and is elected.",
    [
      ELECTIONS,
      "    if (from === this.leader && this.mayStand) this.stand(true);",
      "    if (from === this.leader) this.stand(true);",
    ],
  ),
  planted(
    "raft: who does not vote as far as it knows refuses its vote",
    "etcd/raft until abb533c",
    "A member that was made a voter and has not heard of it yet is one that the others count on.",
    [
      ELECTIONS,
      "    const granted = grantsVote(this.voter(), from, request);\n",
      "    const granted = grantsVote(this.voter(), from, request)\n"
        + "      && isVoter(this.node.configuration, this.node.id);\n",
    ],
  ),
  planted(
    "raft: a refusal of a later term is not heard",
    "openraft until d6a6d562",
    "Who asks whether to stand in a term that is over asks in it for ever.",
    [
      "core/raft/raft.ts",
      "    if (message.term > node.currentTerm) {\n",
      '    if (message.term > node.currentTerm && message.type !== "RequestPreVoteReply") {\n',
    ],
  ),
  planted(
    "raft: the leader that one follows is not listened to",
    "hashicorp/raft until 32051c1",
    "A leader that has resigned stands again, and those who heard it last keep it from being elected.",
    [ELECTIONS, "    if (from === this.leader) return false;\n", ""],
  ),
  planted(
    "raft: who asks whether to stand still follows",
    "raft-rs until #84",
    "The leader that has not been heard in time is believed to lead.",
    [ELECTIONS, "    this.await();\n    this.leader = null;\n", "    this.await();\n"],
  ),
  planted(
    "raft: all wait for the same time",
    "openraft until 5e15946d",
    "Whoever has heard the leader at the same time stands at the same time, again and again.",
    [
      ELECTION,
      "  const wait = random.integer(timeout, 2 * timeout - 1);",
      "  const wait = random.integer(timeout, timeout);",
    ],
  ),
  planted(
    "raft: a restarted voter forgets what a lease rests on",
    "kin: openraft until 228077a6, etcd/raft until 7b8cdf3",
    "It has promised a leader not to vote for another one for a while, crashes, and votes.",
    [ELECTIONS, "    this.heardAt = options.leaseDriftPpm === null ? null : now;\n", "    this.heardAt = null;\n"],
  ),
  planted(
    "raft: indexes are compared as text",
    "kin: dqlite until e78f6e3b",
    "Entry 9 is behind entry 10 no more.",
    [ELECTION, "  return candidate.index >= own.index;", "  return String(candidate.index) >= String(own.index);"],
  ),
];
