/**
 * What a call of the application asks for, and what may be said of it when no answer comes: functions of values.
 *
 * The rule behind `lostResult`: a BEGIN may be tried again, a statement of an interactive transaction changes nothing
 * without its COMMIT, and of a write that was sent once only its own node can tell.
 */
import { failure, type Failure } from "../failure.ts";
import { unreachable } from "../invariant.ts";
import { isWellFormed, utf8Size } from "../utf8.ts";
import { parametersFault } from "../wire/sql-value.ts";
import { STATEMENT_LIMITS, type RequestBody } from "../wire/statement.ts";
import type { CallResult, ClientTransaction, Operation } from "./boundary.ts";
import type { Call, SessionOperation } from "./link.ts";

/** What an operation risks when its request may or may not have been executed. */
export type Nature =
  /** May be executed again: nothing changes by it. */
  | "repeatable"
  /** Without its COMMIT it comes to nothing. */
  | "inTransaction"
  /** ROLLBACK: whatever happens, nothing of the transaction stays. */
  | "rollback"
  /** May have changed the database. */
  | "write";

export function natureOf(call: Call): Nature {
  const { operation } = call;
  switch (operation.type) {
    case "execute":
      return operation.transaction === null ? "write" : "inTransaction";
    case "begin":
      return "repeatable";
    case "rollback":
      return "rollback";
    case "script":
    case "commit":
      return "write";
    default:
      return unreachable(operation);
  }
}

/** The interactive transaction that the operation belongs to; null: none. */
export function transactionOf(operation: SessionOperation): ClientTransaction | null {
  return operation.type === "script" ? null : operation.transaction;
}

export function bodyOf(call: Call): RequestBody {
  const { operation } = call;
  switch (operation.type) {
    case "execute": {
      const { sql, parameters, transaction } = operation;
      return { type: "write", transaction: transaction ?? 0, sql, parameters };
    }
    case "script":
      return { type: "script", sql: operation.sql };
    case "begin":
    case "commit":
    case "rollback":
      return { type: operation.type, transaction: operation.transaction };
    default:
      return unreachable(operation);
  }
}

export const EMPTY_RESULT: CallResult = { ok: true, rows: { columns: [], rows: [] }, changes: 0, lastInsertRowid: 0 };

/** The truth about a call whose request can no longer be asked about; null: it may be sent again. */
export function lostResult(call: Call, reason: string): CallResult | null {
  const nature = natureOf(call);
  switch (nature) {
    case "repeatable":
      return null;
    case "rollback":
      return EMPTY_RESULT;
    case "inTransaction":
      return { ok: false, failure: failure("TransactionAborted", `${reason}: the transaction was rolled back`) };
    case "write": {
      const message = `${reason}: it may or may not have been executed; read before you repeat it`;
      return { ok: false, failure: failure("OutcomeUnknown", message) };
    }
    default:
      return unreachable(nature);
  }
}

/** The truth about a call at its deadline. `hint`: why no leader was found, if there was none. */
export function timeoutResult(call: Call, callTimeoutMs: number, hint: string): CallResult {
  const reason = `no answer within ${callTimeoutMs} ms`;
  if (call.sent !== null) {
    const lost = lostResult(call, reason);
    if (lost !== null) return lost;
  } else if (natureOf(call) === "rollback") return EMPTY_RESULT;
  return { ok: false, failure: failure("Timeout", `${reason}${hint}: it was not executed`) };
}

/** What is wrong with an operation as the application gave it; null: nothing. */
export function operationFault(operation: Operation): Failure | null {
  if (operation.type !== "query" && operation.type !== "execute" && operation.type !== "script") return null;
  if (typeof operation.sql !== "string") {
    return failure("Misuse", `the statement is of type ${typeof operation.sql}: pass SQL as a string`);
  }
  if (!isWellFormed(operation.sql)) {
    return failure("Misuse", "the statement contains half of a surrogate pair, which is no text: pass a blob");
  }
  const size = utf8Size(operation.sql);
  if (size > STATEMENT_LIMITS.maxSqlBytes) {
    return failure("TooLarge", `the statement has ${size} bytes, the limit is ${STATEMENT_LIMITS.maxSqlBytes}`);
  }
  if (operation.type === "script") return null;
  const fault = parametersFault(operation.parameters);
  return fault === null ? null : failure("Misuse", fault);
}
