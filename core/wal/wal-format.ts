/**
 * The two headers of SQLite's WAL file (SQLite fileformat2 §4.1), as bytes and as values. Everything is big-endian.
 *
 * WAL header: 32 bytes at the start of the file.
 *
 *    0  u32  magic: 0x377f0682, or 0x377f0683 where checksums read words big-endian
 *    4  u32  format version: 3007000
 *    8  u32  page size
 *   12  u32  checkpoint sequence number
 *   16  u32  salt-1
 *   20  u32  salt-2
 *   24  u32  checksum-1, over the first 24 bytes
 *   28  u32  checksum-2
 *
 * Frame header: 24 bytes, followed by the page.
 *
 *    0  u32  page number
 *    4  u32  database size in pages after the commit; 0 if this frame does not commit
 *    8  u32  salt-1, as in the WAL header
 *   12  u32  salt-2, as in the WAL header
 *   16  u32  checksum-1, over the WAL header's first 24 bytes, then of each frame up to and with this one the first
 *            8 bytes of its header and its page
 *   20  u32  checksum-2
 */
import { invariant } from "../invariant.ts";
import type { Decoded } from "../bytes.ts";
import { EMPTY_CHECKSUM, sameChecksum, walChecksum } from "./wal-checksum.ts";
import type { ByteOrder, WalChecksum } from "./wal-checksum.ts";

export const WAL_HEADER_SIZE = 32;
export const FRAME_HEADER_SIZE = 24;
export const WAL_FORMAT_VERSION = 3007000;

const MAGIC_LITTLE_ENDIAN = 0x377f0682;
const MAGIC_BIG_ENDIAN = 0x377f0683;

export type Salt = readonly [number, number];

export interface WalHeader {
  readonly order: ByteOrder;
  readonly pageSize: number;
  readonly checkpointSequence: number;
  readonly salt: Salt;
  readonly checksum: WalChecksum;
}

export interface FrameHeader {
  readonly pageNumber: number;
  /** 0: this frame does not commit. */
  readonly databaseSizeAfterCommit: number;
  readonly salt: Salt;
  readonly checksum: WalChecksum;
}

export function isPageSize(size: number): boolean {
  return size >= 512 && size <= 65536 && (size & (size - 1)) === 0;
}

/** Judges everything that the header says, its own checksum included. */
export function decodeWalHeader(bytes: Uint8Array): Decoded<WalHeader> {
  const fault = (rule: string, offset: number): Decoded<WalHeader> => ({ ok: false, fault: { rule, offset } });
  if (bytes.length < WAL_HEADER_SIZE) return fault("a WAL begins with a header of 32 bytes", 0);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const u32 = (at: number): number => view.getUint32(at, false);
  if (u32(0) !== MAGIC_LITTLE_ENDIAN && u32(0) !== MAGIC_BIG_ENDIAN) {
    return fault("a WAL begins with its magic number", 0);
  }
  const order: ByteOrder = u32(0) === MAGIC_BIG_ENDIAN ? "big-endian" : "little-endian";
  if (u32(4) !== WAL_FORMAT_VERSION) return fault(`the WAL's format version is ${WAL_FORMAT_VERSION}`, 4);
  if (!isPageSize(u32(8))) return fault("a page size is a power of two from 512 to 65536", 8);
  const checksum: WalChecksum = [u32(24), u32(28)];
  if (!sameChecksum(walChecksum(order, bytes, 0, 24, EMPTY_CHECKSUM), checksum)) {
    return fault("the WAL header's checksum covers its first 24 bytes", 24);
  }
  const salt: readonly [number, number] = [u32(16), u32(20)];
  return { ok: true, value: { order, pageSize: u32(8), checkpointSequence: u32(12), salt, checksum } };
}

/** The bytes of a WAL header; its checksum is computed, whatever `header` says. */
export function encodeWalHeader(header: Omit<WalHeader, "checksum">): Uint8Array {
  const bytes = new Uint8Array(WAL_HEADER_SIZE);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, header.order === "big-endian" ? MAGIC_BIG_ENDIAN : MAGIC_LITTLE_ENDIAN);
  view.setUint32(4, WAL_FORMAT_VERSION);
  view.setUint32(8, header.pageSize);
  view.setUint32(12, header.checkpointSequence);
  view.setUint32(16, header.salt[0]);
  view.setUint32(20, header.salt[1]);
  const checksum = walChecksum(header.order, bytes, 0, 24, EMPTY_CHECKSUM);
  view.setUint32(24, checksum[0]);
  view.setUint32(28, checksum[1]);
  return bytes;
}

export function decodeFrameHeader(bytes: Uint8Array, offset: number): FrameHeader {
  invariant(offset + FRAME_HEADER_SIZE <= bytes.length, "a frame header lies within the bytes");
  const view = new DataView(bytes.buffer, bytes.byteOffset + offset, FRAME_HEADER_SIZE);
  return {
    pageNumber: view.getUint32(0),
    databaseSizeAfterCommit: view.getUint32(4),
    salt: [view.getUint32(8), view.getUint32(12)],
    checksum: [view.getUint32(16), view.getUint32(20)],
  };
}

export function encodeFrameHeader(header: FrameHeader, bytes: Uint8Array, offset: number): void {
  invariant(offset + FRAME_HEADER_SIZE <= bytes.length, "a frame header lies within the bytes");
  const view = new DataView(bytes.buffer, bytes.byteOffset + offset, FRAME_HEADER_SIZE);
  view.setUint32(0, header.pageNumber);
  view.setUint32(4, header.databaseSizeAfterCommit);
  view.setUint32(8, header.salt[0]);
  view.setUint32(12, header.salt[1]);
  view.setUint32(16, header.checksum[0]);
  view.setUint32(20, header.checksum[1]);
}
