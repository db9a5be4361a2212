/** What the one queue of a world holds: everything that is going to happen, to whom. */
import type { Ticket } from "../core/types.ts";
import type { ClientProcess } from "./client-process.ts";
import type { PendingOperation } from "./disk.ts";
import type { Packet } from "./packet.ts";
import type { NodeProcess } from "./process.ts";
import type { Timer } from "./timer.ts";

export type WorldEvent =
  | Packet
  | {
      readonly type: "disk";
      readonly node: NodeProcess;
      readonly life: number;
      readonly ticket: Ticket;
      readonly pending: PendingOperation;
    }
  | { readonly type: "nodeTimer"; readonly node: NodeProcess }
  | { readonly type: "clientTimer"; readonly client: ClientProcess; readonly timer: Timer }
  | { readonly type: "task"; readonly run: () => void };
