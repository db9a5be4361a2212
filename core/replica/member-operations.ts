/**
 * What an operator asks for by the names of nodes, as Raft takes it: by disks. Not here: whether the configuration that
 * comes of it is one, and may be asked for now (core/raft).
 *
 * The operations are read in their order, so that a name means what it means at that place: `put b` names the disk of b
 * that is a member, and behind `remove b` the new one that has asked for admission.
 */
import { unreachable } from "../invariant.ts";
import { DEFAULT_PRIORITY } from "../raft/configuration.ts";
import type { Configuration, ConfigurationOperation, Member } from "../raft/configuration.ts";
import { incarnationOf, isMemberId, memberIdOf, nodeOf, type NodeId } from "../types.ts";
import type { MemberOperation, MemberRequest, Stranger } from "./boundary.ts";

export type TranslatedOperations =
  | { readonly ok: true; readonly operations: readonly ConfigurationOperation[] }
  | { readonly ok: false; readonly reason: "notHeard" | "unknownMember" | "impossibleMember" };

/** @param heardFrom the empty disk of a node that was heard last; null: none. */
export function translateOperations(
  operations: readonly MemberOperation[],
  { members }: Configuration,
  heardFrom: (node: NodeId) => Stranger | null,
): TranslatedOperations {
  const current = new Map(members.map((member) => [nodeOf(member.id), member]));
  const translated: ConfigurationOperation[] = [];
  for (const operation of operations) {
    switch (operation.type) {
      case "put": {
        const { node } = operation.member;
        const member = memberAsked(operation.member, current.get(node) ?? null, heardFrom(node));
        if (member === null) return { ok: false, reason: "notHeard" };
        // Consensus takes any id; but of another form no node could ever read it.
        if (!isMemberId(member.id)) return { ok: false, reason: "impossibleMember" };
        current.set(node, member);
        translated.push({ type: "put", member });
        break;
      }
      case "remove": {
        const member = current.get(operation.node);
        if (member === undefined) return { ok: false, reason: "unknownMember" };
        current.delete(operation.node);
        translated.push({ type: "remove", id: member.id });
        break;
      }
      default:
        unreachable(operation);
    }
  }
  return { ok: true, operations: translated };
}

/** null: nobody knows which disk is meant. */
function memberAsked(request: MemberRequest, current: Member | null, heard: Stranger | null): Member | null {
  const { node, role } = request;
  const known = current === null ? null : incarnationOf(current.id);
  const incarnation = request.incarnation ?? known ?? heard?.incarnation ?? null;
  if (incarnation === null) return null;
  const before = incarnation === known ? current : null;
  const told = incarnation === heard?.incarnation ? heard.address : "";
  return {
    id: memberIdOf(node, incarnation),
    role,
    address: request.address ?? before?.address ?? told,
    failureDomain: request.failureDomain ?? before?.failureDomain ?? "",
    priority: request.priority ?? before?.priority ?? DEFAULT_PRIORITY,
  };
}
