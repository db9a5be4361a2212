/**
 * Reading entries back that have left memory: at most one read under way for each purpose.
 *
 * A read outlives what it was ordered for: leadership may be lost and won again before its answer comes. So an order
 * remembers the term, and its answer is taken only while that term lasts. Committed entries are wanted in any term.
 */
import { invariant } from "../invariant.ts";
import type { Entry, LogIndex, Term } from "../types.ts";
import type { RaftEffect, ReadPurpose } from "./boundary.ts";
import type { Log } from "./log.ts";

export interface ReadOrder {
  readonly from: LogIndex;
  readonly end: LogIndex;
  /** currentTerm when it was ordered. */
  readonly term: Term;
}

export class ReadBack {
  /** By the follower's id; "": to apply. */
  private readonly underWay = new Map<string, ReadOrder>();

  /** Orders a read unless one for the same purpose is under way. */
  order(purpose: ReadPurpose, order: ReadOrder, maxBytes: number, effects: RaftEffect[]): void {
    const key = keyOf(purpose);
    if (this.underWay.has(key)) return;
    this.underWay.set(key, order);
    effects.push({ type: "ReadEntries", purpose, from: order.from, end: order.end, maxBytes });
  }

  /** What the answer was ordered as. */
  answered(purpose: ReadPurpose): ReadOrder {
    const order = this.underWay.get(keyOf(purpose));
    invariant(order !== undefined, "an answer belongs to a read that was ordered");
    this.underWay.delete(keyOf(purpose));
    return order;
  }
}

/** Whether our own disk answered what was asked: at least one of the log's entries, consecutive from `from` on. */
export function isAnswerTo(order: ReadOrder, entries: readonly Entry[], log: Log): boolean {
  if (entries.length === 0 || entries.length > order.end - order.from) return false;
  return entries.every((entry, at) => entry.index === order.from + at && log.holds(entry));
}

function keyOf(purpose: ReadPurpose): string {
  return purpose.type === "apply" ? "" : purpose.to;
}
