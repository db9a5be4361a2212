/**
 * A cluster of bare Raft cores in one thread, without a network, a disk or a clock: messages are handed over as values
 * in the order in which they were sent, writes are durable at once, and time jumps from timer to timer. What is left is
 * what consensus itself costs.
 *
 * A core takes what has come in either input by input or, as one that is busy does, all of it in one step.
 */
import { invariant, unreachable } from "../core/invariant.ts";
import { DEFAULT_LIMITS, DEFAULT_TIMING, type RaftEffect, type RaftInput } from "../core/raft/boundary.ts";
import { newMember, type Configuration, type Member, type MemberRole } from "../core/raft/configuration.ts";
import { FEATURE_VERSION } from "../core/raft/features.ts";
import { Raft } from "../core/raft/raft.ts";
import { Random } from "../core/random.ts";
import {
  NO_ENTRY, type Instant, type LogIndex, type MemberId, type ProposalNumber, type RequestNumber, type Term,
} from "../core/types.ts";

const STANDING_STILL = Number.POSITIVE_INFINITY as Instant;

interface Host {
  readonly id: MemberId;
  readonly raft: Raft;
  /** What it has to take, in order. */
  inbox: RaftInput[];
  timerAt: Instant;
  applied: LogIndex;
}

export class MemoryCluster {
  now = 1_000_000 as Instant;
  steps = 0;
  /** Proposals that were committed. */
  committed = 0;
  private readonly hosts: readonly Host[];
  private readonly byId: ReadonlyMap<MemberId, Host>;
  private leader: Host | null = null;
  private term = 0 as Term;
  private lastProposal = 0 as ProposalNumber;
  /** How many proposals are to be made yet, as soon as others are committed. */
  private remaining = 0;
  private readonly payload: Uint8Array;

  private readonly together: boolean;

  /** @param together whether all that has come in is taken in one step */
  constructor(voters: number, standbys: number, payloadBytes: number, together: boolean) {
    this.together = together;
    this.payload = new Uint8Array(payloadBytes).fill(7);
    const member = (role: MemberRole) => (_: unknown, at: number): Member => {
      return newMember(`${role}${String(at).padStart(2, "0")}@0000000000000001` as MemberId, role);
    };
    const members = [
      ...Array.from({ length: standbys }, member("standby")), ...Array.from({ length: voters }, member("voter")),
    ];
    const founding: Configuration = { members, outgoing: [], version: FEATURE_VERSION };
    const random = Random.fromNumber(1);
    this.hosts = members.map(({ id }): Host => {
      const raft = new Raft({
        id, founding, hardState: { currentTerm: 0 as Term, votedFor: null },
        log: { base: NO_ENTRY, terms: [], last: NO_ENTRY, configurations: [] }, snapshot: null, lost: null,
        timing: DEFAULT_TIMING, limits: DEFAULT_LIMITS, version: FEATURE_VERSION, leaseDriftPpm: null, roles: null,
        seed: random.bytes(16),
      }, this.now);
      return { id, raft, inbox: [], timerAt: STANDING_STILL, applied: 0 as LogIndex };
    });
    this.byId = new Map(this.hosts.map((host) => [host.id, host]));
    for (const host of this.hosts) for (const effect of host.raft.start(this.now)) this.perform(host, effect);
    while (this.leader === null || this.leader.raft.inspect().commitIndex === 0) this.passTime();
  }

  /** Takes the time on to the next timer that is set, and all that follows from it at once. */
  passTime(): void {
    this.drain();
    let next: Host | null = null;
    for (const host of this.hosts) if (next === null || host.timerAt < next.timerAt) next = host;
    invariant(next !== null && next.timerAt !== STANDING_STILL, "somebody waits for something");
    this.now = Math.max(this.now, next.timerAt) as Instant;
    next.timerAt = STANDING_STILL;
    this.step(next, { type: "TimerFired" });
    this.drain();
  }

  /** Commits so many proposals on all members, of which at most `inFlight` are under way at a time. */
  commit(count: number, inFlight: number): void {
    const goal = this.committed + count;
    this.remaining = count;
    while (this.remaining > 0 && inFlight-- > 0) this.propose();
    this.drain();
    invariant(this.committed === goal, "in good weather everything is committed");
  }

