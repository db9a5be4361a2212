/**
 * Replica: one node's consensus, whole: raft with its storage, its identity and its messages as bytes. It makes
 * proposals durable on a quorum and hands out what is committed, in order.
 *
 * It decides nothing of consensus and nothing of formats. What it decides is what this process may do at all: the
 * phases of its life (phase.ts). Which cluster it is of is found out in bootstrap.ts; what it does in one stands in
 * participant.ts.
 *
 * The one hard idea is what is absent: there is no Raft before the phase `running`, so that a node which is not of a
 * cluster durably can neither vote, campaign nor acknowledge; and there is none after `leaving`, so that nothing is
 * said by a node whose disk has failed.
 */
import { invariant, unreachable } from "../invariant.ts";
import { Random } from "../random.ts";
import { MAX_ADDRESS_LENGTH } from "../raft/configuration.ts";
import type { Recovered, StorageEffect, StorageFault } from "../storage/boundary.ts";
import { Storage } from "../storage/storage.ts";
import { afterMs, compareNodeIds, type ClusterIdentity, type Identity, type Instant, type NodeId } from "../types.ts";
import { PEER_LIMITS } from "../wire/peer.ts";
import { Bootstrap, drawIdentity, incarnationIn, type BootstrapEffect } from "./bootstrap.ts";
import type { HaltReason, ReplicaEffect, ReplicaInput, ReplicaOptions, ReplicaSnapshot } from "./boundary.ts";
import { Correspondence, type Rejection } from "./correspondence.ts";
import { Participant, type ParticipantEffect, type ParticipantInput } from "./participant.ts";
import type { Phase } from "./phase.ts";

type InputOf<Type extends ReplicaInput["type"]> = ReplicaInput & { readonly type: Type };
type OfTheProcess = "Started" | "Received" | "TimerFired" | "DiskDone" | "DiskFailed" | "Closing";
/** What is asked of consensus. */
type Asked = Exclude<ReplicaInput, { readonly type: OfTheProcess }>;

export class Replica {
  private readonly options: ReplicaOptions;
  private readonly storage: Storage;
  private readonly random: Random;
  private readonly raftSeed: Uint8Array;
  private phase: Phase = { type: "new" };
  private now = 0 as Instant;
  /** When Raft, or the asking of an empty node, wants to go on; null: there is none. */
  private timerAt: Instant | null = null;
  /** When storage is looked after; null: Raft does not run yet. */
  private tickAt: Instant | null = null;
  /** What the driver's timer is set to; null: to nothing. */
  private armedFor: Instant | null = null;
  /** Of the current step. */
  private effects: ReplicaEffect[] = [];

  constructor(options: ReplicaOptions) {
    const { id, cluster, limits, address = "" } = options;
    invariant(cluster.length > 0, "a node founds a cluster, alone at least, or asks somebody to be let in");
    invariant(isSorted(cluster) && cluster.length <= PEER_LIMITS.maxNodes, "a cluster is a sorted list of nodes");
    invariant(address.length <= MAX_ADDRESS_LENGTH, "an address fits its formats");
    invariant(limits.maxPayloadBytes <= PEER_LIMITS.maxPayloadBytes, "what is accepted can be sent");
    invariant(limits.maxMessageBytes <= PEER_LIMITS.maxPayloadBytes, "a message keeps to the format's limit");
    invariant(limits.snapshotChunkBytes <= PEER_LIMITS.maxPayloadBytes, "a piece keeps to the format's limit");
    this.options = options;
    this.storage = new Storage({ node: id, limits: options.storage, rarely: options.rarely });
    this.random = Random.fromBytes(options.seed);
    this.raftSeed = this.random.bytes(16);
  }

  step(now: Instant, input: ReplicaInput): readonly ReplicaEffect[] {
    invariant(now >= this.now, "time never runs backwards");
    this.now = now;
    if (this.phase.type === "halted") return [];
    this.effects = [];
    this.take(input);
    if ("letters" in this.phase) this.arm();
    return this.effects;
  }

  inspect(): ReplicaSnapshot {
    const { phase } = this;
    const participant = "participant" in phase ? phase.participant : null;
    return {
      phase: phase.type,
      identity: "letters" in phase ? phase.letters.identity : null,
      raft: participant?.inspect() ?? null,
      strangers: participant?.strangers ?? [],
    };
  }

