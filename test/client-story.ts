/**
 * Tells one Client's story in text: nodes that say what the story says, and calls. Commands (an example each):
 *
 *     call 1 run INSERT ...       call 1 of the application: a statement; likewise: script
 *     call 1 get SELECT ...       a linearizable read; see: one of consistency "session"
 *     call 1 run SELECT half      the word "half" stands for half of a surrogate pair
 *     call 2 begin 1              interactive transaction 1; likewise: commit 1, rollback 1
 *     call 3 in 1 SELECT ...      a statement in transaction 1
 *     a leads 3                   a answers the latest search: it leads term 3
 *     a led 3                     a answers the search before the latest, late: it leads term 3
 *     a follows 3                 a answers the latest search: it does not lead
 *     a opens 5 in 3              a opens session 5 in term 3
 *     a refuses Busy              a opens no session
 *     a answers 5/2 done          session 5 of a answers request 2; likewise: writes, NotLeader (any failure's code)
 *     a answers 5/2 part 0/2 x    a part of the rows: one row of one text
 *     a answers 5/2@9 done        the same, and the answer names index 9
 *     a forgot 5/2                a knows nothing of session 5
 *     a tells 1 done              a answers query 1; all as in "answers"; they are counted in the order of their making
 *     a tells 1.7 part 0/2 x      a part of the rows, of execution 7 of the query
 *     a lacks 1                   a knows nothing of query 1
 *     lost a                      the connection to a broke
 *     endpoints b c               from now on nodes listen at b and c
 *     close                       the application has done with it
 *     pass 600                    600 ms pass, timers fire
 */
import { Client } from "../core/client/client.ts";
import type { CallResult, ClientEffect, ClientInput, Operation } from "../core/client/boundary.ts";
import { failure, type FailureCode } from "../core/failure.ts";
import { Random, SEED_SIZE } from "../core/random.ts";
import type { LogIndex, NodeId, Term } from "../core/types.ts";
import { decodeClientMessage, encodeNodeMessage } from "../core/wire/statement-codec.ts";
import type { ClientMessage, NodeMessage, QueryNumber, RequestBody, ResultPart } from "../core/wire/statement.ts";
import { StoryClock } from "./story-clock.ts";

export class ClientStory {
  readonly client: Client;
  private readonly clock = new StoryClock();
  private searchNonce = 0;
  private earlierNonce = 0;
  private openingNonce = 0;
  private readonly sessionTerms = new Map<number, Term>();
  /** Their numbers are random: the story counts them. */
  private readonly queries: QueryNumber[] = [];

  constructor() {
    const seed = Random.fromNumber(1).bytes(SEED_SIZE);
    this.client = new Client({ endpoints: ["a", "b"], callTimeoutMs: 5000, attemptTimeoutMs: 500, seed });
  }

  command(line: string): readonly string[] {
    const [first = "", second = "", ...rest] = line.split(" ");
    switch (first) {
      case "call":
        return this.step({ type: "Called", call: Number(second), operation: parseOperation(rest) });
      case "lost":
        return this.step({ type: "ConnectionLost", endpoint: second });
      case "endpoints":
        return this.step({ type: "EndpointsChanged", endpoints: [second, ...rest] });
      case "close":
        return this.step({ type: "Closing", reason: "the story ends" });
      case "pass":
        return this.clock.pass(Number(second), () => this.step({ type: "TimerFired" }));
      default:
        return this.nodeSays(first, second, rest);
    }
  }

  private nodeSays(from: string, verb: string, [word = "", ...rest]: string[]): readonly string[] {
    const [name = "", index = 0] = word.split("@");
    const [session = 0, sequence = 0] = name.split("/").map(Number);
    const [count = 0, execution = 1] = name.split(".").map(Number);
    const query = this.queries[count - 1] ?? 0;
    const term = this.sessionTerms.get(session) ?? (0 as Term);
    switch (verb) {
      case "leads":
      case "led":
      case "follows": {
        const leads = verb !== "follows";
        const leader = leads ? (from as NodeId) : null;
        const nonce = verb === "led" ? this.earlierNonce : this.searchNonce;
        return this.say(from, { type: "Located", nonce, term: Number(word) as Term, leader, leads });
      }
      case "opens": {
        const opened = Number(rest[1]) as Term;
        this.sessionTerms.set(session, opened);
        return this.say(from, { type: "SessionOpened", nonce: this.openingNonce, term: opened, session });
      }
      case "refuses":
        return this.say(from, { type: "SessionRefused", nonce: this.openingNonce, failure: refusal(word) });
      case "forgot":
        return this.say(from, { type: "SessionUnknown", term, session, sequence });
      case "answers":
        return this.say(from, { type: "Answer", term, session, sequence, ...parseAnswer(Number(index), rest) });
      case "tells":
        return this.say(from, { type: "QueryAnswer", query, execution, ...parseAnswer(Number(index), rest) });
      case "lacks":
        return this.say(from, { type: "QueryUnknown", query });
      default:
        throw new Error(`unknown command: ${verb}`);
    }
  }

