/**
 * What a seed stands for: the cluster, its limits, and which faults befall it how often. Drawn by *swarm*: each seed
 * switches whole classes of faults off, as rare courses need some faults and the absence of others.
 *
 * The plan also bounds the harm (`NEVER`), so that whatever goes wrong within it is a bug.
 */
import type { DatabaseLimits } from "../core/database/boundary.ts";
import { DEFAULT_DATABASE_LIMITS } from "../core/database/boundary.ts";
import { DEFAULT_LIMITS, DEFAULT_TIMING, type RaftLimits, type RaftTiming } from "../core/raft/boundary.ts";
import type { RoleTargets } from "../core/raft/roles.ts";
import { RARE_COURSES, type RareCourse } from "../core/rare-course.ts";
import { Random } from "../core/random.ts";
import type { StorageLimits } from "../core/storage/boundary.ts";
import type { DiskSpeed } from "./latency.ts";
import { BLOCK_SIZE, type PowerLoss, SECTOR_SIZE } from "./power-loss.ts";
import type { NetworkWeather } from "./network.ts";
import { drawStrategy, type Strategy } from "./strategy.ts";

/** What no plan does. What the product promises is under exactly these limits. */
export const NEVER: readonly string[] = [
  "lose a name that syncDirectory made durable",
  "damage what was synced, or lose a disk, at so many members that the others are no quorum of the configuration in "
    + "force; a member counts until nothing damaged is on its disk and nothing is lost to it",
  "damage both copies of the hard state or of the identity, nor tear a write to one while the other cannot be read",
  "change, or misdirect, the last group of the log while nothing later vouches for it: that looks like a torn write",
  "fail a disk operation but by EIO on write, sync and read, and ENOSPC where files grow",
  "leave a disk operation without an end in a process that is not killed",
  "change a byte in memory that a reader meets before it is found, at more than one member at a time, or at a leader",
  "change a packet so that no checksum of its frame finds it, or deliver it to another than its receiver",
  "set a monotonic clock, or let a clock drift by more than 500 ppm",
  "stop a monotonic clock whose wall clock is set back before its process looks at both",
  "drift by more than what leases are told, where they are on",
  "stop for good, or wipe, a member; or ask for a configuration whose voters with their disks are no quorum",
  "ask for progress where those that are well, with undamaged disks, lack a quorum of a configuration that may be in "
    + "force",
  "start an older version of the program where a newer one has run",
  "found a second cluster by hand: a replaced disk is started with the list of those who are members",
];

/** How often a kind of fault comes: the mean time between two, in ms; 0: never in this run. */
export interface FaultIntervals {
  readonly crashOfOne: number;
  readonly crashOfSeveral: number;
  readonly crashOfAll: number;
  readonly partition: number;
  readonly oneWayCut: number;
  readonly isolatedNode: number;
  readonly isolatedLeader: number;
  readonly bridge: number;
  readonly majoritiesRing: number;
  readonly clog: number;
  readonly replay: number;
  readonly connectionReset: number;
  readonly clientDeath: number;
  readonly slowDisk: number;
  readonly orderlyStop: number;
  readonly diskLoss: number;
  readonly pause: number;
  readonly clockSet: number;
  readonly hungDisk: number;
  readonly failingDisk: number;
  readonly fullDisk: number;
  readonly fullDisks: number;
  readonly bitRot: number;
  readonly latentError: number;
  readonly misdirectedWrite: number;
  readonly misdirectedRead: number;
  readonly memoryFlip: number;
}

/** What an operator asks of the cluster: the mean time between two requests, in ms; 0: never in this run. */
export interface OperatorPlan {
  readonly change: number;
  readonly transfer: number;
  /**
   * Of a hundred transfers, and changes: how many have their leader, or the one who is to follow, crashed or cut off
   * before they are over.
   */
  readonly strikePercent: number;
}

