/**
 * The statement protocol as bytes. A message, whatever carries it:
 *
 *    0  u32  CRC-32C of everything behind it
 *    4  u8   version of the protocol: 2
 *    5  u8   type, the position in CLIENT_TYPES or NODE_TYPES
 *    6  ...  the fields of the type, in the order of its declaration in statement.ts
 *
 * Terms, sessions, indexes, nonces and the numbers of sequences, transactions, queries and executions are u64; parts
 * and milliseconds are u32; a node id is text, empty where there is none; a level is a u8, and the index where it is 1.
 * Rejects every truncation and every changed bit; never throws on what it is given.
 */
import { ByteReader, ByteWriter, type Decoded } from "../bytes.ts";
import { crc32c } from "../checksum.ts";
import { FAILURE_CODES, type Failure } from "../failure.ts";
import { invariant, unreachable } from "../invariant.ts";
import { isNodeId, type LogIndex, type NodeId, type Term } from "../types.ts";
import { readParameters, readRows, readValue, writeParameters, writeRows, writeValue } from "./sql-value.ts";
import {
  STATEMENT_LIMITS, type ClientMessage, type NodeMessage, type Outcome, type ReadLevel, type RequestBody,
  type ResultPart,
} from "./statement.ts";

export const STATEMENT_VERSION = 2;

const CLIENT_TYPES = [
  "Locate", "OpenSession", "Request", "FetchPart", "CloseSession", "Query", "FetchRows",
] as const;
const NODE_TYPES = [
  "Located", "SessionOpened", "SessionRefused", "Answer", "SessionUnknown", "QueryAnswer", "QueryUnknown",
] as const;
const BODY_TYPES = ["write", "script", "begin", "commit", "rollback"] as const;
const LEVEL_TYPES = ["linearizable", "session"] as const;
const OUTCOME_TYPES = ["none", "done", "writes", "failed"] as const;
const MAX_TEXT = 64 * 1024;

export function encodeClientMessage(message: ClientMessage): Uint8Array {
  const writer = begin(CLIENT_TYPES.indexOf(message.type));
  switch (message.type) {
    case "Locate":
    case "OpenSession":
      writer.u64(message.nonce);
      break;
    case "Request":
      writer.u64(message.term).u64(message.session).u64(message.sequence).u64(message.lowestUnanswered);
      writeBody(writer, message.body);
      break;
    case "FetchPart":
      writer.u64(message.term).u64(message.session).u64(message.sequence).u32(message.part);
      break;
    case "CloseSession":
      writer.u64(message.term).u64(message.session);
      break;
    case "Query":
      writer.u64(message.query).u64(message.lowestUnanswered).u32(message.timeoutMs);
      writeLevel(writer, message.level);
      writer.text(message.sql);
      writeParameters(writer, message.parameters);
      break;
    case "FetchRows":
      writer.u64(message.query).u32(message.part);
      break;
    default:
      unreachable(message);
  }
  return seal(writer);
}

export function decodeClientMessage(bytes: Uint8Array): Decoded<ClientMessage> {
  const reader = new ByteReader(bytes);
  const type = open(reader, bytes, CLIENT_TYPES);
  const message = readClientMessage(reader, type);
  return reader.finish(message);
}

function readClientMessage(reader: ByteReader, type: (typeof CLIENT_TYPES)[number]): ClientMessage {
  switch (type) {
    case "Locate":
    case "OpenSession":
      return { type, nonce: reader.u64() };
    case "Request":
      return {
        type,
        term: reader.u64() as Term,
        session: reader.u64(),
        sequence: reader.u64(),
        lowestUnanswered: reader.u64(),
        body: readBody(reader),
      };
    case "FetchPart":
      return {
        type,
        term: reader.u64() as Term,
        session: reader.u64(),
        sequence: reader.u64(),
        part: reader.u32(),
      };
    case "CloseSession":
      return { type, term: reader.u64() as Term, session: reader.u64() };
    case "Query":
      return {
        type,
        query: reader.u64(),
        lowestUnanswered: reader.u64(),
        timeoutMs: reader.u32(),
        level: readLevel(reader),
        sql: reader.text(STATEMENT_LIMITS.maxSqlBytes),
        parameters: readParameters(reader),
      };
    case "FetchRows":
      return { type, query: reader.u64(), part: reader.u32() };
    default:
      return unreachable(type);
  }
}

