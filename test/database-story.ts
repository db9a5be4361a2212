/**
 * Tells one Database's story in text: a log that does what the story says, clients that say what it says, and real
 * SQLite. Commands (an example each):
 *
 *     elect 2               this node leads term 2, and has not caught up
 *     lead 2                the same, and its no-op is committed
 *     follow b 3            b leads term 3
 *     open c1               connection c1 opens a session
 *     connect c1            connection c1 opens none
 *     c1 write INSERT ...   a statement that may write; likewise: script
 *     c1 read SELECT ...    a linearizable query, for which it waits 2,000 ms; they are numbered from 101 on
 *     c1 read@3 SELECT ...  the same, of a state that has the effect of the log up to index 3
 *     c1 again 101          query 101 once more
 *     c1 fetch 101 1        part 1 of the answer to query 101
 *     c1 settled 102        the next query says that everything below 102 is answered
 *     c1 begin 1            opens interactive transaction 1; likewise: commit 1, rollback 1
 *     c1 in 1 SELECT ...    a statement in transaction 1
 *     c1 repeats 20 write . the same request, under 20 sequence numbers, in silence; or: repeats 20 read ...
 *     c1 repeat 2           the request with sequence number 2 once more
 *     c1 forget 3           the next request says that everything below 3 is answered
 *     c1 locate             asks who leads
 *     c1 gone               the connection is closed
 *     accept                the log accepts all proposals made so far
 *     commit                the oldest accepted proposal is committed
 *     refuse 2 busy         proposal 2 is refused
 *     lost 2                another entry is committed where proposal 2 stood
 *     committed 2           proposal 2 is committed, and not applied yet
 *     unknown 2             a snapshot is to take the place of whatever is committed where proposal 2 stood
 *     noop                  the no-op of the present term is committed
 *     foreign INSERT ...    another leader commits a transaction
 *     behind INSERT ...     the same, and this node hears of it later
 *     catch up              now
 *     unheard INSERT ...    the same, and this node never hears of it
 *     configuration         a configuration entry is committed
 *     resign                this node leads no more, and nobody else is known to
 *     snapshot              a cut of this node's state is taken; compared with the state of the others
 *     stored                the cut is on the disk; or: abandoned
 *     damaged 1 2           pages 1 and 2 of the stored snapshot are damaged
 *     restore               the others' snapshot comes in the place of all entries so far; or: restore damaged
 *     restore begins        the first half of it; then: restore goes on, restore ends
 *     confirm               all ReadIndex rounds asked for are confirmed; confirm 2: number 2 alone
 *     unconfirmed           all ReadIndex rounds asked for are refused
 *     close                 this node is closing
 *     pass 600              600 ms pass, timers fire
 */
import { Database } from "../core/database/database.ts";
import {
  DEFAULT_DATABASE_LIMITS, type DatabaseEffect, type DatabaseInput, type DatabaseLimits,
} from "../core/database/boundary.ts";
import { ENGINE_SEED_SIZE, type Engine, type EngineFactory } from "../core/database/engine.ts";
import { Random, SEED_SIZE } from "../core/random.ts";
import type { ProposalOutcome, RefusalReason } from "../core/raft/boundary.ts";
import type { Entry, EntryId, LogIndex, NodeId, ProposalNumber, ReadNumber, Term } from "../core/types.ts";
import { decodeNodeMessage, encodeClientMessage } from "../core/wire/statement-codec.ts";
import type { ClientMessage, ReadLevel, RequestBody } from "../core/wire/statement.ts";
import { stateOf } from "./engine-state.ts";
import { describeNodeMessage } from "./node-message.ts";
import { StoryClock } from "./story-clock.ts";
import { StorySnapshots } from "./story-snapshots.ts";

const SELF = "a" as NodeId;

interface StoryClient {
  term: Term;
  session: number;
  nextSequence: number;
  lowestUnanswered: number;
  nextQuery: number;
  lowestQuery: number;
  /** By sequence number, or by that of the query. */
  readonly requests: Map<number, ClientMessage>;
}

interface Proposal {
  readonly number: ProposalNumber;
  readonly payload: Uint8Array;
  entry: EntryId | null;
}

