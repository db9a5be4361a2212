/** The vote restriction, judged: which votes pass, and which are found. */
import { expect, test } from "vitest";
import { foundingConfiguration } from "../core/raft/configuration.ts";
import type { Message } from "../core/raft/message.ts";
import { type EntryId, type Incarnation, type LogIndex, type NodeId, type Term, memberIdOf } from "../core/types.ts";
import type { RaftObservation } from "../sim/oracles/boundary.ts";
import { judgeVote } from "../sim/oracles/vote-rule.ts";

const [A, B] = ["a" as NodeId, "b" as NodeId];
const idOf = (node: NodeId) => memberIdOf(node, "0123456789abcdef" as Incarnation);
const id = (term: number, index: number): EntryId => ({ term: term as Term, index: index as LogIndex });

/** Node a: in which term, for whom it has voted, where its log ends, and what its disk has lost. */
function seen(term: number, votedFor: NodeId | null, last: EntryId, lost: EntryId | null = null): RaftObservation {
  return {
    id: idOf(A), role: "follower", currentTerm: term as Term, votedFor: votedFor === null ? null : idOf(votedFor),
    base: id(0, 0), snapshot: id(0, 0), last, commitIndex: 0 as LogIndex, lastApplied: 0 as LogIndex, terms: [],
    configuration: foundingConfiguration([A, B].map(idOf)), configurationIndex: 0 as LogIndex, isTransferring: false,
    lost, hasSpace: true,
  };
}

const asks = (term: number, lastLog: EntryId): Message => {
  return { type: "RequestVote", term: term as Term, lastLog, isTransfer: false };
};

test.each([
  ["a log as long", id(2, 5), null, id(2, 5), null],
  ["a shorter log of a later term", id(2, 5), null, id(3, 1), null],
  ["a longer log of an earlier term", id(2, 5), null, id(1, 9), "vote"],
  ["a shorter log of the same term", id(2, 5), null, id(2, 4), "vote"],
  ["what was lost, and no more", id(1, 3), id(2, 5), id(2, 5), null],
  ["more than is left, and less than was lost", id(1, 3), id(2, 5), id(2, 4), "vote"],
  ["more than was lost and less than there is", id(2, 7), id(2, 5), id(2, 6), "vote"],
])("a vote for a candidate with %s", (_name, last, lost, candidate, verdict) => {
  const [before, after] = [seen(3, null, last, lost), seen(4, B, last, lost)];
  expect(judgeVote(A, B, asks(4, candidate), before, after)?.oracle ?? null).toBe(verdict);
});

test("only a vote that is given in this step, to this candidate, is judged", () => {
  const [last, short] = [id(2, 5), id(1, 1)];
  const voted = seen(4, B, last);
  expect(judgeVote(A, B, asks(4, short), voted, voted), "it was given before").toBeNull();
  expect(judgeVote(A, B, asks(4, short), seen(3, null, last), seen(4, null, last)), "refused").toBeNull();
  expect(judgeVote(A, B, asks(4, short), seen(3, null, last), seen(4, A, last)), "its own").toBeNull();
  expect(judgeVote(A, B, asks(4, short), seen(3, B, last), voted)?.oracle, "of another term").toBe("vote");
});