  private say(from: string, message: NodeMessage): readonly string[] {
    return this.step({ type: "Received", from, bytes: encodeNodeMessage(message) });
  }

  private step(input: ClientInput): readonly string[] {
    return this.client.step(this.clock.now, input).flatMap((effect) => this.perform(effect));
  }

  private searched(nonce: number): void {
    if (nonce === this.searchNonce) return;
    this.earlierNonce = this.searchNonce;
    this.searchNonce = nonce;
  }

  private perform(effect: ClientEffect): readonly string[] {
    switch (effect.type) {
      case "SetTimer":
        this.clock.setTimer(effect.at);
        return [];
      case "Return":
        return [`Return ${effect.call}: ${describeResult(effect.result)}`];
      case "Send": {
        const decoded = decodeClientMessage(effect.bytes);
        if (!decoded.ok) throw new Error(`a message of ours does not decode: ${decoded.fault.rule}`);
        if (decoded.value.type === "Locate") this.searched(decoded.value.nonce);
        if (decoded.value.type === "OpenSession") this.openingNonce = decoded.value.nonce;
        return [`→${effect.to} ${this.describe(decoded.value)}`];
      }
    }
  }

  private describe(message: ClientMessage): string {
    switch (message.type) {
      case "Query": {
        const { query, lowestUnanswered, timeoutMs, level, sql } = message;
        const lowest = this.count(lowestUnanswered);
        const which = level.type === "session" ? `session@${level.index}` : level.type;
        return `Query ${this.count(query)} lowest=${lowest} within ${timeoutMs} ms ${which} ${sql}`;
      }
      case "FetchRows":
        return `FetchRows ${this.count(message.query)} part=${message.part}`;
      default:
        return describeMessage(message);
    }
  }

  private count(query: QueryNumber): number {
    if (!this.queries.includes(query)) this.queries.push(query);
    return this.queries.indexOf(query) + 1;
  }
}

function parseOperation([verb = "", ...rest]: string[]): Operation {
  const sql = rest.join(" ").replace("half", "\ud83d");
  const transaction = Number(rest[0]);
  switch (verb) {
    case "run":
      return { type: "execute", transaction: null, sql, parameters: [] };
    case "get":
      return { type: "query", consistency: "linearizable", sql, parameters: [] };
    case "see":
      return { type: "query", consistency: "session", sql, parameters: [] };
    case "in":
      return { type: "execute", transaction, sql: rest.slice(1).join(" "), parameters: [] };
    case "script":
      return { type: "script", sql };
    case "begin":
    case "commit":
    case "rollback":
      return { type: verb, transaction };
    default:
      throw new Error(`unknown operation: ${verb}`);
  }
}

function parseAnswer(at: number, [word = "", place = "", value = ""]: string[]): ResultPart {
  const index = at as LogIndex;
  const whole = { index, part: 0, parts: 1, rows: [] };
  const done = { type: "done", columns: ["x"], changes: 1, lastInsertRowid: 1 } as const;
  if (word === "done") return { ...whole, outcome: done };
  if (word === "writes") return { ...whole, outcome: { type: "writes" } };
  if (word !== "part") return { ...whole, outcome: { type: "failed", failure: refusal(word) } };
  const [part = 0, parts = 1] = place.split("/").map(Number);
  return { index, part, parts, outcome: part === 0 ? done : null, rows: [[value]] };
}

function refusal(code: string): ReturnType<typeof failure> {
  return failure(code as Exclude<FailureCode, "SqlError">, "says the story");
}

function describeMessage(message: Exclude<ClientMessage, { type: "Query" | "FetchRows" }>): string {
  switch (message.type) {
    case "Locate":
    case "OpenSession":
      return message.type;
    case "CloseSession":
      return `CloseSession ${message.session}`;
    case "FetchPart":
      return `FetchPart ${message.session}/${message.sequence} part=${message.part}`;
    case "Request": {
      const { session, sequence, lowestUnanswered, body } = message;
      return `Request ${session}/${sequence} lowest=${lowestUnanswered} ${describeBody(body)}`;
    }
  }
}

function describeBody(body: RequestBody): string {
  switch (body.type) {
    case "write":
      return body.transaction === 0 ? `write ${body.sql}` : `in ${body.transaction} ${body.sql}`;
    case "script":
      return `${body.type} ${body.sql}`;
    case "begin":
    case "commit":
    case "rollback":
      return `${body.type} ${body.transaction}`;
  }
}

function describeResult(result: CallResult): string {
  if (!result.ok) return `${result.failure.code} (${result.failure.message})`;
  const rows = result.rows.rows.map((row) => row.join(",")).join(" | ");
  return `done changes=${result.changes}${rows === "" ? "" : ` rows: ${rows}`}`;
}
