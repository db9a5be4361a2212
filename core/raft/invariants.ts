/**
 * The laws of one node's Raft, over a state and over a step. Run after every step in tests and in the simulator. The
 * laws across nodes (figure 3) and across crashes are the simulator's.
 */
import { invariant } from "../invariant.ts";
import { sameEntry, type EntryId, type LogIndex, type MemberId, type Term } from "../types.ts";
import { isAtLeastAsUpToDate } from "./election.ts";
import { faultOf, isVoter, type Configuration, type MemberRole } from "./configuration.ts";
import { isEndless } from "./loss.ts";
import { Quorum } from "./quorum.ts";
import type { ProgressPhase } from "./progress.ts";
import { TermRuns } from "../term-runs.ts";

/** What can be seen of a Raft from outside. Cheap to take: nothing in it grows with the log. */
export interface RaftState {
  readonly id: MemberId;
  /** The one in force: the last in the log, committed or not. */
  readonly configuration: Configuration;
  /** Where its entry stands; 0: founded; at or below the base: a snapshot brought it. */
  readonly configurationIndex: LogIndex;
  /** Of that entry; 0: founded. */
  readonly configurationTerm: Term;
  readonly currentTerm: Term;
  readonly votedFor: MemberId | null;
  /** Whether currentTerm and votedFor are on disk as they stand here. */
  readonly hardStateDurable: boolean;
  readonly role: "follower" | "preCandidate" | "candidate" | "leader";
  /** null: unknown. */
  readonly leader: MemberId | null;
  readonly commitIndex: LogIndex;
  /** The last entry handed out by Apply or Restore. */
  readonly lastApplied: LogIndex;
  /** The last entry that was compacted away; 0/0: none. */
  readonly base: EntryId;
  /** What the stored snapshot ends with; 0/0: there is none. */
  readonly snapshot: EntryId;
  readonly last: EntryId;
  /** The last entry that is both on disk and in the log; below the base: nothing of it is. */
  readonly durable: EntryId;
  /** The highest entry that the disk has lost and that is not there again; null: there is none (loss.ts). */
  readonly lost: EntryId | null;
  /** Whether the disk has room for proposals. */
  readonly hasSpace: boolean;
  /** Where each run of equal terms begins, above the base. */
  readonly terms: readonly EntryId[];
  /** The first entry whose payload is in memory; last.index + 1: none is. */
  readonly firstCached: LogIndex;
  readonly cachedBytes: number;
  /** A leader's other members, sorted by id; empty unless this node leads. */
  readonly followers: readonly FollowerState[];
  /** Proposals without an outcome. */
  readonly openProposals: number;
  /** Leadership is being handed over. */
  readonly isTransferring: boolean;
  /** It may answer reads by itself now. */
  readonly hasLease: boolean;
}

export interface FollowerState {
  readonly id: MemberId;
  readonly role: MemberRole;
  readonly matchIndex: LogIndex;
  readonly phase: ProgressPhase["type"];
  /** As it said last. */
  readonly hasSpace: boolean;
  readonly hasLost: boolean;
  /** Changes when it says that it has lost what it acknowledged; 0: it never has in this term. */
  readonly takenBack: number;
}

export function checkState(state: RaftState): void {
  const { last, durable, commitIndex, base, snapshot } = state;
  const log = logOf(state);
  checkTerms(state);
  invariant(last.term <= state.currentTerm, "no entry is of a later term than the current one");
  invariant(commitIndex <= last.index, "only entries of the log are committed");
  invariant(state.lastApplied <= commitIndex, "only committed entries are applied");
  const isOfLog = durable.index < base.index || log.holds(durable);
  invariant(durable.index <= last.index && isOfLog, "what is durable is a beginning of the log");
  const inMemory = Math.max(durable.index, base.index) + 1;
  invariant(state.firstCached > base.index && state.firstCached <= inMemory, "what is not durable is in memory");
  invariant(base.index <= snapshot.index, "what has been compacted is in a snapshot");
  invariant(snapshot.index <= Math.max(commitIndex, base.index), "only what is committed is in a snapshot");
  invariant(faultOf(state.configuration.members) === null, "what is in force is a configuration");
  const inForce = { term: state.configurationTerm, index: state.configurationIndex };
  // Cut and replaced by another entry in one step, its index would still be there.
  invariant(log.holds(inForce) || inForce.index < base.index, "what is in force stands in the log");
  invariant(state.lost === null || state.role === "follower", "who has lost entries does not stand");
  switch (state.role) {
    case "follower":
      invariant(state.leader !== state.id, "a follower does not think that it leads");
      break;
    case "preCandidate":
      invariant(state.leader === null, "who asks whether to stand knows no leader");
      break;
    case "candidate":
      invariant(state.votedFor === state.id, "a candidate has voted for itself");
      invariant(state.leader === null, "a candidate knows no leader");
      break;
    case "leader":
      checkLeader(state, log);
  }
}

function logOf({ terms, last, base }: RaftState): TermRuns {
  return new TermRuns(terms, last, base);
}

