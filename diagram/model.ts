/**
 * The run as a page sees it: the tables of a chronicle as objects, in the order of time, with the ways between them
 * (who caused what, what a node was at a time). It knows neither colours nor places on a screen.
 */
import {
  type Cause, type Chronicle, FATES, type Fate, type Moment, OUTCOMES, type Outcome, ROLES, type Role, type Span,
} from "../sim/chronicle/format.ts";
import { kindOf, type PacketKind } from "./kinds.ts";

/** What may have caused something: a row of a chronicle, under the number that causes are given by. */
interface Linked {
  readonly id: Cause;
  readonly cause: Cause;
  readonly text: string;
  /** When it began, and when it led to something. */
  readonly at: number;
  readonly end: number;
}

export interface Packet extends Linked {
  readonly type: "packet";
  readonly from: number;
  readonly to: number;
  readonly fate: Fate;
  readonly isCopy: boolean;
  readonly kind: PacketKind;
}

export interface Operation extends Linked {
  readonly type: "operation";
  readonly lane: number;
  readonly isDone: boolean;
  readonly hasFailed: boolean;
}

export interface Call extends Linked {
  readonly type: "call";
  readonly lane: number;
  readonly isOver: boolean;
  readonly application: string;
  readonly transaction: number;
  readonly outcome: Outcome;
  readonly result: string;
  /** Calls that overlap stand below each other. */
  readonly place: number;
}

export type Link = Packet | Operation | Call;

export interface State {
  readonly at: number;
  readonly role: Role;
  readonly term: number;
  readonly commitIndex: number;
  readonly lastApplied: number;
  readonly lastIndex: number;
  readonly baseIndex: number;
}

const MAX_CAUSES = 500;
const NEVER_STARTED: State = {
  at: 0, role: "down", term: 0, commitIndex: 0, lastApplied: 0, lastIndex: 0, baseIndex: 0,
};

export class Model {
  readonly lanes: readonly string[];
  readonly nodeCount: number;
  readonly end: number;
  readonly detailFrom: number;
  /** What led to the step in which the run failed; null: nothing did, or nobody knows. */
  readonly failureCause: Link | null;
  readonly packets: readonly Packet[];
  readonly operations: readonly Operation[];
  readonly calls: readonly Call[];
  /** Of each node, in the order of time. */
  readonly states: readonly (readonly State[])[];
  readonly spans: readonly Span[];
  readonly moments: readonly Moment[];
  /** How many calls of each lane stand below each other. */
  readonly callPlaces: readonly number[];
  private readonly children = new Map<Cause, Link[]>();

  constructor(chronicle: Chronicle) {
    const { nodes, clients, end, detailFrom, texts, spans, moments } = chronicle;
    this.lanes = [...nodes, ...clients];
    this.nodeCount = nodes.length;
    this.end = Math.max(end, 1);
    this.detailFrom = detailFrom;
    this.spans = spans;
    this.moments = moments;
    this.packets = chronicle.packets.map(([at, delay, from, to, fate, isCopy, cause, text], row): Packet => ({
      type: "packet", id: row * 4 + 1, at, end: at + delay, from, to, fate: FATES[fate]!, isCopy: isCopy === 1, cause,
      text: texts[text]!, kind: kindOf(texts[text]!),
    }));
    this.operations = chronicle.operations.map(([at, duration, lane, hasFailed, cause, text], row): Operation => ({
      type: "operation", id: row * 4 + 2, at, end: duration < 0 ? at : at + duration, lane, isDone: duration >= 0,
      hasFailed: hasFailed === 1, cause, text: texts[text]!,
    }));
    const places = new CallPlaces(this.lanes.length);
    this.calls = chronicle.calls.map((row, at) => toCall(row, at, texts, end, places));
    this.callPlaces = places.counts;
    this.states = nodes.map((_, node) => {
      return chronicle.states.filter((row) => row[1] === node).map(([at, , role, term, ...indexes]): State => {
        const [commitIndex, lastApplied, lastIndex, baseIndex] = indexes;
        return { at, role: ROLES[role]!, term, commitIndex, lastApplied, lastIndex, baseIndex };
      });
    });
    this.failureCause = this.link(chronicle.failureCause);
    for (const link of [...this.packets, ...this.operations, ...this.calls]) this.remember(link);
  }

  /** What a node was at a time. */
  stateAt(node: number, at: number): State {
    const states = this.states[node] ?? [];
    return states[countUntil(states, at) - 1] ?? NEVER_STARTED;
  }

  /** null: nothing is known to have caused it. */
  link(id: Cause): Link | null {
    const row = Math.floor(id / 4);
    const table = [null, this.packets, this.operations, this.calls][id % 4] ?? null;
    return table?.[row] ?? null;
  }

  /** What came of it at once. */
  effectsOf(link: Link): readonly Link[] {
    return this.children.get(link.id) ?? [];
  }

  /**
   * From what it was caused by back to the first cause that is known. What is known of a call is why it returned: to
   * what came of the call itself, it is the first cause.
   */
  causesOf(link: Link): readonly Link[] {
    const causes: Link[] = [];
    let next = this.link(link.cause);
    while (next !== null && causes.length < MAX_CAUSES) {
      causes.push(next);
      next = next.type === "call" ? null : this.link(next.cause);
    }
    return causes;
  }

  private remember(link: Link): void {
    if (link.cause === 0) return;
    const known = this.children.get(link.cause);
    if (known === undefined) this.children.set(link.cause, [link]);
    else known.push(link);
  }
}

/** How many of these begin at `at` or before. */
export function countUntil(sorted: readonly { readonly at: number }[], at: number): number {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle]!.at <= at) low = middle + 1;
    else high = middle;
  }
  return low;
}

class CallPlaces {
  readonly counts: number[];
  /** For each lane and place: until when it is taken. */
  private readonly taken: number[][];

  constructor(lanes: number) {
    this.counts = Array.from({ length: lanes }, () => 0);
    this.taken = Array.from({ length: lanes }, () => []);
  }

  take(lane: number, from: number, end: number): number {
    const taken = this.taken[lane]!;
    const free = taken.findIndex((until) => until <= from);
    const place = free < 0 ? taken.length : free;
    taken[place] = end;
    this.counts[lane] = taken.length;
    return place;
  }
}

function toCall(
  row: Chronicle["calls"][number], at: number, texts: readonly string[], end: number, places: CallPlaces,
): Call {
  const [calledAt, duration, lane, application, transaction, outcome, cause, text, result] = row;
  const isOver = duration >= 0;
  const until = isOver ? calledAt + duration : end;
  return {
    type: "call", id: at * 4 + 3, at: calledAt, end: isOver ? until : calledAt, lane, isOver, cause,
    application: texts[application]!, transaction, outcome: OUTCOMES[outcome]!, text: texts[text]!,
    result: isOver ? texts[result]! : "", place: places.take(lane, calledAt, isOver ? until : calledAt + 1),
  };
}
