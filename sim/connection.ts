/**
 * A client's connection to one process life of a node, as the two operating systems see it. Either end may be gone
 * while the other does not know: the news is a packet like any other, and a machine without power sends none.
 */
import type { ClientId } from "../core/database/boundary.ts";

export interface Connection {
  /** What the node calls it. */
  readonly id: ClientId;
  readonly client: number;
  /** Which of the lives of that client's place opened it. */
  readonly clientLife: number;
  readonly node: number;
  /** The process life that accepted it; 0: none has yet. */
  nodeLife: number;
  clientOpen: boolean;
  nodeOpen: boolean;
  /** The node died without a word to the client. */
  abandoned: boolean;
}

export function openConnection(number: number, client: number, clientLife: number, node: number): Connection {
  const id = `connection-${number}`;
  return { id, client, clientLife, node, nodeLife: 0, clientOpen: true, nodeOpen: true, abandoned: false };
}
