/**
 * Making the directory that a node keeps its data in, durably: a name that the parent has forgotten after a loss of
 * power takes every file below with it, however well they were synced.
 */
import fs from "node:fs";
import path from "node:path";
import { isSystemError } from "./system-error.ts";

/**
 * Makes the directory and those above it where they are missing. Throws the system's error.
 *
 * All names on the way are synced, also those that were there: a process that made them may have been killed before it
 * came to that, and nobody can tell.
 */
export function makeDirectory(directory: string): void {
  makeMissing(directory);
  for (let at = path.resolve(directory); at !== path.dirname(at); at = path.dirname(at)) syncName(at);
}

function makeMissing(directory: string): void {
  // Not mkdir's own `recursive`: below a place where nothing can be made (/proc) it does not return, in Node 20.
  if (!tryToMake(directory)) {
    makeMissing(path.dirname(directory));
    fs.mkdirSync(directory);
  }
  // Whatever else stands there under that name is refused here (ENOTDIR).
  fs.opendirSync(directory).closeSync();
}

/** False: the directory above is missing. */
function tryToMake(directory: string): boolean {
  try {
    fs.mkdirSync(directory);
  } catch (error) {
    if (isSystemError(error) && error.code === "EEXIST") return true;
    if (isSystemError(error) && error.code === "ENOENT" && !fs.existsSync(path.dirname(directory))) return false;
    throw error;
  }
  return true;
}

/** Above some place are directories that are none of ours: that may not be read, or know no sync. */
const NOT_OURS: readonly string[] = ["EACCES", "EPERM", "EROFS", "EINVAL", "ENOTSUP", "ENOSYS"];

/** The name of this file or directory is durable. */
export function syncName(directory: string): void {
  // Windows neither opens a directory nor needs it: NTFS journals names.
  if (process.platform === "win32") return;
  try {
    syncDirectory(path.dirname(directory));
  } catch (error) {
    if (!isSystemError(error) || !NOT_OURS.includes(error.code)) throw error;
  }
}

function syncDirectory(directory: string): void {
  const descriptor = fs.openSync(directory, "r");
  try {
    fs.fsyncSync(descriptor);
  } finally {
    fs.closeSync(descriptor);
  }
}
