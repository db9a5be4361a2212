/** A node's events as lines for people, one each, in the words of docs and errors. */
import { unreachable } from "../core/invariant.ts";
import { type EntryId, nodeOf } from "../core/types.ts";
import { formatAddress } from "../io/address.ts";
import { describeFault, describeHalt } from "./fault-text.ts";
import type { NodeEvent } from "./options.ts";

export function describeEvent(event: NodeEvent, id: string, directory: string): string {
  switch (event.type) {
    case "Recovered": {
      const { last, tornBytes, identity, damage, lost } = event;
      const torn = tornBytes === 0 ? "" : `, ${tornBytes} bytes of a torn write cut`;
      const cluster = identity.cluster === null ? "of no cluster yet" : `of cluster ${identity.cluster.id}`;
      const found = damage.map((fault) => `; DAMAGED: ${describeFault(fault, directory)}`).join("");
      const refill = lost === null ? "" : `; ${describeLoss(lost)}`;
      const end = `last entry ${last.index} of term ${last.term}`;
      return `recovered ${directory}: ${cluster}, ${end}${torn}${found}${refill}`;
    }
    case "Listening":
      return `listens on ${formatAddress(event.address)}`;
    case "LeadershipChanged":
      if (event.leader === null) return `term ${event.term}, no leader known`;
      return event.leader === id ? `leads term ${event.term}` : `follows ${event.leader} in term ${event.term}`;
    case "ConfigurationChanged": {
      const { configuration, isCommitted } = event;
      const members = configuration.members.map((member) => `${nodeOf(member.id)} ${member.role}`).join(", ");
      const left = configuration.outgoing.length === 0 ? "" : ", on the way from other voters";
      return `members: ${members}${left}${isCommitted ? "" : " (not committed yet)"}`;
    }
    case "PeerConnected":
      return `connected to ${event.peer}`;
    case "PeerLost":
      return `lost ${event.peer}: ${event.detail}`;
    case "PeerRefusedUs":
      return `refused by ${event.peer}: ${event.detail}`;
    case "CallerRefused":
      return `refused ${event.caller}: ${event.detail}`;
    case "MessageRejected":
      if (event.reason === "notAdmitted") return `${event.from} asks to be let in: addMember does that, on the leader`;
      return `dropped a message of ${event.from} (${event.reason}): ${event.detail}`;
    case "DamageFound":
      return `DAMAGED: ${describeFault(event.fault, directory)}: ${event.remedy}`;
    case "SpaceChanged":
      return event.hasSpace ? "there is space again: writes go on" : `no space in ${directory}: writes are refused`;
    case "Restarting":
      return `starts again: ${describeHalt(event.reason, directory)}`;
    case "Halted":
      return `HALTED: ${describeHalt(event.reason, directory)}`;
    case "Closed":
      return "closed";
    default:
      return unreachable(event);
  }
}

/** An entry beyond all numbers stands for an end that is not known. */
function describeLoss({ index }: EntryId): string {
  const what = index === Number.MAX_SAFE_INTEGER ? "entries" : `entries up to ${index}`;
  return `${what} may be missing: neither leads nor votes for less until the others have sent them`;
}
