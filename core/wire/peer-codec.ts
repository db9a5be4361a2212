/**
 * A peer message as bytes, format version 1. Little-endian; u64 up to 2^53-1; term 0 and index 0 mean "none", together.
 *
 *    0   4  CRC-32C of everything behind it; in every version
 *    4   1  format version: 1; in every version
 *    5   1  type, see below
 *    6   2  zero
 *    8  16  cluster id; zeros: the sender belongs to none yet
 *   24   8  the sender's incarnation
 *   32   8  the receiver's incarnation; zeros: the sender does not know it
 *   40      the message, by type:
 *
 *   1 RequestVote          40 term u64 | 48 lastLog.term u64 | 56 lastLog.index u64
 *   2 RequestVoteReply     40 term u64 | 48 granted u8 (0, 1)
 *   3 AppendEntries        40 term u64 | 48 prevLog.term u64 | 56 prevLog.index u64 | 64 leaderCommit u64
 *                          72 round u64 | 80 count u32 | 84 per entry:
 *                          term u64, kind u8 (1 noop, 2 payload), length u32, payload
 *   4 AppendEntriesReply   40 term u64 | 48 round u64 | 56 accepted u8
 *                          accepted 1: 57 matchIndex u64
 *                          accepted 0: 57 rejected u64 | 65 hint.term u64 | 73 hint.index u64
 *   5 Empty                40 count u8 | per node: length u8, its name
 *   6 Founded              40 count u8 | per member: length u8, its name, incarnation 8; sorted by name
 *
 * The checksum is here although a frame around the message has one too: it goes from one Replica to the other, through
 * queues, drivers and proxies that a frame's does not cover. It is the same in every version and judged first, so that
 * garbage is not taken for a message of another version.
 *
 * Nothing is allocated by a length that the bytes do not bear out: payloads are views into the bytes given, so
 * whoever passes bytes to the decoder gives them up.
 */
import type { ClusterId, Entry, EntryId, Incarnation, LogIndex, Founder, NodeId, Term } from "../types.ts";
import { compareNodeIds, isNodeId } from "../types.ts";
import { ByteReader, ByteWriter, type DecodeFault } from "../bytes.ts";
import { crc32c } from "../checksum.ts";
import { invariant, unreachable } from "../invariant.ts";
import { encodeUtf8 } from "../utf8.ts";
import type { AppendEntries, AppendEntriesReply, RequestVote, RequestVoteReply } from "../raft/message.ts";
import { PEER_LIMITS, type Empty, type Founded, type Letter, type PeerMessage } from "./peer.ts";

export const PEER_FORMAT_VERSION = 1;

const HEADER_SIZE = 40;
const NO_CLUSTER = "0".repeat(32);
const NO_INCARNATION = "0".repeat(16);
/** The smallest entry: term, kind, length. */
const ENTRY_HEADER_SIZE = 13;

type TypeNumber = 1 | 2 | 3 | 4 | 5 | 6;
const TYPE_NUMBERS: Readonly<Record<PeerMessage["type"], TypeNumber>> = {
  RequestVote: 1,
  RequestVoteReply: 2,
  AppendEntries: 3,
  AppendEntriesReply: 4,
  Empty: 5,
  Founded: 6,
};

export type DecodedLetter =
  | { readonly ok: true; readonly letter: Letter }
  | { readonly ok: false; readonly reason: "malformed" | "wrongVersion"; readonly fault: DecodeFault };

