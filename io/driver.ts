/**
 * Runs a Node on this machine: takes inputs one at a time in the order in which they arrive, steps, and performs the
 * effects in order. It decides nothing: every `if` is about an error of the world, or about the end. Whom it calls is
 * whoever stands in the configuration in force, and until there is one, whom it was told of.
 *
 * The ends: *closed*, when it was asked to; *halted*, when the Node says that it must not go on (a disk that failed,
 * a directory that must not be used); *crashed*, when a step threw. The last is a bug of ours: what led to it is
 * written to stderr, nothing is stepped again, and the error is thrown where nobody can mistake it for an answer.
 */
import { ClockWatch } from "../core/clock-watch.ts";
import type { NodeEffect, NodeInput, NodeOptions } from "../core/node/boundary.ts";
import { Node } from "../core/node/node.ts";
import type { ClientId } from "../core/database/boundary.ts";
import type { TransferOutcome } from "../core/raft/boundary.ts";
import { everybodyIn, type Configuration } from "../core/raft/configuration.ts";
import type { HaltReason, MemberChangeOutcome, MemberOperation } from "../core/replica/boundary.ts";
import { NO_ENTRY, nodeOf, type Identity, type NodeId, type RequestNumber, type Term } from "../core/types.ts";
import { unreachable } from "../core/invariant.ts";
import type { Hello } from "../core/wire/hello.ts";
import { PEER_LIMITS } from "../core/wire/peer.ts";
import { parseAddress, type Address } from "./address.ts";
import type { LocalConnection } from "./client-driver.ts";
import { monotonicNow, Timer, wallClockMs } from "./clock.ts";
import { BEAT_MS } from "./connection.ts";
import { crash } from "./crash.ts";
import { Disk } from "./disk.ts";
import type { DriverEvent, DriverStatus, StartResult } from "./driver-status.ts";
import { Listener } from "./listener.ts";
import { OpenRequests } from "./open-requests.ts";
import { PeerLink } from "./peer-link.ts";
import { PeerLinks } from "./peer-links.ts";

const MIB = 1024 * 1024;
/** The largest statement with its largest value, and room for what is around them. */
export const MAX_CLIENT_FRAME_BYTES = 66 * MIB;
/** About two transactions of the largest size, or everything that a peer may have in flight. */
export const MAX_QUEUED_BYTES = 128 * MIB;
/** How many of the last inputs are written out after a bug. */
const TRACE_LENGTH = 100;

export interface DriverOptions {
  readonly node: NodeOptions;
  /** It exists, and is locked by us. */
  readonly directory: string;
  /** null: nobody calls; it listens nowhere. */
  readonly address: Address | null;
  /** Where others are, unless the configuration says. */
  readonly peers: ReadonlyMap<NodeId, Address>;
}

export class Driver {
  private readonly options: DriverOptions;
  private readonly node: Node;
  private readonly report: (event: DriverEvent) => void;
  private readonly disk: Disk;
  private readonly timer = new Timer(() => this.input({ type: "TimerFired" }));
  private readonly listener: Listener | null;
  private readonly links = new PeerLinks((peer, address) => this.linkTo(peer, address));
  private readonly clock = new ClockWatch(monotonicNow(), wallClockMs());
  private lastRequest = 0 as RequestNumber;
  private readonly nextRequest = (): RequestNumber => ++this.lastRequest as RequestNumber;
  private readonly changes = new OpenRequests<MemberChangeOutcome>(this.nextRequest);
  private readonly transfers = new OpenRequests<TransferOutcome>(this.nextRequest);
  private readonly locals = new Map<ClientId, (bytes: Uint8Array) => void>();
  private localCount = 0;
  private inputs: NodeInput[] = [];
  private isStepping = false;
  /** Peers are called from the moment on at which they can call back. */
  private isListening = false;
  /** Nothing is stepped any more. */
  private isOver = false;
  private readonly trace: string[] = [];
  private term = 0 as Term;
  private leader: NodeId | null = null;
  private configuration: Configuration | null = null;
  private hasSpace = true;
  private recovered: ((halt: HaltReason | null) => void) | null = null;
  private restored: ((halt: HaltReason | null) => void) | null = null;
  private halted: HaltReason | null = null;
  private closed: (() => void) | null = null;
  private stopped: Promise<void> | null = null;

  constructor(options: DriverOptions, report: (event: DriverEvent) => void) {
    this.options = options;
    this.report = report;
    this.node = new Node(options.node);
    this.disk = new Disk(options.directory, (answer) => this.input(answer));
    this.listener = options.address === null ? null : this.listenerAt(options.address);
  }

