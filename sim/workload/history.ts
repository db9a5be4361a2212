/**
 * What applications tried and what they were told: the only thing that the clients' oracle judges by. The order of the
 * events is the order of real time: what ended before another thing began stands before it here.
 */

import type { Consistency } from "../../core/client/boundary.ts";

/** One write that a transaction asked for. */
export type Write =
  | { readonly type: "item"; readonly id: number }
  | { readonly type: "append"; readonly key: number; readonly value: number }
  | {
      readonly type: "transfer";
      readonly id: number;
      readonly source: number;
      readonly target: number;
      readonly amount: number;
    };

/**
 * committed: acknowledged. notExecuted: it surely left nothing and never will. unknown: either, but wholly.
 * open: not known yet.
 */
export type AttemptOutcome = "open" | "committed" | "notExecuted" | "unknown";

/** One transaction as its application saw it, a statement on its own included. */
export interface Attempt {
  readonly number: number;
  readonly application: string;
  readonly writes: Write[];
  /** The positions that answers gave to appends, by value. */
  readonly positions: Map<number, number>;
  /** Whether the application has asked for the commit: before that, nothing can be there. */
  commitAsked: boolean;
  outcome: AttemptOutcome;
}

export interface ListRow {
  readonly position: number;
  readonly key: number;
  readonly value: number;
}

/** What a read was told. */
export type Seen =
  /** `key` null: all lists. `own`: values that its own open transaction had appended before. */
  | {
      readonly type: "list";
      readonly key: number | null;
      readonly rows: readonly ListRow[];
      readonly own: readonly number[];
    }
  | { readonly type: "item"; readonly id: number; readonly found: boolean }
  | { readonly type: "accounts"; readonly balances: readonly number[] };

export type HistoryEvent =
  /** The call that asks for the write is made now. */
  | { readonly type: "Wrote"; readonly attempt: Attempt; readonly write: Write }
  /** A statement of the attempt was refused by SQL: the rest may still commit, this write will not. */
  | { readonly type: "Refused"; readonly attempt: Attempt; readonly write: Write }
  | { readonly type: "Ended"; readonly attempt: Attempt }
  | { readonly type: "ReadBegun"; readonly read: number }
  /** `seen` null: it failed, or its application died. */
  | {
      readonly type: "ReadEnded";
      readonly read: number;
      readonly application: string;
      /** The transaction that read; null: a read on its own. */
      readonly attempt: Attempt | null;
      readonly consistency: Consistency;
      readonly seen: Seen | null;
    }
  /** An answer that no fault explains. */
  | { readonly type: "Surprised"; readonly application: string; readonly message: string };

export class History {
  private events: HistoryEvent[] = [];
  private lastAttempt = 0;
  private lastRead = 0;

  begin(application: string): Attempt {
    return {
      number: ++this.lastAttempt, application, writes: [], positions: new Map(), commitAsked: false, outcome: "open",
    };
  }

  wrote(attempt: Attempt, write: Write): void {
    attempt.writes.push(write);
    this.events.push({ type: "Wrote", attempt, write });
  }

  refused(attempt: Attempt, write: Write): void {
    attempt.writes.splice(attempt.writes.indexOf(write), 1);
    this.events.push({ type: "Refused", attempt, write });
  }

  end(attempt: Attempt, outcome: AttemptOutcome): void {
    attempt.outcome = outcome;
    this.events.push({ type: "Ended", attempt });
  }

  beginRead(): number {
    this.events.push({ type: "ReadBegun", read: ++this.lastRead });
    return this.lastRead;
  }

  /** A read on its own, or (`attempt`) one in a transaction. */
  endRead(
    read: number, application: string, seen: Seen | null, consistency: Consistency = "linearizable",
    attempt: Attempt | null = null,
  ): void {
    this.events.push({ type: "ReadEnded", read, application, attempt, consistency, seen });
  }

  surprise(application: string, message: string): void {
    this.events.push({ type: "Surprised", application, message });
  }

  /** What happened since the last call, in order. */
  take(): readonly HistoryEvent[] {
    const events = this.events;
    this.events = [];
    return events;
  }
}
