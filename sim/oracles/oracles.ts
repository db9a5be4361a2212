/**
 * All oracles of a run behind one face: each event goes to those that it concerns, and the first violation is the
 * answer.
 */
import type { NodeEffect } from "../../core/node/boundary.ts";
import type { Instant, LogIndex, NodeId } from "../../core/types.ts";
import type { History } from "../workload/history.ts";
import type {
  DurableDisk, FinalNode, ImageReader, Judge, JudgeCounts, NodeObservation, Violation,
} from "./boundary.ts";
import { ClientOracle } from "./client-oracle.ts";
import { DatabaseOracle } from "./database-oracle.ts";
import { RaftOracle } from "./raft-oracle.ts";

export interface OraclesOptions {
  readonly nodes: readonly NodeId[];
  readonly history: History;
  readonly reader: ImageReader;
}

export class Oracles implements Judge {
  readonly counts: JudgeCounts = { comparisons: 0, entriesCommitted: 0, elections: 0, clientReads: 0 };
  private readonly reader: ImageReader;
  private readonly raft: RaftOracle;
  private readonly databases: DatabaseOracle;
  private readonly clients: ClientOracle;

  constructor({ nodes, history, reader }: OraclesOptions) {
    this.reader = reader;
    this.raft = new RaftOracle(nodes, this.counts);
    this.databases = new DatabaseOracle(this.counts);
    this.clients = new ClientOracle(history, this.counts);
  }

  nodeStarted(_now: Instant, node: NodeId, disk: DurableDisk): Violation | null {
    this.databases.started(node);
    return this.raft.started(node, disk);
  }

  nodeStepped(_now: Instant, node: NodeId, seen: NodeObservation, effects: readonly NodeEffect[]): Violation | null {
    const found = this.raft.stepped(node, seen.raft, effects);
    if (found !== null || seen.database === null) return found;
    return this.databases.stepped(node, seen.database, seen.raft?.lastApplied ?? (0 as LogIndex));
  }

  diskSynced(_now: Instant, node: NodeId, file: string, disk: DurableDisk): Violation | null {
    return this.raft.synced(node, file, disk);
  }

  /** What of its unsynced writes survived is looked at when the node starts again. */
  nodeCrashed(_now: Instant, node: NodeId): Violation | null {
    this.raft.crashed(node);
    return null;
  }

  clientsStepped(): Violation | null {
    return this.clients.stepped();
  }

  finished(_now: Instant, nodes: readonly FinalNode[]): Violation | null {
    const { clients, databases, reader } = this;
    return clients.stepped() ?? databases.finished(nodes, reader) ?? clients.finished(nodes, reader);
  }
}
