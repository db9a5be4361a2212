/**
 * How empty nodes become a cluster, once, and how an empty node comes into a cluster that exists. An empty directory
 * never makes a voter by itself: until a node is of a cluster, durably, it neither votes, campaigns nor acknowledges.
 * Not here: any disk (Replica writes what is decided here), and what a node of a cluster answers (reception.ts).
 *
 *   draws its incarnation,     says Empty to all,        has {cluster id, all
 *   writes it                  again and again           incarnations} written
 *        |                          |                          |
 *     claiming -- durable --> empty +-- Found ---> founding -- durable --> of a cluster: Raft, answers Empty
 *
 * The first node of the list by code unit is the *coordinator*, the only one that ever draws a cluster id. It does so
 * when each listed node has said Empty to *this* incarnation of the coordinator. Every other node waits for Founded,
 * and takes it if it names the listed nodes, its own incarnation, and the sender's. A node that its own list leaves out
 * *joins*: it founds nothing, and asks the listed nodes. Whoever is empty, listed or not, takes Admitted, which is said
 * to its very incarnation by a node that knows of a committed configuration that names it.
 *
 * Nothing is announced repeatedly and nobody confirms: an empty node keeps asking, and each node of the cluster
 * answers. So one who was down, or whose Founded was lost, is served by whoever is there; the coordinator may be gone.
 *
 * Why there is one cluster and not two. Assumed: all are given the same list, and no two processes live under one name.
 * 1. The coordinator crashes before its write is durable: nobody has heard of the id that it drew. Its incarnation is
 *    the same afterwards, it asks again and draws another. (The write is atomic, by core/storage.)
 * 2. It crashes after that: the id is found on its disk, and each empty node that asks is told.
 * 3. A node was down when it was founded: it had said Empty, its incarnation is among the founders, it asks and hears.
 * 4. A node's disk is lost after it said Empty: its new incarnation is a stranger. The others go on as a cluster of
 *    which one member is missing; the new disk is told so whenever it asks, and stays empty.
 * 5. The *coordinator's* disk is lost after it has founded cluster X. Its new incarnation founds another cluster Y only
 *    if every other node says Empty to the new incarnation: so each was empty at some time after the old disk was gone,
 *    and whatever X had on the old disk was known to no other founded node. A late Founded of X may still reach some of
 *    them. But each node is in one cluster only, X has to do without the coordinator, and two majorities of one list
 *    have a node in common: at most one of X and Y ever acts. (As long as X has no voters but those of the list: 15.)
 *    That is why Empty is addressed to an incarnation. One said to the old coordinator, delivered late, would else make
 *    the new one found Y with a node that has acknowledged entries of X in the meantime.
 * 6. A directory of another cluster: its node says nothing of Empty, so no cluster is founded with it; its messages are
 *    refused by their cluster id, and so are ours by it.
 *
 * Why whoever joins does no harm. Consensus counts disks (MemberId), and a disk that says Empty has voted and
 * acknowledged nothing, ever: what is counted of it later it has said as the member that was let in.
 * 7. It asks before it is let in: nobody admits it, it stays empty. It is remembered (reception.ts), and let in by a
 *    change of the configuration that names its incarnation, made by an operator. That change needs nothing of it: who
 *    is new does not vote.
 * 8. It is let in by an entry that is not committed yet: it is not told, as the entry may be lost. What the leader
 *    sends it in the meantime is dropped, since it is of no cluster.
 * 9. It is admitted, and writes cluster and founders. It runs Raft with an empty log, where the founders' configuration
 *    is in force, which does not name it: so it does not stand for election. Asked for its vote it judges the
 *    candidate's log; who counts the vote goes by a configuration that names this disk.
 * 10. It crashes before that is durable: it is empty, by the same incarnation, asks, and is told again. It crashes
 *    after that: it is of the cluster. Between the two there is nothing, as the write is atomic.
 * 11. It is admitted twice, or founded and admitted: the first word is written, and the second one not heard. By two
 *    clusters: it is of one of them, and in the other a member that is missing.
 * 12. The Admitted is late, and meant for a disk that the node had before: it is addressed to that incarnation, and
 *    refused. Or the disk was removed in the meantime: it is of a cluster that does not count it any more, and that
 *    sends it nothing.
 * 13. A member comes back with an empty disk: it is as 7. The member that it was is missing, and whatever that one has
 *    acknowledged is missing with it, which is why the new disk may not stand in for it. The operator removes the one
 *    and puts the other.
 * 14. The coordinator of a list that is being founded hears Empty of one that is not on it: not counted. One that joins
 *    hears Empty: it has nothing to say to it.
 * 15. Not covered: a cluster has other voters by now, and all its founders, be it the only one, are opened again by the
 *    old list with empty directories: they were removed, or have lost their disks. They are asked to found a cluster,
 *    and do: another one, which never hears of the first. Who has lost its disk has to join.
 */
import { invariant, unreachable } from "../invariant.ts";
import type { Random } from "../random.ts";
import type { ClusterId, ClusterIdentity, Identity, Incarnation, Instant, Founder, NodeId } from "../types.ts";
import { afterMs } from "../types.ts";
import type { Admitted, BootstrapMessage, Empty, Envelope, Founded } from "../wire/peer.ts";
import type { RejectReason } from "./boundary.ts";