  private take(input: ReplicaInput): void {
    switch (input.type) {
      case "Started":
        invariant(this.phase.type === "new", "a process starts once");
        this.phase = { type: "recovering" };
        return this.perform(this.storage.start());
      case "DiskDone":
      case "DiskFailed":
        return this.perform(this.storage.answered(input));
      case "Received":
        return this.received(input);
      case "TimerFired":
        return this.timerFired();
      case "Closing":
        return this.close();
      default:
        if ("participant" in this.phase) this.tell(this.phase.participant, input);
        else this.refuse(input);
    }
  }

  /** One timer for two: consensus, or the asking of an empty node; and storage, which looks after itself. */
  private timerFired(): void {
    this.armedFor = null;
    if (this.tickAt !== null && this.tickAt <= this.now) {
      this.tickAt = afterMs(this.now, this.options.storage.tickMs);
      this.perform(this.storage.tick());
    }
    if (this.timerAt === null || this.timerAt > this.now) return;
    this.timerAt = null;
    if ("participant" in this.phase) this.tell(this.phase.participant, { type: "TimerFired" });
    if (this.phase.type === "empty") this.follow(this.phase.bootstrap.ask(this.now), this.options.id);
  }

  private arm(): void {
    const { timerAt, tickAt } = this;
    const never = Number.POSITIVE_INFINITY;
    const at = Math.min(timerAt ?? never, tickAt ?? never) as Instant;
    if (at === never || (this.armedFor !== null && this.armedFor <= at)) return;
    this.armedFor = at;
    this.effects.push({ type: "SetTimer", at });
  }

  /** Without Raft nothing is appended and nobody leads: refusals are true, and nobody waits in vain. */
  private refuse(input: Asked): void {
    const outcome = { type: "refused", reason: "notLeader" } as const;
    switch (input.type) {
      case "Proposed":
        this.effects.push({ type: "Resolve", proposal: input.proposal, outcome });
        return;
      case "ReadRequested":
        this.effects.push({ type: "ReadRefused", read: input.read });
        return;
      case "ChangeRequested":
        this.effects.push({ type: "ChangeResolved", request: input.request, outcome });
        return;
      case "TransferRequested":
        this.effects.push({ type: "TransferResolved", request: input.request, outcome });
        return;
      case "RolledBack":
      case "Applied":
      case "SnapshotTaken":
      case "RestoreRefused":
      case "ClockStopped":
        return;
      default:
        return unreachable(input);
    }
  }

  private close(): void {
    const { phase } = this;
    invariant(phase.type !== "new", "only what was started is closed");
    if (phase.type === "leaving" || phase.type === "closing" || phase.type === "closed") return;
    if (phase.type !== "running") return this.closeStorage();
    this.phase = { ...phase, type: "leaving" };
    this.tell(phase.participant, { type: "LeaveRequested" });
  }

  private closeStorage(): void {
    this.phase = { type: "closing" };
    this.perform(this.storage.close());
  }

  private received({ from, bytes }: InputOf<"Received">): void {
    const { phase } = this;
    // Before we know who we are nobody can be judged, and after the end nobody is heard: as if it had been lost.
    if (!("letters" in phase)) return;
    const opened = phase.letters.open(from, bytes);
    if (!opened.ok) return this.reject(from, opened.rejection);
    const { letter } = opened;
    // While the cluster is being written, the decision has been made: who asks now will ask again.
    if (phase.type === "founding") return;
    if ("participant" in phase) return this.tell(phase.participant, { type: "LetterReceived", from, letter });
    const { envelope, message } = letter;
    invariant(
      message.type === "Empty" || message.type === "Founded" || message.type === "Admitted",
      "only bootstrap is heard by an empty node",
    );
    this.follow(phase.bootstrap.heardFrom(from, envelope, message), from);
  }

  private reject(from: NodeId, { reason, detail }: Rejection): void {
    this.effects.push({ type: "Reject", from, reason, detail });
  }

  // Becoming a node of a cluster.

  private recovered(recovered: Recovered): void {
    invariant(this.phase.type === "recovering", "recovery happens once");
    const { identity } = recovered;
    if (identity === null) {
      this.phase = { type: "claiming", recovered };
      return this.perform(this.storage.writeIdentity(drawIdentity(this.options.id, this.random)));
    }
    this.enter(recovered, identity);
  }

  private identityWritten(identity: Identity): void {
    const { phase } = this;
    if (phase.type === "claiming") return this.enter(phase.recovered, identity);
    invariant(phase.type === "founding", "an identity is written where one is wanted");
    this.become(phase.recovered, identity);
    if (identity.cluster !== null) this.tellFounders(identity, identity.cluster);
  }

