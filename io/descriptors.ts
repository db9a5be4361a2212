/**
 * The open files of a disk, by name. A file stays open from its first use on, so that a write costs one system call;
 * but of the many files that are read once in a while (old segments, files of pages) only so many do, and whoever was
 * used longest ago is closed for the next.
 *
 * The one hard idea: a file with unsynced writes is never closed. The system may fail to write a page of it later and
 * says so to those who have it open; to a descriptor that is opened afterwards it may say nothing.
 */
import fs from "node:fs";
import { promisify } from "node:util";
import { freeNameless } from "./file-access.ts";

/** More than are written to at one time, and a small part of what any system allows. */
export const MAX_IDLE_DESCRIPTORS = 32;

const close = promisify(fs.close);

interface OpenFile {
  readonly descriptor: number;
  hasUnsynced: boolean;
}

export class Descriptors {
  private readonly pathOf: (file: string) => string;
  private readonly isBusy: (file: string) => boolean;
  /** Whoever was used last is the last. */
  private readonly files = new Map<string, OpenFile>();

  /** @param isBusy whether an operation on the file is under way or waits */
  constructor(pathOf: (file: string) => string, isBusy: (file: string) => boolean) {
    this.pathOf = pathOf;
    this.isBusy = isBusy;
  }

  /** Throws the system's error: ENOENT for a file that is missing and not to be created. */
  of(file: string, create = false): number {
    const known = this.files.get(file);
    if (known !== undefined) {
      this.files.delete(file);
      this.files.set(file, known);
      return known.descriptor;
    }
    this.makeRoom();
    const flags = fs.constants.O_RDWR | (create ? fs.constants.O_CREAT : 0);
    const descriptor = fs.openSync(this.pathOf(file), flags);
    this.files.set(file, { descriptor, hasUnsynced: false });
    return descriptor;
  }

  written(file: string): void {
    this.files.get(file)!.hasUnsynced = true;
  }

  synced(file: string): void {
    this.files.get(file)!.hasUnsynced = false;
  }

  renamed(from: string, to: string): void {
    const file = this.files.get(from);
    if (file === undefined) return;
    this.files.delete(from);
    this.files.set(to, file);
  }

  /** The name stands for this file no more. */
  async forget(file: string): Promise<void> {
    const former = this.files.get(file);
    this.files.delete(file);
    if (former === undefined) return;
    await freeNameless(former.descriptor);
    await close(former.descriptor);
  }

  closeAll(): void {
    for (const { descriptor } of this.files.values()) fs.closeSync(descriptor);
    this.files.clear();
  }

  private makeRoom(): void {
    for (const [name, { descriptor, hasUnsynced }] of this.files) {
      if (this.files.size < MAX_IDLE_DESCRIPTORS) return;
      if (hasUnsynced || this.isBusy(name)) continue;
      this.files.delete(name);
      fs.closeSync(descriptor);
    }
  }
}
