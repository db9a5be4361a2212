/**
 * A small cluster of Replicas over disks in memory, and a network that is a list of letters. It decides nothing: a test
 * says which disk works, which letter arrives, whose timer fires and who crashes. Raft's laws are checked at each step.
 * The state that a node applies is the list of entries itself (replica-state.ts).
 */
import { invariant } from "../core/invariant.ts";
import { DEFAULT_LIMITS, DEFAULT_TIMING, type ProposalOutcome } from "../core/raft/boundary.ts";
import type { Configuration, MemberRole } from "../core/raft/configuration.ts";
import { Random } from "../core/random.ts";
import type {
  HaltReason, MemberChangeOutcome, MemberOperation, ReplicaEffect, ReplicaInput, ReplicaOptions,
} from "../core/replica/boundary.ts";
import { Replica } from "../core/replica/replica.ts";
import type { StorageLimits } from "../core/storage/boundary.ts";
import type { DiskFailure, DiskOperation, DiskOrder } from "../core/storage/disk.ts";
import { MICROSECONDS_PER_MS } from "../core/types.ts";
import type { Entry, Instant, LogIndex, NodeId, ProposalNumber, RequestNumber, Term } from "../core/types.ts";
import { MemoryDisk } from "./memory-disk.ts";
import { ReplicaState } from "./replica-state.ts";

export interface Packet {
  readonly from: NodeId;
  readonly to: NodeId;
  readonly bytes: Uint8Array;
}

/** One node: what runs, what its disk holds, and what its driver owes it. */
export interface Host {
  readonly id: NodeId;
  disk: MemoryDisk;
  /** null: no process. */
  replica: Replica | null;
  /** Of processes so far. */
  lives: number;
  /** Ordered and not done. */
  orders: DiskOrder[];
  timerAt: Instant | null;
  /** As of this process life. */
  state: ReplicaState;
  /** All of the state. */
  readonly applied: readonly Entry[];
  outcomes: Map<ProposalNumber, ProposalOutcome>;
  changes: Map<RequestNumber, MemberChangeOutcome>;
  /** What it said last; null: nothing. */
  configuration: Configuration | null;
  /** Why it must not go on; null: it runs, or does not run. */
  halt: HaltReason | null;
}

export type Settings = Partial<Pick<ReplicaOptions, "limits" | "timing" | "storage" | "digestEvery">>;

/** Segments of their headers and half as much again. */
export const SMALL_STORAGE: StorageLimits = {
  segmentBytes: 12_288, maxWriteBytes: 4096, maxLogBytes: 1 << 20, reserveBytes: 4096, scrubBytes: 4096, tickMs: 1000,
};

export class ReplicaCluster {
  now = 0 as Instant;
  readonly ids: readonly NodeId[];
  readonly hosts: ReadonlyMap<NodeId, Host>;
  /** On their way, oldest first. */
  packets: Packet[] = [];
  /** Sees every effect of every node, before it is acted on. */
  onEffect: (host: Host, effect: ReplicaEffect) => void = () => {};
  /** Which packets the network carries; the others are lost on arrival. */
  reaches: (packet: Packet) => boolean = () => true;
  /** Which disk operations fail, and how; null: this one does not. */
  fails: (host: Host, operation: DiskOperation) => DiskFailure | null = () => null;
  private readonly seed: number;
  private readonly settings: Settings;
  private lastRequest = 0;

  constructor(names: readonly string[], seed = 1, settings: Settings = {}) {
    this.ids = [...names].sort() as NodeId[];
    this.seed = seed;
    this.settings = settings;
    this.hosts = new Map(this.ids.map((id) => [id, newHost(id)]));
  }

  host(name: string): Host {
    const host = this.hosts.get(name as NodeId);
    invariant(host !== undefined, `${name} is one of the cluster`);
    return host;
  }

  /** @param cluster what this process is told that the cluster is; all nodes unless said. */
  start(name: string, cluster: readonly string[] = this.ids): void {
    const host = this.host(name);
    invariant(host.replica === null, `${name} does not run twice`);
    host.lives += 1;
    const seed = Random.fromNumber(this.seed * 1_000_000 + this.ids.indexOf(host.id) * 1000 + host.lives).bytes(16);
    const { limits = DEFAULT_LIMITS, timing = DEFAULT_TIMING, storage = SMALL_STORAGE, digestEvery } = this.settings;
    const nodes = [...cluster].sort() as NodeId[];
    const address = `${name}:7001`;
    const given = { limits, timing, storage, ...(digestEvery === undefined ? {} : { digestEvery }) };
    host.replica = new Replica({ id: host.id, cluster: nodes, address, ...given, seed, checkInvariants: true });
    this.step(name, { type: "Started" });
  }

