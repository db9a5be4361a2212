/**
 * An operator: asks leaders for other members, other roles and other leaders, at random and often at the wrong time,
 * and remembers what was answered. It starts the computers that are to join, and stops those that are no longer wanted.
 *
 * What it asks for is bounded (`NEVER` in plan.ts) by membership.ts. What it is told has to be true: "refused" has
 * changed nothing, "committed" is in force, "unknown" may be either.
 */
import { foundingConfiguration, type Configuration, type MemberRole } from "../core/raft/configuration.ts";
import type { MemberOperation } from "../core/replica/boundary.ts";
import {
  type Incarnation, incarnationOf, type MemberId, memberIdOf, type NodeId, nodeOf, type RequestNumber,
} from "../core/types.ts";
import { type Chance, type Dice, shuffle } from "./chance.ts";
import type { Cluster, Resolution } from "./cluster.ts";
import { drawDelay } from "./latency.ts";
import type { RaftObservation } from "./oracles/boundary.ts";
import { violation } from "./oracles/violation.ts";
import type { NodeProcess } from "./process.ts";
import type { Tally } from "./tally.ts";

const US_PER_MS = 1000;
const NO_DISK = "0000000000000001" as Incarnation;
const NEW_DISK = "0000000000000002" as Incarnation;
const ROLES: readonly MemberRole[] = ["voter", "voter", "voter", "standby", "spare"];
const ACTIONS = [
  "start", "start", "admit", "admit", "admit", "remove", "role", "role", "several", "replace", "replace", "readmit",
  "retire", "restart", "reuse", "mistake",
] as const;
type Action = (typeof ACTIONS)[number];

interface Request {
  readonly node: NodeProcess;
  readonly life: number;
  readonly before: RaftObservation | null;
  /** null: it is a transfer. */
  readonly operations: readonly MemberOperation[] | null;
}

export class Operator {
  private readonly cluster: Cluster;
  private readonly chance: Chance;
  private readonly tally: Tally;
  private isActive = false;
  private lastRequest = 0;
  private readonly open = new Map<RequestNumber, Request>();
  /** Who crashes a node; null: nothing does. */
  onStrike: ((victim: NodeProcess, dice: Dice) => void) | null = null;
  /** The request that is being made: whatever answers it now has changed nothing in between. */
  private asking: RequestNumber | null = null;

  constructor(cluster: Cluster, chance: Chance, tally: Tally) {
    this.cluster = cluster;
    this.chance = chance;
    this.tally = tally;
    cluster.onResolved = (node, effect) => this.resolved(node, effect);
    cluster.marks.isChangeOpen = () => this.hasOpenChange();
  }

  start(): void {
    this.isActive = true;
    const { change, transfer } = this.cluster.plan.operator;
    this.repeat("change", change, (dice) => this.act(dice.pick(ACTIONS), dice));
    this.repeat("transfer", transfer, (dice) => this.transfer(dice));
  }

  stop(): void {
    this.isActive = false;
  }

  /** Requests that nobody has answered, though whom they were made of lives on. */
  unanswered(): readonly string[] {
    const open = [...this.open].filter(([, { node, life }]) => node.machine !== null && node.life === life);
    return open.map(([number, { node, operations }]) => {
      return `${operations === null ? "transfer" : "change"} ${number} at ${node.id}`;
    });
  }

  private repeat(name: string, meanMs: number, act: (dice: Dice) => void): void {
    if (meanMs === 0) return;
    const dice = this.chance.stream(name).next();
    this.cluster.after(drawDelay(dice, meanMs * US_PER_MS), () => {
      if (!this.isActive) return;
      if (!dice.isLeftOut) act(dice);
      this.repeat(name, meanMs, act);
    });
  }

  private act(action: Action, dice: Dice): void {
    switch (action) {
      case "start":
        return this.startJoiner(dice);
      case "admit":
        return this.askFor(this.strangers(dice).slice(0, 1).map((node) => this.put(node, null, dice)), dice);
      case "remove":
        return this.askFor(this.pickMembers(1, dice).map((node) => remove(node)), dice);
      case "role":
        return this.askFor(this.pickMembers(1, dice).map((node) => this.put(node, null, dice)), dice);
      case "several":
        return this.askFor(this.drawSeveral(dice), dice);
      case "replace":
        return this.replaceLost(dice);
      case "readmit":
        return this.readmit(dice);
      case "retire":
        return this.retire(dice);
      case "restart":
        return this.restart(dice);
      case "reuse":
        return this.reuse(dice);
      case "mistake":
        return this.askFor(this.drawMistake(dice), dice);
    }
  }

