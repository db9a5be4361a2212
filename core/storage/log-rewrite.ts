/**
 * The log in a file of its own that begins behind another base: what compaction makes of it, and what is left of it
 * when a snapshot arrives whose entry it does not hold: nothing. The new file replaces the old one by a rename.
 *
 * Records name their own offset and their predecessor, so each entry is read back, judged and encoded anew; only so
 * many at a time as one write carries. Every record of the new file says that all before it is durable: true as soon as
 * the file has its name, since it is synced before. Thus damage to it is never taken for a torn write, and what the old
 * log knew of the hard state the new one knows as well.
 */
import { invariant } from "../invariant.ts";
import type { EntryId, LogIndex } from "../types.ts";
import { type Owner, type Refused, checksumOf } from "./block.ts";
import type { StorageLimits } from "./boundary.ts";
import { resultOf } from "./disk-result.ts";
import type { DiskProcedure } from "./file-window.ts";
import { judgeRead, planRead } from "./entry-read.ts";
import { LOG_FILE, LOG_HEADER_SIZE, LogFile, encodeLogHeader } from "./log-file.ts";
import type { OpenFiles } from "./open-files.ts";
import { recordSize } from "./record.ts";

const LOG_NEW = "log.new";

/** An empty log behind `base`, and its header. */
export function newLog(owner: Owner, base: EntryId): { readonly log: LogFile; readonly header: Uint8Array } {
  const header = encodeLogHeader(owner, base);
  return { log: new LogFile({ seed: checksumOf(header), base }), header };
}

/** The log begins behind `base` from now on. What follows it stays, if the log holds just that entry. */
export function* rewriteLog(files: OpenFiles, base: EntryId, limits: StorageLimits): DiskProcedure<Refused | null> {
  const old = files.log;
  invariant(base.index > old.entries.base.index, "a log is only ever shortened at its beginning");
  const { log, header } = newLog(files.owner, base);
  const { generation } = files.term;
  const isKept = old.entries.holds(base);
  const end = isKept ? old.entries.last.index + 1 : base.index + 1;

  yield { type: "open", file: LOG_NEW, create: true };
  log.allocated = spaceFor(old, base.index, end, limits.preallocateBytes);
  yield { type: "preallocate", file: LOG_NEW, size: log.allocated };
  yield { type: "write", file: LOG_NEW, offset: 0, bytes: header };
  for (let from = base.index + 1; from < end; ) {
    const read = planRead(old, from as LogIndex, end as LogIndex, limits.maxWriteBytes);
    const result = yield { type: "read", file: LOG_FILE, offset: read.offset, length: read.length };
    const judged = judgeRead(read, resultOf(result, "read").bytes);
    if (!judged.ok) return judged;
    const offset = log.end;
    const bytes = log.append([{ truncateTo: null, entries: judged.value }], { through: offset, generation });
    yield { type: "write", file: LOG_NEW, offset, bytes };
    from += judged.value.length;
  }
  const offset = log.end;
  yield { type: "write", file: LOG_NEW, offset, bytes: log.appendMark({ through: offset, generation }) };
  yield { type: "sync", file: LOG_NEW };
  log.noteSynced();
  // From here on reads are of the new file: operations on one file take effect in order.
  files.log = log;
  yield { type: "rename", from: LOG_NEW, to: LOG_FILE };
  yield { type: "syncDirectory" };
  return null;
}

/** How large a file has to be for the entries of `old` above `base` and below `end`, in whole steps. */
function spaceFor(old: LogFile, base: LogIndex, end: number, step: number): number {
  let size = LOG_HEADER_SIZE + recordSize(0);
  for (let index = base + 1; index < end; index++) size += recordSize(old.entries.payloadSizeOf(index as LogIndex));
  return Math.ceil(size / step) * step;
}
