/**
 * A disk of its own for a test: a tmpfs of a given size, which can be full and can be made read-only, also for root.
 * Only root of Linux may mount one. Elsewhere these tests are skipped, by name; where CI runs them as root they fail
 * if they cannot be run.
 */
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";

const isRoot = process.platform === "linux" && process.getuid?.() === 0;

export class SmallDisk {
  readonly directory = fs.mkdtempSync(path.join(os.tmpdir(), "quorumlite-small-disk-"));
  private readonly sizeKib: number;

  constructor(sizeKib: number) {
    this.sizeKib = sizeKib;
    run("mount", "-t", "tmpfs", "-o", `size=${sizeKib}k,mode=700`, "tmpfs", this.directory);
  }

  get freeBytes(): number {
    const { bavail, bsize } = fs.statfsSync(this.directory);
    return bavail * bsize;
  }

  /** A file takes all space but about so much. */
  fill(butBytes = 0): void {
    const descriptor = fs.openSync(this.filler, "a");
    const page = new Uint8Array(4096).fill(1);
    try {
      while (this.freeBytes > butBytes) fs.writeSync(descriptor, page);
    } finally {
      fs.closeSync(descriptor);
    }
  }

  /** Frees what `fill` took. */
  free(): void {
    fs.rmSync(this.filler);
  }

  /** From now on nothing can be written, by nobody, whatever is open. */
  refuseWrites(): void {
    run("mount", "-o", "remount,ro", this.directory);
  }

  /** The disk is exchanged for a larger one of the same content. */
  grow(byKib: number): void {
    run("mount", "-o", `remount,size=${this.sizeKib + byKib}k`, this.directory);
  }

  remove(): void {
    // At once for all who look at names; files that are still open end with whoever has them open.
    run("umount", "--lazy", this.directory);
    fs.rmdirSync(this.directory);
  }

  private get filler(): string {
    return path.join(this.directory, "FILLER");
  }
}

function run(command: string, ...args: string[]): void {
  const { status, stderr } = spawnSync(command, args, { encoding: "utf8" });
  if (status !== 0) throw new Error(`${command} ${args.join(" ")} failed: ${stderr}`);
}

function canMount(): boolean {
  try {
    new SmallDisk(4).remove();
    return true;
  } catch {
    return false;
  }
}

/** For test.runIf. */
export const hasSmallDisks: boolean = isRoot && (process.env["CI"] !== undefined || canMount());
