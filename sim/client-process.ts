/**
 * A place where applications run, one after the other: an application of the workload with its core/client machine,
 * joined as a driver joins them, and its connections.
 */
import type { ClientEffect, ClientInput, ClientTransaction, Endpoint, Operation } from "../core/client/boundary.ts";
import { unreachable } from "../core/invariant.ts";
import type { Clock } from "./clock.ts";
import type { Connection } from "./connection.ts";
import type { ClientMachine } from "./environment.ts";
import type { Happening } from "./happening.ts";
import type { Address } from "./packet.ts";
import { Timer } from "./timer.ts";
import type { TraceHash } from "./trace/hash.ts";
import { hashApplicationEffect, hashClientEffect } from "./trace/record.ts";
import type { Application, ApplicationInput } from "./workload/boundary.ts";

/** What a client process asks of its world. */
export interface ClientWorld {
  readonly now: number;
  readonly hash: TraceHash;
  request(client: ClientProcess, to: Endpoint, bytes: Uint8Array): void;
  armClient(client: ClientProcess, timer: Timer, at: number): void;
  /** The application's history may have grown. */
  applicationStepped(): void;
  /** Whether anybody wants to know what happens. */
  readonly isWatched: boolean;
  tell(happening: Happening): void;
}

export class ClientProcess {
  readonly address: Address;
  readonly name: string;
  readonly connections = new Map<Endpoint, Connection>();
  readonly applicationTimer = new Timer();
  readonly clientTimer = new Timer();
  life = 0;
  /** null: between two applications. */
  application: Application | null = null;
  stopped = false;
  private client: ClientMachine | null = null;
  private clock: Clock;
  private readonly world: ClientWorld;
  private readonly openCalls = new Map<number, Operation>();
  private readonly openTransactions = new Set<ClientTransaction>();
  /** Answers not told to the application yet: a machine's effects are all performed before its next input. */
  private readonly returns: Extract<ApplicationInput, { type: "Returned" }>[] = [];

  constructor(address: Address, name: string, clock: Clock, world: ClientWorld) {
    this.address = address;
    this.name = name;
    this.clock = clock;
    this.world = world;
  }

  /** Whether dying now would leave a transaction open on a node. */
  get isInTransaction(): boolean {
    return this.openTransactions.size > 0;
  }

  begin(application: Application, client: ClientMachine, clock: Clock): void {
    this.life++;
    this.application = application;
    this.client = client;
    this.clock = clock;
    this.stopped = false;
    this.stepApplication({ type: "Started" });
  }

  stepApplication(input: ApplicationInput): void {
    this.takeStep(input);
    this.tellReturns();
  }

  private takeStep(input: ApplicationInput): void {
    if (this.application === null) return;
    const now = this.clock.read(this.world.now);
    this.world.hash.number(this.world.now).number(this.address).text(input.type);
    const effects = this.application.step(now, input);
    for (const effect of effects) hashApplicationEffect(this.world.hash, effect);
    this.world.applicationStepped();
    for (const effect of effects) {
      switch (effect.type) {
        case "Call":
          this.noteCalled(effect.call, effect.operation);
          this.takeClientStep({ type: "Called", call: effect.call, operation: effect.operation });
          break;
        case "SetTimer":
          this.world.armClient(this, this.applicationTimer, this.clock.worldTimeOf(effect.at));
          break;
        case "Stopped":
          this.stopped = true;
          break;
        default:
          unreachable(effect);
      }
    }
  }

  stepClient(input: ClientInput): void {
    this.takeClientStep(input);
    this.tellReturns();
  }

  private takeClientStep(input: ClientInput): void {
    if (this.client === null) return;
    const now = this.clock.read(this.world.now);
    this.world.hash.number(this.world.now).number(this.address).text(input.type);
    const effects = this.client.step(now, input);
    for (const effect of effects) hashClientEffect(this.world.hash, effect);
    if (this.world.isWatched && this.application !== null) {
      const { address, application: { name } } = this;
      this.world.tell({ type: "ClientStepped", client: address, application: name, input, effects });
    }
    for (const effect of effects) this.perform(effect);
  }

  private tellReturns(): void {
    for (let next = this.returns.shift(); next !== undefined; next = this.returns.shift()) this.takeStep(next);
  }

  die(): void {
    this.stepApplication({ type: "Died" });
    this.application = null;
    this.client = null;
    this.applicationTimer.clear();
    this.clientTimer.clear();
    this.connections.clear();
    this.returns.length = 0;
    this.openCalls.clear();
    this.openTransactions.clear();
  }

  private perform(effect: ClientEffect): void {
    switch (effect.type) {
      case "Send":
        return this.world.request(this, effect.to, effect.bytes);
      case "SetTimer":
        return this.world.armClient(this, this.clientTimer, this.clock.worldTimeOf(effect.at));
      case "Return":
        this.noteReturned(effect.call);
        this.returns.push({ type: "Returned", call: effect.call, result: effect.result });
        return;
      default:
        unreachable(effect);
    }
  }

  private noteCalled(call: number, operation: Operation): void {
    this.openCalls.set(call, operation);
    if (operation.type === "begin") this.openTransactions.add(operation.transaction);
  }

  private noteReturned(call: number): void {
    const operation = this.openCalls.get(call);
    this.openCalls.delete(call);
    if (operation?.type !== "commit" && operation?.type !== "rollback") return;
    this.openTransactions.delete(operation.transaction);
  }
}