export type BootstrapEffect =
  | {
      readonly type: "Send";
      readonly to: NodeId;
      readonly receiver: Incarnation | null;
      readonly message: BootstrapMessage;
    }
  | { readonly type: "SetTimer"; readonly at: Instant }
  /** Make this cluster durable: once that is done, this node is of it. The last effect of a Bootstrap. */
  | { readonly type: "Found"; readonly cluster: ClusterIdentity }
  | { readonly type: "Reject"; readonly reason: RejectReason; readonly detail: string };

export interface BootstrapOptions {
  readonly node: NodeId;
  /** Durable. */
  readonly incarnation: Incarnation;
  /** Sorted by code unit. With this node: the founding nodes. Without it: whom it asks for admission. */
  readonly nodes: readonly NodeId[];
  /** Where others reach it; empty: it does not say. */
  readonly address: string;
  /** How often an empty node asks. */
  readonly repeatMs: number;
  readonly random: Random;
}

/** One empty node, from the moment that its incarnation is durable until it knows its cluster. */
export class Bootstrap {
  private readonly options: BootstrapOptions;
  private readonly joins: boolean;
  private readonly coordinator: NodeId;
  /** Of the coordinator only: who has said Empty to this incarnation, with the one each had, itself included. */
  private readonly heard = new Map<NodeId, Incarnation>();
  /** The incarnation of the coordinator that was heard last: whom our Empty is said to. null: not heard yet. */
  private asker: Incarnation | null = null;

  constructor(options: BootstrapOptions) {
    const [coordinator] = options.nodes;
    invariant(coordinator !== undefined, "an empty node has somebody to ask, itself at least");
    this.options = options;
    this.joins = !options.nodes.includes(options.node);
    this.coordinator = coordinator;
    this.heard.set(options.node, options.incarnation);
  }

  /** At the start, and whenever the timer has fired. */
  ask(now: Instant): BootstrapEffect[] {
    const { node, nodes, repeatMs } = this.options;
    if (nodes.length === 1 && !this.joins) return this.found();
    const asked = nodes.filter((other) => other !== node).map((other) => this.sayEmpty(other));
    return [...asked, { type: "SetTimer", at: afterMs(now, repeatMs) }];
  }

  /** @param from another node than this. */
  heardFrom(from: NodeId, envelope: Envelope, message: BootstrapMessage): BootstrapEffect[] {
    switch (message.type) {
      case "Empty":
        return this.heardEmpty(from, envelope, message);
      case "Founded":
        return this.judgeFounded(from, envelope, message);
      case "Admitted":
        return this.judgeAdmitted(envelope, message);
      default:
        return unreachable(message);
    }
  }

  private heardEmpty(from: NodeId, envelope: Envelope, { nodes }: Empty): BootstrapEffect[] {
    if (this.joins) return [];
    if (!this.options.nodes.includes(from)) {
      return [reject("stranger", `it is none of the nodes that are to be founded: ${this.options.nodes.join(", ")}`)];
    }
    if (!sameNodes(nodes, this.options.nodes)) return [this.differs(from, nodes)];
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
    const { cluster } = envelope;
    const nodes = founders.map((founder) => founder.node);
    const own = incarnationIn(founders, this.options.node);
    if (own === null && this.joins) {
      const detail = `cluster ${cluster} has not let disk ${this.options.incarnation} of this node in yet`;
      return [reject("notAdmitted", detail)];
    }
    if (!this.joins && !sameNodes(nodes, this.options.nodes)) return [this.differs(from, nodes)];
    if (own !== this.options.incarnation) {
      const detail =
        `cluster ${cluster} was founded with disk ${own} of this node, ` +
        `this one is ${this.options.incarnation}: its data was lost or replaced`;
      return [reject("wrongIncarnation", detail)];
    }
    if (incarnationIn(founders, from) !== envelope.sender) {
      return [reject("wrongIncarnation", "it is not the member that it says was founded")];
    }
    invariant(cluster !== null, "the decoder lets no Founded through without a cluster");
    return [{ type: "Found", cluster: { id: cluster, founders } }];
  }

  private judgeAdmitted({ cluster, receiver }: Envelope, { founders }: Admitted): BootstrapEffect[] {
    const own = this.options.incarnation;
    if (receiver !== own) {
      return [reject("notAddressedToUs", `disk ${receiver} of this node was admitted, this one is ${own}`)];
    }
    invariant(cluster !== null, "the decoder lets no Admitted through without a cluster");
    return [{ type: "Found", cluster: { id: cluster, founders } }];
  }

  private sayEmpty(to: NodeId): BootstrapEffect {
    const { nodes, address } = this.options;
    const receiver = to === this.coordinator ? this.asker : null;
    return { type: "Send", to, receiver, message: { type: "Empty", nodes, address } };
  }

  private differs(from: NodeId, nodes: readonly NodeId[]): BootstrapEffect {
    const detail = `${from} lists the nodes ${nodes.join(", ")}; this node lists ${this.options.nodes.join(", ")}`;
    return reject("wrongCluster", detail);
  }
}

/** The identity of a new directory. */
export function drawIdentity(node: NodeId, random: Random): Identity {
  return { node, incarnation: drawDigits(random, 8) as Incarnation, cluster: null };
}

/** The disk that a node was founded with; null: it was not. */
export function incarnationIn(founders: readonly Founder[], node: NodeId): Incarnation | null {
  return founders.find((founder) => founder.node === node)?.incarnation ?? null;
}

function reject(reason: RejectReason, detail: string): BootstrapEffect {
  return { type: "Reject", reason, detail };
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
