/**
 * Replica: one node's consensus, whole: raft with its storage, its identity and its messages as bytes. It makes
 * proposals durable on a quorum and hands out what is committed, in order.
 *
 *     Received, Proposed, ... -> raft -> Persist, ReadEntries -> storage -> Disk
 *                                 ^ \-> Send (encoded), Apply, Resolve, ...   |
 *                                 +---- Persisted, EntriesRead <- storage <-- DiskDone, DiskFailed
 *
 * It decides nothing of consensus and nothing of formats. What it decides is who is heard (correspondence.ts), which
 * cluster it is of (bootstrap.ts), and what this process may do at all: the phases of its life (phase.ts).
 *
 * The one hard idea is what is absent: there is no Raft before the phase `running`, so that a node which is not founded
 * durably can neither vote, campaign nor acknowledge; and there is none after it, so that nothing is said by a node
 * whose disk has failed.
 */
import { invariant, unreachable } from "../invariant.ts";
import { Random } from "../random.ts";
import type { RaftEffect, RaftInput } from "../raft/boundary.ts";
import { checkState, checkStep, type RaftSnapshot } from "../raft/invariants.ts";
import { Raft } from "../raft/raft.ts";
import type { Recovered, StorageEffect, StorageFault } from "../storage/boundary.ts";
import { Storage } from "../storage/storage.ts";
import { compareNodeIds, type Identity, type Instant, type NodeId } from "../types.ts";
import { PEER_LIMITS, type Envelope, type PeerMessage } from "../wire/peer.ts";
import { Bootstrap, drawIdentity, tellFounded, type BootstrapEffect } from "./bootstrap.ts";
import type { HaltReason, ReplicaEffect, ReplicaInput, ReplicaOptions, ReplicaSnapshot } from "./boundary.ts";
import { Correspondence, type Rejection } from "./correspondence.ts";
import type { Phase, PhaseOf } from "./phase.ts";

type InputOf<Type extends ReplicaInput["type"]> = ReplicaInput & { readonly type: Type };

export class Replica {
  private readonly options: ReplicaOptions;
  private readonly storage: Storage;
  private readonly random: Random;
  private readonly raftSeed: Uint8Array;
  private phase: Phase = { type: "new" };
  private now = 0 as Instant;
  /** Of the current step. */
  private effects: ReplicaEffect[] = [];

  constructor(options: ReplicaOptions) {
    const { id, cluster, limits } = options;
    invariant(cluster.includes(id), "a node is one of its own cluster");
    invariant(isSorted(cluster) && cluster.length <= PEER_LIMITS.maxNodes, "a cluster is a sorted list of nodes");
    invariant(limits.maxPayloadBytes <= PEER_LIMITS.maxPayloadBytes, "what is accepted can be sent");
    invariant(limits.maxMessageBytes <= PEER_LIMITS.maxPayloadBytes, "a message keeps to the format's limit");
    this.options = options;
    this.storage = new Storage({ node: id, cluster, limits: options.storage });
    this.random = new Random(options.seed);
    this.raftSeed = this.random.bytes(16);
  }

  step(now: Instant, input: ReplicaInput): readonly ReplicaEffect[] {
    invariant(now >= this.now, "time never runs backwards");
    this.now = now;
    if (this.phase.type === "halted") return [];
    this.effects = [];
    this.take(input);
    return this.effects;
  }

