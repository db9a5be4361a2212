/**
 * The oracle of figure 3: a cluster of three that behaves passes, and each broken rule is found. Nodes are what they
 * show and what their disks hold, both made by hand.
 */
import { expect, test } from "vitest";
import type { NodeEffect } from "../core/node/boundary.ts";
import { foundingConfiguration } from "../core/raft/configuration.ts";
import type { Message } from "../core/raft/message.ts";
import { segmentFile } from "../core/storage/segment-file.ts";
import { TERM_FILE } from "../core/storage/term-file.ts";
import type { EntryId, HardState, Incarnation, LogIndex, NodeId, Term } from "../core/types.ts";
import { memberIdOf, NO_ENTRY } from "../core/types.ts";
import { encodeLetter } from "../core/wire/peer-codec.ts";
import type { RaftObservation, Violation } from "../sim/oracles/boundary.ts";
import { RaftOracle } from "../sim/oracles/raft-oracle.ts";
import { CLUSTER, configuration, disk, entries, INCARNATION, memberOf } from "./durable-disks.ts";

const [A, B, C] = ["a" as NodeId, "b" as NodeId, "c" as NodeId];
const D = "d" as NodeId;
const OTHER_DISK = "fedcba9876543210" as Incarnation;

const HARD_STATE: HardState = { currentTerm: 1 as Term, votedFor: null };
const entry = (term: number, index: number): EntryId => ({ term: term as Term, index: index as LogIndex });
const FOUNDING = foundingConfiguration([A, B, C].map(memberOf));

interface Shown {
  readonly incarnation?: Incarnation;
  readonly base?: number;
  readonly configuration?: string;
  readonly configurationIndex?: number;
  readonly role?: RaftObservation["role"];
  readonly term?: number;
  readonly vote?: NodeId | null;
  readonly log?: string;
  readonly commit?: number;
  readonly applied?: number;
  readonly lost?: EntryId | null;
}

/** What a node shows; `base`: so many entries of its log have been compacted. */
function observation(node: NodeId, shown: Shown): RaftObservation {
  const { incarnation = INCARNATION, role = "follower", term = 1, vote = null, log = "", base = 0 } = shown;
  const { commit = base, applied = base, configurationIndex = 0 } = shown;
  const all = entries(log).map(({ term: of, index }): EntryId => ({ term: of, index }));
  const isFounding = shown.configuration === undefined;
  return {
    id: memberIdOf(node, incarnation), role, currentTerm: term as Term,
    votedFor: vote === null ? null : memberOf(vote),
    base: all[base - 1] ?? NO_ENTRY, snapshot: all[base - 1] ?? NO_ENTRY, last: all.at(-1) ?? NO_ENTRY,
    commitIndex: commit as LogIndex, lastApplied: applied as LogIndex,
    terms: all.filter((entry, at) => at === base || (at > base && entry.term !== all[at - 1]?.term)),
    configuration: isFounding ? FOUNDING : configuration(shown.configuration as string),
    configurationIndex: configurationIndex as LogIndex, isTransferring: false, lost: shown.lost ?? null, hasSpace: true,
  };
}

/** A world of three, founded; their disks hold these logs. The first violation is kept. */
class World {
  readonly oracle = new RaftOracle({ comparisons: 0, entriesCommitted: 0, elections: 0, clientReads: 0 });
  found: Violation | null = null;
  private generation = 2;

  constructor() {
    for (const node of [A, B, C]) this.starts(node, "", 0).shows(node, { term: 0 }).crashes(node);
  }

  starts(node: NodeId, log = "", term = 1, vote: NodeId | null = null, payload = 7): this {
    const hardState = { currentTerm: term as Term, votedFor: vote === null ? null : memberOf(vote) };
    this.found ??= this.oracle.started(node, disk(node, log, hardState, payload, ++this.generation));
    return this;
  }

  /** Of its log only so much is left; the mark says what is lost. */
  startsDamaged(node: NodeId, log: string, lost: EntryId | null): this {
    const damaged = { ...disk(node, log, HARD_STATE, 7, ++this.generation, lost), isDamaged: true };
    this.found ??= this.oracle.started(node, damaged);
    return this;
  }

