/**
 * One number for the whole content of a database, kept current at a cost that depends only on what changed.
 *
 * It is a sum over the pages, so that replacing one page is one subtraction and one addition, and the way there leaves
 * no trace. With mix() the finaliser of MurmurHash3 and c the CRC-32C of page p:
 *
 *     lane(seed) = ( sum over the pages of mix(mix(p xor seed) + c)  +  mix(mix(0 xor seed) + pageCount) )  mod 2^32
 *     value      = (lane(0x7f4a7c15) mod 2^21) * 2^32 + lane(0x9e3779b9)
 *
 * A page that is in no frame (SQLite's lock-byte page) adds nothing. It finds divergence, not malice.
 */
const LOW_SEED = 0x9e3779b9;
const HIGH_SEED = 0x7f4a7c15;
const ABSENT = -1;

export class RollingChecksum {
  /** By page number - 1. */
  private readonly crcs: number[] = [];
  private low = 0;
  private high = 0;

  set(pageNumber: number, crc: number): void {
    while (this.crcs.length < pageNumber) this.crcs.push(ABSENT);
    this.remove(pageNumber);
    this.crcs[pageNumber - 1] = crc;
    this.low = (this.low + term(LOW_SEED, pageNumber, crc)) | 0;
    this.high = (this.high + term(HIGH_SEED, pageNumber, crc)) | 0;
  }

  /** null: the page is not there. */
  crcOf(pageNumber: number): number | null {
    const crc = this.crcs[pageNumber - 1];
    return crc === undefined || crc === ABSENT ? null : crc;
  }

  /** The database has `pageCount` pages now: what lay beyond is gone. */
  truncate(pageCount: number): void {
    while (this.crcs.length > pageCount) {
      this.remove(this.crcs.length);
      this.crcs.pop();
    }
  }

  value(pageCount: number): number {
    const low = (this.low + term(LOW_SEED, 0, pageCount)) >>> 0;
    const high = (this.high + term(HIGH_SEED, 0, pageCount)) >>> 0;
    return (high & 0x1fffff) * 4294967296 + low;
  }

  private remove(pageNumber: number): void {
    const crc = this.crcs[pageNumber - 1]!;
    if (crc === ABSENT) return;
    this.low = (this.low - term(LOW_SEED, pageNumber, crc)) | 0;
    this.high = (this.high - term(HIGH_SEED, pageNumber, crc)) | 0;
  }
}

function term(seed: number, pageNumber: number, crc: number): number {
  return mix((mix(pageNumber ^ seed) + crc) | 0);
}

function mix(word: number): number {
  let mixed = Math.imul(word ^ (word >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return mixed ^ (mixed >>> 16);
}
