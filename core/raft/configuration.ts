/**
 * Who is of the cluster, and in which role: a value, and what may be made of it. Not here: which one is in force
 * (configurations.ts), what a majority is (quorum.ts), who would be better in which role (roles.ts).
 *
 *              operations touch no voter
 *     simple ─────────────────────────────▶ simple
 *        │                                     ▲
 *        │ operations touch voters             │ once the joint one is committed, by the leader itself
 *        └──────────────▶ joint ───────────────┘
 *
 * Joint consensus (§6): while the change of voters is under way each decision needs a majority of the incoming voters
 * *and* one of the outgoing ones, so any change can be made in one step. Configurations take effect when appended, not
 * when committed; one that is cut off the log again takes its effect back with it.
 */
import { compareNodeIds, nodeOf, type MemberId } from "../types.ts";

/**
 * voter: has the log and votes. standby: has the log and does not vote. spare: knows who leads, and nothing else. Only
 * voters are counted, for anything.
 */
export type MemberRole = "voter" | "standby" | "spare";

export interface Member {
  readonly id: MemberId;
  readonly role: MemberRole;
  /** Where drivers reach it; opaque here, empty: they know by themselves. */
  readonly address: string;
  /** Members that fail together name the same one; empty: none is named. */
  readonly failureDomain: string;
  /** 0 to 255. Of members that are otherwise equal the one with the higher priority votes, and leads. */
  readonly priority: number;
}

export interface Configuration {
  /** Sorted by id; at most one of each node. At least one votes. */
  readonly members: readonly Member[];
  /** Joint: the voters that are being left, as they were, sorted by id. Otherwise empty. */
  readonly outgoing: readonly Member[];
  /** The feature version that all members understand and that is in force from here on (features.ts). */
  readonly version: number;
}

export type ConfigurationOperation =
  /** Adds a member, or gives one that there is another role, address, failure domain or priority. */
  | { readonly type: "put"; readonly member: Member }
  | { readonly type: "remove"; readonly id: MemberId };

export const MAX_MEMBERS = 64;
/** A node's name, "@", 16 hex digits. */
export const MAX_ID_LENGTH = 80;
export const MAX_ADDRESS_LENGTH = 255;
export const MAX_PRIORITY = 255;
export const DEFAULT_PRIORITY = 100;

/** Why operations make no configuration. */
export type ConfigurationFault =
  | "noVoters"
  | "unknownMember"
  | "sameNode"
  | "tooMany"
  | "impossibleMember"
  | "noChange";

export type PlannedChange =
  | { readonly ok: true; readonly configuration: Configuration }
  | { readonly ok: false; readonly fault: ConfigurationFault };

/** All of these vote, and nothing else is known of them: what a cluster is founded with. */
export function foundingConfiguration(voters: readonly MemberId[]): Configuration {
  const members = [...voters].sort(compareNodeIds).map((id): Member => newMember(id, "voter"));
  return { members, outgoing: [], version: 1 };
}

export function newMember(id: MemberId, role: MemberRole): Member {
  return { id, role, address: "", failureDomain: "", priority: DEFAULT_PRIORITY };
}

export function isJoint(configuration: Configuration): boolean {
  return configuration.outgoing.length > 0;
}

/** The voters that count, those that are being left not among them. */
export function votersOf({ members }: Configuration): readonly MemberId[] {
  return members.filter(({ role }) => role === "voter").map(({ id }) => id);
}

/** Whether its vote counts, in either half of a joint configuration. */
export function isVoter({ members, outgoing }: Configuration, id: MemberId): boolean {
  return members.some((member) => member.id === id && member.role === "voter") || outgoing.some(isOf(id));
}

/** Whether nobody else votes, nor has to be asked: not while others are being left. */
export function isOnlyVoter(configuration: Configuration, id: MemberId): boolean {
  return isVoter(configuration, id) && votersOf(configuration).length === 1 && configuration.outgoing.length === 0;
}

/** Everybody a leader speaks to, sorted by id: those that are being left too, until they are. */
export function everybodyIn({ members, outgoing }: Configuration): readonly Member[] {
  if (outgoing.length === 0) return members;
  const left = outgoing.filter(({ id }) => !members.some(isOf(id)));
  return left.length === 0 ? members : [...members, ...left].sort((a, b) => compareNodeIds(a.id, b.id));
}

export function memberOf(configuration: Configuration, id: MemberId): Member | null {
  return configuration.members.find(isOf(id)) ?? configuration.outgoing.find(isOf(id)) ?? null;
}

/** What the operations, all of them or none, make of a configuration that is not joint. */
export function planChange(current: Configuration, operations: readonly ConfigurationOperation[]): PlannedChange {
  const members = new Map(current.members.map((member) => [member.id, member]));
  for (const operation of operations) {
    if (operation.type === "put") {
      if (!isPossible(operation.member)) return { ok: false, fault: "impossibleMember" };
      members.set(operation.member.id, operation.member);
    } else if (!members.delete(operation.id)) return { ok: false, fault: "unknownMember" };
  }
  const planned = [...members.values()].sort((a, b) => compareNodeIds(a.id, b.id));
  const fault = faultOf(planned);
  if (fault !== null) return { ok: false, fault };
  if (sameMembers(planned, current.members)) return { ok: false, fault: "noChange" };
  const configuration: Configuration = { members: planned, outgoing: [], version: current.version };
  if (sameIds(votersOf(configuration), votersOf(current))) return { ok: true, configuration };
  const outgoing = current.members.filter(({ role }) => role === "voter");
  return { ok: true, configuration: { ...configuration, outgoing } };
}

/** What a joint configuration is left for. */
export function leaveJoint({ members, version }: Configuration): Configuration {
  return { members, outgoing: [], version };
}

/** What no configuration is. Also asked of those that come from other nodes. */
export function faultOf(members: readonly Member[]): ConfigurationFault | null {
  if (members.length > MAX_MEMBERS) return "tooMany";
  if (!members.every(isPossible)) return "impossibleMember";
  if (new Set(members.map(({ id }) => nodeOf(id))).size !== members.length) return "sameNode";
  return members.some(({ role }) => role === "voter") ? null : "noVoters";
}

/** Whether it can be written down: an entry that nobody can read would stand in the way of all that follow. */
function isPossible({ id, address, failureDomain, priority }: Member): boolean {
  const isName = id.length <= MAX_ID_LENGTH && /^[!-~]+$/.test(id);
  const isPriority = Number.isSafeInteger(priority) && priority >= 0 && priority <= MAX_PRIORITY;
  const isShort = address.length <= MAX_ADDRESS_LENGTH && failureDomain.length <= MAX_ADDRESS_LENGTH;
  return isName && isShort && isPriority;
}

function sameMembers(a: readonly Member[], b: readonly Member[]): boolean {
  return a.length === b.length && a.every((member, at) => sameMember(member, b[at] as Member));
}

function sameMember(a: Member, b: Member): boolean {
  const isSame = a.id === b.id && a.role === b.role && a.address === b.address;
  return isSame && a.failureDomain === b.failureDomain && a.priority === b.priority;
}

function sameIds(a: readonly MemberId[], b: readonly MemberId[]): boolean {
  return a.length === b.length && a.every((id, at) => id === b[at]);
}

function isOf(id: MemberId): (member: Member) => boolean {
  return (member) => member.id === id;
}
