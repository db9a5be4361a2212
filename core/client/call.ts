/**
 * What a call of the application asks for, and what may be said of it when no answer comes: functions of values.
 *
 * The rule behind `lostResult`: a read may be tried again, a statement of an interactive transaction changes nothing
 * without its COMMIT, and of a write that was sent once only its own node can tell.
 */
import { failure } from "../failure.ts";
import { unreachable } from "../invariant.ts";
import type { RequestBody } from "../wire/statement.ts";
import type { CallResult, ClientTransaction, Operation } from "./boundary.ts";
import type { Call } from "./link.ts";

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
      if (operation.transaction !== null) return "inTransaction";
      return operation.expectsRows && !call.writes ? "repeatable" : "write";
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
export function transactionOf(operation: Operation): ClientTransaction | null {
  return operation.type === "script" ? null : operation.transaction;
}

export function bodyOf(call: Call): RequestBody {
  const { operation } = call;
  switch (operation.type) {
    case "execute": {
      const { sql, parameters, transaction } = operation;
      if (natureOf(call) === "repeatable") return { type: "read", sql, parameters };
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
