/**
 * SQLite's eight WAL locks (SQLite walformat §2.3): slot 0 for the writer, 1 for a checkpointer, 2 for recovery, 3 to
 * 7 for readers, one per read mark. Everything runs in one thread, so a lock that is not free is refused at once.
 *
 * Checkpoint and recovery are the page store's own business: nobody else ever gets those locks, nor several at once.
 */
export const WRITE_LOCK = 0;

const FIRST_READ_LOCK = 3;
const LOCKS = 8;
const EXCLUSIVE = -1;

export class WalLocks {
  /** Of each slot: how many share it, or EXCLUSIVE. */
  private readonly slots = new Int32Array(LOCKS);

  acquireShared(slot: number): boolean {
    if (slot !== WRITE_LOCK && slot < FIRST_READ_LOCK) return false;
    if (this.slots[slot] === EXCLUSIVE) return false;
    this.slots[slot]! += 1;
    return true;
  }

  acquireExclusive(slot: number): boolean {
    if (slot !== WRITE_LOCK && slot < FIRST_READ_LOCK) return false;
    if (this.slots[slot] !== 0) return false;
    this.slots[slot] = EXCLUSIVE;
    return true;
  }

  releaseShared(slot: number): void {
    this.slots[slot]! -= 1;
  }

  releaseExclusive(slot: number): void {
    this.slots[slot] = 0;
  }

  /** Nobody reads and nobody writes. */
  get idle(): boolean {
    for (const slot of this.slots) if (slot !== 0) return false;
    return true;
  }

  get writing(): boolean {
    return this.slots[WRITE_LOCK] !== 0;
  }

  /** The engine that held them is dead. */
  releaseAll(): void {
    this.slots.fill(0);
  }
}
