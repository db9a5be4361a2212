/**
 * What no correct peer says. A message that fails here is dropped: it is somebody else's bug and must not become ours.
 * Says nothing about whether a message is current or wanted; that is for Raft to judge.
 */
import { unreachable } from "../invariant.ts";
import type { EntryId } from "../types.ts";
import type { AppendEntries, AppendEntriesReply, Message } from "./message.ts";

export function isPlausible(message: Message): boolean {
  if (!isCount(message.term) || message.term === 0) return false;
  switch (message.type) {
    case "RequestVote":
      // A candidate has begun a new term: its log cannot have reached it.
      return isEntryId(message.lastLog) && message.lastLog.term < message.term;
    case "RequestVoteReply":
      return true;
    case "AppendEntries":
      return isPlausibleAppend(message);
    case "AppendEntriesReply":
      return isPlausibleReply(message);
    default:
      return unreachable(message);
  }
}

function isPlausibleAppend(request: AppendEntries): boolean {
  if (!isEntryId(request.prevLog) || !isCount(request.leaderCommit) || !isCount(request.round)) return false;
  let before: EntryId = request.prevLog;
  for (const entry of request.entries) {
    if (entry.index !== before.index + 1 || entry.term < before.term || entry.term === 0) return false;
    before = entry;
  }
  return before.term <= request.term && Number.isSafeInteger(before.term) && Number.isSafeInteger(before.index);
}

function isPlausibleReply({ round, result, term }: AppendEntriesReply): boolean {
  if (!isCount(round)) return false;
  if (result.accepted) return isCount(result.matchIndex);
  if (!isCount(result.rejected) || !isEntryId(result.hint) || result.hint.term > term) return false;
  return result.hint.index < result.rejected || result.rejected === 0;
}

/** Both zero (no entry) or neither. */
function isEntryId(id: EntryId): boolean {
  return isCount(id.term) && isCount(id.index) && (id.term === 0) === (id.index === 0);
}

function isCount(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}
