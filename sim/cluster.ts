/**
 * A whole simulated world: nodes with their disks, applications, the network between them, and the one queue of events.
 * It carries every effect of every machine to where it belongs, and shows each step to the judge. It decides nothing:
 * faults are the nemesis's affair, phases the run's.
 */
import type { Endpoint } from "../core/client/boundary.ts";
import { invariant, unreachable } from "../core/invariant.ts";
import type { NodeEffect, NodeInput } from "../core/node/boundary.ts";
import type { RejectReason } from "../core/replica/boundary.ts";
import type { DiskOrder } from "../core/storage/disk.ts";
import type { Instant, NodeId, Ticket } from "../core/types.ts";
import type { Chance } from "./chance.ts";
import { ClientProcess, type ClientWorld } from "./client-process.ts";
import { ClientTraffic, type TrafficWorld } from "./client-traffic.ts";
import { Computers } from "./computers.ts";
import type { PendingOperation } from "./disk.ts";
import type { Environment, NodeMachine } from "./environment.ts";
import type { Happening } from "./happening.ts";
import { MarkWatcher } from "./marks.ts";
import { Membership } from "./membership.ts";
import { Mishaps, type MishapWorld } from "./mishaps.ts";
import { SimulatedNetwork } from "./network.ts";
import type { Judge, Violation } from "./oracles/boundary.ts";
import { Oracles } from "./oracles/oracles.ts";
import type { Packet } from "./packet.ts";
import type { Plan } from "./plan.ts";
import { type Order, orderOf } from "./priorities.ts";
import type { NodeProcess } from "./process.ts";
import { Scheduler } from "./scheduler.ts";
import type { Tally } from "./tally.ts";
import { NO_ROOM, SpaceWatch } from "./space-watch.ts";
import type { Timer } from "./timer.ts";
import { TraceHash } from "./trace/hash.ts";
import { hashNodeEffect, hashNodeInput } from "./trace/record.ts";
import { watch } from "./watching.ts";
import type { WorldEvent } from "./world-event.ts";
import type { Workload } from "./workload/workload.ts";

/** More at one time, and a machine asks for the same again and again. */
const MAX_EVENTS_AT_ONCE = 100_000;
const IMPOSSIBLE_REJECTIONS: readonly RejectReason[] = ["malformed", "wrongVersion", "implausible"];

/** What a node answers to an operator. */
export type Resolution = Extract<NodeEffect, { readonly type: "ChangeResolved" | "TransferResolved" }>;

/** What ended a run before its time. */
export interface Failure extends Violation {
  readonly type: "correctness" | "liveness";
}

export class Cluster implements ClientWorld, TrafficWorld, MishapWorld {
  readonly plan: Plan;
  readonly tally: Tally;
  readonly nodes: readonly NodeProcess[];
  readonly clients: readonly ClientProcess[];
  readonly network: SimulatedNetwork;
  readonly traffic: ClientTraffic;
  readonly hash = new TraceHash();
  readonly judge: Judge;
  /** null: all is well so far. */
  failure: Failure | null = null;
  readonly membership: Membership;
  /** Told of answers to requests of an operator; null: nobody asks for anything. */
  onResolved: ((node: NodeProcess, effect: Resolution) => void) | null = null;
  /** Told of a process that has closed in good order and only has to end; null: nobody asks for that. */
  onClosed: ((node: NodeProcess) => void) | null = null;
  /** Which step is being taken: for whoever has to explain a throw out of it. */
  inProgress = "nothing yet";
  /** How many events have had the same time. */
  private eventsNow = 0;
  /** Whose step is being judged; null: nobody's. */
  stepping: NodeId | null = null;
  readonly computers: Computers;
  readonly mishaps: Mishaps;
  private readonly environment: Environment;
  private readonly workload: Workload;
  private readonly scheduler = new Scheduler<WorldEvent>();
  private readonly order: Order;
  readonly marks: MarkWatcher;
  private readonly spaceWatch: SpaceWatch;