export interface Plan {
  readonly seed: number;
  /** How many found the cluster, and how many computers stand by that may join it. */
  readonly nodes: number;
  readonly joiners: number;
  readonly clients: number;
  /** How long before the first fault, and how long faults last. */
  readonly quietMs: number;
  readonly chaosMs: number;
  /** Whether a healthy core has to go on alone, with all others broken for good, before everything is healed. */
  readonly hasCorePhase: boolean;
  /** How long applications go on afterwards, and within which time one of their writes must be acknowledged. */
  readonly serveMs: number;
  readonly serveBoundMs: number;
  /** Once they have stopped: how long until all nodes must have applied the same. */
  readonly convergeMs: number;
  readonly network: NetworkWeather;
  readonly disk: DiskSpeed;
  readonly powerLoss: PowerLoss;
  /** Of a hundred crashes: how many take the power too. */
  readonly powerLossPercent: number;
  /** Of a hundred restarts: how many are crashed again while they recover. */
  readonly crashInRecoveryPercent: number;
  /** Of a hundred nodes: how many are crashed soon after their first start, while the cluster is founded. */
  readonly crashInFoundingPercent: number;
  /** Of a hundred snapshots that get their name: how many have their node crashed at about that time. */
  readonly crashInInstallPercent: number;
  /** Of a hundred crashes: how many have the disk damaged before the process starts again. */
  readonly damageAtRestPercent: number;
  /** Mean times: down after a crash; cut, or stalled. */
  readonly downMs: number;
  readonly cutMs: number;
  readonly stallMs: number;
  readonly pauseMs: number;
  /** Mean times, too: how long a disk fails after the first time; how long it is full, and what fits until then. */
  readonly failingMs: number;
  readonly fullMs: number;
  readonly freeBytes: number;
  /** Of a hundred checkpoints, merges and snapshots that begin to come in, and of starts: how many meet a full disk. */
  readonly fullInWritePercent: number;
  readonly fullAtStartPercent: number;
  /** Whether space runs out once more when all other faults are over, and on how many. */
  readonly outOfSpace: "nowhere" | "minority" | "everywhere";
  readonly maxDriftPpm: number;
  readonly faults: FaultIntervals;
  readonly operator: OperatorPlan;
  /** Of a hundred nodes: how many begin with feature version 1; the others, and these later, with the highest. */
  readonly oldVersionPercent: number;
  /** null: no leases. At least what two clocks of the plan may drift apart. */
  readonly leaseDriftPpm: number | null;
  /** null: roles are the operator's affair alone. */
  readonly roles: RoleTargets | null;
  readonly timing: RaftTiming;
  readonly raft: RaftLimits;
  readonly storage: StorageLimits;
  readonly digestEvery: number;
  /** Of a thousand steps in which a node vouches for something: at how many its disk is crashed in every way. */
  readonly shadowPerMille: number;
  readonly database: DatabaseLimits;
  readonly callTimeoutMs: number;
  /** Of a hundred new leaders: how many are struck within the time that it takes to replicate an entry. */
  readonly youngLeaderPercent: number;
  readonly strategy: Strategy;
  /** What the product does seldom by itself, and now often. */
  readonly rareCourses: readonly RareCourse[];
}

const KIB = 1024;
const MIB = 1024 * 1024;
const SCRUB_EVERYTHING = { scrubBytes: 4 * MIB, tickMs: 1000 };
/** Often enough for a wrong state to be found within a run. */
const DIGESTS_EVERY = [3, 10, 30] as const;

