/**
 * Protocol stories as text (their format: story.ts): a scenario gives commands to a cluster of Rafts and shows what
 * each of them did. Nothing happens that is not commanded. checkState and checkStep run after every step.
 *
 * Commands, each with an example:
 *   nodes a b c                    three empty voters           nodes a=[1 1 2] b=[1] c d:standby e:spare f:outside
 *   nodes a b maxMessageEntries=1 leases=500 roles=3/1          limits; leases with drift in ppm; targets of roles
 *   timeout a                      a's timer fires, at its deadline (a leader's: it sends heartbeats)
 *   fire a                         a's timer fires as it is set, perhaps too early: then it is armed again
 *   stand a                        timeout a, and all who run are asked and would vote for it: a is a candidate
 *   wait 250                       milliseconds pass, and no timer fires
 *   pass 4200 a b                  milliseconds pass, in which a and b do all that is due among them, and nobody else
 *   disk a                         a's oldest write is done     disk a all
 *   deliver a→b                    the oldest message from a to b arrives
 *   deliver a→b 2 keep             the second oldest; a copy stays on its way
 *   drop a→b                       it is lost                   drop c (all from and to c)     drop all
 *   settle                         disks and messages, until nothing is on its way      settle a b (among these only)
 *   crash b                        b loses what is not on disk  wipe b (and its disk, too)
 *   restart b                      b comes back with what is    restart b version=2
 *   propose a                      builds on the one before     propose a bytes=9 predecessor=1 term=1
 *   rollback a last=1              a's proposer has undone all above 1                  rollback a last=1 term=1
 *   read a                         a linearizable read is asked for
 *   applied a 3                    all up to 3 has been applied
 *   fetch a                        a's oldest read from disk is answered
 *   change a put=d:standby,e remove=b        the configuration is asked to change; without a role: a voter
 *   transfer a b                   a is asked to hand over to b           transfer a (to whoever suits best)
 *   leave a                        a's process is about to stop
 *   lose b 3                       b, which has crashed, has lost all above 3 of its disk      lose b 3 end=unknown
 *   space a full                   a's disk has no room for proposals            space a free
 *   snapshot a size=10             the snapshot that a has ordered is stored, as of what it has applied
 *   abandon a                      it is not, there was no room for it           want a 3 (a's disk wants one)
 *   cut a                          the snapshot that a has ordered is being stored: `abandon` is to follow
 *   merge a size=9 checksum=2      a's stored snapshot is written down in another way
 *   chunk b                        the oldest piece of a snapshot is written     chunk b end=9 (jumps)    chunk b full
 *   piece a                        it is read, to be sent                        piece a gone (it cannot be read)
 *   restored b                     b's state is that of the snapshot
 *   clock a                        a's clock stood still
 *   forge a→b AppendEntries term=1 prev=0/0 entries=[1/1] commit=1    b receives this, whoever sent it
 *   state                          the whole cluster            state a
 *   cache a                        which entries a has in memory
 *   quietly settle                 any command, without its answer
 */
import { invariant } from "../core/invariant.ts";
import { DEFAULT_LIMITS } from "../core/raft/boundary.ts";
import type { RaftEffect, RaftInput } from "../core/raft/boundary.ts";
import { newMember, type ConfigurationOperation, type MemberRole } from "../core/raft/configuration.ts";
import { checkState, checkStep, type RaftState } from "../core/raft/invariants.ts";
import type { Message } from "../core/raft/message.ts";
import { afterMs, type Instant, type LogIndex, type MemberId, type ProposalNumber, type ReadNumber,
  type RequestNumber, type Term } from "../core/types.ts";
import { Driver } from "./raft-driver.ts";
import { Host, type StoryOptions } from "./raft-host.ts";
import * as notation from "./raft-notation.ts";
import type { StoryTeller } from "./story.ts";