  constructor(plan: Plan, environment: Environment, workload: Workload, chance: Chance, tally: Tally) {
    this.plan = plan;
    this.environment = environment;
    this.workload = workload;
    this.tally = tally;
    this.marks = new MarkWatcher(tally);
    this.spaceWatch = new SpaceWatch(tally);
    this.computers = new Computers(plan, chance, tally);
    this.mishaps = new Mishaps(this, chance, tally);
    this.nodes = this.computers.nodes;
    this.clients = Array.from({ length: plan.clients }, (_, place) => {
      const name = `client-${place + 1}`;
      return new ClientProcess(this.nodes.length + place, name, this.computers.drawClock(name), this);
    });
    this.membership = new Membership(this.nodes, this.computers.founders);
    const { timing, digestEvery } = plan;
    const hasLeases = plan.leaseDriftPpm !== null;
    const { history } = workload;
    this.judge = new Oracles({ timing, digestEvery, hasLeases, history, reader: environment.reader });
    const names = [...this.nodes.map(({ id }) => id), ...this.clients.map(({ name }) => name)];
    this.network = new SimulatedNetwork(names, plan.network, chance.within("network"), tally, (at, packet) => {
      this.scheduler.schedule(this.order.due(at, packet.to), packet);
    });
    this.order = orderOf(plan, names.length, chance, tally);
    this.traffic = new ClientTraffic(this, tally);
    if (this.isWatched) watch(this);
  }

  get now(): number {
    return this.scheduler.now;
  }

  get events(): number {
    return this.scheduler.taken;
  }

  /** Lets the world go on until a time, or until something fails. */
  runUntil(time: number): void {
    // A task at the end: time reaches it even if nothing else happens.
    this.after(time - this.now, () => undefined);
    while (this.failure === null && this.scheduler.nextTime <= time) {
      const before = this.now;
      this.dispatch(this.scheduler.take());
      this.eventsNow = this.now === before ? this.eventsNow + 1 : 0;
      invariant(this.eventsNow < MAX_EVENTS_AT_ONCE, "time goes on");
    }
  }

  /** Runs a task later. */
  after(delay: number, run: () => void): void {
    this.scheduler.schedule(this.now + Math.max(0, Math.floor(delay)), { type: "task", run });
  }

  fail(type: Failure["type"], violation: Violation | null): void {
    if (violation === null || this.failure !== null) return;
    this.failure = { type, ...violation };
    this.tell({ type: "Failed", violation });
  }

  /** What happens often is told only where somebody `isWatched`. */
  tell(happening: Happening): void {
    this.environment.witness?.(this.now, happening);
  }

  get isWatched(): boolean {
    return this.environment.witness !== null;
  }


  // Nodes.

  startNode(node: NodeProcess): void {
    const { plan, environment } = this;
    node.isUsed = true;
    const options = this.computers.optionsOf(node, environment.engine, this.membership.toAsk(node));
    const machine = environment.boot({ ...options, seed: this.computers.drawSeed(node.id) });
    node.begin(machine, this.computers.drawClock(node.id), this.now);
    if (plan.maxDriftPpm > 0) this.tally.inject("clockDrift");
    this.hash.number(this.now).text(node.id).number(node.life);
    this.tell({ type: "NodeStarted", node: node.id, life: node.life });
    this.fail("correctness", this.judge.nodeStarted(this.now as Instant, node.id, node.disk));
    this.stepNode(node, { type: "Started" });
  }

  /** Asks a node to finish what it has begun and then to end. */
  closeNode(node: NodeProcess): void {
    this.stepNode(node, { type: "Closing" });
  }

  /** Kills the process of a node that runs; with `losePower` the computer too. */
  crashNode(node: NodeProcess, losePower: boolean): void {
    invariant(node.machine !== null, "what crashes was running");
    this.tell({ type: "NodeCrashed", node: node.id, losesPower: losePower });
    this.hash.number(this.now).text(node.id).text(losePower ? "powerLoss" : "kill");
    node.end(!losePower);
    node.disk.crash(losePower ? this.plan.powerLoss : null);
    this.marks.crashed(node.id);
    this.fail("correctness", this.judge.nodeCrashed(this.now as Instant, node.id));
    this.traffic.nodeDied(node, !losePower);
  }

  /** The process of a node stands still until then; the world goes on, and its clock does unless that is frozen too. */
  pauseNode(node: NodeProcess, until: number, isFrozen: boolean): void {
    this.tell({ type: "NodePaused", node: node.id, until, isFrozen });
    node.pausedUntil = until;
    if (isFrozen) node.clock.stand(until - this.now);
  }

  /** A node that does not run loses its disk, and gets an empty one. */
  loseDisk(node: NodeProcess): void {
    this.tell({ type: "DiskLost", node: node.id });
    this.hash.number(this.now).text(node.id).text("diskLoss");
    this.membership.forget(node);
    node.replaceDisk(this.computers.makeDisk(node.id));
    this.fail("correctness", this.judge.diskLost(this.now as Instant, node.id));
  }

