/** What travels, is written and is called, in one line each: shorter than the trace, and equal for equal heartbeats. */
import type { CallResult, Operation } from "../../core/client/boundary.ts";
import type { Configuration } from "../../core/raft/configuration.ts";
import type { AppendEntries } from "../../core/raft/message.ts";
import type { DiskOperation } from "../../core/storage/disk.ts";
import { type EntryId, nodeOf, sameEntry } from "../../core/types.ts";
import { decodeLetter } from "../../core/wire/peer-codec.ts";
import { decodeClientMessage, decodeNodeMessage } from "../../core/wire/statement-codec.ts";
import { inWords } from "../trace/describe.ts";

export function wordsOfLetter(bytes: Uint8Array): string {
  const decoded = decodeLetter(bytes);
  if (!decoded.ok) return `unreadable, ${bytes.length} bytes`;
  const { message } = decoded.letter;
  switch (message.type) {
    case "AppendEntries":
      return wordsOfAppend(message);
    case "AppendEntriesReply": {
      const { term, result } = message;
      const verdict = result.accepted
        ? `match=${result.matchIndex}`
        : `rejected=${result.rejected} hint=${place(result.hint)}`;
      const lacks = `${message.hasSpace ? "" : " without space"}${message.hasLost ? " has lost entries" : ""}`;
      return `AppendEntriesReply term=${term} ${verdict}${lacks}`;
    }
    case "RequestVote":
    case "RequestPreVote":
      return `${message.type} term=${message.term} last=${place(message.lastLog)}`;
    case "InstallSnapshot": {
      const { term, snapshot: { entry, size }, offset, bytes: piece } = message;
      const range = `${offset}..${offset + piece.length} of ${size}`;
      return `InstallSnapshot term=${term} of=${place(entry)} bytes=${range}`;
    }
    case "InstallSnapshotReply": {
      const { term, entry, received, installed } = message;
      const end = installed ? " installed" : "";
      return `InstallSnapshotReply term=${term} of=${place(entry)} received=${received}${end}`;
    }
    default:
      return inWords(message);
  }
}

function wordsOfAppend({ term, prevLog, entries, leaderCommit }: AppendEntries): string {
  const where = `term=${term} prev=${place(prevLog)}`;
  const [first, last] = [entries[0], entries.at(-1)];
  if (first === undefined || last === undefined) return `Heartbeat ${where} commit=${leaderCommit}`;
  const range = sameEntry(first, last) ? place(first) : `${place(first)}..${place(last)}`;
  const bytes = entries.reduce((sum, { payload }) => sum + payload.length, 0);
  const kinds = [...new Set(entries.map(({ kind }) => kind))].filter((kind) => kind !== "payload");
  const what = [...kinds, `${bytes} bytes`].join(", ");
  return `AppendEntries ${where} entries=${range} (${what}) commit=${leaderCommit}`;
}

function place({ term, index }: EntryId): string {
  return `${term}/${index}`;
}

export function wordsOfConfiguration({ members, outgoing }: Configuration, isCommitted: boolean): string {
  const names = members.map(({ id, role }) => (role === "voter" ? nodeOf(id) : `${nodeOf(id)} (${role})`)).join(" ");
  return `configuration ${names}${outgoing.length > 0 ? ", joint" : ""}${isCommitted ? ", committed" : ""}`;
}

export function wordsOfRequest(bytes: Uint8Array): string {
  const decoded = decodeClientMessage(bytes);
  if (!decoded.ok) return `unreadable, ${bytes.length} bytes`;
  const message = decoded.value;
  if (message.type !== "Request") return inWords(message);
  const { term, session, sequence, body } = message;
  return `Request ${inWords(body)} term=${term} session=${session} sequence=${sequence}`;
}

export function wordsOfAnswer(bytes: Uint8Array): string {
  const decoded = decodeNodeMessage(bytes);
  return decoded.ok ? inWords(decoded.value) : `unreadable, ${bytes.length} bytes`;
}

export function wordsOfOperation(operation: DiskOperation): string {
  switch (operation.type) {
    case "write":
      return `write ${operation.file} ${operation.offset}..${operation.offset + operation.bytes.length}`;
    case "read":
      return `read ${operation.file} ${operation.offset}..${operation.offset + operation.length}`;
    case "rename":
      return `rename ${operation.from} to ${operation.to}`;
    case "preallocate":
      return `preallocate ${operation.file} ${operation.size}`;
    case "list":
    case "syncDirectory":
      return operation.type;
    default:
      return `${operation.type} ${operation.file}`;
  }
}

export function wordsOfCall(operation: Operation): string {
  if (!("sql" in operation)) return operation.type;
  const parameters = "parameters" in operation && inWords(operation.parameters) !== "[]"
    ? ` ${inWords(operation.parameters)}`
    : "";
  const consistency = operation.type === "query" ? `${operation.consistency} ` : "";
  return `${consistency}${operation.type} ${inWords(operation.sql)}${parameters}`;
}

export function wordsOfResult(result: CallResult): string {
  if (!result.ok) return `${result.failure.code}: ${result.failure.message}`;
  const { rows: { rows }, changes } = result;
  return rows.length > 0 ? `${rows.length} rows: ${inWords(inWords(rows))}` : `done, ${changes} changes`;
}
