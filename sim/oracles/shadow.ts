/**
 * What a crash image has to vouch for: everything that its node's disk vouches for by what is synced (durable-node.ts),
 * which is at least what the node has said (promise.ts judges that at every step). Unsynced writes may have added to
 * it, and what they add has to be the node's own; they may have cut only what its memory has cut.
 */
import type { Recovered, StorageFault } from "../../core/storage/boundary.ts";
import { isSegmentFile, SEGMENT_HEADER_SIZE } from "../../core/storage/segment-file.ts";
import { TERM_FILE } from "../../core/storage/term-file.ts";
import { TermRuns } from "../../core/term-runs.ts";
import type { EntryId } from "../../core/types.ts";
import type { RaftObservation, RecoveredImage } from "./boundary.ts";
import { type DurableNode, isAtLeastAsUpToDate } from "./durable-node.ts";
import { contains, logOf, showEntry } from "./subject.ts";

export interface Shadow {
  readonly disk: DurableNode;
  /** As the node shows itself: it is that, and has not crashed. */
  readonly shown: RaftObservation;
  /** Whether the disk has been damaged: then recovery may lose something, if it says so. */
  readonly isDamaged: boolean;
}

/** What is wrong; null: nothing. */
export function judgeImage(shadow: Shadow, { outcome }: RecoveredImage): string | null {
  if (outcome.type === "failed") return shadow.isDamaged ? null : `is refused: ${JSON.stringify(outcome.fault)}`;
  const { recovered, restored } = outcome;
  if ((recovered.identity?.cluster ?? null) === null) return "has no cluster";
  return judgeHardState(shadow, recovered) ?? judgeDamage(shadow, recovered, restored) ?? judgeLog(shadow, recovered);
}

function judgeHardState({ disk }: Shadow, { hardState }: Recovered): string | null {
  const { currentTerm, votedFor } = disk.hardState;
  const isSame = hardState.currentTerm === currentTerm && hardState.votedFor === votedFor;
  // A later vote in the same term has not been said yet, and takes nobody's place.
  const isNewer = hardState.currentTerm > currentTerm || (hardState.currentTerm === currentTerm && votedFor === null);
  if (isSame || isNewer) return null;
  const [held, found] = [`${currentTerm} for ${votedFor}`, `${hardState.currentTerm} for ${hardState.votedFor}`];
  return `remembers term ${found}; its disk held term ${held}`;
}

/** Where nothing was damaged there is nothing to be found, and nothing is lost that was not lost before. */
function judgeDamage(
  { disk, shown, isDamaged }: Shadow, { damage, lost }: Recovered, restored: string | null,
): string | null {
  if (isDamaged) return null;
  const fault = damage.find((one) => !mayBeTorn(one));
  if (fault !== undefined) return `finds damage where there is none: ${JSON.stringify(fault)}`;
  if (restored !== null) return `cannot restore its snapshot: ${restored}`;
  const known = disk.lost ?? shown.lost;
  return lost === null || known !== null ? null : `says that all up to ${showEntry(lost)} is lost, and nothing is`;
}

/** One copy of what stands twice: a write of both that is torn looks just so. */
function mayBeTorn(fault: StorageFault): boolean {
  if (fault.type !== "corrupt") return false;
  return fault.file === TERM_FILE || (isSegmentFile(fault.file) && fault.offset < SEGMENT_HEADER_SIZE);
}

function judgeLog({ disk, shown, isDamaged }: Shadow, { log, lost, snapshot }: Recovered): string | null {
  const runs = new TermRuns(log.terms, log.last, log.base);
  const held = disk.acknowledged;
  if (held !== null && !vouchesFor(runs, lost, held) && !isCut(shown, held)) {
    return `ends at ${showEntry(log.last)}; its disk held ${showEntry(held)} for sure`;
  }
  const stored = disk.snapshotEntry;
  if (!isDamaged && stored !== null && (snapshot === null || snapshot.entry.index < stored.index)) {
    return `has not the snapshot of ${showEntry(stored)}`;
  }
  return null;
}

function vouchesFor(log: TermRuns, lost: EntryId | null, held: EntryId): boolean {
  return contains(log, held) || (lost !== null && isAtLeastAsUpToDate(lost, held));
}

/** Whether the node has cut it from its log, in memory at least: then it may be gone from the disk any moment. */
function isCut(shown: RaftObservation, held: EntryId): boolean {
  return !contains(logOf(shown), held);
}
