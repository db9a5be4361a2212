/**
 * Making the directory that a node keeps its data in, durably: a name that the parent has forgotten after a loss of
 * power takes every file below with it, however well they were synced.
 */
import fs from "node:fs";
import path from "node:path";
import { isSystemError } from "./system-error.ts";

/** Makes the directory and those above it where they are missing. Throws the system's error. */
export function makeDirectory(directory: string): void {
  // Not mkdir's own `recursive`: below a place where nothing can be made (/proc) it does not return, in Node 20.
  if (!tryToMake(directory)) {
    makeDirectory(path.dirname(directory));
    fs.mkdirSync(directory);
    syncDirectorySync(path.dirname(directory));
  }
  // Whatever else stands there under that name is refused here (ENOTDIR).
  fs.opendirSync(directory).closeSync();
}

/** False: the directory above is missing. */
function tryToMake(directory: string): boolean {
  const parent = path.dirname(directory);
  try {
    fs.mkdirSync(directory);
  } catch (error) {
    if (isSystemError(error) && error.code === "EEXIST") return true;
    if (isSystemError(error) && error.code === "ENOENT" && !fs.existsSync(parent)) return false;
    throw error;
  }
  syncDirectorySync(parent);
  return true;
}

function syncDirectorySync(directory: string): void {
  // Windows neither opens a directory nor needs it: NTFS journals names.
  if (process.platform === "win32") return;
  const descriptor = fs.openSync(directory, "r");
  try {
    fs.fsyncSync(descriptor);
  } finally {
    fs.closeSync(descriptor);
  }
}
