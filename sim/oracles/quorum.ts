/**
 * What a quorum of a configuration is, written once more: a judge does not borrow the rule of the judged.
 */
import type { Configuration, Member } from "../../core/raft/configuration.ts";
import { majority, type MemberId } from "../../core/types.ts";

/** A majority of the voters, and while the configuration is joint, one of the outgoing voters too. */
export function isQuorum(configuration: Configuration, has: (id: MemberId) => boolean): boolean {
  return halvesOf(configuration).every((voters) => voters.filter(has).length >= majority(voters.length));
}

/** Whose votes count: one list, and while the configuration is joint, a second one. */
export function halvesOf({ members, outgoing }: Configuration): readonly (readonly MemberId[])[] {
  const incoming = members.filter(({ role }) => role === "voter").map(idOf);
  return outgoing.length === 0 ? [incoming] : [incoming, outgoing.map(idOf)];
}

export function votesIn(configuration: Configuration, id: MemberId): boolean {
  return halvesOf(configuration).some((voters) => voters.includes(id));
}

/** For comparisons and messages: everything that a configuration says, in one line. */
export function showConfiguration({ members, outgoing, version }: Configuration): string {
  const left = outgoing.length === 0 ? "" : ` leaving [${outgoing.map(({ id }) => id).join(" ")}]`;
  return `[${members.map(showMember).join(" ")}]${left} version ${version}`;
}

function showMember({ id, role, address, failureDomain, priority }: Member): string {
  const place = address === "" && failureDomain === "" ? "" : ` ${address} ${failureDomain}`;
  return `${id} ${role} ${priority}${place}`;
}

function idOf({ id }: Member): MemberId {
  return id;
}
