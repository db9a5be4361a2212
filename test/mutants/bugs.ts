/**
 * Bugs that systems of this kind have had, by the numbers under which tests and documents name them: which mutants
 * bring each back, or why none can. Those of consensus begin with M, those of replicating SQLite with W.
 */
import type { Bug } from "../../cli/mutant.ts";

function bug(number: string, title: string, ...mutants: readonly string[]): Bug {
  return { number, title, mutants, because: null };
}

function cannotBe(number: string, title: string, because: string): Bug {
  return { number, title, mutants: [], because };
}

const OF_ELECTIONS: readonly Bug[] = [
  bug("M1", "a vote is given before it is on disk",
    "raft: speaks before it is durable", "storage: says that a vote is durable without a sync"),
  bug("M3", "asking whether to stand resets the vote", "raft: forgets its vote when it asks whether to stand"),
  bug("M4", "who is asked to stand gets a second vote", "raft: votes again for whom the leader asked to stand"),
  bug("M5", "votes of an earlier term are counted", "raft: counts votes of an earlier election"),
  bug("M6", "votes of one candidacy are kept for the next", "raft: keeps the promises of pre-votes as votes"),
  bug("M7", "a vote that comes twice counts twice", "raft: counts a vote twice"),
  bug("M8", "half of the voters count as a majority", "raft: half of the voters are enough"),
  bug("M9", "logs are compared by their length first", "raft: judges a candidate's log by its length first"),
  bug("M10", "a candidate names entries that are not on disk",
    "raft: a candidate asks with a log that is not durable"),
  bug("M11", "a node stands while its entries are being written",
    "raft: keeps what it held back when the term moves on"),
  bug("M12", "a node stands while a snapshot is being installed", "raft: leads while a snapshot is being restored"),
  bug("M13", "who is no voter takes part in elections", "raft: a member that does not vote stands for election"),
  bug("M14", "who was removed is asked to stand, and does", "raft: whoever is asked to stand does"),
  bug("M15", "an empty node elects itself", "replica: an empty directory founds a cluster alone"),
  bug("M16", "a member that has just become a voter refuses to vote",
    "raft: who does not vote as far as it knows refuses its vote"),
  cannotBe("M18", "an answer to a pre-vote carries a term that its asker has left",
    "A request for a pre-vote carries the asker's own term, which its receiver adopts: no answer is of a lower one"),
  bug("M19", "a refused pre-vote of a later term teaches nothing", "raft: a refusal of a later term is not heard"),
  bug("M21", "the leader that one follows may not stand", "raft: the leader that one follows is not listened to"),
  bug("M22", "a pre-candidate still knows a leader", "raft: who asks whether to stand still follows"),
  bug("M24", "a leader resigns though its quorum is there",
    "raft: a leader does not count itself among those who answer"),
  bug("M25", "whoever was cut off deposes the leader", "raft: listens to candidates while it hears its leader"),
  bug("M27", "timers fall into step", "raft: all wait for the same time"),
  bug("M28", "a restart forgets a lease, or waits too long", "raft: a restarted voter forgets what a lease rests on"),
  bug("M30", "term and vote are lost with the log", "storage: term and vote go with a log that is discarded"),
  bug("M31", "a leader votes for another one in its own term", "raft: votes again in the same term"),
  bug("M33", "terms and indexes are compared, or cut, as something else", "raft: indexes are compared as text"),
];

