/**
 * Reads the log over and over in search of damage: slowly, a piece at each call, beside everything else. Judges what is
 * durable of each segment: both copies of its header, then its records, one after the other.
 */
import type { LogIndex } from "../types.ts";
import type { StorageFault } from "./boundary.ts";
import type { DiskProcedure } from "./file-window.ts";
import type { OpenFiles } from "./open-files.ts";

/** What has been looked at. */
export interface LogScrubStep {
  /** How many bytes. */
  readonly read: number;
  /** `through`: once entries up to this one have left the log, so has the damage. */
  readonly faults: readonly { readonly fault: StorageFault; readonly through: LogIndex }[];
}

export class LogScrub {
  *next(_files: Pick<OpenFiles, "log">, _maxBytes: number): DiskProcedure<LogScrubStep> {
    return { read: 0, faults: [] };
  }
}
