/**
 * A peer message as bytes, format version 3. Little-endian; u64 up to 2^53-1; term 0 and index 0 mean "none", together.
 *
 *    0   4  CRC-32C of everything behind it; in every version
 *    4   1  format version: 3; in every version
 *    5   1  type, see below
 *    6   2  zero
 *    8  16  cluster id; zeros: the sender belongs to none yet
 *   24   8  the sender's incarnation
 *   32   8  the receiver's incarnation; zeros: the sender does not know it
 *   40      the message, by type; those of Raft begin with: 40 term u64
 *
 *    1 RequestPreVote        48 lastLog.term u64 | 56 lastLog.index u64
 *    2 RequestPreVoteReply   48 granted u8 (0, 1)
 *    3 RequestVote           48 lastLog.term u64 | 56 lastLog.index u64 | 64 isTransfer u8
 *    4 RequestVoteReply      48 granted u8
 *    5 AppendEntries         48 prevLog.term u64 | 56 prevLog.index u64 | 64 leaderCommit u64
 *                            72 round u64 | 80 count u32 | 84 per entry: term u64,
 *                            kind u8 (1 noop, 2 payload, 3 configuration), length u32, payload
 *    6 AppendEntriesReply    48 round u64 | 56 feature version u32 | 60 hasSpace u8 | 61 hasLost u8 | 62 accepted u8
 *                            accepted 1: 63 matchIndex u64
 *                            accepted 0: 63 rejected u64 | 71 hint.term u64 | 79 hint.index u64
 *    7 InstallSnapshot       48 entry.term u64 | 56 entry.index u64 | 64 size u64 | 72 checksum u64 | 80 offset u64
 *                            88 length u32, configuration (core/raft/configuration-codec.ts)
 *                               length u32, the bytes from `offset` on
 *    8 InstallSnapshotReply  48 entry.term u64 | 56 entry.index u64 | 64 checksum u64 | 72 received u64
 *                            80 installed u8
 *    9 TimeoutNow
 *   10 ReadIndex             48 request u64 | 56 hasLost u8
 *   11 ReadIndexReply        48 request u64 | 56 known u8; known 1: 57 index u64
 *   12 Leaving
 *   13 Empty                 40 count u8 | per node: length u8, its name; sorted | address: length u32, UTF-8
 *   14 Founded               40 count u8 | per founder: length u8, its name, incarnation 8; sorted by name
 *   15 Admitted              as Founded
 *   16 Digest                40 index u64 | 48 checksum u64
 *
 * The checksum is here although a frame around the message has one too: it goes from one Replica to the other, through
 * queues, drivers and proxies that a frame's does not cover. It is the same in every version and judged first, so that
 * garbage is not taken for a message of another version.
 *
 * Payloads are views into the bytes given, so whoever passes bytes to the decoder gives them up.
 */
import type { ClusterId, Incarnation, Founder, LogIndex, NodeId } from "../types.ts";
import { compareNodeIds, isNodeId } from "../types.ts";
import { ByteReader, ByteWriter, type DecodeFault } from "../bytes.ts";
import { crc32c } from "../checksum.ts";
import { invariant } from "../invariant.ts";
import { MAX_ADDRESS_LENGTH } from "../raft/configuration.ts";
import { encodeUtf8 } from "../utf8.ts";
import { bodyCapacity, readMessage, writeMessage } from "./message-codec.ts";
import { PEER_LIMITS, type Digest, type Empty, type Letter, type PeerMessage } from "./peer.ts";

export const PEER_FORMAT_VERSION = 3;

const HEADER_SIZE = 40;
const NO_CLUSTER = "0".repeat(32);
const NO_INCARNATION = "0".repeat(16);
/** A character of UTF-16 is at most so many bytes of UTF-8. */
const MAX_ADDRESS_BYTES = 3 * MAX_ADDRESS_LENGTH;

/** By type number less 1. */
const TYPES: readonly PeerMessage["type"][] = [
  "RequestPreVote", "RequestPreVoteReply", "RequestVote", "RequestVoteReply", "AppendEntries", "AppendEntriesReply",
  "InstallSnapshot", "InstallSnapshotReply", "TimeoutNow", "ReadIndex", "ReadIndexReply", "Leaving",
  "Empty", "Founded", "Admitted", "Digest",
];

export type DecodedLetter =
  | { readonly ok: true; readonly letter: Letter }
  | { readonly ok: false; readonly reason: "malformed" | "wrongVersion"; readonly fault: DecodeFault };

export function encodeLetter(letter: Letter): Uint8Array {
  const { envelope, message } = letter;
  const writer = new ByteWriter(HEADER_SIZE + capacityOf(message));
  writer.u32(0).u8(PEER_FORMAT_VERSION).u8(TYPES.indexOf(message.type) + 1).u16(0);
  writer.hex(envelope.cluster ?? NO_CLUSTER).hex(envelope.sender).hex(envelope.receiver ?? NO_INCARNATION);
  writeBody(writer, message);
  invariant(writer.length <= PEER_LIMITS.maxMessageBytes, "a message of ours keeps to the format's limit");
  const bytes = writer.finish();
  writer.patchU32(0, crc32c(bytes, 4));
  return bytes;
}