function writeLevel(writer: ByteWriter, level: ReadLevel): void {
  writer.u8(LEVEL_TYPES.indexOf(level.type));
  if (level.type === "session") writer.u64(level.index);
}

function readLevel(reader: ByteReader): ReadLevel {
  const type = readTag(reader, LEVEL_TYPES, "a level is one of the known types");
  return type === "session" ? { type, index: reader.u64() as LogIndex } : { type };
}

function writeBody(writer: ByteWriter, body: RequestBody): void {
  writer.u8(BODY_TYPES.indexOf(body.type));
  switch (body.type) {
    case "write":
      writer.u64(body.transaction).text(body.sql);
      writeParameters(writer, body.parameters);
      return;
    case "script":
      writer.text(body.sql);
      return;
    case "begin":
    case "commit":
    case "rollback":
      writer.u64(body.transaction);
      return;
    default:
      unreachable(body);
  }
}

function readBody(reader: ByteReader): RequestBody {
  const type = readTag(reader, BODY_TYPES, "a request is one of the known types");
  const { maxSqlBytes } = STATEMENT_LIMITS;
  switch (type) {
    case "write":
      return { type, transaction: reader.u64(), sql: reader.text(maxSqlBytes), parameters: readParameters(reader) };
    case "script":
      return { type, sql: reader.text(maxSqlBytes) };
    case "begin":
    case "commit":
    case "rollback":
      return { type, transaction: reader.u64() };
    default:
      return unreachable(type);
  }
}

export function encodeNodeMessage(message: NodeMessage): Uint8Array {
  const writer = begin(NODE_TYPES.indexOf(message.type));
  switch (message.type) {
    case "Located":
      writer.u64(message.nonce).u64(message.term).text(message.leader ?? "").u8(message.leads ? 1 : 0);
      break;
    case "SessionOpened":
      writer.u64(message.nonce).u64(message.term).u64(message.session);
      break;
    case "SessionRefused":
      writer.u64(message.nonce);
      writeFailure(writer, message.failure);
      break;
    case "Answer":
      writer.u64(message.term).u64(message.session).u64(message.sequence);
      writeResult(writer, message);
      break;
    case "SessionUnknown":
      writer.u64(message.term).u64(message.session).u64(message.sequence);
      break;
    case "QueryAnswer":
      writer.u64(message.query).u64(message.execution);
      writeResult(writer, message);
      break;
    case "QueryUnknown":
      writer.u64(message.query);
      break;
    default:
      unreachable(message);
  }
  return seal(writer);
}

export function decodeNodeMessage(bytes: Uint8Array): Decoded<NodeMessage> {
  const reader = new ByteReader(bytes);
  const type = open(reader, bytes, NODE_TYPES);
  const message = readNodeMessage(reader, type);
  return reader.finish(message);
}

function readNodeMessage(reader: ByteReader, type: (typeof NODE_TYPES)[number]): NodeMessage {
  switch (type) {
    case "Located":
      return {
        type,
        nonce: reader.u64(),
        term: reader.u64() as Term,
        leader: readNodeId(reader),
        leads: readFlag(reader),
      };
    case "SessionOpened":
      return { type, nonce: reader.u64(), term: reader.u64() as Term, session: reader.u64() };
    case "SessionRefused":
      return { type, nonce: reader.u64(), failure: readFailure(reader) };
    case "Answer":
      return {
        type,
        term: reader.u64() as Term,
        session: reader.u64(),
        sequence: reader.u64(),
        ...readResult(reader),
      };
    case "SessionUnknown":
      return { type, term: reader.u64() as Term, session: reader.u64(), sequence: reader.u64() };
    case "QueryAnswer":
      return { type, query: reader.u64(), execution: reader.u64(), ...readResult(reader) };
    case "QueryUnknown":
      return { type, query: reader.u64() };
    default:
      return unreachable(type);
  }
}

