/**
 * Linearizable lists. Values are unique and never removed, so each key has one final list, of which every read must be
 * a beginning; and real time is respected:
 *
 *   - an append acknowledged before a read began is in it, and stands before every append that was asked for later;
 *   - a read never goes back behind one that ended before it began;
 *   - nothing is in it that nobody asked for, that was not to be committed yet, or that surely was not executed.
 *
 * A read of consistency "session" need not be so new: what its own application was told and has read before is what it
 * may not go back behind. Everything else holds for it, too.
 *
 * A read costs its length, an append what lies between it and the last one judged.
 */
import { countBefore } from "./time-line.ts";
import type { Violation } from "./boundary.ts";
import type { Attempt, ListRow, Seen } from "../workload/history.ts";
import type { Reading } from "./reading.ts";
import { violation } from "./violation.ts";

type SeenList = Seen & { readonly type: "list" };

/** One value that somebody asked to append. */
interface Append {
  readonly attempt: Attempt;
  readonly key: number;
  /** When the call was made. */
  readonly askedAt: number;
  refused: boolean;
}

/** Who was told of what in one key, and when: everybody together, or one application. */
class Told {
  /** Acknowledged values, and when; in this order. */
  readonly acknowledged: number[] = [];
  readonly acknowledgedAt: number[] = [];
  /** needed[n]: how long a list is that contains the first n acknowledged values. */
  readonly needed: number[] = [0];
  /** Lengths of completed reads, each longer than the one before, and when they ended. */
  readonly lengths: number[] = [];
  readonly lengthsAt: number[] = [];

  ofValue(value: number, now: number): void {
    this.acknowledged.push(value);
    this.acknowledgedAt.push(now);
  }

  ofLength(length: number, now: number): void {
    if (length <= (this.lengths.at(-1) ?? 0)) return;
    this.lengths.push(length);
    this.lengthsAt.push(now);
  }
}

/** What is known of one key. Times are counts of history events. */
class KnownList {
  /** The longest beginning of the final list that was seen. */
  readonly rows: ListRow[] = [];
  readonly indexOf = new Map<number, number>();
  readonly everybody = new Told();
  private readonly applications = new Map<string, Told>();

  application(name: string): Told {
    let told = this.applications.get(name);
    if (told === undefined) this.applications.set(name, (told = new Told()));
    return told;
  }
}

export class ListOracle {
  private readonly appends = new Map<number, Append>();
  private readonly lists = new Map<number, KnownList>();

  /** What is known of a key's final list: the longest beginning that was seen. */
  rowsOf(key: number): readonly ListRow[] {
    return this.lists.get(key)?.rows ?? [];
  }

  asked(attempt: Attempt, key: number, value: number, now: number): void {
    this.appends.set(value, { attempt, key, askedAt: now, refused: false });
  }

  refused(value: number): void {
    const append = this.appends.get(value);
    if (append !== undefined) append.refused = true;
  }

  acknowledged(attempt: Attempt, key: number, value: number, now: number): Violation | null {
    const list = this.list(key);
    list.everybody.ofValue(value, now);
    list.application(attempt.application).ofValue(value, now);
    const index = list.indexOf.get(value);
    return index === undefined ? null : judgePosition(attempt, list.rows[index] as ListRow);
  }

  /** The attempt surely left nothing: was a value of its seen? */
  notExecuted(key: number, value: number): Violation | null {
    if (!this.list(key).indexOf.has(value)) return null;
    return violation("not-executed", `value ${value} of key ${key} was read, but surely not executed`);
  }

  /** A read of one key, or of all, that ends now. */
  read({ key, rows, own }: SeenList, reading: Reading, now: number): Violation | null {
    const others = own.length === 0 ? rows : rows.filter((row) => !own.includes(row.value));
    for (const value of own) {
      if (key !== null && this.appends.get(value)?.key !== key) continue;
      if (!rows.some((row) => row.value === value)) {
        return violation("answer", `a transaction that appended ${value} did not find it in key ${key ?? "all"}`);
      }
    }
    if (key !== null) return this.readKey(key, others, reading, now);
    for (const [at, row] of others.entries()) {
      if (row.position === at + 1) continue;
      return violation("list-order", `position ${at + 1} is missing, ${row.position} follows`);
    }
    const byKey = new Map<number, ListRow[]>([...this.lists.keys()].map((known) => [known, []]));
    for (const row of others) {
      const list = byKey.get(row.key);
      if (list === undefined) byKey.set(row.key, [row]);
      else list.push(row);
    }
    for (const [one, list] of byKey) {
      const found = this.readKey(one, list, reading, now);
      if (found !== null) return found;
    }
    return this.judgeAtomicity(others);
  }

