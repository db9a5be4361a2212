/**
 * Where SQLite keeps the functions of a VFS, and whether that is really what is found there. The offsets are SQLite's
 * public interface (sqlite3.h) as a C compiler for wasm32 lays it out: 4 bytes for an int or a pointer.
 *
 * sqlite3_vfs                                   sqlite3_io_methods
 *    0  iVersion: 3         48  xDlSym              0  iVersion: 2        40  xFileControl
 *    4  szOsFile            52  xDlClose            4  xClose             44  xSectorSize
 *    8  mxPathname: 512     56  xRandomness         8  xRead              48  xDeviceCharacteristics
 *   12  pNext               60  xSleep             12  xWrite             52  xShmMap
 *   16  zName: "unix"       64  xCurrentTime       16  xTruncate          56  xShmLock
 *   20  pAppData            68  xGetLastError      20  xSync              60  xShmBarrier
 *   24  xOpen               72  xCurrentTimeInt64  24  xFileSize          64  xShmUnmap
 *   28  xDelete             76  xSetSystemCall     28  xLock
 *   32  xAccess             80  xGetSystemCall     32  xUnlock
 *   36  xFullPathname       84  xNextSystemCall    36  xCheckReservedLock
 *   40  xDlOpen
 *   44  xDlError                                 A sqlite3 begins with the address of its sqlite3_vfs.
 */
import type { EngineMemory } from "./memory.ts";
import { EXPORT_NAMES } from "./sql-js.ts";
import type { SqliteFunctions, SqlJsInstance, WasmTableObject } from "./sql-js.ts";

const VFS_SIZE = 88;
const EXPECTED_VERSION = 3;
const EXPECTED_PATH_SIZE = 512;
const EXPECTED_NAME = "unix";
/** What we keep in an open file: the address of its methods and its number. */
export const FILE_SIZE = 8;
const MAX_FILE_SIZE = 1024;

export const VFS_METHODS = {
  xOpen: 24, xDelete: 28, xAccess: 32, xFullPathname: 36, xRandomness: 56, xSleep: 60, xCurrentTime: 64,
  xGetLastError: 68, xCurrentTimeInt64: 72,
} as const;

const OTHER_VFS_METHODS = {
  xDlOpen: 40, xDlError: 44, xDlSym: 48, xDlClose: 52, xSetSystemCall: 76, xGetSystemCall: 80, xNextSystemCall: 84,
} as const;

export const IO_VERSION = 2;
export const IO_METHODS_SIZE = 68;
export const IO_METHODS = {
  xClose: 4, xRead: 8, xWrite: 12, xTruncate: 16, xSync: 20, xFileSize: 24, xLock: 28, xUnlock: 32,
  xCheckReservedLock: 36, xFileControl: 40, xSectorSize: 44, xDeviceCharacteristics: 48, xShmMap: 52, xShmLock: 56,
  xShmBarrier: 60, xShmUnmap: 64,
} as const;

/** What is wrong with the instance's exports; empty: nothing. */
export function exportDifferences(instance: SqlJsInstance): string[] {
  const differences: string[] = [];
  const { memories, tables, exports } = instance;
  if (memories.length !== 1) differences.push(`the wasm instance exports ${memories.length} memories instead of 1`);
  if (tables.length !== 1) differences.push(`the wasm instance exports ${tables.length} tables instead of 1`);
  for (const name of Object.values(EXPORT_NAMES)) {
    if (typeof exports[name] !== "function") differences.push(`the function ${name} is missing`);
  }
  return differences;
}

/** The functions by our names. They are there (exportDifferences). */
export function sqliteFunctions(instance: SqlJsInstance): SqliteFunctions {
  const functions = Object.entries(EXPORT_NAMES).map(([name, exported]) => [name, instance.exports[exported]]);
  return Object.fromEntries(functions) as unknown as SqliteFunctions;
}

/** What is wrong with the sqlite3_vfs at `address`; empty: it is what this file describes. */
export function vfsDifferences(memory: EngineMemory, table: WasmTableObject, address: number): string[] {
  if (address === 0 || address % 4 !== 0 || address + VFS_SIZE > memory.u8.length) {
    return [`a connection does not begin with the address of its VFS (found ${address})`];
  }
  const differences: string[] = [];
  const expect = (what: string, found: number | string, expected: number | string): void => {
    if (found !== expected) differences.push(`the VFS's ${what} is ${found} instead of ${expected}`);
  };
  expect("iVersion", memory.word(address), EXPECTED_VERSION);
  expect("mxPathname", memory.word(address + 8), EXPECTED_PATH_SIZE);
  expect("zName", nameAt(memory, memory.word(address + 16)), EXPECTED_NAME);
  const fileSize = memory.word(address + 4);
  if (fileSize < FILE_SIZE || fileSize > MAX_FILE_SIZE) {
    differences.push(`the VFS's szOsFile is ${fileSize} instead of ${FILE_SIZE} to ${MAX_FILE_SIZE}`);
  }
  for (const [method, offset] of Object.entries({ ...VFS_METHODS, ...OTHER_VFS_METHODS })) {
    const place = memory.word(address + offset);
    const isFunction = place > 0 && place < table.length && typeof table.get(place) === "function";
    // A build without loadable extensions leaves those four empty.
    const mayBeEmpty = method.startsWith("xDl") && place === 0;
    if (isFunction || mayBeEmpty) continue;
    differences.push(`the VFS's ${method} is no function of the table (found ${place})`);
  }
  return differences;
}

/** A short name, or what stands there instead, as far as it can be shown. */
function nameAt(memory: EngineMemory, address: number): string {
  if (address === 0 || address >= memory.u8.length) return `at the address ${address}`;
  return memory.cString(address).slice(0, 32);
}
