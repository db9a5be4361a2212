/**
 * The real disk: core/storage/disk.ts's operations on the files of one directory. It decides nothing and repeats
 * nothing: what the system refuses becomes one DiskFailed with the system's own code.
 *
 * The one hard idea is order. Every operation names what it touches: a file, and the directory ("."), where a name
 * comes or goes. An operation starts when it is the first in the queue of everything that it touches; so operations
 * on one file take effect in the order given, those on different files do not wait for each other, and syncDirectory
 * covers every earlier creation, rename and removal.
 *
 * Writes and reads are made at once (they end in the page cache); syncs run in a thread of libuv, so that a slow disk
 * does not cost a heartbeat. The system may forget a page that it failed to write and say so only once: after a
 * failed write or sync, every later operation on that file fails in the same way.
 */
import fs from "node:fs";
import path from "node:path";
import { promisify } from "node:util";
import { invariant, unreachable } from "../core/invariant.ts";
import type { DiskAnswer, DiskFailure, DiskOperation, DiskOrder, DiskResult } from "../core/storage/disk.ts";
import { isSystemError } from "./system-error.ts";

/** The directory itself, in the list of what an operation touches. */
const DIRECTORY = ".";
const FILE_NAME = /^[a-z0-9][a-z0-9.-]*$/;
const DONE: DiskResult = { type: "done" };

/** Node has no fallocate, and blocks only reserved cost a metadata write at their first use: zeros are written. */
const ZEROS = new Uint8Array(1024 * 1024);

const fsync = promisify(fs.fsync);
const fdatasync = promisify(fs.fdatasync);
const write = promisify(fs.write);

interface Waiting {
  readonly order: DiskOrder;
  readonly touches: readonly string[];
}

export class Disk {
  readonly directory: string;
  private readonly answer: (answer: DiskAnswer) => void;
  /** What is under way or waits, by what it touches; the first of a queue is under way, or waits in another. */
  private readonly queues = new Map<string, Waiting[]>();
  private readonly descriptors = new Map<string, number>();
  /** Files of which a write or a sync has failed. */
  private readonly broken = new Map<string, DiskFailure>();
  private underWay = 0;
  private idle: (() => void) | null = null;

  /** @param answer is called once for each order; for those that end at once, before `perform` returns. */
  constructor(directory: string, answer: (answer: DiskAnswer) => void) {
    this.directory = directory;
    this.answer = answer;
  }

  perform(order: DiskOrder): void {
    const waiting: Waiting = { order, touches: whatIsTouched(order.operation) };
    for (const name of waiting.touches) {
      const queue = this.queues.get(name);
      if (queue === undefined) this.queues.set(name, [waiting]);
      else queue.push(waiting);
    }
    this.underWay++;
    this.startThoseReady([waiting]);
  }

  /** Waits for what is under way, then closes the files. Nothing may be ordered afterwards. */
  async close(): Promise<void> {
    if (this.underWay > 0) await new Promise<void>((resolve) => (this.idle = resolve));
    for (const descriptor of this.descriptors.values()) fs.closeSync(descriptor);
    this.descriptors.clear();
  }

  /** A loop, not a recursion: behind one slow sync may stand any number of writes. */
  private startThoseReady(candidates: Waiting[]): void {
    for (let next = candidates.shift(); next !== undefined; next = candidates.shift()) {
      const waiting = next;
      if (!waiting.touches.every((name) => this.queues.get(name)?.[0] === waiting)) continue;
      const outcome = this.attempt(waiting.order.operation);
      if (!(outcome instanceof Promise)) {
        candidates.push(...this.finish(waiting, outcome));
        continue;
      }
      void outcome.then((late) => this.startThoseReady(this.finish(waiting, late)));
    }
  }

  /** Answers, and returns those that may have become ready. */
  private finish(waiting: Waiting, outcome: DiskResult | DiskFailure): Waiting[] {
    const { ticket, operation } = waiting.order;
    const candidates = new Set<Waiting>();
    for (const name of waiting.touches) {
      const queue = this.queues.get(name)!;
      queue.shift();
      if (queue[0] !== undefined) candidates.add(queue[0]);
      else this.queues.delete(name);
    }
    this.underWay--;
    if ("code" in outcome) {
      if (operation.type === "write" || operation.type === "sync") this.broken.set(operation.file, outcome);
      this.answer({ type: "DiskFailed", ticket, failure: outcome });
    } else {
      this.answer({ type: "DiskDone", ticket, result: outcome });
    }
    if (this.underWay === 0) this.idle?.();
    return [...candidates];
  }