  // Computers.

  private startJoiner(dice: Dice): void {
    const idle = this.cluster.nodes.filter((node) => !node.isUsed && this.cluster.membership.idOf(node) === null);
    if (idle.length === 0) return;
    const node = dice.pick(idle);
    dice.happened(() => `${node.id} is started, of no cluster yet`);
    this.cluster.startNode(node);
  }

  /** Stops a node that is no member for good. */
  private retire(dice: Dice): void {
    const removed = this.removed().filter((node) => node.machine !== null);
    if (removed.length === 0) return;
    const node = dice.pick(removed);
    dice.happened(() => `${node.id} is retired`);
    this.cluster.crashNode(node, false);
    node.isUsed = false;
  }

  /** A removed node comes back, and does not know that it is one. */
  private restart(dice: Dice): void {
    const retired = this.removed().filter((node) => !node.isUsed);
    if (retired.length === 0) return;
    this.tally.mark("removedNodesRun");
    const node = dice.pick(retired);
    dice.happened(() => `${node.id} is started, though removed`);
    this.cluster.startNode(node);
  }

  /** A retired node's name is given to another disk. */
  private reuse(dice: Dice): void {
    const retired = this.removed().filter((node) => !node.isUsed);
    if (retired.length === 0) return;
    const node = dice.pick(retired);
    dice.happened(() => `the name ${node.id} is given to another disk`);
    this.cluster.loseDisk(node);
    this.tally.mark("namesReused");
    this.cluster.startNode(node);
  }

  /** Those with the disk of a member that is none any more, whatever becomes of any log. */
  private removed(): readonly NodeProcess[] {
    const { membership, nodes } = this.cluster;
    const settled = membership.settled();
    if (settled === null || this.hasOpenChange()) return [];
    const members = new Set(settled.configuration.members.map(({ id }) => id));
    return nodes.filter((node) => {
      const id = membership.idOf(node);
      return id !== null && !members.has(id);
    });
  }

  /** Nodes that run with an empty disk, whatever their name stands for; in random order. */
  private strangers(dice: Dice): NodeProcess[] {
    const { membership, nodes } = this.cluster;
    const found = nodes.filter((node) => node.machine !== null && node.life > 0 && membership.idOf(node) === null);
    return shuffle(found.filter((node) => !node.isFounder || node.isReplaced), dice);
  }

  // Requests.

  private transfer(dice: Dice): void {
    const leader = this.pickLeader(dice);
    if (leader === null) return;
    const target = dice.oneIn(3) ? null : dice.pick(this.cluster.nodes);
    const input = { type: "TransferRequested", target: target?.id ?? null } as const;
    dice.happened(() => `${leader.id} is asked to hand over to ${target?.id ?? "anybody"}`);
    this.ask(leader, null, (request) => this.cluster.stepNode(leader, { ...input, request }));
    if (dice.chance(this.cluster.plan.operator.strikePercent)) this.strike(leader, target, dice);
  }

  private strike(leader: NodeProcess, target: NodeProcess | null, dice: Dice): void {
    const victim = target !== null && dice.oneIn(2) ? target : leader;
    const { life } = victim;
    const { network, disk } = this.cluster.plan;
    this.cluster.after(drawDelay(dice, 2 * network.latencyUs + disk.syncUs), () => {
      if (!this.isActive || victim.life !== life || victim.machine === null) return;
      this.tally.inject("struckTransfer");
      if (leader.machine?.inspect().raft?.isTransferring === true) this.tally.effect("struckTransfer");
      this.onStrike?.(victim, dice);
    });
  }

  /** A disk that was lost is replaced: its name stands for the new one from now on. */
  private replaceLost(dice: Dice): void {
    const { membership } = this.cluster;
    const members = this.configuration()?.members.filter(({ id }) => membership.isLost(id)) ?? [];
    const lost = members.flatMap(({ id }) => this.strangers(dice).filter((node) => node.id === nodeOf(id)));
    const [node] = lost;
    if (node === undefined) return;
    // One in five forgets to remove the old one.
    const operations = dice.oneIn(5) ? [this.put(node, null, dice)] : [remove(node), this.put(node, null, dice)];
    this.askFor(operations, dice);
  }