export function encodeLetter(letter: Letter): Uint8Array {
  const { envelope, message } = letter;
  const writer = new ByteWriter(HEADER_SIZE + bodyCapacity(message));
  writer.u32(0).u8(PEER_FORMAT_VERSION).u8(TYPE_NUMBERS[message.type]).u16(0);
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
  const type = reader.u8();
  reader.demand(reader.u16() === 0, "the reserved bytes are zero", 6);
  const cluster = reader.hex(16);
  const sender = reader.hex(8) as Incarnation;
  const receiver = reader.hex(8);
  reader.demand(sender !== NO_INCARNATION, "the sender has an incarnation", 24);
  const message = readBody(reader, type);
  reader.demand((cluster === NO_CLUSTER) === (message.type === "Empty"), "only an empty node is of no cluster", 8);
  const letter = reader.finish<Letter>({
    envelope: {
      cluster: cluster === NO_CLUSTER ? null : (cluster as ClusterId),
      sender,
      receiver: receiver === NO_INCARNATION ? null : (receiver as Incarnation),
    },
    message,
  });
  return letter.ok ? { ok: true, letter: letter.value } : { ok: false, reason: "malformed", fault: letter.fault };
}

function bodyCapacity(message: PeerMessage): number {
  if (message.type !== "AppendEntries") return 128;
  return message.entries.reduce((size, entry) => size + ENTRY_HEADER_SIZE + entry.payload.length, 44);
}

function writeBody(writer: ByteWriter, message: PeerMessage): void {
  switch (message.type) {
    case "RequestVote":
      writeEntryId(writer.u64(message.term), message.lastLog);
      return;
    case "RequestVoteReply":
      writer.u64(message.term).u8(message.granted ? 1 : 0);
      return;
    case "AppendEntries":
      writeAppendEntries(writer, message);
      return;
    case "AppendEntriesReply": {
      const { result } = message;
      writer.u64(message.term).u64(message.round);
      if (result.accepted) writer.u8(1).u64(result.matchIndex);
      else writeEntryId(writer.u8(0).u64(result.rejected), result.hint);
      return;
    }
    case "Empty":
      invariant(message.nodes.length <= PEER_LIMITS.maxNodes, "a cluster's list of nodes fits its format");
      writer.u8(message.nodes.length);
      for (const node of message.nodes) writeNode(writer, node);
      return;
    case "Founded":
      invariant(message.founders.length <= PEER_LIMITS.maxNodes, "a cluster's list of founders fits its format");
      writer.u8(message.founders.length);
      for (const member of message.founders) writeNode(writer, member.node).hex(member.incarnation);
      return;
    default:
      return unreachable(message);
  }
}

function writeAppendEntries(writer: ByteWriter, message: AppendEntries): void {
  writeEntryId(writer.u64(message.term), message.prevLog).u64(message.leaderCommit).u64(message.round);
  writer.u32(message.entries.length);
  let index = message.prevLog.index;
  for (const entry of message.entries) {
    invariant(entry.index === ++index, "the entries of a message are consecutive");
    invariant(entry.payload.length <= PEER_LIMITS.maxPayloadBytes, "a payload keeps to the format's limit");
    writer.u64(entry.term).u8(entry.kind === "noop" ? 1 : 2).blob(entry.payload);
  }
}

function writeEntryId(writer: ByteWriter, id: EntryId): ByteWriter {
  return writer.u64(id.term).u64(id.index);
}

function writeNode(writer: ByteWriter, node: NodeId): ByteWriter {
  return writer.u8(node.length).raw(encodeUtf8(node));
}

function readBody(reader: ByteReader, type: number): PeerMessage {
  switch (type as TypeNumber) {
    case 1:
      return readRequestVote(reader);
    case 2:
      return readRequestVoteReply(reader);
    case 3:
      return readAppendEntries(reader);
    case 4:
      return readAppendEntriesReply(reader);
    case 6:
      return readFounded(reader);
    default:
      reader.demand(type === 5, "the type is one of 1 to 6", 5);
      return readEmpty(reader);
  }
}

function readRequestVote(reader: ByteReader): RequestVote {
  const term = readTerm(reader);
  const lastLog = readEntryId(reader);
  reader.demand(lastLog.term < term, "a candidate's term is above that of its last entry", 48);
  return { type: "RequestVote", term, lastLog };
}