  private attempt(operation: DiskOperation): DiskResult | DiskFailure | Promise<DiskResult | DiskFailure> {
    const file = "file" in operation ? operation.file : operation.type === "rename" ? operation.from : null;
    const failure = file === null ? undefined : this.broken.get(file);
    if (failure !== undefined) return failure;
    try {
      const result = this.execute(operation);
      return result instanceof Promise ? result.catch((error: unknown) => failureOf(error, file)) : result;
    } catch (error) {
      return failureOf(error, file);
    }
  }

  private execute(operation: DiskOperation): DiskResult | Promise<DiskResult> {
    switch (operation.type) {
      case "open":
        return { type: "open", size: this.open(operation.file, operation.create) };
      case "write":
        writeAll(this.descriptor(operation.file), operation.bytes, operation.offset);
        return DONE;
      case "read":
        return { type: "read", bytes: readUpTo(this.descriptor(operation.file), operation.offset, operation.length) };
      case "sync":
        return fdatasync(this.descriptor(operation.file)).then(() => DONE);
      case "preallocate":
        return this.preallocate(this.descriptor(operation.file), operation.size);
      case "rename":
        fs.renameSync(this.pathOf(operation.from), this.pathOf(operation.to));
        this.forget(operation.to);
        this.moveDescriptor(operation.from, operation.to);
        return DONE;
      case "unlink":
        fs.unlinkSync(this.pathOf(operation.file));
        this.forget(operation.file);
        return DONE;
      case "list":
        return { type: "list", files: fs.readdirSync(this.directory).filter((name) => FILE_NAME.test(name)).sort() };
      case "syncDirectory":
        return syncDirectory(this.directory).then(() => DONE);
      default:
        return unreachable(operation);
    }
  }

  private open(file: string, create: boolean): number | null {
    try {
      return fs.fstatSync(this.descriptor(file, create)).size;
    } catch (error) {
      // Absence is an answer, not a failure.
      if (isSystemError(error) && error.code === "ENOENT" && !create) return null;
      throw error;
    }
  }

  private async preallocate(descriptor: number, size: number): Promise<DiskResult> {
    let at = fs.fstatSync(descriptor).size;
    while (at < size) {
      const { bytesWritten } = await write(descriptor, ZEROS, 0, Math.min(ZEROS.length, size - at), at);
      at += bytesWritten;
    }
    await fdatasync(descriptor);
    return DONE;
  }

  private descriptor(file: string, create = false): number {
    let descriptor = this.descriptors.get(file);
    if (descriptor === undefined) {
      descriptor = fs.openSync(this.pathOf(file), fs.constants.O_RDWR | (create ? fs.constants.O_CREAT : 0));
      this.descriptors.set(file, descriptor);
    }
    return descriptor;
  }

  private moveDescriptor(from: string, to: string): void {
    const descriptor = this.descriptors.get(from);
    if (descriptor === undefined) return;
    this.descriptors.delete(from);
    this.descriptors.set(to, descriptor);
  }

  /** The name stands for another file from now on, or for none. */
  private forget(file: string): void {
    const descriptor = this.descriptors.get(file);
    if (descriptor !== undefined) fs.closeSync(descriptor);
    this.descriptors.delete(file);
    this.broken.delete(file);
  }

  private pathOf(file: string): string {
    invariant(FILE_NAME.test(file), "a file's name is plain");
    return path.join(this.directory, file);
  }
}

function whatIsTouched(operation: DiskOperation): readonly string[] {
  switch (operation.type) {
    case "open":
      return operation.create ? [operation.file, DIRECTORY] : [operation.file];
    case "unlink":
      return [operation.file, DIRECTORY];
    case "rename":
      return [operation.from, operation.to, DIRECTORY];
    case "list":
    case "syncDirectory":
      return [DIRECTORY];
    default:
      return [operation.file];
  }
}

function failureOf(error: unknown, file: string | null): DiskFailure {
  if (!isSystemError(error)) throw error;
  return { code: error.code, file, message: error.message };
}

function writeAll(descriptor: number, bytes: Uint8Array, offset: number): void {
  let from = 0;
  while (from < bytes.length) from += fs.writeSync(descriptor, bytes, from, bytes.length - from, offset + from);
}

function readUpTo(descriptor: number, offset: number, length: number): Uint8Array {
  // The length may exceed what is there by far; the file's size bounds what is allocated.
  const bytes = new Uint8Array(Math.max(0, Math.min(length, fs.fstatSync(descriptor).size - offset)));
  let count = 0;
  while (count < bytes.length) {
    const more = fs.readSync(descriptor, bytes, count, bytes.length - count, offset + count);
    if (more === 0) break;
    count += more;
  }
  return bytes.subarray(0, count);
}

async function syncDirectory(directory: string): Promise<void> {
  // Windows neither opens a directory nor needs it: NTFS journals names.
  if (process.platform === "win32") return;
  const descriptor = fs.openSync(directory, "r");
  try {
    await fsync(descriptor);
  } finally {
    fs.closeSync(descriptor);
  }
}
