/** The oracles of calm leadership and of reads: what may happen passes, and each broken promise is found. */
import { expect, test } from "vitest";
import type { NodeEffect, NodeInput } from "../core/node/boundary.ts";
import { DEFAULT_TIMING } from "../core/raft/boundary.ts";
import { foundingConfiguration } from "../core/raft/configuration.ts";
import type { Message } from "../core/raft/message.ts";
import type { ClusterId, Incarnation, Instant, LogIndex, NodeId, Term } from "../core/types.ts";
import { memberIdOf, NO_ENTRY } from "../core/types.ts";
import { encodeLetter } from "../core/wire/peer-codec.ts";
import type { ClientMessage, NodeMessage } from "../core/wire/statement.ts";
import { encodeClientMessage, encodeNodeMessage } from "../core/wire/statement-codec.ts";
import type { RaftObservation, Violation } from "../sim/oracles/boundary.ts";
import { LeadershipOracle } from "../sim/oracles/leadership-oracle.ts";
import { ConfirmedRounds } from "../sim/oracles/confirmed-rounds.ts";
import { ReadOracle } from "../sim/oracles/read-oracle.ts";

const [A, B, C] = ["a" as NodeId, "b" as NodeId, "c" as NodeId];
const DISK = "0123456789abcdef" as Incarnation;
const CLUSTER = "0123456789abcdef0123456789abcdef" as ClusterId;
const CONFIGURATION = foundingConfiguration([A, B, C].map((node) => memberIdOf(node, DISK)));
const NOTHING: readonly NodeEffect[] = [];

function letter(message: Message): Uint8Array {
  return encodeLetter({ envelope: { cluster: CLUSTER, sender: DISK, receiver: DISK }, message });
}

function from(node: NodeId, message: Message): NodeInput {
  return { type: "PeerReceived", from: node, bytes: letter(message) };
}

const heartbeat = (term: number, round = 1): Message => {
  const leaderCommit = 0 as LogIndex;
  return { type: "AppendEntries", term: term as Term, prevLog: NO_ENTRY, entries: [], leaderCommit, round };
};
const acknowledgement = (term: number, round = 1): Message => {
  const result = { accepted: true, matchIndex: 0 as LogIndex } as const;
  const said = { round, version: 1, hasSpace: true, hasLost: false };
  return { type: "AppendEntriesReply", term: term as Term, ...said, result };
};
const vote = (term: number, isTransfer: boolean): Message => {
  return { type: "RequestVote", term: term as Term, lastLog: NO_ENTRY, isTransfer };
};

function shown(role: RaftObservation["role"], term: number): RaftObservation {
  return {
    id: memberIdOf(A, DISK), role, currentTerm: term as Term, votedFor: null, base: NO_ENTRY, snapshot: NO_ENTRY,
    last: NO_ENTRY, commitIndex: 0 as LogIndex, lastApplied: 0 as LogIndex, terms: [],
    configuration: CONFIGURATION, configurationIndex: 0 as LogIndex, isTransferring: false, lost: null,
    hasSpace: true,
  };
}

/** One node `a` of three, at times in milliseconds. */
class World {
  readonly rounds = new ConfirmedRounds();
  readonly oracle = new LeadershipOracle(DEFAULT_TIMING, this.rounds);
  found: Violation | null = null;

  step(ms: number, input: NodeInput, role: RaftObservation["role"], term: number, effects = NOTHING): this {
    const after = shown(role, term);
    this.found ??= this.oracle.stepped((ms * 1000) as Instant, A, input, after, effects);
    return this;
  }

  /** It has just heard the leader of term 1. */
  static following(): World {
    return new World().step(0, { type: "TimerFired" }, "follower", 1).step(100, from(B, heartbeat(1)), "follower", 1);
  }
}

const timer: NodeInput = { type: "TimerFired" };

test("who has heard its leader follows no other candidate for an election timeout", () => {
  expect(World.following().step(300, from(C, vote(2, false)), "follower", 2).found?.oracle).toBe("stickiness");
  // Not listening, the leader's own wish, the leader itself, and a leader that was silent for too long.
  expect(World.following().step(300, from(C, vote(2, false)), "follower", 1).found).toBeNull();
  expect(World.following().step(300, from(C, vote(2, true)), "follower", 2).found).toBeNull();
  expect(World.following().step(300, from(B, vote(2, false)), "follower", 2).found).toBeNull();
  expect(World.following().step(510, from(C, vote(2, false)), "follower", 2).found).toBeNull();
});

test("who has heard its leader promises nobody a vote", () => {
  const ask = from(C, { type: "RequestPreVote", term: 1 as Term, lastLog: NO_ENTRY });
  const answer = (granted: boolean): readonly NodeEffect[] => {
    return [{ type: "Send", to: C, bytes: letter({ type: "RequestPreVoteReply", term: 1 as Term, granted }) }];
  };
  expect(World.following().step(300, ask, "follower", 1, answer(true)).found?.oracle).toBe("stickiness");
  expect(World.following().step(300, ask, "follower", 1, answer(false)).found).toBeNull();
  expect(World.following().step(510, ask, "follower", 1, answer(true)).found).toBeNull();
});

