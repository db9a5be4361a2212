/**
 * One directory, one process. Two processes that append to the same log would destroy it.
 *
 * On Linux the lock is an abstract unix socket named by the directory's device and inode: the kernel frees it when
 * the process dies, however it dies, and no path or symbolic link leads around it. Two machines (or two containers
 * with networks of their own) that share a directory do not see each other: that is not protected against. Elsewhere
 * it is a file LOCK with the process id; one whose process is gone is taken over.
 *
 * Whoever asks the socket is told the holder's process id, so that the error can name it.
 */
import fs from "node:fs";
import net from "node:net";
import path from "node:path";
import { isSystemError } from "./system-error.ts";

const ANSWER_WAIT_MS = 300;
const LOCK_FILE = "LOCK";

export interface DirectoryLock {
  release(): Promise<void>;
}

export type LockResult =
  | { readonly ok: true; readonly lock: DirectoryLock }
  /** Another node has it open. `holder`: its process id; null: unknown. */
  | { readonly ok: false; readonly holder: number | null };

/** The directory must exist. Throws the system's error for anything but "somebody holds it". */
export async function lockDirectory(directory: string): Promise<LockResult> {
  if (process.platform === "linux") return lockBySocket(socketName(directory));
  return lockByFile(path.join(directory, LOCK_FILE));
}

function socketName(directory: string): string {
  const { dev, ino } = fs.statSync(directory, { bigint: true });
  return `\0quorumlite:${dev}:${ino}`;
}

async function lockBySocket(name: string): Promise<LockResult> {
  const server = net.createServer((socket) => {
    socket.on("error", () => socket.destroy());
    socket.end(String(process.pid));
  });
  const refusal = await new Promise<Error | null>((resolve) => {
    server.once("error", resolve);
    server.listen(name, () => resolve(null));
  });
  if (refusal !== null) {
    if (isSystemError(refusal) && refusal.code === "EADDRINUSE") return { ok: false, holder: await askHolder(name) };
    throw refusal;
  }
  // The lock alone is no reason to go on living.
  server.unref();
  return { ok: true, lock: { release: () => new Promise((resolve) => server.close(() => resolve())) } };
}

function askHolder(name: string): Promise<number | null> {
  return new Promise((resolve) => {
    let text = "";
    const socket = net.connect({ path: name });
    const finish = (): void => {
      socket.destroy();
      resolve(/^\d+$/.test(text) ? Number(text) : null);
    };
    socket.setTimeout(ANSWER_WAIT_MS, finish);
    socket.on("data", (bytes) => (text += bytes.toString()));
    socket.on("error", finish);
    socket.on("end", finish);
  });
}

function lockByFile(file: string): LockResult {
  for (;;) {
    try {
      fs.writeFileSync(file, String(process.pid), { flag: "wx" });
      return { ok: true, lock: { release: async () => fs.rmSync(file, { force: true }) } };
    } catch (error) {
      if (!isSystemError(error) || error.code !== "EEXIST") throw error;
    }
    const holder = readHolder(file);
    if (holder === null || isAlive(holder)) return { ok: false, holder };
    // Renamed first, and looked at again: of several that found the same dead holder one may have taken the lock
    // since.
    const taken = `${file}.${process.pid}`;
    try {
      fs.renameSync(file, taken);
    } catch (error) {
      if (isSystemError(error) && error.code === "ENOENT") continue;
      throw error;
    }
    if (readHolder(taken) === holder) fs.rmSync(taken);
    else fs.renameSync(taken, file);
  }
}

/** null: the file is being written, or is not ours. */
function readHolder(file: string): number | null {
  const text = fs.readFileSync(file, "utf8");
  return /^[1-9]\d*$/.test(text) ? Number(text) : null;
}

function isAlive(processId: number): boolean {
  try {
    process.kill(processId, 0);
    return true;
  } catch (error) {
    return isSystemError(error) && error.code === "EPERM";
  }
}
