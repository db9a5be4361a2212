/**
 * A cluster of pure Rafts and all that a driver owes them: disks, messages on their way, timers, the application. What
 * happens, and when, is decided outside (raft-soup.ts by dice, raft-search.ts by trying everything). Each step is shown
 * to the reference (raft-witness.ts), and the laws of core/raft/invariants.ts run after it.
 *
 * Not the simulator: no bytes, no files. A disk is a value of the reference, a snapshot's bytes follow from its entry.
 * Whatever crosses the boundary is frozen: who passes it on gives it up.
 */
import type { RaftEffect, RaftInput, RaftOptions } from "../core/raft/boundary.ts";
import type { ConfigurationOperation } from "../core/raft/configuration.ts";
import { checkState, checkStep } from "../core/raft/invariants.ts";
import type { Message, SnapshotId } from "../core/raft/message.ts";
import { Raft } from "../core/raft/raft.ts";
import { Random } from "../core/random.ts";
import type { Instant, LogIndex, MemberId, ProposalNumber, ReadNumber, RequestNumber } from "../core/types.ts";
import { frozen } from "./raft-clone.ts";
import { newHost, NO_PROPOSAL, type EffectOf, type Host, type LogJob } from "./raft-member.ts";
import { compacted, damaged, mended, recoveredFrom, written } from "./raft-disk.ts";
import { same, type Stable } from "./raft-plain-log.ts";
import { Reference } from "./raft-reference.ts";
import { doSnapshotJob, entryOfStored, isWhole, pin, release, streamOf, type Luck } from "./raft-snapshots.ts";
import { expectAgreement, expectThat, witnessStep } from "./raft-witness.ts";

/** What is the same in all process lives of all members. */
export type WorldOptions = Pick<RaftOptions, "founding" | "timing" | "limits" | "leaseDriftPpm" | "roles" | "version">;

export interface Packet {
  readonly from: MemberId;
  readonly to: MemberId;
  readonly message: Message;
}

export class World {
  readonly options: WorldOptions;
  readonly hosts: Map<MemberId, Host>;
  reference: Reference;
  packets: readonly Packet[];
  /** The highest index that any entry ever had. */
  longest: number;
  /** How often what happened. */
  readonly tally: Map<string, number>;

  /** @param before the world to begin with, copied; its hosts are shared until they are replaced. */
  constructor(options: WorldOptions, before: World | null = null) {
    this.options = options;
    this.hosts = new Map(before?.hosts);
    this.reference = new Reference(options.founding, before?.reference);
    this.packets = before?.packets ?? [];
    this.longest = before?.longest ?? 0;
    this.tally = before?.tally ?? new Map();
  }

  /** A member with an empty disk. */
  join(id: MemberId, now: Instant): Host {
    const host = newHost(id, now);
    this.hosts.set(id, host);
    this.start(host);
    return host;
  }

  start(host: Host): void {
    const { id, disk, now } = host;
    host.lives += 1;
    this.reference.restart(id, disk);
    const { currentTerm, votedFor } = disk;
    const hardState = { currentTerm, votedFor } as RaftOptions["hardState"];
    const seed = Random.fromBytes(Random.fromNumber(host.lives).bytes(16).fill(id.charCodeAt(0), 0, 2)).bytes(16);
    const found = { log: recoveredFrom(disk), snapshot: this.storedBy(host), lost: disk.lost?.entry ?? null };
    const raft = new Raft(frozen({ ...this.options, id, hardState, ...found, seed }), now);
    const nothing = { logJobs: [], fileJobs: [], timerAt: null, received: null, pinned: [], configuration: null };
    const idle = { handed: [], lastHanded: 0, applied: 0, restoring: 0, reads: new Map(), open: new Set() };
    const unasked = { lastNumber: 0, isLeaving: false, hasLeft: false };
    Object.assign(host, nothing, idle, unasked, { raft, proposing: NO_PROPOSAL, gathered: null, ahead: disk });
    const effects = frozen(raft.start(now));
    expectThat(!effects.some(({ type }) => type === "Persist" || type === "Send"), "a start says nothing to anybody");
    for (const effect of effects) this.take(host, effect);
    const state = raft.inspect();
    checkState(state);
    expectAgreement(this.reference, id, state);
    expectThat(host.configuration === state.configuration, "the configuration in force is announced at the start");
  }

  /** @param kept how many of the changes under way reach the disk all the same: whole or torn, but in their order */
  crash(host: Host, kept: number): void {
    let count = kept;
    for (const job of host.logJobs) {
      if (count === 0) break;
      const stages = this.stagesOf(host.disk, job);
      const reached = Math.min(count, stages.length - 1);
      count -= reached;
      this.writeDisk(host, stages[reached] as Stable);
      if (reached < stages.length - 1) break;
    }
    host.raft = null;
    this.count("crash");
  }

  /** Above `keep` nothing can be read any more of a crashed member's log. */
  lose(host: Host, keep: number, isKnown: boolean): void {
    expectThat(host.raft === null, "damage is found at a start");
    host.disk = frozen(damaged(host.disk, keep, isKnown));
    this.reference.lose(host.id, host.disk);
    this.count("loss");
  }

