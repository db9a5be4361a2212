/**
 * Answers: what a statement came to, as the messages of the statement protocol.
 *
 * An answer is one message, or several where its rows are many: part 0 carries the outcome, and each part about
 * `partBytes` of rows. The client fetches parts 1 and up.
 */
import { failure, type Failure } from "../failure.ts";
import { unreachable } from "../invariant.ts";
import type { LogIndex } from "../types.ts";
import { valueSize } from "../wire/sql-value.ts";
import { encodeNodeMessage } from "../wire/statement-codec.ts";
import {
  STATEMENT_LIMITS, type NodeMessage, type Outcome, type RequestBody, type ResultPart, type SequenceNumber,
} from "../wire/statement.ts";
import type { SqlValue, StatementResult } from "./engine.ts";
import type { Session } from "./session.ts";

/** A request being worked on. */
export interface Request {
  readonly session: Session;
  readonly sequence: SequenceNumber;
  readonly body: RequestBody;
}

/** What a statement came to. */
export interface Result {
  readonly outcome: Outcome;
  readonly rows: readonly (readonly SqlValue[])[];
}

export interface Answer extends Result {
  readonly request: Request;
}

export function failed(request: Request, failure: Failure): Answer {
  return { request, ...failedResult(failure) };
}

/** Of what was not executed, or had no effect. */
export function failedResult(failure: Failure): Result {
  return { outcome: { type: "failed", failure }, rows: [] };
}

/** Of a statement that neither returns rows nor changes any: BEGIN, ROLLBACK. */
export function succeeded(request: Request): Answer {
  return { request, outcome: { type: "done", columns: [], changes: 0, lastInsertRowid: 0 }, rows: [] };
}

export function answerTo(request: Request, result: StatementResult): Answer {
  return { request, ...resultOf(result) };
}

export function resultOf(result: StatementResult): Result {
  switch (result.type) {
    case "done": {
      const { columns, rows } = result.rows;
      const { changes, lastInsertRowid } = result;
      return { outcome: { type: "done", columns, changes, lastInsertRowid }, rows };
    }
    case "sqlError":
      return failedResult({ code: "SqlError", message: result.message, sqlCode: result.code });
    case "writes":
      return { outcome: { type: "writes" }, rows: [] };
    case "tooLarge":
      return failedResult(failure("TooLarge", result.message));
    case "misuse":
      return failedResult(failure("Misuse", result.message));
    case "died":
      return failedResult(
        failure("TransactionAborted", `the SQL engine stopped, another is up: ${result.message}`),
      );
    default:
      return unreachable(result);
  }
}

/**
 * The messages that carry a result, part 0 first.
 *
 * @param index what it tells of has the effect of the log up to there
 */
export function encodeResult(
  result: Result, index: LogIndex, messageOf: (part: ResultPart) => NodeMessage,
): readonly Uint8Array[] {
  const groups = split(result.rows);
  return groups.map((rows, part) => {
    const outcome = part === 0 ? result.outcome : null;
    return encodeNodeMessage(messageOf({ index, part, parts: groups.length, outcome, rows }));
  });
}

/** At least one group; each but the last holds about partBytes. */
function split(rows: readonly (readonly SqlValue[])[]): (readonly (readonly SqlValue[])[])[] {
  const groups: (readonly SqlValue[])[][] = [];
  let group: (readonly SqlValue[])[] = [];
  let size = 0;
  for (const row of rows) {
    group.push(row);
    for (const value of row) size += valueSize(value);
    if (size < STATEMENT_LIMITS.partBytes) continue;
    groups.push(group);
    group = [];
    size = 0;
  }
  if (group.length > 0 || groups.length === 0) groups.push(group);
  return groups;
}