  /** To save the others a round of asking; who is not empty any more does not hear it. */
  private tellFounders({ node, incarnation }: Identity, { founders }: ClusterIdentity): void {
    if (founders[0]?.node !== node || incarnationIn(founders, node) !== incarnation) return;
    const others = founders.filter((founder) => founder.node !== node);
    const message = { type: "Founded", founders } as const;
    this.follow(others.map((other) => ({ type: "Send", to: other.node, receiver: other.incarnation, message })), node);
  }

  /** The identity on disk is known: report it, and go on as what it says. */
  private enter(recovered: Recovered, identity: Identity): void {
    const { log, tornBytes, lost, damage } = recovered;
    this.effects.push({ type: "Recovered", identity, last: log.last, tornBytes, lost, damage });
    this.become(recovered, identity);
  }

  private become(recovered: Recovered, identity: Identity): void {
    const letters = new Correspondence(identity);
    if (identity.cluster !== null) return this.run(recovered, letters);
    const { id, cluster, timing, address = "" } = this.options;
    const { incarnation } = identity;
    const { random } = this;
    const bootstrap = new Bootstrap(
      { node: id, incarnation, nodes: cluster, address, repeatMs: timing.heartbeatMs, random },
    );
    this.phase = { type: "empty", recovered, letters, bootstrap };
    this.follow(bootstrap.ask(this.now), id);
  }

  private run(recovered: Recovered, letters: Correspondence): void {
    const { options: replica, storage, raftSeed: seed } = this;
    const participant = new Participant({ replica, letters, recovered, storage, seed }, this.now);
    this.phase = { type: "running", letters, participant };
    this.tickAt = afterMs(this.now, replica.storage.tickMs);
    // What the timer was set to, was set to ask others.
    this.timerAt = null;
    this.armedFor = null;
    this.hand(participant.start(this.now));
  }

  private follow(effects: readonly BootstrapEffect[], from: NodeId): void {
    for (const effect of effects) {
      const { phase } = this;
      invariant(phase.type === "empty" || phase.type === "running", "bootstrap speaks for a node that knows itself");
      switch (effect.type) {
        case "Send":
          this.effects.push({ type: "Send", to: effect.to, bytes: phase.letters.to(effect.receiver, effect.message) });
          break;
        case "SetTimer":
          this.timerAt = effect.at;
          break;
        case "Reject":
          this.reject(from, effect);
          break;
        case "Found": {
          invariant(phase.type === "empty", "a node is founded once");
          const { recovered, letters } = phase;
          this.phase = { type: "founding", recovered, letters };
          this.perform(this.storage.writeIdentity({ ...letters.identity, cluster: effect.cluster }));
          break;
        }
        default:
          unreachable(effect);
      }
    }
  }

  // Being one, and storage.

  private tell(participant: Participant, input: ParticipantInput): void {
    this.hand(participant.step(this.now, input));
  }

  private hand(effects: readonly ParticipantEffect[]): void {
    let leaves = false;
    for (const effect of effects) {
      if (effect.type === "Leave") leaves = true;
      else if (effect.type === "SetTimer") this.timerAt = effect.at;
      else this.effects.push(effect);
      if (effect.type === "Halt") this.phase = { type: "halted" };
    }
    if (leaves && this.phase.type === "leaving") this.closeStorage();
  }

  private perform(effects: readonly StorageEffect[]): void {
    for (const effect of effects) {
      switch (effect.type) {
        case "Disk":
          this.effects.push(effect);
          break;
        case "Recovered":
          // A node that was told to close while it recovered has no use for what was found.
          if (this.phase.type !== "closing") this.recovered(effect.recovered);
          break;
        case "IdentityWritten":
          if (this.phase.type !== "closing") this.identityWritten(effect.identity);
          break;
        case "Closed":
          this.phase = { type: "closed" };
          this.effects.push({ type: "Closed" });
          break;
        case "Failed":
          return this.halt(effect.fault);
        default:
          if ("participant" in this.phase) this.tell(this.phase.participant, effect);
      }
    }
  }

  private halt(fault: StorageFault): void {
    const isOfDisk = fault.type === "diskFailed" && this.phase.type !== "recovering";
    this.phase = { type: "halted" };
    const reason: HaltReason = isOfDisk
      ? { type: "disk", code: fault.code, file: fault.file, detail: fault.detail }
      : { type: "storage", fault };
    this.effects.push({ type: "Halt", reason });
  }
}

function isSorted(nodes: readonly NodeId[]): boolean {
  return nodes.every((node, at) => at === 0 || compareNodeIds(nodes[at - 1] as NodeId, node) < 0);
}
