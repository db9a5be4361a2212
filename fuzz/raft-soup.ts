/**
 * Pure Rafts in a soup of messages: any of them may arrive, now or later or twice or never; disks answer late; nodes
 * crash and lose what is not on disk. Checks the five properties of figure 3 and what the boundary promises, as it
 * goes. Not the simulator: no bytes, no files, no clocks.
 */
import { invariant } from "../core/invariant.ts";
import { DEFAULT_TIMING, type RaftEffect, type RaftInput, type RaftLimits } from "../core/raft/boundary.ts";
import { checkState, checkStep } from "../core/raft/invariants.ts";
import type { Message } from "../core/raft/message.ts";
import { Raft } from "../core/raft/raft.ts";
import { Random } from "../core/random.ts";
import { compareNodeIds, majority } from "../core/types.ts";
import type {
  Entry, EntryId, HardState, Instant, LogIndex, NodeId, ProposalNumber, ReadNumber, Term,
} from "../core/types.ts";
import { recoveredLog } from "../test/raft-notation.ts";

type EffectOf<Type extends RaftEffect["type"]> = RaftEffect & { readonly type: Type };

export interface Host {
  readonly id: NodeId;
  /** null: crashed. */
  raft: Raft | null;
  hardState: HardState;
  disk: readonly Entry[];
  /** The log in memory, as the Persists tell it. */
  log: readonly Entry[];
  writes: EffectOf<"Persist">[];
  reads: EffectOf<"ReadEntries">[];
  timerAt: Instant | null;
  applied: number;
  reported: number;
  /** The state of the one proposer: what it builds on, and in which term. */
  proposing: { term: Term; predecessor: number; rollBack: boolean };
  lastProposal: number;
  lastRead: number;
  /** What was committed anywhere when the read was asked for. */
  readonly readsAsked: Map<number, number>;
}

const PROPOSAL_SIZE = 8;

/** What happened, so that a run can show that it was not idle. */
export function newTally() {
  return { elections: 0, committed: 0, lost: 0, refused: 0, reads: 0, crashes: 0, readBacks: 0, truncations: 0 };
}

export class Soup {
  readonly hosts: readonly Host[];
  readonly tally = newTally();
  private readonly random: Random;
  private readonly limits: RaftLimits;
  private now = 0 as Instant;
  private messages: { readonly from: NodeId; readonly to: NodeId; readonly message: Message }[] = [];
  private readonly leaders = new Map<Term, NodeId>();
  /** Every entry that ever stood in a log, with the term before it: the inductive form of Log Matching. */
  private readonly entries = new Map<string, string>();
  /** By index, from 1: what any node has taken for committed. */
  private readonly committed: string[] = [];
  private nextPayload = 1;
  /** How often time passes, in percent of what happens: with more of it, more elections. */
  private readonly haste: number;
  /** In percent of messages. */
  private readonly loss: number;
  private isolated: NodeId | null = null;
  private proposing = true;
  private readonly payloads = new Map<string, string>();

  constructor(size: number, seed: number) {
    this.random = Random.fromNumber(seed);
    const maxMessageEntries = this.random.pick([1, 2, 4096]);
    const maxCachedBytes = this.random.pick([0, 30, 1_000_000]);
    const maxMessageBytes = this.random.pick([1, 20, 1_000_000]);
    this.limits = { maxMessageEntries, maxMessageBytes, maxCachedBytes, maxUncommittedBytes: 80, maxPayloadBytes: 20 };
    this.haste = this.random.integer(2, 10);
    this.loss = this.random.pick([0, 2, 15]);
    const ids = ["a", "b", "c", "d", "e"].slice(0, size) as NodeId[];
    this.hosts = ids.map((id) => ({
      id, raft: null, hardState: { currentTerm: 0 as Term, votedFor: null }, disk: [], log: [], writes: [], reads: [],
      timerAt: null, applied: 0, reported: 0, proposing: { term: 0 as Term, predecessor: 0, rollBack: false },
      lastProposal: 0, lastRead: 0, readsAsked: new Map(),
    }));
    for (const host of this.hosts) this.start(host);
  }

  get committedCount(): number {
    return this.committed.length;
  }

  /** One random thing happens. */
  stir(faults: boolean): void {
    const { random } = this;
    const host = random.pick(this.hosts);
    const dice = random.integer(0, 99);
    if (dice < 45) this.deliver(faults);
    else if (dice < 65) this.write(host);
    else if (dice < 70) this.answerRead(host);
    else if (dice < 78) this.propose(host);
    else if (dice < 80) this.read(host);
    else if (dice < 84) this.report(host);
    else if (dice < 84 + this.haste) this.tick(host, faults);
    else if (host.raft === null) this.start(host);
    else if (faults && random.oneIn(150)) this.crash(host);
    else if (faults && random.oneIn(100)) this.isolated = random.chance(50) ? host.id : null;
  }