export function drawPlan(seed: number): Plan {
  const random = Random.fromNumber(seed);
  const maxDriftPpm = random.pick([0, 50, 500]);
  const nodes = random.pick([1, 2, 3, 3, 3, 4, 5, 5, 6, 7]);
  const joiners = random.pick([0, 0, 1, 2, 3]);
  const hasLeases = random.chance(30);
  const faults = drawFaults(random);
  return {
    seed,
    nodes,
    joiners,
    clients: random.integer(1, 5),
    quietMs: random.pick([0, 500, 2000]),
    chaosMs: 20_000,
    hasCorePhase: random.chance(70),
    serveMs: 4_000,
    serveBoundMs: 15_000,
    convergeMs: 20_000,
    network: drawWeather(random),
    disk: drawDiskSpeed(random),
    powerLoss: drawPowerLoss(random),
    powerLossPercent: random.pick([0, 50, 80, 100]),
    crashInRecoveryPercent: random.pick([0, 10, 30]),
    crashInFoundingPercent: random.pick([0, 0, 30, 70]),
    crashInInstallPercent: random.pick([0, 5, 20]),
    damageAtRestPercent: random.pick([0, 0, 20, 60]),
    downMs: random.pick([50, 300, 1000, 4000]),
    cutMs: hasLeases ? 1000 : random.pick([200, 700, 2000]),
    stallMs: random.pick([50, 300, 1000]),
    pauseMs: random.pick([20, 300, 1500]),
    failingMs: random.pick([50, 500]),
    fullMs: random.pick([300, 2000]),
    freeBytes: random.pick([0, 16 * KIB, 256 * KIB]),
    fullInWritePercent: random.pick([0, 0, 5, 30]),
    fullAtStartPercent: random.pick([0, 0, 20]),
    outOfSpace: random.pick(["nowhere", "nowhere", "minority", "everywhere"]),
    maxDriftPpm,
    // What is wrong with a lease shows when somebody takes over from a leader that is cut off, and lives to commit.
    faults: hasLeases ? { ...faults, isolatedLeader: 1000 } : faults,
    operator: drawOperator(random),
    oldVersionPercent: random.pick([0, 0, 50, 100]),
    leaseDriftPpm: hasLeases ? 2 * maxDriftPpm : null,
    roles: drawRoles(random, nodes, joiners),
    timing: DEFAULT_TIMING,
    raft: drawRaftLimits(random),
    storage: drawStorageLimits(random),
    digestEvery: random.pick(DIGESTS_EVERY),
    shadowPerMille: random.pick([0, 0, 1, 5]),
    database: {
      ...DEFAULT_DATABASE_LIMITS,
      maxQueuedWrites: random.pick([4, 64, 1024]),
      sessionExpiryMs: random.pick([2000, 30_000]),
      // A transaction that nobody ends holds the writer for so long: far less than the time to serve again.
      transactionIdleMs: random.pick([200, 1000]),
    },
    callTimeoutMs: random.pick([1000, 5000]),
    youngLeaderPercent: hasLeases ? 0 : random.pick([0, 40, 60, 70]),
    rareCourses: RARE_COURSES.filter(() => random.oneIn(4)),
    strategy: drawStrategy(random),
  };
}

function drawWeather(random: Random): NetworkWeather {
  const perMille = (values: readonly number[]): number => (random.chance(60) ? random.pick(values) : 0);
  return {
    latencyUs: random.pick([100, 300, 1000, 5000, 15_000]),
    isSteady: false,
    lossPerMille: perMille([1, 10, 50, 150]),
    duplicatePerMille: perMille([1, 10, 100]),
    reorderPerMille: perMille([1, 20, 200]),
    corruptPerMille: random.chance(30) ? random.pick([1, 5, 20]) : 0,
    maxDetourUs: random.pick([2000, 50_000, 700_000, 1_500_000]),
    // Enough for what a cluster says when nobody writes; what it copies has to wait, or is dropped.
    bytesPerMs: random.pick([0, 0, 0, 300, 3000]),
    queueBytes: random.pick([16 * KIB, 256 * KIB]),
  };
}

function drawDiskSpeed(random: Random): DiskSpeed {
  return random.pick([
    { accessUs: 20, syncUs: 150, isSteady: false },
    { accessUs: 100, syncUs: 1500, isSteady: false },
    { accessUs: 500, syncUs: 10_000, isSteady: false },
    { accessUs: 50, syncUs: 40_000, isSteady: false },
  ]);
}

function drawPowerLoss(random: Random): PowerLoss {
  const unit = random.pick([SECTOR_SIZE, BLOCK_SIZE]);
  return random.pick([
    { dropPercent: 100, tearPercent: 0, garblePercent: 0, unit },
    { dropPercent: 50, tearPercent: 0, garblePercent: 0, unit },
    { dropPercent: 10, tearPercent: 80, garblePercent: 20, unit },
    { dropPercent: 33, tearPercent: 33, garblePercent: 50, unit },
  ]);
}

function drawFaults(random: Random): FaultIntervals {
  const interval = (percent: number, values: readonly number[]): number => {
    return random.chance(percent) ? random.pick(values) : 0;
  };
  return {
    crashOfOne: interval(50, [700, 2000, 5000]),
    crashOfSeveral: interval(20, [3000, 8000]),
    crashOfAll: interval(20, [4000, 10_000]),
    partition: interval(25, [1500, 5000]),
    oneWayCut: interval(25, [1500, 5000]),
    isolatedNode: interval(25, [1500, 5000]),
    isolatedLeader: interval(35, [1500, 5000]),
    bridge: interval(20, [1500, 5000]),
    majoritiesRing: interval(20, [1500, 5000]),
    clog: interval(25, [700, 3000]),
    replay: interval(35, [20, 200, 1000]),
    connectionReset: interval(40, [500, 3000]),
    clientDeath: interval(60, [1000, 4000]),
    slowDisk: interval(40, [1000, 4000]),
    orderlyStop: interval(40, [2000, 6000]),
    diskLoss: interval(25, [3000, 8000]),
    pause: interval(30, [1000, 4000]),
    clockSet: interval(25, [300, 2000]),
    hungDisk: interval(20, [2000, 6000]),
    failingDisk: interval(30, [2000, 6000]),
    fullDisk: interval(30, [2000, 6000]),
    fullDisks: interval(15, [4000, 10_000]),
    bitRot: interval(30, [200, 1000, 4000]),
    latentError: interval(25, [500, 3000]),
    misdirectedWrite: interval(20, [500, 3000]),
    misdirectedRead: interval(20, [500, 3000]),
    memoryFlip: interval(30, [1000, 4000]),
  };
}