function writeResult(writer: ByteWriter, result: ResultPart): void {
  writer.u64(result.index).u32(result.part).u32(result.parts);
  writeOutcome(writer, result.outcome);
  writeRows(writer, result.rows);
}

function readResult(reader: ByteReader): ResultPart {
  return {
    index: reader.u64() as LogIndex,
    part: reader.u32(),
    parts: reader.u32(),
    outcome: readOutcome(reader),
    rows: readRows(reader),
  };
}

function writeOutcome(writer: ByteWriter, outcome: Outcome | null): void {
  writer.u8(OUTCOME_TYPES.indexOf(outcome === null ? "none" : outcome.type));
  if (outcome === null) return;
  switch (outcome.type) {
    case "done":
      writer.u16(outcome.columns.length);
      for (const column of outcome.columns) writer.text(column);
      writer.u64(outcome.changes);
      writeValue(writer, outcome.lastInsertRowid);
      return;
    case "writes":
      return;
    case "failed":
      writeFailure(writer, outcome.failure);
      return;
    default:
      unreachable(outcome);
  }
}

function readOutcome(reader: ByteReader): Outcome | null {
  const type = readTag(reader, OUTCOME_TYPES, "an outcome is one of the known types");
  switch (type) {
    case "none":
      return null;
    case "done": {
      const columns: string[] = [];
      const count = reader.u16();
      const { maxColumns, maxValueBytes } = STATEMENT_LIMITS;
      reader.demand(count <= maxColumns, "there are not too many columns");
      for (let at = 0; at < count && reader.fault === null; at++) columns.push(reader.text(maxValueBytes));
      const changes = reader.u64();
      const rowid = readValue(reader);
      const isNumber = typeof rowid === "number" || typeof rowid === "bigint";
      reader.demand(isNumber, "the last inserted rowid is a number");
      return { type, columns, changes, lastInsertRowid: isNumber ? rowid : 0 };
    }
    case "writes":
      return { type };
    case "failed":
      return { type, failure: readFailure(reader) };
    default:
      return unreachable(type);
  }
}

function writeFailure(writer: ByteWriter, failure: Failure): void {
  writer.u8(FAILURE_CODES.indexOf(failure.code));
  writer.text(failure.message.slice(0, MAX_TEXT / 4)).text(failure.sqlCode ?? "");
}

function readFailure(reader: ByteReader): Failure {
  const code = readTag(reader, FAILURE_CODES, "a failure has a known code");
  const message = reader.text(MAX_TEXT);
  const sqlCode = reader.text(MAX_TEXT);
  return { code, message, sqlCode: sqlCode === "" ? null : sqlCode };
}

function readNodeId(reader: ByteReader): NodeId | null {
  const offset = reader.offset;
  const text = reader.text(63);
  if (text === "") return null;
  reader.demand(isNodeId(text), "a node id has the form of one", offset);
  return text as NodeId;
}

function readFlag(reader: ByteReader): boolean {
  const flag = reader.u8();
  reader.demand(flag <= 1, "a flag is 0 or 1");
  return flag === 1;
}

/** A position in a list of names. With a fault the first name stands in: what was read is discarded anyway. */
function readTag<Name extends string>(reader: ByteReader, names: readonly Name[], rule: string): Name {
  const offset = reader.offset;
  const tag = reader.u8();
  reader.demand(tag < names.length, rule, offset);
  return names[tag] ?? (names[0] as Name);
}

function begin(type: number): ByteWriter {
  invariant(type >= 0, "every type of message has a number");
  return new ByteWriter().u32(0).u8(STATEMENT_VERSION).u8(type);
}

function seal(writer: ByteWriter): Uint8Array {
  const bytes = writer.finish();
  writer.patchU32(0, crc32c(bytes, 4));
  return bytes;
}

function open<Name extends string>(reader: ByteReader, bytes: Uint8Array, names: readonly Name[]): Name {
  const checksum = reader.u32();
  if (reader.fault === null) reader.demand(checksum === crc32c(bytes, 4), "the checksum matches the message", 0);
  const version = reader.u8();
  reader.demand(version === STATEMENT_VERSION, `the version of the statement protocol is ${STATEMENT_VERSION}`, 4);
  return readTag(reader, names, "a message is one of the known types");
}
