/** Thin for now. */
import type { ConfigurationRecord } from "../raft/boundary.ts";
import type { EntryId } from "../types.ts";
import type { Judged, Owner } from "./block.ts";
import type { StorageFault, StorageLimits } from "./boundary.ts";
import type { DiskProcedure } from "./file-window.ts";
import type { Log } from "./log.ts";
import type { TermSlot } from "./term-file.ts";

export interface LogSource {
  readonly owner: Owner;
  readonly term: TermSlot;
  /** Of all files of the directory. */
  readonly names: readonly string[];
  /** The entry of the stored snapshot; null: there is none. */
  readonly snapshot: EntryId | null;
  readonly chunkBytes: number;
}

export interface JudgedLog {
  readonly log: Log;
  /** The configuration entries of the log, ascending. */
  readonly configurations: readonly ConfigurationRecord[];
  readonly tornBytes: number;
  readonly damage: readonly StorageFault[];
  /** The highest entry that the log had and has no more; null: it has all. */
  readonly lost: EntryId | null;
}

export declare function judgeLog(source: LogSource): DiskProcedure<Judged<JudgedLog>>;

export declare function settleLog(
  judged: JudgedLog, source: Pick<LogSource, "owner" | "term" | "names">, limits: StorageLimits,
): DiskProcedure<Judged<Log>>;