/** Never throws: bytes that no node of this version writes are a fault. */
export function decodeLetter(bytes: Uint8Array): DecodedLetter {
  const reader = new ByteReader(bytes);
  const { maxMessageBytes } = PEER_LIMITS;
  reader.demand(bytes.length <= maxMessageBytes, `a message has at most ${maxMessageBytes} bytes`);
  const checksum = reader.u32();
  if (reader.fault === null) reader.demand(crc32c(bytes, 4) === checksum, "the checksum is that of the message", 0);
  const version = reader.u8();
  if (reader.fault !== null) return { ok: false, reason: "malformed", fault: reader.fault };
  if (version !== PEER_FORMAT_VERSION) {
    const rule = `the message's format version is ${PEER_FORMAT_VERSION}, not ${version}`;
    return { ok: false, reason: "wrongVersion", fault: { rule, offset: 4 } };
  }
  const type = TYPES[reader.u8() - 1];
  reader.demand(type !== undefined, `the type is one of 1 to ${TYPES.length}`, 5);
  reader.demand(reader.u16() === 0, "the reserved bytes are zero", 6);
  const cluster = reader.hex(16);
  const sender = reader.hex(8) as Incarnation;
  const receiver = reader.hex(8);
  reader.demand(sender !== NO_INCARNATION, "the sender has an incarnation", 24);
  reader.demand((cluster === NO_CLUSTER) === (type === "Empty"), "only an empty node is of no cluster", 8);
  if (reader.fault !== null || type === undefined) return malformed(reader);
  const message = readBody(reader, type);
  const letter = reader.finish<Letter>({
    envelope: {
      cluster: cluster === NO_CLUSTER ? null : (cluster as ClusterId),
      sender,
      receiver: receiver === NO_INCARNATION ? null : (receiver as Incarnation),
    },
    message,
  });
  return letter.ok ? { ok: true, letter: letter.value } : malformed(reader);
}

function malformed({ fault }: ByteReader): DecodedLetter {
  invariant(fault !== null, "a message is malformed by a rule");
  return { ok: false, reason: "malformed", fault };
}

function capacityOf(message: PeerMessage): number {
  switch (message.type) {
    case "Empty":
    case "Founded":
    case "Admitted":
      return 256;
    case "Digest":
      return 16;
    default:
      return bodyCapacity(message);
  }
}

function writeBody(writer: ByteWriter, message: PeerMessage): void {
  switch (message.type) {
    case "Empty":
      invariant(message.nodes.length <= PEER_LIMITS.maxNodes, "a list of nodes fits its format");
      invariant(message.address.length <= MAX_ADDRESS_LENGTH, "an address fits its format");
      writer.u8(message.nodes.length);
      for (const node of message.nodes) writeNode(writer, node);
      writer.text(message.address);
      return;
    case "Founded":
    case "Admitted":
      invariant(message.founders.length <= PEER_LIMITS.maxNodes, "a list of founders fits its format");
      writer.u8(message.founders.length);
      for (const founder of message.founders) writeNode(writer, founder.node).hex(founder.incarnation);
      return;
    case "Digest":
      writer.u64(message.index).u64(message.checksum);
      return;
    default:
      return writeMessage(writer, message);
  }
}

function readBody(reader: ByteReader, type: PeerMessage["type"]): PeerMessage {
  switch (type) {
    case "Empty":
      return readEmpty(reader);
    case "Founded":
    case "Admitted":
      return { type, founders: readFounders(reader) };
    case "Digest":
      return readDigest(reader);
    default:
      return readMessage(reader, type);
  }
}

function readDigest(reader: ByteReader): Digest {
  const index = reader.u64() as LogIndex;
  reader.demand(index > 0, "a digest is of a state that something was applied to", HEADER_SIZE);
  return { type: "Digest", index, checksum: reader.u64() };
}

function readEmpty(reader: ByteReader): Empty {
  const nodes: NodeId[] = [];
  const count = reader.u8();
  while (reader.fault === null && nodes.length < count) nodes.push(readNode(reader, nodes.at(-1)));
  reader.demand(count > 0, "a cluster has nodes", HEADER_SIZE);
  const from = reader.offset;
  const address = reader.text(MAX_ADDRESS_BYTES);
  reader.demand(address.length <= MAX_ADDRESS_LENGTH, `an address has at most ${MAX_ADDRESS_LENGTH} characters`, from);
  return { type: "Empty", nodes, address };
}

function readFounders(reader: ByteReader): readonly Founder[] {
  const founders: Founder[] = [];
  const count = reader.u8();
  while (reader.fault === null && founders.length < count) {
    const node = readNode(reader, founders.at(-1)?.node);
    const incarnation = reader.hex(8) as Incarnation;
    reader.demand(incarnation !== NO_INCARNATION, "a founder has an incarnation", reader.offset - 8);
    founders.push({ node, incarnation });
  }
  reader.demand(count > 0, "a cluster has founders", HEADER_SIZE);
  return founders;
}

function writeNode(writer: ByteWriter, node: NodeId): ByteWriter {
  return writer.u8(node.length).raw(encodeUtf8(node));
}

/** A node's name, which has to stand behind the one before it. */
function readNode(reader: ByteReader, before: NodeId | undefined): NodeId {
  const from = reader.offset;
  let name = "";
  for (const byte of reader.raw(reader.u8())) name += String.fromCharCode(byte);
  reader.demand(isNodeId(name), "a node id is a letter or digit, then up to 62 of A-Z a-z 0-9 _ . -", from);
  const node = name as NodeId;
  reader.demand(before === undefined || compareNodeIds(before, node) < 0, "nodes are sorted, each once", from);
  return node;
}