  /**
   * Recovers, then listens; resolves when the stored state is in memory, too, or found to be unsound. Rejects with the
   * system's error if it cannot listen.
   */
  async start(): Promise<StartResult> {
    const reason = await new Promise<HaltReason | null>((resolve) => {
      this.recovered = resolve;
      this.input({ type: "Started" });
    });
    if (reason !== null) return { ok: false, reason };
    const address = (await this.listener?.listen()) ?? null;
    if (address !== null) this.report({ type: "Listening", address });
    this.isListening = true;
    this.links.follow(this.addresses());
    const unsound = this.halted ?? (await new Promise<HaltReason | null>((resolve) => {
      this.restored = resolve;
      this.lookWhetherRestored();
    }));
    return unsound === null ? { ok: true, address } : { ok: false, reason: unsound };
  }

  /** Resolves to null if the node ended before it was known. */
  change(operations: readonly MemberOperation[]): Promise<MemberChangeOutcome | null> {
    return this.changes.ask((request) => this.input({ type: "ChangeRequested", request, operations }));
  }

  /** @param target null: whoever suits best. Resolves to null if the node ended before it was known. */
  transfer(target: NodeId | null): Promise<TransferOutcome | null> {
    return this.transfers.ask((request) => this.input({ type: "TransferRequested", request, target }));
  }

  /** It was closed, or has halted: nothing is asked of it any more. */
  get hasEnded(): boolean {
    return this.isOver;
  }

  /** Whether a connection to the node stands, made by either side. */
  isConnectedTo(peer: NodeId): boolean {
    return this.links.to(peer)?.isConnected === true || this.listener?.isCalledBy(peer) === true;
  }

  /** A connection of this process, which takes no socket. */
  connectLocally(received: (bytes: Uint8Array) => void): LocalConnection {
    const from: ClientId = `local-${++this.localCount}`;
    this.locals.set(from, received);
    return {
      send: (bytes) => this.input({ type: "ClientReceived", from, bytes, wallMs: wallClockMs() }),
      close: () => {
        this.locals.delete(from);
        this.input({ type: "ClientGone", from });
      },
    };
  }

  status(): DriverStatus {
    const { identity, raft, strangers } = this.node.replica.inspect();
    return {
      identity,
      term: this.term,
      leader: this.leader,
      lastIndex: raft?.last.index ?? NO_ENTRY.index,
      commitIndex: raft?.commitIndex ?? NO_ENTRY.index,
      appliedIndex: raft?.lastApplied ?? NO_ENTRY.index,
      configuration: this.configuration,
      storage: {
        lost: raft?.lost ?? null, hasSpace: this.hasSpace, snapshotIndex: raft?.snapshot.index ?? NO_ENTRY.index,
      },
      strangers,
      peers: this.links.status(),
    };
  }

  /** Leaves the directory in good order, and everything else behind. Does nothing where it is already over. */
  async close(): Promise<void> {
    if (!this.isOver) {
      await new Promise<void>((resolve) => {
        this.closed = resolve;
        this.input({ type: "Closing" });
      });
    }
    await this.stop();
  }

  private get identity(): Identity | null {
    return this.node.replica.inspect().identity;
  }

  private listenerAt(address: Address): Listener {
    const { id } = this.options.node;
    return new Listener(
      {
        address,
        maxPeerFrameBytes: PEER_LIMITS.maxMessageBytes,
        maxClientFrameBytes: MAX_CLIENT_FRAME_BYTES,
        maxQueuedBytes: MAX_QUEUED_BYTES,
        beatMs: BEAT_MS,
        doorkeeper: () => ({ node: id, identity: this.identity }),
      },
      {
        peerReceived: (from, bytes) => this.input({ type: "PeerReceived", from, bytes }),
        clientReceived: (from, bytes) => this.input({ type: "ClientReceived", from, bytes, wallMs: wallClockMs() }),
        clientGone: (from) => this.input({ type: "ClientGone", from }),
        refused: (caller, detail) => this.report({ type: "CallerRefused", caller, detail }),
      },
    );
  }

  private linkTo(peer: NodeId, address: Address): PeerLink {
    const { id } = this.options.node;
    const limits = { maxFrameBytes: PEER_LIMITS.maxMessageBytes, maxQueuedBytes: MAX_QUEUED_BYTES, beatMs: BEAT_MS };
    const hello = (): Hello => {
      const { identity } = this;
      const cluster = identity?.cluster?.id ?? null;
      return { role: "peer", cluster, incarnation: identity?.incarnation ?? null, node: id, target: peer };
    };
    return new PeerLink({ peer, address, limits, hello }, {
      connected: () => this.report({ type: "PeerConnected", peer }),
      received: (bytes) => this.input({ type: "PeerReceived", from: peer, bytes }),
      lost: (detail) => this.report({ type: "PeerLost", peer, detail }),
      refused: (detail) => this.report({ type: "PeerRefusedUs", peer, detail }),
    });
  }

