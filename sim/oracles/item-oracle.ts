/**
 * Linearizable single rows: an item goes in once and never leaves. So a read that began after its insert was
 * acknowledged, or after another read had found it, finds it; and nobody finds what was not asked for or surely not
 * executed. A read of consistency "session" finds what its own application was told of, or has found.
 */
import type { Attempt } from "../workload/history.ts";
import type { Violation } from "./boundary.ts";
import type { Reading } from "./reading.ts";
import { violation } from "./violation.ts";

interface Item {
  readonly attempt: Attempt;
  refused: boolean;
  /** When it was first known to be there; null: it is not known. */
  thereSince: number | null;
  /** The same, by application. */
  readonly thereFor: Map<string, number>;
  /** Somebody read it. */
  seen: boolean;
}

export class ItemOracle {
  private readonly items = new Map<number, Item>();

  asked(attempt: Attempt, id: number): void {
    this.items.set(id, { attempt, refused: false, thereSince: null, thereFor: new Map(), seen: false });
  }

  refused(id: number): void {
    const item = this.items.get(id);
    if (item !== undefined) item.refused = true;
  }

  acknowledged(id: number, now: number): void {
    const item = this.items.get(id);
    if (item !== undefined) isKnownTo(item, item.attempt.application, now);
  }

  notExecuted(id: number): Violation | null {
    if (this.items.get(id)?.seen !== true) return null;
    return violation("not-executed", `item ${id} was read, but surely not inserted`);
  }

  read(id: number, found: boolean, { application, consistency, begunAt }: Reading, now: number): Violation | null {
    const item = this.items.get(id);
    if (!found) {
      const since = consistency === "session" ? item?.thereFor.get(application) : item?.thereSince;
      if (since === undefined || since === null || since >= begunAt) return null;
      return violation("stale-read", `item ${id} was there before a ${consistency} read began that did not find it`);
    }
    if (item === undefined) return violation("phantom-read", `nobody inserted item ${id}, but a read found it`);
    if (item.refused || item.attempt.outcome === "notExecuted") {
      return violation("not-executed", `item ${id} was read, but surely not inserted`);
    }
    if (!item.attempt.commitAsked) {
      return violation("phantom-read", `item ${id} was read before its commit was asked for`);
    }
    isKnownTo(item, application, now);
    item.seen = true;
    return null;
  }
}

function isKnownTo(item: Item, application: string, now: number): void {
  item.thereSince ??= now;
  if (!item.thereFor.has(application)) item.thereFor.set(application, now);
}
