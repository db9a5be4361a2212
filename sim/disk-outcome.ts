/** What a simulated disk answers: the contract's result, or one of its failures. */
import type { DiskFailure, DiskResult } from "../core/storage/disk.ts";

export type DiskOutcome =
  | { readonly ok: true; readonly result: DiskResult }
  | { readonly ok: false; readonly failure: DiskFailure };

export const DONE: DiskOutcome = { ok: true, result: { type: "done" } };

export function ioFailure(file: string, message: string): DiskOutcome {
  return { ok: false, failure: { code: "EIO", file, message } };
}

export function missing(file: string): DiskOutcome {
  return { ok: false, failure: { code: "ENOENT", file, message: `there is no file "${file}"` } };
}
