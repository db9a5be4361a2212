/**
 * SQLite's lock-byte page (fileformat2 §1.4): the one that holds the byte at 1 GiB. SQLite never writes it, so it is
 * in no frame, no payload and no snapshot, though the database's size counts it.
 */
const LOCK_BYTE = 0x40000000;

export function lockBytePage(pageSize: number): number {
  return LOCK_BYTE / pageSize + 1;
}

/** How many of the first `pageCount` pages of a database hold anything. */
export function writtenPages(pageSize: number, pageCount: number): number {
  return pageCount < lockBytePage(pageSize) ? pageCount : pageCount - 1;
}