const OF_LOGS: readonly Bug[] = [
  bug("M34", "an entry of an earlier term is committed by counting",
    "raft: commits an entry of an older term by counting"),
  bug("M36", "an acknowledgement leaves before the entries are on disk", "raft: speaks before it is durable",
    "raft: a leader counts its own entries before they are durable",
    "storage: says that entries are durable without a sync"),
  bug("M39", "an acknowledgement covers what was not compared", "raft: acknowledges up to the end of its log"),
  bug("M40", "a follower commits what was not compared",
    "raft: commits beyond what the leader's message has verified"),
  bug("M42", "an append from the very beginning is not compared",
    "raft: what lies before the log's beginning counts as new"),
  bug("M43", "a term that is not known equals another one", "raft: what is not known of a term is a match"),
  bug("M45", "an old append cuts what it agrees with", "raft: an old message cuts what matches"),
  bug("M46", "cutting and appending are two steps", "raft: an old message cuts what matches"),
  cannotBe("M48", "what is committed is cut",
    "The guard is against other bugs: no correct leader asks for it, so without it nothing changes. Those others are "
      + "planted (M9, M34, M42)"),
  bug("M49", "what was compacted is taken for a conflict", "raft: what was compacted is taken for a conflict"),
  bug("M51", "entries are sent behind another predecessor than theirs",
    "raft: what was read back is sent from wherever the follower stands by then"),
  bug("M52", "a match index falls", "raft: an old acknowledgement takes a newer one back"),
  bug("M54", "an acknowledgement from before a cut counts", "raft: acknowledgements of an earlier term count",
    "raft: a leader counts what was lost"),
  bug("M55", "an old rejection leads back too far",
    "raft: an old rejection leads back behind what is acknowledged"),
  cannotBe("M57", "answers are heard in the wrong role",
    "What an answer could change belongs to a candidacy or to a leader's term, and is gone with it"),
  bug("M58", "a heartbeat's rejection is taken for a loss", "raft: any rejection is taken for the probe's"),
  bug("M60", "a quorum is computed from what was sorted before", "raft: what is counted is sorted only in part"),
  bug("M61", "a commit without all voters that count",
    "raft: a joint configuration is decided by the new voters alone"),
  bug("M63", "a write vouches for another entry at the same index",
    "raft: a write vouches for what was cut after it began"),
  cannotBe("M64", "answers of the disk overtake each other",
    "One group is under way at a time, and orders are answered in their order: there are no two answers"),
  bug("M66", "writing goes on behind a failure", "storage: goes on where a write has failed"),
  bug("M67", "an entry that was cut is still referred to", "raft: entries that were cut stay in memory"),
  bug("M69", "the applied index moves too early, or too late", "raft: all that is committed counts as applied at once"),
  bug("M70", "a probe is never sent again", "raft: a probe is waited for, for ever"),
  bug("M72", "a hint that does not lead back", "raft: the hint of a conflict is always the log's end"),
  bug("M73", "an early return loses what was to be said",
    "raft: what a step wants said is lost when the leader changes"),
  bug("M75", "a new disk under an old name counts as the old one",
    "replica: an empty disk answers for the one that was lost"),
];

const OF_DISKS: readonly Bug[] = [
  bug("M76", "the log is taken to be newer than the snapshot",
    "storage: the log is taken to be newer than the snapshot"),
  bug("M79", "a conflicting log stays under a new snapshot",
    "storage: an installed snapshot leaves a conflicting log behind"),
  bug("M81", "what was cut comes back", "storage: a truncation is not read back",
    "storage: a configuration that was cut is read back"),
  bug("M82", "a log that begins anew is off by one", "storage: a log that starts anew is off by one"),
  bug("M84", "a cache survives a truncation", "raft: entries that were cut stay in memory"),
  bug("M85", "a snapshot is named before its data is there",
    "storage: a file of pages gets its name before it is synced"),
  bug("M87", "a failed sync is tried again", "storage: goes on where a sync has failed"),
  bug("M88", "a segment is finished while it is being written", "storage: the first group of a segment is not synced",
    "storage: a recycled segment keeps its old header"),
  bug("M90", "state and applied index are not saved as one", "pages: a cut is read from the state as it goes on"),
  bug("M91", "what only the log has is compacted", "raft: the log is compacted before the snapshot is stored"),
  bug("M93", "a restart brings an old configuration back",
    "raft: a snapshot says who was of the cluster when the log began"),
  bug("M94", "entries are applied while a snapshot is being installed",
    "raft: applies while a snapshot is being installed"),
  bug("M96", "a snapshot is acknowledged before it is durable", "raft: a snapshot is acknowledged before it is durable",
    "storage: files are removed before the manifest is durable"),
  bug("M97", "an old snapshot takes the state back", "raft: an old snapshot takes the state back"),
  bug("M99", "a chunk is written where the one before ended",
    "raft: a chunk is written behind the one before, whichever it is"),
  bug("M100", "a snapshot that is needed is never sent", "raft: one snapshot fewer is sent than may be",
    "storage: a snapshot that is being sent is not pinned"),
  bug("M102", "a snapshot is taken while the state goes on", "pages: a cut is read from the state as it goes on",
    "pages: a cut that could not be stored is forgotten"),
];