  /** It holds this much, and says that nothing is lost any more. */
  forgets(node: NodeId, log: string): this {
    const healed = disk(node, log, HARD_STATE, 7, ++this.generation);
    this.found ??= this.oracle.synced(node, segmentFile(1), healed) ?? this.oracle.synced(node, TERM_FILE, healed);
    return this;
  }

  shows(node: NodeId, shown: Shown, effects: readonly NodeEffect[] = []): this {
    this.found ??= this.oracle.stepped(node, observation(node, shown), effects);
    return this;
  }

  /** The votes of these nodes for a candidate are on their disks. */
  votes(candidate: NodeId, term: number, voters: readonly NodeId[] = [A, B, C]): this {
    this.generation++;
    const hardState = { currentTerm: term as Term, votedFor: memberOf(candidate) };
    for (const voter of voters) {
      this.found ??= this.oracle.synced(voter, TERM_FILE, disk(voter, "", hardState, 7, this.generation));
    }
    return this;
  }

  /** The node's log is on its disk. */
  writes(node: NodeId, log: string): this {
    this.found ??= this.oracle.synced(node, segmentFile(1), disk(node, log, HARD_STATE));
    return this;
  }

  /** Elected by everybody, it leads. */
  leads(node: NodeId, { term = 1, ...shown }: Shown = {}): this {
    return this.votes(node, term).shows(node, { ...shown, role: "leader", term, vote: node });
  }

  crashes(node: NodeId): this {
    this.oracle.crashed(node);
    return this;
  }

  /** Its disk is gone, and another one comes with the same name. */
  loses(node: NodeId): this {
    this.oracle.crashed(node);
    this.oracle.diskLost(node);
    return this;
  }

  sends(node: NodeId, shown: Shown, to: NodeId, message: Message): this {
    const envelope = { cluster: CLUSTER, sender: INCARNATION, receiver: INCARNATION };
    return this.shows(node, shown, [{ type: "Send", to, bytes: encodeLetter({ envelope, message }) }]);
  }
}

/** All hold three entries, and a leader of term 1 has appended a configuration behind them. */
function changed(text: string): World {
  const log = "1  1  1";
  const world = new World().starts(A, log).starts(B, log).starts(C, log).leads(A, { log, commit: 3 });
  world.shows(B, { vote: A, log }).shows(C, { vote: A, log });
  return world.shows(A, {
    role: "leader", vote: A, log: `${log}  1=${text}`, commit: 3, configuration: text, configurationIndex: 4,
  });
}

test("an election, replication, a commit and a restart are no violation", () => {
  const world = new World().starts(A, "1 1").starts(B, "1 1").starts(C, "");
  world.leads(A, { log: "1 1" }).shows(B, { vote: A, log: "1 1" }).shows(C, { vote: A });
  world.shows(A, { role: "leader", vote: A, log: "1 1", commit: 2, applied: 2 });
  world.shows(B, { vote: A, log: "1 1", commit: 2, applied: 1 });
  world.crashes(A).starts(A, "1 1", 1, A).shows(A, { vote: A, log: "1 1" });
  world.leads(B, { term: 2, log: "1 1 2", commit: 2, applied: 2 });
  world.shows(C, { term: 2, vote: B, log: "1 1", commit: 2, applied: 2 });
  expect(world.found).toBeNull();
});

