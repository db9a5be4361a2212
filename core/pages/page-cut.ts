/**
 * A cut: the pages of one database as of one applied index, as far as they have changed since the cut before it. It is
 * what a checkpoint writes. Nothing of it is copied: its pages are pinned, so the database goes on being written while
 * they make their way to the disk.
 */

export interface PageCut {
  /** In bytes. */
  readonly pageSize: number;
  /** The database's size in pages as of the cut: a page beyond it is absent, whatever an older cut holds. */
  readonly pageCount: number;
  /** Of the whole database as of the cut (rolling-checksum.ts). */
  readonly checksum: number;
  /** Which pages have changed, ascending. In the first cut: all there are. */
  readonly numbers: Uint32Array;
  /** The CRC-32C of each, in the order of `numbers`. */
  readonly crcs: Uint32Array;
  /** The page at a place of `numbers`. Not copied; it does not change before the cut has ended. */
  readonly pageAt: (place: number) => Uint8Array;
}

/** A page on its way from a disk into the store, which takes its bytes over. */
export interface StoredPage {
  /** From 1, as SQLite counts. */
  readonly number: number;
  readonly crc: number;
  readonly bytes: Uint8Array;
}
