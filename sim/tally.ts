/**
 * What a run did: how often each kind of fault was injected and how often that had an effect, and how often rare events
 * were reached. A fault that never has an effect tests nothing: the rule about that lives in `idleKinds`.
 */
import { RARE_COURSES } from "../core/rare-course.ts";

export const FAULT_KINDS = [
  // The network. Effect: a packet is gone / arrived twice / arrived after a later one / was stopped by the cut.
  "loss", "duplication", "reordering", "partition", "oneWayCut", "bridge", "majoritiesRing", "isolatedNode",
  "isolatedLeader",
  // Effect: the connection was dropped / it came from another time / it had to wait / too much was waiting.
  "corruption", "replay", "clog", "congestion",
  // Connections of clients. Effect: the connection carried something before / the news never came.
  "connectionReset", "newsLost",
  // Strategies. Effect: an operation of that disk took longer / the victim ran / priorities other than those before.
  "starvedDisk", "killedWinner", "ambush", "priorities",
  // A leader, as soon as it is elected, crashed or isolated. Effect: it had entries that nobody else held.
  "youngLeader",
  // Processes. Effect: a running node died (of several: at least two; of all: every one) / before it had recovered /
  // before it knew its cluster / while a snapshot got its name / ended by itself / in the middle of a transaction.
  "crashOfOne", "crashOfSeveral", "crashOfAll", "crashInRecovery", "crashInFounding", "crashInInstall", "orderlyStop",
  "clientDeath",
  // A process that stands still. Effect: its leadership was lost meanwhile, or its cluster went on without it.
  "pause", "frozenClock",
  // A node outside the healthy core, for good. Effect: it ran.
  "permanentFault",
  // Leaders that hand over, or change who is a member, crashed or cut off, or whoever is to follow. Effect: it was
  // still at it; nobody else had the change.
  "struckTransfer", "struckChange",
  // Whole disks. Effect: there was something on it that counted.
  "diskLoss",
  // Disks. Effect: bytes differ from what was written / a change of the directory is gone / an operation took longer.
  "lostWrite", "tornWrite", "garbledSector", "undoneDirectoryChange", "unansweredOperation", "partialWrite", "slowDisk",
  "hungDisk",
  // Damage to what was durable. Effect: somebody has read it.
  "bitRot", "latentError", "misdirectedWrite", "misdirectedRead",
  // Disks that say no: EIO, and no space, on a few or on all. Effect: an operation failed.
  "failedWrite", "failedSync", "fullDisk", "fullDisks",
  // A state that is changed in memory. Effect: its node has found that out.
  "memoryFlip",
  // Clocks. Effect: a timer fired at another time than a true clock's / a process saw that its wall clock was set.
  "clockDrift", "clockSet",
] as const;
export type FaultKind = (typeof FAULT_KINDS)[number];

export const MARKS = [
  "elections", "votesSplit", "reelectionsAfterCrash", "preVotesRefused", "leadersResigned", "leadersDeposed",
  "entriesTruncated", "entriesReadBack", "tornRecordsCut",
  // What an operator asked for and what came of it; and what came about by itself.
  "changesCommitted", "changesRefused", "changesUnknown", "transfersDone", "transfersRefused", "transfersAborted",
  "disksReplaced", "namesReused", "removedNodesRun", "rolesAdjusted", "rolesLeft", "versionsRaised",
  // Configurations and joining, as nodes show them.
  "jointEntered", "jointLeft", "configurationsRolledBack", "nodesAdmitted", "strangersRefused",
  // Snapshots and logs.
  "snapshotsTaken", "snapshotsInstalled", "snapshotsInPieces", "snapshotsResumed", "snapshotsStale", "logsCompacted",
  // Files, as disks hear of them: segments begun, those in files used again, cuts and merges that got their name.
  "segmentsRolled", "segmentsRecycled", "checkpoints", "merges", "filesSkipped",
  // Damage, and what came of it. A loss is healed when its member may vote as any other.
  "damageFound", "damageInRecovery", "hardStatesMended", "manifestsMended", "losses", "lossesHealed", "quarantines",
  "membersHealed", "logsReadInVain",
  // Space, as nodes show it; and disks that failed for good.
  "diskFull", "spaceReturned", "reservesGivenUp", "checkpointsInReserve", "disksFailed", "writesRefusedFull",
  // Healthy cores that went on alone.
  "coresAlone",
  // Clocks that stood still, or a wall clock that was set as if one had.
  "clockStopsNoticed",
  // Crash images that were recovered, and judged.
  "crashImages",
  "readsForwarded", "readsAnswered", "sessionReadsAnswered",
  "transactionsCommitted", "transactionsRefused", "transactionsUnknown", "checksumComparisons",
  // Courses of the product's own that it takes seldom by itself.
  ...RARE_COURSES,
] as const;
export type Mark = (typeof MARKS)[number];

export interface TallyCounts {
  readonly injected: Record<FaultKind, number>;
  readonly effects: Record<FaultKind, number>;
  readonly marks: Record<Mark, number>;
}

export class Tally implements TallyCounts {
  readonly injected = zeros(FAULT_KINDS);
  readonly effects = zeros(FAULT_KINDS);
  readonly marks = zeros(MARKS);
  /** Who hears of each. */
  readonly onMark: ((mark: Mark) => void)[] = [];

  inject(kind: FaultKind): void {
    this.injected[kind]++;
  }

  effect(kind: FaultKind): void {
    this.effects[kind]++;
  }

  mark(mark: Mark, count = 1): void {
    this.marks[mark] += count;
    for (const hear of this.onMark) hear(mark);
  }

  add(other: TallyCounts): void {
    for (const kind of FAULT_KINDS) {
      this.injected[kind] += other.injected[kind];
      this.effects[kind] += other.effects[kind];
    }
    for (const mark of MARKS) this.marks[mark] += other.marks[mark];
  }
}

/** The faults without effect and the marks never reached. Over many seeds there must be none. */
export function idleKinds(tally: TallyCounts): readonly string[] {
  return [
    ...FAULT_KINDS.filter((kind) => tally.effects[kind] === 0),
    ...MARKS.filter((mark) => tally.marks[mark] === 0),
  ];
}

function zeros<Name extends string>(names: readonly Name[]): Record<Name, number> {
  const result = {} as Record<Name, number>;
  for (const name of names) result[name] = 0;
  return result;
}
