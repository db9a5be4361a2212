/**
 * Where chance comes from in a simulated world: *addressed dice*. Whatever may turn out one way or another is an
 * occurrence with an address, the name of its stream and its number there: the 12th packet from a to b, the 3rd beat
 * of "nemesis pause", the 7th operation of c's disk. Its dice follow from the seed and that address alone.
 *
 * The hard idea: nothing is drawn from one long sequence. So an occurrence can be left out, that is, take its most
 * ordinary course, and all the others keep their dice: a failing run is made smaller by leaving out more and more, and
 * what is left of it is a seed and a list of addresses. For that, whoever does anything but the most ordinary by some
 * dice says so (`happened`): a run in which only these occurrences are not left out has the same course.
 */
import { Random } from "../core/random.ts";

/** Whether an occurrence takes its most ordinary course. Numbers begin at 1. */
export type LeavesOut = (stream: string, number: number) => boolean;

/** Hears in words of every occurrence that has taken another course than the most ordinary one. */
export type OnHappened = (stream: string, number: number, words: string) => void;

/** The dice of one occurrence. */
export class Dice extends Random {
  /** Whoever would make trouble by these dice must not. What is drawn otherwise, a victim or a size, is as good. */
  readonly isLeftOut: boolean;
  private readonly stream: Stream;
  private readonly number: number;

  constructor(a: number, b: number, c: number, d: number, isLeftOut: boolean, stream: Stream, number: number) {
    super(a, b, c, d);
    this.isLeftOut = isLeftOut;
    this.stream = stream;
    this.number = number;
  }

  /** Something has come of it that would not have if it had been left out. */
  happened(words: () => string): void {
    this.stream.happened(this.number, words);
  }
}

export class Stream {
  readonly name: string;
  /** How many occurrences there have been. */
  count = 0;
  private readonly low: number;
  private readonly high: number;
  private readonly leavesOut: LeavesOut | null;
  private readonly onHappened: OnHappened | null;

  constructor(name: string, low: number, high: number, leavesOut: LeavesOut | null, onHappened: OnHappened | null) {
    this.name = name;
    this.low = low;
    this.high = high;
    this.leavesOut = leavesOut;
    this.onHappened = onHappened;
  }

  next(): Dice {
    const number = ++this.count;
    const isLeftOut = this.leavesOut !== null && this.leavesOut(this.name, number);
    const state = scramble(this.low ^ scramble(this.high + Math.imul(number, 0x9e3779b9)));
    return new Dice(
      state, scramble(state + 0x9e3779b9), scramble(state + 0x3c6ef372), scramble(state ^ this.high), isLeftOut, this,
      number,
    );
  }

  happened(number: number, words: () => string): void {
    if (this.onHappened !== null) this.onHappened(this.name, number, words());
  }
}

export class Chance {
  private readonly seed: number;
  private readonly leavesOut: LeavesOut | null;
  private readonly onHappened: OnHappened | null;
  private readonly prefix: string;
  private readonly streams: Map<string, Stream>;

  /** @param leavesOut null: everything may happen */
  constructor(
    seed: number, leavesOut: LeavesOut | null = null, onHappened: OnHappened | null = null, prefix = "",
    streams = new Map<string, Stream>(),
  ) {
    this.seed = seed;
    this.leavesOut = leavesOut;
    this.onHappened = onHappened;
    this.prefix = prefix;
    this.streams = streams;
  }

  /** The streams of one part of the world: their names begin with its. */
  within(part: string): Chance {
    return new Chance(this.seed, this.leavesOut, this.onHappened, `${this.prefix}${part} `, this.streams);
  }

  /** The stream of that name: always the same one. */
  stream(name: string): Stream {
    const full = this.prefix + name;
    const known = this.streams.get(full);
    if (known !== undefined) return known;
    // Both halves count: a seed may exceed 32 bits.
    let low = scramble(this.seed | 0);
    let high = scramble(Math.floor(this.seed / 4294967296) ^ 0x5bd1e995);
    for (let at = 0; at < full.length; at++) {
      low = scramble(low ^ full.charCodeAt(at));
      high = Math.imul(high ^ low, 0x01000193);
    }
    const stream = new Stream(full, low, high, this.leavesOut, this.onHappened);
    this.streams.set(full, stream);
    return stream;
  }

  /** How many occurrences each stream has had. */
  counts(): ReadonlyMap<string, number> {
    return new Map([...this.streams].map(([name, { count }]) => [name, count]));
  }
}

/** Those of `items` that pass, the first by preference: one that falls away does not change the order of the others. */
export function pickInOrder<Item>(items: readonly Item[], dice: Random, passes: (item: Item) => boolean): Item | null {
  let best: Item | null = null;
  let lowest = Infinity;
  for (const item of items) {
    const rank = dice.u32();
    if (rank < lowest && passes(item)) [best, lowest] = [item, rank];
  }
  return best;
}

export function shuffle<Item>(items: readonly Item[], dice: Random): Item[] {
  const left = [...items];
  const shuffled: Item[] = [];
  while (left.length > 0) shuffled.push(...left.splice(dice.integer(0, left.length - 1), 1));
  return shuffled;
}

/** A permutation of all 32-bit numbers without visible order (splitmix32's). */
function scramble(word: number): number {
  let mixed = Math.imul(word ^ (word >>> 16), 0x21f0aaad);
  mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97);
  return mixed ^ (mixed >>> 15);
}
