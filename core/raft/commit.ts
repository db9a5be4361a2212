/**
 * How far the log is committed: the leader counts (§5.3, §5.4.2; the counting itself is quorum.ts), a follower is told.
 * Both as functions of values.
 */
import type { LogIndex, Term } from "../types.ts";
import type { Log } from "./log.ts";
import type { AppendEntries } from "./message.ts";

/**
 * §5.4.2: only an entry of the leader's own term is committed by counting; the ones before it follow by Log Matching.
 * An entry of an older term can stand on a majority and still be overwritten (figure 8).
 *
 * @param quorum the last index that a majority has durably reached
 */
export function leaderCommitIndex(commitIndex: LogIndex, quorum: LogIndex, currentTerm: Term, log: Log): LogIndex {
  if (quorum <= commitIndex) return commitIndex;
  return log.termAt(quorum) === currentTerm ? quorum : commitIndex;
}

export function followerCommitIndex(commitIndex: LogIndex, request: AppendEntries): LogIndex {
  const lastNewIndex = (request.prevLog.index + request.entries.length) as LogIndex;
  // Only entries up to lastNewIndex are known to match the leader's log. Ours may go on past
  // that with entries of a deposed leader, which must not be committed.
  const known = Math.min(request.leaderCommit, lastNewIndex) as LogIndex;
  return known > commitIndex ? known : commitIndex;
}
