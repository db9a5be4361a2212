/**
 * The core's own dice: xoshiro128** (Blackman and Vigna, "Scrambled linear pseudorandom number generators", 2021),
 * seeded with 16 bytes that come from outside. Integer arithmetic only, so that a seed means the same everywhere.
 * Not for secrets.
 */
import { invariant } from "./invariant.ts";

export const SEED_SIZE = 16;

export class Random {
  private a: number;
  private b: number;
  private c: number;
  private d: number;

  /** Four words of 32 bits; all zero is replaced, as the generator would stay at zero. */
  constructor(a: number, b: number, c: number, d: number) {
    // Signed on purpose: what fits 32 bits with a sign is no object to the engines that run this.
    this.a = a | 0;
    this.b = b | 0;
    this.c = c | 0;
    this.d = d | 0;
    if ((this.a | this.b | this.c | this.d) === 0) this.a = 0x9e3779b9 | 0;
  }

  /** @param seed 16 bytes */
  static fromBytes(seed: Uint8Array): Random {
    invariant(seed.length === SEED_SIZE, "a seed has 16 bytes");
    const view = new DataView(seed.buffer, seed.byteOffset, seed.byteLength);
    return new Random(view.getInt32(0, true), view.getInt32(4, true), view.getInt32(8, true), view.getInt32(12, true));
  }

  /** A generator for a seed that people type. Distinct numbers give unrelated sequences (splitmix32). */
  static fromNumber(seed: number): Random {
    const bytes = new Uint8Array(SEED_SIZE);
    const view = new DataView(bytes.buffer);
    // Both halves count: a seed may exceed 32 bits.
    let state = ((seed >>> 0) ^ Math.imul(Math.floor(seed / 4294967296) >>> 0, 0x85ebca6b)) >>> 0;
    for (let at = 0; at < SEED_SIZE; at += 4) {
      state = (state + 0x9e3779b9) >>> 0;
      let word = state;
      word = Math.imul(word ^ (word >>> 16), 0x21f0aaad);
      word = Math.imul(word ^ (word >>> 15), 0x735a2d97);
      view.setUint32(at, (word ^ (word >>> 15)) >>> 0, true);
    }
    return Random.fromBytes(bytes);
  }

  /** Uniform in 0..2^32-1. */
  u32(): number {
    const scaled = Math.imul(this.b, 5);
    const result = Math.imul((scaled << 7) | (scaled >>> 25), 9) >>> 0;
    const shifted = this.b << 9;
    this.c ^= this.a;
    this.d ^= this.b;
    this.b ^= this.c;
    this.a ^= this.d;
    this.c ^= shifted;
    this.d = (this.d << 11) | (this.d >>> 21);
    return result;
  }

  /** Uniform in min..max, both inclusive; at most 2^32 values. The bias of the multiplication is below 2^-20 here. */
  integer(min: number, max: number): number {
    invariant(Number.isSafeInteger(min) && Number.isSafeInteger(max) && min <= max, "a range of integers is not empty");
    return min + Math.floor((this.u32() / 4294967296) * (max - min + 1));
  }

  /** True once in `n` draws, on average. */
  oneIn(n: number): boolean {
    return this.integer(1, n) === 1;
  }

  /** True in `percent` of 100 draws, on average. */
  chance(percent: number): boolean {
    return this.integer(0, 99) < percent;
  }

  pick<T>(values: readonly T[]): T {
    invariant(values.length > 0, "there is something to pick from");
    return values[this.integer(0, values.length - 1)] as T;
  }

  bytes(count: number): Uint8Array {
    const result = new Uint8Array(count);
    for (let at = 0; at < count; at++) result[at] = this.u32() >>> 24;
    return result;
  }

  /** An independent generator, for a part that must not disturb the sequence of the others. */
  fork(): Random {
    return Random.fromBytes(this.bytes(SEED_SIZE));
  }
}
