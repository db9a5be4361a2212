/**
 * The header of SQLite's wal-index (SQLite walformat §2.1), 48 bytes in the machine's byte order, kept twice in a row
 * at the start of the shared memory. Which frames exist for a connection is said here and nowhere else: the same
 * frames and hash tables under two different headers are two views of one database.
 *
 *    0  u32  version: 3007000
 *    4  u32  unused
 *    8  u32  change counter: SQLite's page caches are stale when any byte of the header differs
 *   12  u8   1: the header is valid
 *   13  u8   1: the checksums of frames read words big-endian
 *   14  u16  page size; 1 stands for 65536
 *   16  u32  the last valid frame, SQLite's mxFrame; 0: the WAL is empty
 *   20  u32  size of the database in pages
 *   24  2*u32  checksum of the last frame
 *   32  2*u32  the WAL's salts, as bytes of the WAL's own header (so big-endian)
 *   40  2*u32  checksum of the bytes 0 to 40, as in the WAL
 */
import { invariant } from "../invariant.ts";
import { EMPTY_CHECKSUM, sameChecksum, walChecksum } from "../wal/wal-checksum.ts";
import type { WalChecksum } from "../wal/wal-checksum.ts";
import type { Salt } from "../wal/wal-format.ts";

export const WAL_INDEX_HEADER_SIZE = 48;

const VERSION = 3007000;
const CHECKSUM_AT = 40;

export interface WalIndexFields {
  readonly change: number;
  readonly pageSize: number;
  readonly maxFrame: number;
  readonly pageCount: number;
  readonly frameChecksum: WalChecksum;
  readonly salt: Salt;
}

export interface WalIndexHeader extends WalIndexFields {
  readonly bytes: Uint8Array;
}

export function makeWalIndexHeader(fields: WalIndexFields): WalIndexHeader {
  const bytes = new Uint8Array(WAL_INDEX_HEADER_SIZE);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, VERSION, true);
  view.setUint32(8, fields.change, true);
  view.setUint8(12, 1);
  view.setUint16(14, fields.pageSize === 65536 ? 1 : fields.pageSize, true);
  view.setUint32(16, fields.maxFrame, true);
  view.setUint32(20, fields.pageCount, true);
  view.setUint32(24, fields.frameChecksum[0], true);
  view.setUint32(28, fields.frameChecksum[1], true);
  view.setUint32(32, fields.salt[0], false);
  view.setUint32(36, fields.salt[1], false);
  const checksum = walChecksum("little-endian", bytes, 0, CHECKSUM_AT, EMPTY_CHECKSUM);
  view.setUint32(40, checksum[0], true);
  view.setUint32(44, checksum[1], true);
  return { ...fields, bytes };
}

/** Reads what SQLite itself wrote into the shared memory. `bytes` is kept. */
export function readWalIndexHeader(bytes: Uint8Array): WalIndexHeader {
  invariant(bytes.length === WAL_INDEX_HEADER_SIZE, "a wal-index header has 48 bytes");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const u32 = (at: number): number => view.getUint32(at, true);
  invariant(u32(0) === VERSION && bytes[12] === 1 && bytes[13] === 0, "SQLite keeps a valid wal-index of its version");
  const checksum = walChecksum("little-endian", bytes, 0, CHECKSUM_AT, EMPTY_CHECKSUM);
  invariant(sameChecksum(checksum, [u32(40), u32(44)]), "SQLite leaves the wal-index header with its checksum");
  const pageSize = view.getUint16(14, true);
  return {
    bytes,
    change: u32(8),
    pageSize: pageSize === 1 ? 65536 : pageSize,
    maxFrame: u32(16),
    pageCount: u32(20),
    frameChecksum: [u32(24), u32(28)],
    salt: [view.getUint32(32, false), view.getUint32(36, false)],
  };
}
