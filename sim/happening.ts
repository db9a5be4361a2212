/**
 * What a world tells whoever watches it: each event as a value, while it happens. A trace in words (trace/lines.ts) and
 * a diagram (chronicle/) are two readings of it. Watching changes nothing, and where nobody watches nothing is told.
 */
import type { ClientEffect, ClientInput } from "../core/client/boundary.ts";
import type { NodeEffect, NodeInput } from "../core/node/boundary.ts";
import type { HaltReason } from "../core/replica/boundary.ts";
import type { NodeId } from "../core/types.ts";
import type { Address, Packet } from "./packet.ts";
import type { NodeObservation, Violation } from "./oracles/boundary.ts";
import type { FaultKind, Mark } from "./tally.ts";

/** Links that carry nothing: from each of `sources` to each of `targets`, and back unless it is one-way. */
export interface CutLinks {
  readonly kind: FaultKind;
  readonly sources: readonly Address[];
  readonly targets: readonly Address[];
  readonly oneWay: boolean;
}

/** lost: by chance, or as the line had no room, or no connection stood. cut: no link led there. */
export type PacketFate = "sent" | "lost" | "cut";

export type Happening =
  /** The first. A lane's place is its address in the network. */
  | { readonly type: "Opened"; readonly nodes: readonly NodeId[]; readonly clients: readonly string[] }
  /** Another part of the run begins, or what has led to it. */
  | { readonly type: "Phase"; readonly name: string }
  | { readonly type: "NodeStarted"; readonly node: NodeId; readonly life: number }
  | { readonly type: "NodeCrashed"; readonly node: NodeId; readonly losesPower: boolean }
  /** It has stopped by itself, as it had to. */
  | { readonly type: "NodeHalted"; readonly node: NodeId; readonly reason: HaltReason }
  | { readonly type: "NodePaused"; readonly node: NodeId; readonly until: number; readonly isFrozen: boolean }
  | { readonly type: "DiskLost"; readonly node: NodeId }
  /** It is given an input now; NodeStepped says what came of it, if it did not throw. */
  | { readonly type: "NodeStepping"; readonly node: NodeId; readonly input: NodeInput }
  /** Its effects are about to be performed. */
  | {
      readonly type: "NodeStepped";
      readonly node: NodeId;
      readonly effects: readonly NodeEffect[];
      readonly seen: NodeObservation;
    }
  | { readonly type: "ClientStarted"; readonly client: Address; readonly application: string }
  | { readonly type: "ClientDied"; readonly client: Address; readonly application: string }
  | {
      readonly type: "ClientStepped";
      readonly client: Address;
      readonly application: string;
      readonly input: ClientInput;
      readonly effects: readonly ClientEffect[];
    }
  /** `due`: when it arrives, if anybody is there. */
  | { readonly type: "PacketSent"; readonly packet: Packet; readonly fate: PacketFate; readonly due: number }
  /** The same value as in PacketSent. The receiver's step comes next. */
  | { readonly type: "PacketReceived"; readonly packet: Packet }
  /** The same value twice: when it begins, and when it is over. */
  | { readonly type: "CutBegan" | "CutMended"; readonly cut: CutLinks }
  /** From now on; `until` Infinity: as long as nothing else is told of this kind; 0: it is over. */
  | { readonly type: "DiskTroubled"; readonly node: NodeId; readonly kind: FaultKind; readonly until: number }
  /** What befalls a node in a moment, in words. */
  | { readonly type: "Struck"; readonly kind: FaultKind; readonly node: NodeId; readonly text: string }
  /** `node`: whose step shows it; null: no single one's. */
  | { readonly type: "Marked"; readonly mark: Mark; readonly node: NodeId | null }
  | { readonly type: "Failed"; readonly violation: Violation };

/** `now`: microseconds of the world's own time. */
export type Witness = (now: number, happening: Happening) => void;