  startAll(): void {
    for (const id of this.ids) this.start(id);
  }

  /**
   * The process dies, and its disk keeps what a crash may leave of it: drawn, or without `random` the first image that
   * the disk gives, where files and names are as they were last synced, but a write may be kept.
   */
  crash(name: string, random: Random | null = null): void {
    const host = this.host(name);
    const disk = random === null ? firstOf(host.disk.images()) : host.disk.randomImage(random);
    this.forgetProcess(host, disk);
  }

  /** The process is killed: its disk keeps what it was given. */
  kill(name: string): void {
    const host = this.host(name);
    this.forgetProcess(host, host.disk.killed());
  }

  filesOf(name: string): readonly string[] {
    const { files } = this.host(name).disk.perform({ type: "list" }) as { readonly files: readonly string[] };
    return files;
  }

  /** Bytes of a file rot, while its node is down. */
  spoil(name: string, file: string, ...offsets: readonly number[]): void {
    const host = this.host(name);
    invariant(host.replica === null, "files are harmed while their node is down");
    const files = this.filesOf(name).map((one) => [one, host.disk.bytesOf(one) as Uint8Array] as const);
    const bytes = files.find(([one]) => one === file)?.[1];
    invariant(bytes !== undefined && Math.max(...offsets) < bytes.length, "what rots is there");
    for (const offset of offsets) bytes[offset]! ^= 1;
    host.disk = MemoryDisk.of(Object.fromEntries(files));
  }

  /** A new, empty disk in place of the old one. */
  wipe(name: string): void {
    const host = this.host(name);
    invariant(host.replica === null, "a disk is replaced while its node is down");
    host.disk = new MemoryDisk();
  }

  step(name: string, input: ReplicaInput): readonly ReplicaEffect[] {
    const host = this.host(name);
    invariant(host.replica !== null, `${name} runs`);
    const effects = host.replica.step(this.now, input);
    // What an effect leads to comes after all of the effects before it.
    const answers = effects.map((effect) => this.act(host, effect));
    for (const answer of answers) if (answer !== null && host.replica !== null) this.step(name, answer);
    return effects;
  }

  /** Performs the oldest disk operation of a node. Returns whether there was one. */
  work(name: string): boolean {
    const order = this.host(name).orders.shift();
    if (order === undefined) return false;
    const { ticket, operation } = order;
    const failure = this.fails(this.host(name), operation);
    if (failure !== null) this.step(name, { type: "DiskFailed", ticket, failure });
    else this.step(name, { type: "DiskDone", ticket, result: this.host(name).disk.perform(operation) });
    return true;
  }

  /** The packet arrives, or is lost if nobody is there to take it. */
  arrive(packet: Packet): void {
    const at = this.packets.indexOf(packet);
    if (at >= 0) this.packets.splice(at, 1);
    if (this.host(packet.to).replica === null || !this.reaches(packet)) return;
    // A copy: whoever passes bytes on gives them up, and a packet may arrive twice.
    this.step(packet.to, { type: "Received", from: packet.from, bytes: packet.bytes.slice() });
  }

  /** The clock goes on to the node's timer, if it has not passed it, and the timer fires. */
  fire(name: string): void {
    const host = this.host(name);
    invariant(host.timerAt !== null, `${name} has set its timer`);
    this.now = Math.max(this.now, host.timerAt) as Instant;
    host.timerAt = null;
    this.step(name, { type: "TimerFired" });
  }

  /** Disks and network at once, until both are idle. No timer fires. */
  settle(): void {
    for (let turns = 0; ; turns++) {
      invariant(turns < 100_000, "a cluster comes to rest between timers");
      const busy = this.ids.find((id) => this.host(id).orders.length > 0);
      const [packet] = this.packets;
      if (busy !== undefined) this.work(busy);
      else if (packet !== undefined) this.arrive(packet);
      else return;
    }
  }

  /** Settles, and fires the earliest timer, again and again, until the condition holds. */
  runUntil(condition: () => boolean, maxTimers = 1000): void {
    this.settle();
    for (let fired = 0; !condition(); fired++) {
      invariant(fired < maxTimers, "the cluster gets there");
      const armed = this.ids.filter((id) => this.host(id).timerAt !== null);
      armed.sort((a, b) => (this.host(a).timerAt as Instant) - (this.host(b).timerAt as Instant));
      this.fire(armed[0] as NodeId);
      this.settle();
    }
  }

