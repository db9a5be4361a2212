/**
 * Runs a core Client over sockets: for a process without a node, and for a node's own application, whose messages to
 * its own node take no socket but a call. It decides nothing: a connection that breaks is news for the Client, and a
 * new one is made when the Client next sends.
 */
import { Client } from "../core/client/client.ts";
import type {
  CallNumber, CallResult, ClientEffect, ClientInput, Endpoint, Operation,
} from "../core/client/boundary.ts";
import type { Hello } from "../core/wire/hello.ts";
import { sameAddress, type Address } from "./address.ts";
import { monotonicNow, Timer } from "./clock.ts";
import type { ConnectionLimits } from "./connection.ts";
import { crash } from "./crash.ts";
import { Call } from "./dialer.ts";

/** A way to the node of this very process. */
export interface LocalNode {
  readonly endpoint: Endpoint;
  /** `received` is called with each answer. The connection stands until it is closed; null: the node is not up. */
  connect(received: (bytes: Uint8Array) => void): LocalConnection | null;
}

export interface LocalConnection {
  send(bytes: Uint8Array): void;
  close(): void;
}

export interface ClientDriverOptions {
  /** Where nodes listen, until `follow` says otherwise; the local one is left out. */
  readonly addresses: ReadonlyMap<Endpoint, Address>;
  /** null: this process has no node. */
  readonly local: LocalNode | null;
  readonly limits: ConnectionLimits;
  readonly attemptTimeoutMs: number;
  readonly callTimeoutMs: number;
  /** 16 bytes. */
  readonly seed: Uint8Array;
}

/** A client names nobody: which cluster answers is for the Client's messages to say. */
const HELLO: Hello = { role: "client", cluster: null, incarnation: null, node: null, target: null };

/** A connection to a node, and what is to be sent once it stands. */
interface Line {
  readonly call: Call;
  waiting: Uint8Array[];
}

export class ClientDriver {
  private readonly options: ClientDriverOptions;
  private readonly client: Client;
  private addresses: ReadonlyMap<Endpoint, Address>;
  private readonly timer = new Timer(() => this.input({ type: "TimerFired" }));
  private readonly lines = new Map<Endpoint, Line>();
  private local: LocalConnection | null = null;
  private readonly returns = new Map<CallNumber, (result: CallResult) => void>();
  private readonly inputs: ClientInput[] = [];
  private isStepping = false;
  /** A step threw: nothing is stepped any more. */
  private isOver = false;
  private lastCall = 0;

  constructor(options: ClientDriverOptions) {
    const { addresses, attemptTimeoutMs, callTimeoutMs, seed } = options;
    this.options = options;
    this.addresses = addresses;
    const endpoints = this.endpoints();
    this.client = new Client({ endpoints, attemptTimeoutMs, callTimeoutMs, seed });
  }

  /** The node of this process has ended. When it is up again it is connected to again. */
  localLost(): void {
    const { local } = this.options;
    if (local === null || this.local === null) return;
    this.local.close();
    this.local = null;
    this.input({ type: "ConnectionLost", endpoint: local.endpoint });
  }

  /** From now on nodes listen there, and nowhere else. */
  follow(addresses: ReadonlyMap<Endpoint, Address>): void {
    const former = this.addresses;
    this.addresses = addresses;
    this.input({ type: "EndpointsChanged", endpoints: this.endpoints() });
    for (const [endpoint, { call }] of this.lines) {
      const [before, after] = [former.get(endpoint), addresses.get(endpoint)];
      const isThere = before !== undefined && after !== undefined && sameAddress(before, after);
      if (!isThere) call.end("the node has left or moved");
    }
  }

  /** Resolves with the outcome, whatever it is; never rejects. */
  call(operation: Operation): Promise<CallResult> {
    const call: CallNumber = ++this.lastCall;
    return new Promise((resolve) => {
      this.returns.set(call, resolve);
      this.input({ type: "Called", call, operation });
    });
  }

  /** Waits for the calls that are open now, which end by their own deadlines. Later ones are not waited for. */
  async settled(): Promise<void> {
    const last = this.lastCall;
    const isOpen = (): boolean => [...this.returns.keys()].some((call) => call <= last);
    while (!this.isOver && isOpen()) await new Promise((resolve) => setTimeout(resolve, 5));
  }

  /** Answers all open calls with what is known of them. */
  close(reason: string): void {
    this.input({ type: "Closing", reason });
    this.timer.clear();
    for (const { call } of this.lines.values()) call.end(reason);
    this.lines.clear();
    this.local?.close();
  }

  private endpoints(): readonly Endpoint[] {
    const { local } = this.options;
    return [...(local === null ? [] : [local.endpoint]), ...this.addresses.keys()];
  }

  /** Inputs that a step brings about (our own node answers at once) are taken after it, in order. */
  private input(input: ClientInput): void {
    if (this.isOver) return;
    this.inputs.push(input);
    if (this.isStepping) return;
    this.isStepping = true;
    for (let next = this.inputs.shift(); next !== undefined; next = this.inputs.shift()) this.step(next);
    this.isStepping = false;
  }

  private step(input: ClientInput): void {
    let effects: readonly ClientEffect[] = [];
    try {
      effects = this.client.step(monotonicNow(), input);
    } catch (error) {
      this.isOver = true;
      crash(error, `a client, at ${input.type}`);
    }
    for (const effect of effects) {
      switch (effect.type) {
        case "Send":
          this.send(effect.to, effect.bytes);
          break;
        case "SetTimer":
          this.timer.set(effect.at);
          break;
        case "Return": {
          const resolve = this.returns.get(effect.call);
          this.returns.delete(effect.call);
          resolve?.(effect.result);
          break;
        }
      }
    }
  }

  private send(to: Endpoint, bytes: Uint8Array): void {
    const { local } = this.options;
    if (local !== null && to === local.endpoint) return this.sendLocally(local, bytes);
    const address = this.addresses.get(to);
    // It has left while something was under way to it.
    if (address === undefined) return this.input({ type: "ConnectionLost", endpoint: to });
    const line = this.lines.get(to) ?? this.connect(to, address);
    if (line.call.isAccepted) line.call.send(bytes);
    else line.waiting.push(bytes);
  }

  private sendLocally(local: LocalNode, bytes: Uint8Array): void {
    const { endpoint } = local;
    this.local ??= local.connect((answer) => this.input({ type: "Received", from: endpoint, bytes: answer }));
    if (this.local === null) this.input({ type: "ConnectionLost", endpoint });
    else this.local.send(bytes);
  }

  private connect(endpoint: Endpoint, address: Address): Line {
    const call = new Call(address, HELLO, this.options.limits, {
      accepted: () => {
        for (const bytes of line.waiting) call.send(bytes);
        line.waiting = [];
      },
      received: (bytes) => this.input({ type: "Received", from: endpoint, bytes }),
      ended: () => {
        if (this.lines.get(endpoint) !== line) return;
        this.lines.delete(endpoint);
        this.input({ type: "ConnectionLost", endpoint });
      },
    });
    const line: Line = { call, waiting: [] };
    this.lines.set(endpoint, line);
    return line;
  }
}
