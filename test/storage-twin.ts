/**
 * The dumb twin of storage: a list of orders and how many of them were acknowledged. It says which states a restart may
 * find after a crash: everything acknowledged, then any number of the parts that were on their way, in their order.
 */
import type { PersistOrder } from "../core/storage/boundary.ts";
import { INITIAL_HARD_STATE } from "../core/storage/term-file.ts";
import type { Entry, HardState } from "../core/types.ts";
import { StorageRun } from "./storage-run.ts";

/** What the log holds, a word an entry: easy to compare, easy to read. */
export type LogWords = readonly string[];

export function wordOf(entry: Entry): string {
  return `${entry.term}/${entry.index} ${entry.kind} ${entry.payload.length}:${sumOf(entry.payload)}`;
}

/** Tells payloads apart that a test may mistake for each other. */
function sumOf(bytes: Uint8Array): number {
  return bytes.reduce((sum, byte) => (Math.imul(sum, 31) + byte) >>> 0, 7);
}

export class StorageTwin {
  readonly orders: PersistOrder[] = [];
  /** How many of them were answered by Persisted. */
  acknowledged = 0;
  /** What stood before the first order. */
  private readonly initial: { readonly log: LogWords; readonly hardState: HardState };

  constructor(entries: readonly Entry[] = [], hardState: HardState = INITIAL_HARD_STATE) {
    this.initial = { log: entries.map(wordOf), hardState };
  }

  /** null: a restart may find this; otherwise what is wrong with it. */
  judge(log: LogWords, hardState: HardState): string | null {
    const found = `found ${log.join(", ") || "an empty log"} and ${JSON.stringify(hardState)}`;
    const legal = this.logs(this.acknowledged).filter((state) => state.log.join() === log.join());
    if (legal.length === 0) return `${found}: no log that the ${this.acknowledged} acknowledged orders allow`;
    const fits = legal.some(({ orders }) => this.hardStates(orders).some((one) => sameHardState(one, hardState)));
    return fits ? null : `${found}: a hard state older than the log or the acknowledged orders`;
  }

  /** The hard states that may stand beside a log that holds something of the first `orders` orders. */
  private hardStates(orders: number): HardState[] {
    const states: HardState[] = [];
    const least = Math.max(orders, this.acknowledged);
    for (let count = least; count <= this.orders.length; count++) states.push(this.hardStateAfter(count));
    return states;
  }

  /** The log after the first `from` orders, then after each further record, with the number of orders it needs. */
  private logs(from: number): { readonly log: LogWords; readonly orders: number }[] {
    let { log } = this.initial;
    const states = from === 0 ? [{ log, orders: 0 }] : [];
    for (const [at, order] of this.orders.entries()) {
      if (order.truncateTo !== null) {
        log = log.slice(0, order.truncateTo);
        if (at >= from) states.push({ log, orders: at + 1 });
      }
      for (const entry of order.entries) {
        log = [...log, wordOf(entry)];
        if (at >= from) states.push({ log, orders: at + 1 });
      }
      if (at + 1 === from) states.push({ log, orders: from });
    }
    return states;
  }

  private hardStateAfter(count: number): HardState {
    const newest = this.orders.slice(0, count).findLast((order) => order.hardState !== null);
    return newest?.hardState ?? this.initial.hardState;
  }
}

function sameHardState(a: HardState, b: HardState): boolean {
  return a.currentTerm === b.currentTerm && a.votedFor === b.votedFor;
}

/** A run and its twin: every order goes to both. */
export class TwinRun {
  readonly run: StorageRun;
  readonly twin = new StorageTwin();

  constructor(run: StorageRun) {
    this.run = run;
  }

  persist(order: PersistOrder): this {
    this.twin.orders.push(order);
    this.run.persist(order);
    return this.note();
  }

  perform(): void {
    this.run.perform();
    this.note();
  }

  private note(): this {
    this.twin.acknowledged = this.run.persisted.length;
    return this;
  }
}

export function logOf(run: StorageRun): LogWords {
  return run.readAll().map(wordOf);
}