  private readKey(key: number, rows: readonly ListRow[], reading: Reading, now: number): Violation | null {
    const list = this.list(key);
    for (const [index, row] of rows.entries()) {
      const known = list.rows[index];
      const found = known === undefined ? this.extend(list, key, row) : judgeSame(key, index, known, row);
      if (found !== null) return found;
    }
    const found = this.judgeAge(key, list, rows.length, reading);
    list.everybody.ofLength(rows.length, now);
    list.application(reading.application).ofLength(rows.length, now);
    return found;
  }

  private judgeAge(key: number, list: KnownList, length: number, reading: Reading): Violation | null {
    const { application, consistency, begunAt } = reading;
    const told = consistency === "session" ? list.application(application) : list.everybody;
    const acknowledged = countBefore(told.acknowledgedAt, begunAt);
    const needed = this.needed(list, told, acknowledged);
    if (needed === null || needed > length) {
      const isMissing = (value: number): boolean => (list.indexOf.get(value) ?? length) >= length;
      const missing = told.acknowledged.slice(0, acknowledged).find(isMissing);
      const message = `a ${consistency} read of key ${key} has ${length} values and lacks ${missing}`;
      return violation("stale-read", `${message}, acknowledged before`);
    }
    const seen = told.lengths[countBefore(told.lengthsAt, begunAt) - 1] ?? 0;
    if (seen <= length) return null;
    const message = `a ${consistency} read of key ${key} has ${length} values where an earlier one had ${seen}`;
    return violation("stale-read", message);
  }

  /** A value is seen for the first time. */
  private extend(list: KnownList, key: number, row: ListRow): Violation | null {
    const append = this.appends.get(row.value);
    if (append === undefined || append.key !== key) {
      return violation("phantom-read", `nobody appended ${row.value} to key ${key}`);
    }
    const { attempt } = append;
    if (list.indexOf.has(row.value)) return violation("answer", `value ${row.value} stands twice in key ${key}`);
    if (append.refused || attempt.outcome === "notExecuted") {
      return violation("not-executed", `value ${row.value} of key ${key} was read, but surely not executed`);
    }
    if (!attempt.commitAsked) {
      return violation("phantom-read", `value ${row.value} was read before its commit was asked for`);
    }
    const index = list.rows.length;
    const { everybody } = list;
    const needed = this.needed(list, everybody, countBefore(everybody.acknowledgedAt, append.askedAt));
    if (needed === null || needed > index) {
      const message = `value ${row.value} of key ${key} stands before one acknowledged before it was asked for`;
      return violation("list-order", message);
    }
    list.rows.push(row);
    list.indexOf.set(row.value, index);
    return attempt.outcome === "committed" ? judgePosition(attempt, row) : null;
  }

  /** How long a list is that contains the first `count` acknowledged values; null: one was not seen yet. */
  private needed({ indexOf }: KnownList, { acknowledged, needed }: Told, count: number): number | null {
    while (needed.length <= count) {
      const index = indexOf.get(acknowledged[needed.length - 1] as number);
      if (index === undefined) return null;
      needed.push(Math.max(needed.at(-1) as number, index + 1));
    }
    return needed[count] as number;
  }

  /** In a read of everything, a transaction's appends are all there, or none is. */
  private judgeAtomicity(rows: readonly ListRow[]): Violation | null {
    const counts = new Map<Attempt, number>();
    for (const row of rows) {
      const attempt = this.appends.get(row.value)?.attempt;
      if (attempt !== undefined) counts.set(attempt, (counts.get(attempt) ?? 0) + 1);
    }
    for (const [attempt, count] of counts) {
      const all = attempt.writes.filter((write) => write.type === "append").length;
      if (count === all) continue;
      return violation("atomicity", `a read shows ${count} of the ${all} appends of attempt ${attempt.number}`);
    }
    return null;
  }

  private list(key: number): KnownList {
    let list = this.lists.get(key);
    if (list === undefined) this.lists.set(key, (list = new KnownList()));
    return list;
  }
}

function judgeSame(key: number, index: number, known: ListRow, row: ListRow): Violation | null {
  if (known.value === row.value && known.position === row.position) return null;
  const message = `place ${index} of key ${key} was ${known.value} at ${known.position}, `
    + `now it is ${row.value} at ${row.position}`;
  return violation("list-order", message);
}

function judgePosition(attempt: Attempt, row: ListRow): Violation | null {
  const answered = attempt.positions.get(row.value);
  if (answered === undefined || answered === row.position) return null;
  const message = `the append of ${row.value} was answered with position ${answered}, it stands at ${row.position}`;
  return violation("answer", message);
}
