/** What a node says to a client, in a few words, for stories. */
import type { SqlValue } from "../core/database/engine.ts";
import type { NodeMessage, Outcome, ResultPart } from "../core/wire/statement.ts";

export function describeNodeMessage(message: NodeMessage): string {
  switch (message.type) {
    case "Located":
      return `Located term=${message.term} leader=${message.leader ?? "?"} leads=${message.leads}`;
    case "SessionOpened":
      return "SessionOpened";
    case "SessionRefused":
      return `SessionRefused ${message.failure.code}`;
    case "SessionUnknown":
      return `${message.sequence} SessionUnknown`;
    case "Answer":
      return `${message.sequence} ${describeResult(message)}`;
    case "QueryAnswer":
      return `${message.query} ${describeResult(message)}`;
    case "QueryUnknown":
      return `${message.query} QueryUnknown`;
  }
}

function describeResult({ index, part, parts, outcome, rows }: ResultPart): string {
  const which = parts === 1 ? "" : ` part=${part}/${parts}`;
  return `@${index} ${describeOutcome(outcome, rows)}${which}`;
}

function describeOutcome(outcome: Outcome | null, rows: ResultPart["rows"]): string {
  const table = rows.map((row) => row.map(describeValue).join(",").slice(0, 40)).join(" | ");
  if (outcome === null) return table;
  switch (outcome.type) {
    case "done":
      return `done changes=${outcome.changes}${table === "" ? "" : ` rows: ${table}`}`;
    case "writes":
      return "writes";
    case "failed": {
      const { code, sqlCode, message } = outcome.failure;
      return `${sqlCode ?? code} (${message})`;
    }
  }
}

function describeValue(value: SqlValue): string {
  return value instanceof Uint8Array ? `x'${[...value].map((byte) => byte.toString(16)).join("")}'` : String(value);
}
