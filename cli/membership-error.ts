/** A change of the cluster that was not made, in the words of an operator: what is so, and what to do about it. */
import type { TransferOutcome } from "../core/raft/boundary.ts";
import type { MemberChangeOutcome } from "../core/replica/boundary.ts";
import { unreachable } from "../core/invariant.ts";

export type MembershipErrorCode =
  /** Ask the leader: `error.leader` names it. */
  | "NotLeader"
  /** The leader has committed nothing in its term yet. */
  | "NotReady"
  /** Another change, or a hand-over, is under way. */
  | "ChangePending"
  /** The new node has not asked the leader to be let in. */
  | "NotHeard"
  /** It would vote without having the log. */
  | "NotCaughtUp"
  | "AlreadyMember"
  /** Another node asks to be let in under the name of one that is there. */
  | "MemberAlive"
  | "UnknownMember"
  /** Nobody would vote any more. */
  | "NoVoters"
  | "TooManyMembers"
  /** A field of the member is none. */
  | "InvalidMember"
  | "WrongVersion"
  /** Leadership can be given to voters only. */
  | "NotVoter"
  | "NoTarget"
  | "TransferAborted"
  /** Leadership was lost on the way: the change may yet come about. */
  | "OutcomeUnknown"
  | "Closed";

/**
 * A change of the cluster that was not made. Nothing is different, unless `code` is "OutcomeUnknown", or "Closed" for
 * a call that was open then, or the message says that a first step of two was made.
 *
 * @example
 * import { MembershipError } from "quorumlite";
 * await node.removeMember("nobody").catch((error) => {
 *   if (error instanceof MembershipError) console.log(error.code, error.leader); // "UnknownMember" "node"
 * });
 */
export class MembershipError extends Error {
  override readonly name = "MembershipError";
  readonly code: MembershipErrorCode;
  /** Who leads, as far as this node knows; null: nobody. */
  readonly leader: string | null;

  constructor(code: MembershipErrorCode, message: string, leader: string | null) {
    super(message);
    this.code = code;
    this.leader = leader;
  }
}

export type ChangeRefusalReason = Extract<MemberChangeOutcome, { readonly type: "refused" }>["reason"];
type TransferRefusalReason = Extract<TransferOutcome, { readonly type: "refused" }>["reason"];

/** @param id the member that the change was about. */
export function changeRefused(reason: ChangeRefusalReason, id: string, leader: string | null): MembershipError {
  const [code, message] = describeRefusal(reason, id, leader);
  return new MembershipError(code, message, leader);
}

function describeRefusal(
  reason: ChangeRefusalReason, id: string, leader: string | null,
): readonly [MembershipErrorCode, string] {
  switch (reason) {
    case "notLeader":
      return ["NotLeader", notLeader("changes the cluster", leader)];
    case "notReady":
      return ["NotReady", "this node leads, and has committed nothing in its term yet: ask again in a moment"];
    case "pending":
      return ["ChangePending", "another change of the cluster is under way: one at a time, ask again when it is done"];
    case "notHeard":
      return ["NotHeard", `${id} has not asked this node to be let in: start it with an empty directory, and with ` +
        "this node, the leader, among those that its option join lists; or pass what another node's " +
        "status().applicants says of it"];
    case "notCaughtUp":
      return ["NotCaughtUp", `${id} has not caught up with the log, or is not heard: so it cannot vote yet, and ` +
        `stands by. Look at status().members, and call setRole("${id}", "voter") again later`];
    case "noChange":
      return ["AlreadyMember", `${id} is a member already, and nothing of it would change: status().members has its ` +
        "role, and setRole gives it another. If its directory was lost, start it with an empty one and with join, so " +
        "that it asks to be let in, or remove it first"];
    case "sameNode":
      return ["AlreadyMember", `there is a member ${id} with another disk: remove that first`];
    case "stillAlive":
      return ["MemberAlive", `${id} is there with the disk that it has as a member, and another node of that name ` +
        "asks to be let in: give that another name. If its directory was replaced, ask again a few seconds later, " +
        "or remove it first"];
    case "unknownMember":
      return ["UnknownMember", `${id} is no member of this cluster: status().members lists them`];
    case "noVoters":
      return ["NoVoters", `without ${id} nobody would vote, and the cluster be at an end: add another voter first`];
    case "tooMany":
      return ["TooManyMembers", "a cluster has at most 64 members: remove one first"];
    case "impossibleMember":
      return ["InvalidMember", `${id} cannot be a member like that: address and failureDomain have at most 255 ` +
        "characters, priority is a whole number from 0 to 255"];
    case "version":
      return ["WrongVersion", `${id} runs a version of quorumlite that does not understand what this cluster uses ` +
        "already: upgrade it first"];
    default:
      return unreachable(reason);
  }
}

export function changeUnknown(id: string, leader: string | null): MembershipError {
  const message = `leadership was lost while the change of ${id} was under way: it may yet come about. Look at ` +
    "status().members of the new leader, and ask again if need be";
  return new MembershipError("OutcomeUnknown", message, leader);
}

/** @param target null: whoever suits best. */
export function transferRefused(
  reason: TransferRefusalReason, target: string | null, leader: string | null,
): MembershipError {
  switch (reason) {
    case "notLeader":
      return new MembershipError("NotLeader", notLeader("hands leadership over", leader), leader);
    case "pending":
      return new MembershipError("ChangePending", "leadership is being handed over already: wait for that", leader);
    case "notVoter":
      return new MembershipError("NotVoter", `${target} does not vote, so it cannot lead: name a voter`, leader);
    case "noTarget":
      return new MembershipError("NoTarget", target === null ? "there is no other voter that could lead" :
        `${target} leads already: name another voter`, leader);
    default:
      return unreachable(reason);
  }
}

export function transferAborted(target: string | null, leader: string | null): MembershipError {
  const who = target ?? "the node that suits best";
  const message = `${who} did not take over in time, so this node leads on: see whether it runs and has caught up`;
  return new MembershipError("TransferAborted", message, leader);
}

/** @param others of whom one may lead. */
export function notAMember(others: readonly string[], what: string): MembershipError {
  const message = `only the leader changes the cluster, and this node ${what}: ask the one of ${others.join(", ")} ` +
    "that leads";
  return new MembershipError("NotLeader", message, null);
}

/** Before the call, or while it was open. */
export function callClosed(): MembershipError {
  const message = "the node was closed, or its disk failed: ask another node. A call that was open then may yet come " +
    "about, see status().members there";
  return new MembershipError("Closed", message, null);
}

function notLeader(what: string, leader: string | null): string {
  if (leader === null) return `only the leader ${what}, and none is known now: ask again in a moment`;
  return `only the leader ${what}: ask ${leader}, which leads now`;
}
