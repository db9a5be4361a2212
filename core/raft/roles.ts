/**
 * Which member should have which role, as a function of values: the leader asks it now and then, and proposes what it
 * says. Like dqlite's: voters and standbys are kept at target counts, the dead replaced, failure domains spread.
 *
 * It fills up and swaps, and never lowers a number (rule "automatic role changes never lower the number of voters"): a
 * voter is demoted only in the step that promotes another, and voters or standbys above the target are what an operator
 * asked for. So automation never makes a cluster depend on fewer nodes than somebody wanted.
 *
 * The hard idea is that it comes to rest. Each step strictly lowers this measure, compared from left to right, as long
 * as nobody dies, comes back or catches up; so two of them cannot undo each other for ever:
 *
 *   dead voters · missing voters · dead standbys · missing standbys · pairs of voters that share a failure domain ·
 *   pairs of voters and standbys that do
 *
 * Pairs, because they tell three voters in one domain from two and two. Who names no domain shares none. Only the
 * living count there: where the dead were does not matter.
 */
import { compareNodeIds, type MemberId } from "../types.ts";
import {
  isJoint, type Configuration, type ConfigurationOperation, type Member, type MemberRole,
} from "./configuration.ts";

export interface RoleTargets {
  /** Odd. */
  readonly voters: number;
  readonly standbys: number;
}

/** Neither alive nor dead: a leader that is new has not heard it yet, and does nothing for it or against it. */
export interface Standing {
  /** It has been heard of in this term, and lately, and is not about to stop. */
  readonly isAlive: boolean;
  /** It has not been heard of for a long time, or is about to stop. */
  readonly isDead: boolean;
  /** Whether its log is about as far as the leader's. */
  readonly isCaughtUp: boolean;
}

/**
 * What to change now: at most one promotion and one demotion, in one step; empty: nothing. The leader is demoted only
 * if it is about to stop. Nobody is replaced for a priority: that decides between those who would do equally well.
 */
export function adjustRoles(
  configuration: Configuration, leader: MemberId, targets: RoleTargets, standingOf: (id: MemberId) => Standing,
): readonly ConfigurationOperation[] {
  if (isJoint(configuration)) return [];
  const cast = castOf(configuration, leader, targets, standingOf);
  return replaceVoter(cast) ?? addVoter(cast) ?? replaceStandby(cast) ?? addStandby(cast) ??
    spreadVoters(cast) ?? spreadStandbys(cast) ?? [];
}

/** The members by what they are good for. */
interface Cast {
  readonly leader: MemberId;
  readonly voters: readonly Member[];
  readonly deadVoters: readonly Member[];
  readonly livingVoters: readonly Member[];
  readonly standbys: readonly Member[];
  readonly deadStandbys: readonly Member[];
  readonly livingStandbys: readonly Member[];
  /** Standbys who could vote at once. */
  readonly candidates: readonly Member[];
  readonly livingSpares: readonly Member[];
  readonly missingVoters: number;
  readonly missingStandbys: number;
}

type Step = readonly ConfigurationOperation[] | null;

function castOf(
  { members }: Configuration, leader: MemberId, targets: RoleTargets, standingOf: (id: MemberId) => Standing,
): Cast {
  const inRole = (wanted: MemberRole): Member[] => members.filter(({ role }) => role === wanted);
  const isAlive = ({ id }: Member): boolean => standingOf(id).isAlive;
  const isDead = ({ id }: Member): boolean => standingOf(id).isDead;
  const voters = inRole("voter");
  const standbys = inRole("standby");
  const deadVoters = voters.filter(isDead);
  const livingStandbys = standbys.filter(isAlive);
  const missingVoters = Math.max(0, targets.voters - voters.length);
  // Who is to vote has been a standby before, to catch up: so as many are needed, even where none are wanted for good.
  const wantedStandbys = Math.max(targets.standbys, missingVoters + deadVoters.length);
  return {
    leader, voters, deadVoters, livingVoters: voters.filter(isAlive), standbys, deadStandbys: standbys.filter(isDead),
    livingStandbys, candidates: livingStandbys.filter(({ id }) => standingOf(id).isCaughtUp),
    livingSpares: inRole("spare").filter(isAlive), missingVoters,
    missingStandbys: Math.max(0, wantedStandbys - standbys.length),
  };
}

