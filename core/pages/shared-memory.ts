/**
 * The memory that SQLite and the page store share: the wal-index lives there, because SQLite reads it by address. In
 * production it is the memory of a wasm instance; the views are asked for anew at each use, as growing detaches them.
 */
export interface SharedMemory {
  readonly u8: Uint8Array;
  readonly u16: Uint16Array;
  readonly u32: Uint32Array;
  /** The address of so many bytes, aligned to 8. Their content is anything. */
  allocate(size: number): number;
}