  /** A removed node is taken in again, with the disk that it has. */
  private readmit(dice: Dice): void {
    const [node] = shuffle(this.removed().filter(({ isUsed }) => isUsed), dice);
    const id = node === undefined ? null : this.cluster.membership.idOf(node);
    if (node !== undefined && id !== null) this.askFor([this.put(node, id, dice)], dice);
  }

  private drawSeveral(dice: Dice): readonly MemberOperation[] {
    const members = this.pickMembers(dice.integer(1, 3), dice);
    const operations = members.map((node) => (dice.oneIn(3) ? remove(node) : this.put(node, null, dice)));
    const strangers = this.strangers(dice).slice(0, dice.integer(0, 2));
    return [...operations, ...strangers.map((node) => this.put(node, null, dice))];
  }

  private drawMistake(dice: Dice): readonly MemberOperation[] {
    const node = dice.pick(this.cluster.nodes);
    if (dice.oneIn(2)) return [remove(node)];
    const nobody = memberIdOf(node.id, NO_DISK);
    this.cluster.membership.exclude(nobody);
    dice.happened(() => `a disk of ${node.id} is named that nobody has`);
    return [this.put(node, nobody, dice)];
  }

  private put(node: NodeProcess, id: MemberId | null, dice: Dice): MemberOperation {
    const incarnation = id === null ? null : incarnationOf(id);
    const priority = dice.oneIn(4) ? dice.integer(0, 255) : null;
    const role = dice.pick(ROLES);
    const member = { node: node.id, incarnation, role, address: null, failureDomain: null, priority };
    return { type: "put", member };
  }

  /** Asks, unless what is asked for would leave too few disks. */
  private askFor(operations: readonly MemberOperation[], dice: Dice): void {
    const leader = this.pickLeader(dice);
    if (leader === null || operations.length === 0) return;
    const current = leader.machine?.inspect().raft?.configuration;
    if (current === undefined || !this.isSurvivable(current, operations)) return;
    dice.happened(() => `${leader.id} is asked to ${operations.map(inWords).join(", ")}`);
    this.ask(leader, operations, (request) => {
      this.cluster.stepNode(leader, { type: "ChangeRequested", request, operations });
    });
    if (dice.chance(this.cluster.plan.operator.strikePercent)) this.strikeChange(leader, dice);
  }

  /** A change that only its leader has, or almost, is in force there, and may have to be taken back. */
  private strikeChange(leader: NodeProcess, dice: Dice): void {
    const { life } = leader;
    this.cluster.after(drawDelay(dice, this.cluster.plan.network.latencyUs / 2), () => {
      if (!this.isActive || leader.life !== life || leader.machine === null) return;
      const own = leader.machine.inspect().raft;
      if (own === null || own.configurationIndex <= own.commitIndex) return;
      this.tally.inject("struckChange");
      const isAlone = this.cluster.nodes.every((node) => {
        const raft = node.machine?.inspect().raft ?? null;
        return node === leader || raft === null || raft.configurationIndex < own.configurationIndex;
      });
      if (isAlone) this.tally.effect("struckChange");
      this.onStrike?.(leader, dice);
    });
  }

  private ask(
    node: NodeProcess, operations: readonly MemberOperation[] | null, make: (request: RequestNumber) => void,
  ): void {
    const request = ++this.lastRequest as RequestNumber;
    const before = node.machine?.inspect().raft ?? null;
    this.open.set(request, { node, life: node.life, before, operations });
    this.asking = request;
    make(request);
    this.asking = null;
  }

  /** Mostly the leader; now and then somebody who is not. */
  private pickLeader(dice: Dice): NodeProcess | null {
    const running = this.cluster.nodes.filter((node) => node.machine !== null && node.machine.inspect().raft !== null);
    if (running.length === 0) return null;
    return dice.oneIn(10) ? dice.pick(running) : this.cluster.membership.leader();
  }

  private configuration(): Configuration | null {
    return this.cluster.membership.leader()?.machine?.inspect().raft?.configuration ?? null;
  }

  private pickMembers(count: number, dice: Dice): NodeProcess[] {
    const names = new Set(this.configuration()?.members.map(({ id }) => nodeOf(id)));
    return shuffle(this.cluster.nodes.filter((node) => names.has(node.id)), dice).slice(0, count);
  }

