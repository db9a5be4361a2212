/**
 * A node of a cluster: Raft with its log, its snapshots and its letters.
 *
 *     Proposed, TimerFired, ...  -> raft -> Persist, ReadEntries, StoreChunk, ... -> storage -> Disk
 *     LetterReceived (decoded)       ^ \-> Send (encoded), Apply, Resolve, ...          |
 *                                    +--- Persisted, EntriesRead, ... <- storage <------+
 *
 * It exists only while Raft runs: who is founded durably has one, and whose disk has failed has none any more. It
 * translates between nodes, which is what everybody outside speaks of, and disks (MemberId), which consensus counts.
 *
 * The one hard idea is the queue of news. What storage answers at once is heard by Raft only when everything that Raft
 * ordered before has been handed out: so Apply, Restore, TakeSnapshot and LeadershipChanged leave in the order in which
 * Raft gave them.
 */
import { invariant, unreachable } from "../invariant.ts";
import type { RaftEffect, RaftInput } from "../raft/boundary.ts";
import { foundingConfiguration, type Configuration } from "../raft/configuration.ts";
import { FEATURE_VERSION } from "../raft/features.ts";
import { checkState, checkStep, type RaftState } from "../raft/invariants.ts";
import type { SnapshotId } from "../raft/message.ts";
import { Raft } from "../raft/raft.ts";
import type { Recovered, StorageEffect } from "../storage/boundary.ts";
import type { Storage } from "../storage/storage.ts";
import { memberIdOf, nodeOf } from "../types.ts";
import type { Instant, MemberId, NodeId } from "../types.ts";
import type { Letter, PeerMessage } from "../wire/peer.ts";
import type { ReplicaEffect, ReplicaInput, ReplicaOptions, Stranger } from "./boundary.ts";
import type { Correspondence, Rejection } from "./correspondence.ts";
import { translateOperations } from "./member-operations.ts";
import { Roster } from "./roster.ts";
import { Reception } from "./reception.ts";

/** What storage answers to Raft's orders. */
const NEWS = ["Persisted", "EntriesRead", "SnapshotStored", "ChunkStored", "SnapshotRead"] as const;
export type StorageNews = Extract<StorageEffect, { readonly type: (typeof NEWS)[number] }>;

type StorageOrder = "Persist" | "ReadEntries" | "StoreChunk" | "ReadSnapshot" | "Compact";
type NotForStorage = Exclude<RaftEffect, { readonly type: StorageOrder }>;

/** What goes to Raft as it is. */
type Passed = Extract<
  ReplicaInput,
  { readonly type: "TimerFired" | "Proposed" | "RolledBack" | "ReadRequested" | "Applied" | "ClockStopped" }
>;

export type ParticipantInput =
  | Passed
  | Extract<ReplicaInput, { readonly type: "SnapshotTaken" | "ChangeRequested" | "TransferRequested" }>
  | StorageNews
  | { readonly type: "LetterReceived"; readonly from: NodeId; readonly letter: Letter }
  /** Hand over what can be handed over. Answered by Leave. */
  | Extract<RaftInput, { readonly type: "LeaveRequested" }>;

export type ParticipantEffect = ReplicaEffect | Extract<RaftEffect, { readonly type: "Leave" }>;

type InputOf<Type extends ParticipantInput["type"]> = ParticipantInput & { readonly type: Type };

export interface ParticipantOptions {
  readonly replica: ReplicaOptions;
  readonly letters: Correspondence;
  readonly recovered: Recovered;
  readonly storage: Storage;
  /** 16 bytes. */
  readonly seed: Uint8Array;
}

export class Participant {
  private readonly options: ParticipantOptions;
  private readonly self: MemberId;
  private readonly raft: Raft;
  private readonly roster: Roster;
  private readonly reception: Reception;
  private leader: MemberId | null = null;
  /** null: Raft has not said yet what is in force. */
  private announced: { readonly configuration: Configuration; readonly isCommitted: boolean } | null = null;
  private now: Instant;
  /** From storage. */
  private news: StorageNews[] = [];
  /** Of the current step. */
  private effects: ParticipantEffect[] = [];