  /** Somebody else leads a later term. */
  handOver(): void {
    const { term } = this;
    this.post(this.leading, { type: "TransferRequested", request: 1 as RequestNumber, target: null });
    while (this.term === term) this.passTime();
    this.drain();
  }

  /** The same input again and again at one member: what a step costs that has no effects. */
  repeat(input: RaftInput, count: number): void {
    const { raft } = this.leading;
    for (let at = 0; at < count; at++) {
      invariant(raft.step(this.now, input).length === 0, "a step without effects");
    }
  }

  get leading(): Host {
    invariant(this.leader !== null, "somebody leads");
    return this.leader;
  }

  /** A member that does not lead. */
  get following(): Host {
    return this.hosts.find((host) => host !== this.leader)!;
  }

  get currentTerm(): Term {
    return this.term;
  }

  private propose(): void {
    this.remaining -= 1;
    const predecessor = this.lastProposal;
    this.lastProposal = (predecessor + 1) as ProposalNumber;
    const { lastProposal: proposal, term, payload } = this;
    this.post(this.leading, { type: "Proposed", proposal, term, predecessor, payload });
  }

  private post(host: Host, input: RaftInput): void {
    host.inbox.push(input);
  }

  /** Everybody takes what there is for it, in turn, until nobody has anything. */
  private drain(): void {
    let isBusy = true;
    while (isBusy) {
      isBusy = false;
      for (const host of this.hosts) {
        const { inbox } = host;
        if (inbox.length === 0) continue;
        isBusy = true;
        host.inbox = [];
        if (this.together) this.stepAll(host, inbox);
        else for (let at = 0; at < inbox.length; at++) this.step(host, inbox[at] as RaftInput);
      }
    }
  }

  private step(host: Host, input: RaftInput): void {
    this.steps += 1;
    const effects = host.raft.step(this.now, input);
    for (let at = 0; at < effects.length; at++) this.perform(host, effects[at] as RaftEffect);
  }

  private stepAll(host: Host, inputs: readonly RaftInput[]): void {
    this.steps += 1;
    const effects = host.raft.stepAll(this.now, inputs);
    for (let at = 0; at < effects.length; at++) this.perform(host, effects[at] as RaftEffect);
  }

  private perform(host: Host, effect: RaftEffect): void {
    switch (effect.type) {
      case "Persist":
        return this.post(host, { type: "Persisted", ticket: effect.ticket });
      case "Send":
        return this.post(this.byId.get(effect.to) as Host, {
          type: "MessageReceived", from: host.id, message: effect.message,
        });
      case "SetTimer":
        host.timerAt = effect.at;
        return;
      case "Resolve":
        invariant(effect.outcome.type === "committed", "in good weather nothing is refused or lost");
        this.committed += 1;
        if (this.remaining > 0) this.propose();
        return;
      case "Apply":
        host.applied = (effect.entries[effect.entries.length - 1] as { readonly index: LogIndex }).index;
        return this.post(host, { type: "Applied", index: host.applied });
      case "LeadershipChanged":
        if (effect.leader !== host.id) return;
        this.leader = host;
        this.term = effect.term;
        this.lastProposal = 0 as ProposalNumber;
        return;
      case "TakeSnapshot": {
        const point = host.raft.snapshotAt(host.applied);
        if (point === null) return;
        return this.post(host, { type: "SnapshotStored", snapshot: { ...point, size: 0, checksum: 0 } });
      }
      case "Accept":
      case "Compact":
      case "ConfigurationChanged":
      case "TransferResolved":
        return;
      case "ReadEntries":
      case "PinSnapshot":
      case "ReleaseSnapshot":
      case "ForgetLoss":
      case "ReadSnapshot":
      case "StoreChunk":
      case "Restore":
      case "ReadReady":
      case "ReadRefused":
      case "ChangeResolved":
      case "Leave":
      case "Reject":
        return invariant(false, "in good weather nobody lags, leaves or is refused");
      default:
        return unreachable(effect);
    }
  }
}
