/**
 * A database that is nowhere: pages of noise, drawn from a few hundred that are in memory, so that a gigabyte costs
 * neither memory nor time. It changes pages at random and hands out what has changed as a cut.
 */
import { randomFillSync } from "node:crypto";
import { crc32c } from "../core/checksum.ts";
import type { PageCut } from "../core/pages/page-cut.ts";
import { RollingChecksum } from "../core/pages/rolling-checksum.ts";
import type { Random } from "../core/random.ts";

export const PAGE_SIZE = 4096;
const PATTERN_COUNT = 256;

interface Pattern {
  readonly bytes: Uint8Array;
  readonly crc: number;
}

/** A database that changes and is stored by cuts. */
export interface ChangingPages {
  readonly pageCount: number;
  /** So many pages at random, or all if there are fewer. */
  changePages(count: number): void;
  /** What has changed since the cut before; the first time all there is. */
  cut(): PageCut;
  endCut(isStored: boolean): void;
}

export class PageSource implements ChangingPages {
  readonly pageCount: number;
  private readonly random: Random;
  private readonly patterns: readonly Pattern[] = Array.from({ length: PATTERN_COUNT }, noise);
  /** Which pattern each page shows, by its number - 1. */
  private readonly shown: Uint8Array;
  private readonly rolling = new RollingChecksum();
  /** Since the last cut. */
  private changed = new Set<number>();

  constructor(bytes: number, random: Random) {
    this.pageCount = Math.ceil(bytes / PAGE_SIZE);
    this.random = random;
    this.shown = new Uint8Array(this.pageCount);
    for (let number = 1; number <= this.pageCount; number++) this.change(number);
  }

  changePages(count: number): void {
    const wanted = Math.min(count, this.pageCount);
    while (this.changed.size < wanted) this.change(this.random.integer(1, this.pageCount));
  }

  endCut(): void {}

  cut(): PageCut {
    const numbers = Uint32Array.from(this.changed).sort();
    this.changed = new Set();
    const patterns = Array.from(numbers, (number) => this.patterns[this.shown[number - 1]!]!);
    return {
      pageSize: PAGE_SIZE,
      pageCount: this.pageCount,
      checksum: this.rolling.value(this.pageCount),
      numbers,
      crcs: Uint32Array.from(patterns, ({ crc }) => crc),
      pageAt: (place) => patterns[place]!.bytes,
    };
  }

  private change(number: number): void {
    const pattern = this.random.integer(0, PATTERN_COUNT - 1);
    this.shown[number - 1] = pattern;
    this.rolling.set(number, this.patterns[pattern]!.crc);
    this.changed.add(number);
  }
}

function noise(): Pattern {
  const bytes = randomFillSync(new Uint8Array(PAGE_SIZE));
  return { bytes, crc: crc32c(bytes) };
}
