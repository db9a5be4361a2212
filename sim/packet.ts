/** What travels over a simulated network: bytes from one address to another. Nothing here knows what they say. */
import type { Connection } from "./connection.ts";

/** Nodes first, then clients. */
export type Address = number;

export interface Packet {
  readonly type: "packet";
  readonly from: Address;
  readonly to: Address;
  /** The client's connection that it travels on; null: between nodes. */
  readonly connection: Connection | null;
  /** null: the connection is reset. */
  readonly bytes: Uint8Array | null;
  /** Rises with each packet of the link. */
  readonly sequence: number;
  readonly sentAt: number;
  /** It was changed on its way, and the receiver finds that. */
  readonly isBroken: boolean;
  /** Why it comes once more; null: it is the first. */
  readonly copy: "duplication" | "replay" | null;
}
