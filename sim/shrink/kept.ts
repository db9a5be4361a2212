/**
 * Which occurrences a smaller run keeps: a set of addresses (chance.ts), and its text.
 * `network/a>b:3,7-9;nemesis/pause:2` are packets 3 and 7 to 9 from a to b, and the second beat of pauses; spaces in
 * names of streams are written as "/".
 */
import type { Occurrence } from "../course.ts";

/** By stream: numbers from 1. */
export type Kept = ReadonlyMap<string, ReadonlySet<number>>;

export interface Address {
  readonly stream: string;
  readonly number: number;
}

export function keepOnly(addresses: readonly Address[]): Kept {
  const kept = new Map<string, Set<number>>();
  for (const { stream, number } of addresses) {
    const numbers = kept.get(stream) ?? new Set();
    kept.set(stream, numbers.add(number));
  }
  return kept;
}

export function countKept(kept: Kept): number {
  let count = 0;
  for (const numbers of kept.values()) count += numbers.size;
  return count;
}

/** The kind of a stream: its name without who takes part. "c disk crash" is of "disk crash". */
export function classOf(stream: string): string {
  return stream.split(" ").filter((word) => !isSomebody(word)).join(" ");
}

function isSomebody(word: string): boolean {
  return /^([a-j]|client-[\d.]+)(>([a-j]|client-[\d.]+))?$/.test(word);
}

/** Each address once, in the order in which they first occurred; with all the words that were said of it. */
export function joinOccurrences(occurrences: readonly Occurrence[]): readonly Occurrence[] {
  const joined = new Map<string, Occurrence>();
  for (const one of occurrences) {
    const address = `${one.stream} ${one.number}`;
    const before = joined.get(address);
    joined.set(address, before === undefined ? one : { ...before, words: `${before.words}; ${one.words}` });
  }
  return [...joined.values()];
}

export function formatKept(kept: Kept): string {
  const streams = [...kept].sort(([one], [other]) => (one < other ? -1 : 1));
  const parts = streams.map(([stream, numbers]) => `${stream.replaceAll(" ", "/")}:${formatNumbers(numbers)}`);
  return parts.length === 0 ? "none" : parts.join(";");
}

/** null: that is not the text of a set. */
export function parseKept(text: string): Kept | null {
  const kept = new Map<string, Set<number>>();
  if (text === "none") return kept;
  for (const part of text.split(";")) {
    const [name = "", list = "", ...more] = part.split(":");
    const numbers = parseNumbers(list);
    if (!/^[\w./>-]+$/.test(name) || numbers === null || more.length > 0) return null;
    kept.set(name.replaceAll("/", " "), numbers);
  }
  return kept;
}

function formatNumbers(numbers: ReadonlySet<number>): string {
  const ranges: { from: number; to: number }[] = [];
  for (const number of [...numbers].sort((one, other) => one - other)) {
    const last = ranges.at(-1);
    if (last !== undefined && last.to === number - 1) last.to = number;
    else ranges.push({ from: number, to: number });
  }
  return ranges.map(({ from, to }) => (from === to ? `${from}` : `${from}-${to}`)).join(",");
}

const MAX_RANGE = 1_000_000;

function parseNumbers(text: string): Set<number> | null {
  const numbers = new Set<number>();
  for (const range of text.split(",")) {
    const found = /^([1-9]\d{0,8})(?:-([1-9]\d{0,8}))?$/.exec(range);
    if (found === null) return null;
    const from = Number(found[1]);
    const to = Number(found[2] ?? from);
    if (to < from || to - from > MAX_RANGE) return null;
    for (let number = from; number <= to; number++) numbers.add(number);
  }
  return numbers;
}
