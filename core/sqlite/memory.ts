/**
 * The memory of one wasm instance. Its views are detached whenever it grows, which any call into SQLite may cause: so
 * they are asked for at each use, and nobody keeps one across a call.
 */
import { invariant } from "../invariant.ts";
import type { SharedMemory } from "../pages/shared-memory.ts";
import type { WasmMemoryObject } from "./sql-js.ts";
import { decodeText } from "./text.ts";

export class EngineMemory implements SharedMemory {
  private readonly memory: WasmMemoryObject;
  private readonly malloc: (size: number) => number;
  private bytes: Uint8Array;
  private halves: Uint16Array;
  private words: Uint32Array;

  constructor(memory: WasmMemoryObject, malloc: (size: number) => number) {
    this.memory = memory;
    this.malloc = malloc;
    this.bytes = new Uint8Array(memory.buffer);
    this.halves = new Uint16Array(memory.buffer);
    this.words = new Uint32Array(memory.buffer);
  }

  get u8(): Uint8Array {
    if (this.bytes.length === 0) this.refresh();
    return this.bytes;
  }

  get u16(): Uint16Array {
    if (this.bytes.length === 0) this.refresh();
    return this.halves;
  }

  get u32(): Uint32Array {
    if (this.bytes.length === 0) this.refresh();
    return this.words;
  }

  allocate(size: number): number {
    const address = this.tryAllocate(size);
    invariant(address !== 0, "the engine has memory for its own structures");
    return address;
  }

  /** 0: there is no memory left. */
  tryAllocate(size: number): number {
    return this.malloc(size);
  }

  /** The u32 at an address. */
  word(address: number): number {
    return this.u32[address >>> 2]!;
  }

  setWord(address: number, value: number): void {
    this.u32[address >>> 2] = value;
  }

  /** Writes a signed 64-bit integer that a number holds exactly. */
  setInteger(address: number, value: number): void {
    const { u32 } = this;
    u32[address >>> 2] = value;
    u32[(address >>> 2) + 1] = Math.floor(value / 4294967296);
  }

  setBigInteger(address: number, value: bigint): void {
    const { u32 } = this;
    u32[address >>> 2] = Number(BigInt.asUintN(32, value));
    u32[(address >>> 2) + 1] = Number(BigInt.asUintN(32, value >> 32n));
  }

  bigInteger(address: number): bigint {
    return BigInt.asIntN(64, (BigInt(this.word(address + 4)) << 32n) | BigInt(this.word(address)));
  }

  /** Text up to its NUL. */
  cString(address: number): string {
    const { u8 } = this;
    const end = u8.indexOf(0, address);
    return decodeText(u8, address, end === -1 ? u8.length : end);
  }

  private refresh(): void {
    this.bytes = new Uint8Array(this.memory.buffer);
    this.halves = new Uint16Array(this.memory.buffer);
    this.words = new Uint32Array(this.memory.buffer);
  }
}
