/**
 * One order for all keys (strict serializability). Each append has a position in the one list of all keys, and nothing
 * ever leaves it: so a state of the database is "everything up to position p", and whatever a transaction did must have
 * been done in one such state.
 *
 *   - What it has seen of several keys is of one state: a row that it lacks stands behind all that it has.
 *   - That state is the one right before its own appends, if it was committed.
 *   - Real time counts across keys: what anybody was told before it began is in it, and its appends stand behind that.
 *
 * The list oracle judges each key by itself; a cycle through two keys is found here. The hard idea: a row that was not
 * seen may become known much later. So it is remembered, for each length at which a key was seen, up to which position
 * the state that showed it was whole; whatever turns up at that place must stand behind.
 */
import type { Attempt, Seen } from "../workload/history.ts";
import type { Violation } from "./boundary.ts";
import type { ListOracle } from "./list-oracle.ts";
import type { Reading } from "./reading.ts";
import { countBefore } from "./time-line.ts";
import { violation } from "./violation.ts";

type SeenList = Seen & { readonly type: "list" };

/** The highest position that somebody was told, and when: rising maxima. */
class Told {
  private readonly positions: number[] = [];
  private readonly times: number[] = [];

  add(position: number, now: number): void {
    if (position <= (this.positions.at(-1) ?? 0)) return;
    this.positions.push(position);
    this.times.push(now);
  }

  before(time: number): number {
    return this.positions[countBefore(this.times, time) - 1] ?? 0;
  }
}

/** How much of a key somebody saw: its first `count` rows. */
interface Sight {
  readonly key: number;
  readonly count: number;
}

/** What one transaction has seen so far. */
interface View {
  /** Everything up to there is in its state. */
  position: number;
  readonly sights: Sight[];
}

/** For each length at which a key was seen: up to where the states that showed it were whole. */
interface Wholeness {
  readonly positions: number[];
  /** How many rows of the key have been compared with that. */
  judged: number;
}

export class SerialOracle {
  private readonly lists: ListOracle;
  private readonly wholeness = new Map<number, Wholeness>();
  private readonly views = new Map<Attempt, View>();
  private readonly everybody = new Told();
  private readonly applications = new Map<string, Told>();
  /** Up to where somebody had been told when an attempt asked for its first append. */
  private readonly toldBefore = new Map<Attempt, number>();

  constructor(lists: ListOracle) {
    this.lists = lists;
  }

  asked(attempt: Attempt, now: number): void {
    if (!this.toldBefore.has(attempt)) this.toldBefore.set(attempt, this.everybody.before(now));
  }

  /** `seen` is a list that the list oracle has passed. `attempt`: the transaction that read it; null: a query. */
  read(seen: SeenList, reading: Reading, attempt: Attempt | null, now: number): Violation | null {
    const { key, rows, own } = seen;
    const others = own.length === 0 ? rows : rows.filter(({ value }) => !own.includes(value));
    const highest = others.at(-1)?.position ?? 0;
    const view = this.viewOf(attempt);
    view.position = Math.max(view.position, highest, this.toldTo(reading));
    if (key !== null) view.sights.push({ key, count: others.length });
    this.tell(reading.application, highest, now);
    return this.judgeView(view) ?? this.judgeNewRows(key);
  }

  ended(attempt: Attempt, now: number): Violation | null {
    const view = this.views.get(attempt);
    this.views.delete(attempt);
    const before = this.toldBefore.get(attempt) ?? 0;
    this.toldBefore.delete(attempt);
    if (attempt.outcome !== "committed" || attempt.positions.size === 0) return null;
    const positions = [...attempt.positions.values()];
    const first = Math.min(...positions);
    if (first <= before) {
      const what = `attempt ${attempt.number} appended at ${first}`;
      return violation("serial-order", `${what}, behind position ${before} by what was told before it asked`);
    }
    this.tell(attempt.application, Math.max(...positions), now);
    if (view === undefined) return null;
    if (view.position >= first) {
      const message = `attempt ${attempt.number} has seen position ${view.position}, and appended at ${first}`;
      return violation("serial-order", message);
    }
    view.position = first - 1;
    return this.judgeView(view);
  }

  private viewOf(attempt: Attempt | null): View {
    const known = attempt === null ? undefined : this.views.get(attempt);
    if (known !== undefined) return known;
    const view: View = { position: 0, sights: [] };
    if (attempt !== null) this.views.set(attempt, view);
    return view;
  }

  private toldTo({ application, consistency, begunAt }: Reading): number {
    const told = consistency === "session" ? this.applications.get(application) : this.everybody;
    return told?.before(begunAt) ?? 0;
  }

  private tell(application: string, position: number, now: number): void {
    this.everybody.add(position, now);
    let told = this.applications.get(application);
    if (told === undefined) this.applications.set(application, (told = new Told()));
    told.add(position, now);
  }

  /** Its state is whole up to a position: of each key that it saw, what comes next stands behind that. */
  private judgeView({ position, sights }: View): Violation | null {
    for (const { key, count } of sights) {
      const next = this.lists.rowsOf(key)[count];
      if (next !== undefined && next.position <= position) return outOfOrder(key, count, next.position, position);
      const { positions } = this.wholenessOf(key);
      if (position > (positions[count] ?? 0)) positions[count] = position;
    }
    return null;
  }

  /** Rows that nobody had seen before, of one key or of all. */
  private judgeNewRows(key: number | null): Violation | null {
    for (const one of key === null ? this.wholeness.keys() : [key]) {
      const known = this.lists.rowsOf(one);
      const wholeness = this.wholenessOf(one);
      for (; wholeness.judged < known.length; wholeness.judged++) {
        const count = wholeness.judged;
        const { position } = known[count]!;
        const whole = wholeness.positions[count] ?? 0;
        if (position <= whole) return outOfOrder(one, count, position, whole);
      }
    }
    return null;
  }

  private wholenessOf(key: number): Wholeness {
    let wholeness = this.wholeness.get(key);
    if (wholeness === undefined) this.wholeness.set(key, (wholeness = { positions: [], judged: 0 }));
    return wholeness;
  }
}

function outOfOrder(key: number, count: number, position: number, whole: number): Violation {
  const what = `a read of key ${key} has ${count} values, of a state that is whole up to position ${whole}`;
  return violation("serial-order", `${what}; the next value of that key stands at ${position}`);
}
