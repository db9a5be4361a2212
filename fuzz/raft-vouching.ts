/**
 * What a message vouches for, and so what must be true, mostly on its sender's disk, when it leaves (message.ts has the
 * table; thesis §10.2.1 says why a leader's own disk may lag behind).
 */
import type { Message } from "../core/raft/message.ts";
import { NO_ENTRY, type EntryId, type MemberId } from "../core/types.ts";
import { allow, holds, lastOf, same, type Server } from "./raft-plain-log.ts";

/** @param leader who leads the message's term, as far as anybody does */
export function judgeMessage(
  id: MemberId, sender: Server, to: MemberId, message: Message, leader: Server | null,
): void {
  const { disk, memory, role, commitIndex } = sender;
  allow(message.term === memory.currentTerm, "a message carries its sender's term");
  const isLeader = role === "leader";
  switch (message.type) {
    case "RequestPreVote":
    case "ReadIndex":
    case "Leaving":
      break;
    case "RequestPreVoteReply":
      allow(disk.currentTerm === message.term, "a term is told when it is durable");
      break;
    case "RequestVote":
      allow(disk.currentTerm === message.term && disk.votedFor === id, "a candidate's own vote is durable");
      // Whoever has given up since may not hold it any more, and counts no votes.
      allow(role !== "candidate" || holds(disk.log, message.lastLog), "the log that a candidate tells of is durable");
      allow(role !== "candidate" || same(message.lastLog, lastOf(memory.log)), "a candidate tells of its last entry");
      break;
    case "RequestVoteReply":
      allow(disk.currentTerm === message.term, "a term is told when it is durable");
      allow(!message.granted || disk.votedFor === to, "a vote is told when it is durable");
      break;
    case "AppendEntries": {
      allow(isLeader && disk.currentTerm === message.term, "only a leader sends entries");
      const all: readonly EntryId[] = [message.prevLog, ...message.entries];
      allow(all.every((each) => holds(memory.log, each)), "a leader sends what stands in its log");
      const isGapless = message.entries.every(({ index }, at) => index === message.prevLog.index + 1 + at);
      allow(isGapless, "entries are sent without a gap");
      allow(message.leaderCommit <= commitIndex, "a leader tells no more than it knows to be committed");
      break;
    }
    case "AppendEntriesReply": {
      allow(disk.currentTerm === message.term, "a term is told when it is durable");
      if (!message.result.accepted) break;
      const { matchIndex } = message.result;
      // A leader that has been deposed since may have cut its log: then its acknowledgements count for nothing.
      const counts = leader?.role === "leader" && leader.memory.currentTerm === message.term;
      const matched = leader?.memory.log[matchIndex - 1] ?? NO_ENTRY;
      allow(!counts || holds(disk.log, matched), "entries are acknowledged when they are durable and the leader's");
      allow(!counts || matched.index === matchIndex, "nothing is acknowledged beyond the leader's log");
      break;
    }
    case "InstallSnapshot":
      allow(isLeader && disk.currentTerm === message.term, "only a leader sends snapshots");
      allow(message.snapshot.entry.index <= disk.snapshot, "a snapshot that is sent is on its sender's disk");
            break;
    case "InstallSnapshotReply":
      allow(!message.installed || holds(disk.log, message.entry), "a snapshot is acknowledged when it is durable");
      break;
    case "TimeoutNow":
      allow(isLeader && disk.currentTerm === message.term, "only a leader hands over");
      break;
    case "ReadIndexReply":
      allow(message.index === null || isLeader, "only a leader answers for the commit index");
      break;
    default:
      message satisfies never;
  }
}