  // What a driver does

  fire(host: Host): void {
    expectThat(host.timerAt !== null, "a timer that fires was set");
    host.now = Math.max(host.now, host.timerAt) as Instant;
    host.timerAt = null;
    this.step(host, { type: "TimerFired" });
  }

  /** The oldest write of the log is done. */
  doLogJob(host: Host): void {
    const job = host.logJobs[0];
    expectThat(job !== undefined, "there is something to write");
    host.logJobs = host.logJobs.slice(1);
    this.writeDisk(host, this.stagesOf(host.disk, job).at(-1) as Stable);
    if (job.type !== "Persist") return;
    if (job.snapshot !== null) {
      expectThat(isWhole(host, job.snapshot), "a snapshot is installed when all its chunks are stored");
      host.received = null;
      this.count("install");
    }
    if (job.truncateTo !== null) this.count("truncate");
    this.step(host, { type: "Persisted", ticket: job.ticket });
  }

  /** @param most of what was asked for, answer no more than so much, but something */
  doFileJob(host: Host, most: number, luck: Luck = "well"): void {
    const job = host.fileJobs[0];
    expectThat(job !== undefined, "there is something to do");
    host.fileJobs = host.fileJobs.slice(1);
    this.count(job.type);
    if (job.type !== "ReadEntries") return doSnapshotJob(this, host, job, most, luck);
    const count = Math.min(job.end - job.from, Math.max(1, most));
    const entries = host.disk.log.slice(job.from - 1, job.from - 1 + count);
    // What it read has been cut since: its answer is as stale as the question.
    if (entries.length > 0) this.step(host, { type: "EntriesRead", purpose: job.purpose, entries });
  }

  deliver(packet: Packet): void {
    const host = this.hosts.get(packet.to);
    if (host?.raft) this.step(host, { type: "MessageReceived", from: packet.from, message: packet.message });
  }

  /** The application goes on by so many of the things that it was handed. */
  apply(host: Host, count: number): void {
    const done = host.handed.slice(0, count);
    host.handed = host.handed.slice(count);
    host.applied = done[done.length - 1] ?? host.applied;
    if (host.applied >= host.restoring) host.restoring = 0;
    this.step(host, { type: "Applied", index: host.applied as LogIndex });
  }

  propose(host: Host, payload: Uint8Array): void {
    expectThat(host.raft !== null, "who proposes runs");
    const { currentTerm } = host.raft.inspect();
    if (host.proposing.term !== currentTerm) host.proposing = { ...NO_PROPOSAL, term: currentTerm };
    if (host.proposing.isRefused) {
      const { accepted } = host.proposing;
      host.proposing = { ...host.proposing, last: accepted, isRefused: false };
      this.step(host, { type: "RolledBack", term: currentTerm, last: accepted as ProposalNumber });
    }
    const predecessor = host.proposing.last as ProposalNumber;
    const proposal = this.openNumber(host) as ProposalNumber;
    host.proposing = { ...host.proposing, last: proposal };
    this.step(host, { type: "Proposed", proposal, term: currentTerm, predecessor, payload });
  }

  read(host: Host): void {
    host.lastNumber += 1;
    host.reads = new Map(host.reads).set(host.lastNumber, this.reference.askRead());
    this.step(host, { type: "ReadRequested", read: host.lastNumber as ReadNumber });
  }

  change(host: Host, operations: readonly ConfigurationOperation[]): void {
    this.step(host, { type: "ChangeRequested", request: this.openNumber(host) as RequestNumber, operations });
  }

  transfer(host: Host, target: MemberId | null): void {
    this.step(host, { type: "TransferRequested", request: this.openNumber(host) as RequestNumber, target });
  }

  leave(host: Host): void {
    host.isLeaving = true;
    this.step(host, { type: "LeaveRequested" });
  }

  /** All of what happens to it in there is one step. */
  gather(host: Host, happen: () => void): void {
    host.gathered = [];
    happen();
    const inputs = host.gathered;
    host.gathered = null;
    if (inputs.length > 0) this.stepAll(host, inputs);
  }

  step(host: Host, input: RaftInput): void {
    if (host.gathered === null) this.stepAll(host, [input]);
    else host.gathered = [...host.gathered, input];
  }

  private stepAll(host: Host, inputs: readonly RaftInput[]): void {
    const { raft, id } = host;
    expectThat(raft !== null, "who steps runs");
    const [first] = frozen(inputs);
    const before = raft.inspect();
    const effects = frozen(inputs.length === 1 && first ? raft.step(host.now, first) : raft.stepAll(host.now, inputs));
    const after = raft.inspect();
    checkState(after);
    checkStep(before, after);
    this.reference = witnessStep(this.reference, id, inputs, effects, after);
    if (after.role !== before.role) this.count(after.role);
    for (const effect of effects) this.take(host, effect);
    expectThat(host.configuration === after.configuration, "each change of the configuration in force is announced");
    const { memory } = this.reference.server(id);
    const { ahead } = host;
    const isVoteTold = memory.currentTerm === ahead.currentTerm && memory.votedFor === ahead.votedFor;
    const isTold = isVoteTold && memory.base === ahead.base;
    const isWhole = memory.log.length === ahead.log.length && memory.log.every((entry, at) => entry === ahead.log[at]);
    expectThat(isTold && isWhole, "what the disk is told is what memory holds");
  }