export class DatabaseStory {
  readonly database: Database;
  private readonly elsewhere: Engine;
  private readonly clients = new Map<string, StoryClient>();
  private proposals: Proposal[] = [];
  private reads: ReadNumber[] = [];
  /** Committed entries that this node has not heard of yet. */
  private readonly missed: Entry[] = [];
  private readonly snapshots = new StorySnapshots();
  private readonly clock = new StoryClock();
  private term = 0 as Term;
  private lastIndex = 0;
  private committedIndex = 0;
  private sessions = 0;

  constructor(factory: EngineFactory, limits: Partial<DatabaseLimits> = {}) {
    const all = { ...DEFAULT_DATABASE_LIMITS, ...limits };
    const seed = Random.fromNumber(1).bytes(SEED_SIZE);
    this.database = new Database({ id: SELF, engine: factory, limits: all, seed });
    this.elsewhere = factory.create(Random.fromNumber(2).bytes(ENGINE_SEED_SIZE), all);
  }

  close(): void {
    this.database.engine.close();
    this.elsewhere.close();
  }

  /** Performs one command. @returns what the Database did, a line each. */
  command(line: string): readonly string[] {
    const [word = "", ...rest] = line.split(" ");
    const number = Number(rest[0]);
    switch (word) {
      case "elect":
        return this.changeLeader(number as Term, SELF);
      case "lead":
        return [...this.changeLeader(number as Term, SELF), ...this.commitOther("noop")];
      case "follow":
        return this.changeLeader(Number(rest[1]) as Term, rest[0] as NodeId);
      case "open":
        this.clients.set(rest[0]!, newClient());
        return this.say(rest[0]!, { type: "OpenSession", nonce: 7 });
      case "connect":
        this.clients.set(rest[0]!, newClient());
        return [];
      case "accept":
        return this.accept();
      case "commit":
        return this.commitOldest();
      case "refuse":
        this.drop(number);
        return this.resolve(number as ProposalNumber, { type: "refused", reason: rest[1] as RefusalReason });
      case "lost":
        return this.lose(number as ProposalNumber);
      case "committed":
        return this.commitUnapplied(number as ProposalNumber);
      case "unknown":
        this.drop(number);
        return this.resolve(number as ProposalNumber, { type: "unknown" });
      case "noop":
        return this.commitOther("noop");
      case "foreign":
        return this.commitForeign(rest.join(" "));
      case "behind": {
        const payload = this.executeElsewhere(rest.join(" "));
        this.missed.push({ term: this.term, index: this.committedIndex as LogIndex, kind: "payload", payload });
        return [];
      }
      case "catch":
        return this.step({ type: "Committed", entries: this.missed.splice(0) });
      case "unheard":
        this.executeElsewhere(rest.join(" "));
        return [];
      case "configuration":
        return this.commitOther("configuration");
      case "resign":
        return this.changeLeader(this.term, null);
      case "snapshot":
        return this.step({ type: "TakeSnapshot" });
      case "restore":
        return this.restore(rest[0]);
      case "stored":
      case "abandoned":
        return this.endCut(word === "stored");
      case "damaged":
        return this.step({ type: "PagesDamaged", numbers: rest.map(Number) });
      case "confirm":
      case "unconfirmed":
        return this.answerReads(word === "confirm", rest[0] === undefined ? null : (number as ReadNumber));
      case "close":
        return this.step({ type: "Closing" });
      case "pass":
        return this.clock.pass(number, () => this.step({ type: "TimerFired" }));
      default:
        return this.clientCommand(word, rest);
    }
  }

  private clientCommand(name: string, [verb = "", ...rest]: string[]): readonly string[] {
    const client = this.clients.get(name);
    if (client === undefined) throw new Error(`unknown command or client: ${name}`);
    const transaction = Number(rest[0]);
    const sql = rest.join(" ");
    switch (verb) {
      case "write":
        return this.request(name, { type: "write", transaction: 0, sql, parameters: [] });
      case "in":
        return this.request(name, { type: "write", transaction, sql: rest.slice(1).join(" "), parameters: [] });
      case "again":
        return this.say(name, client.requests.get(transaction)!);
      case "fetch":
        return this.say(name, { type: "FetchRows", query: transaction, part: Number(rest[1]) });
      case "settled":
        client.lowestQuery = transaction;
        return [];
      case "script":
        return this.request(name, { type: "script", sql });
      case "begin":
      case "commit":
      case "rollback":
        return this.request(name, { type: verb, transaction });
      case "repeat":
        return this.say(name, client.requests.get(transaction)!);
      case "repeats":
        for (let count = 0; count < transaction; count++) this.clientCommand(name, rest.slice(1));
        return [];
      case "forget":
        client.lowestUnanswered = transaction;
        return [];
      case "locate":
        return this.say(name, { type: "Locate", nonce: 1 });
      case "gone":
        return this.step({ type: "ClientGone", from: name });
      default:
        if (verb.startsWith("read")) return this.query(name, verb, sql);
        throw new Error(`unknown command of a client: ${verb}`);
    }
  }