/** The dead become spares: they are sent nothing, and come back as standbys if there is room. */
function replaceVoter({ deadVoters, livingVoters, candidates, leader }: Cast): Step {
  // A leader that is about to stop still leads: it comes last.
  const others = deadVoters.filter(({ id }) => id !== leader);
  const dead = leastWanted(others.length > 0 ? others : deadVoters);
  const candidate = bestIn(candidates, livingVoters);
  return dead === null || candidate === null ? null : [put(candidate, "voter"), put(dead, "spare")];
}

function addVoter({ voters, livingVoters, candidates, missingVoters }: Cast): Step {
  if (missingVoters === 0) return null;
  // An even number of voters bears no more failures than one voter fewer, and has one more that can fail: it is passed
  // through only where somebody else is ready to make it odd again.
  const needed = voters.length % 2 === 1 ? 2 : 1;
  const candidate = bestIn(candidates, livingVoters);
  return candidate === null || candidates.length < needed ? null : [put(candidate, "voter")];
}

function replaceStandby({ deadStandbys, livingSpares, livingVoters, livingStandbys }: Cast): Step {
  const dead = leastWanted(deadStandbys);
  const spare = bestIn(livingSpares, [...livingVoters, ...livingStandbys]);
  return dead === null || spare === null ? null : [put(spare, "standby"), put(dead, "spare")];
}

function addStandby({ missingStandbys, livingSpares, livingVoters, livingStandbys }: Cast): Step {
  const spare = bestIn(livingSpares, [...livingVoters, ...livingStandbys]);
  return missingStandbys === 0 || spare === null ? null : [put(spare, "standby")];
}

function spreadVoters({ leader, livingVoters, candidates }: Cast): Step {
  const candidate = bestIn(candidates, livingVoters);
  const crowded = mostCrowded(livingVoters.filter(({ id }) => id !== leader), livingVoters);
  if (candidate === null || crowded === null || !spreads(candidate, crowded, livingVoters)) return null;
  return [put(candidate, "voter"), put(crowded, "standby")];
}

function spreadStandbys({ deadVoters, livingVoters, livingStandbys, livingSpares }: Cast): Step {
  // A standby on its way to replace a dead voter is not called back half-way.
  if (deadVoters.length > 0) return null;
  const all = [...livingVoters, ...livingStandbys];
  const spare = bestIn(livingSpares, all);
  const crowded = mostCrowded(livingStandbys, all);
  if (spare === null || crowded === null || !spreads(spare, crowded, all)) return null;
  return [put(spare, "standby"), put(crowded, "spare")];
}

/** Whether fewer pairs share a domain once `newcomer` stands in for `leaver`, one of `members`. */
function spreads(newcomer: Member, leaver: Member, members: readonly Member[]): boolean {
  const rest = members.filter(({ id }) => id !== leaver.id);
  return sharing(newcomer, rest) < sharing(leaver, rest);
}

/** How many of the members share its failure domain, itself included if it is among them. */
function sharing({ failureDomain }: Member, members: readonly Member[]): number {
  return failureDomain === "" ? 0 : members.filter((other) => other.failureDomain === failureDomain).length;
}

/** Whose domain is used least, then who has the higher priority, then the lower id. */
function bestIn(candidates: readonly Member[], members: readonly Member[]): Member | null {
  return first(candidates, (a, b) => sharing(a, members) - sharing(b, members) || byRank(a, b));
}

function mostCrowded(candidates: readonly Member[], members: readonly Member[]): Member | null {
  return first(candidates, (a, b) => sharing(b, members) - sharing(a, members) || byRank(b, a));
}

function leastWanted(members: readonly Member[]): Member | null {
  return first(members, (a, b) => byRank(b, a));
}

function byRank(a: Member, b: Member): number {
  return b.priority - a.priority || compareNodeIds(a.id, b.id);
}

function first(members: readonly Member[], compare: (a: Member, b: Member) => number): Member | null {
  return [...members].sort(compare)[0] ?? null;
}

function put(member: Member, role: MemberRole): ConfigurationOperation {
  return { type: "put", member: { ...member, role } };
}
