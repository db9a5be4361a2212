/**
 * The VFS: SQLite's window on the world, replaced method by method. There are one database, its -wal, and temporary
 * files; time and chance come from outside. Nothing here is about SQL.
 *
 * sql.js has no function to register a VFS, so the methods of its own are overwritten where they stand (vfs-layout.ts).
 */
import { Random, SEED_SIZE } from "../random.ts";
import { payloadSize } from "../wal/payload.ts";
import type { PageStore, StoreView } from "../pages/page-store.ts";
import { DatabaseFile } from "./database-file.ts";
import type { Guard } from "./guard.ts";
import type { EngineMemory } from "./memory.ts";
import type { Notices } from "./notices.ts";
import { CANTOPEN, IOERR, OK } from "./result-code.ts";
import type { WasmLinker, WasmTableObject } from "./sql-js.ts";
import { TemporaryFile } from "./temporary-file.ts";
import { IMPORT_MODULE } from "./trampoline.ts";
import type { TrampolineMethod } from "./trampoline.ts";
import { VfsFile } from "./vfs-file.ts";
import { IO_METHODS, IO_METHODS_SIZE, IO_VERSION, VFS_METHODS } from "./vfs-layout.ts";
import { WalFile } from "./wal-file.ts";

export const DATABASE_NAME = "/quorumlite.db";
const WAL_NAME = `${DATABASE_NAME}-wal`;

const OPEN_MAIN_DATABASE = 0x100;
const OPEN_WAL = 0x80000;

/** ATOMIC, SAFE_APPEND, SEQUENTIAL, POWERSAFE_OVERWRITE: nothing is lost between us and memory. */
const DEVICE_CHARACTERISTICS = 0x1 | 0x200 | 0x400 | 0x1000;
const SECTOR_SIZE = 4096;

/** 1970-01-01 as a Julian day, in milliseconds. */
const JULIAN_EPOCH_MS = 210866760000000;

/** Every method with its C signature: the result, then the parameters. */
export const TRAMPOLINE_METHODS: readonly TrampolineMethod[] = [
  { name: "xOpen", signature: "iiiiii" },
  { name: "xDelete", signature: "iiii" },
  { name: "xAccess", signature: "iiiii" },
  { name: "xFullPathname", signature: "iiiii" },
  { name: "xRandomness", signature: "iiii" },
  { name: "xSleep", signature: "iii" },
  { name: "xCurrentTime", signature: "iii" },
  { name: "xGetLastError", signature: "iiii" },
  { name: "xCurrentTimeInt64", signature: "iii" },
  { name: "xClose", signature: "ii" },
  { name: "xRead", signature: "iiiij" },
  { name: "xWrite", signature: "iiiij" },
  { name: "xTruncate", signature: "iij" },
  { name: "xSync", signature: "iii" },
  { name: "xFileSize", signature: "iii" },
  { name: "xLock", signature: "iii" },
  { name: "xUnlock", signature: "iii" },
  { name: "xCheckReservedLock", signature: "iii" },
  { name: "xFileControl", signature: "iiii" },
  { name: "xSectorSize", signature: "ii" },
  { name: "xDeviceCharacteristics", signature: "ii" },
  { name: "xShmMap", signature: "iiiiii" },
  { name: "xShmLock", signature: "iiiii" },
  { name: "xShmBarrier", signature: "vi" },
  { name: "xShmUnmap", signature: "iii" },
];

type MethodName = keyof typeof VFS_METHODS | keyof typeof IO_METHODS;
type Method = (...values: number[]) => number;

export interface VfsOptions {
  readonly store: PageStore;
  readonly maxPayloadBytes: number;
  /** 44 bytes for SQLite's randomness. */
  readonly seed: Uint8Array;
}

export class Vfs {
  /** The wall clock, in milliseconds since 1970. */
  wallMs = 0;
  /** Under which view the connection that is being opened will stand. */
  opening: StoreView = "applied";

  private readonly memory: EngineMemory;
  private readonly notices: Notices;
  private readonly store: PageStore;
  private readonly maxFrames: number;
  private readonly seed: Uint8Array;
  private seedUsed = 0;
  private readonly random: Random;
  /** By number; null: closed. */
  private readonly files: (VfsFile | null)[] = [];
  /** The address of the sqlite3_io_methods that all files share. */
  private ioMethods = 0;

  constructor(memory: EngineMemory, notices: Notices, options: VfsOptions) {
    this.memory = memory;
    this.notices = notices;
    this.store = options.store;
    this.seed = options.seed;
    this.random = Random.fromBytes(options.seed.slice(0, SEED_SIZE));
    this.maxFrames = Math.floor(options.maxPayloadBytes / payloadSize(options.store.pageSize, 1));
  }

