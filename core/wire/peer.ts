/**
 * What nodes say to each other: Raft's messages and the three of founding and joining, each in an envelope that says
 * which cluster it is of, which life of the sender's disk speaks and which life of the receiver's disk is meant.
 *
 * The envelope is what a message is judged by (core/replica/correspondence.ts). The name of the sender is not in it:
 * the transport knows that from the hello of the connection; with the incarnation it makes the member that consensus
 * counts. The bytes are in peer-codec.ts.
 */
import type { ClusterId, Incarnation, Founder, LogIndex, NodeId } from "../types.ts";
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
  /**
   * As the sender's options list them, sorted: the founding nodes, and only who lists the same is counted; or, without
   * the sender, the nodes that it asks for admission.
   */
  readonly nodes: readonly NodeId[];
  /** Where others reach the sender; opaque here, empty: it does not say. */
  readonly address: string;
}

/** "The envelope's cluster is founded, with these founders." Whoever says it has it on disk. */
export interface Founded {
  readonly type: "Founded";
  readonly founders: readonly Founder[];
}

/**
 * "A committed configuration of the envelope's cluster names your disk: you are of it." Founders as in Founded; the
 * receiver need not be one of them, nor the sender.
 */
export interface Admitted {
  readonly type: "Admitted";
  readonly founders: readonly Founder[];
}

export type BootstrapMessage = Empty | Founded | Admitted;

/** "Having applied everything up to `index`, the checksum of my state is this." From members, to all members. */
export interface Digest {
  readonly type: "Digest";
  readonly index: LogIndex;
  /** Below 2^53 (core/pages/rolling-checksum.ts). */
  readonly checksum: number;
}

export type PeerMessage = Message | BootstrapMessage | Digest;

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
  /** Of an entry of a configuration, and of the one in the name of a snapshot: more than any can have. */
  maxConfigurationBytes: MIB / 4,
  /** A whole message: one entry of the largest size, or many small ones, and room for what is around them. */
  maxMessageBytes: 65 * MIB,
  maxNodes: 255,
} as const;
