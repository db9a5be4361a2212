/** What can be seen of a node and, through it, of its cluster: a value for applications and operators. */
import type { Configuration, Member } from "../core/raft/configuration.ts";
import { nodeOf } from "../core/types.ts";
import { formatAddress } from "../io/address.ts";
import type { Driver } from "../io/driver.ts";
import type { StorageStatus } from "../io/driver-status.ts";
import type { Role } from "./member-fields.ts";
import type { CheckedOptions } from "./options.ts";

export interface NodeStatus {
  readonly id: string;
  readonly directory: string;
  /** Where it listens, with the port that it got; null: nowhere. */
  readonly address: string | null;
  /** null: not founded yet, since not every node of the cluster has been seen, or this node was closed. */
  readonly cluster: string | null;
  /** The term of office, as far as this node knows. */
  readonly term: number;
  /** The leader's id; null: none is known. */
  readonly leader: string | null;
  /** The last entry of this node's log, the last known to be committed, and the last applied; 0: none, or closed. */
  readonly lastIndex: number;
  readonly commitIndex: number;
  readonly appliedIndex: number;
  readonly storage: StorageStatus;
  /** All members of the cluster, this node included, as far as it knows; sorted by id. Empty: it is in none yet. */
  readonly members: readonly MemberStatus[];
  /** Nodes that have asked this one to be let in: `addMember` does it. */
  readonly applicants: readonly Applicant[];
  /** Whom this node calls. */
  readonly peers: readonly PeerStatus[];
  /** Why the node has stopped for good; null: it runs, or was closed. */
  readonly halted: string | null;
}

export interface MemberStatus {
  readonly id: string;
  readonly role: Role;
  /** As the cluster has it written down, or else this node's options; null: this node does not know. */
  readonly address: string | null;
  readonly failureDomain: string;
  readonly priority: number;
  /** Whether it runs, as far as this node can see: it is this one, or a connection to it stands. */
  readonly alive: boolean;
}

export interface Applicant {
  readonly id: string;
  /** Which disk it has: a new one each time that it starts with an empty directory. */
  readonly incarnation: string;
  readonly address: string;
}

export interface PeerStatus {
  readonly id: string;
  readonly address: string;
  readonly connected: boolean;
  /** How often it was called. */
  readonly calls: number;
  /** Messages that could not be sent to it. */
  readonly dropped: number;
}

export function nodeStatus(
  driver: Driver, options: CheckedOptions, address: string | null, halted: string | null,
): NodeStatus {
  const { id, directory } = options;
  const { identity, peers, configuration, strangers, ...known } = driver.status();
  return {
    ...known, id, directory, halted, address, cluster: identity?.cluster?.id ?? null,
    members: membersOf(configuration, driver, options),
    applicants: strangers.map(({ node, incarnation, address }) => ({ id: node, incarnation, address })),
    peers: [...peers].map(([peer, status]) => ({ ...status, id: peer, address: formatAddress(status.address) })),
  };
}

function membersOf(
  configuration: Configuration | null, driver: Driver, options: CheckedOptions,
): readonly MemberStatus[] {
  return (configuration?.members ?? []).map((member) => {
    const id = nodeOf(member.id);
    const { role, failureDomain, priority } = member;
    const alive = id === options.id ? !driver.hasEnded : driver.isConnectedTo(id);
    return { id, role, address: addressOf(member, options), failureDomain, priority, alive };
  });
}

/** null: neither written down nor told. */
export function addressOf({ id: member, address }: Member, options: CheckedOptions): string | null {
  if (address !== "") return address;
  const id = nodeOf(member);
  const known = id === options.id ? options.address : (options.peers.get(id) ?? null);
  return known === null ? null : formatAddress(known);
}
