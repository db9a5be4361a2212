/**
 * Protocol stories as text (their format: story.ts): a scenario gives commands to a cluster of Rafts and shows what
 * each of them did. Nothing happens that is not commanded. checkState and checkStep run after every step.
 *
 * Commands, each with an example:
 *   nodes a b c                    three empty nodes            nodes a=[1 1 2] b=[1] c maxMessageEntries=1
 *   timeout a                      a's timer fires, at its deadline
 *   fire a                         a's timer fires as it is set, perhaps too early: then it is armed again
 *   disk a                         a's oldest write is done     disk a all
 *   deliver a→b                    the oldest message from a to b arrives
 *   deliver a→b 2 keep             the second oldest; a copy stays on its way
 *   drop a→b                       it is lost                   drop c (all from and to c)     drop all
 *   settle                         disks and messages, until nothing is on its way      settle a b (among these only)
 *   crash b                        b loses what is not on disk
 *   restart b                      b comes back with what is
 *   propose a                      builds on the one before     propose a bytes=9 predecessor=1 term=1
 *   rollback a last=1              a's proposer has undone all above 1                  rollback a last=1 term=1
 *   read a                         a linearizable read is asked for
 *   applied a 3                    all up to 3 has been applied
 *   fetch a                        a's oldest read from disk is answered
 *   forge a→b AppendEntries term=1 prev=0/0 entries=[1/1] commit=1    b receives this, whoever sent it
 *   state                          the whole cluster            state a
 *   cache a                        which entries a has in memory
 *   quietly settle                 any command, without its answer
 */
import { invariant } from "../core/invariant.ts";
import { DEFAULT_LIMITS, DEFAULT_TIMING } from "../core/raft/boundary.ts";
import type { RaftEffect, RaftInput, RaftLimits } from "../core/raft/boundary.ts";
import { checkState, checkStep, type RaftSnapshot } from "../core/raft/invariants.ts";
import type { Message } from "../core/raft/message.ts";
import { Raft } from "../core/raft/raft.ts";
import { Random } from "../core/random.ts";
import type {
  Entry, HardState, Instant, LogIndex, NodeId, ProposalNumber, ReadNumber, Term,
} from "../core/types.ts";
import * as notation from "./raft-notation.ts";
import type { StoryTeller } from "./story.ts";

type EffectOf<Type extends RaftEffect["type"]> = RaftEffect & { readonly type: Type };

/** One node: what runs, what its disk holds, and what its driver owes it. */
interface Host {
  readonly id: NodeId;
  readonly seed: Uint8Array;
  /** null: crashed. */
  raft: Raft | null;
  hardState: HardState;
  disk: readonly Entry[];
  /** Ordered and not done. */
  writes: EffectOf<"Persist">[];
  reads: EffectOf<"ReadEntries">[];
  timerAt: Instant | null;
  lastProposal: number;
  lastRead: number;
}

/** A cluster that is commanded line by line (story.ts). */
export class Interaction implements StoryTeller {
  private now = 0 as Instant;
  private limits: RaftLimits = DEFAULT_LIMITS;
  private readonly hosts = new Map<NodeId, Host>();
  /** By "a→b", oldest first. */
  private readonly links = new Map<string, Message[]>();
  private answer: string[] = [];

  command(line: string): readonly string[] {
    this.answer = [];
    const { words, values } = notation.parseWords(line);
    const [verb, first, second] = words;
    const nth = Number(second === undefined || second === "keep" ? 1 : second);
    if (verb === "quietly") {
      this.command(line.slice("quietly ".length));
      return [];
    }
    if (verb === "nodes") this.found(words.slice(1), values);
    else if (verb === "settle") this.settle(words.slice(1));
    else if (verb === "drop") this.drop(first ?? "", nth);
    else if (verb === "deliver") this.deliver(first ?? "", nth, words.includes("keep"));
    else if (verb === "state" && first === undefined) this.answer.push(this.showAll("\n"));
    else if (verb === "forge") {
      const [from, to] = (first ?? "").split("→") as [NodeId, NodeId];
      const message = notation.parseMessage(line.slice(line.indexOf(first ?? "") + (first ?? "").length));
      this.step(this.host(to), { type: "MessageReceived", from, message });
    } else this.commandNode(this.host(first ?? ""), verb ?? "", second, values);
    return this.answer.flatMap((told) => told.split("\n"));
  }

