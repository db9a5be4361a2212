/**
 * How empty nodes become a cluster, once. An empty directory never makes a voter by itself: until a node is *founded*,
 * durably, it neither votes, campaigns nor acknowledges. Not here: any disk (Replica writes what is decided here), and
 * joining a cluster that exists.
 *
 *   draws its incarnation,     says Empty to all,        has {cluster id, all
 *   writes it                  again and again           incarnations} written
 *        |                          |                          |
 *     claiming -- durable --> empty +-- Found ---> founding -- durable --> founded: Raft, answers Empty by Founded
 *
 * The first node of the list by code unit is the *coordinator*, the only one that ever draws a cluster id. It does so
 * when each listed node has said Empty to *this* incarnation of the coordinator. Every other node waits for Founded,
 * and takes it if it names the listed nodes, its own incarnation, and the sender's.
 *
 * Nothing is announced repeatedly and nobody confirms: an empty node keeps asking, and each founded node answers. So
 * one who was down, or whose Founded was lost, is served by whoever is there; the coordinator may be gone by then.
 *
 * Why there is one cluster and not two. Assumed: all are given the same list, and no two processes live under one name.
 * 1. The coordinator crashes before its write is durable: nobody has heard of the id that it drew. Its incarnation is
 *    the same afterwards, it asks again and draws another. (The write is atomic, by core/storage.)
 * 2. It crashes after that: the id is found on its disk, and each empty node that asks is told.
 * 3. A node was down when it was founded: it had said Empty, its incarnation is among the founders, it asks and is told.
 * 4. A node's disk is lost after it said Empty: its new incarnation is a stranger. The others go on as a cluster of
 *    which one member is missing; the new disk is told so whenever it asks, and stays empty.
 * 5. The *coordinator's* disk is lost after it has founded cluster X. Its new incarnation founds another cluster Y only
 *    if every other node says Empty to the new incarnation: so each was empty at some time after the old disk was gone,
 *    and whatever X had on the old disk was known to no other founded node. A late Founded of X may still reach some of
 *    them. But each node is in one cluster only, X has to do without the coordinator, and two majorities of one list
 *    have a node in common: at most one of X and Y ever acts.
 *    That is why Empty is addressed to an incarnation. One said to the old coordinator, delivered late, would else make
 *    the new one found Y with a node that has acknowledged entries of X in the meantime.
 * 6. A directory of another cluster: its node says nothing of Empty, so no cluster is founded with it; its messages are
 *    refused by their cluster id, and so are ours by it.
 */
import { invariant } from "../invariant.ts";
import type { Random } from "../random.ts";
import type { ClusterId, ClusterIdentity, Identity, Incarnation, Instant, Founder, NodeId } from "../types.ts";
import { afterMs } from "../types.ts";
import type { BootstrapMessage, Empty, Envelope, Founded } from "../wire/peer.ts";
import type { RejectReason } from "./boundary.ts";

export type BootstrapEffect =
  | {
      readonly type: "Send";
      readonly to: NodeId;
      readonly receiver: Incarnation | null;
      readonly message: BootstrapMessage;
    }
  | { readonly type: "SetTimer"; readonly at: Instant }
  /** Make this cluster durable: once that is done, this node is founded. The last effect of a Bootstrap. */
  | { readonly type: "Found"; readonly cluster: ClusterIdentity }
  | { readonly type: "Reject"; readonly reason: RejectReason; readonly detail: string };

export interface BootstrapOptions {
  readonly node: NodeId;
  /** Durable. */
  readonly incarnation: Incarnation;
  /** All founding nodes, this one included, sorted by code unit. */
  readonly nodes: readonly NodeId[];
  /** How often an empty node asks. */
  readonly repeatMs: number;
  readonly random: Random;
}

/** One empty node, from the moment that its incarnation is durable until it knows its cluster. */
export class Bootstrap {
  private readonly options: BootstrapOptions;
  private readonly coordinator: NodeId;
  /** Of the coordinator only: who has said Empty to this incarnation, with the one each had, itself included. */
  private readonly heard = new Map<NodeId, Incarnation>();
  /** The incarnation of the coordinator that was heard last: whom our Empty is said to. null: not heard yet. */
  private asker: Incarnation | null = null;

  constructor(options: BootstrapOptions) {
    const [coordinator] = options.nodes;
    invariant(coordinator !== undefined && options.nodes.includes(options.node), "a node is one of its own cluster");
    this.options = options;
    this.coordinator = coordinator;
    this.heard.set(options.node, options.incarnation);
  }

