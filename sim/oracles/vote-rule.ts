/**
 * The vote restriction (§5.4.1 of the paper, and rule 13 for disks that have lost something): whoever votes gives its
 * vote only to a candidate whose log ends at least as far as its own did, or as far as it may have acknowledged before
 * its disk lost that. What elections rest on: a wrong vote decides one only in rare courses, so each is judged.
 */
import { type EntryId, nodeOf, type NodeId } from "../../core/types.ts";
import type { PeerMessage } from "../../core/wire/peer.ts";
import type { RaftObservation, Violation } from "./boundary.ts";
import { violation } from "./violation.ts";

/** `before` and `after` are of the voter, around the step in which it received the message. */
export function judgeVote(
  node: NodeId, from: NodeId, message: PeerMessage, before: RaftObservation, after: RaftObservation,
): Violation | null {
  if (message.type !== "RequestVote" || after.votedFor === null || nodeOf(after.votedFor) !== from) return null;
  if (after.votedFor === before.votedFor && after.currentTerm === before.currentTerm) return null;
  const owed = before.lost !== null && isBefore(before.last, before.lost) ? before.lost : before.last;
  if (!isBefore(message.lastLog, owed)) return null;
  const what = `${node} voted in term ${after.currentTerm} for ${from}, whose log ends at ${show(message.lastLog)}`;
  return violation("vote", `${what}, and has itself said to hold ${show(owed)}`, [node, from], owed.index);
}

function isBefore(one: EntryId, other: EntryId): boolean {
  return one.term < other.term || (one.term === other.term && one.index < other.index);
}

function show({ term, index }: EntryId): string {
  return `${term}/${index}`;
}
