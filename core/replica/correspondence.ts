/**
 * The letters of one node that knows its identity: what it sends is put into its envelope, what it receives is opened
 * and judged, by cluster id and incarnations only. Never by what the message says, and never by what our own
 * configuration thinks of the sender's role: a voter judges logs, and that is Raft's affair.
 *
 * The hard idea is the receiver in the envelope. A sender that takes us for another node, or for the disk that we had
 * before, would count our answer as that one's: so what is not meant for this disk is not heard.
 */
import { invariant } from "../invariant.ts";
import type { ClusterIdentity, Identity, Incarnation, NodeId } from "../types.ts";
import { decodeLetter, encodeLetter } from "../wire/peer-codec.ts";
import type { Envelope, Letter, PeerMessage } from "../wire/peer.ts";
import type { RejectReason } from "./boundary.ts";

export interface Rejection {
  readonly reason: RejectReason;
  readonly detail: string;
}

export type Opened =
  | { readonly ok: true; readonly letter: Letter }
  | { readonly ok: false; readonly rejection: Rejection };

export class Correspondence {
  readonly identity: Identity;
  private readonly nodes: readonly NodeId[];
  /** Empty while this node is of no cluster. */
  private readonly incarnations: ReadonlyMap<NodeId, Incarnation>;

  /** @param nodes all nodes of the cluster as listed, this one included. */
  constructor(identity: Identity, nodes: readonly NodeId[]) {
    this.identity = identity;
    this.nodes = nodes;
    this.incarnations = new Map(identity.cluster?.founders.map((member) => [member.node, member.incarnation]));
  }

  /** The bytes of a message to a member, meant for the disk that it was founded with. */
  toMember(to: NodeId, message: PeerMessage): Uint8Array {
    const receiver = this.incarnations.get(to);
    invariant(receiver !== undefined, "raft speaks to members only");
    return this.to(receiver, message);
  }

  /** @param receiver null: not known. */
  to(receiver: Incarnation | null, message: PeerMessage): Uint8Array {
    const { cluster, incarnation } = this.identity;
    return encodeLetter({ envelope: { cluster: cluster?.id ?? null, sender: incarnation, receiver }, message });
  }

  open(from: NodeId, bytes: Uint8Array): Opened {
    if (from === this.identity.node || !this.nodes.includes(from)) {
      return reject("stranger", `it is none of the other nodes listed: ${this.nodes.join(", ")}`);
    }
    const decoded = decodeLetter(bytes);
    if (!decoded.ok) return reject(decoded.reason, `byte ${decoded.fault.offset}: ${decoded.fault.rule}`);
    const { letter } = decoded;
    const { cluster } = this.identity;
    const refusal = cluster === null ? this.judgeUnfounded(letter) : this.judge(cluster, from, letter);
    return refusal ?? { ok: true, letter };
  }

  /** Whether it is the disk that `from` was founded with. */
  isMember(from: NodeId, incarnation: Incarnation): boolean {
    return this.incarnations.get(from) === incarnation;
  }

  private judge(cluster: ClusterIdentity, from: NodeId, { envelope, message }: Letter): Opened | null {
    // Whoever says Empty, member or stranger, is of no cluster and gets an answer.
    if (message.type === "Empty") return null;
    return this.judgeEnvelope(cluster, from, envelope);
  }

  private judgeEnvelope(cluster: ClusterIdentity, from: NodeId, envelope: Envelope): Opened | null {
    if (envelope.cluster !== cluster.id) {
      return reject("wrongCluster", `it is of cluster ${envelope.cluster}, this node of ${cluster.id}`);
    }
    if (!this.isMember(from, envelope.sender)) {
      const known = `${from} is known with disk ${this.incarnations.get(from)}, not ${envelope.sender}`;
      return reject("wrongIncarnation", `${known}: its data was lost or replaced`);
    }
    return this.judgeReceiver(envelope);
  }

  /** A node that is not founded hears of bootstrap only, which it judges by itself (bootstrap.ts). */
  private judgeUnfounded({ envelope, message }: Letter): Opened | null {
    if (message.type === "Empty" || message.type === "Founded") return null;
    const detail = `it is of cluster ${envelope.cluster}; this node is not founded yet`;
    return this.judgeReceiver(envelope) ?? reject("wrongCluster", detail);
  }

  private judgeReceiver({ receiver }: Envelope): Opened | null {
    const own = this.identity.incarnation;
    if (receiver === own) return null;
    return reject("notAddressedToUs", `it is meant for disk ${receiver}, this one is ${own}`);
  }
}

function reject(reason: RejectReason, detail: string): Opened {
  return { ok: false, rejection: { reason, detail } };
}
