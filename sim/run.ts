/**
 * One run of one seed, in phases:
 *
 *     quiet ─▶ chaos ─▶ a core alone: serve, converge ─▶ faults stop: serve
 *           ─▶ disks full: serve ─▶ applications stop: converge ─▶ all power fails: converge ─▶ verdict
 *
 * What is wrong during chaos is a matter of correctness only: a cluster without a majority may stand still. From then
 * on it is also one of liveness: elect, serve new writes, bring all nodes to the same state in time. Whoever stands
 * still then has to have a reason: a quorum that it needs and does not have (healthy-core.ts).
 */
import type { Instant } from "../core/types.ts";
import { Chance, type OnHappened } from "./chance.ts";
import { Cluster, type Failure } from "./cluster.ts";
import { type Course, NOT_UNTIL_THEN } from "./course.ts";
import type { Environment } from "./environment.ts";
import { chooseCore, whatIsMissing } from "./healthy-core.ts";
import { Nemesis } from "./nemesis.ts";
import type { Plan } from "./plan.ts";
import { showConfiguration } from "./oracles/quorum.ts";
import { Operator } from "./operator.ts";
import type { NodeProcess } from "./process.ts";
import { beginTrial } from "./space-trial.ts";
import { Tally, type TallyCounts } from "./tally.ts";
import { Workload } from "./workload/workload.ts";

const US_PER_MS = 1000;
/** How often it is looked whether what is waited for has come. */
const LOOK_EVERY_US = 20_000;
/** Nodes are switched on one after the other within this time. */
const MAX_START_DELAY_US = 300_000;

export interface RunResult {
  readonly plan: Plan;
  /** null: passed. */
  readonly failure: Failure | null;
  readonly tally: TallyCounts;
  readonly events: number;
  readonly simulatedSeconds: number;
  /** Over every input and effect: equal for equal seeds. */
  readonly hash: string;
}

export class Run {
  readonly plan: Plan;
  readonly cluster: Cluster;
  private readonly tally = new Tally();
  private readonly workload: Workload;
  private readonly nemesis: Nemesis;
  private readonly operator: Operator;
  private readonly chance: Chance;
  private readonly endsAt: number | null;

  constructor(plan: Plan, environment: Environment, course: Course = {}) {
    const { leavesOut = null, onOccurrence, options, endsAt } = course;
    this.plan = plan;
    this.endsAt = endsAt ?? null;
    // Some of it occurs while the world is being made.
    let timeNow = (): number => 0;
    const onHappened: OnHappened | null = onOccurrence === undefined ? null : (stream, number, words) => {
      onOccurrence({ at: timeNow(), stream, number, words });
    };
    this.chance = new Chance(plan.seed, leavesOut, onHappened);
    this.workload = new Workload(this.chance.within("workload"), options);
    this.cluster = new Cluster(this.plan, environment, this.workload, this.chance, this.tally);
    timeNow = () => this.cluster.now;
    this.nemesis = new Nemesis(this.cluster, this.chance.within("nemesis"), this.tally);
    this.operator = new Operator(this.cluster, this.chance.within("operator"), this.tally);
    this.operator.onStrike = (victim, dice) => this.nemesis.strike(victim, dice);
  }

  execute(): RunResult {
    this.cluster.tell({ type: "Phase", name: "all is well" });
    this.begin();
    this.pass(this.plan.quietMs);
    if (this.isWell()) this.cluster.tell({ type: "Phase", name: "faults begin" });
    this.nemesis.start();
    this.operator.start();
    this.pass(this.plan.chaosMs);
    this.operator.stop();
    if (this.isWell() && this.plan.hasCorePhase) this.goOnAlone();
    if (this.isWell()) this.nemesis.stop();
    if (this.isWell()) this.serve("all faults stop");
    if (this.isWell()) this.runOutOfSpace();
    if (this.isWell()) this.stopApplications();
    if (this.isWell()) this.loseAllPower();
    if (this.isWell()) this.finish();
    for (const node of this.cluster.nodes) node.end(false);
    return this.result();
  }

  /** What is known so far: the whole of it, or up to a throw. */
  result(): RunResult {
    const { cluster, tally } = this;
    const { counts } = this.workload;
    tally.marks.checksumComparisons = cluster.judge.counts.comparisons;
    tally.marks.readsAnswered = counts.reads;
    tally.marks.sessionReadsAnswered = counts.sessionReads;
    tally.marks.transactionsCommitted = counts.committed;
    tally.marks.transactionsRefused = counts.failed;
    tally.marks.transactionsUnknown = counts.unknown;
    tally.marks.writesRefusedFull = counts.failures["DiskFull"] ?? 0;
    return {
      plan: this.plan,
      failure: cluster.failure,
      // Without whoever hears of marks: a result goes from one thread to another.
      tally: { injected: tally.injected, effects: tally.effects, marks: tally.marks },
      events: cluster.events,
      simulatedSeconds: cluster.now / 1e6,
      hash: cluster.hash.digest(),
    };
  }

