/**
 * What the core's orders make of a disk, as a value of the reference (raft-reference.ts): step by step, so that a crash
 * may leave it after any of them; and what recovery says of it.
 */
import type { RaftOptions } from "../core/raft/boundary.ts";
import type { EntryId, LogIndex, Term } from "../core/types.ts";
import type { EffectOf } from "./raft-member.ts";
import { configurationIn, holds, isAtLeastAsUpToDate, lastOf, type Stable } from "./raft-plain-log.ts";
import type { Reference } from "./raft-reference.ts";

/** The disk before, and after each part of it: hard state, snapshot, truncation, entries, in this order. */
export function written(disk: Stable, persist: EffectOf<"Persist">, reference: Reference): readonly Stable[] {
  const stages: Stable[] = [disk];
  const { hardState, snapshot, truncateTo, entries } = persist;
  const last = (): Stable => stages[stages.length - 1] as Stable;
  if (hardState !== null) stages.push({ ...last(), ...hardState });
  if (snapshot !== null) {
    const { index } = snapshot.entry;
    const log = holds(last().log, snapshot.entry) ? last().log : reference.committed.slice(0, index);
    stages.push({ ...last(), log, snapshot: index, stream: snapshot.checksum, base: index });
  }
  if (truncateTo !== null) stages.push({ ...last(), log: last().log.slice(0, truncateTo) });
  for (const entry of entries) stages.push({ ...last(), log: [...last().log, entry] });
  return stages;
}

/** The disk before, and after. */
export function compacted(disk: Stable, { through }: EffectOf<"Compact">): readonly Stable[] {
  return [disk, { ...disk, base: Math.max(disk.base, through.index) }];
}

/** The disk before, and after. */
export function mended(disk: Stable): readonly Stable[] {
  return [disk, { ...disk, lost: null }];
}

/**
 * What is left of a disk on which nothing above `keep` can be read.
 *
 * @param isKnown whether the disk can say how far its log had come
 */
export function damaged(disk: Stable, keep: number, isKnown: boolean): Stable {
  const { log, snapshot, base, stream, currentTerm } = disk;
  const end = isKnown ? lastOf(log) : { term: currentTerm as Term, index: Number.MAX_SAFE_INTEGER as LogIndex };
  const before = disk.lost;
  const entry = before !== null && isAtLeastAsUpToDate(before.entry, end) ? before.entry : end;
  // What an earlier loss stands for is longer, or what has come since is.
  const ghost = before !== null && isAtLeastAsUpToDate(lastOf(before.log), lastOf(log)) ? before.log : log;
  const lost = { entry, log: ghost };
  const left = { ...disk, log: log.slice(0, keep), lost };
  return keep < snapshot ? { ...left, log: [], snapshot: 0, base: 0, stream: 0 } : { ...left, snapshot, base, stream };
}

/** What recovery would say of it. */
export function recoveredFrom({ log, base }: Stable): RaftOptions["log"] {
  const above = log.slice(base);
  const starts = above.filter(({ term }, at) => term !== above[at - 1]?.term);
  const configurations = above
    .filter(({ kind }) => kind === "configuration")
    .map((entry) => ({ index: entry.index, configuration: configurationIn(entry) }));
  const terms = starts.map(({ term, index }) => ({ term, index }));
  return { base: lastOf(log.slice(0, base)), terms, last: lastOf(log), configurations };
}

/** What a snapshot consists of, on whatever disk, if it is written down in this way. */
export function contentOf({ index, term }: EntryId, stream: number): Uint8Array {
  return Uint8Array.from({ length: 1 + ((index * 7 + term + stream) % 40) }, (_, at) => index * 31 + at * 7 + stream);
}