/** A cluster that is commanded line by line (story.ts). */
export class Interaction implements StoryTeller {
  private now = 0 as Instant;
  private options: StoryOptions = {
    limits: DEFAULT_LIMITS, leaseDriftPpm: null, roles: null, founding: { members: [], outgoing: [], version: 1 },
  };
  private readonly hosts = new Map<MemberId, Host>();
  /** By "a→b", oldest first. */
  private readonly links = new Map<string, Message[]>();
  private answer: string[] = [];
  private readonly driver = new Driver(
    (host, input) => this.step(host, input),
    (line) => this.answer.push(line),
  );

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
    else if (verb === "wait") this.now = afterMs(this.now, Number(first));
    else if (verb === "pass") this.pass(afterMs(this.now, Number(first)), words.slice(2));
    else if (verb === "settle") this.settle(words.slice(1));
    else if (verb === "drop") this.drop(first ?? "", nth);
    else if (verb === "deliver") this.deliver(first ?? "", nth, words.includes("keep"));
    else if (verb === "state" && first === undefined) this.answer.push(this.showAll("\n"));
    else if (verb === "forge") {
      const [from, to] = (first ?? "").split("→") as [MemberId, MemberId];
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
        do this.driver.disk(host);
        while (detail === "all" && host.writes.length > 0);
        return;
      case "stand":
        return this.stand(host);
      case "crash":
        this.answer.push(`${host.id} lost ${host.writes.map(({ ticket }) => `#${ticket}`).join(" ") || "nothing"}`);
        return host.crash();
      case "wipe":
        host.crash();
        return host.wipe();
      case "lose":
        return host.lose(Number(detail) as LogIndex, values.get("end") !== "unknown");
      case "space":
        return this.step(host, { type: "SpaceChanged", hasSpace: detail === "free" });
      case "want":
        return this.step(host, { type: "SnapshotWanted", through: Number(detail) as LogIndex });
      case "cut":
        host.wantsSnapshot = false;
        return void raft?.snapshotAt(raft.inspect().lastApplied);
      case "abandon":
        host.wantsSnapshot = false;
        return this.step(host, { type: "SnapshotAbandoned" });
      case "merge":
        return this.driver.merge(host, Number(values.get("size") ?? 10), Number(values.get("checksum") ?? 0));
      case "restart":
        host.version = Number(values.get("version") ?? host.version);
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
        return this.driver.fetch(host);
      case "change":
        return this.step(host, {
          type: "ChangeRequested", request: (host.lastRequest += 1) as RequestNumber, operations: operations(values),
        });
      case "transfer": {
        const target = (detail ?? null) as MemberId | null;
        const request = (host.lastRequest += 1) as RequestNumber;
        return this.step(host, { type: "TransferRequested", request, target });
      }
      case "leave":
        return this.step(host, { type: "LeaveRequested" });
      case "snapshot":
        return this.driver.snapshot(host, Number(values.get("size") ?? 10), Number(values.get("checksum") ?? 0));
      case "chunk":
        return this.driver.chunk(host, detail === "full" ? null : Number(values.get("end") ?? 0));
      case "piece":
        return this.driver.piece(host, detail === "gone");
      case "restored":
        return this.driver.restored(host);
      case "clock":
        return this.step(host, { type: "ClockStopped" });
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
  private found(words: readonly string[], values: ReadonlyMap<string, string>): void {
    const logs = new Map<string, string>(words.map((word) => [word, ""]));
    let limits = DEFAULT_LIMITS;
    for (const [key, value] of values) {
      if (value.startsWith("[")) logs.set(key, value.slice(1, -1));
      else if (key === "leases") this.options = { ...this.options, leaseDriftPpm: Number(value) };
      else if (key === "roles") {
        const [voters = 0, standbys = 0] = value.split("/").map(Number);
        this.options = { ...this.options, roles: { voters, standbys } };
      } else limits = { ...limits, [key]: Number(value) };
    }
    const names = [...logs.keys()].sort();
    const members = names.filter((name) => !name.endsWith(":outside")).map((name) => {
      const [id, role = "voter"] = name.split(":");
      return newMember(id as MemberId, role as MemberRole);
    });
    this.options = { ...this.options, limits, founding: { members, outgoing: [], version: 1 } };
    for (const [at, name] of names.entries()) {
      const host = new Host(name.split(":")[0] as MemberId, at, notation.log(logs.get(name) ?? ""));
      this.hosts.set(host.id, host);
    }
    for (const host of this.hosts.values()) this.restart(host);
    this.answer.push(this.showAll("  "));
  }

  private restart(host: Host): void {
    host.crash();
    const raft = host.start(this.now, this.options);
    const effects = raft.start(this.now);
    checkState(raft.inspect());
    for (const effect of effects) {
      if (effect.type === "SetTimer") host.timerAt = effect.at;
      if (effect.type === "Restore") host.restores.push(effect);
    }
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
    else if (effect.type === "ReadEntries") host.read(effect);
    else if (effect.type === "StoreChunk") host.chunks.push(effect);
    else if (effect.type === "ReadSnapshot") host.pieces.push(effect);
    else if (effect.type === "Restore") host.restores.push(effect);
    else if (effect.type === "PinSnapshot") host.pin(effect.snapshot);
    else if (effect.type === "ReleaseSnapshot") host.release(effect.snapshot);
    else if (effect.type === "ForgetLoss") host.forgetLoss();
    else if (effect.type === "TakeSnapshot") host.wantsSnapshot = true;
    else if (effect.type === "Compact") host.compact(effect.through);
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

  /** The pre-vote goes well: what is asked in it and answered is not told. */
  private stand(host: Host): void {
    const told = this.answer.length;
    this.timeout(host);
    for (const other of this.hosts.values()) {
      const question = takeFrom(this.link(`${host.id}→${other.id}`), "RequestPreVote");
      if (question === null || other.raft === null) continue;
      this.step(other, { type: "MessageReceived", from: host.id, message: question });
      const reply = takeFrom(this.link(`${other.id}→${host.id}`), "RequestPreVoteReply");
      if (reply !== null) this.step(host, { type: "MessageReceived", from: other.id, message: reply });
    }
    const isTold = (line: string): boolean => !line.includes("PreVote") && !line.includes("preCandidate term=");
    this.answer.push(...this.answer.splice(told).filter(isTold));
    invariant(host.raft?.inspect().role !== "preCandidate", `${host.id} is welcome to stand`);
  }

  private deliver(name: string, nth: number, keep: boolean): void {
    const link = this.link(name);
    const message = link[nth - 1];
    invariant(message !== undefined, `a message that arrives was sent: ${name} ${nth}`);
    if (!keep) link.splice(nth - 1, 1);
    const [from, to] = name.split("→") as [MemberId, MemberId];
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
    const chosen = (id: MemberId): boolean => among.length === 0 || among.includes(id);
    const hosts = [...this.hosts.values()].filter(({ id, raft }) => raft !== null && chosen(id));
    const names = hosts.flatMap(({ id }) => hosts.map((other) => `${id}→${other.id}`));
    for (let busy = true; busy;) {
      busy = false;
      for (const host of hosts) {
        for (; host.writes.length > 0; busy = true) this.driver.disk(host);
        for (; host.reads.length > 0; busy = true) this.driver.fetch(host);
        for (; host.chunks.length > 0; busy = true) this.driver.chunk(host, 0);
        for (; host.pieces.length > 0; busy = true) this.driver.piece(host, false);
        for (; host.restores.length > 0; busy = true) this.driver.restored(host);
      }
      for (const name of names) for (; this.link(name).length > 0; busy = true) this.deliver(name, 1, false);
    }
  }

  /** What they say to others is lost. */
  private pass(end: Instant, among: readonly string[]): void {
    const hosts = [...this.hosts.values()].filter(({ id, raft }) => raft !== null && among.includes(id));
    for (;;) {
      this.settle(among);
      const due = hosts.filter(({ timerAt }) => timerAt !== null && timerAt <= end);
      const [next] = due.sort((a, b) => (a.timerAt ?? 0) - (b.timerAt ?? 0));
      if (next === undefined) break;
      this.fire(next);
    }
    this.now = end;
    for (const [name, link] of this.links) if (among.some((id) => name.startsWith(`${id}→`))) link.length = 0;
  }

  private showChange(before: RaftState, after: RaftState): void {
    const term = `${before.currentTerm}→${after.currentTerm}`;
    const role = `${before.role}→${after.role}`;
    if (before.role !== after.role) this.answer.push(`${after.id} ${role} term=${after.currentTerm}`);
    else if (before.currentTerm !== after.currentTerm) this.answer.push(`${after.id} term ${term}`);
  }

  private showAll(separator: string): string {
    return [...this.hosts.values()].map((host) => this.show(host)).join(separator);
  }

  private show(host: Host): string {
    return host.raft === null ? `${host.id} crashed` : notation.showState(host.raft.inspect(), this.options.founding);
  }

  private link(name: string): Message[] {
    const link = this.links.get(name) ?? [];
    this.links.set(name, link);
    return link;
  }

  private host(id: string): Host {
    const host = this.hosts.get(id as MemberId);
    invariant(host !== undefined, `a command names a node: ${id}`);
    return host;
  }
}

function takeFrom(link: Message[], type: Message["type"]): Message | null {
  const at = link.findLastIndex((message) => message.type === type);
  return at === -1 ? null : (link.splice(at, 1)[0] as Message);
}

/** `put=d:standby,e remove=b`: what is to become of whom. */
function operations(values: ReadonlyMap<string, string>): readonly ConfigurationOperation[] {
  const list = (key: string): readonly string[] => (values.get(key) ?? "").split(",").filter((name) => name !== "");
  const puts = list("put").map((name): ConfigurationOperation => {
    const [id, role = "voter", priority = "100"] = name.split(":");
    return { type: "put", member: { ...newMember(id as MemberId, role as MemberRole), priority: Number(priority) } };
  });
  return [...puts, ...list("remove").map((id): ConfigurationOperation => ({ type: "remove", id: id as MemberId }))];
}
