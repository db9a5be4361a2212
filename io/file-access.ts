/**
 * Whole reads and writes of one open file: the system may do part of what it is asked, these go on until it is done or
 * refused. They throw the system's error.
 */
import fs from "node:fs";
import { promisify } from "node:util";
import { isSystemError } from "./system-error.ts";

/** Node has no fallocate, and blocks only reserved cost a metadata write at their first use: zeros are written. */
const ZEROS = new Uint8Array(1024 * 1024);

/** So much space is given back at once. */
const FREED_BYTES = 4 * 1024 * 1024;

const fdatasync = promisify(fs.fdatasync);
const ftruncate = promisify(fs.ftruncate);
const read = promisify(fs.read);
const write = promisify(fs.write);

export function writeNow(descriptor: number, bytes: Uint8Array, offset: number): void {
  let from = 0;
  while (from < bytes.length) from += fs.writeSync(descriptor, bytes, from, bytes.length - from, offset + from);
}

export async function writeInThread(descriptor: number, bytes: Uint8Array, offset: number): Promise<void> {
  for (let from = 0; from < bytes.length; ) {
    from += (await write(descriptor, bytes, from, bytes.length - from, offset + from)).bytesWritten;
  }
}

/** Fewer bytes than asked for only at the end of the file. `into`: room for them all. */
export async function readUpTo(
  descriptor: number, offset: number, length: number, into?: Uint8Array,
): Promise<Uint8Array> {
  // The length may exceed what is there by far; the file's size bounds what is allocated.
  const size = Math.max(0, Math.min(length, fs.fstatSync(descriptor).size - offset));
  const bytes = into?.subarray(0, size) ?? new Uint8Array(size);
  let count = 0;
  while (count < bytes.length) {
    const { bytesRead } = await read(descriptor, bytes, count, bytes.length - count, offset + count);
    if (bytesRead === 0) break;
    count += bytesRead;
  }
  return bytes.subarray(0, count);
}

/** Takes space up to `size`, durably, or none: after a failure the file is as long as it was. */
export async function extend(descriptor: number, size: number): Promise<void> {
  const former = fs.fstatSync(descriptor).size;
  try {
    for (let at = former; at < size; ) {
      at += (await write(descriptor, ZEROS, 0, Math.min(ZEROS.length, size - at), at)).bytesWritten;
    }
    await fdatasync(descriptor);
  } catch (error) {
    // What was taken would be missing elsewhere; and zeros of which the sync failed reserve nothing, though the next
    // attempt would find them there.
    if (fs.fstatSync(descriptor).size > former) await ftruncate(descriptor, former);
    throw error;
  }
}

/**
 * Gives back the space of a file that has lost its name, in pieces: to free a hundred mebibytes at once holds up what
 * is synced of every other file for tens of milliseconds.
 */
export async function freeNameless(descriptor: number): Promise<void> {
  const { nlink, size } = fs.fstatSync(descriptor);
  // Somebody has given it another name, to which it belongs from now on.
  if (nlink > 0) return;
  try {
    for (let left = size - FREED_BYTES; left > 0; left -= FREED_BYTES) await ftruncate(descriptor, left);
  } catch (error) {
    // It has gone all the same; what is left of it goes with the descriptor.
    if (!isSystemError(error)) throw error;
  }
}
