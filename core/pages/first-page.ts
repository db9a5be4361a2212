/**
 * Page 1 of an empty database, as SQLite would leave it after creating one in WAL mode: a header of 100 bytes and an
 * empty leaf of the schema table (SQLite fileformat2 §1.3, §1.6). Every node starts from the same bytes.
 *
 *    0  "SQLite format 3\0"
 *   16  u16  page size; 1 stands for 65536
 *   18  u8   write version: 2, WAL        19  u8  read version: 2, WAL
 *   20  u8   reserved bytes per page: 0
 *   21  u8   64, 32, 32: the payload fractions, which are constants
 *   24  u32  file change counter: 1
 *   28  u32  size of the database in pages: 1
 *   92  u32  the change counter for which the size is valid: 1
 *   96  u32  the version of SQLite that wrote it last: 0, as none did
 *  100  u8   13: a leaf of a table       105  u16  start of its cells; 0 stands for 65536
 *
 * Big-endian; what is not named is zero.
 */
const MAGIC = "SQLite format 3\0";
const WRITE_VERSION_AT = 18;
const READ_VERSION_AT = 19;
const ROLLBACK_JOURNAL = 1;
const WAL = 2;

/** Where page 1 keeps the schema cookie, a u32 that changes with the schema. */
export const SCHEMA_COOKIE_AT = 40;

export function writeFirstPage(page: Uint8Array): void {
  const view = new DataView(page.buffer, page.byteOffset, page.byteLength);
  page.fill(0);
  for (let at = 0; at < MAGIC.length; at++) page[at] = MAGIC.charCodeAt(at);
  view.setUint16(16, page.length === 65536 ? 1 : page.length);
  markAsWal(page);
  page.set([64, 32, 32], 21);
  view.setUint32(24, 1);
  view.setUint32(28, 1);
  view.setUint32(92, 1);
  page[100] = 13;
  view.setUint16(105, page.length & 0xffff);
}

/** In a copy that comes into the store: SQLite uses the WAL that it has there. */
export function markAsWal(page: Uint8Array): void {
  page[WRITE_VERSION_AT] = WAL;
  page[READ_VERSION_AT] = WAL;
}

/** In a copy that leaves the store: the file opens without a -wal beside it. */
export function markAsRollbackJournal(page: Uint8Array): void {
  page[WRITE_VERSION_AT] = ROLLBACK_JOURNAL;
  page[READ_VERSION_AT] = ROLLBACK_JOURNAL;
}