test("a leader that no quorum answers must have resigned in time", () => {
  const leading = (): World => new World().step(0, timer, "leader", 1).step(10, timer, "leader", 1);
  expect(leading().step(1000, timer, "leader", 1).found).toBeNull();
  expect(leading().step(1100, timer, "leader", 1).found?.oracle).toBe("check-quorum");
  expect(leading().step(1100, timer, "follower", 1).found).toBeNull();
  const answered = leading().step(500, from(B, acknowledgement(1)), "leader", 1);
  expect(answered.step(1100, timer, "leader", 1).found).toBeNull();
  expect(answered.step(1600, timer, "leader", 1).found?.oracle).toBe("check-quorum");
});

function query(number: number): NodeInput {
  const message: ClientMessage = {
    type: "Query", query: number, lowestUnanswered: 1, timeoutMs: 1000, level: { type: "linearizable" },
    sql: "SELECT 1", parameters: [],
  };
  return { type: "ClientReceived", from: "connection", bytes: encodeClientMessage(message), wallMs: 0 };
}

function answer(number: number, index: number): readonly NodeEffect[] {
  const message: NodeMessage = {
    type: "QueryAnswer", query: number, execution: 1, index: index as LogIndex, part: 0, parts: 1, rows: [],
    outcome: { type: "done", columns: [], changes: 0, lastInsertRowid: 0 },
  };
  return [{ type: "Respond", to: "connection", bytes: encodeNodeMessage(message) }];
}

test("a read is answered as of everything that was committed when it came in", () => {
  const now = 0 as Instant;
  const asked = (committed: number): ReadOracle => {
    const oracle = new ReadOracle(null);
    expect(oracle.stepped(now, A, query(1), NOTHING, committed as LogIndex)).toBeNull();
    return oracle;
  };
  const later = 9 as LogIndex;
  expect(asked(5).stepped(now, A, timer, answer(1, 5), later)).toBeNull();
  expect(asked(5).stepped(now, A, timer, answer(1, 4), later)?.oracle).toBe("stale-read");
  // Of another node, or another question.
  expect(asked(5).stepped(now, B, timer, answer(1, 4), later)).toBeNull();
  expect(asked(5).stepped(now, A, timer, answer(2, 4), later)).toBeNull();
});

test("a read is answered when a quorum has answered a round that began after it came in", () => {
  const at = (ms: number): Instant => (ms * 1000) as Instant;
  const index = 5 as LogIndex;
  // It comes in at 100 ms; its answer leaves at 300.
  const judged = (begun: number, roundOfAnswer: number): string | undefined => {
    const world = new World().step(0, timer, "leader", 1);
    world.rounds.heard(at(begun), A, heartbeat(1, 2), shown("follower", 1), shown("follower", 1));
    const oracle = new ReadOracle(world.rounds);
    expect(oracle.stepped(at(100), A, query(1), NOTHING, index)).toBeNull();
    world.step(200, from(B, acknowledgement(1, roundOfAnswer)), "leader", 1);
    return oracle.stepped(at(300), A, timer, answer(1, 5), index)?.oracle;
  };
  expect(judged(150, 2)).toBeUndefined();
  // An answer to the round before; a round that had begun already.
  expect(judged(150, 1)).toBe("unconfirmed-read");
  expect(judged(50, 2)).toBe("unconfirmed-read");
});

test("rounds of a leader that has been deposed, or that only a minority has answered, confirm nothing", () => {
  const since = (role: RaftObservation["role"], term: number, acknowledged: number): number => {
    const world = new World().step(0, timer, role, term);
    world.rounds.heard(1 as Instant, A, heartbeat(acknowledged, 1), shown("follower", 1), shown("follower", 1));
    return world.step(1, from(B, acknowledgement(acknowledged)), role, term).rounds.since;
  };
  expect(since("leader", 2, 2)).toBe(1);
  expect(since("leader", 3, 2)).toBe(-1);
  expect(since("follower", 2, 2)).toBe(-1);
  const five = foundingConfiguration(["a", "b", "c", "d", "e"].map((node) => memberIdOf(node as NodeId, DISK)));
  const rounds = new ConfirmedRounds();
  const leader = { ...shown("leader", 1), configuration: five };
  rounds.heard(1 as Instant, A, heartbeat(1, 1), shown("follower", 1), shown("follower", 1));
  rounds.heard(2 as Instant, B, acknowledgement(1), leader, leader);
  rounds.heard(3 as Instant, B, acknowledgement(1), leader, leader);
  expect(rounds.since).toBe(-1);
  rounds.heard(4 as Instant, C, acknowledgement(1), leader, leader);
  expect(rounds.since).toBe(1);
});

test("a leader alone needs nobody", () => {
  const rounds = new ConfirmedRounds();
  const alone = foundingConfiguration([memberIdOf(A, DISK)]);
  rounds.shown(7 as Instant, { ...shown("follower", 1), configuration: alone });
  expect(rounds.since).toBe(-1);
  rounds.shown(7 as Instant, { ...shown("leader", 1), configuration: alone });
  expect(rounds.since).toBe(7);
});