function checkTerms({ terms, last, base }: RaftState): void {
  let before = base;
  for (const run of terms) {
    const ascends = run.term > before.term || sameEntry(before, base);
    invariant(ascends && run.term >= before.term && run.index > before.index, "the runs of terms ascend");
    before = run;
  }
  invariant(terms.length === 0 || terms[0]?.index === base.index + 1, "the log begins behind its base");
  invariant(before.term === last.term && before.index <= last.index, "the log ends in its last run");
}

function checkLeader(state: RaftState, log: TermRuns): void {
  invariant(state.leader === state.id, "a leader knows itself as the leader");
  invariant(state.votedFor === state.id, "a leader has voted for itself");
  invariant(state.hardStateDurable, "a leader's term is durable by its own vote");
  const isOwnRemoval = state.configurationIndex > state.commitIndex;
  invariant(isVoter(state.configuration, state.id) || isOwnRemoval, "only a voter leads, but to commit its removal");
  const matches = new Map(state.followers.map(({ id, matchIndex }) => [id, matchIndex]));
  for (const index of matches.values()) invariant(index <= state.last.index, "nobody matches more than the leader has");
  // Detects a forgotten call: whatever may be counted has been.
  const matchOf = (id: MemberId): number => (id === state.id ? state.durable.index : (matches.get(id) ?? 0));
  const quorum = new Quorum(state.configuration).valueReached(matchOf) as LogIndex;
  const counts = quorum > state.commitIndex && log.idAt(quorum).term === state.currentTerm;
  invariant(!counts, "a leader has committed as far as the quorum allows");
}

export function checkStep(before: RaftState, after: RaftState): void {
  invariant(before.currentTerm <= after.currentTerm, "the term never falls");
  invariant(before.commitIndex <= after.commitIndex, "the commit index never falls");
  invariant(before.lastApplied <= after.lastApplied, "the last applied index never falls");
  invariant(before.base.index <= after.base.index, "what has been compacted does not come back");
  invariant(before.snapshot.index <= after.snapshot.index, "a snapshot is replaced by a later one only");
  // By Log Matching that entry stands for all before it; what lies behind the base is committed.
  const committed = logOf(before).idAt(before.commitIndex);
  const isKept = committed.index < after.base.index || logOf(after).holds(committed);
  invariant(isKept, "a committed entry never changes");
  checkLoss(before, after);
  const isWinner = before.role === "candidate" && before.currentTerm === after.currentTerm;
  if (after.role === "leader" && before.role !== "leader") invariant(isWinner, "only a candidate becomes a leader");
  if (before.currentTerm !== after.currentTerm) return;
  if (before.votedFor !== null) invariant(after.votedFor === before.votedFor, "one vote per term");
  if (before.leader !== null && after.leader !== null) {
    invariant(after.leader === before.leader, "one leader per term");
  }
  if (after.role === "candidate") invariant(before.role === "candidate", "who stands begins a term");
  if (before.role === "leader" && after.role === "leader") checkLeaderStep(before, after);
  if (before.role === "leader" && after.role !== "leader") {
    invariant(after.role === "follower" && after.leader === null, "a leader leads to the end of its term, or resigns");
  }
}

/** It may turn out to be less than the disk could say; it never comes back in a process life. */
function checkLoss(before: RaftState, after: RaftState): void {
  if (before.lost === after.lost) return;
  invariant(before.lost !== null, "what is lost is known at the start");
  const hasNoEnd = isEndless(before.lost);
  invariant(hasNoEnd || after.lost === null, "only where the disk could not say how much is lost a leader bounds it");
  // In the very step: but not to less than an entry of its term.
  const isThere = hasNoEnd ? after.durable.term >= before.lost.term : isAtLeastAsUpToDate(after.durable, before.lost);
  invariant(after.lost !== null || isThere, "a loss is forgotten when the durable log is as far again");
}

function checkLeaderStep(before: RaftState, after: RaftState): void {
  invariant(before.last.index <= after.last.index, "a leader never shortens its log");
  const isKept = logOf(after).holds(before.last) || before.last.index < after.base.index;
  invariant(isKept, "a leader only appends to its log");
  invariant(before.durable.index <= after.durable.index, "what a leader has on disk stays");
  const advanced = after.commitIndex > before.commitIndex;
  const committedTerm = advanced ? logOf(after).idAt(after.commitIndex).term : null;
  invariant(!advanced || committedTerm === after.currentTerm, "a leader counts only for entries of its own term");
  const isChanged = after.configurationIndex > before.configurationIndex;
  invariant(!isChanged || before.configurationIndex <= after.commitIndex, "configurations change one at a time");
  const followers = new Map(after.followers.map((follower) => [follower.id, follower]));
  for (const { id, matchIndex, takenBack } of before.followers) {
    const now = followers.get(id);
    const isKept = now === undefined || now.matchIndex >= matchIndex || now.takenBack !== takenBack;
    invariant(isKept, "a match index never falls within a term, unless the member has lost what it acknowledged");
  }
}