  constructor(options: ParticipantOptions, now: Instant) {
    const { letters, recovered, replica, seed } = options;
    const { node, incarnation, cluster } = letters.identity;
    invariant(cluster !== null, "a participant is of a cluster");
    const { hardState, log, snapshot } = recovered;
    const { timing, limits, version = FEATURE_VERSION, leaseDriftPpm = null, roles = null } = replica;
    this.options = options;
    this.self = memberIdOf(node, incarnation);
    this.roster = new Roster(cluster.founders, snapshot);
    this.reception = new Reception(cluster, this.self);
    const founding = foundingConfiguration(cluster.founders.map((one) => memberIdOf(one.node, one.incarnation)));
    this.raft = new Raft(
      { id: this.self, founding, hardState, log, snapshot, timing, limits, version, leaseDriftPpm, roles, seed }, now,
    );
    this.now = now;
  }

  /** The first effects. */
  start(now: Instant): readonly ParticipantEffect[] {
    this.now = now;
    this.obey(this.raft.start(now));
    return this.finish();
  }

  step(now: Instant, input: ParticipantInput): readonly ParticipantEffect[] {
    this.now = now;
    this.take(input);
    return this.finish();
  }

  inspect(): RaftState {
    return this.raft.inspect();
  }

  get strangers(): readonly Stranger[] {
    return this.reception.strangers;
  }

  private take(input: ParticipantInput): void {
    switch (input.type) {
      case "TimerFired":
      case "Proposed":
      case "RolledBack":
      case "ReadRequested":
      case "Applied":
      case "ClockStopped":
      case "LeaveRequested":
        return this.tell(input);
      case "LetterReceived":
        return this.letterReceived(input);
      case "SnapshotTaken":
        return this.snapshotTaken(input);
      case "ChangeRequested":
        return this.changeRequested(input);
      case "TransferRequested":
        return this.transferRequested(input);
      case "Persisted":
      case "EntriesRead":
      case "SnapshotStored":
      case "ChunkStored":
      case "SnapshotRead":
        return this.storageNews(input);
      default:
        return unreachable(input);
    }
  }

  // Letters

  private letterReceived({ from, letter: { envelope, message } }: InputOf<"LetterReceived">): void {
    const sender = memberIdOf(from, envelope.sender);
    switch (message.type) {
      case "Empty": {
        const { message: answer, rejection } = this.reception.answer(from, envelope.sender, message, this.roster);
        this.send(sender, answer);
        return rejection === null ? undefined : this.reject(from, rejection);
      }
      case "Founded":
      case "Admitted":
        return;
      default: {
        if (!this.roster.isReplaced(sender, message.term)) {
          return this.tell({ type: "MessageReceived", from: sender, message });
        }
        const detail = `another disk of ${from} has taken the place of ${envelope.sender} in this cluster`;
        return this.reject(from, { reason: "wrongIncarnation", detail });
      }
    }
  }

  private send(to: MemberId, message: PeerMessage): void {
    this.effects.push({ type: "Send", to: nodeOf(to), bytes: this.options.letters.toMember(to, message) });
  }

  private reject(from: NodeId, { reason, detail }: Rejection): void {
    this.effects.push({ type: "Reject", from, reason, detail });
  }

  // What operators ask for

  private changeRequested({ request, operations }: InputOf<"ChangeRequested">): void {
    const { inForce } = this.roster;
    const translated = translateOperations(operations, inForce, (node) => this.reception.strangerOf(node));
    if (translated.ok) return this.tell({ type: "ChangeRequested", request, operations: translated.operations });
    const reason = this.leader === this.self ? translated.reason : "notLeader";
    this.effects.push({ type: "ChangeResolved", request, outcome: { type: "refused", reason } });
  }

  private transferRequested({ request, target }: InputOf<"TransferRequested">): void {
    const member = target === null ? null : this.roster.memberOf(target);
    if (target === null || member !== null) return this.tell({ type: "TransferRequested", request, target: member });
    const reason = this.leader === this.self ? "notVoter" : "notLeader";
    this.effects.push({ type: "TransferResolved", request, outcome: { type: "refused", reason } });
  }

  // Snapshots

  private snapshotTaken({ index, bytes }: InputOf<"SnapshotTaken">): void {
    const snapshot = this.raft.snapshotAt(index, bytes.length);
    // While it was taken, a later one has come from the leader.
    if (snapshot === null) return;
    this.perform(this.options.storage.storeSnapshot(snapshot, bytes));
  }

  private restore(snapshot: SnapshotId): void {
    this.roster.restored(snapshot);
    this.committed();
    const { entry, size } = snapshot;
    this.perform(this.options.storage.readSnapshot({ type: "restore", entry }, size));
  }

