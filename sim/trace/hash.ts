/**
 * The course of a run as one number: an incremental 64-bit hash over every input and effect of every machine. Not for
 * secrets: it only has to differ when two runs differ. Two lanes of 32 bits in integer arithmetic, equal everywhere.
 */
const PRIME_A = 0x9e3779b1;
const PRIME_B = 0x85ebca77;
const PRIME_C = 0xc2b2ae3d;
const PRIME_D = 0x27d4eb2f;
/** Below this, making a view costs more than it saves. */
const MIN_VIEWED_BYTES = 512;

export class TraceHash {
  private a = 0x243f6a88;
  private b = 0x13198a2e;

  /** A number of any kind that a trace holds: whole, below 2^53. */
  number(value: number): this {
    this.word(value | 0);
    if (value > 0x7fffffff || value < 0) this.word(Math.floor(value / 4294967296) | 0);
    return this;
  }

  text(text: string): this {
    this.word(text.length);
    for (let at = 0; at < text.length; at++) this.word(text.charCodeAt(at));
    return this;
  }

  bytes(bytes: Uint8Array): this {
    const { length: size } = bytes;
    const whole = size - (size & 7);
    if (size >= MIN_VIEWED_BYTES) {
      this.words(new DataView(bytes.buffer, bytes.byteOffset, whole), size);
    } else {
      this.wordsOf(bytes, whole);
    }
    for (let at = whole; at < size; at++) this.word(bytes[at]!);
    return this;
  }

  /** 16 hex digits. The hash may go on afterwards. */
  digest(): string {
    const mixed = mix(this.a ^ Math.imul(this.b, PRIME_C));
    const other = mix(this.b ^ Math.imul(mixed, PRIME_D));
    return hex(mixed) + hex(other);
  }

  /** Eight bytes a turn, one word for each lane; the lanes meet in the rotation of the digest. */
  private wordsOf(bytes: Uint8Array, end: number): void {
    let a = this.a ^ bytes.length;
    let b = this.b;
    for (let at = 0; at < end; at += 8) {
      const low = bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
      const high = bytes[at + 4]! | (bytes[at + 5]! << 8) | (bytes[at + 6]! << 16) | (bytes[at + 7]! << 24);
      a = Math.imul(a ^ low, PRIME_A);
      a = (a << 13) | (a >>> 19);
      b = Math.imul(b ^ high, PRIME_B);
      b = (b << 15) | (b >>> 17);
    }
    this.a = a;
    this.b = b;
  }

  /** The same, where a view costs less than it saves. */
  private words(view: DataView, size: number): void {
    const end = view.byteLength;
    let a = this.a ^ size;
    let b = this.b;
    for (let at = 0; at < end; at += 8) {
      a = Math.imul(a ^ view.getInt32(at, true), PRIME_A);
      a = (a << 13) | (a >>> 19);
      b = Math.imul(b ^ view.getInt32(at + 4, true), PRIME_B);
      b = (b << 15) | (b >>> 17);
    }
    this.a = a;
    this.b = b;
  }

  private word(word: number): void {
    const a = Math.imul(this.a ^ word, PRIME_A);
    this.a = (a << 13) | (a >>> 19);
    const b = Math.imul(this.b ^ word ^ this.a, PRIME_B);
    this.b = (b << 15) | (b >>> 17);
  }
}

function mix(word: number): number {
  let mixed = Math.imul(word ^ (word >>> 15), PRIME_C);
  mixed = Math.imul(mixed ^ (mixed >>> 13), PRIME_D);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}

function hex(word: number): string {
  return (word >>> 0).toString(16).padStart(8, "0");
}
