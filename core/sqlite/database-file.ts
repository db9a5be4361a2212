/**
 * The main database file of one connection: reads come from the base image, the wal-index is the shared memory, and
 * nothing is ever written: all writing goes through the WAL. The connection's view decides whether it may write at
 * all.
 */
import { invariant } from "../invariant.ts";
import type { PageStore, StoreView } from "../pages/page-store.ts";
import { WRITE_LOCK } from "../pages/wal-locks.ts";
import type { EngineMemory } from "./memory.ts";
import type { Notices } from "./notices.ts";
import { pragmaRefusal } from "./pragma.ts";
import { AUTH, BUSY, IOERR, NOTFOUND, OK } from "./result-code.ts";
import { VfsFile } from "./vfs-file.ts";

const SHARED_FILE_LOCK = 1;
const FCNTL_PERSIST_WAL = 10;
const FCNTL_PRAGMA = 14;
const SHM_UNLOCK = 1;
const SHM_SHARED = 4;

export class DatabaseFile extends VfsFile {
  private readonly store: PageStore;
  private readonly view: StoreView;
  private readonly notices: Notices;
  /** The WAL locks held, a bit for each slot. */
  private shared = 0;
  private exclusive = 0;

  constructor(memory: EngineMemory, store: PageStore, view: StoreView, notices: Notices) {
    super(memory);
    this.store = store;
    this.view = view;
    this.notices = notices;
  }

  size(): number {
    return this.store.base.pageCount * this.store.pageSize;
  }

  read(address: number, size: number, offset: number): number {
    const { base, pageSize } = this.store;
    const end = address + size;
    while (address < end) {
      const pageNumber = Math.floor(offset / pageSize) + 1;
      const page = base.page(pageNumber);
      if (page === undefined) return this.shortRead(address, end);
      const within = offset - (pageNumber - 1) * pageSize;
      const length = Math.min(pageSize - within, end - address);
      this.memory.u8.set(length === pageSize ? page : page.subarray(within, within + length), address);
      address += length;
      offset += length;
    }
    return OK;
  }

  /** Only a rollback journal or a checkpoint would write here, and neither can be had. */
  write(_address: number, _size: number, _offset: number): number {
    return IOERR;
  }

  /** More than a shared lock is for rollback journals, and for the checkpoint when the last connection closes. */
  override lock(level: number): number {
    return level > SHARED_FILE_LOCK ? BUSY : OK;
  }

  override control(operation: number, argument: number): number {
    if (operation === FCNTL_PERSIST_WAL) {
      this.memory.setWord(argument, 1);
      return OK;
    }
    if (operation !== FCNTL_PRAGMA || this.notices.trusted) return NOTFOUND;
    const value = this.memory.word(argument + 8);
    const refusal = pragmaRefusal(
      this.memory.cString(this.memory.word(argument + 4)),
      value === 0 ? null : this.memory.cString(value),
      this.notices.inScript,
    );
    if (refusal === null) return NOTFOUND;
    this.notices.refusal = refusal;
    return AUTH;
  }

  override shmMap(region: number, extend: boolean, out: number): number {
    const { index } = this.store;
    invariant(region >= 0 && region <= index.size, "SQLite maps the wal-index region by region");
    const address = region < index.size || extend ? index.region(region) : 0;
    this.memory.setWord(out, address);
    return OK;
  }

  override shmLock(slot: number, count: number, flags: number): number {
    const release = (flags & SHM_UNLOCK) !== 0;
    if ((flags & SHM_SHARED) !== 0) return release ? this.releaseShared(slot) : this.acquireShared(slot);
    if (release) return this.releaseExclusive(slot, count);
    return count === 1 ? this.acquireExclusive(slot) : BUSY;
  }

  private acquireShared(slot: number): number {
    const bit = 1 << slot;
    if ((this.shared & bit) !== 0) return OK;
    if (!this.store.locks.acquireShared(slot)) return BUSY;
    this.shared |= bit;
    return OK;
  }

  private releaseShared(slot: number): number {
    const bit = 1 << slot;
    if ((this.shared & bit) !== 0) this.store.locks.releaseShared(slot);
    this.shared &= ~bit;
    return OK;
  }

  private acquireExclusive(slot: number): number {
    if (slot === WRITE_LOCK && this.view === "applied") {
      this.notices.writeRefused = true;
      return BUSY;
    }
    if (!this.store.locks.acquireExclusive(slot)) return BUSY;
    this.exclusive |= 1 << slot;
    return OK;
  }

  private releaseExclusive(slot: number, count: number): number {
    for (let each = slot; each < slot + count; each++) {
      const bit = 1 << each;
      if ((this.exclusive & bit) === 0) continue;
      this.exclusive &= ~bit;
      this.store.locks.releaseExclusive(each);
      if (each === WRITE_LOCK) this.store.endWrite();
    }
    return OK;
  }
}
