/**
 * The crash shadow: what a message vouches for (core/raft/message.ts) must follow from the bytes that survive a crash
 * at the moment in which it leaves. So "acknowledged before durable" is found at the first acknowledgement, without the
 * luck of a crash in the right microsecond.
 *
 *   RequestPreVote               the candidate's log
 *   RequestVote                  the sender's term, its vote for itself, its log
 *   AppendEntries, InstallSnapshot, TimeoutNow
 *                                the sender's term, its vote for itself
 *   vote granted                 the term and the vote
 *   any other reply to these     the term
 *   append accepted              besides, the sender's log up to matchIndex
 *   snapshot installed           besides, the snapshot, or a log that has its entry
 */
import type { TermRuns } from "../../core/term-runs.ts";
import { unreachable } from "../../core/invariant.ts";
import type { Message } from "../../core/raft/message.ts";
import { type EntryId, type LogIndex, type MemberId, memberIdOf, type NodeId, type Term } from "../../core/types.ts";
import type { Letter } from "../../core/wire/peer.ts";
import type { CommittedLog } from "./committed.ts";
import type { DurableNode } from "./durable-node.ts";

/**
 * Says what the message promises and the disk does not hold; null: nothing. `log`: the sender's, in memory;
 * `committed`: what stood before its base.
 */
export function judgePromise(
  node: NodeId, to: NodeId, letter: Letter, disk: DurableNode, log: TermRuns, committed: CommittedLog,
): string | null {
  const { envelope: { sender, receiver }, message } = letter;
  if (message.type === "Empty" || message.type === "Founded" || message.type === "Admitted") return null;
  if (message.type === "Digest") return null;
  if (receiver === null) return `${node} sent ${to} ${message.type}, whatever disk that may have`;
  const idAt = (index: LogIndex): EntryId => (index < log.base.index ? committed.idAt(index) : log.idAt(index));
  const matched = message.type === "AppendEntriesReply" && message.result.accepted ? message.result.matchIndex : 0;
  if (matched > log.last.index) return `${node} accepts up to ${matched}; its log ends at ${log.last.index}`;
  return judgeMessage(message, memberIdOf(node, sender), memberIdOf(to, receiver), disk, idAt);
}

function judgeMessage(
  message: Message, node: MemberId, to: MemberId, disk: DurableNode, idAt: (index: LogIndex) => EntryId,
): string | null {
  const { term } = message;
  const what = `${message.type} of ${node}`;
  switch (message.type) {
    case "RequestPreVote":
      return judgeLog(what, message.lastLog, disk);
    case "RequestVote":
      return judgeVote(what, term, node, disk) ?? judgeLog(what, message.lastLog, disk);
    case "AppendEntries":
    case "InstallSnapshot":
    case "TimeoutNow":
      return judgeVote(what, term, node, disk);
    case "RequestVoteReply":
      if (message.granted) return judgeVote(`${what} to ${to}`, term, to, disk);
      return judgeTerm(`${what} to ${to}`, term, disk);
    case "RequestPreVoteReply":
      return judgeTerm(`${what} to ${to}`, term, disk);
    case "AppendEntriesReply": {
      const { result } = message;
      const broken = judgeTerm(`${what} to ${to}`, term, disk);
      return broken ?? (result.accepted ? judgeLog(`${what} to ${to}`, idAt(result.matchIndex), disk) : null);
    }
    case "InstallSnapshotReply":
      return message.installed ? judgeLog(`${what} to ${to}`, message.entry, disk) : null;
    case "ReadIndex":
    case "ReadIndexReply":
    case "Leaving":
      return null;
    default:
      return unreachable(message);
  }
}

function judgeTerm(what: string, term: Term, disk: DurableNode): string | null {
  if (disk.hardState.currentTerm >= term) return null;
  return `${what} names term ${term}; the disk would remember term ${disk.hardState.currentTerm}`;
}

function judgeVote(what: string, term: Term, candidate: MemberId, disk: DurableNode): string | null {
  const { currentTerm, votedFor } = disk.hardState;
  if (currentTerm > term || (currentTerm === term && votedFor === candidate)) return null;
  const remembered = `term ${currentTerm} with a vote for ${votedFor ?? "nobody"}`;
  return `${what} is of term ${term} and by a vote for ${candidate}; the disk would remember ${remembered}`;
}

function judgeLog(what: string, entry: EntryId, disk: DurableNode): string | null {
  if (disk.holds(entry)) return null;
  const held = disk.last === null ? "nothing" : `${disk.last.term}/${disk.last.index}`;
  return `${what} vouches for ${entry.term}/${entry.index}; the disk holds ${held} for sure`;
}
