/**
 * Tells stories of founding: Replicas over disks in memory, where nothing happens that is not commanded. A disk's life
 * is called by its node and a number (a1, a2, ...), a cluster X, Y, ... in the order in which they are first seen.
 *
 * Commands, each with an example:
 *   nodes a b c          three nodes with empty disks, none of them running
 *   start a              a process begins; `start a: a b` is told that the cluster is a and b, `start d: a b` joins it
 *   disk a               all that a's disk was asked to do is done, and what follows from it, until it is idle
 *   disk a 2             the two oldest operations of it
 *   deliver a→b          the oldest packet from a to b arrives; `deliver a→b keep` leaves a copy on its way
 *   drop a→b             it is lost; `drop all` what is on its way
 *   hold a→b             it is held up until `release`
 *   timer a              the clock goes on to a's timer
 *   crash a              a's process dies; its disk's directory is as it was last synced
 *   wipe a               a's disk is replaced by an empty one
 *   settle               disks and packets, until all is idle
 *   state                what each node is
 *   members              whom each node takes for members: who votes, and then who does not, in brackets
 *   run                  timers, too, until somebody leads
 *   pass 500             half a second goes by
 *   change remove c, put c standby     asks who leads for a change, all of it in one step
 *   strangers            who has asked for admission, where it was heard
 *   quietly settle       any command, without its answer
 */
import { invariant } from "../core/invariant.ts";
import type { ReplicaEffect } from "../core/replica/boundary.ts";
import type { Configuration, Member, MemberRole } from "../core/raft/configuration.ts";
import { incarnationOf, nodeOf, type Identity } from "../core/types.ts";
import { decodeLetter } from "../core/wire/peer-codec.ts";
import { showMessage } from "./raft-notation.ts";
import { put, remove, ReplicaCluster, type Host, type Packet } from "./replica-cluster.ts";
import type { StoryTeller } from "./story.ts";

export class BootstrapTeller implements StoryTeller {
  private cluster = new ReplicaCluster(["a"]);
  /** Names of incarnations and cluster ids. */
  private readonly names = new Map<string, string>();
  private readonly phases = new Map<string, string>();
  private readonly held: Packet[] = [];
  private lines: string[] = [];

  command(line: string): readonly string[] {
    this.lines = [];
    const [verb, ...words] = line.split(" ");
    if (verb === "quietly") {
      this.perform(words[0] ?? "", words.slice(1));
      return [];
    }
    this.perform(verb ?? "", words);
    return this.lines;
  }

  private perform(verb: string, words: string[]): void {
    const [who = "", more] = words;
    switch (verb) {
      case "nodes":
        return this.open(words);
      case "start":
        return this.start(words);
      case "disk":
        return this.work(who, more === undefined ? Infinity : Number(more));
      case "deliver":
        return this.deliver(who, more === "keep");
      case "drop":
        if (who === "all") this.cluster.packets = [];
        else this.take(who);
        return;
      case "hold":
        this.held.push(this.take(who));
        return;
      case "release":
        for (const packet of this.held.splice(0)) this.cluster.arrive(packet);
        return;
      case "timer":
        return this.cluster.fire(who);
      case "crash":
        this.cluster.crash(who);
        this.phases.delete(who);
        return;
      case "wipe":
        return this.cluster.wipe(who);
      case "settle":
        return this.cluster.settle();
      case "run":
        return this.cluster.runUntil(() => this.cluster.leader() !== null);
      case "pass":
        return this.cluster.pass(Number(who));
      case "change":
        return this.change(words.join(" "));
      case "members":
        for (const { id, replica, configuration } of this.cluster.hosts.values()) {
          if (replica !== null && configuration !== null) this.lines.push(`${id} ${this.members(configuration)}`);
        }
        return;
      case "strangers":
        for (const { id, replica } of this.cluster.hosts.values()) {
          for (const { node, incarnation, address } of replica?.inspect().strangers ?? []) {
            this.lines.push(`${id} knows ${this.disk(node, incarnation)} at ${address}`);
          }
        }
        return;
      case "state":
        this.lines.push(...this.cluster.ids.map((id) => `${id} ${this.state(this.cluster.host(id))}`));
        return;
      default:
        throw new Error(`no such command: ${verb}`);
    }
  }

  private open(names: readonly string[]): void {
    this.cluster = new ReplicaCluster(names);
    this.cluster.onEffect = (host, effect) => this.tell(host, effect);
  }

  private start(words: readonly string[]): void {
    const [who = "", ...cluster] = words;
    const name = who.replace(":", "");
    if (cluster.length > 0) this.cluster.start(name, cluster);
    else this.cluster.start(name);
  }

  private work(who: string, count: number): void {
    for (let done = 0; done < count; done++) if (!this.cluster.work(who)) return;
  }

  private deliver(link: string, keep: boolean): void {
    const packet = this.take(link);
    this.cluster.arrive(packet);
    if (keep) this.cluster.packets.push(packet);
  }

