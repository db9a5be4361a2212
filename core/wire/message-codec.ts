/**
 * The bodies of Raft's messages as bytes, as the table in peer-codec.ts says. Not here: envelope, version and checksum.
 *
 * What is refused here is what the format itself rules out, whatever the reader's state; whether a message is current,
 * or wanted, is for Raft to judge. A fault is left in the reader, and the value that comes back then means nothing.
 *
 * Nothing is allocated by a count or a length that the bytes do not bear out: payloads and pieces of snapshots are
 * views into the bytes given.
 */
import type { ByteReader, ByteWriter } from "../bytes.ts";
import { invariant, unreachable } from "../invariant.ts";
import { decodeConfiguration, encodeConfiguration } from "../raft/configuration-codec.ts";
import { everybodyIn, type Configuration } from "../raft/configuration.ts";
import type {
  AppendEntries, AppendEntriesReply, InstallSnapshot, InstallSnapshotReply, Message, ReadIndexReply, RequestPreVote,
  RequestVote,
} from "../raft/message.ts";
import { isMemberId, type Entry, type EntryId, type EntryKind, type LogIndex, type Term } from "../types.ts";
import { PEER_LIMITS } from "./peer.ts";

/** The smallest entry: term, kind, length. */
const ENTRY_HEADER_SIZE = 13;
const ENTRY_KINDS: readonly EntryKind[] = ["noop", "payload", "configuration"];
const EMPTY = new Uint8Array(0);
/** Stands for a configuration that could not be read, behind a fault. */
const NO_CONFIGURATION: Configuration = { members: [], outgoing: [], version: 0 };

/** About how many bytes the body will have; too small a number costs a copy. */
export function bodyCapacity(message: Message): number {
  if (message.type === "InstallSnapshot") return 1024 + message.bytes.length;
  if (message.type !== "AppendEntries") return 64;
  let size = 44;
  for (const entry of message.entries) size += ENTRY_HEADER_SIZE + entry.payload.length;
  return size;
}

export function writeMessage(writer: ByteWriter, message: Message): void {
  writer.u64(message.term);
  switch (message.type) {
    case "RequestPreVote":
      writeEntryId(writer, message.lastLog);
      return;
    case "RequestVote":
      writeEntryId(writer, message.lastLog).u8(message.isTransfer ? 1 : 0);
      return;
    case "RequestPreVoteReply":
    case "RequestVoteReply":
      writer.u8(message.granted ? 1 : 0);
      return;
    case "AppendEntries":
      return writeAppendEntries(writer, message);
    case "AppendEntriesReply":
      return writeAppendEntriesReply(writer, message);
    case "InstallSnapshot":
      return writeInstallSnapshot(writer, message);
    case "InstallSnapshotReply":
      writeEntryId(writer, message.entry).u64(message.checksum).u64(message.received).u8(message.installed ? 1 : 0);
      return;
    case "TimeoutNow":
    case "Leaving":
      return;
    case "ReadIndex":
      writer.u64(message.request).u8(message.hasLost ? 1 : 0);
      return;
    case "ReadIndexReply":
      writer.u64(message.request).u8(message.index === null ? 0 : 1);
      if (message.index !== null) writer.u64(message.index);
      return;
    default:
      return unreachable(message);
  }
}

export function readMessage(reader: ByteReader, type: Message["type"]): Message {
  const term = readTerm(reader);
  const isPreVote = type === "RequestPreVote" || type === "RequestPreVoteReply";
  // Before its first election a node is in term 0, and may ask whether it should stand.
  reader.demand(term >= 1 || isPreVote, "a message is of a term of 1 or above", reader.offset - 8);
  switch (type) {
    case "RequestPreVote":
      return readRequestPreVote(reader, term);
    case "RequestVote":
      return readRequestVote(reader, term);
    case "RequestPreVoteReply":
    case "RequestVoteReply":
      return { type, term, granted: readFlag(reader) };
    case "AppendEntries":
      return readAppendEntries(reader, term);
    case "AppendEntriesReply":
      return readAppendEntriesReply(reader, term);
    case "InstallSnapshot":
      return readInstallSnapshot(reader, term);
    case "InstallSnapshotReply":
      return readInstallSnapshotReply(reader, term);
    case "TimeoutNow":
    case "Leaving":
      return { type, term };
    case "ReadIndex":
      return { type, term, request: reader.u64(), hasLost: readFlag(reader) };
    case "ReadIndexReply":
      return readReadIndexReply(reader, term);
    default:
      return unreachable(type);
  }
}

// Votes and reads

function readRequestPreVote(reader: ByteReader, term: Term): RequestPreVote {
  const lastLog = readEntryId(reader);
  reader.demand(lastLog.term <= term, "a node's term is not below that of its last entry", 48);
  return { type: "RequestPreVote", term, lastLog };
}

function readRequestVote(reader: ByteReader, term: Term): RequestVote {
  const lastLog = readEntryId(reader);
  reader.demand(lastLog.term < term, "a candidate's term is above that of its last entry", 48);
  return { type: "RequestVote", term, lastLog, isTransfer: readFlag(reader) };
}

function readReadIndexReply(reader: ByteReader, term: Term): ReadIndexReply {
  const request = reader.u64();
  const index = readFlag(reader) ? (reader.u64() as LogIndex) : null;
  return { type: "ReadIndexReply", term, request, index };
}

// The log

