/**
 * The laws of one node's Raft, over a state and over a step. Run after every step in tests and in the simulator. The
 * laws across nodes (figure 3) and across crashes are the simulator's.
 */
import { invariant } from "../invariant.ts";
import { NO_ENTRY, sameEntry, type EntryId, type LogIndex, type MemberId, type Term } from "../types.ts";
import { quorumIndex } from "./commit.ts";
import { TermRuns } from "../term-runs.ts";

/** What can be seen of a Raft from outside. Cheap to take: nothing in it grows with the log. */
export interface RaftSnapshot {
  readonly id: MemberId;
  readonly voters: readonly MemberId[];
  readonly currentTerm: Term;
  readonly votedFor: MemberId | null;
  /** Whether currentTerm and votedFor are on disk as they stand here. */
  readonly hardStateDurable: boolean;
  readonly role: "follower" | "candidate" | "leader";
  /** null: unknown. */
  readonly leader: MemberId | null;
  readonly commitIndex: LogIndex;
  /** The last entry handed out by Apply. */
  readonly lastApplied: LogIndex;
  readonly last: EntryId;
  /** The last entry that is both on disk and in the log. */
  readonly durable: EntryId;
  /** Where each run of equal terms begins. */
  readonly terms: readonly EntryId[];
  /** The first entry whose payload is in memory; last.index + 1: none is. */
  readonly firstCached: LogIndex;
  readonly cachedBytes: number;
  /** A leader's followers, sorted by id; empty unless this node leads. */
  readonly matchIndex: readonly (readonly [MemberId, LogIndex])[];
  /** Proposals without an outcome. */
  readonly openProposals: number;
}

export function checkState(state: RaftSnapshot): void {
  const { last, durable, commitIndex } = state;
  const log = new TermRuns(state.terms, last);
  checkTerms(state);
  invariant(last.term <= state.currentTerm, "no entry is of a later term than the current one");
  invariant(commitIndex <= last.index, "only entries of the log are committed");
  invariant(state.lastApplied <= commitIndex, "only committed entries are applied");
  invariant(durable.index <= last.index && log.holds(durable), "what is durable is a beginning of the log");
  invariant(state.firstCached >= 1 && state.firstCached <= durable.index + 1, "what is not durable is in memory");
  switch (state.role) {
    case "follower":
      invariant(state.leader !== state.id, "a follower does not think that it leads");
      break;
    case "candidate":
      invariant(state.votedFor === state.id, "a candidate has voted for itself");
      invariant(state.leader === null, "a candidate knows no leader");
      break;
    case "leader":
      checkLeader(state, log);
  }
}

function checkTerms({ terms, last }: RaftSnapshot): void {
  let before = NO_ENTRY;
  for (const run of terms) {
    invariant(run.term > before.term && run.index > before.index, "the runs of terms ascend");
    before = run;
  }
  invariant(terms.length === 0 || terms[0]?.index === 1, "the log begins at 1");
  invariant(before.term === last.term && before.index <= last.index, "the log ends in its last run");
}

function checkLeader(state: RaftSnapshot, log: TermRuns): void {
  invariant(state.voters.includes(state.id), "only a voter leads");
  invariant(state.leader === state.id, "a leader knows itself as the leader");
  invariant(state.votedFor === state.id, "a leader has voted for itself");
  invariant(state.hardStateDurable, "a leader's term is durable by its own vote");
  const matchIndexes = state.matchIndex.map(([, index]) => index);
  invariant(matchIndexes.every((index) => index <= state.last.index), "nobody matches more than the leader has");
  // Detects a forgotten call: whatever may be counted has been.
  const quorum = quorumIndex([state.durable.index, ...matchIndexes]);
  const counts = quorum > state.commitIndex && log.idAt(quorum).term === state.currentTerm;
  invariant(!counts, "a leader has committed as far as the quorum allows");
}

export function checkStep(before: RaftSnapshot, after: RaftSnapshot): void {
  invariant(before.currentTerm <= after.currentTerm, "the term never falls");
  invariant(before.commitIndex <= after.commitIndex, "the commit index never falls");
  invariant(before.lastApplied <= after.lastApplied, "the last applied index never falls");
  const committed = new TermRuns(before.terms, before.last).idAt(before.commitIndex);
  // By Log Matching that entry stands for all before it.
  invariant(new TermRuns(after.terms, after.last).holds(committed), "a committed entry never changes");
  if (before.currentTerm !== after.currentTerm) return;
  if (before.votedFor !== null) invariant(after.votedFor === before.votedFor, "one vote per term");
  if (before.leader !== null) invariant(after.leader === before.leader, "one leader per term");
  if (before.role === "leader") checkLeaderStep(before, after);
}

function checkLeaderStep(before: RaftSnapshot, after: RaftSnapshot): void {
  invariant(after.role === "leader", "a leader leads to the end of its term");
  invariant(before.last.index <= after.last.index, "a leader never shortens its log");
  const kept = before.terms.every((run, at) => sameEntry(run, after.terms[at] ?? NO_ENTRY));
  invariant(kept && new TermRuns(after.terms, after.last).holds(before.last), "a leader only appends to its log");
  invariant(before.durable.index <= after.durable.index, "what a leader has on disk stays");
  const advanced = after.commitIndex > before.commitIndex;
  const committedTerm = advanced ? new TermRuns(after.terms, after.last).idAt(after.commitIndex).term : null;
  invariant(!advanced || committedTerm === after.currentTerm, "a leader counts only for entries of its own term");
  const matches = new Map(after.matchIndex);
  for (const [node, index] of before.matchIndex) {
    invariant((matches.get(node) ?? -1) >= index, "a match index never falls within a term");
  }
}
