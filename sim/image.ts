/** Bytes with a size of their own: what lies behind the buffer's end and before the size is zero. */

export class Image {
  size = 0;
  private buffer = new Uint8Array(0);
  /** Another image has the same buffer: it is copied before it is changed. */
  private isShared = false;

  /** Puts a part of `bytes`, [from, end), where it belongs if all of them stand at `offset`. */
  write(offset: number, bytes: Uint8Array, from = 0, end = bytes.length): void {
    const last = offset + end;
    if (last > this.buffer.length || this.isShared) this.reserve(last);
    // Whole writes need no view of a part.
    this.buffer.set(from === 0 && end === bytes.length ? bytes : bytes.subarray(from, end), offset + from);
    if (last > this.size) this.size = last;
  }

  read(offset: number, length: number): Uint8Array {
    const end = Math.min(offset + length, this.size);
    const result = new Uint8Array(Math.max(0, end - offset));
    const stored = Math.min(end, this.buffer.length);
    if (stored > offset) result.set(this.buffer.subarray(offset, stored));
    return result;
  }

  /** Not copied. Zeros at the end may be missing. */
  stored(): Uint8Array {
    return this.buffer.subarray(0, this.size);
  }

  holds(offset: number, bytes: Uint8Array): boolean {
    if (offset + bytes.length > this.size) return false;
    for (let at = 0; at < bytes.length; at++) {
      if ((this.buffer[offset + at] ?? 0) !== bytes[at]) return false;
    }
    return true;
  }

  copyFrom(other: Image): void {
    this.buffer = other.buffer.slice();
    this.isShared = false;
    this.size = other.size;
  }

  /** Another one with the same content; neither sees what is written to the other. */
  fork(): Image {
    const fork = new Image();
    fork.buffer = this.buffer;
    fork.size = this.size;
    fork.isShared = true;
    this.isShared = true;
    return fork;
  }

  private reserve(size: number): void {
    const enough = size <= this.buffer.length ? this.buffer.length : Math.max(size, 2 * this.buffer.length, 4096);
    const grown = new Uint8Array(enough);
    grown.set(this.buffer);
    this.buffer = grown;
    this.isShared = false;
  }
}