  private take(host: Host, effect: RaftEffect): void {
    switch (effect.type) {
      case "Persist":
      case "Compact":
      case "ForgetLoss":
        host.logJobs = [...host.logJobs, effect];
        if (effect.type === "Persist") this.longest = Math.max(this.longest, effect.entries.at(-1)?.index ?? 0);
        host.ahead = this.stagesOf(host.ahead, effect).at(-1) as Stable;
        if (effect.type === "ForgetLoss") this.count("forget");
        return;
      case "PinSnapshot":
        return pin(host, effect.snapshot);
      case "ReleaseSnapshot":
        return release(host, effect.snapshot);
      case "ReadEntries":
      case "ReadSnapshot":
      case "StoreChunk":
      case "TakeSnapshot":
        host.fileJobs = [...host.fileJobs, effect];
        return;
      case "Send":
        this.packets = [...this.packets, frozen({ from: host.id, to: effect.to, message: effect.message })];
        return;
      case "SetTimer":
        host.timerAt = effect.at;
        return;
      case "Apply":
      case "Restore":
        return this.handOut(host, effect);
      case "Accept":
        host.proposing = { ...host.proposing, accepted: effect.proposal };
        return;
      case "Resolve":
        if (effect.outcome.type === "refused") host.proposing = { ...host.proposing, isRefused: true };
        return this.close(host, effect.proposal, effect.outcome);
      case "ChangeResolved":
        return this.close(host, effect.request, effect.outcome);
      case "TransferResolved":
        return this.close(host, effect.request, effect.outcome);
      case "ReadReady":
      case "ReadRefused":
        return this.answerRead(host, effect);
      case "ConfigurationChanged":
        host.configuration = effect.configuration;
        return;
      case "Leave":
        expectThat(host.isLeaving, "a member leaves when it was asked to");
        host.hasLeft = true;
        return this.count("leave");
      case "LeadershipChanged":
        return;
      case "Reject":
        return expectThat(false, `no correct member is refused: ${effect.rule}`);
      default:
        effect satisfies never;
    }
  }

  private handOut(host: Host, effect: EffectOf<"Apply"> | EffectOf<"Restore">): void {
    if (effect.type === "Restore") {
      const { index } = effect.snapshot.entry;
      expectThat(index > host.lastHanded, "a state is restored only to what is later");
      expectThat(host.disk.snapshot === index, "a snapshot is restored once it is on the disk");
      host.lastHanded = index;
      host.restoring = index;
      host.handed = [...host.handed, index];
      return this.count("restore");
    }
    expectThat(host.restoring === 0, "nothing is handed out before the snapshot is restored");
    for (const entry of effect.entries) {
      expectThat(entry.index === host.lastHanded + 1, "each index is applied once, in order");
      expectThat(same(entry, this.reference.committed[entry.index - 1]), "what is applied is what is committed");
      host.lastHanded = entry.index;
      host.handed = [...host.handed, entry.index];
    }
    this.count("apply");
  }

  private close(host: Host, number: number, outcome: { readonly type: string; readonly reason?: string }): void {
    expectThat(host.open.has(number), "what is answered was asked, and is answered once");
    host.open = new Set([...host.open].filter((other) => other !== number));
    this.count(outcome.reason === undefined ? outcome.type : `${outcome.type} ${outcome.reason}`);
  }

  private answerRead(host: Host, effect: EffectOf<"ReadReady"> | EffectOf<"ReadRefused">): void {
    const asked = host.reads.get(effect.read);
    expectThat(asked !== undefined, "a read that is answered was asked for, and is answered once");
    host.reads = new Map([...host.reads].filter(([read]) => read !== effect.read));
    if (effect.type === "ReadReady") this.reference.answerRead(asked, effect.index);
    this.count(effect.type);
  }

  private openNumber(host: Host): number {
    host.lastNumber += 1;
    host.open = new Set([...host.open, host.lastNumber]);
    return host.lastNumber;
  }

  private stagesOf(disk: Stable, job: LogJob): readonly Stable[] {
    if (job.type === "Persist") return written(disk, job, this.reference);
    return job.type === "Compact" ? compacted(disk, job) : mended(disk);
  }

  writeDisk(host: Host, disk: Stable): void {
    host.disk = frozen(disk);
    this.reference.becameDurable(host.id, disk);
  }

  count(what: string): void {
    this.tally.set(what, (this.tally.get(what) ?? 0) + 1);
  }

  /** The snapshot on its disk; null: there is none. */
  storedBy(host: Host): SnapshotId | null {
    const { snapshot, stream, log } = host.disk;
    if (snapshot === 0) return null;
    const entry = entryOfStored(host);
    return { entry, configuration: this.reference.configurationOf(log.slice(0, snapshot)), ...streamOf(entry, stream) };
  }
}
