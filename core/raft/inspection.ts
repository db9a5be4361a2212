/** What can be seen of a Raft from outside: for its laws (invariants.ts), for oracles and for operators. */
import { NO_ENTRY } from "../types.ts";
import type { Elections } from "./elections.ts";
import type { FollowerState, RaftState } from "./invariants.ts";
import type { Leader } from "./leader.ts";
import type { NodeState } from "./node-state.ts";

const NOBODY: readonly FollowerState[] = [];

/** @param leader null: this node does not lead */
export function inspect(node: NodeState, elections: Elections, leader: Leader | null): RaftState {
  const { log, writes, delivery, configurations } = node;
  return {
    id: node.id,
    configuration: configurations.current,
    configurationIndex: configurations.index,
    configurationTerm: configurations.entry.term,
    currentTerm: node.currentTerm,
    votedFor: node.votedFor,
    hardStateDurable: writes.hardStateDurable,
    role: leader !== null ? "leader" : (elections.candidacy?.type ?? "follower"),
    leader: leader !== null ? node.id : elections.leader,
    commitIndex: delivery.commitIndex,
    lastApplied: delivery.lastApplied,
    base: log.base,
    snapshot: node.snapshot?.entry ?? NO_ENTRY,
    lost: node.loss.entry,
    hasSpace: node.hasSpace,
    last: log.last,
    durable: writes.durable,
    terms: log.runs,
    firstCached: log.firstCached,
    cachedBytes: log.cachedBytes,
    followers: leader === null ? NOBODY : describeFollowers(leader),
    openProposals: node.proposals.openCount,
    isTransferring: leader !== null && leader.handover !== null,
    hasLease: leader?.hasLease === true,
  };
}

function describeFollowers({ followers }: Leader): readonly FollowerState[] {
  return followers.all.map(({ id, role, matchIndex, phase, hasSpace, hasLost }) => {
    return { id, role, matchIndex, phase: phase.type, hasSpace, hasLost, takenBack: followers.takenBackOf(id) };
  });
}