const BAD: readonly (readonly [oracle: string, string, () => World])[] = [
  ["election-safety", "two nodes lead one term", () => new World().leads(A).leads(B)],
  ["election-safety", "one node leads a term in two lives", () => {
    return new World().starts(A).leads(A).crashes(A).starts(A).leads(A);
  }],
  ["election-safety", "a node leads with the votes of a minority", () => {
    return new World().votes(A, 1, [A]).votes(B, 1, [B, C]).shows(A, { role: "leader", vote: A });
  }],
  ["leader-append-only", "a leader cuts its log", () => {
    return new World().leads(A, { log: "1 1" }).shows(A, { role: "leader", vote: A, log: "1" });
  }],
  ["log-matching", "a term begins at two places", () => {
    return new World().shows(A, { log: "1 1 2", term: 2 }).shows(B, { log: "1 2", term: 2 });
  }],
  ["log-matching", "the same entry has two contents", () => {
    return new World().starts(A, "1", 1, A, 7).starts(B, "1", 1, A, 8);
  }],
  ["leader-completeness", "a leader lacks what is committed", () => {
    const world = new World().starts(A, "1 1").starts(B, "1 1").starts(C, "");
    return world.leads(A, { log: "1 1", commit: 2 }).leads(C, { term: 2, log: "2" });
  }],
  ["leader-completeness", "a node that lacks what is committed could be elected (figure 8)", () => {
    const world = new World().starts(A, "1 2", 2).starts(B, "1 2", 2).starts(C, "1 3", 3);
    return world.leads(A, { term: 4, log: "1 2", commit: 2 });
  }],
  ["durable-quorum", "an entry is committed that one disk holds", () => {
    return new World().starts(A, "1").starts(B, "").starts(C, "").leads(A, { log: "1", commit: 1 });
  }],
  ["state-machine-safety", "two entries are committed at one index", () => {
    const world = new World().starts(A, "1 1").starts(B, "1 1").starts(C, "");
    return world.leads(A, { log: "1 1", commit: 2 }).shows(C, { log: "1 2", term: 2, commit: 2 });
  }],
  ["committed-immutable", "a committed entry is given up", () => {
    const world = new World().starts(A, "1 1").starts(B, "1 1").starts(C, "");
    world.leads(A, { log: "1 1" }).shows(B, { vote: A, log: "1 1" });
    return world.shows(A, { role: "leader", vote: A, log: "1 1", commit: 2 }).shows(B, { vote: A, log: "1" });
  }],
  ["recovery", "a restarted node forgets what its disk held", () => {
    return new World().starts(A, "1 1").shows(A, { log: "1" });
  }],
  ["recovery", "a node that has lost entries says that it has lost fewer", () => {
    const world = new World().starts(A, "1 1 1").shows(A, { log: "1 1 1" }).crashes(A);
    return world.startsDamaged(A, "1", null).shows(A, { log: "1", lost: entry(1, 2) });
  }],
  ["loss", "a node that has lost entries stands for election", () => {
    return new World().starts(A, "1").shows(A, { log: "1", role: "preCandidate", lost: entry(1, 3) });
  }],
  ["loss", "the only voter's hard state does not say that it may be", () => {
    return new World().starts(A, "1=a b c").writes(A, "1=a b c  1=a");
  }],
  ["leader-completeness", "a loss is forgotten before it is made good", () => {
    const world = new World().starts(A, "1 1 1").starts(B, "1 1 1").starts(C, "1").leads(A, { log: "1 1 1" });
    world.shows(A, { role: "leader", vote: A, log: "1 1 1", commit: 3 }).crashes(A);
    return world.startsDamaged(A, "1", entry(1, 3)).forgets(A, "1");
  }],
  ["monotonic", "the term falls", () => new World().shows(A, { term: 2 }).shows(A, { term: 1 })],
  ["monotonic", "the durable term falls over a crash", () => new World().starts(A, "", 5).shows(A, { term: 4 })],
  ["monotonic", "a durable vote is given again", () => new World().starts(A, "", 5, B).shows(A, { term: 5, vote: C })],
  ["monotonic", "commitIndex falls", () => {
    const world = new World().starts(A, "1").starts(B, "1").starts(C, "1");
    return world.shows(A, { log: "1", commit: 1 }).shows(A, { log: "1", commit: 0 });
  }],
  ["election-safety", "a leader resigns and leads the term again", () => {
    return new World().leads(A).shows(A, { vote: A }).shows(A, { role: "leader", vote: A });
  }],
  ["election-safety", "a node is elected that does not vote by its own configuration", () => {
    const text = "a b c d:standby";
    const world = changed(text).starts(D, "", 0).shows(D, { term: 0 });
    const log = "1  1  1  1=a b c d:standby";
    const shown = { log, commit: 4, configuration: text, configurationIndex: 4 };
    world.writes(A, log).writes(B, log).shows(A, { ...shown, role: "leader", vote: A }).shows(D, shown);
    return world.votes(D, 2).shows(D, { ...shown, term: 2, role: "leader", vote: D });
  }],
  ["election-safety", "a joint candidate has the votes of one half only", () => {
    const text = "a b d / a b c";
    const log = "1  1  1  1=a b d / a b c";
    const world = changed(text).starts(D, "", 0).shows(D, { term: 0 });
    const shown = { log, configuration: text, configurationIndex: 4 };
    return world.votes(A, 2, [A, D]).shows(A, { ...shown, term: 2, role: "leader", vote: A, commit: 3 });
  }],
  ["election-safety", "the vote of another disk counts for that of a lost one", () => {
    const world = new World().loses(B).starts(B, "", 0).shows(B, { incarnation: OTHER_DISK, term: 0 });
    return world.votes(A, 1, [A, B]).shows(A, { role: "leader", vote: A });
  }],
  ["recovery", "a disk changes its name", () => {
    return new World().shows(A, {}).shows(A, { incarnation: OTHER_DISK });
  }],
  ["durable-quorum", "an entry is committed that only the incoming half holds", () => {
    const text = "a d / a b c";
    const log = "1  1  1  1=a d / a b c";
    const world = changed(text).starts(D, log, 1).shows(D, { log, configuration: text, configurationIndex: 4 });
    return world.writes(A, log).shows(A, {
      role: "leader", vote: A, log, commit: 4, configuration: text, configurationIndex: 4,
    });
  }],
  ["durable-quorum", "a standby is counted", () => {
    const text = "a b c d:standby";
    const log = "1  1  1  1=a b c d:standby";
    const world = changed(text).starts(D, log, 1).shows(D, { log, configuration: text, configurationIndex: 4 });
    return world.writes(A, log).shows(A, {
      role: "leader", vote: A, log, commit: 4, configuration: text, configurationIndex: 4,
    });
  }],
  ["configuration", "voters change without a joint configuration", () => changed("a b c d")],
  ["configuration", "a joint configuration leaves others than those who voted", () => changed("a d / a b")],
  ["configuration", "a change begins before the one before is committed", () => {
    const log = "1  1  1  1=a b c d:spare  1=a b c";
    return changed("a b c d:spare").shows(A, {
      role: "leader", vote: A, log, commit: 3, configuration: "a b c", configurationIndex: 5,
    });
  }],
  ["configuration", "a change begins before anything of the term is committed", () => {
    const world = new World().starts(A, "1  1").starts(B, "1  1").leads(A, { term: 2, log: "1  1  2", commit: 2 });
    return world.shows(A, {
      role: "leader", term: 2, vote: A, log: "1  1  2  2=a b c d:spare", commit: 2,
      configuration: "a b c d:spare", configurationIndex: 4,
    });
  }],
  ["configuration", "a configuration is kept after its entry was cut", () => {
    const text = "a b c d:spare";
    const shown = { configuration: text, configurationIndex: 4 };
    const world = changed(text).shows(B, { vote: A, log: "1  1  1  1=a b c d:spare", ...shown });
    return world.shows(B, { term: 2, log: "1  1  1  2", ...shown }).shows(B, { term: 2, log: "1  1  1", ...shown });
  }],
  ["configuration", "a configuration in the log is overlooked", () => {
    return changed("a b c d:spare").shows(B, { vote: A, log: "1  1  1  1=a b c d:spare" });
  }],
  ["configuration", "a follower makes up a configuration", () => {
    return new World().shows(B, { log: "1=a b", configuration: "a b", configurationIndex: 1 });
  }],
  ["state-machine-safety", "what is not committed is compacted", () => {
    return new World().shows(A, { log: "1 1", commit: 2, base: 2 });
  }],
  ["monotonic", "what was compacted comes back", () => {
    const world = new World().starts(A, "1 1").starts(B, "1 1").leads(A, { log: "1 1", commit: 2 });
    return world.shows(B, { log: "1 1", commit: 2, base: 2 }).shows(B, { log: "1 1", commit: 2, base: 1 });
  }],
  ["log-matching", "a term begins at two places, behind a base", () => {
    const world = new World().starts(A, "1 1").starts(B, "1 1").leads(A, { log: "1 1", commit: 2 });
    world.shows(B, { log: "1 1 2", term: 2, commit: 2, base: 2 });
    return world.shows(C, { log: "1 1 1 2", term: 2, commit: 2, base: 2 });
  }],
  ["order", "more is applied than committed", () => new World().shows(A, { log: "1", applied: 1 })],
];

