/**
 * What one step makes durable: its changes of hard state and log, gathered into at most one Persist. The log in memory
 * is changed here too, so that memory and disk cannot be told different things.
 */
import { Durability } from "./durability.ts";
import type { Log } from "./log.ts";
import type { SnapshotId } from "./message.ts";
import type { Entry, EntryId, HardState, LogIndex, Ticket } from "../types.ts";
import type { RaftEffect } from "./boundary.ts";

export class Writes {
  private readonly log: Log;
  private readonly durability: Durability;
  /** null: unchanged in this step. */
  private hardState: HardState | null = null;
  /** null: none installed in this step. */
  private snapshot: SnapshotId | null = null;
  /** null: nothing cut in this step. */
  private truncateTo: LogIndex | null = null;
  private entries: Entry[] = [];
  /** Payload bytes appended in this step. */
  private bytes = 0;
  /** The write that holds the hard state as it is now; 0: recovery found it so. */
  hardStateTicket = 0 as Ticket;

  constructor(log: Log) {
    this.log = log;
    this.durability = new Durability(log.last);
  }

  /** The last entry that is both on disk and in the log; below the log's base: nothing of it is. */
  get durable(): EntryId {
    return this.durability.durable;
  }

  /** The last write handed out; 0: none yet. */
  get begun(): Ticket {
    return this.durability.begun;
  }

  /** Every write up to this one is on disk. */
  get through(): Ticket {
    return this.durability.through;
  }

  /** Payload bytes that were to be written and are not known to be on disk. */
  get pendingBytes(): number {
    return this.durability.bytesInFlight + this.bytes;
  }

  /** Whether currentTerm and votedFor are on disk as they stand in memory. */
  get hardStateDurable(): boolean {
    return this.hardState === null && this.hardStateTicket <= this.through;
  }

  saveHardState(hardState: HardState): void {
    this.hardState = hardState;
  }

  /** The snapshot takes the place of the whole log. */
  install(snapshot: SnapshotId): void {
    this.log.reset(snapshot.entry);
    this.durability.reset();
    this.snapshot = snapshot;
    // If this very step has cut the snapshot's entry off the log, the disk still holds it, and must not keep what
    // follows.
    if (this.truncateTo !== null) this.truncateTo = snapshot.entry.index;
    this.entries = [];
  }

  truncate(keep: LogIndex): void {
    this.log.truncate(keep);
    this.durability.truncate(this.log.last);
    // Of what was appended in this very step the disk need not hear.
    const first = this.entries[0];
    if (first !== undefined) this.entries = this.entries.filter((entry) => entry.index <= keep);
    if (first !== undefined && first.index <= keep + 1) return;
    this.truncateTo = Math.min(this.truncateTo ?? keep, keep) as LogIndex;
  }

  append(entry: Entry): void {
    this.log.append(entry);
    this.entries.push(entry);
    this.bytes += entry.payload.length;
  }

  done(ticket: Ticket): void {
    this.durability.done(ticket);
  }

  /** Ends a step; null: it has nothing to write. */
  take(): RaftEffect | null {
    const { hardState, snapshot, truncateTo, entries } = this;
    if (entries.length === 0 && hardState === null && snapshot === null && truncateTo === null) return null;
    const ticket = this.durability.begin(this.log.last, this.bytes);
    if (hardState !== null) this.hardStateTicket = ticket;
    this.hardState = null;
    this.snapshot = null;
    this.truncateTo = null;
    // What is handed out is never written into again.
    this.entries = [];
    this.bytes = 0;
    return { type: "Persist", ticket, hardState, snapshot, truncateTo, entries };
  }
}
