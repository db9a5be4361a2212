/**
 * The database of a directory that no node runs in: the stored snapshot, brought forward by the entries of the log. It
 * is made of pages alone; no SQL runs.
 */
import { PageImage } from "../pages/page-image.ts";
import type { LogIndex } from "../types.ts";
import { type Judged, type Refused, brokenRule, corrupt } from "./block.ts";
import { bytesOf } from "./disk-result.ts";
import { type OfflineMember, READING_CHUNK_BYTES } from "./directory-reading.ts";
import { judgeRead, planRead } from "./entry-read.ts";
import type { DiskProcedure } from "./file-window.ts";
import { MANIFEST_FILE } from "./manifest.ts";
import { pageFileName } from "./page-file.ts";
import { PageMap } from "./page-map.ts";
import { readRun } from "./page-run.ts";
import type { StoredSnapshot } from "./page-set.ts";

/**
 * The state as of the entry at `through`, which lies between the snapshot's and the last one.
 *
 * @param pageSize of a database that nothing has been written to yet
 */
export function* readState(
  member: OfflineMember, through: LogIndex, pageSize: number, chunkBytes = READING_CHUNK_BYTES,
): DiskProcedure<Judged<PageImage>> {
  const { stored } = member.pages;
  const snapshot = stored === null ? null : yield* readSnapshot(stored, chunkBytes);
  if (snapshot !== null && !snapshot.ok) return snapshot;
  const image = snapshot?.value ?? PageImage.ofEmptyDatabase(pageSize);
  const first = (stored?.state.entry.index ?? 0) + 1;
  const refused = yield* applyEntries(member, image, first as LogIndex, through, chunkBytes);
  return refused ?? { ok: true, value: image };
}

function* readSnapshot({ state, files }: StoredSnapshot, chunkBytes: number): DiskProcedure<Judged<PageImage>> {
  const image = new PageImage(state.pageSize, state.pageCount);
  const map = new PageMap(files, state.pageCount);
  const atOnce = Math.max(1, Math.floor(chunkBytes / state.pageSize));
  for (const [at, file] of files.entries()) {
    for (let from = 0; from < file.count; from += atOnce) {
      const end = Math.min(from + atOnce, file.count);
      const places = placesFrom(from, end).filter((place) => map.counts(at, file.numbers[place] as number));
      const [firstPlace, lastPlace] = [places[0], places.at(-1)];
      if (firstPlace === undefined || lastPlace === undefined) continue;
      const run = yield* readRun(file, firstPlace, lastPlace + 1);
      const damage = run.damage.find(({ number }) => map.counts(at, number));
      if (damage !== undefined) return { ok: false, fault: damage.fault };
      for (const place of places) {
        const start = (place - firstPlace) * state.pageSize;
        const bytes = run.bytes.subarray(start, start + state.pageSize);
        const fault = image.place({ number: file.numbers[place] as number, crc: file.crcs[place] as number, bytes });
        if (fault !== null) return brokenRule(pageFileName(file.sequence), 0, fault.rule);
      }
    }
  }
  const fault = image.fault(state.checksum);
  return fault === null ? { ok: true, value: image } : brokenRule(MANIFEST_FILE, 0, fault.rule);
}

function placesFrom(from: number, end: number): number[] {
  return Array.from({ length: end - from }, (_, at) => from + at);
}

function* applyEntries(
  { log }: OfflineMember, image: PageImage, first: LogIndex, through: LogIndex, chunkBytes: number,
): DiskProcedure<Refused | null> {
  for (let from = first; from <= through;) {
    const read = planRead(log, from, (through + 1) as LogIndex, chunkBytes);
    const { file, offset, length } = read;
    const bytes = bytesOf(yield { type: "read", file, offset, length });
    if (bytes === null) return corrupt(file, offset, `entries from ${from} on cannot be read`);
    const entries = judgeRead(read, bytes);
    if (!entries.ok) return entries;
    for (const { index, kind, payload } of entries.value) {
      const fault = kind === "payload" ? image.apply(payload) : null;
      if (fault !== null) return brokenRule(file, offset, `entry ${index}: ${fault.rule}`);
    }
    from = (from + entries.value.length) as LogIndex;
  }
  return null;
}