  /** Puts our methods in the place of those of the sqlite3_vfs at `address`. */
  install(address: number, table: WasmTableObject, link: WasmLinker, guard: Guard): void {
    const methods = this.methods();
    const guarded = Object.entries(methods).map(([name, method]) => [name, guard.callback(method, IOERR)]);
    const functions = link({ [IMPORT_MODULE]: Object.fromEntries(guarded) });
    const first = table.grow(TRAMPOLINE_METHODS.length);
    const places = new Map<string, number>();
    TRAMPOLINE_METHODS.forEach(({ name }, at) => {
      table.set(first + at, functions[name]);
      places.set(name, first + at);
    });
    this.ioMethods = this.memory.allocate(IO_METHODS_SIZE);
    this.memory.setWord(this.ioMethods, IO_VERSION);
    for (const [name, offset] of Object.entries(IO_METHODS)) {
      this.memory.setWord(this.ioMethods + offset, places.get(name)!);
    }
    for (const [name, offset] of Object.entries(VFS_METHODS)) this.memory.setWord(address + offset, places.get(name)!);
  }

  private methods(): Record<MethodName, Method> {
    const file = (address: number): VfsFile => this.files[this.memory.word(address + 4)]!;
    return {
      xOpen: (_vfs, name, address, flags, out) => this.open(name, address!, flags!, out!),
      xDelete: () => OK,
      xAccess: (_vfs, name, _flags, out) => this.access(name!, out!),
      xFullPathname: (_vfs, name, size, out) => this.fullPathname(name!, size!, out!),
      xRandomness: (_vfs, size, address) => this.randomness(size!, address!),
      xSleep: (_vfs, microseconds) => microseconds!,
      // Superseded by xCurrentTimeInt64.
      xCurrentTime: () => IOERR,
      xGetLastError: () => 0,
      xCurrentTimeInt64: (_vfs, out) => {
        this.memory.setInteger(out!, this.wallMs + JULIAN_EPOCH_MS);
        return OK;
      },
      xClose: (address) => this.close(address!),
      xRead: (address, buffer, size, offset) => file(address!).read(buffer!, size!, offset!),
      xWrite: (address, buffer, size, offset) => file(address!).write(buffer!, size!, offset!),
      xTruncate: (address, size) => file(address!).truncate(size!),
      xSync: () => OK,
      xFileSize: (address, out) => {
        this.memory.setInteger(out!, file(address!).size());
        return OK;
      },
      xLock: (address, level) => file(address!).lock(level!),
      xUnlock: () => OK,
      xCheckReservedLock: (_address, out) => {
        this.memory.setWord(out!, 0);
        return OK;
      },
      xFileControl: (address, operation, argument) => file(address!).control(operation!, argument!),
      xSectorSize: () => SECTOR_SIZE,
      xDeviceCharacteristics: () => DEVICE_CHARACTERISTICS,
      xShmMap: (address, region, _size, extend, out) => file(address!).shmMap(region!, extend !== 0, out!),
      xShmLock: (address, slot, count, flags) => file(address!).shmLock(slot!, count!, flags!),
      xShmBarrier: () => 0,
      xShmUnmap: () => OK,
    };
  }

  private open(name: number | undefined, address: number, flags: number, out: number): number {
    // SQLite closes a file whose methods are set even if it could not be opened.
    this.memory.setWord(address, 0);
    const file = this.fileFor(name === undefined || name === 0 ? null : this.memory.cString(name), flags);
    if (file === null) return CANTOPEN;
    const free = this.files.indexOf(null);
    const number = free === -1 ? this.files.length : free;
    this.files[number] = file;
    this.memory.setWord(address + 4, number);
    this.memory.setWord(address, this.ioMethods);
    if (out !== 0) this.memory.setWord(out, flags);
    return OK;
  }

  private fileFor(name: string | null, flags: number): VfsFile | null {
    if (name === DATABASE_NAME && (flags & OPEN_MAIN_DATABASE) !== 0) {
      return new DatabaseFile(this.memory, this.store, this.opening, this.notices);
    }
    if (name === WAL_NAME && (flags & OPEN_WAL) !== 0) {
      return new WalFile(this.memory, this.store, this.notices, this.maxFrames);
    }
    if (name === null) return new TemporaryFile(this.memory);
    const reason = "ATTACH and VACUUM INTO are not available, a node has one database";
    this.notices.refusal ??= `the file ${name} cannot be opened: ${reason}`;
    return null;
  }

  private close(address: number): number {
    const number = this.memory.word(address + 4);
    this.files[number] = null;
    this.memory.setWord(address, 0);
    return OK;
  }

  private access(name: number, out: number): number {
    const path = this.memory.cString(name);
    this.memory.setWord(out, path === DATABASE_NAME || path === WAL_NAME ? 1 : 0);
    return OK;
  }

  private fullPathname(name: number, size: number, out: number): number {
    const { u8 } = this.memory;
    const end = u8.indexOf(0, name) + 1;
    if (end - name > size) return CANTOPEN;
    u8.copyWithin(out, name, end);
    return OK;
  }

  /** SQLite asks once, for 44 bytes: the seed. Should it ever ask for more, the seed goes on as a generator. */
  private randomness(size: number, address: number): number {
    const { u8 } = this.memory;
    for (let at = address; at < address + size; at++) u8[at] = this.seed[this.seedUsed++] ?? this.random.u32() >>> 24;
    return size;
  }
}