  /** Nothing is lost and nobody crashes until all have applied the same, more than before. */
  heal(): void {
    this.isolated = null;
    for (const host of this.hosts) if (host.raft === null) this.start(host);
    const goal = this.committed.length + 3;
    for (let step = 0; step < 40_000; step++) {
      this.proposing = this.committed.length < goal;
      this.stir(false);
      const applied = this.hosts.map((host) => host.applied);
      if (Math.min(...applied) >= goal && applied.every((index) => index === this.committed.length)) return;
    }
    invariant(false, "once faults stop, the cluster commits more and all apply it");
  }

  private start(host: Host): void {
    const { id, disk, hardState } = host;
    const voters = this.hosts.map((each) => each.id).sort(compareNodeIds);
    const seed = this.random.bytes(16);
    const options = { id, voters, hardState, timing: DEFAULT_TIMING, limits: this.limits, seed };
    host.raft = new Raft({ ...options, log: recoveredLog(disk) }, this.now);
    Object.assign(host, { log: disk, writes: [], reads: [], timerAt: null, applied: 0, reported: 0 });
    Object.assign(host, { lastProposal: 0, lastRead: 0, proposing: { term: 0, predecessor: 0, rollBack: false } });
    host.readsAsked.clear();
    for (const effect of host.raft.start(this.now)) this.take(host, effect);
  }

  private crash(host: Host): void {
    if (host.raft === null) return;
    host.raft = null;
    this.tally.crashes += 1;
  }

  private deliver(faults: boolean): void {
    if (this.messages.length === 0) return;
    // Mostly the oldest, so that the cluster gets somewhere.
    const at = this.random.chance(80) ? 0 : this.random.integer(0, this.messages.length - 1);
    const packet = this.messages[at];
    invariant(packet !== undefined, "there is a message to deliver");
    if (!faults || !this.random.chance(10)) this.messages.splice(at, 1);
    if (faults && this.random.chance(this.loss)) return;
    if (this.isolated === packet.from || this.isolated === packet.to) return;
    const host = this.hosts.find(({ id }) => id === packet.to);
    if (host?.raft) this.step(host, { type: "MessageReceived", from: packet.from, message: packet.message });
    if (this.messages.length > 300) this.messages.splice(0, 100);
  }

  private write(host: Host): void {
    if (host.raft === null) return;
    const write = host.writes.shift();
    if (write === undefined) return;
    host.hardState = write.hardState ?? host.hardState;
    host.disk = [...host.disk.slice(0, write.truncateTo ?? host.disk.length), ...write.entries];
    this.step(host, { type: "Persisted", ticket: write.ticket });
  }

  private answerRead(host: Host): void {
    if (host.raft === null) return;
    const read = host.reads.shift();
    if (read === undefined) return;
    const count = this.random.integer(1, read.end - read.from);
    const entries = host.disk.slice(read.from - 1, read.from - 1 + count);
    this.tally.readBacks += 1;
    this.step(host, { type: "EntriesRead", purpose: read.purpose, entries });
  }

  /** Time jumps to a timer. Without faults that is the next one, and all that was under way has arrived by then. */
  private tick(host: Host, faults: boolean): void {
    const busy = this.messages.length > 0 || this.hosts.some(({ writes, reads }) => writes.length + reads.length > 0);
    if (busy && !faults) return;
    const timers = this.hosts.filter(({ raft, timerAt }) => raft !== null && timerAt !== null);
    const earliest = timers.sort((a, b) => (a.timerAt ?? 0) - (b.timerAt ?? 0))[0];
    const fires = !faults || this.random.chance(70) ? earliest : host;
    if (fires === undefined || fires.raft === null || fires.timerAt === null) return;
    this.now = Math.max(this.now, fires.timerAt) as Instant;
    fires.timerAt = null;
    this.step(fires, { type: "TimerFired" });
  }

  private propose(host: Host): void {
    const { raft, proposing } = host;
    const state = raft?.inspect();
    if (state === undefined || state.role !== "leader" || !this.proposing) return;
    if (proposing.term !== state.currentTerm) {
      host.proposing = { term: state.currentTerm, predecessor: 0, rollBack: false };
    } else if (proposing.rollBack) {
      proposing.rollBack = false;
      this.step(host, { type: "RolledBack", term: proposing.term, last: proposing.predecessor as ProposalNumber });
    }
    const { term, predecessor } = host.proposing;
    const proposal = (host.lastProposal += 1) as ProposalNumber;
    const payload = new Uint8Array(PROPOSAL_SIZE + (this.random.oneIn(20) ? 99 : 0));
    new DataView(payload.buffer).setUint32(0, this.nextPayload++);
    this.payloads.set(`${host.id}${proposal}`, String(payload));
    this.step(host, { type: "Proposed", proposal, term, predecessor: predecessor as ProposalNumber, payload });
  }