  private request(name: string, body: RequestBody): readonly string[] {
    const client = this.clients.get(name)!;
    const { term, session, lowestUnanswered } = client;
    const sequence = client.nextSequence++;
    const message: ClientMessage = { type: "Request", term, session, sequence, lowestUnanswered, body };
    client.requests.set(sequence, message);
    return this.say(name, message);
  }

  private query(name: string, verb: string, sql: string): readonly string[] {
    const client = this.clients.get(name)!;
    const index = Number(verb.split("@")[1]) as LogIndex;
    const level: ReadLevel = verb === "read" ? { type: "linearizable" } : { type: "session", index };
    const query = client.nextQuery++;
    const lowestUnanswered = client.lowestQuery;
    const message: ClientMessage = {
      type: "Query", query, lowestUnanswered, timeoutMs: 2000, level, sql, parameters: [],
    };
    client.requests.set(query, message);
    return this.say(name, message);
  }

  private say(name: string, message: ClientMessage): readonly string[] {
    return this.step({ type: "ClientReceived", from: name, bytes: encodeClientMessage(message), wallMs: 0 });
  }

  // The log.

  private changeLeader(term: Term, leader: NodeId | null): readonly string[] {
    this.term = term;
    return this.step({ type: "LeadershipChanged", term, leader });
  }

  private accept(): readonly string[] {
    return this.proposals
      .filter((proposal) => proposal.entry === null)
      .flatMap((proposal) => {
        proposal.entry = { term: this.term, index: ++this.lastIndex as LogIndex };
        return this.step({ type: "Accepted", proposal: proposal.number, entry: proposal.entry });
      });
  }

  private commitOldest(): readonly string[] {
    const proposal = this.proposals.shift();
    if (proposal === undefined || proposal.entry === null) throw new Error("no accepted proposal to commit");
    const { number, entry, payload } = proposal;
    this.elsewhere.apply(payload);
    return [
      ...this.resolve(number, { type: "committed", entry }),
      ...this.commit({ ...entry, kind: "payload", payload }),
    ];
  }

  private commitUnapplied(number: ProposalNumber): readonly string[] {
    const proposal = this.proposals.shift();
    if (proposal?.number !== number || proposal.entry === null) throw new Error("proposals are committed in order");
    this.elsewhere.apply(proposal.payload);
    this.committedIndex = proposal.entry.index;
    return this.resolve(number, { type: "committed", entry: proposal.entry });
  }

  private commitOther(kind: "noop" | "configuration"): readonly string[] {
    // Uncommitted entries of an earlier leader end below: a real leader would have committed or replaced them.
    this.lastIndex = Math.max(this.lastIndex, this.committedIndex) + 1;
    if (this.lastIndex !== this.committedIndex + 1) throw new Error("accepted proposals stand before this entry");
    const index = this.lastIndex as LogIndex;
    const payload = new Uint8Array(kind === "noop" ? 0 : 10).fill(255);
    return this.commit({ term: this.term, index, kind, payload });
  }

  private commitForeign(sql: string): readonly string[] {
    const payload = this.executeElsewhere(sql);
    return this.commit({ term: this.term, index: this.committedIndex as LogIndex, kind: "payload", payload });
  }

  private executeElsewhere(sql: string): Uint8Array {
    const result = this.elsewhere.run("writer", sql, []);
    const [commit] = this.elsewhere.takeCommits();
    if (commit === undefined) throw new Error(`nothing to commit: ${JSON.stringify(result)}`);
    this.elsewhere.advance();
    this.committedIndex += 1;
    this.lastIndex = this.committedIndex;
    return commit.payload;
  }

