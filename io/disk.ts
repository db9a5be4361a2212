/**
 * The real disk: core/storage/disk.ts's operations on the files of one directory. It decides nothing and repeats
 * nothing: what the system refuses becomes one DiskFailed with the system's own code.
 *
 * The one hard idea is order. Every operation names what it touches: a file, and the directory ("."), where a name
 * comes or goes. An operation starts when it is the first in the queue of everything that it touches; so operations
 * on one file take effect in the order given, those on different files do not wait for each other, and syncDirectory
 * covers every earlier creation, rename and removal.
 *
 * A slow disk must not cost a heartbeat: everything that may have to wait for it runs in a thread of libuv. Small
 * writes do not, they end in the page cache: made at once they cost a tenth of the way to a thread and back.
 *
 * The system may forget a page that it failed to write and say so only once: after a failed write or sync, every later
 * operation on that file fails in the same way, except to remove it.
 */
import fs from "node:fs";
import path from "node:path";
import { promisify } from "node:util";
import { invariant, unreachable } from "../core/invariant.ts";
import type { DiskAnswer, DiskFailure, DiskOperation, DiskOrder, DiskResult } from "../core/storage/disk.ts";
import { isWantOfSpace } from "../core/storage/disk-failure.ts";
import { Descriptors } from "./descriptors.ts";
import { extend, readUpTo, writeInThread, writeNow } from "./file-access.ts";
import { isSystemError } from "./system-error.ts";

/** The directory itself, in the list of what an operation touches. */
const DIRECTORY = ".";
const FILE_NAME = /^[a-z0-9][a-z0-9.-]*$/;
const DONE: DiskResult = { type: "done" };

/** A write of so many bytes takes longer than the way to a thread and back. */
const LARGE_BYTES = 256 * 1024;

const fsync = promisify(fs.fsync);
const fdatasync = promisify(fs.fdatasync);
const rename = promisify(fs.rename);
const unlink = promisify(fs.unlink);
const readdir = promisify(fs.readdir);

interface Waiting {
  readonly order: DiskOrder;
  readonly touches: readonly string[];
}

export class Disk {
  readonly directory: string;
  private readonly answer: (answer: DiskAnswer) => void;
  /** What is under way or waits, by what it touches; the first of a queue is under way, or waits in another. */
  private readonly queues = new Map<string, Waiting[]>();
  private readonly descriptors = new Descriptors((file) => this.pathOf(file), (file) => this.queues.has(file));
  /** Of the directory, open from the first syncDirectory on: there may be no descriptor left when it matters. */
  private directoryDescriptor: number | null = null;
  /** Files of which a write or a sync has failed; the directory, too. */
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
    this.descriptors.closeAll();
    if (this.directoryDescriptor !== null) fs.closeSync(this.directoryDescriptor);
    this.directoryDescriptor = null;
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
      if (isLastWord(operation, outcome)) this.broken.set(nameOf(operation), outcome);
      this.answer({ type: "DiskFailed", ticket, failure: outcome });
    } else {
      this.answer({ type: "DiskDone", ticket, result: outcome });
    }
    if (this.underWay === 0) this.idle?.();
    return [...candidates];
  }

  private attempt(operation: DiskOperation): DiskResult | DiskFailure | Promise<DiskResult | DiskFailure> {
    const name = nameOf(operation);
    const failure = operation.type === "unlink" ? undefined : this.broken.get(name);
    if (failure !== undefined) return failure;
    const file = name === DIRECTORY ? null : name;
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
        return this.write(operation.file, operation.bytes, operation.offset);
      case "read":
        return this.read(operation.file, operation.offset, operation.length, operation.into);
      case "sync":
        return this.sync(operation.file);
      case "preallocate":
        return this.preallocate(operation.file, operation.size);
      case "rename":
        return this.rename(operation.from, operation.to);
      case "unlink":
        return this.unlink(operation.file);
      case "list":
        return this.list();
      case "syncDirectory":
        return this.syncDirectory();
      default:
        return unreachable(operation);
    }
  }

  private open(file: string, create: boolean): number | null {
    try {
      return fs.fstatSync(this.descriptors.of(file, create)).size;
    } catch (error) {
      // Absence is an answer, not a failure.
      if (isSystemError(error) && error.code === "ENOENT" && !create) return null;
      throw error;
    }
  }

  private write(file: string, bytes: Uint8Array, offset: number): DiskResult | Promise<DiskResult> {
    const descriptor = this.descriptors.of(file);
    this.descriptors.written(file);
    if (bytes.length >= LARGE_BYTES) return writeInThread(descriptor, bytes, offset).then(() => DONE);
    writeNow(descriptor, bytes, offset);
    return DONE;
  }

  private async read(file: string, offset: number, length: number, into?: Uint8Array): Promise<DiskResult> {
    return { type: "read", bytes: await readUpTo(this.descriptors.of(file), offset, length, into) };
  }

  private async sync(file: string): Promise<DiskResult> {
    await fdatasync(this.descriptors.of(file));
    this.descriptors.synced(file);
    return DONE;
  }

  private async preallocate(file: string, size: number): Promise<DiskResult> {
    await extend(this.descriptors.of(file), size);
    this.descriptors.synced(file);
    return DONE;
  }

  private async rename(from: string, to: string): Promise<DiskResult> {
    await rename(this.pathOf(from), this.pathOf(to));
    await this.forget(to);
    this.descriptors.renamed(from, to);
    return DONE;
  }

  private async unlink(file: string): Promise<DiskResult> {
    await unlink(this.pathOf(file));
    await this.forget(file);
    return DONE;
  }

  private async list(): Promise<DiskResult> {
    const names = await readdir(this.directory);
    return { type: "list", files: names.filter((name) => FILE_NAME.test(name)).sort() };
  }

  private async syncDirectory(): Promise<DiskResult> {
    // Windows neither opens a directory nor needs it: NTFS journals names.
    if (process.platform === "win32") return DONE;
    this.directoryDescriptor ??= fs.openSync(this.directory, "r");
    await fsync(this.directoryDescriptor);
    return DONE;
  }

  /** The name stands for another file from now on, or for none. */
  private async forget(file: string): Promise<void> {
    this.broken.delete(file);
    await this.descriptors.forget(file);
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

/** Whose failure it would be: a file's, or the directory's. */
function nameOf(operation: DiskOperation): string {
  if (operation.type === "rename") return operation.from;
  return "file" in operation ? operation.file : DIRECTORY;
}

/** Whether nothing on that file may succeed any more. Space that was not there may be there next time. */
function isLastWord({ type }: DiskOperation, failure: DiskFailure): boolean {
  if (type === "preallocate") return !isWantOfSpace(failure);
  return type === "write" || type === "sync" || type === "syncDirectory";
}

function failureOf(error: unknown, file: string | null): DiskFailure {
  if (!isSystemError(error)) throw error;
  return { code: error.code, file, message: error.message };
}
