/**
 * The oracle of figure 3: a cluster of three that behaves passes, and each broken rule is found. Nodes are what they
 * show and what their disks hold, both made by hand.
 */
import { expect, test } from "vitest";
import type { NodeEffect } from "../core/node/boundary.ts";
import type { Message } from "../core/raft/message.ts";
import { encodeLogHeader, LOG_FILE, LogFile } from "../core/storage/log-file.ts";
import { checksumOf, type Owner } from "../core/storage/block.ts";
import { encodeNewTermFile, encodeSlot, slotOffset, TERM_FILE } from "../core/storage/term-file.ts";
import type {
  ClusterId, Entry, EntryId, HardState, Incarnation, LogIndex, NodeId, Term, Ticket,
} from "../core/types.ts";
import { NO_ENTRY } from "../core/types.ts";
import { encodeLetter } from "../core/wire/peer-codec.ts";
import type { DurableDisk, RaftObservation, Violation } from "../sim/oracles/boundary.ts";
import { RaftOracle } from "../sim/oracles/raft-oracle.ts";

const [A, B, C] = ["a" as NodeId, "b" as NodeId, "c" as NodeId];
const NODES = [A, B, C];
const CLUSTER = "0123456789abcdef0123456789abcdef" as ClusterId;
const INCARNATION = "0123456789abcdef" as Incarnation;

/** Entries by their terms, "1 1 2" being 1/1, 1/2 and 2/3; `payload` is the same for all. */
function entries(terms: string, payload = 7): Entry[] {
  return terms.split(" ").filter((term) => term !== "").map((term, at) => ({
    term: Number(term) as Term, index: (at + 1) as LogIndex, kind: "payload", payload: Uint8Array.of(payload),
  }));
}

/** A disk with this log and hard state, all of it synced. */
function disk(node: NodeId, terms: string, hardState: HardState, payload = 7, generation = 2): DurableDisk {
  const owner: Owner = { node, incarnation: INCARNATION, cluster: CLUSTER };
  const header = encodeLogHeader(owner);
  const log = new LogFile(checksumOf(header));
  const mark = { through: header.length, generation: 1 };
  const order = { ticket: 1 as Ticket, hardState: null, truncateTo: null, entries: entries(terms, payload) };
  const records = log.append([order], mark);
  const logFile = new Uint8Array(header.length + records.length + 100);
  logFile.set(header);
  logFile.set(records, header.length);
  const termFile = encodeNewTermFile(owner);
  termFile.set(encodeSlot(owner, { generation, hardState }), slotOffset(generation));
  return { durable: (file) => (file === LOG_FILE ? logFile : file === TERM_FILE ? termFile : null) };
}

interface Shown {
  readonly role?: RaftObservation["role"];
  readonly term?: number;
  readonly vote?: NodeId | null;
  readonly log?: string;
  readonly commit?: number;
  readonly applied?: number;
}

function observation(shown: Shown): RaftObservation {
  const { role = "follower", term = 1, vote = null, log = "", commit = 0, applied = 0 } = shown;
  const all = entries(log).map(({ term: of, index }): EntryId => ({ term: of, index }));
  return {
    role, currentTerm: term as Term, votedFor: vote, last: all.at(-1) ?? NO_ENTRY,
    commitIndex: commit as LogIndex, lastApplied: applied as LogIndex,
    terms: all.filter((entry, at) => entry.term !== all[at - 1]?.term),
  };
}

/** A world of three whose disks hold these logs. The first violation is kept. */
class World {
  readonly oracle = new RaftOracle(NODES, { comparisons: 0, entriesCommitted: 0, elections: 0, clientReads: 0 });
  found: Violation | null = null;
  private generation = 2;

  starts(node: NodeId, log = "", term = 1, vote: NodeId | null = null, payload = 7): this {
    const hardState = { currentTerm: term as Term, votedFor: vote };
    this.found ??= this.oracle.started(node, disk(node, log, hardState, payload));
    return this;
  }

  shows(node: NodeId, shown: Shown, effects: readonly NodeEffect[] = []): this {
    this.found ??= this.oracle.stepped(node, observation(shown), effects);
    return this;
  }

  /** The votes of these nodes for a candidate are on their disks. */
  votes(candidate: NodeId, term: number, voters: readonly NodeId[] = NODES): this {
    this.generation++;
    const hardState = { currentTerm: term as Term, votedFor: candidate };
    for (const voter of voters) {
      this.found ??= this.oracle.synced(voter, TERM_FILE, disk(voter, "", hardState, 7, this.generation));
    }
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

  sends(node: NodeId, shown: Shown, to: NodeId, message: Message): this {
    const envelope = { cluster: CLUSTER, sender: INCARNATION, receiver: INCARNATION };
    return this.shows(node, shown, [{ type: "Send", to, bytes: encodeLetter({ envelope, message }) }]);
  }
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
  ["monotonic", "the term falls", () => new World().shows(A, { term: 2 }).shows(A, { term: 1 })],
  ["monotonic", "the durable term falls over a crash", () => new World().starts(A, "", 5).shows(A, { term: 4 })],
  ["monotonic", "a durable vote is given again", () => new World().starts(A, "", 5, B).shows(A, { term: 5, vote: C })],
  ["monotonic", "commitIndex falls", () => {
    const world = new World().starts(A, "1").starts(B, "1").starts(C, "1");
    return world.shows(A, { log: "1", commit: 1 }).shows(A, { log: "1", commit: 0 });
  }],
  ["order", "more is applied than committed", () => new World().shows(A, { log: "1", applied: 1 })],
];

test.each(BAD)("%s: %s", (oracle, _name, play) => {
  expect(play().found?.oracle).toBe(oracle);
});

test("a message may leave once what it vouches for is durable", () => {
  const grant: Message = { type: "RequestVoteReply", term: 3 as Term, granted: true };
  const accept = (matchIndex: number): Message => {
    const result = { accepted: true, matchIndex: matchIndex as LogIndex } as const;
    return { type: "AppendEntriesReply", term: 3 as Term, round: 0, result };
  };
  const shown = { term: 3, vote: A, log: "1 1 3" };
  const durable = (): World => new World().starts(B, "1 1 3", 3, A);
  expect(durable().sends(B, shown, A, grant).found).toBeNull();
  expect(durable().sends(B, shown, A, accept(3)).found).toBeNull();
  // The vote is on no disk; the last entry is on no disk; the index lies beyond the log.
  expect(new World().starts(B, "1 1", 2).sends(B, shown, A, grant).found?.oracle).toBe("durable-promise");
  expect(new World().starts(B, "1 1", 3, A).sends(B, shown, A, accept(3)).found?.oracle).toBe("durable-promise");
  expect(durable().sends(B, shown, A, accept(4)).found?.oracle).toBe("durable-promise");
  expect(durable().sends(B, { ...shown, vote: A }, C, grant).found?.oracle).toBe("durable-promise");
});