  private commandNode(host: Host, verb: string, detail: string | undefined, values: ReadonlyMap<string, string>): void {
    const raft = host.raft;
    switch (verb) {
      case "timeout":
        return this.timeout(host);
      case "fire":
        return this.fire(host);
      case "disk":
        do this.disk(host);
        while (detail === "all" && host.writes.length > 0);
        return;
      case "crash":
        this.answer.push(`${host.id} lost ${host.writes.map(({ ticket }) => `#${ticket}`).join(" ") || "nothing"}`);
        host.raft = null;
        return;
      case "restart":
        this.restart(host);
        this.answer.push(this.show(host));
        return;
      case "propose": {
        const payload = new Uint8Array(Number(values.get("bytes") ?? 1));
        const term = Number(values.get("term") ?? raft?.inspect().currentTerm) as Term;
        const predecessor = Number(values.get("predecessor") ?? host.lastProposal) as ProposalNumber;
        const proposal = (host.lastProposal += 1) as ProposalNumber;
        return this.step(host, { type: "Proposed", proposal, term, predecessor, payload });
      }
      case "rollback": {
        const term = Number(values.get("term") ?? raft?.inspect().currentTerm) as Term;
        return this.step(host, { type: "RolledBack", term, last: Number(values.get("last")) as ProposalNumber });
      }
      case "read":
        return this.step(host, { type: "ReadRequested", read: (host.lastRead += 1) as ReadNumber });
      case "applied":
        return this.step(host, { type: "Applied", index: Number(detail) as LogIndex });
      case "fetch":
        return this.fetch(host);
      case "state":
        this.answer.push(this.show(host));
        return;
      case "cache":
        this.answer.push(`${host.id} cached ${raft?.inspect().firstCached}..${raft?.inspect().last.index}`);
        return;
      default:
        invariant(false, `a command is one of those in the header: ${verb}`);
    }
  }

  /** Nodes with the logs given; their term is that of their last entry. */
  private found(empty: readonly string[], values: ReadonlyMap<string, string>): void {
    const logs = new Map<string, string>(empty.map((id) => [id, ""]));
    for (const [key, value] of values) {
      if (value.startsWith("[")) logs.set(key, value.slice(1, -1));
      else this.limits = { ...this.limits, [key]: Number(value) };
    }
    for (const [at, id] of [...logs.keys()].sort().entries()) {
      const disk = notation.log(logs.get(id) ?? "");
      const currentTerm = disk[disk.length - 1]?.term ?? (0 as Term);
      const host: Host = {
        id: id as NodeId, seed: Random.fromNumber(at).bytes(16), raft: null, hardState: { currentTerm, votedFor: null },
        disk, writes: [], reads: [], timerAt: null, lastProposal: 0, lastRead: 0,
      };
      this.hosts.set(host.id, host);
    }
    for (const host of this.hosts.values()) this.restart(host);
    this.answer.push(this.showAll("  "));
  }

  private restart(host: Host): void {
    const { id, seed, hardState, disk } = host;
    const options = { id, seed, hardState, timing: DEFAULT_TIMING, limits: this.limits };
    const raft = new Raft({ ...options, voters: [...this.hosts.keys()], log: notation.recoveredLog(disk) }, this.now);
    Object.assign(host, { raft, writes: [], reads: [], timerAt: null, lastProposal: 0, lastRead: 0 });
    checkState(raft.inspect());
    for (const effect of raft.start(this.now)) if (effect.type === "SetTimer") host.timerAt = effect.at;
  }

  private step(host: Host, input: RaftInput): void {
    invariant(host.raft !== null, `${host.id} runs`);
    const before = host.raft.inspect();
    const effects = host.raft.step(this.now, input);
    const after = host.raft.inspect();
    checkState(after);
    checkStep(before, after);
    this.showChange(before, after);
    for (const effect of effects) this.take(host, effect);
  }

  private take(host: Host, effect: RaftEffect): void {
    const line = notation.showEffect(host.id, effect, this.now);
    if (line !== null) this.answer.push(line);
    if (effect.type === "Persist") host.writes.push(effect);
    else if (effect.type === "ReadEntries") host.reads.push(effect);
    else if (effect.type === "SetTimer") host.timerAt = effect.at;
    else if (effect.type === "Send") this.link(`${host.id}→${effect.to}`).push(effect.message);
  }

  /** A timer that fires early only arms itself again, for the deadline: then that firing is the one that is meant. */
  private timeout(host: Host): void {
    const already = this.answer.length;
    this.fire(host);
    if (this.answer.length > already + 1) return;
    this.answer.length = already;
    this.fire(host);
  }

  private fire(host: Host): void {
    invariant(host.timerAt !== null, "a node that times out has set its timer");
    this.now = Math.max(this.now, host.timerAt) as Instant;
    host.timerAt = null;
    this.step(host, { type: "TimerFired" });
  }

  private disk(host: Host): void {
    const write = host.writes.shift();
    invariant(write !== undefined, "a disk that is done had something to do");
    if (write.hardState !== null) host.hardState = write.hardState;
    if (write.truncateTo !== null) host.disk = host.disk.slice(0, write.truncateTo);
    host.disk = [...host.disk, ...write.entries];
    this.answer.push(`${host.id} Persisted #${write.ticket}`);
    this.step(host, { type: "Persisted", ticket: write.ticket });
  }

  private fetch(host: Host): void {
    const read = host.reads.shift();
    invariant(read !== undefined, "a read that is answered was ordered");
    let size = 0;
    const wanted = host.disk.slice(read.from - 1, read.end - 1);
    const entries = wanted.filter(({ payload }, at) => (size += payload.length) <= read.maxBytes || at === 0);
    this.answer.push(`${host.id} EntriesRead [${entries.map(notation.showId).join(" ")}]`);
    this.step(host, { type: "EntriesRead", purpose: read.purpose, entries });
  }

  private deliver(name: string, nth: number, keep: boolean): void {
    const link = this.link(name);
    const message = link[nth - 1];
    invariant(message !== undefined, `a message that arrives was sent: ${name} ${nth}`);
    if (!keep) link.splice(nth - 1, 1);
    const [from, to] = name.split("→") as [NodeId, NodeId];
    this.step(this.host(to), { type: "MessageReceived", from, message });
  }

  private drop(which: string, nth: number): void {
    for (const [name, link] of this.links) {
      if (which !== "all" && name !== which && !name.split("→").includes(which)) continue;
      const lost = name === which ? link.splice(nth - 1, 1) : link.splice(0);
      for (const message of lost) this.answer.push(`${name} lost ${notation.showMessage(message)}`);
    }
  }

  /** Whatever is due happens, node by node and link by link in their order, until nothing is. */
  private settle(among: readonly string[]): void {
    const chosen = (id: NodeId): boolean => among.length === 0 || among.includes(id);
    const hosts = [...this.hosts.values()].filter(({ id, raft }) => raft !== null && chosen(id));
    const names = hosts.flatMap(({ id }) => hosts.map((other) => `${id}→${other.id}`));
    for (let busy = true; busy;) {
      busy = false;
      for (const host of hosts) {
        for (; host.writes.length > 0; busy = true) this.disk(host);
        for (; host.reads.length > 0; busy = true) this.fetch(host);
      }
      for (const name of names) for (; this.link(name).length > 0; busy = true) this.deliver(name, 1, false);
    }
  }

  private showChange(before: RaftSnapshot, after: RaftSnapshot): void {
    const term = `${before.currentTerm}→${after.currentTerm}`;
    const role = `${before.role}→${after.role}`;
    if (before.role !== after.role) this.answer.push(`${after.id} ${role} term=${after.currentTerm}`);
    else if (before.currentTerm !== after.currentTerm) this.answer.push(`${after.id} term ${term}`);
  }

  private showAll(separator: string): string {
    return [...this.hosts.values()].map((host) => this.show(host)).join(separator);
  }

  private show(host: Host): string {
    return host.raft === null ? `${host.id} crashed` : notation.showState(host.raft.inspect());
  }

  private link(name: string): Message[] {
    const link = this.links.get(name) ?? [];
    this.links.set(name, link);
    return link;
  }

  private host(id: string): Host {
    const host = this.hosts.get(id as NodeId);
    invariant(host !== undefined, `a command names a node: ${id}`);
    return host;
  }
}
