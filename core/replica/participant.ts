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
import { everybodyIn, foundingConfiguration, isOnlyVoter, type Configuration } from "../raft/configuration.ts";
import { FEATURE_VERSION } from "../raft/features.ts";
import { checkState, checkStep, type RaftState } from "../raft/invariants.ts";
import type { SnapshotId } from "../raft/message.ts";
import { Raft } from "../raft/raft.ts";
import type { Recovered, StorageEffect, StorageFault } from "../storage/boundary.ts";
import type { Storage } from "../storage/storage.ts";
import { founderIds, memberIdOf, nodeOf } from "../types.ts";
import type { Entry, Instant, LogIndex, MemberId, NodeId } from "../types.ts";
import type { Letter, PeerMessage } from "../wire/peer.ts";
import type { HaltReason, ReplicaEffect, ReplicaInput, ReplicaOptions, Stranger } from "./boundary.ts";
import type { Correspondence, Rejection } from "./correspondence.ts";
import { CutOrders } from "./cut-orders.ts";
import { Digests } from "./digests.ts";
import { translateOperations } from "./member-operations.ts";
import { Roster } from "./roster.ts";
import { Reception } from "./reception.ts";
import { carryOut, isForRaft, isForStorage, isNews, type StorageNews, type StorageOrder } from "./storage-orders.ts";

/** How many entries lie between two states that are compared, unless told. */
const DIGEST_EVERY = 256;

/** What goes to Raft as it is. */
type Passed = Extract<
  ReplicaInput,
  { readonly type: "TimerFired" | "Proposed" | "RolledBack" | "ReadRequested" | "ClockStopped" }
>;