  private isWell(): boolean {
    return this.cluster.failure === null;
  }

  private begin(): void {
    const { endsAt, cluster } = this;
    if (endsAt !== null) cluster.after(endsAt, () => cluster.fail("correctness", NOT_UNTIL_THEN));
    for (const node of this.cluster.nodes.filter(({ isFounder }) => isFounder)) {
      const dice = this.chance.stream(`${node.id} start`).next();
      this.cluster.after(dice.integer(0, MAX_START_DELAY_US), () => this.nemesis.startFirst(node));
    }
    for (const client of this.cluster.clients) {
      const dice = this.chance.stream(`${client.name} start`).next();
      this.cluster.after(dice.integer(0, MAX_START_DELAY_US), () => this.cluster.startClient(client));
    }
    this.cluster.runUntil(MAX_START_DELAY_US);
  }

  private pass(ms: number): void {
    this.cluster.runUntil(this.cluster.now + ms * US_PER_MS);
  }

  private look(): void {
    this.cluster.runUntil(this.cluster.now + LOOK_EVERY_US);
  }

  /** @param since what has happened before; `mayStandStill`: there is nothing wrong with it if nobody serves */
  private serve(since: string, mayStandStill: () => boolean = () => false): void {
    this.cluster.tell({ type: "Phase", name: since });
    this.workload.measure();
    const { counts } = this.workload;
    const before = counts.committed;
    const end = this.cluster.now + this.plan.serveBoundMs * US_PER_MS;
    this.pass(this.plan.serveMs);
    while (this.isWell() && counts.committed === before && this.cluster.now < end) this.look();
    if (counts.committed > before || mayStandStill()) return;
    this.notLive("serve", `no write was acknowledged within ${this.plan.serveBoundMs} ms (${since})`);
  }

  /** A healthy core has all that it needs, and owes all that a cluster owes; the others are broken for good. */
  private goOnAlone(): void {
    const { cluster, operator } = this;
    const core = chooseCore(cluster.nodes, cluster.membership, this.chance.stream("core").next());
    if (core === null || core.outside.length === 0) return;
    this.tally.mark("coresAlone");
    const who = `core [${core.nodes.map(({ id }) => id).join(" ")}]`;
    this.nemesis.retreat(core);
    // What an operator has asked for may yet need others: that is no fault of the cluster.
    const isAsked = operator.unanswered().length > 0;
    const missing = (): string | null => whatIsMissing(new Set(core.nodes), cluster.membership);
    const mayStandStill = (): boolean => {
      if (!isAsked || missing() === null) return false;
      cluster.tell({ type: "Phase", name: `the core may stand still: ${missing()}` });
      return true;
    };
    this.serve(`a healthy ${who} goes on alone`, mayStandStill);
    const goal = Math.max(...core.nodes.map(appliedIndexOf));
    const end = cluster.now + this.plan.convergeMs * US_PER_MS;
    while (this.isWell() && cluster.now < end && !this.haveApplied(core.nodes, goal)) this.look();
    if (!this.isWell() || this.haveApplied(core.nodes, goal) || mayStandStill()) return;
    this.notLive("core", `not all of ${who} applied ${goal} within ${this.plan.convergeMs} ms`);
  }

  /** Those of them that have the data, as whoever leads has it. */
  private haveApplied(nodes: readonly NodeProcess[], goal: number): boolean {
    const { membership } = this.cluster;
    const members = membership.leader()?.machine?.inspect().raft?.configuration.members ?? [];
    const nodesOfData = members.filter(({ role }) => role !== "spare").map(({ id }) => membership.nodeOf(id));
    const expected = nodes.filter((node) => nodesOfData.includes(node));
    return expected.length > 0 && expected.every((node) => appliedIndexOf(node) >= goal);
  }