  inspect(): ReplicaSnapshot {
    const { phase } = this;
    const raft = phase.type === "running" ? phase.raft.inspect() : null;
    return { phase: phase.type, identity: "letters" in phase ? phase.letters.identity : null, raft };
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
      case "Proposed":
      case "ReadRequested":
      case "RolledBack":
      case "Applied":
        return this.asked(input);
      case "Closing":
        return this.close();
      default:
        return unreachable(input);
    }
  }

  // What the application asks for.

  private asked(input: InputOf<"Proposed" | "ReadRequested" | "RolledBack" | "Applied">): void {
    if (this.phase.type === "running") return this.tell(this.phase.raft, input);
    // Without Raft nothing is appended and nobody leads: refusals are true, and nobody waits in vain.
    if (input.type === "Proposed") {
      const outcome = { type: "refused", reason: "notLeader" } as const;
      this.effects.push({ type: "Resolve", proposal: input.proposal, outcome });
    }
    if (input.type === "ReadRequested") this.effects.push({ type: "ReadRefused", read: input.read });
  }

  private timerFired(): void {
    if (this.phase.type === "running") this.tell(this.phase.raft, { type: "TimerFired" });
    if (this.phase.type === "empty") this.follow(this.phase.bootstrap.ask(this.now), this.options.id);
  }

  private close(): void {
    if (this.phase.type === "closing" || this.phase.type === "closed") return;
    invariant(this.phase.type !== "new", "only what was started is closed");
    this.phase = { type: "closing" };
    this.perform(this.storage.close());
  }

  // What peers say.

  private received({ from, bytes }: InputOf<"Received">): void {
    const { phase } = this;
    // Before we know who we are nobody can be judged, and after the end nobody is heard: as if it had been lost.
    if (phase.type !== "empty" && phase.type !== "founding" && phase.type !== "running") return;
    const opened = phase.letters.open(from, bytes);
    if (!opened.ok) return this.reject(from, opened.rejection);
    const { envelope, message } = opened.letter;
    // While the cluster is being written, the decision has been made: who asks now will ask again.
    if (phase.type === "founding") return;
    if (phase.type === "running") return this.deliver(phase, from, envelope, message);
    invariant(message.type === "Empty" || message.type === "Founded", "only bootstrap is heard by an empty node");
    this.follow(phase.bootstrap.heardFrom(from, envelope, message), from);
  }

  private deliver(phase: PhaseOf<"running">, from: NodeId, envelope: Envelope, message: PeerMessage): void {
    switch (message.type) {
      case "Empty": {
        this.follow([tellFounded(phase.cluster, from, envelope.sender)], from);
        if (phase.letters.isMember(from, envelope.sender)) return;
        const detail = `it says that it is empty, with disk ${envelope.sender}, which is no member of this cluster`;
        return this.reject(from, { reason: "wrongIncarnation", detail });
      }
      case "Founded":
        return;
      default:
        return this.tell(phase.raft, { type: "MessageReceived", from, message });
    }
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
    // To save the others a round of asking.
    const { cluster } = identity;
    if (cluster === null || this.options.cluster[0] !== this.options.id) return;
    const others = cluster.founders.filter((member) => member.node !== this.options.id);
    for (const { node, incarnation } of others) this.follow([tellFounded(cluster, node, incarnation)], node);
  }

  /** The identity on disk is known: report it, and go on as what it says. */
  private enter(recovered: Recovered, identity: Identity): void {
    const { log, tornBytes } = recovered;
    this.effects.push({ type: "Recovered", identity, last: log.last, tornBytes });
    this.become(recovered, identity);
  }

  private become(recovered: Recovered, identity: Identity): void {
    const { id, cluster, timing, limits } = this.options;
    const letters = new Correspondence(identity, cluster);
    if (identity.cluster === null) {
      const { incarnation } = identity;
      const repeatMs = timing.heartbeatMs;
      const bootstrap = new Bootstrap({ node: id, incarnation, nodes: cluster, repeatMs, random: this.random });
      this.phase = { type: "empty", recovered, letters, bootstrap };
      return this.follow(bootstrap.ask(this.now), id);
    }
    const voters = identity.cluster.founders.map((member) => member.node);
    const { hardState, log } = recovered;
    const raft = new Raft({ id, voters, hardState, log, timing, limits, seed: this.raftSeed }, this.now);
    this.phase = { type: "running", letters, cluster: identity.cluster, raft };
    this.obey(raft.start(this.now));
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
          this.effects.push(effect);
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

  // Raft and its storage.

  private tell(raft: Raft, input: RaftInput): void {
    if (this.options.checkInvariants !== true) return this.obey(raft.step(this.now, input));
    const before = raft.inspect();
    const effects = raft.step(this.now, input);
    checkLaws(before, raft.inspect());
    this.obey(effects);
  }

  private obey(effects: readonly RaftEffect[]): void {
    for (const effect of effects) {
      // A disk operation among them may have ended it all.
      if (this.phase.type !== "running") return;
      switch (effect.type) {
        case "Persist":
          this.perform(this.storage.persist(effect));
          break;
        case "ReadEntries":
          this.perform(this.storage.requestRead(effect.purpose, effect.from, effect.end, effect.maxBytes));
          break;
        case "Send": {
          const bytes = this.phase.letters.toMember(effect.to, effect.message);
          this.effects.push({ type: "Send", to: effect.to, bytes });
          break;
        }
        case "SetTimer":
        case "Accept":
        case "Resolve":
        case "Apply":
        case "ReadReady":
        case "ReadRefused":
        case "LeadershipChanged":
          this.effects.push(effect);
          break;
        default:
          unreachable(effect);
      }
    }
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
        case "Persisted":
        case "EntriesRead":
          if (this.phase.type === "running") this.tell(this.phase.raft, effect);
          break;
        case "Closed":
          this.phase = { type: "closed" };
          this.effects.push({ type: "Closed" });
          break;
        case "Failed":
          return this.halt(effect.fault);
        default:
          unreachable(effect);
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

function checkLaws(before: RaftSnapshot, after: RaftSnapshot): void {
  checkState(after);
  checkStep(before, after);
}

function isSorted(nodes: readonly NodeId[]): boolean {
  return nodes.every((node, at) => at === 0 || compareNodeIds(nodes[at - 1] as NodeId, node) < 0);
}