  private read(host: Host): void {
    if (host.raft === null) return;
    const read = (host.lastRead += 1) as ReadNumber;
    host.readsAsked.set(read, this.committed.length);
    this.step(host, { type: "ReadRequested", read });
  }

  private report(host: Host): void {
    if (host.raft === null || host.reported === host.applied) return;
    host.reported = this.random.integer(host.reported, host.applied);
    this.step(host, { type: "Applied", index: host.reported as LogIndex });
  }

  private step(host: Host, input: RaftInput): void {
    invariant(host.raft !== null, "a node that steps runs");
    const before = host.raft.inspect();
    const effects = host.raft.step(this.now, input);
    const after = host.raft.inspect();
    checkState(after);
    checkStep(before, after);
    invariant(effects.slice(1).every(({ type }) => type !== "Persist"), "at most one Persist, and it comes first");
    for (const effect of effects) this.take(host, effect);
    if (effects[0]?.type === "Persist") {
      const told = recoveredLog(host.log).terms.map(text).join();
      invariant(told === after.terms.map(text).join(), "what is persisted is the log");
    }
    if (after.role === "leader" && before.role !== "leader") this.elected(host, after.currentTerm);
    for (let index = before.commitIndex + 1; index <= after.commitIndex; index++) this.commit(host, index);
  }

  private take(host: Host, effect: RaftEffect): void {
    switch (effect.type) {
      case "Persist":
        host.writes.push(effect);
        return this.changeLog(host, effect);
      case "Send":
        this.messages.push({ from: host.id, to: effect.to, message: effect.message });
        return;
      case "SetTimer":
        host.timerAt = effect.at;
        return;
      case "ReadEntries":
        host.reads.push(effect);
        return;
      case "Apply":
        for (const entry of effect.entries) {
          invariant(entry.index === ++host.applied, "each index is applied once, in order");
          const known = this.committed[entry.index - 1];
          invariant(known === undefined || known === text(entry), "state machine safety");
        }
        return;
      case "Accept":
        host.proposing.predecessor = effect.proposal;
        return;
      case "Resolve":
        return this.resolve(host, effect);
      case "ReadReady":
        this.tally.reads += 1;
        return invariant(
          effect.index >= (host.readsAsked.get(effect.read) ?? Infinity), "a read sees what was committed before it",
        );
      default:
    }
  }

  private changeLog(host: Host, { truncateTo, entries }: EffectOf<"Persist">): void {
    if (truncateTo !== null) this.tally.truncations += 1;
    host.log = [...host.log.slice(0, truncateTo ?? host.log.length), ...entries];
    for (const entry of entries) {
      const place = `${entry.term}/${entry.index}`;
      const content = `${host.log[entry.index - 2]?.term ?? 0} ${text(entry)}`;
      const known = this.entries.get(place) ?? content;
      invariant(known === content, "log matching");
      this.entries.set(place, content);
    }
  }

  private elected(host: Host, term: Term): void {
    this.tally.elections += 1;
    const known = this.leaders.get(term) ?? host.id;
    invariant(known === host.id, "election safety");
    this.leaders.set(term, host.id);
    for (const [at, entry] of this.committed.entries()) {
      const own = host.log[at];
      invariant(own !== undefined && text(own) === entry, "leader completeness");
    }
  }

  private commit(host: Host, index: number): void {
    const entry = host.log[index - 1];
    invariant(entry !== undefined, "what is committed stands in the log");
    const known = this.committed[index - 1];
    if (known !== undefined) return invariant(known === text(entry), "a committed entry never changes");
    const holders = this.hosts.filter(({ disk }) => text(disk[index - 1]) === text(entry));
    invariant(holders.length >= majority(this.hosts.length), "what is committed is on the disks of a majority");
    this.committed.push(text(entry));
    this.tally.committed += 1;
  }

  private resolve(host: Host, { proposal, outcome }: EffectOf<"Resolve">): void {
    const payload = this.payloads.get(`${host.id}${proposal}`) ?? "";
    if (outcome.type === "refused") {
      this.tally.refused += 1;
      host.proposing.rollBack = true;
      const appended = [...this.entries.values()].some((content) => content.endsWith(`:${payload}`));
      invariant(!appended, "a refused proposal was never appended");
      return;
    }
    const entry = host.log[outcome.entry.index - 1];
    invariant(entry?.term === outcome.entry.term, "an outcome names the committed entry");
    const mine = String(entry.payload) === payload;
    invariant(mine === (outcome.type === "committed"), "an outcome is committed or lost, as the log has it");
    if (outcome.type === "lost") this.tally.lost += 1;
  }
}

function text(entry: (EntryId & { readonly payload?: Uint8Array }) | undefined): string {
  return entry === undefined ? "" : `${entry.term}/${entry.index}:${String(entry.payload ?? "")}`;
}
