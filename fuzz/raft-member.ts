/**
 * One process life of one member of a World (raft-world.ts), its disk, and what its driver owes it.
 */
import type { RaftEffect, RaftInput } from "../core/raft/boundary.ts";
import type { Configuration } from "../core/raft/configuration.ts";
import type { SnapshotId, SnapshotPoint } from "../core/raft/message.ts";
import type { Raft } from "../core/raft/raft.ts";
import type { Instant, MemberId } from "../core/types.ts";
import { EMPTY_DISK, type Stable } from "./raft-plain-log.ts";

export type EffectOf<Type extends RaftEffect["type"]> = RaftEffect & { readonly type: Type };

/** What the log on disk is told, in this order. */
export type LogJob = EffectOf<"Persist"> | EffectOf<"Compact"> | EffectOf<"ForgetLoss">;
/** What else a driver was told to do, each answered; in this order, though not in one with the log. */
export type FileJob =
  | EffectOf<"ReadEntries"> | EffectOf<"ReadSnapshot"> | EffectOf<"StoreChunk"> | EffectOf<"TakeSnapshot">
  | { readonly type: "StoreSnapshot"; readonly point: SnapshotPoint };

/** One process life of one member, and its disk. What is not here is lost in a crash. */
export interface Host {
  readonly id: MemberId;
  /** Its own clock. */
  now: Instant;
  disk: Stable;
  lives: number;
  /** null: crashed. */
  raft: Raft | null;
  logJobs: readonly LogJob[];
  /** What the disk will hold once all of these are done. */
  ahead: Stable;
  fileJobs: readonly FileJob[];
  timerAt: Instant | null;
  /** As it was announced last. */
  configuration: Configuration | null;
  /** The snapshot that is being received: how much of which. */
  received: { readonly snapshot: SnapshotId; readonly end: number } | null;
  /** Readable whatever takes its place, until it is released. */
  pinned: readonly SnapshotId[];
  /** What was handed out to the application, and not applied yet: the last index of each. */
  handed: readonly number[];
  lastHanded: number;
  applied: number;
  /** A snapshot up to here is on its way into the application's state; 0: none is. */
  restoring: number;
  /** The last proposal of the term, the last that was accepted, and whether one was refused. */
  proposing: { readonly term: number; readonly last: number; readonly accepted: number; readonly isRefused: boolean };
  /** What has come in and is to be one step; null: each is one by itself. */
  gathered: readonly RaftInput[] | null;
  /** Of proposals, reads and requests. */
  lastNumber: number;
  /** Reads that are not answered: what was committed when each was asked for. */
  reads: ReadonlyMap<number, number>;
  /** Changes, transfers and proposals that are not answered. */
  open: ReadonlySet<number>;
  /** It was asked to hand over before it stops, and has. */
  isLeaving: boolean;
  hasLeft: boolean;
}

/** Nothing was proposed in the term. */
export const NO_PROPOSAL = { term: 0, last: 0, accepted: 0, isRefused: false };

/** One that has never lived. */
export function newHost(id: MemberId, now: Instant): Host {
  return {
    id, now, disk: EMPTY_DISK, lives: 0, raft: null, logJobs: [], fileJobs: [], timerAt: null, configuration: null,
    received: null, pinned: [], handed: [], lastHanded: 0, applied: 0, restoring: 0, lastNumber: 0, reads: new Map(),
    open: new Set(), isLeaving: false, hasLeft: false,
    proposing: NO_PROPOSAL, gathered: null, ahead: EMPTY_DISK,
  };
}
