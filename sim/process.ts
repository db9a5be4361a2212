/**
 * The computer that a node runs on, and the node's process while there is one. The disk outlives the process; the clock
 * starts anew with each life, so that no reading of it may be kept over one.
 */
import { ClockWatch } from "../core/clock-watch.ts";
import { invariant } from "../core/invariant.ts";
import type { NodeId } from "../core/types.ts";
import type { Dice } from "./chance.ts";
import { Clock } from "./clock.ts";
import type { SimulatedDisk } from "./disk.ts";
import type { NodeMachine } from "./environment.ts";
import type { Address } from "./packet.ts";
import type { Tally } from "./tally.ts";
import { Timer } from "./timer.ts";

/** What wall clocks show when a world begins. */
const WALL_EPOCH_MS = 1_700_000_000_000;
const MAX_WALL_ERROR_MS = 5000;
const MAX_UPTIME_US = 4_000_000_000;

export class NodeProcess {
  readonly id: NodeId;
  readonly address: Address;
  disk: SimulatedDisk;
  /** Whether it belongs to the nodes that the cluster was founded by. */
  readonly isFounder: boolean;
  readonly timer = new Timer();
  clock: Clock;
  /** As its driver has one; null: the process does not run. */
  private watch: ClockWatch | null = null;
  /** By how much its wall clock has been set since the process looked at it last, in milliseconds. */
  private wallSetMs = 0;
  /** Rises with each start; what belongs to an earlier life reaches nobody. */
  life = 0;
  /** null: the process does not run. */
  machine: NodeMachine | null = null;
  /** Whether this life has read its directory. */
  recovered = false;
  /** Whether anybody wants it to run: not yet, or no longer, a joiner or what was removed. */
  isUsed: boolean;
  /** Whether its directory is not the one that it was founded with. */
  isReplaced = false;
  /** The feature version of the program that is installed. It only rises. */
  version: number;
  /** Until when the process stands still; what comes in the meantime waits. */
  pausedUntil = 0;
  /** Whether its state has been changed in memory, and nobody has found that yet. */
  isFlipped = false;
  /** Whether the computer stands without power: then not even its operating system answers. */
  powered = true;

  constructor(
    id: NodeId, address: Address, disk: SimulatedDisk, clock: Clock, isFounder: boolean, version: number,
  ) {
    this.id = id;
    this.address = address;
    this.disk = disk;
    this.clock = clock;
    this.isFounder = isFounder;
    this.isUsed = isFounder;
    this.version = version;
  }

  /** Another disk takes the place of the one that is lost. */
  replaceDisk(disk: SimulatedDisk): void {
    invariant(this.machine === null, "a disk is replaced while nobody uses it");
    disk.onTrouble = this.disk.onTrouble;
    this.disk = disk;
    this.isReplaced = true;
  }

  begin(machine: NodeMachine, clock: Clock, worldTime: number): void {
    invariant(this.machine === null, "a directory has one process");
    this.life++;
    this.machine = machine;
    this.clock = clock;
    this.watch = new ClockWatch(clock.read(worldTime), clock.wallMs(worldTime));
    this.wallSetMs = 0;
    this.recovered = false;
    this.powered = true;
  }

  setWall(byMs: number): void {
    this.clock.setWall(byMs);
    this.wallSetMs += byMs;
  }

  /** Whether a stop of its clock could not be seen: who looks next finds that the wall clock has been set back. */
  get hidesStops(): boolean {
    return this.wallSetMs < 0;
  }

  /** The process compares its clocks: whether the monotonic one seems to have stood still. */
  seesStop(worldTime: number, tally: Tally): boolean {
    if (this.wallSetMs !== 0) tally.effect("clockSet");
    this.wallSetMs = 0;
    return this.watch?.hasStopped(this.clock.read(worldTime), this.clock.wallMs(worldTime)) ?? false;
  }

  end(powered: boolean): void {
    this.machine?.end();
    this.machine = null;
    this.watch = null;
    this.pausedUntil = 0;
    this.powered = powered;
    this.timer.clear();
  }
}

/** Left out: a clock that is right. */
/** Whether it runs, and leads. */
export function leads(node: NodeProcess): boolean {
  return node.machine?.inspect().raft?.role === "leader";
}

export function drawClock(dice: Dice, maxDriftPpm: number): Clock {
  if (dice.isLeftOut) return new Clock(0, 0, WALL_EPOCH_MS);
  const wallMs = WALL_EPOCH_MS + dice.integer(-MAX_WALL_ERROR_MS, MAX_WALL_ERROR_MS);
  const [uptimeUs, driftPpm] = [dice.integer(0, MAX_UPTIME_US), dice.integer(-maxDriftPpm, maxDriftPpm)];
  dice.happened(() => `its clock drifts by ${driftPpm} ppm, its wall clock is off by ${wallMs - WALL_EPOCH_MS} ms`);
  return new Clock(uptimeUs, driftPpm, wallMs);
}
