/**
 * A data directory while no node runs in it: locked for as long as it is open, so that none starts, and the one place
 * where procedures of core/storage are run on its files. One opened for reading is never written into, whatever the
 * procedure: its files are opened read-only.
 */
import fs from "node:fs";
import path from "node:path";
import { unreachable } from "../core/invariant.ts";
import type { StorageFault } from "../core/storage/boundary.ts";
import type { DiskAnswer, DiskFailure, DiskNews, DiskOperation } from "../core/storage/disk.ts";
import { type OfflineMember, readMember } from "../core/storage/directory-reading.ts";
import { isBearable, isWantOfSpace } from "../core/storage/disk-failure.ts";
import type { DiskProcedure } from "../core/storage/file-window.ts";
import type { Ticket } from "../core/types.ts";
import { makeDirectory } from "../io/directory.ts";
import { Disk } from "../io/disk.ts";
import { readUpTo } from "../io/file-access.ts";
import { type DirectoryLock, lockDirectory } from "../io/lock.ts";
import { isSystemError } from "../io/system-error.ts";
import { OperatorError, operatorErrorOf } from "./operator-error.ts";
import { checkPath } from "./operator-options.ts";

export type Access = "read" | "write" | "create";

const FILE_NAME = /^[a-z0-9][a-z0-9.-]*$/;

type Perform = (operation: DiskOperation) => Promise<DiskNews>;

export class OfflineDirectory {
  /** The whole path. */
  readonly directory: string;
  /** Told of each piece that has been read, and where in the file it ends. */
  onRead: (file: string, end: number) => void = () => {};
  private readonly lock: DirectoryLock;
  private readonly disk: ReadingDisk | WritingDisk;

  private constructor(directory: string, lock: DirectoryLock, disk: ReadingDisk | WritingDisk) {
    this.directory = directory;
    this.lock = lock;
    this.disk = disk;
  }

  /**
   * @param access "create": the directory is made where it is missing
   * @throws OperatorError if it is not there, or in use
   */
  static async open(directory: unknown, access: Access): Promise<OfflineDirectory> {
    const shown = checkPath("directory", directory);
    const lock = await takeLock(shown, access);
    return new OfflineDirectory(shown, lock, access === "read" ? new ReadingDisk(shown) : new WritingDisk(shown));
  }

  /** For as long as it is looked at. */
  static async read<T>(directory: unknown, look: (offline: OfflineDirectory) => Promise<T>): Promise<T> {
    const offline = await OfflineDirectory.open(directory, "read");
    try {
      return await look(offline);
    } finally {
      await offline.close();
    }
  }

  /** @throws OperatorError "DiskFailed" or "NoSpace" for a failure that the procedure cannot go on from */
  async run<T>(procedure: DiskProcedure<T>): Promise<T> {
    let next = procedure.next();
    while (!next.done) {
      const operation = next.value;
      const news = await this.disk.perform(operation);
      if (news.type === "failed" && !isBearable(operation, news.failure)) throw this.failed(news.failure);
      if (operation.type === "read") this.onRead(operation.file, operation.offset + operation.length);
      next = procedure.next(news);
    }
    return next.value;
  }

  /**
   * What the node's own start would find.
   *
   * @param advice what to do about damage that is in the way
   * @throws OperatorError if there is none, or not all that is needed
   */
  async member(advice: string): Promise<OfflineMember> {
    const member = await this.run(readMember());
    if (!member.ok) throw this.faultError(member.fault, advice);
    if (member.value !== null) return member.value;
    throw this.hasNothing();
  }

  hasNothing(): OperatorError {
    const message = `directory ${this.directory} holds no data of a node that has been of a cluster: check the path`;
    return new OperatorError("NoData", "directory", message);
  }

  /** @param advice what to do about damage */
  faultError(fault: StorageFault, advice: string): OperatorError {
    return operatorErrorOf(fault, this.directory, advice);
  }

  async close(): Promise<void> {
    await this.disk.close();
    await this.lock.release();
  }