  stepNode(node: NodeProcess, input: NodeInput): void {
    const { machine } = node;
    if (machine === null || this.failure !== null) return;
    if (node.pausedUntil > this.now) {
      const { life } = node;
      return this.after(node.pausedUntil - this.now, () => node.life === life && this.stepNode(node, input));
    }
    // As its driver does: the clocks are compared before an input is taken.
    if (node.seesStop(this.now, this.tally)) this.takeStep(node, machine, { type: "ClockStopped" });
    if (node.machine === machine && this.failure === null) this.takeStep(node, machine, input);
  }

  private takeStep(node: NodeProcess, machine: NodeMachine, input: NodeInput): void {
    this.inProgress = `${node.id} ${input.type} at ${this.now} us`;
    this.hash.number(this.now).number(node.address);
    hashNodeInput(this.hash, input);
    if (this.isWatched) this.tell({ type: "NodeStepping", node: node.id, input });
    const effects = machine.step(node.clock.read(this.now), input);
    for (const effect of effects) hashNodeEffect(this.hash, effect);
    const observation = machine.inspect();
    if (this.isWatched) this.tell({ type: "NodeStepped", node: node.id, effects, seen: observation });
    this.stepping = node.id;
    if (this.membership.stepped(node, observation.raft)) this.tally.mark("membersHealed");
    this.marks.stepped(node, input, observation.raft, effects);
    this.fail("correctness", this.judge.nodeStepped(this.now as Instant, node.id, input, observation, effects));
    if (observation.raft !== null) this.mishaps.stepped(node, observation.raft, effects);
    this.stepping = null;
    if (this.failure !== null) return;
    for (const effect of effects) this.performNodeEffect(node, effect);
  }

  private performNodeEffect(node: NodeProcess, effect: NodeEffect): void {
    switch (effect.type) {
      case "Disk":
        return this.orderDisk(node, effect);
      case "Send": {
        const receiver = this.nodes.find((other) => other.id === effect.to);
        invariant(receiver !== undefined, "a node sends to nodes of its cluster");
        return this.network.send(this.now, node.address, receiver.address, null, effect.bytes);
      }
      case "Respond":
        return this.traffic.respond(effect.to, effect.bytes);
      case "SetTimer": {
        const at = node.timer.set(this.order.due(Math.max(this.now, node.clock.worldTimeOf(effect.at)), node.address));
        if (at !== null) this.scheduler.schedule(at, { type: "nodeTimer", node });
        return;
      }
      case "Recovered":
        node.recovered = true;
        return;
      case "Disconnect":
        return this.failNode(node, "protocol", `${node.id} closed the connection of a client: ${effect.detail}`);
      case "Reject":
        // Nothing here damages a message, and all nodes are correct.
        if (!IMPOSSIBLE_REJECTIONS.includes(effect.reason)) return;
        return this.failNode(node, "protocol", `${node.id} refused a message of ${effect.from}: ${effect.detail}`);
      case "Halt":
        return this.mishaps.halted(node, effect.reason);
      case "Closed": {
        const { life } = node;
        return this.after(0, () => node.life === life && node.machine !== null && this.onClosed?.(node));
      }
      case "ChangeResolved":
      case "TransferResolved":
        return this.onResolved?.(node, effect);
      case "DamageFound":
      case "SpaceChanged":
      case "LeadershipChanged":
      case "ConfigurationChanged":
        return;
      default:
        unreachable(effect);
    }
  }

  failNode(node: NodeProcess, oracle: string, message: string): void {
    this.fail("correctness", { oracle, message, nodes: [node.id], index: null });
  }

  private orderDisk(node: NodeProcess, { operation, ticket }: DiskOrder): void {
    const pending = node.disk.begin(this.now, operation);
    const at = this.order.due(pending.doneAt, node.address);
    this.scheduler.schedule(at, { type: "disk", node, life: node.life, ticket, pending });
  }

  // Clients.

  startClient(client: ClientProcess): void {
    const application = this.workload.open(`${client.name}.${client.life + 1}`);
    // A client reads where its list begins: each has another node of its own, which leads or follows.
    const first = (client.address + client.life) % this.nodes.length;
    const order = [...this.nodes.slice(first), ...this.nodes.slice(0, first)];
    const machine = this.environment.connect({
      endpoints: order.map((node) => node.id),
      attemptTimeoutMs: 500,
      callTimeoutMs: this.plan.callTimeoutMs,
      seed: this.computers.drawSeed(client.name),
      rarely: this.computers.rarities.of(client.name),
    });
    this.tell({ type: "ClientStarted", client: client.address, application: application.name });
    client.begin(application, machine, this.computers.drawClock(client.name));
  }