function readRequestVoteReply(reader: ByteReader): RequestVoteReply {
  return { type: "RequestVoteReply", term: readTerm(reader), granted: readFlag(reader) };
}

function readAppendEntries(reader: ByteReader): AppendEntries {
  const term = readTerm(reader);
  const prevLog = readEntryId(reader);
  const leaderCommit = reader.u64() as LogIndex;
  const round = reader.u64();
  const count = reader.u32();
  // Judged before the loop, so that a false count costs nothing.
  reader.demand(count * ENTRY_HEADER_SIZE <= reader.remaining, "the entries lie within the message", 80);
  reader.demand(Number.isSafeInteger(prevLog.index + count), "an index is at most 2^53-1", 56);
  const entries: Entry[] = [];
  let before = prevLog.term;
  for (let index = prevLog.index + 1; reader.fault === null && entries.length < count; index++) {
    const entry = readEntry(reader, index as LogIndex);
    reader.demand(entry.term >= before && entry.term >= 1, "terms along the log never fall");
    before = entry.term;
    entries.push(entry);
  }
  reader.demand(before <= term, "no entry's term is above its leader's");
  return { type: "AppendEntries", term, prevLog, entries, leaderCommit, round };
}

function readEntry(reader: ByteReader, index: LogIndex): Entry {
  const term = reader.u64() as Term;
  const kind = reader.u8();
  reader.demand(kind === 1 || kind === 2, "an entry's kind is 1 or 2", reader.offset - 1);
  const payload = reader.blob(PEER_LIMITS.maxPayloadBytes);
  reader.demand(kind === 2 || payload.length === 0, "a no-op has no payload");
  return { term, index, kind: kind === 1 ? "noop" : "payload", payload };
}

function readAppendEntriesReply(reader: ByteReader): AppendEntriesReply {
  const term = readTerm(reader);
  const round = reader.u64();
  if (readFlag(reader)) {
    const matchIndex = reader.u64() as LogIndex;
    return { type: "AppendEntriesReply", term, round, result: { accepted: true, matchIndex } };
  }
  const rejected = reader.u64() as LogIndex;
  const hint = readEntryId(reader);
  reader.demand(hint.index < rejected || hint.index === 0, "the hint is below what was rejected", 73);
  return { type: "AppendEntriesReply", term, round, result: { accepted: false, rejected, hint } };
}

function readEmpty(reader: ByteReader): Empty {
  const nodes: NodeId[] = [];
  const count = reader.u8();
  while (reader.fault === null && nodes.length < count) nodes.push(readNode(reader, nodes.at(-1)));
  reader.demand(count > 0, "a cluster has nodes", HEADER_SIZE);
  return { type: "Empty", nodes };
}

function readFounded(reader: ByteReader): Founded {
  const founders: Founder[] = [];
  const count = reader.u8();
  while (reader.fault === null && founders.length < count) {
    const node = readNode(reader, founders.at(-1)?.node);
    const incarnation = reader.hex(8) as Incarnation;
    reader.demand(incarnation !== NO_INCARNATION, "a member has an incarnation", reader.offset - 8);
    founders.push({ node, incarnation });
  }
  reader.demand(count > 0, "a cluster has founders", HEADER_SIZE);
  return { type: "Founded", founders };
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

function readTerm(reader: ByteReader): Term {
  const term = reader.u64() as Term;
  reader.demand(term >= 1, "a message is of a term of 1 or above", reader.offset - 8);
  return term;
}

function readEntryId(reader: ByteReader): EntryId {
  const term = reader.u64() as Term;
  const index = reader.u64() as LogIndex;
  reader.demand((term === 0) === (index === 0), "term 0 and index 0 mean none, together", reader.offset - 16);
  return { term, index };
}

function readFlag(reader: ByteReader): boolean {
  const flag = reader.u8();
  reader.demand(flag <= 1, "a flag is 0 or 1", reader.offset - 1);
  return flag === 1;
}