  /** Of all others who matter now. Whoever stands there without an address calls us, or is known here. */
  private addresses(): ReadonlyMap<NodeId, Address> {
    const { peers, node } = this.options;
    if (this.configuration === null) return peers;
    const addresses = new Map<NodeId, Address>();
    for (const member of everybodyIn(this.configuration)) {
      const peer = nodeOf(member.id);
      const address = parseAddress(member.address) ?? peers.get(peer);
      if (peer !== node.id && address !== undefined) addresses.set(peer, address);
    }
    return addresses;
  }

  /** Inputs that a step brings about (a write that ended at once) are taken after it, in order. */
  private input(input: NodeInput): void {
    if (this.isOver) return;
    this.inputs.push(input);
    if (this.isStepping) return;
    this.isStepping = true;
    // The array grows while it is walked.
    for (const one of this.inputs) {
      if (this.clock.hasStopped(monotonicNow(), wallClockMs())) this.step({ type: "ClockStopped" });
      if (!this.isOver) this.step(one);
    }
    this.inputs = [];
    this.isStepping = false;
    this.lookWhetherRestored();
  }

  /** The others are heard while the stored state is read back: an election does not wait for that. */
  private lookWhetherRestored(): void {
    const { restored } = this;
    if (restored === null) return;
    const stored = this.node.replica.inspect().raft?.snapshot.index ?? NO_ENTRY.index;
    if (!this.isOver && stored > this.node.database.lastApplied) return;
    this.restored = null;
    restored(this.halted);
  }

  private step(input: NodeInput): void {
    this.trace.push(input.type);
    if (this.trace.length > 2 * TRACE_LENGTH) this.trace.splice(0, TRACE_LENGTH);
    try {
      for (const effect of this.node.step(monotonicNow(), input)) this.perform(effect);
    } catch (error) {
      this.crashed(error);
    }
  }

  private perform(effect: NodeEffect): void {
    switch (effect.type) {
      case "Disk":
        return this.disk.perform({ ticket: effect.ticket, operation: effect.operation });
      case "Send":
        return this.send(effect.to, effect.bytes);
      case "Respond": {
        const local = this.locals.get(effect.to);
        return local === undefined ? this.listener?.respond(effect.to, effect.bytes) : local(effect.bytes);
      }
      case "Disconnect":
        this.report({ type: "CallerRefused", caller: effect.client, detail: effect.detail });
        return this.listener?.disconnect(effect.client, effect.detail);
      case "SetTimer":
        return this.timer.set(effect.at);
      case "Recovered":
        this.report(effect);
        return this.recovered?.(null);
      case "DamageFound":
        return this.report(effect);
      case "SpaceChanged":
        this.hasSpace = effect.hasSpace;
        return this.report(effect);
      case "LeadershipChanged":
        this.term = effect.term;
        this.leader = effect.leader;
        return this.report(effect);
      case "ConfigurationChanged":
        this.configuration = effect.configuration;
        if (this.isListening) this.links.follow(this.addresses());
        return this.report(effect);
      case "ChangeResolved":
        return this.changes.settle(effect.request, effect.outcome);
      case "TransferResolved":
        return this.transfers.settle(effect.request, effect.outcome);
      case "Reject":
        return this.report({ ...effect, type: "MessageRejected" });
      case "Closed":
        this.end();
        this.report(effect);
        return this.closed?.();
      case "Halt":
        return this.halt(effect.reason);
      default:
        unreachable(effect);
    }
  }

  /** Over the connection that we made, or else over the one that the peer made. */
  private send(to: NodeId, bytes: Uint8Array): void {
    const link = this.links.to(to);
    if (link?.isConnected !== true && this.listener?.sendToPeer(to, bytes) === true) return;
    link?.send(bytes);
  }

  /** Nothing is stepped any more, and nobody waits for an answer. */
  private end(): void {
    this.isOver = true;
    this.leader = null;
    this.changes.end();
    this.transfers.end();
  }

  private halt(reason: HaltReason): void {
    this.halted = reason;
    this.end();
    this.report({ type: "Halted", reason });
    this.recovered?.(reason);
    this.closed?.();
    void this.stop();
  }

  private crashed(error: unknown): void {
    this.end();
    const state = JSON.stringify(this.node.replica.inspect());
    crash(error, `state: ${state}\nlast inputs: ${this.trace.slice(-TRACE_LENGTH).join(" ")}`);
    void this.stop();
  }

  private stop(): Promise<void> {
    this.stopped ??= this.stopOnce();
    return this.stopped;
  }

  private async stopOnce(): Promise<void> {
    this.timer.clear();
    this.isListening = false;
    this.links.close();
    await this.listener?.close();
    await this.disk.close();
  }
}
