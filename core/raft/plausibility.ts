/**
 * What no correct member says. A message that fails here is dropped, and counted: it is somebody else's bug and must
 * not become ours. Says nothing about whether a message is current or wanted; that is for Raft to judge.
 */
import { unreachable } from "../invariant.ts";
import type { EntryId } from "../types.ts";
import { faultOf } from "./configuration.ts";
import type { AppendEntries, AppendEntriesReply, InstallSnapshot, Message } from "./message.ts";

/** The rule that the message breaks, positively; null: a correct member may say it. */
export function brokenRule(message: Message): string | null {
  if (!isCount(message.term)) return "a term is an integer from 0 to 2^53-1";
  // Before the first election there is nobody to speak for a term, and only candidates of the next one ask.
  if (message.term === 0 && !isSaidInTermZero(message)) return "in term 0 nobody leads and nobody has voted";
  switch (message.type) {
    case "RequestPreVote":
      if (!isEntryId(message.lastLog)) return NO_ENTRY_ID;
      return message.lastLog.term <= message.term ? null : LATER_TERM;
    case "RequestVote":
      // A candidate has begun a new term: its log cannot have reached it.
      if (!isEntryId(message.lastLog)) return NO_ENTRY_ID;
      return message.lastLog.term < message.term ? null : "a candidate has no entry of the term it stands in";
    case "RequestPreVoteReply":
    case "RequestVoteReply":
    case "TimeoutNow":
    case "Leaving":
      return null;
    case "AppendEntries":
      return brokenByAppend(message);
    case "AppendEntriesReply":
      return brokenByReply(message);
    case "InstallSnapshot":
      return brokenBySnapshot(message);
    case "InstallSnapshotReply":
      if (!isEntryId(message.entry) || message.entry.index === 0) return NO_ENTRY_ID;
      return isCount(message.received) && isCount(message.checksum) ? null : NO_COUNT;
    case "ReadIndex":
      return isCount(message.request) ? null : NO_COUNT;
    case "ReadIndexReply":
      return isCount(message.request) && isCount(message.index ?? 0) ? null : NO_COUNT;
    default:
      return unreachable(message);
  }
}

const NO_COUNT = "a count is an integer from 0 to 2^53-1";
const NO_ENTRY_ID = "an entry has a term and an index, or neither";
const LATER_TERM = "nobody has an entry of a later term than its own";

function isSaidInTermZero({ type }: Message): boolean {
  return type === "RequestPreVote" || type === "RequestPreVoteReply" || type === "ReadIndexReply";
}

function brokenByAppend({ term, prevLog, entries, leaderCommit, round }: AppendEntries): string | null {
  if (!isEntryId(prevLog)) return NO_ENTRY_ID;
  if (!isCount(leaderCommit) || !isCount(round)) return NO_COUNT;
  let before: EntryId = prevLog;
  for (const entry of entries) {
    if (entry.index !== before.index + 1) return "entries are consecutive";
    if (entry.term < before.term || entry.term === 0) return "terms never fall along a log";
    before = entry;
  }
  if (!Number.isSafeInteger(before.term) || !Number.isSafeInteger(before.index)) return NO_ENTRY_ID;
  return before.term <= term ? null : LATER_TERM;
}

function brokenByReply({ round, version, result, term }: AppendEntriesReply): string | null {
  if (!isCount(round) || !isCount(version)) return NO_COUNT;
  if (result.accepted) return isCount(result.matchIndex) ? null : NO_COUNT;
  if (!isCount(result.rejected) || !isEntryId(result.hint)) return NO_ENTRY_ID;
  if (result.hint.term > term) return LATER_TERM;
  const isBelow = result.hint.index < result.rejected || result.rejected === 0;
  return isBelow ? null : "a rejection leads backwards";
}

function brokenBySnapshot({ term, snapshot, offset, bytes }: InstallSnapshot): string | null {
  const { entry, configuration, size, checksum } = snapshot;
  if (!isEntryId(entry) || entry.index === 0) return NO_ENTRY_ID;
  if (entry.term > term) return LATER_TERM;
  if (!isCount(size) || size === 0 || !isCount(checksum) || !isCount(offset)) return NO_COUNT;
  if (faultOf(configuration.members) !== null) return "a snapshot carries a configuration";
  return offset + bytes.length <= size ? null : "a chunk lies within its snapshot";
}

/** Both zero (no entry) or neither. */
function isEntryId(id: EntryId): boolean {
  return isCount(id.term) && isCount(id.index) && (id.term === 0) === (id.index === 0);
}

function isCount(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}