  /** At the start, and whenever the timer has fired. */
  ask(now: Instant): BootstrapEffect[] {
    if (this.options.nodes.length === 1) return this.found();
    const { node, nodes, repeatMs } = this.options;
    const asked = nodes.filter((other) => other !== node).map((other) => this.sayEmpty(other));
    return [...asked, { type: "SetTimer", at: afterMs(now, repeatMs) }];
  }

  /** @param from one of the listed nodes, another than this. */
  heardFrom(from: NodeId, envelope: Envelope, message: BootstrapMessage): BootstrapEffect[] {
    if (message.type === "Founded") return this.judgeFounded(from, envelope, message);
    if (!sameNodes(message.nodes, this.options.nodes)) return [this.differs(from, message.nodes)];
    return this.options.node === this.coordinator
      ? this.count(from, envelope)
      : this.answerCoordinator(from, envelope.sender);
  }

  private count(from: NodeId, { sender, receiver }: Envelope): BootstrapEffect[] {
    // It does not know us yet, or knows the disk that we had before: what it says is no answer to us.
    if (receiver !== this.options.incarnation) return [this.sayEmpty(from)];
    this.heard.set(from, sender);
    return this.heard.size === this.options.nodes.length ? this.found() : [];
  }

  private answerCoordinator(from: NodeId, sender: Incarnation): BootstrapEffect[] {
    if (from !== this.coordinator) return [];
    this.asker = sender;
    return [this.sayEmpty(from)];
  }

  private found(): BootstrapEffect[] {
    const { nodes, random } = this.options;
    const founders = nodes.map((node): Founder => {
      const incarnation = this.heard.get(node);
      invariant(incarnation !== undefined, "a cluster is founded by nodes that have all been heard");
      return { node, incarnation };
    });
    return [{ type: "Found", cluster: { id: drawDigits(random, 16) as ClusterId, founders } }];
  }

  private judgeFounded(from: NodeId, envelope: Envelope, { founders }: Founded): BootstrapEffect[] {
    const nodes = founders.map((member) => member.node);
    if (!sameNodes(nodes, this.options.nodes)) return [this.differs(from, nodes)];
    const own = memberOf(founders, this.options.node);
    if (own?.incarnation !== this.options.incarnation) {
      const detail =
        `cluster ${envelope.cluster} was founded with disk ${own?.incarnation} of this node, ` +
        `this one is ${this.options.incarnation}: its data was lost or replaced`;
      return [{ type: "Reject", reason: "wrongIncarnation", detail }];
    }
    if (memberOf(founders, from)?.incarnation !== envelope.sender) {
      return [{ type: "Reject", reason: "wrongIncarnation", detail: "it is not the member that it says was founded" }];
    }
    invariant(envelope.cluster !== null, "the decoder lets no Founded through without a cluster");
    return [{ type: "Found", cluster: { id: envelope.cluster, founders } }];
  }

  private sayEmpty(to: NodeId): BootstrapEffect {
    const message: Empty = { type: "Empty", nodes: this.options.nodes };
    return { type: "Send", to, receiver: to === this.coordinator ? this.asker : null, message };
  }

  private differs(from: NodeId, nodes: readonly NodeId[]): BootstrapEffect {
    const detail = `${from} lists the nodes ${nodes.join(", ")}; this node lists ${this.options.nodes.join(", ")}`;
    return { type: "Reject", reason: "wrongCluster", detail };
  }
}

/** A founded node's word to one that says Empty: true for a member, and for a stranger the reason why it stays one. */
export function tellFounded(cluster: ClusterIdentity, to: NodeId, receiver: Incarnation | null): BootstrapEffect {
  return { type: "Send", to, receiver, message: { type: "Founded", founders: cluster.founders } };
}

/** The identity of a new directory. */
export function drawIdentity(node: NodeId, random: Random): Identity {
  return { node, incarnation: drawDigits(random, 8) as Incarnation, cluster: null };
}

function memberOf(founders: readonly Founder[], node: NodeId): Founder | undefined {
  return founders.find((member) => member.node === node);
}

/** Never all zeros, which mean "none" in every format. */
function drawDigits(random: Random, byteCount: number): string {
  const bytes = random.bytes(byteCount);
  if (bytes.every((byte) => byte === 0)) bytes[0] = 1;
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function sameNodes(a: readonly NodeId[], b: readonly NodeId[]): boolean {
  return a.length === b.length && a.every((node, at) => node === b[at]);
}