  /** `what`: "damaged", "begins", "goes" (on), "ends"; undefined: all of it. */
  private restore(what: string | undefined): readonly string[] {
    if (what !== "goes" && what !== "ends") {
      const entry = { term: this.term, index: this.committedIndex as LogIndex };
      this.snapshots.comes(entry, stateOf(this.elsewhere), what === "damaged");
    }
    const steps = what === "begins" ? 2 : what === "goes" ? 1 : Infinity;
    return this.snapshots.take(steps).flatMap((step) => this.step(step));
  }

  private endCut(isStored: boolean): readonly string[] {
    this.snapshots.ended(isStored);
    return this.step({ type: "CutEnded", isStored });
  }

  private lose(number: ProposalNumber): readonly string[] {
    const lost = this.proposals.find((proposal) => proposal.number === number);
    if (lost === undefined || lost.entry === null) throw new Error("only an accepted proposal can be lost");
    this.drop(number);
    return this.resolve(number, { type: "lost", entry: lost.entry });
  }

  private drop(number: number): void {
    this.proposals = this.proposals.filter((proposal) => proposal.number !== number);
  }

  private resolve(proposal: ProposalNumber, outcome: ProposalOutcome): readonly string[] {
    return this.step({ type: "Resolved", proposal, outcome });
  }

  private commit(entry: Entry): readonly string[] {
    this.committedIndex = entry.index;
    return this.step({ type: "Committed", entries: [entry] });
  }

  private answerReads(confirm: boolean, only: ReadNumber | null): readonly string[] {
    const asked = this.reads.filter((read) => only === null || read === only);
    this.reads = this.reads.filter((read) => !asked.includes(read));
    const index = this.committedIndex as LogIndex;
    return asked.flatMap((read) =>
      this.step(confirm ? { type: "ReadConfirmed", read, index } : { type: "ReadRefused", read }),
    );
  }

  private step(input: DatabaseInput): readonly string[] {
    return this.database.step(this.clock.now, input).flatMap((effect) => this.perform(effect));
  }

  private perform(effect: DatabaseEffect): readonly string[] {
    switch (effect.type) {
      case "SetTimer":
        this.clock.setTimer(effect.at);
        return [];
      case "ReportApplied":
        if (effect.index === this.committedIndex && effect.checksum !== this.elsewhere.checksum()) {
          throw new Error(`the state at ${effect.index} is other than elsewhere`);
        }
        return [];
      case "SnapshotTaken":
        return [`SnapshotTaken at ${effect.index}: ${this.snapshots.taken(effect.cut, stateOf(this.elsewhere))}`];
      case "Propose":
        this.proposals.push({ number: effect.proposal, payload: effect.payload, entry: null });
        return [`Propose ${effect.proposal} after ${effect.predecessor} term=${effect.term}`];
      case "RollBack":
        return [`RollBack to ${effect.last} term=${effect.term}`];
      case "RequestRead":
        this.reads.push(effect.read);
        return [`RequestRead ${effect.read}`];
      case "Respond":
        return [`${effect.to} ← ${this.heard(effect.to, effect.bytes)}`];
      case "Disconnect":
        return [`Disconnect ${effect.client}: ${effect.detail}`];
      case "RestoreRefused":
      case "Halt":
        return [`${effect.type} at ${effect.index}: ${effect.detail}`];
    }
  }

  private heard(name: string, bytes: Uint8Array): string {
    const decoded = decodeNodeMessage(bytes);
    if (!decoded.ok) throw new Error(`a message of ours does not decode: ${decoded.fault.rule}`);
    const message = decoded.value;
    if (message.type === "SessionOpened") {
      const { term, session } = message;
      Object.assign(this.clients.get(name)!, { term, session });
    }
    // Its number is random in part: the story counts sessions instead.
    if (message.type === "SessionOpened") return `SessionOpened term=${message.term} (${++this.sessions})`;
    return describeNodeMessage(message);
  }
}

function newClient(): StoryClient {
  const requests = new Map<number, ClientMessage>();
  return {
    term: 0 as Term, session: 0, nextSequence: 1, lowestUnanswered: 1, nextQuery: 101, lowestQuery: 1, requests,
  };
}