function drawOperator(random: Random): OperatorPlan {
  return {
    change: random.chance(65) ? random.pick([150, 500, 2000]) : 0,
    transfer: random.chance(45) ? random.pick([400, 1500, 4000]) : 0,
    strikePercent: random.pick([0, 30, 60]),
  };
}

function drawRoles(random: Random, nodes: number, joiners: number): RoleTargets | null {
  if (random.chance(65)) return null;
  const odd = [1, 3, 5, 7].filter((voters) => voters <= nodes + joiners);
  return { voters: random.pick(odd), standbys: random.integer(0, 2) };
}

/** Segments roll and are merged all the time in many runs; a log may hardly be longer than its snapshot needs. */
function drawStorageLimits(random: Random): StorageLimits {
  const segmentBytes = random.pick([8 * KIB, 16 * KIB, 64 * KIB, MIB]);
  return {
    segmentBytes,
    maxWriteBytes: random.pick([16 * KIB, 64 * KIB, 4 * MIB]),
    maxLogBytes: Math.max(2 * segmentBytes, random.pick([64 * KIB, 256 * KIB, 2 * MIB, 512 * MIB, 512 * MIB])),
    // The half of it is for segments in which nothing but no-ops and configurations has to fit.
    reserveBytes: random.pick([32 * KIB, 64 * KIB, 256 * KIB, MIB]),
    ...random.pick([{ scrubBytes: 8 * KIB, tickMs: 100 }, { scrubBytes: 64 * KIB, tickMs: 250 }, SCRUB_EVERYTHING]),
  };
}

/** All is tiny in many runs: so entries come back from the disk, and logs are compacted again and again. */
function drawRaftLimits(random: Random): RaftLimits {
  const { maxInFlightMessages, maxInFlightBytes, snapshotBytes, snapshotEntries } = DEFAULT_LIMITS;
  const { maxTrailingEntries, maxTrailingBytes } = DEFAULT_LIMITS;
  // Whoever was away for a moment needs a snapshot.
  const forgetsSoon = random.chance(40);
  return {
    ...DEFAULT_LIMITS,
    maxMessageBytes: random.pick([1, 16 * KIB, MIB]),
    maxMessageEntries: random.pick([1, 2, 16, 4096]),
    maxUncommittedBytes: random.pick([64 * KIB, DEFAULT_LIMITS.maxUncommittedBytes]),
    maxCachedBytes: random.pick([0, 32 * KIB, DEFAULT_LIMITS.maxCachedBytes]),
    maxInFlightMessages: random.pick([1, 4, maxInFlightMessages]),
    maxInFlightBytes: random.pick([1, 64 * KIB, maxInFlightBytes]),
    snapshotBytes: random.pick([8 * KIB, 256 * KIB, snapshotBytes]),
    snapshotEntries: random.pick(forgetsSoon ? [3, 10, 30] : [10, 40, 200, snapshotEntries]),
    maxTrailingEntries: random.pick(forgetsSoon ? [0, 0, 3] : [0, 5, 50, maxTrailingEntries]),
    maxTrailingBytes,
    snapshotChunkBytes: random.pick([8 * KIB, 64 * KIB, MIB]),
    maxSnapshotTransfers: random.pick([1, 2, 4]),
  };
}

/** One line of `name=value`, everything that was drawn, in the order of the plan. */
export function describePlan(plan: Plan): string {
  return `${fields("", plan).join(" ")} never="${NEVER.join("; ")}"`;
}

function fields(prefix: string, value: object): string[] {
  return Object.entries(value).flatMap(([name, field]: [string, unknown]) => {
    if (Array.isArray(field)) return [`${prefix}${name}=${field.join(",")}`];
    const isGroup = typeof field === "object" && field !== null;
    return isGroup ? fields(`${prefix}${name}.`, field) : [`${prefix}${name}=${String(field)}`];
  });
}
