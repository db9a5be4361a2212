/**
 * What we say to one peer: a connection that is made anew, with growing waits, for as long as the node lives. What
 * cannot be sent now is dropped: Raft repeats itself, and an old message is worth less than a new one.
 */
import type { NodeId } from "../core/types.ts";
import type { Hello } from "../core/wire/hello.ts";
import type { Address } from "./address.ts";
import type { ConnectionLimits } from "./connection.ts";
import { Call, type CallEnding } from "./dialer.ts";

const FIRST_WAIT_MS = 20;
/** Short against an election timeout: a peer that has come back is to be heard of before it campaigns. */
const LAST_WAIT_MS = 320;
/** A call that stood for so long was a good one. Two nodes under one name end each other's at once, again and again. */
const GOOD_CALL_MS = 1000;
/** A refusal lasts until somebody changes the configuration. */
const REFUSED_WAIT_MS = 2000;

export interface PeerLinkEvents {
  connected(): void;
  /** A peer that cannot call us speaks over our call. */
  received(bytes: Uint8Array): void;
  /** Only after `connected`. */
  lost(detail: string): void;
  /** The peer will not hear us. */
  refused(detail: string): void;
}

export interface PeerLinkStatus {
  readonly address: Address;
  readonly connected: boolean;
  /** How often we called. */
  readonly calls: number;
  /** Messages that were not sent: no connection, or too much waiting. */
  readonly dropped: number;
}

export interface PeerLinkOptions {
  readonly peer: NodeId;
  readonly address: Address;
  readonly limits: ConnectionLimits;
  /** What we say of ourselves, as known at the moment of a call. */
  hello(): Hello;
}

export class PeerLink {
  private readonly options: PeerLinkOptions;
  private readonly events: PeerLinkEvents;
  private call: Call | null = null;
  private retry: NodeJS.Timeout | null = null;
  private isClosed = false;
  private calls = 0;
  private failedCalls = 0;
  private acceptedAt = 0;
  private dropped = 0;

  constructor(options: PeerLinkOptions, events: PeerLinkEvents) {
    this.options = options;
    this.events = events;
    this.connect();
  }

  get address(): Address {
    return this.options.address;
  }

  get isConnected(): boolean {
    return this.call?.isAccepted === true;
  }

  send(bytes: Uint8Array): void {
    if (this.call?.isAccepted === true) this.call.send(bytes);
    else this.dropped++;
  }

  status(): PeerLinkStatus {
    const call = this.call;
    return {
      address: this.options.address,
      connected: this.isConnected,
      calls: this.calls,
      dropped: this.dropped + (call?.droppedFrames ?? 0),
    };
  }

  close(): void {
    this.isClosed = true;
    if (this.retry !== null) clearTimeout(this.retry);
    this.call?.end("this node is closing");
  }

  private connect(): void {
    this.retry = null;
    this.calls++;
    const { address, limits } = this.options;
    this.call = new Call(address, this.options.hello(), limits, {
      accepted: () => {
        this.acceptedAt = performance.now();
        this.events.connected();
      },
      received: (bytes) => this.events.received(bytes),
      ended: (ending) => this.onEnded(ending),
    });
  }

  private onEnded(ending: CallEnding): void {
    this.dropped += this.call?.droppedFrames ?? 0;
    this.call = null;
    if (this.isClosed) return;
    if (ending.type === "refused") {
      this.events.refused(ending.answer.detail);
    } else if (ending.wasAccepted) {
      this.events.lost(ending.detail);
    }
    this.retry = setTimeout(() => this.connect(), this.nextWaitMs(ending));
  }

  private nextWaitMs(ending: CallEnding): number {
    const wasGood = ending.type === "lost" && ending.wasAccepted && performance.now() - this.acceptedAt >= GOOD_CALL_MS;
    if (wasGood) this.failedCalls = 0;
    const wait = Math.min(FIRST_WAIT_MS * 2 ** Math.min(this.failedCalls, 10), LAST_WAIT_MS);
    this.failedCalls++;
    // Jitter, so that nodes that lost each other at one moment do not call at one moment for ever.
    return (ending.type === "refused" ? REFUSED_WAIT_MS : wait) * (0.5 + Math.random() / 2);
  }
}