export type ParticipantInput =
  | Passed
  | Extract<
      ReplicaInput,
      { readonly type: "Applied" | "SnapshotTaken" | "RestoreRefused" | "ChangeRequested" | "TransferRequested" }
    >
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
  private readonly digests: Digests;
  private readonly cuts = new CutOrders();
  /** What this node has to halt for, once its directory is marked; null: nothing. */
  private quarantine: HaltReason | null = null;
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
    const { hardState, log, snapshot, lost } = recovered;
    const { timing, limits, version = FEATURE_VERSION, leaseDriftPpm = null, roles = null, rarely } = replica;
    this.options = options;
    this.self = memberIdOf(node, incarnation);
    this.digests = new Digests(this.self, replica.digestEvery ?? DIGEST_EVERY);
    this.roster = new Roster(cluster.founders, snapshot);
    this.reception = new Reception(cluster, this.self);
    const founding = foundingConfiguration(founderIds(cluster.founders));
    const told = { timing, limits, version, leaseDriftPpm, roles, seed, rarely };
    this.raft = new Raft({ id: this.self, founding, hardState, log, snapshot, lost, ...told }, now);
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
      case "ClockStopped":
      case "LeaveRequested":
        return this.tell(input);
      case "Applied":
        return this.applied(input);
      case "LetterReceived":
        return this.letterReceived(input);
      case "SnapshotTaken":
        return this.snapshotTaken(input);
      case "ChangeRequested":
        return this.changeRequested(input);
      case "RestoreRefused":
        return this.restoreRefused(input);
      case "TransferRequested":
        return this.transferRequested(input);
      default:
        return this.storageNews(input);
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
      case "Digest":
        this.digests.heard(sender, message, this.roster.inForce);
        return this.judgeState();
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

  // The state

  private applied({ index, checksum }: InputOf<"Applied">): void {
    this.tell({ type: "Applied", index });
    const digest = this.digests.applied(index, checksum);
    if (digest === null) return;
    const node = nodeOf(this.self);
    // A disk of ours that this one has replaced is nobody to speak to.
    for (const { id } of everybodyIn(this.roster.inForce)) if (nodeOf(id) !== node) this.send(id, digest);
    this.judgeState();
  }

  /** A majority against us is right. What we have is marked as wrong, and fetched anew by the next start. */
  private judgeState(): void {
    const divergence = this.quarantine === null ? this.digests.judge(this.roster.inForce) : null;
    if (divergence === null) return;
    const { index, ours, theirs } = divergence;
    const detail = `the state as of entry ${index} has the checksum ${ours}, a majority of the voters has ${theirs}`;
    this.condemn({ type: "quarantined", index, detail });
  }

  private condemn(reason: HaltReason): void {
    if (this.quarantine !== null) return;
    this.quarantine = reason;
    this.perform(this.options.storage.quarantine());
  }

  /** Handed out in parts that end where states are compared: so each of those is reported. */
  private apply(entries: readonly Entry[]): void {
    let from = 0;
    for (const [at, { index }] of entries.entries()) {
      if (!this.digests.isCompared(index) || at + 1 === entries.length) continue;
      this.effects.push({ type: "Apply", entries: entries.slice(from, at + 1) });
      from = at + 1;
    }
    this.effects.push({ type: "Apply", entries: from === 0 ? entries : entries.slice(from) });
    if (this.roster.applied(entries)) this.committed();
  }

  private snapshotTaken({ index, cut }: InputOf<"SnapshotTaken">): void {
    const point = this.raft.snapshotAt(index);
    // While it was taken, a later one has come from the leader.
    if (point === null) this.cutEnded({ type: "CutEnded", isStored: false });
    else this.perform(this.options.storage.checkpoint(point, cut));
  }

  private cutEnded(effect: Extract<StorageNews, { readonly type: "CutEnded" }>): void {
    this.effects.push(effect);
    const next = this.cuts.ended();
    if (next === "taken") this.effects.push({ type: "TakeSnapshot" });
    if (next === "abandoned") this.tell({ type: "SnapshotAbandoned" });
  }

  private restore(snapshot: SnapshotId): void {
    this.roster.restored(snapshot);
    this.committed();
    this.cuts.restoreStarted();
    this.perform(this.options.storage.restore(snapshot));
  }

  private snapshotDamaged(fault: StorageFault): void {
    const { index } = this.raft.inspect().snapshot;
    this.discard(index, `the stored snapshot is damaged in ${fault.file}`, { type: "storage", fault });
  }

  private restoreRefused({ index, detail }: InputOf<"RestoreRefused">): void {
    this.discard(index, detail, { type: "divergence", index, detail });
  }

  /** Nobody else may have what a voter that may be alone has lost: then its directory stays as it is. */
  private discard(index: LogIndex, detail: string, otherwise: HaltReason): void {
    if (this.options.storage.state?.mayVoteAlone === true) this.effects.push({ type: "Halt", reason: otherwise });
    else this.condemn({ type: "quarantined", index, detail });
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
    for (const effect of effects) {
      if (isForStorage(effect)) this.perform(carryOut(this.options.storage, effect));
      else this.pass(effect);
    }
  }

  private pass(effect: Exclude<RaftEffect, StorageOrder>): void {
    switch (effect.type) {
      case "Send":
        return this.send(effect.to, effect.message);
      case "Apply":
        return this.apply(effect.entries);
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
        this.digests.reset();
        return this.announce();
      case "Reject":
        return this.reject(nodeOf(effect.from), { reason: "implausible", detail: effect.rule });
      case "TakeSnapshot":
        if (this.cuts.wanted()) this.effects.push(effect);
        return;
      case "SetTimer":
      case "Accept":
      case "Resolve":
      case "ReadReady":
      case "ReadRefused":
      case "ChangeResolved":
      case "TransferResolved":
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
    const { configuration: latest, configurationIndex, commitIndex } = this.raft.inspect();
    const isCommitted = configurationIndex <= commitIndex;
    if (this.announced?.configuration === configuration && this.announced.isCommitted === isCommitted) return;
    this.announced = { configuration, isCommitted };
    this.effects.push({ type: "ConfigurationChanged", configuration, isCommitted });
    if (isCommitted && !isOnlyVoter(latest, this.self)) this.perform(this.options.storage.noteOtherVoters());
  }

  /** What storage does at once. Failed and Closed it says only of a disk, or when told to close. */
  private perform(effects: readonly StorageEffect[]): void {
    for (const effect of effects) {
      if (effect.type === "Disk") this.effects.push(effect);
      else if (isNews(effect)) this.news.push(effect);
      else invariant(false, "an order to storage is answered by news of what was ordered");
    }
  }

  private storageNews(news: StorageNews): void {
    if (isForRaft(news)) return this.tell(news);
    switch (news.type) {
      case "SpaceChanged":
        this.effects.push(news);
        return this.tell(news);
      case "RestoreStarted":
      case "PagesRestored":
      case "RestoreFinished":
      case "PagesDamaged":
      case "DamageFound":
        if (news.type === "RestoreFinished") this.cuts.restoreFinished();
        this.effects.push(news);
        return;
      case "CutEnded":
        return this.cutEnded(news);
      case "SnapshotDamaged":
        return this.snapshotDamaged(news.fault);
      case "MemoryDamaged":
        this.effects.push({ type: "Halt", reason: { type: "memory", detail: news.detail } });
        return;
      case "Quarantined":
        invariant(this.quarantine !== null, "a directory is marked where that was ordered");
        this.effects.push({ type: "Halt", reason: this.quarantine });
        return;
      default:
        return unreachable(news);
    }
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