  /** Once more something is wrong, and nothing else: the disks of some, or of all, are full. */
  private runOutOfSpace(): void {
    const { cluster, plan, workload } = this;
    const dice = this.chance.stream("space trial").next();
    const trial = beginTrial(cluster, cluster.membership.settled(), workload.counts, dice);
    if (trial === null) return;
    const end = cluster.now + plan.serveBoundMs * US_PER_MS;
    this.pass(trial.ms);
    while (this.isWell() && !trial.isServed() && cluster.now < end) this.look();
    if (!trial.isServed()) {
      const full = trial.nodes.map(({ id }) => id).join(" ");
      return this.notLive("space", `${trial.owed} within ${plan.serveBoundMs} ms while [${full}] had no space`);
    }
    trial.end();
    this.serve("there is space again");
  }

  private stopApplications(): void {
    this.cluster.tell({ type: "Phase", name: "applications stop" });
    for (const client of this.cluster.clients) client.stepApplication({ type: "Stopping" });
    this.converge(() => this.cluster.clients.every((client) => client.stopped));
  }

  /** What was acknowledged has to be there when only disks are left: the last word on durability. */
  private loseAllPower(): void {
    this.cluster.tell({ type: "Phase", name: "all power fails" });
    const running = this.cluster.nodes.filter(({ machine }) => machine !== null);
    for (const node of running) this.cluster.crashNode(node, true);
    for (const node of running) this.cluster.startNode(node);
    this.converge(() => true);
  }

  private converge(isReady: () => boolean): void {
    const end = this.cluster.now + this.plan.convergeMs * US_PER_MS;
    while (this.isWell() && this.cluster.now < end) {
      this.look();
      if (isReady() && this.operator.unanswered().length === 0 && this.converged() !== null) return;
    }
    const open = this.cluster.clients.filter((client) => !client.stopped).map((client) => client.application?.name);
    const waiting = isReady() ? "" : `; still busy: ${open.join(" ")}`;
    const asked = this.operator.unanswered();
    if (asked.length > 0) return this.notLive("operator", `nobody has answered: ${asked.join(", ")}`);
    this.notLive("converge", `not all nodes applied the same within ${this.plan.convergeMs} ms${waiting}`);
  }

  /**
   * All that have the data by the configuration in force, once they run under one leader and have applied all of one
   * log; null: not yet. Who has lost its disk is not waited for, nor are spares and those who are no members.
   */
  private converged(): readonly NodeProcess[] | null {
    const { membership } = this.cluster;
    const settled = membership.settled();
    const applied = settled?.leader.machine?.inspect().database?.appliedIndex;
    if (settled === null || applied === undefined) return null;
    const members = settled.configuration.members.filter(({ id, role }) => role !== "spare" && !membership.isLost(id));
    const nodes = members.map(({ id }) => membership.nodeOf(id));
    const haveAll = nodes.every((node) => {
      const seen = node?.machine?.inspect();
      return seen?.raft?.last.index === applied && seen.database?.appliedIndex === applied && seen.raft.hasSpace;
    });
    return haveAll ? nodes.filter((node) => node !== null) : null;
  }

  private notLive(oracle: string, what: string): void {
    const { membership, nodes } = this.cluster;
    const whole = nodes.filter((node) => node.machine !== null && membership.isWholeMember(node));
    const reason = whatIsMissing(new Set(whole), membership) ?? "no quorum is missing";
    const message = `${what}; ${reason}; ${nodes.map(describeNode).join("; ")}`;
    this.cluster.fail("liveness", { oracle, message, nodes: this.cluster.nodes.map((node) => node.id), index: null });
  }

  private finish(): void {
    const nodes = (this.converged() ?? []).map((node) => {
      const { appliedIndex, checksum } = node.machine!.inspect().database!;
      return { node: node.id, appliedIndex, checksum, image: node.machine!.image() };
    });
    this.cluster.fail("correctness", this.cluster.judge.finished(this.cluster.now as Instant, nodes));
  }
}

function appliedIndexOf(node: NodeProcess): number {
  return node.machine?.inspect().database?.appliedIndex ?? 0;
}

function describeNode(node: NodeProcess): string {
  const seen = node.machine?.inspect();
  if (seen === undefined) return `${node.id} is down`;
  if (seen.raft === null) return `${node.id} runs, and is of no cluster`;
  const { role, currentTerm, last, base, commitIndex, configurationIndex, configuration, hasSpace } = seen.raft;
  const applied = seen.database?.appliedIndex ?? 0;
  const log = `base=${base.index} last=${last.term}/${last.index} commit=${commitIndex} applied=${applied}`;
  const members = `configuration ${configurationIndex}: ${showConfiguration(configuration)}`;
  return `${node.id} ${role} term=${currentTerm} ${log} ${members}${hasSpace ? "" : " without space"}`;
}
