/** Entries of a log by their headers: what they are, without what is in them. */
import type { EntryKind, LogIndex, Term } from "../types.ts";
import { type Judged, corrupt } from "./block.ts";
import { bytesOf } from "./disk-result.ts";
import { judgeRead, planRead } from "./entry-read.ts";
import type { DiskProcedure } from "./file-window.ts";
import type { Log } from "./log.ts";

const READ_BYTES = 1024 * 1024;

export interface ListedRecord {
  readonly index: LogIndex;
  readonly term: Term;
  readonly kind: EntryKind;
  /** Of the payload, in bytes. */
  readonly size: number;
}

/** Those from `from` on, below `end`, all of which the log has. */
export function* listRecords(log: Log, from: LogIndex, end: LogIndex): DiskProcedure<Judged<ListedRecord[]>> {
  const records: ListedRecord[] = [];
  for (let next = from; next < end;) {
    const read = planRead(log, next, end, READ_BYTES);
    const { file, offset, length } = read;
    const bytes = bytesOf(yield { type: "read", file, offset, length });
    if (bytes === null) return corrupt(file, offset, `entries from ${next} on cannot be read`);
    const entries = judgeRead(read, bytes);
    if (!entries.ok) return entries;
    for (const { index, term, kind, payload } of entries.value) {
      records.push({ index, term, kind, size: payload.length });
    }
    next = (next + entries.value.length) as LogIndex;
  }
  return { ok: true, value: records };
}
