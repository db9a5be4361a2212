/**
 * What a node of consensus is, whatever its role: term and vote, log, configurations, and what is on its way to the
 * disk or to others. The rules of the roles (elections.ts, follower.ts, leader.ts) work on it; each fact has its one
 * way to be changed here, so that nothing that has to go together is ever done apart.
 */
import { invariant } from "../invariant.ts";
import { NEVER, type Rarely } from "../rare-course.ts";
import { Random } from "../random.ts";
import {
  NO_ENTRY, type Entry, type EntryKind, type Instant, type LogIndex, type MemberId, type Term,
} from "../types.ts";
import type { RaftEffect, RaftOptions } from "./boundary.ts";
import type { Configuration } from "./configuration.ts";
import { encodeConfiguration } from "./configuration-codec.ts";
import { Configurations } from "./configurations.ts";
import { Delivery } from "./delivery.ts";
import { Log } from "./log.ts";
import { Loss } from "./loss.ts";
import type { Message, SnapshotId } from "./message.ts";
import { Outbox } from "./outbox.ts";
import { Proposals } from "./proposals.ts";
import { ReadBack } from "./read-back.ts";
import { Writes } from "./writes.ts";

export class NodeState {
  readonly options: RaftOptions;
  readonly id: MemberId;
  readonly random: Random;
  readonly rarely: Rarely;
  readonly log: Log;
  readonly writes: Writes;
  readonly outbox = new Outbox();
  readonly proposals = new Proposals();
  readonly readBack = new ReadBack();
  readonly delivery: Delivery;
  readonly configurations: Configurations;
  readonly loss: Loss;
  currentTerm: Term;
  /** The candidate that we voted for in currentTerm; null: none yet. */
  votedFor: MemberId | null;
  /** The stored one; null: none has ever been. */
  snapshot: SnapshotId | null;
  /** Whether our disk has room for proposals. */
  hasSpace = true;
  now: Instant;
  /** Of the current step, besides Persist and the news, which stand before them. */
  effects: RaftEffect[] = [];

  constructor(options: RaftOptions, now: Instant) {
    const { log, snapshot, hardState, founding, lost } = options;
    this.options = options;
    this.id = options.id;
    this.random = Random.fromBytes(options.seed);
    this.rarely = options.rarely ?? NEVER;
    this.log = new Log(log);
    this.writes = new Writes(this.log);
    this.delivery = new Delivery(this.log, this.proposals, this.readBack, options.limits);
    const index = snapshot?.entry.index ?? (0 as LogIndex);
    invariant(index >= log.base.index, "what has been compacted is in the snapshot");
    const base = snapshot ?? { entry: NO_ENTRY, configuration: founding };
    const appended = log.configurations.filter((record) => record.index > index);
    this.configurations = new Configurations(base, appended.map((record) => {
      return { entry: this.log.idAt(record.index), configuration: record.configuration };
    }));
    this.currentTerm = hardState.currentTerm;
    this.votedFor = hardState.votedFor;
    this.loss = new Loss(lost, hardState.currentTerm, this.random, now);
    this.snapshot = snapshot;
    this.now = now;
    invariant(this.log.last.term <= this.currentTerm, "recovery finds no entry of a later term than the hard state's");
  }

  /** In force: the latest in the log, committed or not. This node need not be of it. */
  get configuration(): Configuration {
    return this.configurations.current;
  }

  /** A later term: nobody has our vote in it yet, or we have. */
  beginTerm(term: Term, votedFor: MemberId | null): void {
    invariant(term > this.currentTerm, "the term never falls");
    this.currentTerm = term;
    this.outbox.clear();
    this.vote(votedFor);
  }

  vote(votedFor: MemberId | null): void {
    this.votedFor = votedFor;
    this.writes.saveHardState({ currentTerm: this.currentTerm, votedFor });
  }

  /** A new entry of our own term, as only a leader makes them. */
  appendOwn(kind: EntryKind, payload: Uint8Array): Entry {
    const index = (this.log.last.index + 1) as LogIndex;
    const entry: Entry = { term: this.currentTerm, index, kind, payload };
    this.writes.append(entry);
    return entry;
  }

  /** In force from now on. */
  appendConfiguration(configuration: Configuration): LogIndex {
    const entry = this.appendOwn("configuration", encodeConfiguration(configuration));
    this.configurations.append(entry, configuration);
    return entry.index;
  }

  /** @param configuration what the entry says, if it says one */
  appendReceived(entry: Entry, configuration: Configuration | null): void {
    this.writes.append(entry);
    if (configuration !== null) this.configurations.append(entry, configuration);
  }

  truncate(keep: LogIndex): void {
    invariant(keep >= this.delivery.commitIndex, "a committed entry never changes");
    this.writes.truncate(keep);
    this.configurations.truncate(keep);
  }

  /** A snapshot that is ahead of everything committed here takes the place of the log. */
  install(snapshot: SnapshotId): void {
    invariant(snapshot.entry.index > this.delivery.commitIndex, "a snapshot never takes back what is committed");
    this.writes.install(snapshot);
    this.configurations.reset(snapshot);
    this.delivery.skipTo(snapshot, this.effects);
    this.snapshot = snapshot;
  }

  /** What the stored snapshot has may leave the log, memory and disk. */
  compact(through: LogIndex): void {
    if (through <= this.log.base.index) return;
    const entry = this.log.idAt(through);
    this.log.compact(entry);
    this.configurations.compact(through);
    this.effects.push({ type: "Compact", through: entry });
  }

  /** The leader of the current term holds our log up to `index`, too. */
  verify(index: LogIndex): void {
    this.loss.verify(this.currentTerm, index);
  }

  commit(index: LogIndex): void {
    this.delivery.commit(index, this.currentTerm, this.effects);
  }

  /** To be sent once everything that it vouches for is durable. */
  post(to: MemberId, message: Message, vouchesFor: "log" | "term"): void {
    this.outbox.post(to, message, vouchesFor);
  }

  reject(from: MemberId, rule: string): void {
    this.effects.push({ type: "Reject", from, rule });
  }
}