  private hasOpenChange(): boolean {
    return [...this.open.values()].some(({ node, life, operations }) => {
      return operations !== null && node.machine !== null && node.life === life;
    });
  }

  /** Whether the voters that it would leave include a quorum whose disks are there. */
  private isSurvivable(current: Configuration, operations: readonly MemberOperation[]): boolean {
    const { membership } = this.cluster;
    const voters = new Set(current.members.filter(({ role }) => role === "voter").map(({ id }) => id));
    const idOf = (name: NodeId): MemberId | undefined => {
      return current.members.find(({ id }) => nodeOf(id) === name)?.id;
    };
    for (const operation of operations) {
      const name = nameOf(operation);
      const known = operation.type === "put" ? operation.member.incarnation : null;
      const id = known === null ? (idOf(name) ?? memberIdOf(name, NEW_DISK)) : memberIdOf(name, known);
      if (operation.type === "put" && operation.member.role === "voter") voters.add(id);
      else voters.delete(id);
    }
    // Nobody left to vote: it is refused, and that is to be seen.
    return voters.size === 0 || membership.lives(foundingConfiguration([...voters]));
  }

  // Answers.

  private resolved(node: NodeProcess, { type, request: number, outcome }: Resolution): void {
    const request = this.open.get(number);
    if (request === undefined || request.node !== node || request.life !== node.life) {
      return this.wrong(node, `${node.id} answered request ${number}, which it was not asked, or twice`);
    }
    this.open.delete(number);
    const after = node.machine?.inspect().raft ?? null;
    const isAtOnce = this.asking === number;
    if (type === "TransferResolved") {
      const marks = { done: "transfersDone", refused: "transfersRefused", aborted: "transfersAborted" } as const;
      this.tally.mark(marks[outcome.type]);
      if (outcome.type === "done" && after?.role === "leader" && after.currentTerm === request.before?.currentTerm) {
        this.wrong(node, `${node.id} says that it has handed over, and leads term ${after.currentTerm}`);
      }
      return;
    }
    const marks = { committed: "changesCommitted", refused: "changesRefused", unknown: "changesUnknown" } as const;
    this.tally.mark(marks[outcome.type]);
    const isSame = after === null || after.configurationIndex === request.before?.configurationIndex;
    if (outcome.type === "refused" && isAtOnce && !isSame) {
      return this.wrong(node, `${node.id} refused change ${number} (${outcome.reason}), and appended one`);
    }
    if (outcome.type !== "committed" || after === null) return;
    if (after.commitIndex < outcome.index || after.configurationIndex < outcome.index) {
      return this.wrong(node, `${node.id} says that change ${number} is committed at ${outcome.index}, and it is not`);
    }
    // Of several operations on one node the last one counts.
    const last = new Map((request.operations ?? []).map((operation) => [nameOf(operation), operation]));
    const missing = [...last.values()].find((operation) => !isDone(operation, after.configuration));
    if (missing === undefined) return this.noteReplaced(request.operations ?? []);
    this.wrong(node, `${node.id} says that change ${number} is in force, and ${missing.type} is not done`);
  }

  private noteReplaced(operations: readonly MemberOperation[]): void {
    const removed = operations.flatMap((one) => (one.type === "remove" ? [one.node] : []));
    if (operations.some((one) => one.type === "put" && removed.includes(one.member.node))) {
      this.tally.mark("disksReplaced");
    }
  }

  private wrong(node: NodeProcess, message: string): void {
    this.cluster.fail("correctness", violation("change", message, [node.id]));
  }
}

function remove(node: NodeProcess): MemberOperation {
  return { type: "remove", node: node.id };
}

function nameOf(operation: MemberOperation): NodeId {
  return operation.type === "remove" ? operation.node : operation.member.node;
}

function inWords(operation: MemberOperation): string {
  if (operation.type === "remove") return `remove ${operation.node}`;
  const { node, role, incarnation } = operation.member;
  return `make ${node}${incarnation === null ? "" : `:${incarnation}`} a ${role}`;
}

/** Its role may have been adjusted since. */
function isDone(operation: MemberOperation, { members, outgoing }: Configuration): boolean {
  const isThere = members.some(({ id }) => nodeOf(id) === nameOf(operation));
  return outgoing.length === 0 && isThere === (operation.type === "put");
}