  /** Kills the application. With `losePower` the nodes hear nothing of it. */
  killClient(client: ClientProcess, losePower: boolean): void {
    const { address, application } = client;
    if (application !== null) this.tell({ type: "ClientDied", client: address, application: application.name });
    this.traffic.clientDied(client, !losePower);
    client.die();
  }

  request(client: ClientProcess, to: Endpoint, bytes: Uint8Array): void {
    this.traffic.request(client, to, bytes);
  }

  armClient(client: ClientProcess, timer: Timer, at: number): void {
    const due = timer.set(this.order.due(Math.max(this.now, at), client.address));
    if (due !== null) this.scheduler.schedule(due, { type: "clientTimer", client, timer });
  }

  applicationStepped(): void {
    this.fail("correctness", this.judge.clientsStepped(this.now as Instant));
  }

  // Events.

  private dispatch(event: WorldEvent): void {
    const node = this.receiverOf(event);
    // In the order in which they came: events of one time keep the order of their making.
    if (node !== null && node.pausedUntil > this.now) return this.scheduler.schedule(node.pausedUntil, event);
    switch (event.type) {
      case "packet":
        if (event.connection === null) return this.arriveAtPeer(event);
        return this.traffic.arrive(event, event.connection);
      case "disk": {
        const { node, pending } = event;
        if (node.life !== event.life || node.machine === null) return;
        return this.finishDisk(node, event.ticket, pending);
      }
      case "nodeTimer":
        return this.nodeTimer(event.node);
      case "clientTimer":
        return this.clientTimer(event.client, event.timer);
      case "task":
        return event.run();
      default:
        unreachable(event);
    }
  }

  /** The node that an event is for; null: it is for none. */
  private receiverOf(event: WorldEvent): NodeProcess | null {
    if (event.type === "packet") return this.nodes[event.to] ?? null;
    return event.type === "disk" ? event.node : null;
  }

  private finishDisk(node: NodeProcess, ticket: Ticket, pending: PendingOperation): void {
    const outcome = node.disk.perform(pending);
    const { operation } = pending;
    if (!this.spaceWatch.allows(node, operation, outcome)) return this.failNode(node, "reserve", NO_ROOM);
    if (outcome.ok && (operation.type === "sync" || operation.type === "syncDirectory")) {
      const file = operation.type === "sync" ? operation.file : null;
      this.fail("correctness", this.judge.diskSynced(this.now as Instant, node.id, file, node.disk));
    }
    if (outcome.ok) this.stepNode(node, { type: "DiskDone", ticket, result: outcome.result });
    else this.stepNode(node, { type: "DiskFailed", ticket, failure: outcome.failure });
  }

  private nodeTimer(node: NodeProcess): void {
    if (node.timer.fires(this.now)) {
      if (node.pausedUntil > this.now) {
        // Set anew for the end of the pause: it fires then, as any timer of a process that stood still.
        const at = node.timer.set(node.pausedUntil);
        if (at !== null) this.scheduler.schedule(at, { type: "nodeTimer", node });
        return;
      }
      if (node.clock.drifts(this.now)) this.tally.effect("clockDrift");
      return this.stepNode(node, { type: "TimerFired" });
    }
    const at = node.timer.rearm();
    if (at !== null) this.scheduler.schedule(at, { type: "nodeTimer", node });
  }

  private clientTimer(client: ClientProcess, timer: Timer): void {
    if (timer.fires(this.now)) {
      if (timer === client.clientTimer) client.stepClient({ type: "TimerFired" });
      else client.stepApplication({ type: "TimerFired" });
      return;
    }
    const at = timer.rearm();
    if (at !== null) this.scheduler.schedule(at, { type: "clientTimer", client, timer });
  }

  private arriveAtPeer(packet: Packet): void {
    const node = this.nodes[packet.to]!;
    if (node.machine === null || packet.bytes === null) return;
    if (!this.network.received(this.now, packet)) return;
    this.stepNode(node, { type: "PeerReceived", from: this.nodes[packet.from]!.id, bytes: packet.bytes });
  }
}