  /** So many milliseconds go by: each timer fires in its turn, and what follows from it comes to rest. */
  pass(ms: number): void {
    const end = (this.now + ms * MICROSECONDS_PER_MS) as Instant;
    const next = (): Host | undefined => {
      const armed = [...this.hosts.values()].filter(({ timerAt }) => timerAt !== null && timerAt <= end);
      return armed.sort((a, b) => (a.timerAt as Instant) - (b.timerAt as Instant))[0];
    };
    this.settle();
    for (let host = next(); host !== undefined; host = next()) {
      this.fire(host.id);
      this.settle();
    }
    this.now = end;
  }

  leader(): Host | null {
    const leaders = [...this.hosts.values()].filter((host) => host.replica?.inspect().raft?.role === "leader");
    // Deposed leaders may not know it yet: the latest term is the one that counts.
    leaders.sort((a, b) => termOf(b) - termOf(a));
    return leaders[0] ?? null;
  }

  /** Proposes on `name` in its current term, after the proposal `predecessor`. */
  propose(name: string, proposal: number, predecessor: number, payload: Uint8Array): void {
    const number = proposal as ProposalNumber;
    const term = termOf(this.host(name)) as Term;
    this.step(name, { type: "Proposed", proposal: number, term, predecessor: predecessor as ProposalNumber, payload });
  }

  /** Asks `name` for a change of the configuration. */
  change(name: string, operations: readonly MemberOperation[]): RequestNumber {
    const request = ++this.lastRequest as RequestNumber;
    this.step(name, { type: "ChangeRequested", request, operations });
    return request;
  }

  private forgetProcess(host: Host, disk: MemoryDisk): void {
    const { lives } = host;
    const { replica, orders, timerAt, state, outcomes, changes, configuration, halt } = newHost(host.id);
    Object.assign(host, { disk, lives, replica, orders, timerAt, state, outcomes, changes, configuration, halt });
  }

  /** What an application answers to an effect; null: nothing. */
  private act(host: Host, effect: ReplicaEffect): ReplicaInput | null {
    this.onEffect(host, effect);
    switch (effect.type) {
      case "Disk":
        host.orders.push({ ticket: effect.ticket, operation: effect.operation });
        return null;
      case "Send":
        this.packets.push({ from: host.id, to: effect.to, bytes: effect.bytes });
        return null;
      case "SetTimer":
        host.timerAt = effect.at;
        return null;
      case "Resolve":
        invariant(!host.outcomes.has(effect.proposal), "a proposal has one outcome");
        host.outcomes.set(effect.proposal, effect.outcome);
        return null;
      case "Apply":
        for (const entry of effect.entries) host.state.apply(entry);
        return applied(host);
      case "TakeSnapshot":
        return { type: "SnapshotTaken", index: host.applied.length as LogIndex, cut: host.state.cut() };
      case "CutEnded":
        host.state.endCut(effect.isStored);
        return null;
      case "PagesDamaged":
        host.state.touch(effect.numbers);
        return null;
      case "RestoreStarted":
      case "PagesRestored":
        host.state.restore(effect);
        return null;
      case "RestoreFinished":
        host.state.restore(effect);
        invariant(host.applied.length === effect.entry.index, "a snapshot is of its index");
        return applied(host);
      case "ChangeResolved":
        host.changes.set(effect.request, effect.outcome);
        return null;
      case "ConfigurationChanged":
        host.configuration = effect.configuration;
        return null;
      case "Halt":
        host.halt = effect.reason;
        return null;
      default:
        return null;
    }
  }
}

function applied({ state }: Host): ReplicaInput {
  return { type: "Applied", index: state.entries.length as LogIndex, checksum: state.checksum };
}

function firstOf<T>(values: Iterable<T>): T {
  for (const value of values) return value;
  throw new Error("there is one");
}

/** `put("d", "standby")`: a member with nothing else said of it. */
export function put(node: string, role: MemberRole): MemberOperation {
  const unsaid = { incarnation: null, address: null, failureDomain: null, priority: null };
  return { type: "put", member: { node: node as NodeId, role, ...unsaid } };
}

export function remove(node: string): MemberOperation {
  return { type: "remove", node: node as NodeId };
}

function newHost(id: NodeId): Host {
  return {
    id, disk: new MemoryDisk(), replica: null, lives: 0, orders: [], timerAt: null, state: new ReplicaState(),
    get applied() {
      return this.state.entries;
    },
    outcomes: new Map(), changes: new Map(), configuration: null, halt: null,
  };
}

function termOf(host: Host): number {
  return host.replica?.inspect().raft?.currentTerm ?? 0;
}
