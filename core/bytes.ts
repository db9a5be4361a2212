/**
 * Little-endian writing and reading of our own formats. A reader never throws on what it reads: the first impossible
 * value becomes its `fault`, and everything read after that is zero or empty. Decode everything, then look at `fault`
 * once.
 */
import { invariant } from "./invariant.ts";
import { decodeUtf8, encodeUtf8 } from "./utf8.ts";

/** Why bytes from outside could not be understood, and where. Never thrown. */
export interface DecodeFault {
  /** What the format demands, positively: "the length lies within the message". */
  readonly rule: string;
  /** Offset of the offending field from the start of what was being decoded. */
  readonly offset: number;
}

export type Decoded<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly fault: DecodeFault };

/** Of each byte. Ids are in the envelope of every message: this is on the hot path. */
const HEX_DIGITS: readonly string[] = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));

/** By the digit's character code: "0" is 0x30, "a" is 0x61. */
function hexValue(code: number): number {
  return (code & 0x0f) + 9 * (code >> 6);
}

export class ByteWriter {
  private bytes: Uint8Array;
  private view: DataView;
  private size = 0;

  constructor(capacity = 256) {
    this.bytes = new Uint8Array(capacity);
    this.view = new DataView(this.bytes.buffer);
  }

  get length(): number {
    return this.size;
  }

  u8(value: number): this {
    this.reserve(1);
    this.view.setUint8(this.size, value);
    this.size += 1;
    return this;
  }

  u16(value: number): this {
    this.reserve(2);
    this.view.setUint16(this.size, value, true);
    this.size += 2;
    return this;
  }

  u32(value: number): this {
    this.reserve(4);
    this.view.setUint32(this.size, value, true);
    this.size += 4;
    return this;
  }

  /** A non-negative integer up to 2^53-1. */
  u64(value: number): this {
    invariant(Number.isSafeInteger(value) && value >= 0, "a u64 of ours is a safe non-negative integer");
    this.reserve(8);
    this.view.setUint32(this.size, value % 4294967296, true);
    this.view.setUint32(this.size + 4, Math.floor(value / 4294967296), true);
    this.size += 8;
    return this;
  }

  i64(value: bigint): this {
    this.reserve(8);
    this.view.setBigInt64(this.size, value, true);
    this.size += 8;
    return this;
  }

  f64(value: number): this {
    this.reserve(8);
    this.view.setFloat64(this.size, value, true);
    this.size += 8;
    return this;
  }

  raw(bytes: Uint8Array): this {
    this.reserve(bytes.length);
    this.bytes.set(bytes, this.size);
    this.size += bytes.length;
    return this;
  }

  /** A u32 length, then the bytes. */
  blob(bytes: Uint8Array): this {
    return this.u32(bytes.length).raw(bytes);
  }

  /** A u32 length in bytes, then UTF-8. */
  text(text: string): this {
    return this.blob(encodeUtf8(text));
  }

  /** Lower-case hex digits, as the bytes that they stand for. */
  hex(digits: string): this {
    this.reserve(digits.length / 2);
    for (let at = 0; at < digits.length; at += 2) {
      this.bytes[this.size++] = (hexValue(digits.charCodeAt(at)) << 4) | hexValue(digits.charCodeAt(at + 1));
    }
    return this;
  }

  /** Overwrites a u32 written before, for lengths and checksums known only at the end. */
  patchU32(at: number, value: number): void {
    invariant(at + 4 <= this.size, "a patch lies within what was written");
    this.view.setUint32(at, value, true);
  }

  /** The bytes written so far; the writer must not be used afterwards. */
  finish(): Uint8Array {
    return this.bytes.subarray(0, this.size);
  }

  private reserve(count: number): void {
    if (this.size + count <= this.bytes.length) return;
    const grown = new Uint8Array(Math.max(this.size + count, this.bytes.length * 2));
    grown.set(this.bytes.subarray(0, this.size));
    this.bytes = grown;
    this.view = new DataView(grown.buffer);
  }
}

export class ByteReader {
  /** The first rule that the bytes broke; null: none so far. */
  fault: DecodeFault | null = null;
  private at = 0;
  private readonly bytes: Uint8Array;
  private readonly view: DataView;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get offset(): number {
    return this.at;
  }

  get remaining(): number {
    return this.bytes.length - this.at;
  }

  /** Records a fault at the field just read, unless there is one already. */
  demand(condition: boolean, rule: string, offset = this.at): void {
    if (!condition && this.fault === null) this.fault = { rule, offset };
  }

  u8(): number {
    return this.take(1) ? this.view.getUint8(this.at - 1) : 0;
  }

  u16(): number {
    return this.take(2) ? this.view.getUint16(this.at - 2, true) : 0;
  }

  u32(): number {
    return this.take(4) ? this.view.getUint32(this.at - 4, true) : 0;
  }

  /** A u64 up to 2^53-1; anything above is a fault. */
  u64(): number {
    if (!this.take(8)) return 0;
    const high = this.view.getUint32(this.at - 4, true);
    this.demand(high < 0x200000, "a u64 is at most 2^53-1", this.at - 8);
    return high < 0x200000 ? high * 4294967296 + this.view.getUint32(this.at - 8, true) : 0;
  }

  i64(): bigint {
    return this.take(8) ? this.view.getBigInt64(this.at - 8, true) : 0n;
  }

  f64(): number {
    return this.take(8) ? this.view.getFloat64(this.at - 8, true) : 0;
  }

  /** `count` bytes, not copied. */
  raw(count: number): Uint8Array {
    return this.take(count) ? this.bytes.subarray(this.at - count, this.at) : new Uint8Array(0);
  }

  /** A u32 length and as many bytes, not copied; the limit is judged before anything is taken. */
  blob(maxSize: number): Uint8Array {
    const size = this.u32();
    this.demand(size <= maxSize, `a length is at most ${maxSize}`, this.at - 4);
    return this.fault === null ? this.raw(size) : new Uint8Array(0);
  }

  text(maxSize: number): string {
    const from = this.at;
    const text = decodeUtf8(this.blob(maxSize));
    this.demand(text !== null, "text is valid UTF-8", from);
    return text ?? "";
  }

  hex(byteCount: number): string {
    let digits = "";
    for (const byte of this.raw(byteCount)) digits += HEX_DIGITS[byte] as string;
    return digits;
  }

  /** What was read, if it all obeyed the format and nothing is left over. */
  finish<T>(value: T): Decoded<T> {
    this.demand(this.remaining === 0, "nothing follows the last field");
    return this.fault === null ? { ok: true, value } : { ok: false, fault: this.fault };
  }

  private take(count: number): boolean {
    this.demand(count <= this.remaining, "the field lies within the bytes");
    if (this.fault !== null) return false;
    this.at += count;
    return true;
  }
}
