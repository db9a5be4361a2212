/**
 * Linearizable reads, judged at the node that answers: the state that the answer is of contains everything that any
 * node had committed when the question came in. That is ReadIndex's own promise, and more than clients can see: they
 * have to be told something that a stale read then lacks.
 */
import type { NodeEffect, NodeInput } from "../../core/node/boundary.ts";
import type { LogIndex, NodeId } from "../../core/types.ts";
import { decodeClientMessage, decodeNodeMessage } from "../../core/wire/statement-codec.ts";
import type { Violation } from "./boundary.ts";
import { violation } from "./violation.ts";

export class ReadOracle {
  /** What was committed anywhere when a question came in, by node, then by connection and number. */
  private readonly asked = new Map<NodeId, Map<string, LogIndex>>();

  ended(node: NodeId): void {
    this.asked.delete(node);
  }

  /** `committed`: what any node has committed, before this step. */
  stepped(node: NodeId, input: NodeInput, effects: readonly NodeEffect[], committed: LogIndex): Violation | null {
    if (input.type === "ClientReceived") this.note(node, input.from, input.bytes, committed);
    if (!this.asked.has(node)) return null;
    for (const effect of effects) {
      const found = effect.type === "Respond" ? this.judge(node, effect.to, effect.bytes) : null;
      if (found !== null) return found;
    }
    return null;
  }

  private note(node: NodeId, from: string, bytes: Uint8Array, committed: LogIndex): void {
    const decoded = decodeClientMessage(bytes);
    if (!decoded.ok || decoded.value.type !== "Query" || decoded.value.level.type !== "linearizable") return;
    let asked = this.asked.get(node);
    if (asked === undefined) this.asked.set(node, (asked = new Map()));
    // Asked again, it may be answered by what was found out for the first time.
    const name = `${from} ${decoded.value.query}`;
    if (!asked.has(name)) asked.set(name, committed);
  }

  private judge(node: NodeId, to: string, bytes: Uint8Array): Violation | null {
    const decoded = decodeNodeMessage(bytes);
    if (!decoded.ok || decoded.value.type !== "QueryAnswer" || decoded.value.outcome?.type !== "done") return null;
    const { query, index } = decoded.value;
    const committed = this.asked.get(node)?.get(`${to} ${query}`);
    if (committed === undefined || index >= committed) return null;
    const message = `${node} answers query ${query} of ${to} as of ${index}, and ${committed} was committed before`;
    return violation("stale-read", message, [node], index);
  }
}
