/**
 * The letters of one node that knows its identity: what it sends is put into its envelope, what it receives is opened
 * and judged, by cluster id and receiver only. Never by what the message says, and never by what our own configuration
 * thinks of the sender: members come and go, a voter that lags behind has to hear those whom it does not know yet, and
 * it is Raft that counts, by MemberId (roster.ts says who is not heard all the same).
 *
 * The hard idea is the receiver in the envelope. A sender that takes us for another node, or for the disk that we had
 * before, would count our answer as that one's: so what is not meant for this disk is not heard. And what we say is
 * said as this disk: whoever counts it counts node and incarnation, so it is never taken for another life's.
 */
import { incarnationOf } from "../types.ts";
import type { ClusterIdentity, Identity, Incarnation, MemberId, NodeId } from "../types.ts";
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

  constructor(identity: Identity) {
    this.identity = identity;
  }

  /** The bytes of a message to a member, meant for its very disk. */
  toMember(to: MemberId, message: PeerMessage): Uint8Array {
    return this.to(incarnationOf(to), message);
  }

  /** @param receiver null: not known. */
  to(receiver: Incarnation | null, message: PeerMessage): Uint8Array {
    const { cluster, incarnation } = this.identity;
    return encodeLetter({ envelope: { cluster: cluster?.id ?? null, sender: incarnation, receiver }, message });
  }

  open(from: NodeId, bytes: Uint8Array): Opened {
    if (from === this.identity.node) return reject("stranger", "it bears this node's own name");
    const decoded = decodeLetter(bytes);
    if (!decoded.ok) return reject(decoded.reason, `byte ${decoded.fault.offset}: ${decoded.fault.rule}`);
    const { letter } = decoded;
    const { cluster } = this.identity;
    const refusal = cluster === null ? this.judgeUnfounded(letter) : this.judge(cluster, letter);
    return refusal ?? { ok: true, letter };
  }

  private judge(cluster: ClusterIdentity, { envelope, message }: Letter): Opened | null {
    // Whoever says Empty, member or stranger, is of no cluster and gets an answer.
    if (message.type === "Empty") return null;
    if (envelope.cluster !== cluster.id) {
      return reject("wrongCluster", `it is of cluster ${envelope.cluster}, this node of ${cluster.id}`);
    }
    return this.judgeReceiver(envelope);
  }

  /** A node that is of no cluster hears of bootstrap only, which it judges by itself (bootstrap.ts). */
  private judgeUnfounded({ envelope, message }: Letter): Opened | null {
    if (message.type === "Empty" || message.type === "Founded" || message.type === "Admitted") return null;
    const detail = `it is of cluster ${envelope.cluster}; this node is of none yet`;
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
