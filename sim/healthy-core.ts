/**
 * A healthy core: nodes that are enough, when all the others are broken for good. What a cluster owes its clients rests
 * on no more than that: the core elects, serves, and brings all of its own to the same state, whatever the others do.
 *
 * The hard idea is which configuration to go by. Nobody knows for sure which one is in force; so the core has a quorum,
 * of undamaged disks, of each that may be: the last one that is known to be committed, and any that stands behind it.
 */
import type { MemberId } from "../core/types.ts";
import { type Dice, shuffle } from "./chance.ts";
import type { Membership } from "./membership.ts";
import { showConfiguration } from "./oracles/quorum.ts";
import type { NodeProcess } from "./process.ts";

export interface Core {
  readonly nodes: readonly NodeProcess[];
  readonly outside: readonly NodeProcess[];
}

/** Of a hundred nodes that are not needed: how many are outside. */
const OUTSIDE_PERCENT = 75;

/** null: there is none, as nobody has founded a cluster, or as `whatIsMissing` says. */
export function chooseCore(nodes: readonly NodeProcess[], membership: Membership, dice: Dice): Core | null {
  const whole = nodes.filter((node) => node.isUsed && membership.isWholeMember(node));
  let core = new Set(whole);
  if (!isEnough(core, membership)) return null;
  for (const node of shuffle(whole, dice)) {
    const without = new Set([...core].filter((other) => other !== node));
    if (isEnough(without, membership) && dice.chance(OUTSIDE_PERCENT)) core = without;
  }
  return { nodes: nodes.filter((node) => core.has(node)), outside: nodes.filter((node) => !core.has(node)) };
}

function isEnough(nodes: ReadonlySet<NodeProcess>, membership: Membership): boolean {
  return membership.possibleConfigurations().length > 0 && whatIsMissing(nodes, membership) === null;
}

/** Which quorum these nodes do not have, and what of it stands where; null: they have every one that they may need. */
export function whatIsMissing(nodes: ReadonlySet<NodeProcess>, membership: Membership): string | null {
  const ids = new Set([...nodes].map((node) => membership.idOf(node)).filter((id) => id !== null));
  for (const { configuration, index, knownBy } of membership.possibleConfigurations()) {
    const missing = membership.missingFrom(configuration, (id: MemberId) => ids.has(id));
    if (missing.length === 0) continue;
    const what = `configuration ${index} (${showConfiguration(configuration)}), which ${knownBy.join(" ")} has`;
    return `${what}, needs one more of ${missing.join(" ")}`;
  }
  return null;
}