function writeAppendEntries(writer: ByteWriter, { prevLog, entries, leaderCommit, round }: AppendEntries): void {
  writeEntryId(writer, prevLog).u64(leaderCommit).u64(round).u32(entries.length);
  let index = prevLog.index;
  for (const entry of entries) {
    invariant(entry.index === ++index, "the entries of a message are consecutive");
    invariant(entry.payload.length <= maxPayloadBytes(entry.kind), "a payload keeps to the format's limit");
    writer.u64(entry.term).u8(ENTRY_KINDS.indexOf(entry.kind) + 1).blob(entry.payload);
  }
}

function readAppendEntries(reader: ByteReader, term: Term): AppendEntries {
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
  const kind = ENTRY_KINDS[reader.u8() - 1];
  reader.demand(kind !== undefined, "an entry's kind is 1, 2 or 3", reader.offset - 1);
  if (kind === undefined) return { term, index, kind: "noop", payload: EMPTY };
  const payload = reader.blob(maxPayloadBytes(kind));
  if (kind === "configuration") judgeConfiguration(reader, payload);
  return { term, index, kind, payload };
}

function maxPayloadBytes(kind: EntryKind): number {
  if (kind === "noop") return 0;
  return kind === "payload" ? PEER_LIMITS.maxPayloadBytes : PEER_LIMITS.maxConfigurationBytes;
}

function writeAppendEntriesReply(writer: ByteWriter, reply: AppendEntriesReply): void {
  const { round, version, hasSpace, hasLost, result } = reply;
  writer.u64(round).u32(version).u8(hasSpace ? 1 : 0).u8(hasLost ? 1 : 0);
  if (result.accepted) writer.u8(1).u64(result.matchIndex);
  else writeEntryId(writer.u8(0).u64(result.rejected), result.hint);
}

function readAppendEntriesReply(reader: ByteReader, term: Term): AppendEntriesReply {
  const round = reader.u64();
  const version = reader.u32();
  reader.demand(version >= 1, "a feature version is positive", 56);
  const hasSpace = readFlag(reader);
  const hasLost = readFlag(reader);
  const result = readResult(reader);
  return { type: "AppendEntriesReply", term, round, version, hasSpace, hasLost, result };
}

function readResult(reader: ByteReader): AppendEntriesReply["result"] {
  if (readFlag(reader)) return { accepted: true, matchIndex: reader.u64() as LogIndex };
  const rejected = reader.u64() as LogIndex;
  const hint = readEntryId(reader);
  reader.demand(hint.index < rejected || hint.index === 0, "the hint is below what was rejected", 79);
  return { accepted: false, rejected, hint };
}

// Snapshots

function writeInstallSnapshot(writer: ByteWriter, { snapshot, offset, bytes }: InstallSnapshot): void {
  const configuration = encodeConfiguration(snapshot.configuration);
  invariant(configuration.length <= PEER_LIMITS.maxConfigurationBytes, "a configuration keeps to the format's limit");
  invariant(offset + bytes.length <= snapshot.size, "a piece lies within its snapshot");
  const { entry, size, checksum } = snapshot;
  writeEntryId(writer, entry).u64(size).u64(checksum).u64(offset).blob(configuration).blob(bytes);
}

function readInstallSnapshot(reader: ByteReader, term: Term): InstallSnapshot {
  const entry = readSomeEntryId(reader);
  reader.demand(entry.term <= term, "no entry's term is above its leader's", 48);
  const size = reader.u64();
  const checksum = reader.u64();
  const offset = reader.u64();
  const configuration = judgeConfiguration(reader, reader.blob(PEER_LIMITS.maxConfigurationBytes));
  const bytes = reader.blob(PEER_LIMITS.maxPayloadBytes);
  reader.demand(offset + bytes.length <= size, "a piece lies within its snapshot", 80);
  return { type: "InstallSnapshot", term, snapshot: { entry, configuration, size, checksum }, offset, bytes };
}

/** The bytes have just been read: they have to be a configuration, and its members disks of nodes. */
function judgeConfiguration(reader: ByteReader, bytes: Uint8Array): Configuration {
  if (reader.fault !== null) return NO_CONFIGURATION;
  const from = reader.offset - bytes.length;
  const decoded = decodeConfiguration(bytes);
  if (!decoded.ok) {
    reader.demand(false, decoded.fault.rule, from + decoded.fault.offset);
    return NO_CONFIGURATION;
  }
  // To core/raft ids are opaque: it is here that those of other nodes come in.
  const members = everybodyIn(decoded.value);
  reader.demand(members.every(({ id }) => isMemberId(id)), "a member is a node and an incarnation", from);
  return decoded.value;
}

function readInstallSnapshotReply(reader: ByteReader, term: Term): InstallSnapshotReply {
  const entry = readSomeEntryId(reader);
  const checksum = reader.u64();
  const received = reader.u64();
  return { type: "InstallSnapshotReply", term, entry, checksum, received, installed: readFlag(reader) };
}

// Fields

function readTerm(reader: ByteReader): Term {
  return reader.u64() as Term;
}

function writeEntryId(writer: ByteWriter, id: EntryId): ByteWriter {
  return writer.u64(id.term).u64(id.index);
}

function readEntryId(reader: ByteReader): EntryId {
  const term = reader.u64() as Term;
  const index = reader.u64() as LogIndex;
  reader.demand((term === 0) === (index === 0), "term 0 and index 0 mean none, together", reader.offset - 16);
  return { term, index };
}

function readSomeEntryId(reader: ByteReader): EntryId {
  const id = readEntryId(reader);
  reader.demand(id.index > 0, "a snapshot is of an entry", reader.offset - 16);
  return id;
}

function readFlag(reader: ByteReader): boolean {
  const flag = reader.u8();
  reader.demand(flag <= 1, "a flag is 0 or 1", reader.offset - 1);
  return flag === 1;
}