  private change(text: string): void {
    const operations = text.split(", ").map((one) => {
      const [verb, node = "", role = ""] = one.split(" ");
      return verb === "remove" ? remove(node) : put(node, role as MemberRole);
    });
    const leader = this.cluster.leader();
    invariant(leader !== null, "somebody leads");
    this.cluster.change(leader.id, operations);
  }

  private members({ members, outgoing }: Configuration): string {
    const name = ({ id }: Member): string => this.disk(nodeOf(id), incarnationOf(id));
    const others = members.filter(({ role }) => role !== "voter").map((one) => `${name(one)} ${one.role}`);
    const voters = members.filter(({ role }) => role === "voter").map(name);
    const left = outgoing.length === 0 ? "" : ` leaving ${outgoing.map(name).join(",")}`;
    return `${voters.join(",")}${others.length === 0 ? "" : ` (${others.join(", ")})`}${left}`;
  }

  private take(link: string): Packet {
    const at = this.cluster.packets.findIndex((one) => `${one.from}→${one.to}` === link);
    const [packet] = at < 0 ? [] : this.cluster.packets.splice(at, 1);
    invariant(packet !== undefined, `something is on its way ${link}`);
    return packet;
  }

  /** One line for each effect that matters here; disk operations and timers do not. */
  private tell(host: Host, effect: ReplicaEffect): void {
    const phase = this.state(host);
    const before = this.phases.get(host.id) ?? "new";
    if (phase !== before) this.lines.push(`${host.id} ${before} → ${phase}`);
    this.phases.set(host.id, phase);
    if (effect.type === "Send") this.lines.push(`${host.id}→${effect.to} ${this.letter(effect.bytes)}`);
    if (effect.type === "Reject") {
      this.lines.push(`${host.id} Reject from=${effect.from} ${effect.reason}: ${this.translate(effect.detail)}`);
    }
    if (effect.type === "Recovered") this.lines.push(`${host.id} Recovered ${this.identity(effect.identity)}`);
    if (effect.type === "LeadershipChanged") {
      this.lines.push(`${host.id} LeadershipChanged term=${effect.term} leader=${effect.leader}`);
    }
    if (effect.type === "ConfigurationChanged") {
      const committed = effect.isCommitted ? " committed" : "";
      this.lines.push(`${host.id} ConfigurationChanged ${this.members(effect.configuration)}${committed}`);
    }
    if (effect.type === "ChangeResolved") {
      const { outcome } = effect;
      this.lines.push(`${host.id} ChangeResolved ${outcome.type === "refused" ? outcome.reason : outcome.type}`);
    }
    if (effect.type === "Halt") {
      const { reason } = effect;
      const fault = reason.type === "storage" ? reason.fault : reason;
      this.lines.push(`${host.id} Halt ${this.translate(JSON.stringify(fault))}`);
    }
  }

  private state({ replica }: Host): string {
    if (replica === null) return "down";
    const { phase, identity } = replica.inspect();
    return identity === null ? phase : `${phase} ${this.identity(identity)}`;
  }

  private identity({ node, incarnation, cluster }: Identity): string {
    const disk = this.disk(node, incarnation);
    if (cluster === null) return `disk=${disk}`;
    return `disk=${disk} cluster=${this.clusterName(cluster.id)}`;
  }

  private letter(bytes: Uint8Array): string {
    const decoded = decodeLetter(bytes);
    invariant(decoded.ok, "what a Replica sends can be read");
    const { envelope, message } = decoded.letter;
    const receiver = envelope.receiver === null ? "?" : (this.names.get(envelope.receiver) ?? "unseen");
    if (message.type === "Empty") return `Empty for=${receiver} nodes=${message.nodes.join(",")}`;
    if (message.type === "Digest") return `Digest index=${message.index} checksum=${message.checksum}`;
    if (message.type !== "Founded" && message.type !== "Admitted") return showMessage(message);
    const cluster = this.clusterName(envelope.cluster ?? "");
    const founders = message.founders.map(({ node, incarnation }) => this.disk(node, incarnation));
    return `${message.type} for=${receiver} cluster=${cluster} founders=${founders.join(",")}`;
  }

  private disk(node: string, incarnation: string): string {
    const known = this.names.get(incarnation);
    if (known !== undefined) return known;
    const count = [...this.names.values()].filter((name) => name.replace(/\d+$/, "") === node).length;
    this.names.set(incarnation, `${node}${count + 1}`);
    return `${node}${count + 1}`;
  }

  private clusterName(id: string): string {
    const known = this.names.get(id);
    if (known !== undefined) return known;
    const count = [...this.names.values()].filter((name) => /^[X-Z]$/.test(name)).length;
    const name = "XYZ".charAt(count);
    this.names.set(id, name);
    return name;
  }

  /** Random digits within a sentence by their names. */
  private translate(text: string): string {
    return text.replace(/[0-9a-f]{32}|[0-9a-f]{16}/g, (digits) => this.names.get(digits) ?? digits);
  }
}
