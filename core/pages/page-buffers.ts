/**
 * Buffers for pages, cut from slabs and recycled. A fresh Uint8Array per page would cost more than the page's whole way
 * through SQLite.
 *
 * The rule that makes recycling safe: every buffer has exactly one owner, a frame, a place of the base image, or the
 * open cut that it has outlived them for. Who replaces it gives it back; nobody else keeps a reference beyond the call
 * in which it was obtained.
 */
const SLAB_BYTES = 256 * 1024;

export class PageBuffers {
  /** How many buffers are with an owner. */
  outstanding = 0;
  private readonly pageSize: number;
  private readonly free: Uint8Array[] = [];

  constructor(pageSize: number) {
    this.pageSize = pageSize;
  }

  /** A buffer with any content. */
  take(): Uint8Array {
    this.outstanding += 1;
    const recycled = this.free.pop();
    if (recycled !== undefined) return recycled;
    const slab = new Uint8Array(Math.max(SLAB_BYTES, this.pageSize));
    for (let from = this.pageSize; from < slab.length; from += this.pageSize) {
      this.free.push(slab.subarray(from, from + this.pageSize));
    }
    return slab.subarray(0, this.pageSize);
  }

  /** A page that was made elsewhere has got an owner here; nobody else writes into it or reads it any more. */
  adopt(): void {
    this.outstanding += 1;
  }

  give(page: Uint8Array): void {
    this.outstanding -= 1;
    this.free.push(page);
  }
}
