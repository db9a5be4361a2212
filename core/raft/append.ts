/**
 * What a follower does with the entries of an AppendEntries (figure 2, receiver's rules 2 to 4), as a function of
 * values: nothing is changed here.
 */
import type { Entry, EntryId, LogIndex } from "../types.ts";
import { NO_ENTRY } from "../types.ts";
import type { Log } from "./log.ts";
import type { AppendEntries } from "./message.ts";

export type AppendVerdict =
  /** Our log does not hold prevLog. `hint`: our last entry that the leader's log may hold, below prevLog. */
  | { readonly type: "mismatch"; readonly hint: EntryId }
  /** `truncateTo`: the last entry to keep; null: nothing conflicts. `entries`: those that we do not hold yet. */
  | { readonly type: "match"; readonly truncateTo: LogIndex | null; readonly entries: readonly Entry[] }
  /** A committed entry would have to go: no correct leader asks for that. */
  | { readonly type: "impossible" };

const NOTHING_NEW: AppendVerdict = { type: "match", truncateTo: null, entries: [] };

/** @param commitIndex below or at which nothing is ever replaced; not below the log's base. */
export function judgeAppend(log: Log, commitIndex: LogIndex, request: AppendEntries): AppendVerdict {
  const { prevLog, entries } = request;
  // What lies before our base is committed, and so in the log of every leader: it matches, though its terms are gone.
  const isBehindBase = prevLog.index < log.base.index;
  if (!isBehindBase && !log.holds(prevLog)) return { type: "mismatch", hint: conflictHint(log, prevLog) };

  // Entries that we hold already stay untouched: the message may be an old one that was overtaken, and what lies behind
  // it in our log acknowledged. Only a real conflict (same index, other term) cuts.
  let held = isBehindBase ? Math.min(log.base.index - prevLog.index - 1, entries.length) : 0;
  while (held < entries.length && log.holds(entries[held] as Entry)) held += 1;
  if (held === entries.length) return NOTHING_NEW;
  const first = entries[held] as Entry;
  const conflicts = first.index <= log.last.index;
  if (conflicts && first.index <= commitIndex) return { type: "impossible" };
  return {
    type: "match",
    truncateTo: conflicts ? ((first.index - 1) as LogIndex) : null,
    entries: held === 0 ? entries : entries.slice(held),
  };
}

/**
 * §5.3, "the follower can include the term of the conflicting entry": our entries of a later term than prevLog's
 * cannot be in the leader's log before it, so they are skipped at once. The leader does the same with the hint's term.
 */
function conflictHint(log: Log, prevLog: EntryId): EntryId {
  if (prevLog.index === 0) return NO_ENTRY;
  return log.lastAtMost((prevLog.index - 1) as LogIndex, prevLog.term);
}