test("a change by way of a joint configuration, and compacted logs, are no violation", () => {
  const [joint, left] = ["a b d / a b c", "a b d"];
  const log = "1  1  1  1=a b d / a b c";
  const shown = { vote: A, log, configuration: joint, configurationIndex: 4 };
  const world = changed(joint).starts(D, log, 1, A).shows(D, { ...shown, commit: 3 });
  for (const node of [A, B]) world.writes(node, log);
  world.shows(B, shown).shows(A, { ...shown, role: "leader", commit: 4 });
  const whole = `${log}  1=${left}`;
  const end = { vote: A, log: whole, configuration: left, configurationIndex: 5 };
  world.shows(A, { ...end, role: "leader", commit: 4 }).writes(A, whole).writes(D, whole);
  world.shows(A, { ...end, role: "leader", commit: 5 }).shows(A, { ...end, role: "leader", commit: 5, base: 5 });
  world.shows(D, { ...end, commit: 5, base: 4 }).shows(B, { ...end, commit: 5, base: 2 });
  world.votes(B, 2, [B, D]).shows(B, { ...end, vote: B, term: 2, role: "leader", commit: 5, base: 2 });
  expect(world.found).toBeNull();
});

test("what a disk held counts after it was lost, as that of a node which is down", () => {
  const world = new World().starts(A, "1 1").starts(B, "1 1").starts(C, "").leads(A, { log: "1 1" });
  world.loses(B).starts(B, "", 0).shows(B, { incarnation: OTHER_DISK, term: 0 });
  world.shows(A, { role: "leader", vote: A, log: "1 1", commit: 2 });
  expect(world.found).toBeNull();
});

