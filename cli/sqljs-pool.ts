/**
 * An sql.js whose instances are used again: for the simulator, which starts a node, and so an SQLite, every few hundred
 * steps, and would leave a memory of 21 MiB behind each time.
 *
 * The hard idea: between two calls all that an instance remembers lies in its linear memory and in its table; the stack
 * is empty, and nothing else in it changes. So one whose memory is what it was when it was fresh is as good as a fresh
 * one, and most of it never ceased to be: only chunks that differ are written.
 */
import type { SqlJsInstance, SqlJsModule, WasmMemoryObject, WasmTableObject } from "../core/sqlite/sql-js.ts";

const CHUNK_BYTES = 65_536;
const ZEROS = new Uint8Array(CHUNK_BYTES);

export function pooled(module: SqlJsModule): SqlJsModule {
  const free: ReusableInstance[] = [];
  return {
    ...module,
    instantiate: () => free.pop() ?? new ReusableInstance(module.instantiate()),
    release: (instance) => {
      if (instance instanceof ReusableInstance && instance.renew()) free.push(instance);
    },
  };
}

class ReusableInstance implements SqlJsInstance {
  readonly exports: SqlJsInstance["exports"];
  readonly memories: readonly WasmMemoryObject[];
  readonly tables: readonly ReusableTable[];
  /** What its memories begin with while they are fresh; what follows is zero. */
  private readonly fresh: readonly Uint8Array[];
  private readonly sizes: readonly number[];

  constructor({ exports, memories, tables }: SqlJsInstance) {
    this.exports = exports;
    this.memories = memories;
    this.tables = tables.map((table) => new ReusableTable(table));
    this.fresh = memories.map(({ buffer }) => new Uint8Array(buffer).slice(0, usedBytes(buffer)));
    this.sizes = memories.map(({ buffer }) => buffer.byteLength);
  }

  /** False: its memory has grown, and never shrinks again. */
  renew(): boolean {
    if (this.memories.some(({ buffer }, at) => buffer.byteLength !== this.sizes[at])) return false;
    for (const [at, { buffer }] of this.memories.entries()) restore(buffer, this.fresh[at]!);
    for (const table of this.tables) table.renew();
    return true;
  }
}

/** Whoever lets a renewed table grow gets the places that were there before. */
class ReusableTable implements WasmTableObject {
  private readonly table: WasmTableObject;
  private readonly freshLength: number;
  length: number;

  constructor(table: WasmTableObject) {
    this.table = table;
    this.freshLength = table.length;
    this.length = table.length;
  }

  get(place: number): unknown {
    return this.table.get(place);
  }

  set(place: number, value: unknown): void {
    this.table.set(place, value);
  }

  grow(count: number): number {
    const first = this.length;
    this.length += count;
    const missing = this.length - this.table.length;
    if (missing > 0) this.table.grow(missing);
    return first;
  }

  renew(): void {
    for (let place = this.freshLength; place < this.table.length; place++) this.table.set(place, null);
    this.length = this.freshLength;
  }
}

/** Up to the end of the last chunk that is not zero. */
function usedBytes(buffer: ArrayBuffer): number {
  let end = buffer.byteLength;
  while (end > 0 && Buffer.compare(chunkAt(buffer, end - CHUNK_BYTES), ZEROS) === 0) end -= CHUNK_BYTES;
  return end;
}

function restore(buffer: ArrayBuffer, fresh: Uint8Array): void {
  for (let at = 0; at < buffer.byteLength; at += CHUNK_BYTES) {
    const chunk = chunkAt(buffer, at);
    const before = at < fresh.length ? fresh.subarray(at, at + CHUNK_BYTES) : ZEROS;
    if (Buffer.compare(chunk, before) !== 0) chunk.set(before);
  }
}

/** Memories consist of whole chunks: a page of wasm has as many bytes. */
function chunkAt(buffer: ArrayBuffer, at: number): Uint8Array {
  return new Uint8Array(buffer, at, CHUNK_BYTES);
}
