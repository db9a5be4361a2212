/**
 * Who wrote what in the demo, and what it was told: the writers insert rows through a client of the cluster, from
 * outside, and note each answer. At the end the ledger is held against the three disks.
 */
import { setTimeout as pause } from "node:timers/promises";
import type { Database } from "./database.ts";
import { QuorumliteError } from "./errors.ts";

/** The ids of rows, by what the insert was told. */
export interface Ledger {
  /** Durable on a majority: must be there. */
  readonly acknowledged: readonly number[];
  /** Surely not executed: must not be there. */
  readonly refused: readonly number[];
  /** Nobody can say: may be there. */
  readonly unknown: readonly number[];
}

/** Chance and time are different at each call: only what SQLite computed can be replicated, not the statement. */
const INSERT = "INSERT INTO journal VALUES (?, ?, datetime('now'), random())";
export const CREATE_JOURNAL =
  "CREATE TABLE IF NOT EXISTS journal (id INTEGER PRIMARY KEY, writer INTEGER, at TEXT, chance INTEGER)";
const WRITERS = 4;
/** The demo shows that nothing is lost, the bench how fast it is: a log that replays in a blink is enough. */
const PAUSE_MS = 4;

export class Writers implements Ledger {
  readonly acknowledged: number[] = [];
  readonly refused: number[] = [];
  readonly unknown: number[] = [];
  /** When the last acknowledged insert was begun and answered, in milliseconds of `performance.now()`. */
  lastBegunAt = 0;
  lastAcknowledgedAt = 0;
  private readonly database: Database;
  private readonly work: Promise<void>[] = [];
  private lastId = 0;
  private isOver = false;

  constructor(database: Database) {
    this.database = database;
  }

  start(): void {
    for (let writer = 1; writer <= WRITERS; writer++) this.work.push(this.write(writer));
  }

  /** Waits for the answers that are due. */
  async stop(): Promise<void> {
    this.isOver = true;
    await Promise.all(this.work);
  }

  /** Waits for the first acknowledgement of an insert begun after now. */
  async nextAcknowledgement(): Promise<void> {
    const from = performance.now();
    while (this.lastBegunAt < from && !this.isOver) await pause(5);
  }

  private async write(writer: number): Promise<void> {
    while (!this.isOver) {
      const id = ++this.lastId;
      const begunAt = performance.now();
      try {
        await this.database.run(INSERT, [id, writer]);
        this.acknowledged.push(id);
        this.lastBegunAt = Math.max(this.lastBegunAt, begunAt);
        this.lastAcknowledgedAt = performance.now();
      } catch (error) {
        if (!(error instanceof QuorumliteError)) throw error;
        // Every other code means: not executed, and never will be.
        (error.code === "OutcomeUnknown" ? this.unknown : this.refused).push(id);
      }
      await pause(PAUSE_MS);
    }
  }
}