  private snapshotRead({ reader, bytes }: InputOf<"SnapshotRead">): void {
    if (reader.type === "member") {
      const { to, entry, offset } = reader;
      return this.tell({ type: "SnapshotRead", to, entry, offset, bytes });
    }
    // A later one has taken its place, and is restored next.
    if (bytes === null) return;
    this.effects.push({ type: "Restore", index: reader.entry.index, bytes });
  }

  // Raft and its storage

  private tell(input: RaftInput): void {
    if (this.options.replica.checkInvariants !== true) return this.obey(this.raft.step(this.now, input));
    const before = this.raft.inspect();
    const effects = this.raft.step(this.now, input);
    const after = this.raft.inspect();
    checkState(after);
    checkStep(before, after);
    this.obey(effects);
  }

  private obey(effects: readonly RaftEffect[]): void {
    const { storage } = this.options;
    for (const effect of effects) {
      switch (effect.type) {
        case "Persist":
          this.perform(storage.persist(effect));
          break;
        case "ReadEntries":
          this.perform(storage.requestRead(effect.purpose, effect.from, effect.end, effect.maxBytes));
          break;
        case "StoreChunk":
          this.perform(storage.storeChunk(effect.snapshot, effect.offset, effect.bytes));
          break;
        case "ReadSnapshot": {
          const { to, entry, offset, maxBytes } = effect;
          this.perform(storage.readSnapshot({ type: "member", to, entry, offset }, maxBytes));
          break;
        }
        case "Compact":
          this.perform(storage.compact(effect.through));
          break;
        default:
          this.pass(effect);
      }
    }
  }

  private pass(effect: NotForStorage): void {
    switch (effect.type) {
      case "Send":
        return this.send(effect.to, effect.message);
      case "Apply":
        this.effects.push(effect);
        if (this.roster.applied(effect.entries)) this.committed();
        return;
      case "Restore":
        return this.restore(effect.snapshot);
      case "LeadershipChanged": {
        this.leader = effect.leader;
        const leader = effect.leader === null ? null : nodeOf(effect.leader);
        this.effects.push({ type: "LeadershipChanged", term: effect.term, leader });
        return;
      }
      case "ConfigurationChanged":
        this.roster.inForce = effect.configuration;
        return this.announce();
      case "Reject":
        return this.reject(nodeOf(effect.from), { reason: "implausible", detail: effect.rule });
      case "SetTimer":
      case "Accept":
      case "Resolve":
      case "ReadReady":
      case "ReadRefused":
      case "ChangeResolved":
      case "TransferResolved":
      case "TakeSnapshot":
      case "Leave":
        this.effects.push(effect);
        return;
      default:
        return unreachable(effect);
    }
  }

  private committed(): void {
    this.reception.forgetMembers(this.roster);
    if (this.announced !== null) this.announce();
  }

  /** Once it is known what is in force, or what is committed. */
  private announce(): void {
    const { inForce: configuration } = this.roster;
    const { configurationIndex, commitIndex } = this.raft.inspect();
    const isCommitted = configurationIndex <= commitIndex;
    if (this.announced?.configuration === configuration && this.announced.isCommitted === isCommitted) return;
    this.announced = { configuration, isCommitted };
    this.effects.push({ type: "ConfigurationChanged", configuration, isCommitted });
  }

  /** What storage does at once. Failed and Closed it says only when it hears of a disk, or is told to close. */
  private perform(effects: readonly StorageEffect[]): void {
    for (const effect of effects) {
      if (effect.type === "Disk") this.effects.push(effect);
      else {
        invariant(isNews(effect), "an order to storage is answered by news of what was ordered");
        this.news.push(effect);
      }
    }
  }

  private storageNews(news: StorageNews): void {
    if (news.type === "SnapshotRead") this.snapshotRead(news);
    else this.tell(news);
  }

  private finish(): readonly ParticipantEffect[] {
    // The array grows while it is walked: what storage answers to the answer comes last.
    for (const news of this.news) this.storageNews(news);
    this.news = [];
    const effects = this.effects;
    this.effects = [];
    return effects;
  }
}

function isNews(effect: StorageEffect): effect is StorageNews {
  return effect.type !== "Disk" && (NEWS as readonly string[]).includes(effect.type);
}
