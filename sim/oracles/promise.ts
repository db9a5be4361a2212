/**
 * The crash shadow: what a message vouches for (core/raft/message.ts) must follow from the bytes that survive a crash
 * at the moment in which it leaves. So "acknowledged before durable" is found at the first acknowledgement, without the
 * luck of a crash in the right microsecond.
 *
 *   RequestVote, AppendEntries   the sender's term and its vote for itself
 *   vote granted                 the term and the vote
 *   any other reply              the term
 *   append accepted              besides, the sender's log up to matchIndex
 */
import type { TermRuns } from "../../core/term-runs.ts";
import { unreachable } from "../../core/invariant.ts";
import type { NodeId, Term } from "../../core/types.ts";
import { decodeLetter } from "../../core/wire/peer-codec.ts";
import type { DurableNode } from "./durable-node.ts";

/** Says what the message promises and the disk does not hold; null: nothing. `log`: the sender's, in memory. */
export function judgePromise(
  node: NodeId, to: NodeId, bytes: Uint8Array, disk: DurableNode, log: TermRuns,
): string | null {
  const decoded = decodeLetter(bytes);
  if (!decoded.ok) return `${node} sent ${to} what no node understands: ${decoded.fault.rule}`;
  const { message } = decoded.letter;
  switch (message.type) {
    case "Empty":
    case "Founded":
      return null;
    case "RequestVote":
    case "AppendEntries":
      return judgeVote(`${message.type} of ${node}`, message.term, node, disk);
    case "RequestVoteReply":
      if (message.granted) return judgeVote(`the vote of ${node} for ${to}`, message.term, to, disk);
      return judgeTerm(`the reply of ${node} to ${to}`, message.term, disk);
    case "AppendEntriesReply": {
      const broken = judgeTerm(`the reply of ${node} to ${to}`, message.term, disk);
      if (broken !== null || !message.result.accepted) return broken;
      const { matchIndex } = message.result;
      if (matchIndex > log.last.index) return `${node} accepted up to ${matchIndex}; its log ends at ${log.last.index}`;
      const { term } = log.idAt(matchIndex);
      if (disk.holds({ term, index: matchIndex })) return null;
      return `${node} tells ${to} that it holds ${term}/${matchIndex}; its disk holds ${showLast(disk)} for sure`;
    }
    default:
      return unreachable(message);
  }
}

function judgeTerm(what: string, term: Term, disk: DurableNode): string | null {
  if (disk.hardState.currentTerm >= term) return null;
  return `${what} names term ${term}; the disk would remember term ${disk.hardState.currentTerm}`;
}

function judgeVote(what: string, term: Term, candidate: NodeId, disk: DurableNode): string | null {
  const { currentTerm, votedFor } = disk.hardState;
  if (currentTerm > term || (currentTerm === term && votedFor === candidate)) return null;
  const remembered = `term ${currentTerm} with a vote for ${votedFor ?? "nobody"}`;
  return `${what} is of term ${term}; the disk would remember ${remembered}`;
}

function showLast(disk: DurableNode): string {
  return disk.last === null ? "nothing" : `${disk.last.term}/${disk.last.index}`;
}
