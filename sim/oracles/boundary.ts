/**
 * The boundary of oracles/: what the run shows them, and what they answer. Oracles are incremental, O(change) for each
 * event, and never influence the run. They are told of every event in the order in which it happens; each report
 * returns the first rule that it found broken, and the run ends there.
 */
import type { NodeEffect, NodeInput } from "../../core/node/boundary.ts";
import type { Configuration } from "../../core/raft/configuration.ts";
import type { EntryId, Instant, LogIndex, MemberId, NodeId, Term } from "../../core/types.ts";
import type { Recovered, StorageFault } from "../../core/storage/boundary.ts";
import type { SqlValue } from "../../core/database/engine.ts";

/** One rule broken. `oracle` is its short name: the last line of a failed run says FAILED <oracle>. */
export interface Violation {
  readonly oracle: string;
  /** What is wrong and where, with the values that contradict each other. */
  readonly message: string;
  readonly nodes: readonly NodeId[];
  /** The log index in question; null: none. */
  readonly index: LogIndex | null;
}

/** What core/node's inspect() shows of a live node, as far as the oracles look: core/raft's RaftSnapshot will do. */
export interface NodeObservation {
  /** null: recovery or bootstrap is not over yet. */
  readonly raft: RaftObservation | null;
  /** null: nothing can be applied yet. */
  readonly database: DatabaseObservation | null;
}

export interface RaftObservation {
  /** Which life of which disk it is: what oracles count by. */
  readonly id: MemberId;
  readonly role: "follower" | "preCandidate" | "candidate" | "leader";
  readonly currentTerm: Term;
  readonly votedFor: MemberId | null;
  /** The last entry that has been compacted away; 0/0: none. */
  readonly base: EntryId;
  /** The last entry of the snapshot stored or installed last; 0/0: there is none. */
  readonly snapshot: EntryId;
  /** The last entry of the log in memory. */
  readonly last: EntryId;
  readonly commitIndex: LogIndex;
  /** The last entry handed out by Apply. */
  readonly lastApplied: LogIndex;
  /** Where each run of equal terms begins, ascending, above the base. The node never changes an array it has shown. */
  readonly terms: readonly EntryId[];
  /** In force, and where its entry stands; 0: it is the founding one. */
  readonly configuration: Configuration;
  readonly configurationIndex: LogIndex;
  /** Leads, and is handing over. */
  readonly isTransferring: boolean;
  /** The highest entry that its disk may have acknowledged and no longer has; null: nothing is lost. */
  readonly lost: EntryId | null;
  /** Whether its disk has room for proposals. */
  readonly hasSpace: boolean;
}

export interface DatabaseObservation {
  /** The last entry that the engine's applied state contains (no-ops included). */
  readonly appliedIndex: LogIndex;
  /** The engine's rolling checksum as of appliedIndex. */
  readonly checksum: number;
}

/** What recovery made of a copy of a node's disk that crashed in some way. */
export interface RecoveredImage {
  readonly fate: string;
  readonly outcome:
    /** `restored`: what is wrong with the snapshot's pages; null: nothing. */
    | { readonly type: "recovered"; readonly recovered: Recovered; readonly restored: string | null }
    | { readonly type: "failed"; readonly fault: StorageFault };
}

/** What of a node's disk survives any crash: every write that is not synced taken as lost. */
export interface DurableDisk {
  /** The file's durable bytes, not copied, not to be kept; null: no such file, durably. */
  durable(file: string): Uint8Array | null;
  /** The names of the files that are there, durably, sorted. */
  listDurable(): readonly string[];
  /** Whether bytes that were durable have become others since, or cannot be read. */
  readonly isDamaged: boolean;
}

/** One node at the end, after all have converged. */
export interface FinalNode {
  readonly node: NodeId;
  readonly appliedIndex: LogIndex;
  readonly checksum: number;
  /** Engine.image(). */
  readonly image: Uint8Array;
}

/** Opens an exported image: unmodified SQLite, handed in by cli/, or the page model's twin. */
export interface ImageReader {
  open(image: Uint8Array): OpenImage;
}

export interface OpenImage {
  query(sql: string): readonly (readonly SqlValue[])[];
  /** PRAGMA integrity_check: "ok", or what is broken. */
  integrityCheck(): string;
  close(): void;
}

/** What a run calls. Each answers with the first violation that the event shows; null: none. */
export interface Judge {
  /** A process life begins, over this disk. */
  nodeStarted(now: Instant, node: NodeId, disk: DurableDisk): Violation | null;
  /** A node has taken one input; its effects are not performed yet. */
  nodeStepped(
    now: Instant, node: NodeId, input: NodeInput, seen: NodeObservation, effects: readonly NodeEffect[],
  ): Violation | null;
  /** A sync of this file, null: of the directory, took effect on the node's disk (and is, or will be, answered). */
  diskSynced(now: Instant, node: NodeId, file: string | null, disk: DurableDisk): Violation | null;
  /** The process is gone; what survives of its unsynced writes has been decided. */
  nodeCrashed(now: Instant, node: NodeId): Violation | null;
  /** The node's disk is gone for good: what it has said no longer counts, and its name starts anew. */
  diskLost(now: Instant, node: NodeId): Violation | null;
  /** A copy of the node's disk has crashed and was recovered: that has to vouch for all that the node says. */
  imageRecovered(node: NodeId, image: RecoveredImage, disk: DurableDisk): Violation | null;
  /** The state of a running node was changed behind its back: what it shows of it does not count until it is healed. */
  memoryFlipped(node: NodeId): void;
  /** It has found out, and will fetch its state from others. */
  memoryHealed(node: NodeId): void;
  /** Whether it still is another than those of the others. */
  isMemoryFlipped(node: NodeId): boolean;
  /** After each step of an application: what its calls came to is in the workload's history. */
  clientsStepped(now: Instant): Violation | null;
  /** All faults are over, all nodes are up and have applied the same index. */
  finished(now: Instant, nodes: readonly FinalNode[]): Violation | null;
  /** What was looked at, for the report: a run that compared nothing fails. */
  readonly counts: JudgeCounts;
}

export interface JudgeCounts {
  /** Checksums of two nodes compared at one applied index. */
  comparisons: number;
  entriesCommitted: number;
  elections: number;
  clientReads: number;
}
