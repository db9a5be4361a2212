/**
 * An open file as SQLite's VFS sees it: one method for each of sqlite3_io_methods that does something here. Addresses
 * and sizes are those of the engine's memory; results are SQLite's codes. What a kind of file does not have, it
 * refuses.
 */
import { IOERR, IOERR_SHORT_READ, NOTFOUND, OK } from "./result-code.ts";
import type { EngineMemory } from "./memory.ts";

export abstract class VfsFile {
  protected readonly memory: EngineMemory;

  constructor(memory: EngineMemory) {
    this.memory = memory;
  }

  abstract size(): number;
  abstract read(address: number, size: number, offset: number): number;
  abstract write(address: number, size: number, offset: number): number;

  truncate(_size: number): number {
    return IOERR;
  }

  lock(_level: number): number {
    return OK;
  }

  control(_operation: number, _argument: number): number {
    return NOTFOUND;
  }

  shmMap(_region: number, _extend: boolean, _out: number): number {
    return IOERR;
  }

  shmLock(_slot: number, _count: number, _flags: number): number {
    return IOERR;
  }

  /** What lies beyond the end reads as zeros; SQLite counts on it. */
  protected shortRead(address: number, end: number): number {
    this.memory.u8.fill(0, address, end);
    return IOERR_SHORT_READ;
  }
}
