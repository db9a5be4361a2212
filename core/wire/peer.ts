/**
 * What nodes say to each other: Raft's four messages and the two of bootstrap, each in an envelope that says which
 * cluster it is of, which life of the sender's disk speaks and which life of the receiver's disk is meant.
 *
 * The envelope is what a message is judged by (core/replica/correspondence.ts). The name of the sender is not in it:
 * the transport knows that from the hello of the connection, and the sender's incarnation has to agree with it. The
 * bytes are in peer-codec.ts.
 */
import type { ClusterId, Incarnation, Founder, NodeId } from "../types.ts";
import type { Message } from "../raft/message.ts";

export interface Envelope {
  /** null: the sender belongs to no cluster yet. */
  readonly cluster: ClusterId | null;
  readonly sender: Incarnation;
  /**
   * null: the sender does not know it yet. A message meant for an earlier life of a disk, or for another node whose
   * address was confused with ours, is thereby not taken for one meant for us.
   */
  readonly receiver: Incarnation | null;
}

/** "My directory is empty: I have neither voted nor acknowledged anything, and never have." Only of no cluster. */
export interface Empty {
  readonly type: "Empty";
  /** The founding nodes as the sender's options list them, sorted. Only who lists the same is counted. */
  readonly nodes: readonly NodeId[];
}

/** "The envelope's cluster is founded, with these founders." Whoever says it has it on disk. */
export interface Founded {
  readonly type: "Founded";
  readonly founders: readonly Founder[];
}

export type BootstrapMessage = Empty | Founded;
export type PeerMessage = Message | BootstrapMessage;

/** A message with its envelope. */
export interface Letter {
  readonly envelope: Envelope;
  readonly message: PeerMessage;
}

const MIB = 1024 * 1024;

/**
 * Limits of the format, the same on every node: what a node is configured to send may be less. So nodes whose limits
 * differ, as while new settings are rolled out, still understand each other.
 */
export const PEER_LIMITS = {
  maxPayloadBytes: 64 * MIB,
  /** A whole message: one entry of the largest size, or many small ones, and room for what is around them. */
  maxMessageBytes: 65 * MIB,
  maxNodes: 255,
} as const;
