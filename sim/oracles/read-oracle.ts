/**
 * Linearizable reads, judged at the node that answers, by ReadIndex's own two promises. Both are more than clients can
 * see, who have to be told something that a stale read then lacks:
 *
 * - stale-read: the state that the answer is of contains everything that any node had committed when the question came
 *   in.
 * - unconfirmed-read: since the question came in a quorum has confirmed that somebody leads. A lease is another ground.
 */
import type { NodeEffect, NodeInput } from "../../core/node/boundary.ts";
import type { Instant, LogIndex, NodeId } from "../../core/types.ts";
import { decodeClientMessage, decodeNodeMessage } from "../../core/wire/statement-codec.ts";
import type { Violation } from "./boundary.ts";
import type { ConfirmedRounds } from "./confirmed-rounds.ts";
import { violation } from "./violation.ts";

/** A question: when it came in, and what was committed anywhere by then. */
interface Question {
  readonly at: Instant;
  readonly committed: LogIndex;
}

const US_PER_MS = 1000;

export class ReadOracle {
  /** By node, then by connection and number. */
  private readonly asked = new Map<NodeId, Map<string, Question>>();
  private readonly rounds: ConfirmedRounds | null;

  /** @param rounds null: leases may stand for them */
  constructor(rounds: ConfirmedRounds | null) {
    this.rounds = rounds;
  }

  ended(node: NodeId): void {
    this.asked.delete(node);
  }

  /** `committed`: what any node has committed, before this step. */
  stepped(
    now: Instant, node: NodeId, input: NodeInput, effects: readonly NodeEffect[], committed: LogIndex,
  ): Violation | null {
    if (input.type === "ClientReceived") this.note(node, input.from, input.bytes, { at: now, committed });
    if (!this.asked.has(node)) return null;
    for (const effect of effects) {
      const found = effect.type === "Respond" ? this.judge(node, effect.to, effect.bytes) : null;
      if (found !== null) return found;
    }
    return null;
  }

  private note(node: NodeId, from: string, bytes: Uint8Array, question: Question): void {
    const decoded = decodeClientMessage(bytes);
    if (!decoded.ok || decoded.value.type !== "Query" || decoded.value.level.type !== "linearizable") return;
    let asked = this.asked.get(node);
    if (asked === undefined) this.asked.set(node, (asked = new Map()));
    // Asked again, it may be answered by what was found out for the first time.
    const name = `${from} ${decoded.value.query}`;
    if (!asked.has(name)) asked.set(name, question);
  }

  private judge(node: NodeId, to: string, bytes: Uint8Array): Violation | null {
    const decoded = decodeNodeMessage(bytes);
    if (!decoded.ok || decoded.value.type !== "QueryAnswer" || decoded.value.outcome?.type !== "done") return null;
    const { query, index } = decoded.value;
    const question = this.asked.get(node)?.get(`${to} ${query}`);
    if (question === undefined) return null;
    const { at, committed } = question;
    const what = `${node} answers query ${query} of ${to} as of ${index}, and `;
    if (index < committed) return violation("stale-read", `${what}${committed} was committed before`, [node], index);
    if (this.rounds === null || this.rounds.since >= at) return null;
    const unsaid = `no quorum has confirmed any leader since it came in, at ${at / US_PER_MS} ms`;
    return violation("unconfirmed-read", what + unsaid, [node], index);
  }
}
