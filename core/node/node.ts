/**
 * A node in one thread: Replica and Database, joined.
 *
 *     clients ── Database ⇄ Replica ── peers, disk
 *
 * What one machine orders is news to the other. The pieces of news stand in one queue, so that each machine hears them
 * in the order in which they came about, and a step ends when the queue is empty. Nothing is decided here.
 */
import { Random, SEED_SIZE } from "../random.ts";
import { unreachable } from "../invariant.ts";
import type { Instant } from "../types.ts";
import type { DatabaseEffect, DatabaseInput } from "../database/boundary.ts";
import { Database } from "../database/database.ts";
import type { ReplicaEffect, ReplicaInput } from "../replica/boundary.ts";
import { Replica } from "../replica/replica.ts";
import type { NodeEffect, NodeInput, NodeOptions } from "./boundary.ts";

type News =
  | { readonly to: "replica"; readonly input: ReplicaInput }
  | { readonly to: "database"; readonly input: DatabaseInput };

export class Node {
  readonly replica: Replica;
  readonly database: Database;
  private news: News[] = [];
  private effects: NodeEffect[] = [];
  private replicaTimer: Instant | null = null;
  private databaseTimer: Instant | null = null;
  /** The timer that the driver was last told of; null: none is set. */
  private armed: Instant | null = null;
  private halted = false;

  constructor(options: NodeOptions) {
    const random = Random.fromBytes(options.seed);
    this.replica = new Replica({ ...options, seed: random.bytes(SEED_SIZE) });
    const { id, engine, database: limits, rarely } = options;
    this.database = new Database({ id, engine, limits, seed: random.bytes(SEED_SIZE), rarely });
  }

  step(now: Instant, input: NodeInput): readonly NodeEffect[] {
    this.effects = [];
    if (this.halted) return this.effects;
    this.news = [];
    this.route(now, input);
    // The array grows while it is walked: what a machine says is heard after what was said before.
    for (const one of this.news) {
      if (one.to === "replica") for (const effect of this.replica.step(now, one.input)) this.fromReplica(effect);
      else for (const effect of this.database.step(now, one.input)) this.fromDatabase(effect);
      if (this.halted) break;
    }
    this.arm();
    return this.effects;
  }

  private route(now: Instant, input: NodeInput): void {
    switch (input.type) {
      case "PeerReceived":
        return this.tellReplica({ type: "Received", from: input.from, bytes: input.bytes });
      case "Started":
      case "DiskDone":
      case "DiskFailed":
      case "ChangeRequested":
      case "TransferRequested":
      case "ClockStopped":
        return this.tellReplica(input);
      case "ClientReceived":
      case "ClientGone":
        return this.tellDatabase(input);
      case "TimerFired":
        this.armed = null;
        if (this.replicaTimer !== null && this.replicaTimer <= now) {
          this.replicaTimer = null;
          this.tellReplica({ type: "TimerFired" });
        }
        if (this.databaseTimer !== null && this.databaseTimer <= now) {
          this.databaseTimer = null;
          this.tellDatabase({ type: "TimerFired" });
        }
        return;
      case "Closing":
        this.tellDatabase({ type: "Closing" });
        return this.tellReplica({ type: "Closing" });
      default:
        unreachable(input);
    }
  }

  private fromReplica(effect: ReplicaEffect): void {
    switch (effect.type) {
      case "Disk":
      case "Send":
      case "Recovered":
      case "Reject":
      case "DamageFound":
      case "SpaceChanged":
      case "ConfigurationChanged":
      case "ChangeResolved":
      case "TransferResolved":
      case "Closed":
        this.effects.push(effect);
        return;
      case "Halt":
        this.halted = true;
        this.effects.push(effect);
        return;
      case "SetTimer":
        this.replicaTimer = effect.at;
        return;
      case "Accept":
        return this.tellDatabase({ type: "Accepted", proposal: effect.proposal, entry: effect.entry });
      case "Resolve":
        return this.tellDatabase({ type: "Resolved", proposal: effect.proposal, outcome: effect.outcome });
      case "Apply":
        return this.tellDatabase({ type: "Committed", entries: effect.entries });
      case "ReadReady":
        return this.tellDatabase({ type: "ReadConfirmed", read: effect.read, index: effect.index });
      case "ReadRefused":
      case "TakeSnapshot":
      case "CutEnded":
      case "PagesDamaged":
      case "RestoreStarted":
      case "PagesRestored":
      case "RestoreFinished":
        return this.tellDatabase(effect);
      case "LeadershipChanged":
        this.effects.push(effect);
        return this.tellDatabase(effect);
      default:
        unreachable(effect);
    }
  }

  private fromDatabase(effect: DatabaseEffect): void {
    switch (effect.type) {
      case "Respond":
      case "Disconnect":
        this.effects.push(effect);
        return;
      case "Propose":
        return this.tellReplica({ ...effect, type: "Proposed" });
      case "RollBack":
        return this.tellReplica({ type: "RolledBack", term: effect.term, last: effect.last });
      case "RequestRead":
        return this.tellReplica({ type: "ReadRequested", read: effect.read });
      case "ReportApplied":
        return this.tellReplica({ type: "Applied", index: effect.index, checksum: effect.checksum });
      case "SnapshotTaken":
        return this.tellReplica(effect);
      case "SetTimer":
        this.databaseTimer = effect.at;
        return;
      case "RestoreRefused":
        return this.tellReplica(effect);
      case "Halt":
        this.halted = true;
        this.effects.push({ type: "Halt", reason: { type: "divergence", index: effect.index, detail: effect.detail } });
        return;
      default:
        unreachable(effect);
    }
  }

  private tellReplica(input: ReplicaInput): void {
    this.news.push({ to: "replica", input });
  }

  private tellDatabase(input: DatabaseInput): void {
    this.news.push({ to: "database", input });
  }

  /** One timer for both machines: the driver is told when the earlier of the two becomes earlier than what it has. */
  private arm(): void {
    const { replicaTimer, databaseTimer } = this;
    if (replicaTimer === null && databaseTimer === null) return;
    const at = Math.min(replicaTimer ?? Number.POSITIVE_INFINITY, databaseTimer ?? Number.POSITIVE_INFINITY) as Instant;
    if (this.armed !== null && this.armed <= at) return;
    this.armed = at;
    this.effects.push({ type: "SetTimer", at });
  }
}
