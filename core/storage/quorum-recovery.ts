/**
 * When the majority of a cluster is gone for good: one survivor's directory becomes a cluster of its own, with the
 * effect of every entry that it has. That cluster has another id and the survivor another incarnation, so that no
 * message of the old one is ever taken for one of the new: the old one may still exist somewhere.
 *
 * What is lost by it nobody can know who has only this directory: an entry that a majority had acknowledged may have
 * been on the others alone. And what is kept may be more than was committed: an entry may have been on this disk alone.
 * Both are said; neither can be helped.
 */
import { invariant } from "../invariant.ts";
import {
  type Configuration, type Member, everybodyIn, isJoint, isVoter, memberOf, newMember, votersOf,
} from "../raft/configuration.ts";
import { type EntryId, type Identity, type LogIndex, memberIdOf } from "../types.ts";
import type { Judged } from "./block.ts";
import type { StorageFault, StorageLimits } from "./boundary.ts";
import { foundDirectory } from "./directory-founding.ts";
import type { OfflineMember } from "./directory-reading.ts";
import type { DiskProcedure } from "./file-window.ts";
import { readState } from "./offline-state.ts";

/** What a recovery would keep, and what is known of what it would not. */
export interface QuorumLoss {
  /** The last entry whose effect is kept. */
  readonly last: EntryId;
  /** Up to here all was committed; null: of no entry is that known. */
  readonly committed: EntryId | null;
  /** Kept, and perhaps never committed; null: there are none. */
  readonly uncertain: { readonly from: LogIndex; readonly through: LogIndex } | null;
  /** This disk had acknowledged as much, and has it no more; null: nothing is known to be lost. */
  readonly lost: EntryId | null;
  readonly damage: readonly StorageFault[];
  /** Who else was of the cluster: what only they had is lost. */
  readonly leftOut: readonly Member[];
}

export function judgeQuorumLoss({ identity, pages, last, lost, damage, configuration }: OfflineMember): QuorumLoss {
  const self = memberIdOf(identity.node, identity.incarnation);
  const committed = pages.snapshot?.entry ?? null;
  const from = ((committed?.index ?? 0) + 1) as LogIndex;
  return {
    last, committed, lost, damage,
    uncertain: from > last.index ? null : { from, through: last.index },
    leftOut: everybodyIn(configuration).filter(({ id }) => id !== self),
  };
}

/** Whether this member needs no other to decide: it is the only voter, and nothing says that it lacks anything. */
export function decidesAlone({ identity, configuration, lost }: OfflineMember): boolean {
  const self = memberIdOf(identity.node, identity.incarnation);
  const isOnly = isVoter(configuration, self) && votersOf(configuration).length === 1 && !isJoint(configuration);
  return isOnly && lost === null;
}

export interface NewCluster {
  /** Of the same node: with a new incarnation, and a cluster that it alone has founded. */
  readonly identity: Identity;
  /** Of a database that nothing has been written to yet. */
  readonly pageSize: number;
  readonly limits: StorageLimits;
}

/** The directory becomes that of the new cluster, as a whole. False: there was no space, it is what it was. */
export function* recoverQuorum(member: OfflineMember, cluster: NewCluster): DiskProcedure<Judged<boolean>> {
  const { identity, pageSize, limits } = cluster;
  invariant(identity.node === member.identity.node, "a survivor keeps its name");
  invariant(identity.cluster?.id !== member.owner.cluster, "the new cluster is another one than the old");
  const state = yield* readState(member, member.last.index, pageSize);
  if (!state.ok) return state;
  return yield* foundDirectory({
    identity, limits, entry: member.last, database: state.value, configuration: ownConfiguration(member, identity),
    hardState: { currentTerm: member.term.hardState.currentTerm, votedFor: null },
  });
}

/** Only the survivor, as what it was known for. */
function ownConfiguration({ identity: old, configuration }: OfflineMember, identity: Identity): Configuration {
  const known = memberOf(configuration, memberIdOf(old.node, old.incarnation));
  const self = newMember(memberIdOf(identity.node, identity.incarnation), "voter");
  const { address, failureDomain, priority } = known ?? self;
  return { members: [{ ...self, address, failureDomain, priority }], outgoing: [], version: configuration.version };
}