test.each(BAD)("%s: %s", (oracle, _name, play) => {
  expect(play().found?.oracle).toBe(oracle);
});

test("who says how far it has lost entries may come back with fewer, and forget that once it has as many", () => {
  const world = new World().starts(A, "1 1 1").shows(A, { log: "1 1 1" }).crashes(A);
  world.startsDamaged(A, "1", entry(1, 3)).shows(A, { log: "1", lost: entry(1, 3) }).forgets(A, "1 1 2");
  expect(world.found).toBeNull();
});

test("a message may leave once what it vouches for is durable", () => {
  const grant: Message = { type: "RequestVoteReply", term: 3 as Term, granted: true };
  const accept = (matchIndex: number): Message => {
    const result = { accepted: true, matchIndex: matchIndex as LogIndex } as const;
    const said = { round: 0, version: 1, hasSpace: true, hasLost: false };
    return { type: "AppendEntriesReply", term: 3 as Term, ...said, result };
  };
  const shown = { term: 3, vote: A, log: "1 1 3" };
  const durable = (): World => new World().starts(B, "1 1 3", 3, A);
  expect(durable().sends(B, shown, A, grant).found).toBeNull();
  expect(durable().sends(B, shown, A, accept(3)).found).toBeNull();
  const ask = (term: number, index: number): Message => {
    return { type: "RequestPreVote", term: 3 as Term, lastLog: { term: term as Term, index: index as LogIndex } };
  };
  expect(durable().sends(B, shown, A, ask(3, 3)).found).toBeNull();
  expect(new World().starts(B, "1 1", 3, A).sends(B, shown, A, ask(3, 3)).found?.oracle).toBe("durable-promise");
  // The vote is on no disk; the last entry is on no disk; the index lies beyond the log.
  expect(new World().starts(B, "1 1", 2).sends(B, shown, A, grant).found?.oracle).toBe("durable-promise");
  expect(new World().starts(B, "1 1", 3, A).sends(B, shown, A, accept(3)).found?.oracle).toBe("durable-promise");
  expect(durable().sends(B, shown, A, accept(4)).found?.oracle).toBe("durable-promise");
  expect(durable().sends(B, { ...shown, vote: A }, C, grant).found?.oracle).toBe("durable-promise");
});
