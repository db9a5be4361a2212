/**
 * A node in one thread: Replica and Database joined by queues of values. The same wiring runs in the simulator and in
 * production; what is left to a driver is files, sockets and timers.
 */
import type { Instant, NodeId } from "../types.ts";
import type { ClientId, DatabaseLimits } from "../database/boundary.ts";
import type { EngineFactory } from "../database/engine.ts";
import type { HaltReason, RejectReason, ReplicaEffect, ReplicaInput, ReplicaOptions } from "../replica/boundary.ts";
import type { DiskAnswer, DiskOrder } from "../storage/disk.ts";

export type NodeInput =
  | { readonly type: "Started" }
  | { readonly type: "PeerReceived"; readonly from: NodeId; readonly bytes: Uint8Array }
  | { readonly type: "ClientReceived"; readonly from: ClientId; readonly bytes: Uint8Array; readonly wallMs: number }
  | { readonly type: "ClientGone"; readonly from: ClientId }
  | { readonly type: "TimerFired" }
  | DiskAnswer
  /** What operators and drivers ask of consensus goes to Replica as it is. */
  | Extract<ReplicaInput, { readonly type: "ChangeRequested" | "TransferRequested" | "ClockStopped" }>
  | { readonly type: "Closing" };

export type NodeEffect =
  | ({ readonly type: "Disk" } & DiskOrder)
  | { readonly type: "Send"; readonly to: NodeId; readonly bytes: Uint8Array }
  | { readonly type: "Respond"; readonly to: ClientId; readonly bytes: Uint8Array }
  | { readonly type: "Disconnect"; readonly client: ClientId; readonly detail: string }
  /** One timer for the whole node; replaces the one set before. */
  | { readonly type: "SetTimer"; readonly at: Instant }
  | Extract<ReplicaEffect, { readonly type: "Recovered" | "DamageFound" | "SpaceChanged" }>
  | Extract<ReplicaEffect, { readonly type: "LeadershipChanged" | "ConfigurationChanged" }>
  | Extract<ReplicaEffect, { readonly type: "ChangeResolved" | "TransferResolved" }>
  | { readonly type: "Reject"; readonly from: NodeId; readonly reason: RejectReason; readonly detail: string }
  | { readonly type: "Closed" }
  | { readonly type: "Halt"; readonly reason: HaltReason };

export interface NodeOptions extends ReplicaOptions {
  readonly engine: EngineFactory;
  readonly database: DatabaseLimits;
}