const OF_MEMBERS_AND_READS: readonly Bug[] = [
  bug("M105", "a configuration outlives its entry", "raft: a configuration stays in force after its entry was cut",
    "storage: a configuration that was cut is read back"),
  bug("M106", "joint: one majority of all", "raft: a joint configuration is decided by a majority of all"),
  bug("M108", "who does not vote is counted", "raft: a standby is counted"),
  bug("M109", "a leader that is removed counts itself", "raft: a leader that removes itself counts itself"),
  cannotBe("M111", "a new voter waits for entries that are gone, and nothing can be changed any more",
    "Who is behind the beginning of the log gets a snapshot, whatever its role; and only who has caught up becomes a "
      + "voter"),
  bug("M112", "a member becomes a voter before it has caught up", "raft: a member that lags behind becomes a voter"),
  bug("M114", "an old answer confirms a new read", "raft: an answer to an earlier round confirms the latest",
    "raft: an old answer to a forwarded read is taken for the new one's"),
  bug("M115", "removed members confirm reads", "raft: reads are confirmed by those who voted when the term began"),
  bug("M117", "a read is confirmed by less than a majority", "raft: a read is confirmed without asking"),
  bug("M118", "commit index and leadership are of two terms", "raft: a read is confirmed without asking",
    "raft: reads before its term has committed"),
  bug("M121", "leadership goes to one that lags behind", "raft: hands over to one that lags behind"),
  bug("M123", "what is tried again is done again", "database: executes a repeated request again",
    "client: repeats a write whose outcome it does not know"),
  bug("M124", "maybe is reported as no", "database: says no for maybe when leadership is lost",
    "client: says no for maybe"),
];

const OF_SQLITE: readonly Bug[] = [
  bug("W1", "frames of a leadership that is lost stay", "database: commits of a lost leadership stay"),
  bug("W2", "frames without a commit stay for the next transaction",
    "pages: frames of a transaction that was rolled back stay"),
  cannotBe("W3", "a failed apply leaves the writer's lock behind",
    "Entries of others are applied to the pages, not through SQLite: there is no lock; a payload that does not fit "
      + "halts the node"),
  bug("W4", "a rollback without the lock leaves frames behind",
    "pages: frames of a transaction that was rolled back stay"),
  bug("W5", "an old leader's open transaction keeps entries from being applied",
    "database: an open transaction outlives its leadership"),
  bug("W6", "BEGIN is answered without asking who leads", "database: a new leader executes before it has caught up"),
  bug("W7", "a new leader reads before it has caught up", "database: a new leader executes before it has caught up",
    "database: a query does not wait for its index"),
  bug("W9", "a transaction begins in the middle of a checkpoint", "pages: a checkpoint does not wait for readers"),
  bug("W10", "a checkpoint while a snapshot is read", "storage: a snapshot that is being sent is not pinned",
    "pages: a cut is read from the state as it goes on"),
  cannotBe("W12", "a checkpoint leaves a WAL without a valid header",
    "SQLite alone writes that header; a checkpoint moves pages in memory, and tells SQLite so by a wal-index of none"),
  cannotBe("W13", "the page size is read from the wrong header",
    "It is a constant: there is no header that says anything else"),
  cannotBe("W15", "the page at 1 GiB is missing",
    "The simulator's databases are of some kilobytes. `test/cuts.test.ts` looks at that page by itself"),
  bug("W16", "a short read leaves old bytes", "sqlite: what lies beyond a file's end is not filled with zeros"),
  cannotBe("W18", "frames are read before SQLite has finished them",
    "They are read by what the release of the writer's lock calls, and by nothing else"),
  bug("W19", "a checkpoint with too few locks", "pages: a checkpoint does not wait for readers"),
  bug("W22", "another connection's cache is stale after a checkpoint", "pages: a header is used a second time"),
  bug("W24", "of several snapshots not the newest counts", "storage: a merge keeps the older version of a page"),
  bug("W25", "a checkpoint that is not synced", "storage: a file of pages gets its name before it is synced"),
  cannotBe("W27", "a transaction is committed in part", "A transaction is one entry: there is no part of it"),
  cannotBe("W28", "a delta is applied to another base than its own",
    "Payloads have whole pages so far: when they have deltas, it will be planted"),
];

export const BUGS: readonly Bug[] = [
  ...OF_ELECTIONS, ...OF_LOGS, ...OF_DISKS, ...OF_MEMBERS_AND_READS, ...OF_SQLITE,
];

/** The list that the catalogue is held against: every number of it is a bug above, and there are no others. */
export const NUMBERS: readonly string[] = (
  "M1 M3 M4 M5 M6 M7 M8 M9 M10 M11 M12 M13 M14 M15 M16 M18 M19 M21 M22 M24 M25 M27 M28 M30 M31 M33 "
  + "M34 M36 M39 M40 M42 M43 M45 M46 M48 M49 M51 M52 M54 M55 M57 M58 M60 M61 M63 M64 M66 M67 M69 M70 M72 M73 M75 "
  + "M76 M79 M81 M82 M84 M85 M87 M88 M90 M91 M93 M94 M96 M97 M99 M100 M102 "
  + "M105 M106 M108 M109 M111 M112 M114 M115 M117 M118 M121 M123 M124 "
  + "W1 W2 W3 W4 W5 W6 W7 W9 W10 W12 W13 W15 W16 W18 W19 W22 W24 W25 W27 W28"
).split(" ");