  private failed(failure: DiskFailure): OperatorError {
    const file = failure.file === null ? this.directory : `${this.directory}/${failure.file}`;
    if (isWantOfSpace(failure)) {
      return new OperatorError("NoSpace", "directory", `there is no space for ${file}: make some, then try again`);
    }
    const code = ["EACCES", "EPERM", "EROFS"].includes(failure.code) ? "DirectoryUnusable" : "DiskFailed";
    const message = `${file} cannot be used (${failure.message}): repair that, then try again`;
    return new OperatorError(code, "directory", message);
  }
}

async function takeLock(directory: string, access: Access): Promise<DirectoryLock> {
  try {
    if (access === "create") makeDirectory(directory);
    fs.opendirSync(directory).closeSync();
    const result = await lockDirectory(directory);
    if (result.ok) return result.lock;
    const holder = result.holder === process.pid ? "this very process" : `process ${result.holder ?? "(unknown)"}`;
    const message = `directory ${directory} is in use by ${holder}: stop the node first`;
    throw new OperatorError("DirectoryInUse", "directory", message);
  } catch (error) {
    if (!isSystemError(error)) throw error;
    const message = `directory ${directory} cannot be used: ${error.message}`;
    throw new OperatorError("DirectoryUnusable", "directory", message, error);
  }
}

/** Opens nothing for writing: a directory that is evidence stays as it is, and so does one on a read-only disk. */
class ReadingDisk {
  private readonly directory: string;
  private readonly descriptors = new Map<string, number>();

  constructor(directory: string) {
    this.directory = directory;
  }

  readonly perform: Perform = async (operation) => {
    try {
      return await this.execute(operation);
    } catch (error) {
      if (!isSystemError(error)) throw error;
      const file = "file" in operation ? operation.file : null;
      return { type: "failed", failure: { code: error.code, file, message: error.message } };
    }
  };

  async close(): Promise<void> {
    for (const descriptor of this.descriptors.values()) fs.closeSync(descriptor);
    this.descriptors.clear();
  }

  private async execute(operation: DiskOperation): Promise<DiskNews> {
    switch (operation.type) {
      case "open":
        return { type: "open", size: this.sizeOf(operation.file) };
      case "read": {
        const { file, offset, length } = operation;
        return { type: "read", bytes: await readUpTo(this.descriptor(file), offset, length) };
      }
      case "list": {
        const files = fs.readdirSync(this.directory).filter((name) => FILE_NAME.test(name));
        return { type: "list", files: files.sort() };
      }
      default:
        throw new Error(`a directory that is only looked at takes no ${operation.type}`);
    }
  }

  private sizeOf(file: string): number | null {
    try {
      return fs.fstatSync(this.descriptor(file)).size;
    } catch (error) {
      if (isSystemError(error) && error.code === "ENOENT") return null;
      throw error;
    }
  }

  private descriptor(file: string): number {
    let descriptor = this.descriptors.get(file);
    if (descriptor === undefined) {
      descriptor = fs.openSync(path.join(this.directory, file), "r");
      this.descriptors.set(file, descriptor);
    }
    return descriptor;
  }
}

/** The node's own disk, asked for one operation at a time. */
class WritingDisk {
  private readonly disk: Disk;
  private answered: (news: DiskNews) => void = () => {};
  private tickets = 0;

  constructor(directory: string) {
    this.disk = new Disk(directory, (answer) => this.answered(newsOf(answer)));
  }

  readonly perform: Perform = (operation) => new Promise((resolve) => {
    this.answered = resolve;
    this.tickets += 1;
    this.disk.perform({ ticket: this.tickets as Ticket, operation });
  });

  close(): Promise<void> {
    return this.disk.close();
  }
}

function newsOf(answer: DiskAnswer): DiskNews {
  switch (answer.type) {
    case "DiskDone":
      return answer.result;
    case "DiskFailed":
      return { type: "failed", failure: answer.failure };
    default:
      return unreachable(answer);
  }
}
