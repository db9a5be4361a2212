/**
 * All oracles of a run behind one face: each event goes to those that it concerns, and the first violation is the
 * answer.
 */
import type { NodeEffect, NodeInput } from "../../core/node/boundary.ts";
import type { RaftTiming } from "../../core/raft/boundary.ts";
import type { Instant, NodeId } from "../../core/types.ts";
import type { History } from "../workload/history.ts";
import type {
  DurableDisk, FinalNode, ImageReader, Judge, JudgeCounts, NodeObservation, RecoveredImage, Violation,
} from "./boundary.ts";
import { ClientOracle } from "./client-oracle.ts";
import { ConfirmedRounds } from "./confirmed-rounds.ts";
import { DatabaseOracle } from "./database-oracle.ts";
import { LeadershipOracle } from "./leadership-oracle.ts";
import { RaftOracle } from "./raft-oracle.ts";
import { ReadOracle } from "./read-oracle.ts";

export interface OraclesOptions {
  readonly timing: RaftTiming;
  readonly digestEvery: number;
  /** Whether a leader may answer reads by itself. */
  readonly hasLeases: boolean;
  readonly history: History;
  readonly reader: ImageReader;
}

export class Oracles implements Judge {
  readonly counts: JudgeCounts = { comparisons: 0, entriesCommitted: 0, elections: 0, clientReads: 0 };
  private readonly reader: ImageReader;
  private readonly raft: RaftOracle;
  private readonly leadership: LeadershipOracle;
  private readonly reads: ReadOracle;
  private readonly databases: DatabaseOracle;
  private readonly clients: ClientOracle;

  constructor({ timing, digestEvery, hasLeases, history, reader }: OraclesOptions) {
    this.reader = reader;
    this.raft = new RaftOracle(this.counts);
    const rounds = new ConfirmedRounds();
    this.leadership = new LeadershipOracle(timing, rounds);
    this.reads = new ReadOracle(hasLeases ? null : rounds);
    this.databases = new DatabaseOracle(this.counts, digestEvery);
    this.clients = new ClientOracle(history, this.counts);
  }

  nodeStarted(_now: Instant, node: NodeId, disk: DurableDisk): Violation | null {
    this.databases.started(node);
    return this.raft.started(node, disk);
  }

  nodeStepped(
    now: Instant, node: NodeId, input: NodeInput, seen: NodeObservation, effects: readonly NodeEffect[],
  ): Violation | null {
    const committed = this.raft.committedIndex;
    const found = this.raft.stepped(node, seen.raft, effects)
      ?? this.leadership.stepped(now, node, input, seen.raft, effects)
      ?? this.reads.stepped(now, node, input, effects, committed);
    if (found !== null || seen.database === null || seen.raft === null) return found;
    return this.databases.stepped(node, seen.database, seen.raft.lastApplied, seen.raft.snapshot.index);
  }

  diskSynced(_now: Instant, node: NodeId, file: string | null, disk: DurableDisk): Violation | null {
    return this.raft.synced(node, file, disk);
  }

  /** What of its unsynced writes survived is looked at when the node starts again. */
  nodeCrashed(_now: Instant, node: NodeId): Violation | null {
    this.raft.crashed(node);
    this.leadership.ended(node);
    this.reads.ended(node);
    return null;
  }

  diskLost(_now: Instant, node: NodeId): Violation | null {
    this.raft.diskLost(node);
    return null;
  }

  imageRecovered(node: NodeId, image: RecoveredImage, disk: DurableDisk): Violation | null {
    return this.raft.imageRecovered(node, image, disk);
  }

  memoryFlipped(node: NodeId): void {
    this.databases.flipped(node);
  }

  memoryHealed(node: NodeId): void {
    this.databases.healed(node);
  }

  isMemoryFlipped(node: NodeId): boolean {
    return this.databases.isFlipped(node);
  }

  clientsStepped(): Violation | null {
    return this.clients.stepped();
  }

  finished(_now: Instant, nodes: readonly FinalNode[]): Violation | null {
    const { clients, databases, reader } = this;
    return clients.stepped() ?? databases.finished(nodes, reader) ?? clients.finished(nodes, reader);
  }
}
